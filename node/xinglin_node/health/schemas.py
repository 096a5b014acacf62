"""What the health routes answer."""

from pydantic import ConfigDict

from xinglin.document import AddressText, Bytes16, Bytes32, Document, base64url
from xinglin_node import examples


class Health(Document):
    """Whether something holds, and why not."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ok": True, "reasons": []},
                {"ok": False, "reasons": ["the chain has not been seen yet"]},
            ]
        }
    )

    ok: bool
    reasons: tuple[str, ...]


class PublicKeys(Document):
    """Keys that others wrap to and verify with."""

    log: str
    """Ed25519, base64url."""
    institution: str
    """ML-KEM-768 ‖ X25519, base64url: every envelope wraps to it…"""
    recovery: str
    """…and to this one."""
    system: AddressText
    """The node's own account: signs what a method of the node states."""


class ContractsAbout(Document):
    """The deployment that the node follows."""

    consortium: AddressText
    checkpoints: AddressText
    consents: AddressText
    models: AddressText


class Limits(Document):
    """How much one request may carry."""

    record_bytes: int
    batch_bytes: int
    batch_records: int
    json_bytes: int


class About(Document):
    """What this node is."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "software": "xinglin",
                    "version": "0.1.0",
                    "member": 1,
                    "origin": examples.ORIGIN,
                    "networkId": "0x" + examples.NETWORK,
                    "chainId": 31337,
                    "engine": "anvil",
                    "contracts": dict.fromkeys(
                        ("consortium", "checkpoints", "consents", "models"), examples.ACCOUNT
                    ),
                    "keys": {
                        "log": base64url(examples.LOG_KEY.public),
                        "institution": examples.PUBLIC_KEY,
                        "recovery": examples.PUBLIC_KEY,
                        "system": examples.ACCOUNT,
                    },
                    "reads": ["xinglin.bundle/1", "xinglin.envelope/1"],
                    "writes": ["xinglin.bundle/1", "xinglin.envelope/1"],
                    "limits": {
                        "recordBytes": 4294967296,
                        "batchBytes": 67108864,
                        "batchRecords": 1000,
                        "jsonBytes": 1048576,
                    },
                    "anchorPromiseSeconds": 300,
                }
            ]
        }
    )

    software: str
    version: str
    member: int
    origin: str
    network_id: Bytes16
    chain_id: int
    engine: str
    contracts: ContractsAbout
    keys: PublicKeys
    reads: tuple[str, ...]
    """Formats that are accepted, every version ever released."""
    writes: tuple[str, ...]
    """Formats that are written, the newest of each."""
    limits: Limits
    anchor_promise_seconds: int


class Reached(Document):
    """How far one state has come."""

    size: int
    at: int | None


class ViewStatus(Document):
    """The final block that the node knows."""

    number: int
    hash: Bytes32
    time: int
    age: int
    """Seconds between the wall clock and the view's block."""


class Status(Document):
    """How far the log and the chain have come."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "sequenced": {"size": 47, "at": examples.TIME},
                    "anchored": {"size": 44, "at": examples.TIME - 20},
                    "final": {"size": 40, "at": examples.TIME - 80},
                    "waiting": 0,
                    "sequencing": True,
                    "halted": None,
                    "view": examples.VIEW | {"age": 2},
                },
                {
                    "sequenced": {"size": 0, "at": None},
                    "anchored": {"size": 0, "at": None},
                    "final": {"size": 0, "at": None},
                    "waiting": 0,
                    "sequencing": False,
                    "halted": "expected the chain of this network, got none",
                    "view": None,
                },
            ]
        }
    )

    sequenced: Reached
    anchored: Reached
    final: Reached
    waiting: int
    """Entries in the queue."""
    sequencing: bool
    halted: str | None
    """Why nothing is sequenced, if so."""
    view: ViewStatus | None
