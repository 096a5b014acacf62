"""
Score the rules of assertion, as they ship, on the annotated spans of the project's own texts.

    python -m xinglin_ml.assertion_score

Most spans are said to be there, so the share of right kinds is printed beside that of always
answering `present`, and the recall of each kind beside both. Nobody tells the rules in use
that a text speaks of people at large; `told` is what they would do if somebody did.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from xinglin_ml.annotation import Span
from xinglin_ml.assertion import assertions
from xinglin_ml.corpora import own
from xinglin_ml.corpora.markup import ASSERTIONS, AnnotatedSentence


@dataclass(frozen=True, slots=True)
class AssertionScore:
    """How often the rules say of a gold span what the annotation says."""

    spans: int
    kind: float
    """Share of spans with the right kind."""

    always_present: float
    """The same share for answering `present` each time."""

    about: float
    """Share of spans with the right answer to whom it concerns."""

    macro_f1: float
    """Mean over the kinds that the annotation has."""

    recall: dict[str, tuple[int, int]]
    """By kind: found, and annotated."""


def score_assertions(
    sentences: Iterable[AnnotatedSentence], *, told: bool = False
) -> AssertionScore:
    """Score the rules; where `told`, they hear what the header of the note says."""
    pairs: Counter[tuple[str, str]] = Counter()
    about = 0
    for sentence in sentences:
        spans = [Span(s.start, s.end, s.label) for s in sentence.spans]
        found = assertions(sentence.text, spans, general=told and sentence.general)
        for gold, said in zip(sentence.spans, found, strict=True):
            pairs[gold.assertion, said.kind] += 1
            about += gold.about == said.about
    total = max(sum(pairs.values()), 1)
    gold_kinds, said_kinds = Counter[str](), Counter[str]()
    for (gold_kind, said_kind), number in pairs.items():
        gold_kinds[gold_kind] += number
        said_kinds[said_kind] += number
    right = {kind: pairs[kind, kind] for kind in ASSERTIONS if gold_kinds[kind]}
    f1 = [2 * n / (gold_kinds[kind] + said_kinds[kind]) for kind, n in right.items()]
    return AssertionScore(
        sum(pairs.values()),
        sum(right.values()) / total,
        gold_kinds["present"] / total,
        about / total,
        sum(f1) / max(len(f1), 1),
        {kind: (n, gold_kinds[kind]) for kind, n in right.items()},
    )


def own_scores(split: own.Split) -> dict[str, AssertionScore]:
    """Return the scores of a part of the notes and of the texts on prevention, by name."""
    return {
        f"own_{kind}.{split}.assertion{'.told' if told else ''}": score_assertions(
            own.sentences(kind, split), told=told
        )
        for kind in own.KINDS
        for told in (False, True)
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Score the rules of assertion.")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    for name, scores in own_scores(parser.parse_args().split).items():
        values = {n: round(v, 4) if isinstance(v, float) else v for n, v in asdict(scores).items()}
        print(name, json.dumps(values))


if __name__ == "__main__":
    main()
