"""
Scores of spans as sets: strict, as mentions, by type, by length, unseen; with intervals.

>>> gold = [[Span(0, 2, "症状")]]
>>> score(gold, gold).f1
1.0

An empty prediction on an empty gold scores 1: nothing was asked and nothing was wrong.
"""

from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from xinglin_ml.annotation import Document, Span, flat
from xinglin_ml.schema import TO_DIAGNOSTIC
from xinglin_ml.tagging import Tagging

RESAMPLES = 1000
"""Of the bootstrap: the limits move by less than 0.002 from one run to the next."""

Spans = Sequence[Sequence[Span]]
"""For each document, its spans."""


def of_corpus(spans: Sequence[Span], corpus: str) -> list[Span]:
    """
    Return the spans under a diagnostic label that some native label of `corpus` maps to.

    Where a public corpus is scored in the diagnostic scheme, these alone are counted: it could
    not mark the others, so they are no errors. They are 疾病 症状 诊断 治疗 for tcm_literature and
    package_insert, and without 诊断 for medical_qa. Our own texts have all five: all are returned.
    """
    if corpus not in TO_DIAGNOSTIC:
        return list(spans)
    labels = {label for label, _ in TO_DIAGNOSTIC[corpus].values()}
    return [s for s in spans if s.label in labels]


@dataclass(frozen=True, slots=True)
class Score:
    """Counts, and what follows from them."""

    right: int
    predicted: int
    gold: int

    @property
    def precision(self) -> float:
        """How much of what was found is right."""
        return self.right / self.predicted if self.predicted else float(not self.gold)

    @property
    def recall(self) -> float:
        """How much of what is there was found."""
        return self.right / self.gold if self.gold else float(not self.predicted)

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        total = self.predicted + self.gold
        return 2 * self.right / total if total else 1.0


def score(gold: Spans, predicted: Spans) -> Score:
    """Strict match: same document, same offsets, same label."""
    return _total(_counts(gold, predicted))


def _counts(gold: Spans, predicted: Spans) -> list[tuple[int, int, int]]:
    counts: list[tuple[int, int, int]] = []
    for g, p in zip(gold, predicted, strict=True):
        left, right = {s.key for s in g}, {s.key for s in p}
        counts.append((len(left & right), len(right), len(left)))
    return counts


def _total(counts: Iterable[tuple[int, int, int]]) -> Score:
    columns = list(zip(*counts, strict=True))
    return Score(*(sum(c) for c in columns)) if columns else Score(0, 0, 0)


def interval(gold: Spans, predicted: Spans, *, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the strict F1 by resampling documents."""
    counts = np.array(_counts(gold, predicted), dtype=np.int64).reshape(-1, 3)
    if not len(counts):
        return 1.0, 1.0
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(counts), size=(RESAMPLES, len(counts)))
    right, found, there = np.moveaxis(counts[picks].sum(1), 1, 0)
    f1 = np.where(found + there > 0, 2 * right / np.maximum(found + there, 1), 1.0)
    low, high = np.percentile(f1, [2.5, 97.5])
    return float(low), float(high)


def by_label(gold: Spans, predicted: Spans) -> dict[str, Score]:
    """Return the strict score of each label that occurs."""
    labels = sorted({s.label for d in (*gold, *predicted) for s in d})
    return {n: score(_keep(gold, n), _keep(predicted, n)) for n in labels}


def _keep(spans: Spans, label: str) -> list[list[Span]]:
    return [[s for s in d if s.label == label] for d in spans]


LENGTHS = ((1, 2), (3, 4), (5, 8), (9, 10_000))
"""Characters of a span, from and to."""


def by_length(gold: Spans, predicted: Spans) -> dict[str, Score]:
    """Return the strict score of spans of each length."""

    def between(spans: Spans, low: int, high: int) -> list[list[Span]]:
        return [[s for s in d if low <= s.end - s.start <= high] for d in spans]

    return {
        f"{low}-{high}" if high < 100 else f"{low}+": score(
            between(gold, low, high), between(predicted, low, high)
        )
        for low, high in LENGTHS
    }


def mentions(documents: Sequence[Document], predicted: Spans) -> Score:
    """Return the score of sets of (surface, label) in each document: offsets do not count."""
    counts: list[tuple[int, int, int]] = []
    for document, spans in zip(documents, predicted, strict=True):
        left = {(document.surface(s), s.label) for s in document.spans}
        right = {(document.text[s.start : s.end], s.label) for s in spans}
        counts.append((len(left & right), len(right), len(left)))
    return _total(counts)


def recall_by_familiarity(
    documents: Sequence[Document], predicted: Spans, seen: Set[str]
) -> tuple[Score, Score]:
    """Return recall on gold spans whose surface is in `seen`, and on those whose is not."""
    counts = {True: [0, 0], False: [0, 0]}
    for document, spans in zip(documents, predicted, strict=True):
        found = {s.key for s in spans}
        for span in document.spans:
            one = counts[document.surface(span) in seen]
            one[0] += span.key in found
            one[1] += 1
    known, new = counts[True], counts[False]
    return Score(known[0], known[1], known[1]), Score(new[0], new[1], new[1])


def independent_f1(documents: Sequence[Document], predicted: Spans, labels: Sequence[str]) -> float:
    """
    Return seqeval's strict F1 over the same spans.

    Tags hold one layer, so gold that nests is flattened first: compare with `score` over
    `flat` gold.
    """
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOBES

    tagging = Tagging(tuple(labels))
    names = ["O", *(f"{p}-{n}" for n in labels for p in "BIES")]

    def tagged(spans: Iterable[Span], length: int) -> list[str]:
        return [names[t] for t in tagging.encode(list(spans), length)]

    gold = [tagged(flat(d.spans), len(d.text)) for d in documents]
    guess = [tagged(p, len(d.text)) for d, p in zip(documents, predicted, strict=True)]
    value: Any = f1_score(gold, guess, mode="strict", scheme=IOBES)
    return float(value)


def report(
    documents: Sequence[Document],
    predict: Callable[[Sequence[str]], Spans],
    *,
    seen: Set[str] = frozenset(),
    labels: Sequence[str] = (),
) -> dict[str, object]:
    """Return every score as plain numbers, rounded to four places."""
    gold = [d.spans for d in documents]
    predicted = predict([d.text for d in documents])
    strict = score(gold, predicted)
    known, new = recall_by_familiarity(documents, predicted, seen)
    low, high = interval(gold, predicted)
    result: dict[str, object] = {
        "documents": len(documents),
        "spans": strict.gold,
        "strict": _numbers(strict),
        "interval": [round(low, 4), round(high, 4)],
        "mentions": _numbers(mentions(documents, predicted)),
        "by_label": {k: _numbers(v) for k, v in by_label(gold, predicted).items()},
        "by_length": {k: _numbers(v) for k, v in by_length(gold, predicted).items()},
        "recall_seen": [round(known.recall, 4), known.gold],
        "recall_unseen": [round(new.recall, 4), new.gold],
    }
    if labels:
        flattened = score([flat(d.spans) for d in documents], predicted)
        result["strict_flat"] = round(flattened.f1, 4)
        result["seqeval_flat"] = round(independent_f1(documents, predicted, labels), 4)
    return result


def _numbers(value: Score) -> dict[str, float | int]:
    return {
        "precision": round(value.precision, 4),
        "recall": round(value.recall, 4),
        "f1": round(value.f1, 4),
        "gold": value.gold,
    }
