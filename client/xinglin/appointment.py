"""
An appointment: by it a member vouches for a person.

It travels with the person's requests and is checked at every one of them, so that no node
keeps a list of another institution's staff. The chain knows only its withdrawal.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from xinglin import canonical, typed
from xinglin.document import AddressText, Bytes32, Document, MemberNumber, Salt32, Signature65, Time
from xinglin.errors import AppointmentError
from xinglin.hashes import salted
from xinglin.keys import Account
from xinglin.names import Address, Member, Salt, Signature, UnixTime

PERSON_LABEL = b"xinglin/person/v1"

MAX_DAYS = 366
"""Longest appointment, so that leaving staff lose it without anyone acting."""

_DAY = 86_400

Role = Literal[
    "physician", "nurse", "pharmacist", "desk", "reviewer", "researcher", "auditor", "system"
]
"""What a person does for the member."""

CARE_ROLES: frozenset[Role] = frozenset({"physician", "nurse", "pharmacist"})
"""Roles that may open their own institution's records to treat (ground `care`)."""

AUTHOR_ROLES: frozenset[Role] = frozenset({"physician", "nurse", "pharmacist", "system"})
"""Roles that may attest records and inferences."""


class Person(Document):
    """Who an appointment is of; shown to those entitled, never on chain."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    licence: Annotated[str, Field(max_length=200)]
    salt: Salt32

    def digest(self) -> bytes:
        """Salted digest of name and licence, 32 bytes (FORMATS: person digest)."""
        return salted(
            PERSON_LABEL,
            Salt(self.salt),
            canonical.encode({"licence": self.licence, "name": self.name}),
        )


class Appointment(Document):
    """This account acts for this member in this role, between these times."""

    id: Bytes32
    member: MemberNumber
    account: AddressText
    key_digest: Bytes32
    role: Role
    person_digest: Bytes32
    not_before: Time
    not_after: Time

    def message(self) -> dict[str, object]:
        """The typed data's message."""
        return {
            "id": self.id,
            "member": self.member,
            "account": self.account,
            "keyDigest": self.key_digest,
            "role": self.role,
            "personDigest": self.person_digest,
            "notBefore": self.not_before,
            "notAfter": self.not_after,
        }

    def digest(self, domain: typed.Domain) -> bytes:
        """EIP-712 digest: what a withdrawal on chain names."""
        return typed.digest(domain, "Appointment", self.message())


class SignedAppointment(Document):
    """An appointment as it travels: signed by an APPOINT account of its member."""

    appointment: Appointment
    signature: Signature65


@dataclass(frozen=True, slots=True)
class Standing:
    """What the chain says, at one time, of an appointment and of those behind it."""

    signer_member: Member | None
    """Member whose account signed, if it had the power APPOINT at that time."""

    member_active: bool
    """Whether the appointing member was active."""

    withdrawn_at: UnixTime
    """When the appointment was withdrawn; 0 if never."""


def appoint(appointment: Appointment, officer: Account, domain: typed.Domain) -> SignedAppointment:
    """Sign an appointment as an officer of the member. Raises `AppointmentError`."""
    _check_dates(appointment)
    signature = typed.sign(domain, "Appointment", appointment.message(), officer)
    return SignedAppointment(appointment=appointment, signature=signature)


def officer_of(signed: SignedAppointment, domain: typed.Domain) -> Address:
    """Recover who signed the appointment. Raises `SignatureError`."""
    return typed.recover(
        domain, "Appointment", signed.appointment.message(), Signature(signed.signature)
    )


def check_appointment(
    appointment: Appointment, standing: Standing, *, beginning: UnixTime, end: UnixTime
) -> None:
    """
    Check that an appointment holds. Raises `AppointmentError`.

    `beginning` and `end` are the times to hold its dates against: equal for a past event,
    the earlier and the later of wall clock and final block for the present.
    """
    _check_dates(appointment)
    if standing.signer_member != appointment.member:
        raise AppointmentError(
            f"expected the signature of an APPOINT account of member {appointment.member}, "
            f"got one of member {standing.signer_member}"
        )
    if not standing.member_active:
        raise AppointmentError(f"member {appointment.member} is not active")
    if standing.withdrawn_at and standing.withdrawn_at <= end:
        raise AppointmentError(f"the appointment was withdrawn at {standing.withdrawn_at}")
    if beginning < appointment.not_before:
        raise AppointmentError(f"the appointment begins at {appointment.not_before}")
    if end >= appointment.not_after:
        raise AppointmentError(f"the appointment ended at {appointment.not_after}")


def _check_dates(appointment: Appointment) -> None:
    length = appointment.not_after - appointment.not_before
    if not 0 < length <= MAX_DAYS * _DAY:
        raise AppointmentError(
            f"expected an appointment of at most {MAX_DAYS} days, got {length // _DAY}"
        )
