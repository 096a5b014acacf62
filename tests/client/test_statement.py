"""Statements, attestations, entries and disclosures."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin import canonical, statement, typed
from xinglin.errors import CommitmentError, InvalidEncoding, SignatureError, UsageError
from xinglin.hashes import Digest
from xinglin.keys import Account
from xinglin.names import Address, Commitment, EntryTag, Member, RecordId, UnixTime
from xinglin.statement import Disclosure, Entry, Statement

AUTHOR = Account.from_key(b"\x01" * 32)
DOMAIN = typed.Domain(31337, Address(AUTHOR.address))


def a_statement(category: str = "outpatient-note") -> Statement:
    return statement.record_statement(
        record=RecordId(uuid.UUID("7b0a5bb6-2c55-4c6b-9e4c-2f4f2f5b8f11")),
        version=1,
        custodian=Member(1),
        blob=Digest.of(b"blob"),
        size=4,
        claimed_at=UnixTime(1_790_000_000),
        category=category,
        media_type="text/plain",
        enrolment=Digest.of(b"enrolment"),
    )


class TestStatement:
    def test_it_survives_its_own_encoding(self) -> None:
        assert Statement.decode(a_statement().encode()) == a_statement()

    def test_a_statement_about_nothing_cannot_be_made(self) -> None:
        with pytest.raises(UsageError):
            Statement((), a_statement().predicate)

    def test_a_correction_is_about_what_it_corrects_and_holds_no_words(self) -> None:
        old, new = Digest.of(b"old"), Digest.of(b"new")
        made = statement.correction_statement(
            of=old, by=new, reason=bytes(32), claimed_at=UnixTime(7)
        )
        assert made.subject == (statement.Subject(name="manifest", digest=old),)
        assert made.predicate.to_json() == {
            "of": old.in_toto,
            "by": new.in_toto,
            "reason": "0x" + "00" * 32,
            "claimedAt": 7,
        }
        with pytest.raises(UsageError):
            statement.correction_statement(of=old, by=old, reason=bytes(32), claimed_at=UnixTime(7))

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('"version":1', '"version":0'),
            ('"version":1', '"version":1,"weight":2'),
            ('"custodian":1,', ""),
            ("urn:xinglin:statement:record:1", "urn:xinglin:statement:record:2"),
            ("urn:xinglin:statement:record:1", "urn:xinglin:statement:nothing:1"),
            ("in-toto.io/Statement/v1", "in-toto.io/Statement/v2"),
            ("7b0a5bb6", "7B0A5BB6"),
            ('"subject":[{', '"subject":[],"x":[{'),
        ],
    )
    def test_an_unknown_or_missing_member_is_refused(self, old: str, new: str) -> None:
        text = a_statement().encode().decode()
        assert old in text
        with pytest.raises(InvalidEncoding):
            Statement.decode(text.replace(old, new, 1).encode())

    def test_a_refusal_does_not_repeat_what_stood_there(self) -> None:
        # I1: a category typed by mistake may hold a name.
        text = a_statement().encode().decode().replace('"outpatient-note"', '["张建国"]')
        with pytest.raises(InvalidEncoding) as refused:
            Statement.decode(text.encode())
        assert "张建国" not in str(refused.value)


class TestAttestation:
    def test_the_signer_is_checked(self) -> None:
        attested = statement.attest(a_statement(), AUTHOR, DOMAIN)
        assert statement.verify_attestation(attested, DOMAIN) == a_statement()
        another = attested.model_copy(update={"signer": Account.from_key(b"\x02" * 32).address})
        with pytest.raises(SignatureError):
            statement.verify_attestation(another, DOMAIN)

    def test_a_signature_serves_one_deployment_only(self) -> None:
        # A statement attested on a test network must not pass in production.
        attested = statement.attest(a_statement(), AUTHOR, DOMAIN)
        for other in (
            typed.Domain(1, DOMAIN.verifying_contract),
            typed.Domain(31337, Account.from_key(b"\x03" * 32).address),
        ):
            with pytest.raises(SignatureError):
                statement.verify_attestation(attested, other)

    def test_another_statement_under_the_signature_is_refused(self) -> None:
        attested = statement.attest(a_statement(), AUTHOR, DOMAIN)
        swapped = attested.model_copy(update={"statement": a_statement("x").encode().decode()})
        with pytest.raises(SignatureError):
            statement.verify_attestation(swapped, DOMAIN)


class TestEntry:
    @given(st.binary(min_size=64, max_size=64))
    def test_both_laws_of_its_encoding(self, data: bytes) -> None:
        assert Entry.decode(data).encode() == data

    @pytest.mark.parametrize("size", [0, 63, 65, 128])
    def test_another_length_is_refused(self, size: int) -> None:
        with pytest.raises(InvalidEncoding):
            Entry.decode(bytes(size))

    def test_halves_of_other_lengths_cannot_make_one(self) -> None:
        with pytest.raises(InvalidEncoding):
            Entry(EntryTag(bytes(31)), Commitment(bytes(33)))


class TestCommitment:
    def test_a_disclosure_opens_its_own_commitment_and_no_other(self) -> None:
        salt = statement.new_salt()
        attested = statement.attest(a_statement(), AUTHOR, DOMAIN)
        commitment = statement.commit(attested.encode(), salt)
        statement.open_commitment(commitment, Disclosure(attestation=attested, salt=salt))
        swapped = statement.attest(a_statement("x"), AUTHOR, DOMAIN)
        for other in (
            Disclosure(attestation=swapped, salt=salt),
            Disclosure(attestation=attested, salt=statement.new_salt()),
        ):
            with pytest.raises(CommitmentError):
                statement.open_commitment(commitment, other)

    def test_the_reason_and_counter_stay_outside(self) -> None:
        # A free text must be able to go without breaking the tree.
        salt = statement.new_salt()
        attested = statement.attest(a_statement(), AUTHOR, DOMAIN)
        commitment = statement.commit(attested.encode(), salt)
        reason = statement.Reason(text="复诊", salt=statement.new_salt())
        told = Disclosure(attestation=attested, salt=salt, n=3, reason=reason)
        assert statement.open_commitment(commitment, told) == attested
        assert Disclosure.decode(told.encode()) == told

    def test_equal_attestations_have_unequal_commitments(self) -> None:
        # I1: without a salt, whoever guesses a statement could check the guess.
        attested = statement.attest(a_statement(), AUTHOR, DOMAIN).encode()
        one, two = statement.new_salt(), statement.new_salt()
        assert statement.commit(attested, one) != statement.commit(attested, two)

    def test_a_salt_of_another_size_is_wrong_usage(self) -> None:
        with pytest.raises(UsageError):
            statement.commit(b"x", b"short")  # type: ignore[arg-type]


class TestEveryPredicate:
    def test_each_type_is_known_by_its_name(self) -> None:
        assert set(statement.PREDICATES) == {
            "record",
            "derivation",
            "correction",
            "inference",
            "access",
            "refusal",
            "emergency",
            "confirmation",
            "grant",
            "enrolment",
            "erasure",
            "history",
            "succession",
            "custody",
        }

    def test_each_has_a_time_or_a_view(self) -> None:
        for predicate in statement.PREDICATES.values():
            fields = set(predicate.model_fields)
            assert ("view" in fields) != ("claimed_at" in fields), predicate.TYPE

    def test_members_are_written_in_camel_case(self) -> None:
        written = canonical.decode_object(a_statement().encode())
        predicate = written["predicate"]
        assert isinstance(predicate, dict)
        assert {"claimedAt", "mediaType"} <= set(predicate)
