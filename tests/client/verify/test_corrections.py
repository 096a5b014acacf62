"""I7: what a model said, and what a clinician put in its place, are both provable."""

import time
import uuid
from dataclasses import dataclass

import pytest

from xinglin import statement
from xinglin._chain.consortium import Consortium, model_approval, model_withdrawal
from xinglin._chain.models import Models
from xinglin._chain.sender import Sender
from xinglin._chain.words import Kind
from xinglin.bundle import Bundle, BundledModel, Part
from xinglin.errors import AppointmentError, EvidenceError, SignatureError, VerificationError
from xinglin.hashes import Digest
from xinglin.keys import Account
from xinglin.names import RecordId
from xinglin.verify import AnyStatement, ModelApproved, Verified, verify_bundle

from .conftest import Institution, World

MANIFEST = '{"name":"one word","version":1}'


@dataclass(frozen=True)
class Logged:
    """An entry, and the manifest that it gave where it is a record's."""

    index: int
    manifest: Digest
    predicate: statement.Record


@dataclass
class Hospital:
    """A hospital whose physician and second physician log records and corrections."""

    world: World
    at: Institution
    other: Account

    def record(
        self, *, follows: Logged | None = None, by: Account | None = None, **changes: object
    ) -> Logged:
        """Log an output's record, or the next version of it."""
        made = statement.record_statement(
            record=RecordId(uuid.uuid4() if follows is None else follows.predicate.record),
            version=1 if follows is None else follows.predicate.version + 1,
            custodian=self.at.member,
            blob=Digest.of(uuid.uuid4().bytes),
            size=300,
            claimed_at=self.world.now(),
            category="inference",
            media_type="application/json",
            previous=None if follows is None else follows.manifest,
        ).predicate
        assert isinstance(made, statement.Record)
        made = made.model_copy(update=changes)
        index = self.world.log(self.at, made, made.blob, by or self.at.physician)
        return Logged(index, self.world.manifest(self.at, index), made)

    def correction(
        self,
        of: Digest,
        by: Digest,
        *,
        signer: Account | None = None,
        subject: Digest | None = None,
    ) -> int:
        made = statement.Correction(of=of, by=by, reason=bytes(32), claimed_at=self.world.now())
        return self.world.log(self.at, made, subject or of, signer or self.at.physician)

    def inference(self, output: Logged) -> tuple[int, Logged]:
        """Log that a model read a note and gave this output."""
        note = self.record(category="outpatient-note")
        made = statement.Inference(
            record=note.predicate.record, version=1, manifest=note.manifest,
            model=Digest.of(MANIFEST.encode()), parameters={}, code="test", runtime="python 3",
            output=Digest.of(b"spans"), result=output.manifest, claimed_at=self.world.now(),
        )  # fmt: skip
        return self.world.log(self.at, made, note.manifest, self.at.system), note

    def part(self, index: int, role: str) -> Part:
        return self.world.part(self.at, index, role)

    def bundle(self, index: int, *parts: tuple[int, str], model: bool = False) -> Bundle:
        return self.world.bundle(
            self.at,
            index,
            parts=tuple(self.part(one, role) for one, role in parts),
            model=BundledModel(manifest=MANIFEST, state=None) if model else None,
        )

    def verify(self, bundle: Bundle) -> Verified:
        return verify_bundle(bundle, trust=self.world.trust, policy=AnyStatement())


@pytest.fixture(scope="module")
def hospital(world: World) -> Hospital:
    first, other = world.hospitals[0], Account.generate()
    world.appoint(first, other, "nurse")
    return Hospital(world, first, other)


@pytest.fixture(scope="module")
def story(hospital: Hospital) -> dict[str, object]:
    """An output, corrected twice, by two people."""
    one = hospital.record(by=hospital.at.system)
    inference, note = hospital.inference(one)
    two = hospital.record(follows=one)
    first = hospital.correction(one.manifest, two.manifest)
    three = hospital.record(follows=two, by=hospital.other)
    second = hospital.correction(two.manifest, three.manifest, signer=hospital.other)
    hospital.world.anchor(hospital.at)
    return {
        "inference": inference, "note": note, "first": first, "second": second,
        "one": one, "two": two, "three": three,
    }  # fmt: skip


