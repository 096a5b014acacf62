"""
How far two annotators agree, on the test notes.

    python -m xinglin_ml.corpora.own.agreement

`first_pass.txt` holds the test notes as the first annotator left them before the gold was resolved,
`second_pass.txt` the same notes by a second, independent annotator, who had only the guideline,
the markup and the bare texts. This measures how far the written rules carry, not how two people
would agree; see the guideline, section 6.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from xinglin.errors import InvalidEncoding
from xinglin_ml.corpora import markup
from xinglin_ml.corpora.markup import AnnotatedSentence, AnnotatedSpan
from xinglin_ml.corpora.own import source

OUTSIDE: Final = ""
"""The class of a character that is in no span."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two passes compared. All figures but the counts are from 0 to 1."""

    sentences: int
    first_spans: int
    second_spans: int

    strict_f1: float
    """Of spans with the same offsets and type; it is the same whichever pass is the reference."""

    character_kappa: float
    """Cohen's kappa over characters, each of one type or of none."""

    assertion: float
    """Share with the same assertion and `about`, of the spans on which both passes agree."""

    assertion_kappa: float
    """Cohen's kappa of the assertion alone on those spans: most are `present`, by chance too."""

    subtype: float
    """Share with the same subtype, of the same spans."""


def cohen_kappa(first: Sequence[str], second: Sequence[str]) -> float:
    """Return agreement beyond chance; 1.0 where both passes used one and the same class."""
    total = len(first)
    if total != len(second) or not total:
        raise InvalidEncoding(f"expected two equal, non-empty lists, got {total}, {len(second)}")
    observed = sum(a == b for a, b in zip(first, second, strict=True)) / total
    counts, others = Counter(first), Counter(second)
    chance = sum(counts[name] * others[name] for name in counts) / total**2
    return 1.0 if chance == 1.0 else (observed - chance) / (1 - chance)


def compare(
    first: Iterable[AnnotatedSentence],
    second: Iterable[AnnotatedSentence],
    label: str | None = None,
) -> Agreement:
    """
    Compare two passes over the same sentences; of one type where `label` is given.

    Raises `InvalidEncoding` where the sentences or their order differ.
    """
    pairs = list(zip(first, second, strict=True))
    matched = list[tuple[AnnotatedSpan, AnnotatedSpan]]()
    classes, other_classes = list[str](), list[str]()
    first_spans = second_spans = 0
    for one, two in pairs:
        if (one.id, one.text) != (two.id, two.text):
            raise InvalidEncoding(f"expected the same sentence in both passes, got {two.id}")
        left, right = _by_place(one, label), _by_place(two, label)
        first_spans += len(left)
        second_spans += len(right)
        matched += [(left[place], right[place]) for place in sorted(left.keys() & right.keys())]
        classes += _classes(one, label)
        other_classes += _classes(two, label)
    kinds = [(a.assertion, b.assertion) for a, b in matched]
    return Agreement(
        sentences=len(pairs),
        first_spans=first_spans,
        second_spans=second_spans,
        strict_f1=_share(2 * len(matched), first_spans + second_spans),
        character_kappa=cohen_kappa(classes, other_classes),
        assertion=_share(
            sum((a.assertion, a.about) == (b.assertion, b.about) for a, b in matched),
            len(matched),
        ),
        assertion_kappa=cohen_kappa([a for a, _ in kinds], [b for _, b in kinds]),
        subtype=_share(sum(a.subtype == b.subtype for a, b in matched), len(matched)),
    )


def passes() -> tuple[list[AnnotatedSentence], list[AnnotatedSentence]]:
    """Return the test notes as the first and as the second pass has them."""
    return (
        list(markup.parse(source("first_pass.txt"))),
        list(markup.parse(source("second_pass.txt"))),
    )


def _by_place(
    sentence: AnnotatedSentence, label: str | None
) -> dict[tuple[int, int, str], AnnotatedSpan]:
    return {
        (span.start, span.end, span.label): span
        for span in sentence.spans
        if label is None or span.label == label
    }


def _classes(sentence: AnnotatedSentence, label: str | None) -> list[str]:
    classes = [OUTSIDE] * len(sentence.text)
    for span in sentence.spans:
        if label is None or span.label == label:
            classes[span.start : span.end] = [span.label] * (span.end - span.start)
    return classes


def _share(part: int, whole: int) -> float:
    """Two passes that both mark nothing agree."""
    return part / whole if whole else 1.0


def report() -> str:
    """Return the table that the guideline quotes: each kind of text, then each type."""
    first, second = passes()
    rows = ["                sentences  spans 1  spans 2  strict F1  kappa  assertion  its kappa"]
    parts = {"outpatient": "o", "prevention": "p", "both": "op"}
    for name, letters in parts.items():
        found = compare(
            [s for s in first if s.note[0] in letters], [s for s in second if s.note[0] in letters]
        )
        rows.append(_row(name, found))
    rows += [_row(label, compare(first, second, label)) for label in markup.SUBTYPES]
    return "\n".join(rows)


def _row(name: str, found: Agreement) -> str:
    wide = name + " " * (16 - len(name) - sum(character > "\u2e80" for character in name))
    return (
        f"{wide}{found.sentences:9}{found.first_spans:9}{found.second_spans:9}"
        f"{found.strict_f1:11.3f}{found.character_kappa:7.3f}"
        f"{found.assertion:11.3f}{found.assertion_kappa:11.3f}"
    )


if __name__ == "__main__":
    print(report())
