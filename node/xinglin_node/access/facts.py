"""
What one final view says of persons and grants, and the clocks beside it.

Everything one answer rests on is read in one session, so it is from one moment; the node's
indexer keeps the tables at a final block, and nobody asks the chain within a request.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from xinglin import typed
from xinglin.appointment import SignedAppointment, check_appointment, officer_of
from xinglin.errors import AppointmentError
from xinglin.names import Member, UnixTime
from xinglin.statement import ViewOfChain
from xinglin_node.chain.view import FinalView, final_view, standing_of
from xinglin_node.problems import CredentialRefused, ViewTooOld, Withdrawn

CLOCK_TOLERANCE_SECONDS = 5
"""How far the wall clock may be behind the newest block before grants are refused (DESIGN)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A final view and the wall clock: what beginnings and ends are held against."""

    view: FinalView
    now: UnixTime
    """The wall clock."""

    @property
    def beginning(self) -> UnixTime:
        """For beginnings: the earlier of wall clock and final block."""
        return min(self.now, self.view.time)

    @property
    def end(self) -> UnixTime:
        """For ends: the later of the two."""
        return max(self.now, self.view.time)

    @property
    def stated(self) -> ViewOfChain:
        """The view as a statement names it."""
        return ViewOfChain(number=self.view.number, hash=self.view.hash, time=self.view.time)

    def require_fresh(self, max_view_age: int) -> None:
        """
        Refuse a view or a clock on which no grant and no model may be judged (I4, I7).

        Raises `ViewTooOld` for a final block older than `max_view_age`, and for a wall
        clock more than five seconds behind the newest block.
        """
        behind = self.view.head_time - self.now
        if behind > CLOCK_TOLERANCE_SECONDS:
            raise ViewTooOld(
                f"a clock at most {CLOCK_TOLERANCE_SECONDS} s behind the newest block",
                f"{behind} s",
                retry_after=30,
            )
        age = self.now - self.view.time
        if age > max_view_age:
            raise ViewTooOld(
                f"a final block at most {max_view_age} s old", f"{age} s", retry_after=5
            )


def moment_of(session: Session, now: UnixTime) -> Moment:
    """The newest final view known, beside the clock. Its age is the caller's to judge."""
    return Moment(final_view(session), now)


def require_appointment(
    session: Session, signed: SignedAppointment, moment: Moment, consortium: typed.Domain
) -> None:
    """
    Check that an appointment holds at this moment.

    Raises `SignatureError` for a malformed signature, `Withdrawn` where it held once (its
    signer ended, its member left, it was withdrawn) and `CredentialRefused` outside its dates.
    """
    appointment = signed.appointment
    standing = standing_of(
        session,
        appointment.digest(consortium),
        officer_of(signed, consortium),
        Member(appointment.member),
        at=moment.view.time,
    )
    try:
        check_appointment(appointment, standing, beginning=moment.beginning, end=moment.end)
    except AppointmentError as error:
        stands = standing.signer_member == appointment.member and standing.member_active
        if stands and not standing.withdrawn_at:
            raise CredentialRefused("an appointment that holds today", str(error)) from error
        raise Withdrawn("an appointment that still holds", str(error)) from error
