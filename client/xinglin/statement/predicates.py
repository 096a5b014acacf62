"""
The predicates: one frozen document for each type of statement.

No predicate holds a patient's identifier or a finding. Where the author speaks from a view
of the chain the predicate has a `view`; every other one has `claimedAt`, which proves
nothing about order: the anchor does that.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from xinglin.appointment import Appointment
from xinglin.document import (
    AddressText,
    Bytes32,
    Count,
    DigestMap,
    Document,
    MemberNumber,
    ShortText,
    Signature65,
    Time,
    Uuid4,
)
from xinglin.request import AccessRequest, Ground

Version = Annotated[int, Field(ge=1, lt=2**32)]
"""Version of a record, from 1."""

RefusalTerm = Literal[
    "not-yet",
    "expired",
    "revoked",
    "stopped",
    "custodian",
    "grantee",
    "scope",
    "purpose",
    "research",
    "view",
    "frequency",
    "enrolment",
    "account-signature",
    "terms",
]
"""Why an item was not released."""


class Predicate(Document):
    """Base of the predicates; `TYPE` is the part of `predicateType` that names them."""

    TYPE: ClassVar[str]


class Record(Predicate):
    """A version of a record was sealed, and is kept by this custodian."""

    TYPE: ClassVar[str] = "record"

    record: Uuid4
    version: Version
    previous: DigestMap | None
    """Manifest of the version before, null for the first."""
    custodian: MemberNumber
    enrolment: DigestMap | None
    """Commitment of the subject's enrolment in force; null if the record is about nobody."""
    blob: DigestMap
    """SHA-256 of the ciphertext."""
    size: Count
    """Bytes of the ciphertext."""
    seal: Literal["xinglin.seal/1"]
    """Padmé padding, then Cobblestone256 under the seal context (docs/spec/seal.md)."""
    category: ShortText
    media_type: ShortText
    claimed_at: Time


class Derivation(Predicate):
    """A record was made from others by a method."""

    TYPE: ClassVar[str] = "derivation"

    source: tuple[DigestMap, ...]
    result: DigestMap
    method: ShortText
    parameters: dict[str, str | int | bool]
    code: ShortText
    claimed_at: Time


class Correction(Predicate):
    """One manifest stands in place of another."""

    TYPE: ClassVar[str] = "correction"

    of: DigestMap
    by: DigestMap
    reason: Bytes32
    """Digest of the reason, so that its text can go."""
    claimed_at: Time


class Inference(Predicate):
    """A model read a record, and this is the digest of what it found (I7)."""

    TYPE: ClassVar[str] = "inference"

    record: Uuid4
    version: Version
    manifest: DigestMap
    """Manifest of the record that was read."""
    model: DigestMap
    """Digest of the model's manifest, as `ModelRegistry` knows it."""
    parameters: dict[str, str | int | bool]
    code: ShortText
    runtime: ShortText
    output: DigestMap
    """Salted digest of the spans (FORMATS: output of an inference)."""
    result: DigestMap
    """Manifest of the sealed output record."""
    claimed_at: Time


class ViewOfChain(Document):
    """The final block that an author looked at."""

    number: Count
    hash: Bytes32
    time: Time


class _Asked(Predicate):
    """What access, refusal and emergency share: the signed request and who made it."""

    request: AccessRequest
    request_signature: Signature65
    appointment: Appointment | None
    appointment_signature: Signature65 | None
    ground: Ground
    view: ViewOfChain
    grant_id: Bytes32 | None


class Access(_Asked):
    """Data keys were released, or used by a method of the node, to this request."""

    TYPE: ClassVar[str] = "access"

    manifests: Annotated[tuple[DigestMap, ...], Field(min_length=1, max_length=1000)]
    second: AddressText | None
    """Second appointed person, where the ground needs one."""


