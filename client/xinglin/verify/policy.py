"""
What a caller demands of a verified statement, beyond that it is true.

Policies are small values that compose. An empty list of them is refused, because it would
accept anything without saying so; `AnyStatement` says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from xinglin.errors import UsageError, VerificationError
from xinglin.names import Member, UnixTime
from xinglin.verify.verified import Verified


class Policy(Protocol):
    """
    A demand on a verified statement.

    An implementer raises `VerificationError` when it is not met, and returns nothing when
    it is; it looks at nothing but its argument.
    """

    def check(self, verified: Verified) -> None:
        """Raise `VerificationError` unless `verified` meets the demand."""


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one of some policies, at least one."""

    policies: Sequence[Policy]

    def __post_init__(self) -> None:
        if not self.policies:
            raise UsageError("AllOf needs a policy: none would accept anything")

    def check(self, verified: Verified) -> None:
        """Check each in turn; the first refusal stands."""
        for policy in self.policies:
            policy.check(verified)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of some policies at least."""

    policies: Sequence[Policy]

    def __post_init__(self) -> None:
        if not self.policies:
            raise UsageError("AnyOf needs a policy: none would refuse everything")

    def check(self, verified: Verified) -> None:
        """Accept at the first policy that does; else refuse with every reason."""
        reasons: list[str] = []
        for policy in self.policies:
            try:
                policy.check(verified)
            except VerificationError as error:
                reasons.append(str(error))
            else:
                return
        raise VerificationError("no policy accepts it: " + "; ".join(reasons))


@dataclass(frozen=True, slots=True)
class AnyStatement:
    """Accepts every statement that verifies: the caller looks at it afterwards."""

    def check(self, verified: Verified) -> None:
        """Accept."""
        del verified


@dataclass(frozen=True, slots=True)
class OfType:
    """A statement of this type."""

    type: str

    def check(self, verified: Verified) -> None:
        """Refuse another type."""
        if verified.type != self.type:
            raise VerificationError(f"expected a {self.type} statement, got {verified.type}")


@dataclass(frozen=True, slots=True)
class OfMember:
    """A statement in this member's log."""

    member: Member

    def check(self, verified: Verified) -> None:
        """Refuse another member's."""
        if verified.member != self.member:
            raise VerificationError(f"expected member {self.member}, got {verified.member}")


@dataclass(frozen=True, slots=True)
class AnchoredBefore:
    """Anchored before a time."""

    time: UnixTime

    def check(self, verified: Verified) -> None:
        """Refuse a later anchor."""
        if verified.anchored_at >= self.time:
            raise VerificationError(
                f"expected an anchor before {self.time}, got one at {verified.anchored_at}"
            )


@dataclass(frozen=True, slots=True)
class NotLate:
    """Anchored within the network's `maxLate` of what it claims."""

    def check(self, verified: Verified) -> None:
        """Refuse a late one."""
        if verified.late_by:
            raise VerificationError(f"late by {verified.late_by} s")


@dataclass(frozen=True, slots=True)
class ModelApproved:
    """An inference by a model that was approved when it ran."""

    def check(self, verified: Verified) -> None:
        """Refuse any other status."""
        if verified.model_status != "approved":
            raise VerificationError(f"expected an approved model, got {verified.model_status}")


@dataclass(frozen=True, slots=True)
class SealedFromTrust:
    """The header was sealed by validators known from the trust root."""

    def check(self, verified: Verified) -> None:
        """Refuse evidence that does not reach the trust root."""
        if not verified.reach.sealed:
            raise VerificationError(verified.reach.sentence)
