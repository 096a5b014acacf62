"""What the health routes answer."""

from xinglin.document import AddressText, Bytes16, Bytes32, Document


class Health(Document):
    """Whether something holds, and why not."""

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

    sequenced: Reached
    anchored: Reached
    final: Reached
    waiting: int
    """Entries in the queue."""
    sequencing: bool
    halted: str | None
    """Why nothing is sequenced, if so."""
    view: ViewStatus | None
