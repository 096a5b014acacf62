"""I7: an inference is logged with all that decides it, and its output is sealed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from xinglin.hashes import Digest
from xinglin.inference import (
    OutputSpan,
    decode_output,
    output_digest,
)
from xinglin.statement import (
    Access,
    Inference,
    Record,
)
from xinglin_node.chain.tables import ViewRow
from xinglin_node.inferences.service import method_for
from xinglin_node.log.tables import DisclosureRow
from xinglin_node.models.service import describe

NOTE = "头痛三天，舌淡苔白，脉弦。"


@dataclass
class Found:
    start: int
    end: int
    label: str
    score: float = 0.9


@dataclass
class Failing:
    """The approved model, in code that raises, or gives what is no output."""

    failure: object
    manifest: bytes = b'{"name":"one word","version":1}'
    parameters: Mapping[str, str | int] = field(default_factory=lambda: {"window": 2})
    code: str = "test sha256:00"
    runtime: str = "python 3"

    def __call__(self, text: str) -> object:
        if isinstance(self.failure, Exception):
            raise self.failure
        return self.failure


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

    def test_run_again_it_gives_the_same_output(self, reading) -> None:
        record = reading.it.record(reading.it.patient(), payload=NOTE.encode())

        answers = [reading.infer(record).json() for _ in range(2)]

        outputs = [decode_output(reading.opened(type(record)(one["result"])))[0] for one in answers]
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

    def test_nothing_of_the_note_is_in_any_statement(self, reading) -> None:
        record = reading.it.record(reading.it.patient(), payload=NOTE.encode())
        reading.infer(record)

        with reading.scene.house.database.reading() as session:
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
    def test_a_model_that_is_not_approved_does_not_run(self, reading, status, word) -> None:
        reading.status(status)
        patient = reading.it.patient()

        answer = reading.take_in(patient.subject, NOTE.encode())
        refused = reading.infer(reading.it.record(patient))

        assert answer.status_code == 201
        assert (answer.json()["inference"], word in answer.json()["skipped"]) == (None, True)
        assert (refused.status_code, refused.json()["got"]) == (422, word)
        assert reading.method.shown == []

    @pytest.mark.parametrize(
        ("view", "word"),
        [({"age": 121}, "at most 120 s old"), ({"head_ahead": 30}, "behind the newest block")],
    )
    def test_i7_a_node_that_cannot_know_of_a_withdrawal_runs_no_model(
        self, reading, view, word
    ) -> None:
        patient = reading.it.patient()
        record = reading.it.record(patient)
        reading.it.view(**view)

        answer = reading.take_in(patient.subject, NOTE.encode())
        refused = reading.infer(record)

        assert answer.status_code == 201, answer.text
        assert (answer.json()["inference"], word in answer.json()["skipped"]) == (None, True)
        assert (refused.status_code, refused.json()["type"]) == (
            503, "urn:xinglin:problem:view-stale",
        )  # fmt: skip
        assert "Retry-After" in refused.headers
        # The key was not used: no access is logged.
        assert (reading.method.shown, reading.it.entries("access")) == ([], [])

    def test_a_view_on_which_a_grant_is_judged_is_young_enough(self, reading) -> None:
        patient = reading.it.patient()
        reading.it.view(age=100)

        assert reading.take_in(patient.subject, NOTE.encode()).json()["skipped"] is None
        assert reading.method.shown == [NOTE]

    def test_a_node_that_never_saw_the_chain_has_no_method(self, reading) -> None:
        house = reading.scene.house
        house.writer.submit(
            lambda write: write.session.delete(write.session.get(ViewRow, 1))
        ).result()

        assert method_for(house, "text/plain", 1) == (
            "the model's status is not known: expected a view of the chain, got none yet"
        )

    def test_what_is_no_text_is_skipped_and_says_so(self, reading) -> None:
        patient = reading.it.patient()

        answer = reading.take_in(patient.subject, b"\x89PNG\xff", "image/png")

        assert answer.status_code == 201
        assert "image/png" in answer.json()["skipped"]
        assert reading.method.shown == []

    def test_text_that_is_not_utf_8_is_refused_and_nothing_is_kept(self, reading) -> None:
        patient = reading.it.patient()
        before = reading.scene.house.writer.head.size

        answer = reading.take_in(patient.subject, NOTE.encode("gb18030"))

        assert answer.status_code == 400
        assert reading.scene.house.writer.head.size == before

    def test_without_a_method_a_record_is_kept_all_the_same(self, reading) -> None:
        reading.scene.house.parts["methods"] = ()
        patient = reading.it.patient()

        answer = reading.take_in(patient.subject, NOTE.encode())

        assert answer.status_code == 201
        assert answer.json()["skipped"] == "no method is installed"

    @pytest.mark.parametrize("failure", [TypeError(NOTE), MemoryError(), "no spans"])
    def test_a_method_that_fails_costs_the_inference_and_not_the_record(
        self, reading, failure, caplog
    ) -> None:
        reading.scene.house.parts["methods"] = (describe("test", Failing(failure)),)
        patient = reading.it.patient()

        answer = reading.take_in(patient.subject, NOTE.encode())
        asked = reading.infer(answer.json()["record"])

        kind = "AttributeError" if failure == "no spans" else type(failure).__name__
        assert answer.status_code == 201, answer.text
        assert answer.json()["inference"] is None
        assert answer.json()["skipped"] == f"the method failed: {kind}"
        assert (asked.status_code, asked.json()["got"]) == (422, kind)
        assert "头痛" not in caplog.text

    def test_an_output_of_which_there_is_no_digest_costs_the_inference_alone(self, reading) -> None:
        reading.scene.house.parts["methods"] = (describe("test", Failing([Found(0, 1, "\ud83d")])),)

        answer = reading.take_in(reading.it.patient().subject, NOTE.encode())

        assert answer.status_code == 201, answer.text
        assert answer.json()["skipped"].startswith("the method failed")


class TestWhoMayInfer:
    def test_only_authors_of_the_custodian(self, reading) -> None:
        record = reading.it.record(reading.it.patient())

        assert reading.infer(record, "desk").status_code == 403
        assert reading.infer(record, "researcher").status_code == 403

    def test_an_unknown_record_is_not_found(self, reading) -> None:
        answer = reading.infer("8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11")

        assert (answer.status_code, reading.method.shown) == (404, [])

    def test_an_unknown_model_is_not_found(self, reading) -> None:
        record = reading.it.record(reading.it.patient())

        assert reading.infer(record, model="sha256:" + "0" * 64).status_code == 404


class TestModels:
    def test_each_model_is_listed_with_its_status(self, reading) -> None:
        headers = reading.scene.sign_in(reading.scene.someone("auditor", member=2))

        (one,) = reading.scene.client.get("/v1/models", headers=headers).json()["models"]

        assert (one["status"], one["runsHere"], one["name"]) == ("approved", True, "one word 1")
        assert one["digest"] == Digest.of(reading.method.manifest).text
