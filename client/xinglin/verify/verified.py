"""What a verification established, for policies and for people."""

from dataclasses import dataclass
from typing import Literal

from xinglin.canonical import JsonValue
from xinglin.document import hex0x
from xinglin.names import Address, Generation, LeafHash, Member, UnixTime
from xinglin.statement import Statement


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a bundle's evidence reaches towards the trust root's block."""

    sealed: bool
    """Whether the header was followed from the trust root's block by its seals."""

    sentence: str
    """For a person: who sealed the header, or that nothing shows it."""


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
            "notes": list(self.notes),
            "statement": self.statement.encode().decode(),
        }
