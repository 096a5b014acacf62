"""I7: a clinician's correction is logged with the version that it brings, or not at all."""

import pytest
from sqlalchemy import func, select

from xinglin.hashes import Digest
from xinglin.keys import Account
from xinglin.statement import Attestation, Correction, manifest_digest, verify_attestation
from xinglin_node.log.tables import DisclosureRow
from xinglin_node.records.schemas import BATCH_MEDIA_TYPE, Frame, join_batch
from xinglin_node.records.tables import RecordRow


def rows(reading) -> list[DisclosureRow]:
    with reading.scene.house.database.reading() as session:
        return list(
            session.scalars(
                select(DisclosureRow).order_by(DisclosureRow.generation, DisclosureRow.index)
            )
        )


class TestI7InferenceIsAccountable:
    def test_a_correction_stands_right_behind_the_version_that_it_brings(self, reading) -> None:
        output = reading.output()
        corrected = reading.correct(output, reading.scene.someone("physician"))

        answer = corrected.submit()

        assert answer.status_code == 201, answer.text
        body = answer.json()
        record, correction = rows(reading)[-2:]
        assert (record.kind, correction.kind) == ("record", "correction")
        assert (record.index, correction.index) == (body["index"], body["correction"]["index"])
        assert correction.index == record.index + 1
        attestation = Attestation.decode(correction.attestation)
        predicate = verify_attestation(attestation, reading.scene.house.domain).predicate
        assert isinstance(predicate, Correction)
        assert (predicate.of, predicate.by) == (output.manifest, corrected.sealed.manifest)
        assert attestation.signer == corrected.clinician.account.address
        newest = Attestation.decode(record.attestation).read()
        assert predicate.by == manifest_digest(newest.encode())
        # What the model said stays, and the inference goes on naming it.
        (inference,) = reading.it.entries("inference")
        assert inference.predicate.result == output.manifest

    def test_the_patient_finds_it_in_their_history_with_its_reason(self, reading) -> None:
        output = reading.output()
        assert reading.correct(output, reading.scene.someone("nurse")).submit().status_code == 201
        patient = output.patient
        headers = reading.scene.sign_in_subject(patient.account, patient.subject)

        told = reading.scene.client.get("/v1/history", headers=headers).json()["entries"]

        assert told[-1]["kind"] == "correction"
        assert told[-1]["disclosure"]["reason"]["text"] == "漏了一处"
        assert "漏了一处" not in told[-1]["disclosure"]["attestation"]["statement"]

    def test_a_correction_is_corrected_and_every_version_goes_with_what_was_read(
        self, reading
    ) -> None:
        output = reading.output()
        first = reading.correct(output, reading.scene.someone("physician"))
        assert first.submit().status_code == 201

        second = reading.correct(first.becomes(), reading.scene.someone("pharmacist"))
        answer = second.submit()

        assert answer.status_code == 201, answer.text
        with reading.scene.house.database.reading() as session:
            found = session.execute(
                select(RecordRow.version, RecordRow.read_record)
                .where(RecordRow.record == output.record)
                .order_by(RecordRow.version)
            ).all()
        assert [tuple(one) for one in found] == [
            (1, output.note), (2, output.note), (3, output.note)
        ]  # fmt: skip

    def test_the_same_again_gets_the_same_receipts(self, reading) -> None:
        corrected = reading.correct(reading.output(), reading.scene.someone("physician"))
        parts = {"correction": corrected.statement(), "reason": corrected.told()}
        first = corrected.submit(**parts)
        size = reading.scene.house.writer.head.size

        again = corrected.submit(**parts)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        other = corrected.submit(
            correction=corrected.statement(claimed_at=1), reason=parts["reason"]
        )
        assert (other.status_code, other.json()["type"]) == (409, "urn:xinglin:problem:conflict")
        assert reading.scene.house.writer.head.size == size


def forgeries(corrected):
    """What is wrong with each, and how it is answered."""
    other = corrected.reading.scene.someone("nurse").account
    statement = corrected.statement
    record = Attestation.decode(corrected.sealed.attestation).read()
    return {
        "none": ({"correction": None, "reason": None}, 422, "a correction with the version"),
        "without its reason": ({"reason": None}, 400, "together"),
        "a reason alone": ({"correction": None}, 400, "together"),
        "not canonical": ({"correction": statement() + " "}, 400, ""),
        "another's": ({"correction": statement(signer=other)}, 403, "the caller's own account"),
        "another kind": ({"correction": corrected.attested(record)}, 422, "a correction statement"),
        "another subject": (
            {"correction": statement(subject=corrected.sealed.manifest)}, 422, "only subject",
        ),
        "of another version": (
            {"correction": statement(of=Digest(bytes(32)))}, 422, "of the version before",
        ),
        "by another version": (
            {"correction": statement(by=Digest(bytes(32)))}, 422, "by the version that it comes",
        ),
        "another reason": ({"reason": corrected.told(text="别的")}, 422, "whose digest was signed"),
        "an empty reason": ({"reason": corrected.told(text="")}, 422, "1 to 2000"),
        "a reason too long": ({"reason": corrected.told(text="长" * 2001)}, 422, "1 to 2000"),
        "in the future": (
            {"correction": statement(claimed_at=int(corrected.reading.scene.clock()) + 900)},
            422, "300 s ahead",
        ),
    }  # fmt: skip


