"""Grants: one test for each term that can refuse (I4, I5, I10)."""

import uuid
from dataclasses import dataclass, field, replace

import pytest

from xinglin import grant, typed
from xinglin.appointment import Appointment
from xinglin.canonical import JsonValue
from xinglin.errors import ConsentError, GrantError, SignatureError
from xinglin.grant import (
    DAY,
    EnrolmentFacts,
    Frequency,
    Grant,
    Grantee,
    GrantState,
    ItemFacts,
    ResearchTerms,
    Scope,
    Terms,
    TermsSubject,
    check_grant,
    check_item,
)
from xinglin.hashes import Digest
from xinglin.keys import Account
from xinglin.names import Address, Member, RecordId, Signature, UnixTime
from xinglin.request import AccessRequest, Item

ENROLLED = Account.from_key(b"\x11" * 32)
FRESH = Account.from_key(b"\x12" * 32)
PHYSICIAN = Account.from_key(b"\x13" * 32)
CONSORTIUM = typed.Domain(31337, Address(Account.from_key(b"\x14" * 32).address))
CONSENTS = typed.Domain(31337, Address(Account.from_key(b"\x15" * 32).address))
GIVEN = 20_700 * DAY + 3_000
ENROLMENT = Digest.of(b"enrolment")
RECORD = RecordId(uuid.UUID("7b0a5bb6-2c55-4c6b-9e4c-2f4f2f5b8f11"))


def terms(**changes: object) -> Terms:
    fields: dict[str, object] = {
        "type": "urn:xinglin:terms:1",
        "sentence": "我同意乙医院的医师为治疗查阅我的病历。",
        "salt": b"\x01" * 32,
        "subject": TermsSubject(
            enrolment=ENROLMENT,
            account=ENROLLED.address,
            signature=grant.sign_grant_account(
                Member(1), Address(FRESH.address), ENROLLED, CONSORTIUM
            ),
        ),
        "grantee": Grantee(member=2, role="physician", account=PHYSICIAN.address, project=None),
        "scope": Scope(records=(RECORD,), categories=None, from_=None, to=None, versions="all"),
        "purposes": ("TREAT",),
        "research": None,
        "view": "whole",
        "frequency": None,
        "onward": False,
        "evidence": None,
    }
    return Terms(**(fields | changes))  # type: ignore[arg-type]


@dataclass
class Case:
    """A release that is allowed, until a test changes one thing."""

    terms: Terms = field(default_factory=terms)
    state: dict[str, object] = field(default_factory=dict)
    request: dict[str, object] = field(default_factory=dict)
    appointment: dict[str, object] = field(default_factory=dict)
    enrolment: EnrolmentFacts = field(
        default_factory=lambda: EnrolmentFacts(
            ENROLMENT, {Address(ENROLLED.address)}, UnixTime(GIVEN - 1)
        )
    )
    swapped_terms: bytes | None = None
    stopped: bool = False
    at: int = GIVEN + 100

    def check(self) -> Terms:
        written = self.terms.encode()
        state: dict[str, object] = {
            "custodian": 1,
            "grantor": FRESH.address,
            "terms_digest": grant.terms_digest(written),
            "given_at": GIVEN,
            "not_before": 0,
            "expires_at": 20_800 * DAY,
            "revoked_at": 0,
            "how": "signed",
            "revoked_by": "nobody",
        }
        request: dict[str, object] = {
            "id": b"\x01" * 32,
            "custodian": 1,
            "ground": "grant",
            "grant_id": b"\x02" * 32,
            "purpose": "TREAT",
            "research": "",
            "reason_digest": bytes(32),
            "items": (Item(record=RECORD, version=0),),
            "key_digest": b"\x03" * 32,
            "issued_at": GIVEN + 90,
            "deadline": GIVEN + 300,
        }
        appointment: dict[str, object] = {
            "id": b"\x05" * 32,
            "member": 2,
            "account": PHYSICIAN.address,
            "key_digest": b"\x03" * 32,
            "role": "physician",
            "person_digest": bytes(32),
            "not_before": GIVEN - DAY,
            "not_after": GIVEN + DAY,
        }
        return check_grant(
            self.swapped_terms or written,
            GrantState(**(state | self.state)),  # type: ignore[arg-type]
            request=AccessRequest(**(request | self.request)),  # type: ignore[arg-type]
            appointment=Appointment(**(appointment | self.appointment)),  # type: ignore[arg-type]
            enrolment=self.enrolment,
            consortium=CONSORTIUM,
            stopped=self.stopped,
            beginning=UnixTime(self.at),
            end=UnixTime(self.at),
        )


def refused(case: Case) -> str:
    with pytest.raises(ConsentError) as error:
        case.check()
    return error.value.term


def research(**changes: object) -> Terms:
    permitted = ResearchTerms(permission="DUO:0000006", modifiers=("DUO:0000046",))
    return terms(purposes=("HRESCH",), research=permitted, **changes)


