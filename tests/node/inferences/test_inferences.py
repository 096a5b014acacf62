"""I7: an inference is logged with all that decides it, and its output is sealed."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from xinglin import seal
from xinglin.appointment import Appointment, appoint
from xinglin.envelope import Envelope, Wrap
from xinglin.hashes import Digest
from xinglin.inference import (
    OUTPUT_CATEGORY,
    OUTPUT_MEDIA_TYPE,
    OutputSpan,
    decode_output,
    encode_output,
    output_digest,
)
from xinglin.statement import (
    Access,
    Attestation,
    Inference,
    Record,
    manifest_digest,
    new_salt,
    verify_attestation,
)
from xinglin_node.chain.tables import ModelRow
from xinglin_node.log.tables import DisclosureRow
from xinglin_node.log.writer import Write
from xinglin_node.models.service import describe
from xinglin_node.records.tables import RecordRow

NOTE = "头痛三天，舌淡苔白，脉弦。"


@dataclass
class Found:
    start: int
    end: int
    label: str
    score: float = 0.9


@dataclass
class Method:
    """A model that knows one word, and remembers what it was shown."""

    manifest: bytes = b'{"name":"one word","version":1}'
    parameters: Mapping[str, str | int] = field(default_factory=lambda: {"window": 2})
    code: str = "test sha256:00"
    runtime: str = "python 3"
    shown: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> Sequence[Found]:
        self.shown.append(text)
        at = text.find("头痛")
        return [] if at < 0 else [Found(at, at + 2, "symptom")]


@pytest.fixture
def reading(consenting):
    return Reading(consenting)


@pytest.fixture
def sqlite_reading(sqlite_consenting):
    return Reading(sqlite_consenting)


class Reading:
    """A scene whose node has a method, and whose system account is appointed."""

    def __init__(self, consenting) -> None:
        self.it = consenting
        self.scene = consenting.scene
        self.method = Method()
        house = self.scene.house
        house.parts["methods"] = (describe("test", self.method),)
        now = int(self.scene.clock())
        signed = appoint(
            Appointment(
                id=bytes(32), member=house.member, account=house.keys.system.address,
                key_digest=house.keys.institution.key_digest, role="system",
                person_digest=bytes(32), not_before=now - 3600, not_after=now + 86_400,
            ),
            self.scene.officer,
            house.domain,
        )  # fmt: skip
        path = house.settings.folder / "system.appointment.json"
        path.write_text(json.dumps(signed.to_json()))
        self.status(2)

    def status(self, status: int) -> None:
        """Say what the network says of the model."""
        digest = Digest.of(self.method.manifest).value

        def work(write: Write) -> None:
            write.session.merge(
                ModelRow(
                    digest=digest, predecessor=bytes(32), registrar=1, status=status,
                    since=1_700_000_000, block=3,
                )
            )  # fmt: skip

        self.scene.house.writer.submit(work).result()

    def infer(self, record, role: str = "physician", **asked: object):
        headers = self.scene.sign_in(self.scene.someone(role))
        return self.scene.client.post(
            "/v1/inferences", json={"record": str(record), **asked}, headers=headers
        )

    def take_in(self, subject, payload: bytes, media_type: str = "text/plain; charset=utf-8"):
        headers = self.scene.sign_in(self.scene.someone("physician"))
        return self.scene.client.post(
            "/v1/intake",
            data={
                "subject": str(subject), "category": "outpatient-note", "mediaType": media_type
            },
            files={"payload": ("payload", io.BytesIO(payload), "application/octet-stream")},
            headers=headers,
        )  # fmt: skip

    def opened(self, record) -> bytes:
        """The payload of a record, by the institution's own key."""
        house = self.scene.house
        with house.database.reading() as session:
            row = session.get(RecordRow, (record, 1))
            blob = b"".join(house.blobs.read(session, Digest(row.blob)))
        sink = io.BytesIO()
        seal.open(
            io.BytesIO(blob), sink, record=row.record, version=1,
            envelope=Envelope(
                Digest(row.manifest), (Wrap(row.custodian_digest, row.custodian_wrap),)
            ),
            identity=house.keys.institution,
        )  # fmt: skip
        return sink.getvalue()