class TestI7InferenceIsAccountable:
    def test_an_inference_shows_who_corrected_its_output_and_what_stands(
        self, hospital: Hospital, story: dict
    ) -> None:
        read = [(story["note"].index, "record"), (story["one"].index, "record")]
        corrected = [
            (story["first"], "correction"), (story["two"].index, "record"),
            (story["second"], "correction"), (story["three"].index, "record"),
        ]  # fmt: skip

        verified = hospital.verify(
            hospital.bundle(story["inference"], *read, *corrected, model=True)
        )

        assert [(one.version, one.role, one.signer) for one in verified.corrections] == [
            (2, "physician", hospital.at.physician.address),
            (3, "nurse", hospital.other.address),
        ]
        assert verified.corrections[-1].by == story["three"].manifest
        sentence = verified.corrections[0].sentence
        assert sentence.startswith(
            f"corrected by the physician {hospital.at.physician.address} at "
            f"{verified.corrections[0].claimed_at}"
        )
        # Without them the inference stands as well: a bundle may be older than a correction.
        alone = hospital.verify(hospital.bundle(story["inference"], *read, model=True))
        assert alone.corrections == ()

    def test_a_corrected_output_shows_what_it_stands_in_place_of(
        self, hospital: Hospital, story: dict
    ) -> None:
        bundle = hospital.bundle(
            story["two"].index, (story["one"].index, "previous"), (story["first"], "correction"),
            (story["second"], "correction"), (story["three"].index, "record"),
        )  # fmt: skip

        assert [one.version for one in hospital.verify(bundle).corrections] == [2, 3]

    def test_a_corrections_own_bundle_says_the_same(self, hospital: Hospital, story: dict) -> None:
        bundle = hospital.bundle(
            story["first"], (story["one"].index, "previous"), (story["two"].index, "record")
        )

        verified = hospital.verify(bundle)

        assert (verified.type, verified.corrections[0].of) == (
            "correction",
            story["one"].manifest,
        )


class TestForged:
    """Each is a true entry of the log; the error says why it is not believed."""

    def refused(
        self, hospital: Hospital, bundle: tuple, error: type[Exception], match: str
    ) -> None:
        hospital.world.anchor(hospital.at)
        with pytest.raises(error, match=match):
            hospital.bundle(*bundle)

    def test_signed_by_another_than_the_new_versions_author(self, hospital: Hospital) -> None:
        one = hospital.record()
        two = hospital.record(follows=one)
        forged = hospital.correction(one.manifest, two.manifest, signer=hospital.other)
        self.refused(
            hospital, (forged, (one.index, "previous"), (two.index, "record")),
            SignatureError, "signed by",
        )  # fmt: skip

    def test_signed_by_a_machine(self, hospital: Hospital) -> None:
        one = hospital.record()
        two = hospital.record(follows=one, by=hospital.at.system)
        forged = hospital.correction(one.manifest, two.manifest, signer=hospital.at.system)
        self.refused(
            hospital, (forged, (one.index, "previous"), (two.index, "record")),
            AppointmentError, "correction statement by one of",
        )  # fmt: skip

    def test_signed_by_nobody_who_is_appointed(self, hospital: Hospital) -> None:
        one, stranger = hospital.record(), Account.generate()
        two = hospital.record(follows=one, by=stranger)
        forged = hospital.correction(one.manifest, two.manifest, signer=stranger)
        self.refused(
            hospital, (forged, (one.index, "previous"), (two.index, "record")),
            AppointmentError, "none",
        )  # fmt: skip

    def test_of_another_output(self, hospital: Hospital) -> None:
        # True of its own record, and brought beside the inference of another.
        mine, theirs = hospital.record(), hospital.record()
        inference, note = hospital.inference(mine)
        two = hospital.record(follows=theirs)
        correction = hospital.correction(theirs.manifest, two.manifest)
        hospital.world.anchor(hospital.at)
        parts = [
            (note.index, "record"), (mine.index, "record"), (correction, "correction"),
            (theirs.index, "record"), (two.index, "record"),
        ]  # fmt: skip
        with pytest.raises(EvidenceError, match="another output or record"):
            hospital.bundle(inference, *parts, model=True)

    def test_by_another_record(self, hospital: Hospital) -> None:
        one, other = hospital.record(), hospital.record()
        forged = hospital.correction(one.manifest, other.manifest)
        self.refused(
            hospital, (forged, (one.index, "previous"), (other.index, "record")),
            EvidenceError, "not the next version",
        )  # fmt: skip

    def test_by_a_version_that_does_not_name_what_was_corrected(self, hospital: Hospital) -> None:
        one = hospital.record()
        two = hospital.record(follows=one, previous=Digest(bytes(32)))
        forged = hospital.correction(one.manifest, two.manifest)
        self.refused(
            hospital, (forged, (one.index, "previous"), (two.index, "record")),
            EvidenceError, "not the next version",
        )  # fmt: skip

    def test_by_a_version_that_leaves_the_scope_of_its_category(self, hospital: Hospital) -> None:
        one = hospital.record()
        two = hospital.record(follows=one, category="outpatient-note")
        forged = hospital.correction(one.manifest, two.manifest)
        self.refused(
            hospital, (forged, (one.index, "previous"), (two.index, "record")),
            EvidenceError, "another category",
        )  # fmt: skip

    def test_with_another_subject(self, hospital: Hospital) -> None:
        one = hospital.record()
        two = hospital.record(follows=one)
        forged = hospital.correction(one.manifest, two.manifest, subject=two.manifest)
        self.refused(
            hospital, (forged, (one.index, "previous"), (two.index, "record")),
            EvidenceError, "only subject",
        )  # fmt: skip

    def test_without_the_records_that_it_joins(self, hospital: Hospital, story: dict) -> None:
        for role, index in (("previous", story["one"].index), ("record", story["two"].index)):
            with pytest.raises(EvidenceError, match="both records"):
                hospital.bundle(story["first"], (index, role))

    def test_a_second_version_in_the_place_of_the_one_that_a_bundle_is_of(
        self, hospital: Hospital
    ) -> None:
        # A log that tells two stories: the one that was fetched is not the one that is shown.
        one = hospital.record()
        mine, theirs = hospital.record(follows=one), hospital.record(follows=one)
        correction = hospital.correction(one.manifest, theirs.manifest)
        self.refused(
            hospital,
            (
                mine.index, (one.index, "previous"), (correction, "correction"),
                (theirs.index, "record"),
            ),
            EvidenceError, "another output or record",
        )  # fmt: skip

    def test_a_statement_of_another_type_under_its_role(
        self, hospital: Hospital, story: dict
    ) -> None:
        bundle = hospital.bundle(
            story["two"].index, (story["one"].index, "previous"), (story["first"], "correction")
        )
        parts = tuple(
            part.model_copy(update={"role": "correction"}) if part.role == "previous" else part
            for part in bundle.parts
        )
        with pytest.raises(EvidenceError, match="part of type correction"):
            hospital.verify(bundle.model_copy(update={"parts": parts}))

    def test_a_changed_statement_is_not_what_was_logged(
        self, hospital: Hospital, story: dict
    ) -> None:
        bundle = hospital.bundle(
            story["two"].index, (story["one"].index, "previous"), (story["first"], "correction")
        )
        *rest, correction = bundle.parts
        told = correction.disclosure.attestation
        altered = told.model_copy(
            update={"statement": told.statement.replace('"claimedAt":1', '"claimedAt":2')}
        )
        parts = (
            *rest,
            correction.model_copy(
                update={
                    "disclosure": correction.disclosure.model_copy(update={"attestation": altered})
                }
            ),
        )
        with pytest.raises(VerificationError):
            hospital.verify(bundle.model_copy(update={"parts": parts}))