class TestCheckGrant:
    def test_what_was_granted_is_released(self) -> None:
        assert Case().check() == terms()

    def test_another_custodian_is_refused(self) -> None:
        assert refused(Case(state={"custodian": 3})) == "custodian"

    def test_terms_swapped_behind_the_digest_are_refused(self) -> None:
        wider = terms(purposes=("HOPERAT", "TREAT")).encode()
        assert refused(Case(swapped_terms=wider)) == "terms"

    def test_an_enrolment_anchored_after_the_grant_is_refused(self) -> None:
        late = EnrolmentFacts(ENROLMENT, {Address(ENROLLED.address)}, UnixTime(GIVEN + 1))
        assert refused(Case(enrolment=late)) == "enrolment"
        never = EnrolmentFacts(ENROLMENT, {Address(ENROLLED.address)}, None)
        assert refused(Case(enrolment=never)) == "enrolment"

    def test_another_enrolment_is_refused(self) -> None:
        other = EnrolmentFacts(Digest.of(b"other"), {Address(ENROLLED.address)}, UnixTime(1))
        assert refused(Case(enrolment=other)) == "enrolment"

    def test_a_grantor_without_the_enrolled_accounts_signature_is_refused(self) -> None:
        # Anyone can make a fresh account; only the enrolled one can vouch for it.
        stranger = Account.from_key(b"\x16" * 32)
        forged = TermsSubject(
            enrolment=ENROLMENT,
            account=ENROLLED.address,
            signature=grant.sign_grant_account(
                Member(1), Address(FRESH.address), stranger, CONSORTIUM
            ),
        )
        assert refused(Case(terms=terms(subject=forged))) == "account-signature"
        own = TermsSubject(
            enrolment=ENROLMENT,
            account=stranger.address,
            signature=grant.sign_grant_account(
                Member(1), Address(FRESH.address), stranger, CONSORTIUM
            ),
        )
        assert refused(Case(terms=terms(subject=own))) == "account-signature"
        none = TermsSubject(enrolment=ENROLMENT, account=None, signature=None)
        assert refused(Case(terms=terms(subject=none))) == "account-signature"

    def test_a_witnessed_grant_over_an_enrolled_account_is_refused(self) -> None:
        # A patient who has an account signs; the desk must not sign in their place.
        none = TermsSubject(enrolment=ENROLMENT, account=None, signature=None)
        form = terms(subject=none, evidence=Digest.of(b"form"))
        assert refused(Case(terms=form, state={"how": "witnessed"})) == "account-signature"
        nobody = EnrolmentFacts(ENROLMENT, set(), UnixTime(GIVEN - 1))
        assert Case(terms=form, state={"how": "witnessed"}, enrolment=nobody).check() == form
        without = terms(subject=none)
        case = Case(terms=without, state={"how": "witnessed"}, enrolment=nobody)
        assert refused(case) == "terms"

    def test_a_revocation_shown_stops_at_once(self) -> None:
        # I5: before the chain has it.
        assert refused(Case(stopped=True)) == "stopped"

    def test_after_the_block_that_revokes_nothing_is_released(self) -> None:
        ended: dict[str, object] = {"revoked_at": GIVEN + 50, "revoked_by": "grantor"}
        assert refused(Case(state=ended)) == "revoked"
        assert refused(Case(state=ended, at=GIVEN + 50)) == "revoked"
        assert Case(state=ended, at=GIVEN + 49).check() == terms()

    def test_the_expiry_is_exclusive(self) -> None:
        assert refused(Case(at=20_800 * DAY)) == "expired"
        assert Case(at=20_800 * DAY - 1).check() == terms()

    def test_before_its_beginning_nothing_is_released(self) -> None:
        assert refused(Case(at=GIVEN - 1)) == "not-yet"
        assert refused(Case(state={"not_before": 20_701 * DAY})) == "not-yet"

    @pytest.mark.parametrize(
        "other",
        [{"member": 3}, {"role": "nurse"}, {"account": ENROLLED.address}],
    )
    def test_another_person_is_refused(self, other: dict[str, object]) -> None:
        assert refused(Case(appointment=other)) == "grantee"

    def test_another_purpose_is_refused(self) -> None:
        assert refused(Case(request={"purpose": "HOPERAT"})) == "purpose"

    def test_research_is_matched_term_by_term(self) -> None:
        asked: dict[str, object] = {
            "purpose": "HRESCH",
            "research": "DUO:0000007=A07,DUO:0000046",
        }
        assert Case(terms=research(), request=asked).check() == research()
        commercial = asked | {"research": "DUO:0000007=A07"}
        assert refused(Case(terms=research(), request=commercial)) == "research"