class TestI7InferenceIsAccountable:
    def test_the_statement_binds_all_that_decides_the_output(self, reading) -> None:
        patient = reading.it.patient()
        record = reading.it.record(patient, payload=NOTE.encode())

        answer = reading.infer(record)

        assert answer.status_code == 201, answer.text
        (statement,) = reading.it.entries("inference")
        predicate = statement.predicate
        assert isinstance(predicate, Inference)
        assert (predicate.record, predicate.version) == (record, 1)
        assert predicate.model == Digest.of(reading.method.manifest)
        assert dict(predicate.parameters) == {"window": 2}
        assert (predicate.code, predicate.runtime) == ("test sha256:00", "python 3")
        outputs = [
            one.predicate for one in reading.it.entries("record")
            if one.predicate.category == "inference"
        ]  # fmt: skip
        assert [output.record for output in outputs] == [type(record)(answer.json()["result"])]

    def test_the_output_is_sealed_and_gives_the_logged_digest(self, reading) -> None:
        patient = reading.it.patient()
        record = reading.it.record(patient, payload=NOTE.encode())
        answer = reading.infer(record).json()

        spans, salt = decode_output(reading.opened(type(record)(answer["result"])))

        assert spans == (OutputSpan(0, 2, "symptom"),)
        assert output_digest(spans, salt).text == answer["output"]
        (statement,) = reading.it.entries("inference")
        assert statement.predicate.output == output_digest(spans, salt)

    def test_a_clinicians_correction_is_the_outputs_next_version(self, reading) -> None:
        """I7: what was corrected, by whom, and what stood there before, all stay provable."""
        scene, patient = reading.scene, reading.it.patient()
        answer = reading.infer(reading.it.record(patient, payload=NOTE.encode())).json()
        (first,) = [
            one for one in reading.it.entries("record")
            if one.predicate.category == OUTPUT_CATEGORY
        ]  # fmt: skip
        clinician = scene.someone("physician")
        edited = (OutputSpan(0, 2, "symptom"), OutputSpan(5, 9, "symptom"))
        payload = encode_output(edited, new_salt())
        corrected = scene.seal(
            clinician.account, patient.subject, first.predicate.enrolment, payload=payload,
            record=first.predicate.record, version=2,
            previous=manifest_digest(first.encode()), category=OUTPUT_CATEGORY,
            media_type=OUTPUT_MEDIA_TYPE,
        )  # fmt: skip

        accepted = scene.submit(clinician, corrected)

        assert accepted.status_code == 201, accepted.text
        newest = reading.it.entries("record")[-1].predicate
        assert newest.previous == manifest_digest(first.encode())
        attestation = Attestation.decode(corrected.attestation)
        assert verify_attestation(attestation, scene.house.domain).predicate == newest
        assert attestation.signer == clinician.account.address
        (inference,) = reading.it.entries("inference")
        assert inference.predicate.output.text == answer["output"]
        assert inference.predicate.result == newest.previous

    def test_run_again_it_gives_the_same_output(self, sqlite_reading) -> None:
        record = sqlite_reading.it.record(sqlite_reading.it.patient(), payload=NOTE.encode())

        answers = [sqlite_reading.infer(record).json() for _ in range(2)]

        outputs = [
            decode_output(sqlite_reading.opened(type(record)(one["result"])))[0] for one in answers
        ]
        assert outputs[0] == outputs[1]
        # Salted anew, so that two logged digests do not tell that the output is the same.
        assert answers[0]["output"] != answers[1]["output"]

    def test_the_use_of_the_key_is_logged_first_on_the_ground_system(self, reading) -> None:
        record = reading.it.record(reading.it.patient(), payload=NOTE.encode())

        answer = reading.infer(record).json()

        (statement,) = reading.it.entries("access")
        predicate = statement.predicate
        assert isinstance(predicate, Access)
        assert (predicate.ground, predicate.request.purpose) == ("system", "HOPERAT")
        assert answer["accessIndex"] < answer["index"] < answer["resultIndex"]

    def test_nothing_of_the_note_is_in_any_statement(self, sqlite_reading) -> None:
        record = sqlite_reading.it.record(sqlite_reading.it.patient(), payload=NOTE.encode())
        sqlite_reading.infer(record)

        with sqlite_reading.scene.house.database.reading() as session:
            rows = session.scalars(select(DisclosureRow.attestation)).all()
        assert all("头痛".encode() not in row and b"symptom" not in row for row in rows)


