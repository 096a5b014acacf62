"""
Who is in the story: institutions with their accounts, staff with appointments, patients.

Every key is made afresh and kept in memory; only the nodes' own keys are in files.
"""

import secrets
import time
from dataclasses import dataclass, field

from xinglin import typed
from xinglin._chain.consortium import Applicant, NewAccount
from xinglin._chain.words import Power
from xinglin._http import NodeClient, SignIn
from xinglin.access import Asker
from xinglin.appointment import Appointment, Person, Role, SignedAppointment, appoint
from xinglin.canonical import JsonValue
from xinglin.keys import Account, HpkeIdentity, PersonKeys, new_phrase
from xinglin.names import Address, HistoryKey, Member, SubjectId

_DAY = 86_400

UNKNOWN = Member(0)
"""Number of an institution that does not belong yet."""

APPOINTMENT_DAYS = 180
"""Half a year: within the 366 days that an appointment may last."""


@dataclass
class Institution:
    """A member: its officers' accounts, and what its node published of itself."""

    name: str
    member: Member = UNKNOWN
    govern: Account = field(default_factory=Account.generate)
    appoint: Account = field(default_factory=Account.generate)
    identity: HpkeIdentity = field(default_factory=HpkeIdentity.generate)

    def applicant(self) -> Applicant:
        """The institution as it founds or joins the network; it runs no node."""
        return Applicant(
            self.name,
            "",
            bytes(32),
            None,
            self.identity.recipient.public_key,
            (
                NewAccount(self.govern.address, Power.GOVERN),
                NewAccount(self.appoint.address, Power.APPOINT),
            ),
        )

    def staff(self, name: str, role: Role, domain: typed.Domain) -> "Staff":
        """Appoint a person."""
        made = Staff(name, role, self.member)
        made.signed = self.appointment_of(made, domain)
        return made

    def appointment_of(self, staff: "Staff", domain: typed.Domain) -> SignedAppointment:
        """Sign the appointment of a person or of a node's system account."""
        return self.vouch(
            Address(staff.account.address),
            staff.identity.key_digest,
            staff.role,
            staff.person.digest(),
            domain,
        )

    def vouch(
        self, account: Address, key_digest: bytes, role: Role, person: bytes, domain: typed.Domain
    ) -> SignedAppointment:
        """Sign an appointment from yesterday on."""
        start = int(time.time()) - _DAY
        return appoint(
            Appointment(
                id=secrets.token_bytes(32),
                member=self.member,
                account=account,
                key_digest=key_digest,
                role=role,
                person_digest=person,
                not_before=start,
                not_after=start + APPOINTMENT_DAYS * _DAY,
            ),
            self.appoint,
            domain,
        )


@dataclass
class Staff:
    """A person who acts for a member."""

    name: str
    role: Role
    member: Member
    account: Account = field(default_factory=Account.generate)
    identity: HpkeIdentity = field(default_factory=HpkeIdentity.generate)
    person: Person = field(init=False)
    signed: SignedAppointment | None = None

    def __post_init__(self) -> None:
        self.person = Person(name=self.name, licence="", salt=secrets.token_bytes(32))

    def shown(self) -> dict[str, JsonValue]:
        """The appointment as it is shown to a node; care staff show their name with it."""
        if self.signed is None:
            return {}
        told = self.person.to_json() if self.role in ("physician", "nurse") else None
        return {**self.signed.to_json(), "person": told}

    def asker(self, domain: typed.Domain) -> Asker:
        """As the verb `access` takes it."""
        return Asker(self.account, self.identity, domain, self.shown())

    def sign_in(self, node: NodeClient, chain_id: int) -> None:
        """Sign in to a node."""
        node.sign_in(SignIn(self.account, chain_id, appointment=self.shown()))


@dataclass
class Patient:
    """A data subject with a phrase, or one without a device."""

    word: str
    """As the records name the subject."""
    keys: PersonKeys | None
    subject: SubjectId | None = None
    history_key: HistoryKey | None = None
    enrolment: str = ""
    """Commitment of the enrolment in force, as text."""


def with_phrase(word: str) -> Patient:
    """A patient whose wallet has just made its phrase."""
    return Patient(word, PersonKeys.from_phrase(new_phrase()))