class TestCheckItem:
    ITEM = ItemFacts(
        record=RECORD,
        category="outpatient-note",
        claimed_at=UnixTime(GIVEN - 500),
        newest=True,
        enrolments=(ENROLMENT,),
        recent_releases=0,
    )

    def term(self, granted: Terms, **changes: object) -> str:
        with pytest.raises(ConsentError) as error:
            check_item(granted, replace(self.ITEM, **changes))  # type: ignore[arg-type]
        return error.value.term

    def test_an_item_in_scope_is_released(self) -> None:
        assert check_item(terms(), self.ITEM) is None

    def test_a_record_of_another_subject_under_a_valid_grant_is_refused(self) -> None:
        assert self.term(terms(), enrolments=(Digest.of(b"other"),)) == "enrolment"

    def test_a_record_outside_the_scope_is_refused(self) -> None:
        assert self.term(terms(), record=RecordId(uuid.uuid4())) == "scope"
        by_category = Scope(
            records=None,
            categories=("outpatient-note",),
            from_=GIVEN - 1000,
            to=GIVEN,
            versions="newest",
        )
        granted = terms(scope=by_category)
        assert check_item(granted, self.ITEM) is None
        assert self.term(granted, category="laboratory") == "scope"
        assert self.term(granted, claimed_at=UnixTime(GIVEN - 1001)) == "scope"
        assert self.term(granted, claimed_at=UnixTime(GIVEN)) == "scope"
        assert self.term(granted, newest=False) == "scope"

    def test_a_view_that_the_item_is_not_is_refused(self) -> None:
        assert self.term(terms(view="entities")) == "view"
        assert self.term(terms(view="deidentified")) == "view"
        assert check_item(terms(view="entities"), replace(self.ITEM, category="inference")) is None

    def test_more_releases_than_granted_are_refused(self) -> None:
        granted = terms(frequency=Frequency(releases=2, days=30))
        assert check_item(granted, replace(self.ITEM, recent_releases=1)) is None
        assert self.term(granted, recent_releases=2) == "frequency"


class TestReadTerms:
    @pytest.mark.parametrize(
        "change",
        [
            {
                "scope": {
                    "records": None,
                    "categories": None,
                    "from": None,
                    "to": None,
                    "versions": "all",
                }
            },
            {"purposes": ["TREAT", "HOPERAT"]},
            {"purposes": ["TREAT", "TREAT"]},
            {"purposes": ["HRESCH"]},
            {"research": {"permission": "DUO:0000006", "modifiers": []}},
            {"view": "everything"},
            {"extra": 1},
            {"sentence": ""},
        ],
    )
    def test_terms_that_cannot_be_meant_are_refused(self, change: dict[str, JsonValue]) -> None:
        from xinglin import canonical

        with pytest.raises(ConsentError) as error:
            grant.read_terms(canonical.encode(terms().to_json() | change))
        assert error.value.term == "terms"


class TestSigning:
    def a_grant(self, **changes: object) -> Grant:
        made = Grant(
            custodian=Member(1),
            grantor=Address(FRESH.address),
            terms=terms().encode(),
            not_before=UnixTime(0),
            expires_at=UnixTime(20_800 * DAY),
            deadline=UnixTime(20_701 * DAY),
        )
        return replace(made, **changes)  # type: ignore[arg-type]

    def test_the_id_binds_the_whole_grant(self) -> None:
        ids = {
            grant.grant_id(self.a_grant(**change), CONSENTS)
            for change in (
                {},
                {"custodian": Member(2)},
                {"terms": terms(onward=True).encode()},
                {"expires_at": UnixTime(20_801 * DAY)},
                {"deadline": UnixTime(20_701 * DAY + 3_600)},
            )
        }
        assert len(ids) == 5

    @pytest.mark.parametrize(
        "change",
        [
            {"not_before": UnixTime(1)},
            {"expires_at": UnixTime(20_800 * DAY + 60)},
            {"deadline": UnixTime(20_701 * DAY + 60)},
            {"not_before": UnixTime(20_800 * DAY)},
            {"terms": b"{}"},
        ],
    )
    def test_a_form_that_the_chain_refuses_is_not_signed(self, change: dict[str, object]) -> None:
        with pytest.raises(GrantError):
            grant.sign_grant(self.a_grant(**change), FRESH, CONSENTS)

    def test_a_revocation_is_the_grantors(self) -> None:
        made = grant.grant_id(self.a_grant(), CONSENTS)
        signature = grant.sign_revocation(made, FRESH, CONSENTS)
        grant.verify_revocation(made, signature, Address(FRESH.address), CONSENTS)
        for other in (
            grant.sign_revocation(made, ENROLLED, CONSENTS),
            grant.sign_revocation(made, FRESH, CONSORTIUM),
            Signature(signature[:64]),
        ):
            with pytest.raises(SignatureError):
                grant.verify_revocation(made, other, Address(FRESH.address), CONSENTS)