class TestIntake:
    def test_record_inference_and_output_are_logged_in_that_order(self, reading) -> None:
        patient = reading.it.patient()

        answer = reading.take_in(patient.subject, NOTE.encode())

        assert answer.status_code == 201, answer.text
        body = answer.json()
        assert (body["skipped"], reading.method.shown) == (None, [NOTE])
        inference = body["inference"]
        assert body["accepted"]["index"] < inference["index"]
        # At intake the inference's own entry is the record of that use.
        assert reading.it.entries("access") == []
        (statement,) = reading.it.entries("inference")
        read = reading.it.entries("record")[0].predicate
        assert isinstance(read, Record)
        assert statement.predicate.record == read.record

    @pytest.mark.parametrize(
        ("status", "word"),
        [(1, "proposed"), (3, "retired"), (4, "withdrawn")],
    )
    def test_a_model_that_is_not_approved_does_not_run(self, sqlite_reading, status, word) -> None:
        sqlite_reading.status(status)
        patient = sqlite_reading.it.patient()

        answer = sqlite_reading.take_in(patient.subject, NOTE.encode())
        refused = sqlite_reading.infer(sqlite_reading.it.record(patient))

        assert answer.status_code == 201
        assert (answer.json()["inference"], word in answer.json()["skipped"]) == (None, True)
        assert (refused.status_code, refused.json()["got"]) == (422, word)
        assert sqlite_reading.method.shown == []

    def test_what_is_no_text_is_skipped_and_says_so(self, sqlite_reading) -> None:
        patient = sqlite_reading.it.patient()

        answer = sqlite_reading.take_in(patient.subject, b"\x89PNG\xff", "image/png")

        assert answer.status_code == 201
        assert "image/png" in answer.json()["skipped"]
        assert sqlite_reading.method.shown == []

    def test_text_that_is_not_utf_8_is_refused_and_nothing_is_kept(self, sqlite_reading) -> None:
        patient = sqlite_reading.it.patient()
        before = sqlite_reading.scene.house.writer.head.size

        answer = sqlite_reading.take_in(patient.subject, NOTE.encode("gb18030"))

        assert answer.status_code == 400
        assert sqlite_reading.scene.house.writer.head.size == before

    def test_without_a_method_a_record_is_kept_all_the_same(self, sqlite_reading) -> None:
        sqlite_reading.scene.house.parts["methods"] = ()
        patient = sqlite_reading.it.patient()

        answer = sqlite_reading.take_in(patient.subject, NOTE.encode())

        assert answer.status_code == 201
        assert answer.json()["skipped"] == "no method is installed"


class TestWhoMayInfer:
    def test_only_authors_of_the_custodian(self, sqlite_reading) -> None:
        record = sqlite_reading.it.record(sqlite_reading.it.patient())

        assert sqlite_reading.infer(record, "desk").status_code == 403
        assert sqlite_reading.infer(record, "researcher").status_code == 403

    def test_an_unknown_record_is_not_found(self, sqlite_reading) -> None:
        answer = sqlite_reading.infer("8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11")

        assert (answer.status_code, sqlite_reading.method.shown) == (404, [])

    def test_an_unknown_model_is_not_found(self, sqlite_reading) -> None:
        record = sqlite_reading.it.record(sqlite_reading.it.patient())

        assert sqlite_reading.infer(record, model="sha256:" + "0" * 64).status_code == 404


class TestModels:
    def test_each_model_is_listed_with_its_status(self, sqlite_reading) -> None:
        headers = sqlite_reading.scene.sign_in(sqlite_reading.scene.someone("auditor", member=2))

        (one,) = sqlite_reading.scene.client.get("/v1/models", headers=headers).json()["models"]

        assert (one["status"], one["runsHere"], one["name"]) == ("approved", True, "one word 1")
        assert one["digest"] == Digest.of(sqlite_reading.method.manifest).text
