"""Documents, their spans, and the windows that they are read in."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin_ml.annotation import Document, Span, flat, read_documents
from xinglin_ml.errors import CorpusError
from xinglin_ml.windows import windows


class TestDocument:
    @pytest.mark.parametrize(("start", "end"), [(0, 0), (2, 1), (-1, 1), (0, 5)])
    def test_offsets_outside_the_text_are_refused(self, start: int, end: int) -> None:
        with pytest.raises(CorpusError, match="outside"):
            Document("n", "头痛三天", (Span(start, end, "症状"),))

    def test_offsets_that_disagree_with_the_text_are_refused(self, tmp_path: Path) -> None:
        line = {
            "id": "n",
            "text": "头痛三天",
            "spans": [{"start": 0, "end": 2, "label": "症状", "text": "头疼"}],
        }
        path = tmp_path / "a.jsonl"
        path.write_text(json.dumps(line))
        with pytest.raises(CorpusError, match="disagree"):
            list(read_documents(path))

    @pytest.mark.parametrize(
        "line",
        [
            "{",
            "[]",
            '{"id": "a"}',
            '{"id": "a", "text": 1}',
            '{"id": "a", "text": "b", "spans": [{}]}',
        ],
    )
    def test_a_line_that_is_no_document_is_refused(self, tmp_path: Path, line: str) -> None:
        path = tmp_path / "a.jsonl"
        path.write_text(line)
        with pytest.raises(CorpusError):
            list(read_documents(path))

    def test_of_overlapping_spans_the_longer_stays(self) -> None:
        assert flat((Span(0, 2, "a"), Span(0, 4, "b"), Span(5, 6, "a"))) == (
            Span(0, 4, "b"),
            Span(5, 6, "a"),
        )


class TestWindows:
    @settings(deadline=None)
    @given(st.text(alphabet="a，。\n头", max_size=400), st.integers(2, 40))
    def test_windows_cover_the_text_once_in_order(self, text: str, longest: int) -> None:
        found = windows(text, longest)
        assert "".join(text[a:b] for a, b in found) == text
        assert all(0 < b - a <= longest for a, b in found)

    def test_a_cut_falls_after_a_sentence_if_one_ends(self) -> None:
        assert windows("头痛。" + "三" * 8, 9) == [(0, 3), (3, 11)]

    def test_an_empty_text_has_no_window(self) -> None:
        assert windows("") == []
