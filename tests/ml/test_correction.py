"""Corrections by a clinician, and what of them may train."""

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xinglin.canonical import JsonValue
from xinglin.errors import InvalidEncoding, SealError, ServiceError, UsageError
from xinglin.grant import Terms
from xinglin.inference import decode_output, encode_output, spans_of
from xinglin.names import Salt
from xinglin_ml.annotation import Span
from xinglin_ml.commands import app
from xinglin_ml.correction import (
    Add,
    Change,
    Corrected,
    Remove,
    correct,
    edits_of,
    training_documents,
    training_refusal,
)
from xinglin_ml.correction_export import write_documents
from xinglin_ml.errors import CorpusError
from xinglin_ml.examples import CorpusUse, read

TEXT = "头痛三天，无发热，予桂枝汤"
OLD = (Span(0, 2, "症状", None, 0.9), Span(6, 8, "疾病", None, 0.4))
TERMS: dict[str, JsonValue] = {
    "type": "urn:xinglin:terms:1",
    "sentence": "研究",
    "salt": "A" * 43,
    "subject": {"enrolment": "sha256:" + "0" * 64, "account": None, "signature": None},
    "grantee": {"member": 3, "role": None, "account": None, "project": None},
    "scope": {"records": None, "categories": ["note"], "from": None, "to": None, "versions": "all"},
    "purposes": ["HRESCH"],
    "research": {"permission": "DUO:0000042", "modifiers": []},
    "view": "whole",
    "frequency": None,
    "onward": False,
    "evidence": None,
}


class TestCorrecting:
    def test_edits_give_a_new_list_without_scores(self) -> None:
        edits: list[Remove | Add | Change] = [
            Change(1, Span(6, 8, "症状")),
            Add(Span(10, 13, "治疗", "formula")),
        ]
        assert correct(TEXT, OLD, edits) == (
            Span(0, 2, "症状"),
            Span(6, 8, "症状"),
            Span(10, 13, "治疗", "formula"),
        )

    @pytest.mark.parametrize(
        "edits",
        [
            [],
            [Remove(2)],
            [Remove(-1)],
            [Remove(0), Remove(0)],
            [Add(Span(1, 3, "症状"))],
            [Add(Span(10, 13, "drug"))],
        ],
    )
    def test_what_cannot_be_meant_is_refused(self, edits: list[Remove | Add]) -> None:
        with pytest.raises(UsageError):
            correct(TEXT, OLD, edits)

    def test_offsets_outside_the_text_are_refused(self) -> None:
        with pytest.raises(CorpusError):
            correct(TEXT, OLD, [Add(Span(12, 99, "治疗"))])


class TestCommand:
    def test_edits_become_the_payload_of_the_next_version(self, tmp_path: Path) -> None:
        (tmp_path / "note.txt").write_text(TEXT)
        old = encode_output(spans_of(OLD), Salt(bytes(32)))
        (tmp_path / "old.json").write_bytes(old)
        edits = [{"change": 1, "to": [6, 8, "症状"]}, {"add": [10, 13, "治疗"]}]
        (tmp_path / "edits.json").write_text(json.dumps(edits))
        names = {"--found": "old.json", "--edits": "edits.json", "--output": "new.json"}
        options = [x for k, v in names.items() for x in (k, str(tmp_path / v))]
        done = CliRunner().invoke(app, ["correct", str(tmp_path / "note.txt"), *options])
        assert done.exit_code == 0, done.output
        spans, salt = decode_output((tmp_path / "new.json").read_bytes())
        assert [(s.start, s.end, s.label) for s in spans] == [
            (0, 2, "症状"), (6, 8, "症状"), (10, 13, "治疗")
        ]  # fmt: skip
        assert salt != bytes(32)  # or two digests would tell which spans are the same

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"{}x",
            b'[{"move": 1}]',
            b'[{"add": [1]}]',
            b"[3]",
            b'[{"remove": 1.5}]',
            b'[{"remove": "0"}]',
            b'[{"remove": true}]',
            b'[{"remove": 0, "remove": 1}]',
        ],
    )
    def test_another_file_of_edits_is_refused(self, data: bytes) -> None:
        with pytest.raises(UsageError):
            edits_of(data)


def opening(text: str = TEXT, spans: tuple[Span, ...] = OLD) -> Corrected:
    return Corrected("r1", lambda: (text, spans))


class TestExport:
    def test_only_records_whose_grants_allow_it_are_opened(self) -> None:
        def never() -> tuple[str, tuple[Span, ...]]:
            raise AssertionError("opened without leave")

        left_out: Counter[str] = Counter()
        corrected = [Corrected("r1", never), Corrected("r2", lambda: (TEXT, OLD))]
        reasons = {"r1": "the grant was revoked"}

        (found,) = training_documents(corrected, reasons.get, left_out)

        assert (found.text, found.spans) == (TEXT, OLD)
        assert "r2" not in found.id
        assert left_out == {"the grant was revoked": 1}

    @pytest.mark.parametrize(
        ("spans", "reason"),
        [
            ((Span(0, 2, "symptom"),), "its labels are of another scheme"),
            ((Span(0, 99, "症状"),), "a span lies outside its text"),
            ((Span(-1, 2, "症状"),), "a span lies outside its text"),
        ],
    )
    def test_what_cannot_train_is_left_out_and_counted(
        self, spans: tuple[Span, ...], reason: str
    ) -> None:
        left_out: Counter[str] = Counter()
        found = training_documents([opening(spans=spans), opening()], lambda _: None, left_out)
        assert len(list(found)) == 1
        assert left_out == {reason: 1}

    @pytest.mark.parametrize(
        ("error", "reason"),
        [
            (CorpusError("x"), "the note has no text"),
            (InvalidEncoding("x"), "the note or the output is malformed"),
            (SealError("x"), "it did not open"),
        ],
    )
    def test_one_bad_record_ends_nobodys_export(self, error: Exception, reason: str) -> None:
        def bad() -> tuple[str, tuple[Span, ...]]:
            raise error

        left_out: Counter[str] = Counter()
        some = [Corrected("bad", bad), opening()]
        assert len(list(training_documents(some, lambda _: None, left_out))) == 1
        assert left_out == {reason: 1}

    def test_a_node_that_fails_does(self) -> None:
        def fails() -> tuple[str, tuple[Span, ...]]:
            raise ServiceError(503, "storage")

        with pytest.raises(ServiceError):
            list(training_documents([Corrected("r", fails)], lambda _: None, Counter()))

    def test_a_training_run_reads_what_was_exported(self, tmp_path: Path) -> None:
        (tmp_path / "ner").mkdir()
        documents = list(training_documents([opening()], lambda _: None, Counter()))
        write_documents(tmp_path / "ner" / "corrections.train.jsonl", documents)
        source = read(CorpusUse("corrections", ("diagnostic",)), tmp_path, "train")
        (read_again,) = source.by_head["diagnostic"]
        assert read_again.text == TEXT
        assert [s.key for s in read_again.spans] == [s.key for s in OLD]

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({}, None),
            ({"purposes": ["TREAT"], "research": None}, "not for research"),
            ({"view": "deidentified"}, None),
            ({"view": "entities"}, "entities"),
            (
                {"research": {"permission": "DUO:0000042", "modifiers": ["DUO:0000015"]}},
                "development of methods",
            ),
        ],
    )
    def test_research_must_be_named_permit_methods_and_see_the_text(
        self, changes: dict[str, JsonValue], reason: str | None
    ) -> None:
        found = training_refusal(Terms.from_json({**TERMS, **changes}))
        assert found is None if reason is None else reason in str(found)
