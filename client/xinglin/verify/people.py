"""Steps 7 and 8: who may speak, and when."""

from dataclasses import dataclass

from xinglin import storage, typed
from xinglin.appointment import (
    AUTHOR_ROLES,
    CARE_ROLES,
    Appointment,
    Role,
    SignedAppointment,
    Standing,
    check_appointment,
    officer_of,
)
from xinglin.bundle import BundledAppointment
from xinglin.errors import AppointmentError, EvidenceError
from xinglin.names import Address, Member, UnixTime
from xinglin.statement import Correction, Enrolment, History, Predicate, Succession
from xinglin.verify.chain import ProvenChain

GRACE = 90 * 86_400
"""Seconds for which a removed member may still anchor what it logged (I9)."""

DESK_ROLES: frozenset[Role] = frozenset({"desk", "system"})
"""Roles that may enrol a subject and write on the history of one."""

SYSTEM_ROLES: frozenset[Role] = frozenset({"system"})
"""The node's own account, which attests what the node did."""


@dataclass(frozen=True, slots=True)
class Times:
    """When a statement was made, as far as it says so, and when that was anchored."""

    claimed_at: UnixTime
    anchored_at: UnixTime

    def late_by(self, most: int) -> int:
        """Seconds over `most` from the claim to the anchor."""
        return max(0, self.anchored_at - self.claimed_at - most)


def check_times(times: Times) -> None:
    """A claim lies before its anchor. Raises `EvidenceError`."""
    if times.claimed_at > times.anchored_at:
        raise EvidenceError(
            f"claimed for {times.claimed_at}, after its anchor at {times.anchored_at}"
        )


def check_member(member: Member, anchored_at: UnixTime, chain: ProvenChain) -> None:
    """
    The member might anchor at that time: active or suspended, or removed for less than 90
    days (I9). Raises `EvidenceError`.
    """
    status, since = chain.status_at(member, anchored_at)
    if status in (storage.ACTIVE, storage.SUSPENDED):
        return
    if status == storage.REMOVED and anchored_at < since + GRACE:
        return
    raise EvidenceError(f"member {member} might not anchor at {anchored_at}")


def roles_that_may_sign(predicate: Predicate) -> frozenset[Role]:
    """Which roles may attest a statement of this type."""
    if isinstance(predicate, Enrolment | History):
        return DESK_ROLES
    if predicate.TYPE in ("record", "derivation", "inference"):
        return AUTHOR_ROLES
    if isinstance(predicate, Correction):
        return CARE_ROLES
    if predicate.TYPE == "confirmation":
        return frozenset({"reviewer"})
    if isinstance(predicate, Succession):
        return SYSTEM_ROLES
    return SYSTEM_ROLES


def check_signer(
    signer: Address,
    member: Member,
    predicate: Predicate,
    appointments: tuple[BundledAppointment, ...],
    times: Times,
    chain: ProvenChain,
    consortium: typed.Domain,
) -> Appointment:
    """
    The signer was appointed by `member`, in a role that may attest this, at that time.

    Raises `AppointmentError` or `EvidenceError`.
    """
    appointment = find_appointment(signer, member, appointments)
    check_appointed(appointment, times.claimed_at, chain, consortium)
    role = appointment.appointment.role
    allowed = roles_that_may_sign(predicate)
    if role not in allowed:
        raise AppointmentError(
            f"expected a {predicate.TYPE} statement by one of {', '.join(sorted(allowed))}, "
            f"got one by {role}"
        )
    return appointment.appointment


def find_appointment(
    account: Address, member: Member, appointments: tuple[BundledAppointment, ...]
) -> BundledAppointment:
    """The bundled appointment of `account` by `member`. Raises `AppointmentError`."""
    for bundled in appointments:
        appointment = bundled.appointment
        if appointment.account == account and appointment.member == member:
            return bundled
    raise AppointmentError(f"expected an appointment of the signer by member {member}, got none")


def check_appointed(
    bundled: BundledAppointment, at: UnixTime, chain: ProvenChain, consortium: typed.Domain
) -> None:
    """
    An appointment held at `at`: its officer had APPOINT, its member was active, it was not
    withdrawn. Raises `AppointmentError`.
    """
    appointment = bundled.appointment
    signed = SignedAppointment(appointment=appointment, signature=bundled.signature)
    officer = chain.account(officer_of(signed, consortium))
    member = Member(appointment.member)
    status, _ = chain.status_at(member, at)
    standing = Standing(
        signer_member=officer.member if officer.may(storage.APPOINT, at) else None,
        member_active=status == storage.ACTIVE,
        withdrawn_at=chain.withdrawn_at(member, appointment.digest(consortium)),
    )
    check_appointment(appointment, standing, beginning=at, end=at)
    if bundled.person is not None and bundled.person.digest() != appointment.person_digest:
        raise AppointmentError("the person named is not the one appointed")


def ended_by(
    bundled: BundledAppointment, at: UnixTime, chain: ProvenChain, consortium: typed.Domain
) -> bool:
    """Whether an appointment no longer held at `at`."""
    try:
        check_appointed(bundled, at, chain, consortium)
    except AppointmentError:
        return True
    return False