class TestModelsThatEnded:
    """An inference made while its model was approved stands, and says what became of it."""

    def approved(self, world: World, digest: Digest) -> None:
        first, second, _ = world.hospitals
        models, consortium = Models(world.pool), Consortium(world.pool)
        Sender(world.pool, first.govern).send(models.register(digest), final=True)
        self.vote(world, Kind.APPROVE_MODEL, model_approval(digest, None, first.member))
        Sender(world.pool, second.govern).send(models.approve(digest), final=True)
        assert consortium.quorum(None) <= 3

    def vote(self, world: World, kind: Kind, payload: bytes) -> None:
        consortium = Consortium(world.pool)
        Sender(world.pool, world.hospitals[0].govern).send(
            consortium.propose(kind, None, payload), final=True
        )
        number = consortium.proposals(at=world.pool.final_view())[-1].number
        for hospital in world.hospitals[: consortium.quorum(None)]:
            Sender(world.pool, hospital.govern).send(consortium.vote(number), final=True)

    @pytest.mark.parametrize("ending", ["retired", "withdrawn"])
    def test_what_it_said_before_verifies_and_is_marked(
        self, hospital: Hospital, ending: str
    ) -> None:
        world = hospital.world
        manifest = f'{{"name":"{ending}","version":1}}'
        digest = Digest.of(manifest.encode())
        self.approved(world, digest)
        output = hospital.record(by=hospital.at.system)
        note = hospital.record(category="outpatient-note")
        made = statement.Inference(
            record=note.predicate.record, version=1, manifest=note.manifest, model=digest,
            parameters={}, code="test", runtime="python 3", output=Digest.of(b"spans"),
            result=output.manifest, claimed_at=world.now(),
        )  # fmt: skip
        before = world.log(hospital.at, made, note.manifest, hospital.at.system)
        models = Models(world.pool)
        # Blocks of an Anvil that was held up can have one time.
        while world.now() <= made.claimed_at:
            time.sleep(0.2)
        if ending == "retired":
            call = models.retire(digest)
        else:
            reason = Digest.of(b"it missed allergies")
            self.vote(world, Kind.WITHDRAW_MODEL, model_withdrawal(digest, reason))
            call = models.withdraw(digest, reason)
        Sender(world.pool, hospital.at.govern).send(call, final=True)
        late = made.model_copy(update={"claimed_at": world.now()})
        after = world.log(hospital.at, late, note.manifest, hospital.at.system)
        world.anchor(hospital.at)

        def verified(index: int) -> Verified:
            parts = tuple(hospital.part(one.index, "record") for one in (note, output))
            bundle = world.bundle(
                hospital.at, index, parts=parts, model=BundledModel(manifest=manifest, state=None)
            )
            return hospital.verify(bundle)

        stands, refused = verified(before), verified(after)

        assert stands.model_status == "approved"
        assert any(f"the model was {ending} at" in note for note in stands.notes)
        ModelApproved().check(stands)
        assert refused.model_status == ending
        with pytest.raises(VerificationError, match=ending):
            ModelApproved().check(refused)
