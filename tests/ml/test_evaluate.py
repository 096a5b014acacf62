"""Scores of spans, by our scorer and by seqeval."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin_ml.annotation import Document, Span, flat
from xinglin_ml.evaluate import (
    by_label,
    by_length,
    independent_f1,
    interval,
    mentions,
    of_corpus,
    recall_by_familiarity,
    score,
)


class TestStrict:
    def test_a_span_with_other_offsets_or_another_label_is_wrong(self) -> None:
        gold = [[Span(0, 2, "a"), Span(3, 5, "b")]]
        found = score(gold, [[Span(0, 2, "b"), Span(3, 4, "b")]])
        assert (found.right, found.predicted, found.gold, found.f1) == (0, 2, 2, 0.0)

    def test_a_span_of_another_document_is_wrong(self) -> None:
        assert score([[Span(0, 2, "a")], []], [[], [Span(0, 2, "a")]]).f1 == 0.0

    def test_nothing_found_where_nothing_is_scores_one(self) -> None:
        assert score([[]], [[]]).f1 == 1.0
        assert score([], []).f1 == 1.0

    def test_nothing_found_where_something_is_scores_zero(self) -> None:
        assert score([[Span(0, 1, "a")]], [[]]).f1 == 0.0

    def test_subtype_and_certainty_do_not_count(self) -> None:
        assert score([[Span(0, 1, "a", "x")]], [[Span(0, 1, "a", "y", 0.3)]]).f1 == 1.0


class TestOfCorpus:
    def test_the_labels_of_a_corpus_are_those_that_its_own_labels_map_to(self) -> None:
        all_five = [Span(0, 1, label) for label in ("疾病", "症状", "诊断", "治疗", "预防")]
        kept = {
            corpus: "".join(s.label[0] for s in of_corpus(all_five, corpus))
            for corpus in ("package_insert", "tcm_literature", "medical_qa", "own_prevention")
        }
        assert kept == {
            "package_insert": "疾症诊治",
            "tcm_literature": "疾症诊治",
            "medical_qa": "疾症治",
            "own_prevention": "疾症诊治预",
        }


spans = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 4), st.sampled_from("ab")), max_size=5
).map(lambda made: flat(tuple({Span(a, a + n, k) for a, n, k in made})))


class TestAgreement:
    @settings(deadline=None)  # The first call imports seqeval.
    @given(st.lists(st.tuples(spans, spans), min_size=1, max_size=4))
    def test_seqeval_gives_the_same_score(
        self, made: list[tuple[tuple[Span, ...], tuple[Span, ...]]]
    ) -> None:
        documents = [Document(str(i), "x" * 14, g) for i, (g, _) in enumerate(made)]
        predicted = [p for _, p in made]
        gold = [d.spans for d in documents]
        if not any(gold) or not any(predicted):
            return  # seqeval calls an empty set a zero; ours is defined otherwise above.
        ours = score(gold, predicted).f1
        assert independent_f1(documents, predicted, ("a", "b")) == pytest.approx(ours)


class TestViews:
    GOLD = Document("1", "头痛头痛咳", (Span(0, 2, "a"), Span(2, 4, "a"), Span(4, 5, "b")))

    def test_mentions_are_sets_without_offsets(self) -> None:
        found = mentions([self.GOLD], [[Span(0, 2, "a")]])
        assert (found.right, found.predicted, found.gold) == (1, 1, 2)

    def test_labels_and_lengths_are_scored_apart(self) -> None:
        gold, predicted = [self.GOLD.spans], [[Span(0, 2, "a"), Span(4, 5, "a")]]
        assert by_label(gold, predicted)["b"].f1 == 0.0
        assert by_length(gold, predicted)["1-2"].right == 1

    def test_recall_is_split_by_what_training_has_seen(self) -> None:
        seen, new = recall_by_familiarity([self.GOLD], [[Span(4, 5, "b")]], {"头痛"})
        assert (seen.recall, new.recall) == (0.0, 1.0)

    def test_the_interval_holds_the_score_and_is_the_same_every_time(self) -> None:
        gold = [self.GOLD.spans] * 20
        predicted = [[Span(0, 2, "a")]] * 10 + [list(self.GOLD.spans)] * 10
        low, high = interval(gold, predicted)
        assert low < score(gold, predicted).f1 < high
        assert (low, high) == interval(gold, predicted)