class TestRefused:
    """Nothing of a submission is kept whose correction does not hold."""

    @pytest.mark.parametrize(
        "name",
        [
            "none", "without its reason", "a reason alone", "not canonical", "another's",
            "another kind", "another subject", "of another version", "by another version",
            "another reason", "an empty reason", "a reason too long", "in the future",
        ],
    )  # fmt: skip
    def test_a_forged_or_missing_one(self, reading, name: str) -> None:
        reading = reading
        corrected = reading.correct(reading.output(), reading.scene.someone("physician"))
        parts, status, expected = forgeries(corrected)[name]
        before = reading.scene.house.writer.head.size

        answer = corrected.submit(**parts)

        assert answer.status_code == status, answer.text
        assert expected in answer.json()["expected"]
        assert reading.scene.house.writer.head.size == before

    def test_one_whose_signature_is_not_its_signers(self, reading) -> None:
        reading = reading
        corrected = reading.correct(reading.output(), reading.scene.someone("physician"))
        told = Attestation.decode(corrected.statement().encode())
        forged = Attestation.decode(corrected.statement(signer=Account.generate()).encode())
        forged = forged.model_copy(update={"signer": told.signer})

        answer = corrected.submit(correction=forged.encode().decode())

        assert answer.status_code == 422, answer.text

    def test_one_by_a_machine(self, reading) -> None:
        reading = reading
        corrected = reading.correct(reading.output(), reading.scene.someone("system"))

        answer = corrected.submit()

        assert (answer.status_code, answer.json()["got"]) == (403, "one by the role system")

    @pytest.mark.parametrize(
        "change", [{"category": "outpatient-note"}, {"media_type": "text/plain"}]
    )
    def test_one_that_leaves_the_category_that_grants_name(self, reading, change) -> None:
        reading = reading
        corrected = reading.correct(reading.output(), reading.scene.someone("physician"), **change)

        answer = corrected.submit()

        assert answer.status_code == 422
        assert "category inference" in answer.json()["expected"]

    def test_one_with_a_first_version(self, reading) -> None:
        reading, output = reading, reading.output()
        corrected = reading.correct(
            output, reading.scene.someone("physician"), record=None, version=1, previous=None
        )

        answer = corrected.submit()

        assert (answer.status_code, answer.json()["expected"]) == (
            422, "a correction of the version before"
        )  # fmt: skip

    def test_two_corrections_of_one_version(self, reading) -> None:
        output = reading.output()
        first, second = (
            reading.correct(output, reading.scene.someone("physician")) for _ in range(2)
        )

        answers = [first.submit().status_code, second.submit().status_code]

        assert answers == [201, 409]
        assert sum(row.kind == "correction" for row in rows(reading)) == 1

    def test_an_output_is_not_corrected_in_a_batch(self, reading) -> None:
        reading = reading
        corrected = reading.correct(reading.output(), reading.scene.someone("physician"))
        sealed = corrected.sealed
        frame = Frame(sealed.subject, sealed.envelope, sealed.attestation, sealed.ciphertext)

        answer = reading.scene.client.post(
            "/v1/records/batch",
            content=join_batch([frame]),
            headers={
                **reading.scene.sign_in(corrected.clinician), "Content-Type": BATCH_MEDIA_TYPE
            },
        )  # fmt: skip

        (one,) = answer.json()["results"]
        assert (one["status"], "correction" in one["problem"]["expected"]) == (422, True)


class TestOtherRecords:
    def test_a_note_may_be_followed_without_a_correction_or_with_one(self, reading) -> None:
        reading = reading
        patient, author = reading.it.patient(), reading.scene.someone("physician")
        first = reading.scene.seal(author.account, patient.subject, patient.enrolment)
        assert reading.scene.submit(author, first).status_code == 201
        second = reading.scene.seal(
            author.account, patient.subject, patient.enrolment, record=first.record, version=2,
            previous=first.manifest,
        )  # fmt: skip
        answer = reading.scene.submit(author, second)
        assert (answer.status_code, answer.json()["correction"]) == (201, None)

        note = type(reading.output())(patient, None, first.record, 2, second.manifest)
        third = reading.correct(
            note, author, category="outpatient-note", media_type="text/plain; charset=utf-8"
        )

        assert third.submit().status_code == 201
        with reading.scene.house.database.reading() as session:
            kept = session.scalar(
                select(func.count())
                .select_from(RecordRow)
                .where(RecordRow.record == first.record, RecordRow.read_record.is_not(None))
            )
        assert kept == 0