class RefusedItem(Document):
    """One item that was not released, and the term that refused it."""

    record: Uuid4
    version: Count
    """As asked for: 0 is the newest."""
    term: RefusalTerm


class Refusal(_Asked):
    """Items in the grant's scope were asked for and not released."""

    TYPE: ClassVar[str] = "refusal"

    items: Annotated[tuple[RefusedItem, ...], Field(min_length=1, max_length=1000)]


class Emergency(_Asked):
    """The glass was broken: access without a grant, to be confirmed afterwards."""

    TYPE: ClassVar[str] = "emergency"

    manifests: Annotated[tuple[DigestMap, ...], Field(min_length=1, max_length=1000)]
    second: AddressText | None
    until: Time


class Confirmation(Predicate):
    """A reviewer judged an emergency access."""

    TYPE: ClassVar[str] = "confirmation"

    leaf: DigestMap
    verdict: Literal["justified", "unjustified"]
    by: AddressText
    claimed_at: Time


class GrantDeposit(Predicate):
    """The terms of a grant were deposited, before the first release under it."""

    TYPE: ClassVar[str] = "grant"

    grant_id: Bytes32
    terms: Annotated[str, Field(min_length=2, max_length=65536)]
    """Canonical JSON of the terms, as one string: the very bytes whose digest the chain has."""
    how: Literal["signed", "witnessed"]
    claimed_at: Time


class Proxy(Document):
    """One who may act for the subject, until when."""

    account: AddressText
    until: Time


class Enrolment(Predicate):
    """A subject's file was opened, with an account of theirs or with none."""

    TYPE: ClassVar[str] = "enrolment"

    custodian: MemberNumber
    account: AddressText | None
    key_digest: Bytes32 | None
    history: DigestMap
    """Digest of the history key."""
    issued_at: Time
    how: Literal["in-person", "import"]
    signature: Signature65 | None
    """The subject's, over the typed data `Enrolment`."""
    proxies: tuple[Proxy, ...]
    claimed_at: Time


class ErasedLeaf(Document):
    """One entry whose statement is gone."""

    index: Count
    commitment: DigestMap


class Erasure(Predicate):
    """Keys, blobs, salts and statements behind these entries were destroyed (I6)."""

    TYPE: ClassVar[str] = "erasure"

    leaves: Annotated[tuple[ErasedLeaf, ...], Field(min_length=1)]
    basis: ShortText
    order: Bytes32 | None
    notified: tuple[MemberNumber, ...]
    claimed_at: Time


class HistoryFrom(Document):
    """Where a list of tags ends: its first n tags are all of it."""

    origin: ShortText
    history: DigestMap
    n: Count


class HistoryTo(Document):
    """Where the list goes on, from 0."""

    origin: ShortText
    history: DigestMap


class History(Predicate):
    """A subject's list of tags goes on elsewhere, or ends."""

    TYPE: ClassVar[str] = "history"

    kind: Literal["merged", "moved", "rekeyed", "closed"]
    from_: Annotated[HistoryFrom, Field(alias="from")]
    to: HistoryTo | None
    """Null when closed."""
    claimed_at: Time


class Succession(Predicate):
    """First entry of a new generation: the retired log that it follows."""

    TYPE: ClassVar[str] = "succession"

    origin: ShortText
    size: Count
    root: DigestMap
    claimed_at: Time


class Custody(Predicate):
    """A record passed from one custodian to another."""

    TYPE: ClassVar[str] = "custody"

    from_: Annotated[MemberNumber, Field(alias="from")]
    to: MemberNumber
    claimed_at: Time


PREDICATES: dict[str, type[Predicate]] = {
    predicate.TYPE: predicate
    for predicate in (
        Record,
        Derivation,
        Correction,
        Inference,
        Access,
        Refusal,
        Emergency,
        Confirmation,
        GrantDeposit,
        Enrolment,
        Erasure,
        History,
        Succession,
        Custody,
    )
}
"""Every type of statement that this version reads and writes."""
