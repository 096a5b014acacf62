"""Spans to tags and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin_ml.annotation import Span
from xinglin_ml.errors import CorpusError
from xinglin_ml.tagging import Tagging

TAGGING = Tagging(("a", "b", "c"))


@st.composite
def flat_spans(draw: st.DrawFn) -> tuple[list[Span], int]:
    """Spans that do not overlap, and the length of their text."""
    spans: list[Span] = []
    at = 0
    for gap, size, label in draw(
        st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4), st.sampled_from("abc")))
    ):
        spans.append(Span(at + gap, at + gap + size, label))
        at += gap + size
    return spans, at + draw(st.integers(0, 3))


class TestLaws:
    @settings(deadline=None)
    @given(flat_spans())
    def test_what_is_encoded_is_decoded(self, made: tuple[list[Span], int]) -> None:
        spans, length = made
        assert TAGGING.decode(TAGGING.encode(spans, length)) == spans

    @settings(deadline=None)
    @given(st.data(), st.integers(1, 12))
    def test_every_legal_sequence_of_tags_is_encoded_as_itself(
        self, data: st.DataObject, length: int
    ) -> None:
        legal = TAGGING.legal()
        before, after = TAGGING.count, TAGGING.count + 1
        # Walk backwards from the end over tags that can still be finished.
        reach = [set[int]() for _ in range(length)]
        reach[-1] = {t for t in range(TAGGING.count) if legal[t, after]}
        for at in range(length - 2, -1, -1):
            reach[at] = {t for t in range(TAGGING.count) if any(legal[t, n] for n in reach[at + 1])}
        tags: list[int] = []
        last = before
        for at in range(length):
            tags.append(data.draw(st.sampled_from(sorted(t for t in reach[at] if legal[last, t]))))
            last = tags[-1]
        assert TAGGING.encode(TAGGING.decode(tags), length) == tags


class TestRefusals:
    def test_overlap_is_refused(self) -> None:
        with pytest.raises(CorpusError, match="overlaps"):
            TAGGING.encode([Span(0, 2, "a"), Span(1, 3, "b")], 4)

    def test_a_span_outside_the_text_is_refused(self) -> None:
        with pytest.raises(CorpusError, match="outside"):
            TAGGING.encode([Span(0, 5, "a")], 4)

    def test_a_strange_label_is_refused(self) -> None:
        with pytest.raises(CorpusError, match="expected one of"):
            TAGGING.encode([Span(0, 1, "z")], 4)

    @pytest.mark.parametrize("tags", [[2], [3], [1], [1, 0], [1, 1], [1, 7], [1, 4], [4, 3]])
    def test_tags_in_an_illegal_order_are_refused(self, tags: list[int]) -> None:
        # B, I, E, S of `a` are 1, 2, 3, 4.
        with pytest.raises(CorpusError):
            TAGGING.decode(tags)

    def test_the_table_of_legal_transitions_forbids_what_decoding_refuses(self) -> None:
        legal = TAGGING.legal()
        for first in range(TAGGING.count):
            for second in range(TAGGING.count):
                allowed = (
                    legal[TAGGING.count, first]
                    and legal[first, second]
                    and legal[second, TAGGING.count + 1]
                )
                try:
                    TAGGING.decode([first, second])
                    decoded = True
                except CorpusError:
                    decoded = False
                assert decoded == allowed, (first, second)
