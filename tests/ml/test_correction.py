"""Corrections by a clinician, and what of them may train."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xinglin.canonical import JsonValue
from xinglin.errors import UsageError
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
    allows_training,
    correct,
    edits_of,
    training_documents,
)
from xinglin_ml.errors import CorpusError

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


class TestExport:
    def test_only_records_whose_grants_allow_it_are_exported(self) -> None:
        corrected = [Corrected("r1", TEXT, OLD), Corrected("r2", TEXT, OLD)]
        found = list(training_documents(corrected, {"r2"}.__contains__))
        assert len(found) == 1
        assert "r2" not in found[0].id

    @pytest.mark.parametrize(
        ("changes", "allowed"),
        [
            ({}, True),
            ({"purposes": ["TREAT"], "research": None}, False),
            ({"view": "deidentified"}, True),
            ({"view": "entities"}, False),
        ],
    )
    def test_research_must_be_named_and_permitted_and_see_the_text(
        self, changes: dict[str, JsonValue], allowed: bool
    ) -> None:
        assert allows_training(Terms.from_json({**TERMS, **changes})) == allowed
