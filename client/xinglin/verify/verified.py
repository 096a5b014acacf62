"""What a verification established, for policies and for people."""

from dataclasses import dataclass
from typing import Literal

from xinglin.appointment import Role
from xinglin.canonical import JsonValue
from xinglin.document import hex0x
from xinglin.hashes import Digest
from xinglin.names import Address, Generation, LeafHash, Member, RecordId, UnixTime
from xinglin.statement import Statement
from xinglin.trust import TrustRoot


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a bundle's evidence reaches towards the trust root's block."""

    sealed: bool
    """Whether the header was followed from the trust root's block by its seals."""

    sentence: str
    """For a person: who sealed the header, or that nothing shows it."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """One version of a record that stands in place of the one before, and who says so."""

    record: RecordId
    version: int
    """The version that stands in place."""

    of: Digest
    """Manifest of the version that was corrected."""

    by: Digest
    """Manifest of the version that stands in its place."""

    signer: Address
    role: Role
    claimed_at: UnixTime
    anchored_at: UnixTime

    @property
    def sentence(self) -> str:
        """For a person: who corrected, when, and what stands."""
        return (
            f"corrected by the {self.role} {self.signer} at {self.claimed_at}, anchored at "
            f"{self.anchored_at}: version {self.version} of record {self.record} stands in "
            f"place of version {self.version - 1}"
        )

    def to_json(self) -> dict[str, JsonValue]:
        """The correction as JSON."""
        return {
            "record": str(self.record),
            "version": self.version,
            "of": self.of.text,
            "by": self.by.text,
            "signer": self.signer,
            "role": self.role,
            "claimedAt": self.claimed_at,
            "anchoredAt": self.anchored_at,
        }


@dataclass(frozen=True, slots=True)
class Verified:
    """A statement whose every step was checked. Only `verify_bundle` makes one."""

    statement: Statement
    signer: Address
    member: Member
    generation: Generation
    index: int
    leaf: LeafHash

    claimed_at: UnixTime
    """What the author claims; for a statement with a view, the view's time."""

    anchored_at: UnixTime
    """Time of the block that anchored it."""

    late_by: int
    """Seconds over `maxLate` from the claim to the anchor; 0 if in time."""

    reach: Reach

    grant_end: Literal["none", "alive", "expired", "revoked"]
    """State of the grant at the evidence's block, where the statement leans on one."""

    model_status: Literal["none", "unregistered", "proposed", "approved", "retired", "withdrawn"]
    """Status of the model when the inference was claimed."""

    corrections: tuple[Corrected, ...]
    """Corrections of the output or record that the bundle brings, oldest first."""

    notes: tuple[str, ...]
    """What a careful reader should know: each a sentence."""

    @property
    def type(self) -> str:
        """Type of the statement."""
        return self.statement.predicate.TYPE

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        return (
            f"{self.type} statement at index {self.index} of member {self.member}'s log, "
            f"generation {self.generation}, anchored at {self.anchored_at}; {self.reach.sentence}"
        )

    def to_json(self) -> dict[str, JsonValue]:
        """The verdict as JSON."""
        return {
            "type": self.type,
            "member": self.member,
            "generation": self.generation,
            "index": self.index,
            "leaf": hex0x(self.leaf),
            "signer": self.signer,
            "claimedAt": self.claimed_at,
            "anchoredAt": self.anchored_at,
            "lateBy": self.late_by,
            "sealed": self.reach.sealed,
            "reach": self.reach.sentence,
            "grant": self.grant_end,
            "model": self.model_status,
            "corrections": [one.to_json() for one in self.corrections],
            "notes": list(self.notes),
            "statement": self.statement.encode().decode(),
        }


def sealers_are_shown(verified: Verified, trust: TrustRoot) -> bool:
    """
    Whether it is shown who sealed what the chain says; on a development chain nobody seals.

    Else whoever made the bundle can have made up the chain's state, and all that leans on it.
    """
    return verified.reach.sealed or trust.engine == "anvil"
