"""
Who a caller is, as types that an endpoint can ask for.

    @router.get("/{record}")
    def show(record: RecordId, reader: ListReader, house: House) -> ...:

An endpoint that is reached at all is reached by somebody of that type: no body of one
asks again. The node keeps no list of persons, so every request is checked anew at the
newest final view: the credential, and what it says of its holder (docs/spec/sessions.md).
"""

from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.orm import Session

from xinglin.appointment import AUTHOR_ROLES, CARE_ROLES, Role, SignedAppointment
from xinglin.names import Address, Member, SubjectId
from xinglin_node.access.enrolments import Enrolled, enrolments_of
from xinglin_node.access.facts import Moment, moment_of, require_appointment
from xinglin_node.house import House, NodeHouse
from xinglin_node.problems import CredentialRefused, NotAppointed
from xinglin_node.sessions.credential import Credentials, Holder


@dataclass(frozen=True, slots=True)
class Appointed:
    """A person who speaks for an active member."""

    account: Address
    signed: SignedAppointment

    @property
    def member(self) -> Member:
        """The member that vouches for the person."""
        return Member(self.signed.appointment.member)

    @property
    def role(self) -> Role:
        """What the person does for that member."""
        return self.signed.appointment.role


@dataclass(frozen=True, slots=True)
class DataSubject:
    """The subject of a file, or a proxy who acts for them."""

    account: Address
    subject: SubjectId
    enrolment: Enrolled
    """The one in force."""


Person: TypeAlias = Appointed | DataSubject
"""Anybody who signed in."""

_bearer = HTTPBearer(auto_error=False, description="The credential of `POST /v1/session`.")


def credentials_of(house: NodeHouse) -> Credentials:
    """What makes and checks this node's credentials."""
    return Credentials.derive(
        house.keys.session,
        issuer=str(house.settings.public_url).rstrip("/"),
        lifetime_seconds=house.settings.session_seconds,
    )


def person_of(session: Session, house: NodeHouse, holder: Holder, moment: Moment) -> Person:
    """
    Return who `holder` is at this moment.

    Raises `CredentialRefused`, `Withdrawn`, or `SignatureError` for one who is nobody
    here any more.
    """
    if holder.appointment is not None:
        if holder.appointment.appointment.account != holder.account:
            raise CredentialRefused("an appointment of the account that signs", "of another")
        require_appointment(session, holder.appointment, moment, house.domain)
        return Appointed(holder.account, holder.appointment)
    if holder.subject is None:
        raise CredentialRefused("an appointment or a file", "neither")
    enrolled = enrolments_of(session, holder.subject)
    if not enrolled or holder.account not in enrolled[-1].accounts_at(moment.end):
        raise CredentialRefused("an account of the enrolment in force", "another")
    return DataSubject(holder.account, holder.subject, enrolled[-1])


def signed_in(
    house: House,
    shown: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> Person:
    """Who shows this credential, checked anew. Raises `CredentialRefused`, `Withdrawn`."""
    if shown is None:
        raise CredentialRefused("a credential: Authorization: Bearer", "none")
    now = house.now()
    holder = credentials_of(house).read(shown.credentials, now)
    with house.database.reading() as session:
        return person_of(session, house, holder, moment_of(session, now))


SignedIn = Annotated[Person, Depends(signed_in)]
"""Anybody appointed by an active member, a data subject, or a proxy."""


def _appointed(person: SignedIn) -> Appointed:
    if not isinstance(person, Appointed):
        raise NotAppointed("an appointed person", "a data subject")
    return person


def _own_staff(person: SignedIn, house: House) -> Appointed:
    if not isinstance(person, Appointed) or person.member != house.member:
        raise NotAppointed("a person appointed by this custodian", "another")
    return person


_OwnStaff = Annotated[Appointed, Depends(_own_staff)]


def _desk(person: _OwnStaff) -> Appointed:
    if person.role != "desk":
        raise NotAppointed("the role desk", person.role)
    return person


def _author(person: _OwnStaff) -> Appointed:
    if person.role not in AUTHOR_ROLES:
        raise NotAppointed("the role physician, nurse, pharmacist or system", person.role)
    return person


def _data_subject(person: SignedIn) -> DataSubject:
    if not isinstance(person, DataSubject):
        raise NotAppointed("a data subject or a proxy", "an appointed person")
    return person


def _list_reader(person: SignedIn, house: House) -> Person:
    if not isinstance(person, Appointed):
        return person
    staff = _own_staff(person, house)
    if staff.role not in CARE_ROLES:
        raise NotAppointed("the role physician, nurse or pharmacist", staff.role)
    return staff


Desk = Annotated[Appointed, Depends(_desk)]
"""This custodian's desk: registers and enrols, and hands over records witnessed on paper."""

Author = Annotated[Appointed, Depends(_author)]
"""This custodian's care staff or systems: attest records and inferences."""

SubjectCaller = Annotated[DataSubject, Depends(_data_subject)]
"""The subject of a file, or a proxy: sees that file and nothing else."""

ListReader = Annotated[Person, Depends(_list_reader)]
"""Care staff of this custodian, or a data subject."""
