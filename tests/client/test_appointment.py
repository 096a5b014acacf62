"""Appointments: who speaks for a member, and until when."""

import pytest

from xinglin import typed
from xinglin.appointment import (
    Appointment,
    Person,
    Standing,
    appoint,
    check_appointment,
    officer_of,
)
from xinglin.errors import AppointmentError
from xinglin.keys import Account
from xinglin.names import Address, Member, UnixTime

OFFICER = Account.from_key(b"\x07" * 32)
PHYSICIAN = Account.from_key(b"\x08" * 32)
DOMAIN = typed.Domain(31337, Address(OFFICER.address))
START, DAY = 1_790_000_000, 86_400
PERSON = Person(name="林若水", licence="110320000012345", salt=b"\x04" * 32)


def an_appointment(**changes: object) -> Appointment:
    fields: dict[str, object] = {
        "id": b"\x01" * 32,
        "member": 2,
        "account": PHYSICIAN.address,
        "key_digest": b"\x02" * 32,
        "role": "physician",
        "person_digest": PERSON.digest(),
        "not_before": START,
        "not_after": START + 30 * DAY,
    }
    return Appointment(**(fields | changes))  # type: ignore[arg-type]


def standing(signer: int | None = 2, *, active: bool = True, withdrawn_at: int = 0) -> Standing:
    return Standing(Member(signer) if signer is not None else None, active, UnixTime(withdrawn_at))


def check(facts: Standing, at: int = START + DAY) -> None:
    check_appointment(an_appointment(), facts, beginning=UnixTime(at), end=UnixTime(at))


class TestCheckAppointment:
    def test_it_holds_between_its_dates(self) -> None:
        assert check(standing()) is None
        assert check(standing(), START) is None

    @pytest.mark.parametrize(
        ("facts", "at", "reason"),
        [
            (standing(1), START + DAY, "member 2"),
            (standing(None), START + DAY, "APPOINT"),
            (standing(active=False), START + DAY, "not active"),
            (standing(withdrawn_at=START + DAY), START + DAY, "withdrawn"),
            (standing(), START - 1, "begins"),
            (standing(), START + 30 * DAY, "ended"),
        ],
    )
    def test_it_does_not_otherwise(self, facts: Standing, at: int, reason: str) -> None:
        with pytest.raises(AppointmentError, match=reason):
            check(facts, at)

    def test_a_later_withdrawal_leaves_the_past_standing(self) -> None:
        # Present state proves the past: what was signed before stays signed.
        assert check(standing(withdrawn_at=START + 2 * DAY), START + DAY) is None

    @pytest.mark.parametrize("days", [0, -1, 367])
    def test_it_lasts_a_year_at_most(self, days: int) -> None:
        with pytest.raises(AppointmentError, match="366 days"):
            appoint(an_appointment(not_after=START + days * DAY), OFFICER, DOMAIN)


class TestSigning:
    def test_the_officer_is_recovered(self) -> None:
        assert officer_of(appoint(an_appointment(), OFFICER, DOMAIN), DOMAIN) == OFFICER.address

    def test_another_role_under_the_signature_is_another_officer(self) -> None:
        signed = appoint(an_appointment(), OFFICER, DOMAIN)
        altered = signed.model_copy(update={"appointment": an_appointment(role="system")})
        assert officer_of(altered, DOMAIN) != OFFICER.address


class TestPerson:
    def test_the_digest_does_not_give_the_name_away(self) -> None:
        # I1: a name can be guessed; with a salt the guess cannot be checked.
        other = PERSON.model_copy(update={"salt": b"\x05" * 32})
        assert PERSON.digest() != other.digest()
