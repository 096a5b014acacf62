"""The commands `xinglin ner` and `xinglin terminology`."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from xinglin._cli import main
from xinglin.errors import UsageError
from xinglin.inference import OutputSpan, encode_output
from xinglin.statement import new_salt
from xinglin_ml.commands import _note, app, terminology
from xinglin_ml.errors import CorpusError
from xinglin_ml.schema import SCHEMES

RUNNER = CliRunner()
NOTE = "胃脘隐痛两月，无发热，舌淡，脉细弱。证属脾胃虚寒，治以温中健脾。"


def write(path: Path, *items: object) -> Path:
    path.write_text("".join(json.dumps(i, ensure_ascii=False) + "\n" for i in items))
    return path


def ended(arguments: Sequence[object]) -> object:
    """The exit code of the whole command."""
    with pytest.raises(SystemExit) as done:
        main([str(one) for one in arguments])
    return done.value.code


class TestPredict:
    @pytest.mark.parametrize("scheme", sorted(SCHEMES))
    def test_every_line_gets_its_spans_in_the_labels_of_the_scheme(
        self, tmp_path: Path, scheme: str
    ) -> None:
        source = write(tmp_path / "in.jsonl", {"id": "甲", "text": NOTE}, {"id": 7, "text": ""})
        target = tmp_path / "out.jsonl"
        result = RUNNER.invoke(
            app, ["predict", "--scheme", scheme, "--input", str(source), "--output", str(target)]
        )
        assert result.exit_code == 0, result.output
        first, second = [json.loads(x) for x in target.read_text().splitlines()]
        assert first["id"] == "甲"
        assert second == {"id": 7, "spans": []}
        assert first["spans"]
        for span in first["spans"]:
            assert {"start", "end", "label", "score"} <= set(span)
            assert span["label"] in SCHEMES[scheme].labels
            assert ("subtype" in span) == (scheme == "diagnostic")

    def test_offsets_count_code_points_of_the_text_as_given(self, tmp_path: Path) -> None:
        text = "😀𠮷\x07頭痛３天，脈弦"
        source = write(tmp_path / "in.jsonl", {"id": "1", "text": text})
        target = tmp_path / "out.jsonl"
        RUNNER.invoke(app, ["predict", "--input", str(source), "--output", str(target)])
        spans = json.loads(target.read_text())["spans"]
        assert "頭痛" in {text[s["start"] : s["end"]] for s in spans}

    def test_a_scheme_that_is_none_is_refused(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", {"id": "1", "text": NOTE})
        result = RUNNER.invoke(
            app, ["predict", "--scheme", "x", "--input", str(source), "--output", "o"]
        )
        assert isinstance(result.exception, UsageError)

    @pytest.mark.parametrize("line", ["{", "[]", '{"id": 1}', '{"id": 1, "text": 2}'])
    def test_a_broken_line_is_refused_and_nothing_is_written(
        self, tmp_path: Path, line: str
    ) -> None:
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_text(json.dumps({"id": 1, "text": NOTE}) + "\n" + line + "\n")
        result = RUNNER.invoke(app, ["predict", "--input", str(source), "--output", str(target)])
        assert isinstance(result.exception, CorpusError)
        assert not target.exists()

    def test_an_id_comes_back_as_it_was_written(self, tmp_path: Path) -> None:
        # Half an emoji is no UTF-8, and JSON may hold it all the same.
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        lines = [{"id": "\ud83d", "text": "头痛\ud83d"}, {"id": ["甲", 1], "text": ""}]
        source.write_text("".join(json.dumps(one) + "\n" for one in lines))
        assert ended(["ner", "predict", "--input", source, "--output", target]) == 0
        found = [json.loads(line) for line in target.read_bytes().decode("utf-8").splitlines()]
        assert [one["id"] for one in found] == ["\ud83d", ["甲", 1]]
        assert found[0]["spans"][0]["end"] == 2

    def test_what_is_written_is_utf_8_wherever(self, tmp_path: Path) -> None:
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        write(source, {"id": "甲", "text": ""})
        program = "from xinglin._cli import main; main()"
        arguments = ["ner", "predict", "--input", source, "--output", target]
        there = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=there, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert target.read_bytes().decode("utf-8").startswith('{"id": "甲"')

    @pytest.mark.parametrize(
        "line", [b"[" * 100_000, b'{"id": ' + b"[" * 100_000, b'{"id": 1, "text": 2}', b"\xff"]
    )
    def test_a_line_that_cannot_be_read_ends_it_with_one(self, tmp_path: Path, line: bytes) -> None:
        source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        source.write_bytes(line)
        assert ended(["ner", "predict", "--input", source, "--output", target]) == 1
        assert [one.name for one in tmp_path.iterdir()] == ["in.jsonl"]

    def test_wrong_usage_ends_it_with_two(self, tmp_path: Path) -> None:
        source = write(tmp_path / "in.jsonl", {"id": 1, "text": ""})
        wrong = ["ner", "predict", "--input", source, "--output"]
        assert ended([*wrong, tmp_path / "out.jsonl", "--scheme", "x"]) == 2
        assert ended([*wrong, tmp_path / "nowhere" / "out.jsonl"]) == 2
        assert ended(["ner", "predict", "--input", tmp_path / "none", "--output", "o"]) == 2

    def test_of_a_failure_nothing_stays(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Method:
            def batch(self, texts: object) -> object:
                raise MemoryError

        source = write(tmp_path / "in.jsonl", {"id": 1, "text": NOTE})
        monkeypatch.setattr("xinglin_ml.method.open_method", lambda *_, **__: Method())
        arguments = ["predict", "--input", str(source), "--output", str(tmp_path / "out.jsonl")]
        assert isinstance(RUNNER.invoke(app, arguments).exception, MemoryError)
        assert [one.name for one in tmp_path.iterdir()] == ["in.jsonl"]


class TestShow:
    def test_a_note_is_printed_with_types_assertions_and_codes(self, tmp_path: Path) -> None:
        note = tmp_path / "note.txt"
        note.write_text(NOTE)
        result = RUNNER.invoke(app, ["show", str(note), "--json"])
        assert result.exit_code == 0, result.output
        shown = json.loads(result.output)
        said = {s["text"]: s["assertion"] for s in shown["spans"]}
        assert said["发热"] == "negated"
        assert said["脉细弱"] == "present"
        assert all(s["status"] == "preliminary" for s in shown["suggestions"])

    def test_the_page_escapes_the_note_and_loads_nothing(self, tmp_path: Path) -> None:
        # A note may hold markup; a page that fetched anything would tell who reads.
        note, page = tmp_path / "note.txt", tmp_path / "note.html"
        note.write_text("<script>alert(1)</script>头痛三天，" + NOTE)
        result = RUNNER.invoke(app, ["show", str(note), "--html", str(page)])
        assert result.exit_code == 0, result.output
        html = page.read_text()
        assert "<script" not in html
        assert "&lt;script&gt;" in html
        assert "<mark" in html
        assert "http" not in html
        assert "src=" not in html

    def test_a_suggestion_is_never_shown_as_a_diagnosis(self, tmp_path: Path) -> None:
        note = tmp_path / "note.txt"
        note.write_text("心悸，失眠，多梦，健忘，神疲，面色萎黄，舌淡，脉细弱。")
        result = RUNNER.invoke(app, ["show", str(note)])
        assert "初步" in result.output
        assert "不是诊断" in result.output


class TestNote:
    """Offsets of an inference refer to the record's text, whatever holds it."""

    def test_of_a_json_note_the_text_is_read(self, tmp_path: Path) -> None:
        note = tmp_path / "note.json"
        note.write_text(json.dumps({"id": 1, "text": "头痛\r\n三天"}))
        assert _note(note) == "头痛\r\n三天"
        plain = tmp_path / "note.txt"
        plain.write_bytes(note.read_bytes())
        assert _note(plain) == note.read_text()

    def test_a_correction_is_held_against_that_text(self, tmp_path: Path) -> None:
        note, found, edits = (tmp_path / n for n in ("note.json", "found.json", "edits.json"))
        note.write_text(json.dumps({"text": "头痛三天"}))
        found.write_bytes(encode_output((OutputSpan(0, 2, "疾病"),), new_salt()))
        for end, fits in ((4, True), (5, False)):
            edits.write_text(json.dumps([{"change": 0, "to": [0, end, "症状"]}]))
            named = {"--found": found, "--edits": edits, "--output": tmp_path / "out.json"}
            options = [str(part) for pair in named.items() for part in pair]
            result = RUNNER.invoke(app, ["correct", str(note), *options])
            assert (result.exit_code == 0) == fits, result.output
            assert fits or isinstance(result.exception, CorpusError)

    @pytest.mark.parametrize("content", [b"{", b"[]", b'{"image": 1}', b'{"text": 1}', b"\xff"])
    def test_what_has_no_text_is_refused(self, tmp_path: Path, content: bytes) -> None:
        note = tmp_path / "note.json"
        note.write_bytes(content)
        with pytest.raises(CorpusError, match=r"note\.json"):
            _note(note)


class TestTerminology:
    def test_a_term_is_looked_up_in_what_ships(self) -> None:
        result = RUNNER.invoke(terminology, ["look-up", "不寐", "--label", "疾病", "--json"])
        codes = {c["code"] for c in json.loads(result.output)["candidates"]}
        assert codes == {"SD84", "A04.01.13"}
