"""
A bundle: all that is needed to verify one entry offline, in one file.

It carries claims and evidence and no trust. `xinglin.verify` holds it against a trust root
that the user brings.
"""

from typing import Annotated, Literal

from pydantic import Field

from xinglin import merkle
from xinglin.appointment import Appointment, Person
from xinglin.canonical import parse
from xinglin.document import (
    Blob64,
    Bytes16,
    Bytes32,
    Count,
    DigestText,
    Document,
    MemberNumber,
    ShortText,
    Signature65,
    Time,
)
from xinglin.errors import InvalidEncoding
from xinglin.grant import GrantState
from xinglin.names import NodeHash, RootHash
from xinglin.statement import ENTRY_SIZE, Disclosure, Entry
from xinglin.trust import ContractName, Engine

MAX_PATH = 40
"""Hashes of the longest inclusion path: a log holds at most 2^40 entries."""

MAX_BYTES = 16 * 2**20
"""Largest bundle that is read: an access of 1,000 items, with its parts, takes a few MiB."""


class Inclusion(Document):
    """An inclusion path, without the index that stands beside it."""

    size: Count
    path: Annotated[tuple[DigestText, ...], Field(max_length=MAX_PATH)]


class AnchorOf(Document):
    """The first anchored size above the index."""

    size: Count
    root: DigestText
    time: Time
    block: Count

    @property
    def root_hash(self) -> RootHash:
        """The root as `xinglin.merkle` takes it."""
        return RootHash(self.root.value)


class StateProof(Document):
    """An account of a contract, or one slot of its storage, against the header's state root."""

    contract: ContractName
    slot: Bytes32 | None
    """Null for the proof of the account itself, with its code hash."""
    proof: tuple[Blob64, ...]
    """Trie nodes from the root downwards, as `eth_getProof` gives them."""


class Evidence(Document):
    """What shows that the chain said so."""

    engine: Engine
    header: Blob64
    """RLP header of the block whose state the proofs read."""
    headers: tuple[Blob64, ...]
    """RLP headers that lead there from the trust root's block; empty where the verifier
    follows the chain itself."""
    seals: tuple[Blob64, ...]
    """Seals that are not part of a header; none of today's engines has any."""
    view: Blob64 | None
    """RLP header of the block that an access statement names as its view."""
    proofs: tuple[StateProof, ...]


class BundledAppointment(Document):
    """An appointment that speaks in the statement, and who it is of, where the reader may know."""

    appointment: Appointment
    signature: Signature65
    person: Person | None


class BundledGrant(Document):
    """A grant with its terms and what the chain stores of it."""

    id: Bytes32
    terms: str
    state: GrantState


class ModelStatus(Document):
    """One change of a model's status."""

    status: Literal["proposed", "approved", "retired", "withdrawn"]
    at: Time


class ModelState(Document):
    """A model as `ModelRegistry` stores it."""

    registrar: MemberNumber
    history: tuple[ModelStatus, ...]


class BundledModel(Document):
    """The manifest of the model that an inference names."""

    manifest: str
    """Canonical JSON whose SHA-256 is the model's digest."""
    state: ModelState | None
    """Null for a model that was never registered."""


class Part(Document):
    """Another entry that the statement leans on."""

    role: Literal["enrolment", "record", "previous", "history", "succession", "correction"]
    origin: ShortText
    index: Count
    entry: Blob64
    disclosure: Disclosure
    inclusion: Inclusion
    anchor: AnchorOf


class Bundle(Document):
    """One entry, what it says, and what proves it."""

    format: Literal["xinglin.bundle/1"]
    network_id: Bytes16
    origin: ShortText
    index: Count
    entry: Blob64
    disclosure: Disclosure
    inclusion: Inclusion
    checkpoint: Annotated[str, Field(max_length=4096)] | None
    """The log's signed checkpoint of the anchored size, where there is one."""
    anchor: AnchorOf
    evidence: Evidence
    trust: DigestText
    """Digest of the trust root it was made for: a hint."""
    appointments: tuple[BundledAppointment, ...]
    grant: BundledGrant | None
    model: BundledModel | None
    receipt: Annotated[str, Field(max_length=4096)] | None
    parts: tuple[Part, ...]


def read_bundle(data: bytes) -> Bundle:
    """
    Parse a bundle file. Raises `InvalidEncoding`.

    White space is let pass, for files are laid out anew by mail and editors; everything
    that is hashed or signed inside keeps its own bytes.
    """
    if len(data) > MAX_BYTES:
        raise InvalidEncoding(f"expected a bundle of at most {MAX_BYTES} bytes, got {len(data)}")
    bundle = Bundle.from_json(parse(data))
    for entry in (bundle.entry, *(part.entry for part in bundle.parts)):
        if len(entry) != ENTRY_SIZE:
            raise InvalidEncoding(f"expected entries of {ENTRY_SIZE} bytes, got {len(entry)}")
    return bundle


def inclusion_proof(index: int, inclusion: Inclusion) -> merkle.InclusionProof:
    """The proof as `xinglin.merkle` takes it."""
    path = tuple(NodeHash(digest.value) for digest in inclusion.path)
    return merkle.InclusionProof(index, inclusion.size, path)


def entry_of(bundled: Bundle | Part) -> Entry:
    """The entry as `xinglin.statement` takes it."""
    return Entry.decode(bundled.entry)
