"""
A clinician's corrections: a new version of an inference's spans, linked to the old one.

    edited = correct(text, old, [Remove(0), Add(Span(4, 6, "症状"))])

Sealing, signing and linking are the library's (`xinglin record submit --follows --reason`).
What was corrected can train a model only where the subject's grant allows research, and then
without anything but text and spans.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from xinglin import canonical
from xinglin.errors import InvalidEncoding, UsageError, VerificationError
from xinglin.grant import Terms
from xinglin.purposes import NO_METHODS, RESEARCH_PURPOSE
from xinglin_ml.annotation import Document, Span
from xinglin_ml.errors import CorpusError
from xinglin_ml.schema import DIAGNOSTIC


@dataclass(frozen=True, slots=True)
class Remove:
    """Take away the span at this place of the old list."""

    index: int


@dataclass(frozen=True, slots=True)
class Add:
    """Put in a span that was missed."""

    span: Span


@dataclass(frozen=True, slots=True)
class Change:
    """Replace the span at this place: other offsets, another label, or both."""

    index: int
    span: Span


Edit = Remove | Add | Change


def correct(text: str, old: Sequence[Span], edits: Sequence[Edit]) -> tuple[Span, ...]:
    """
    Return the spans after all edits, in order, without scores: a person stands behind them.

    Raises `UsageError` for no edit at all, a place edited twice or not there, a strange label,
    an overlap; `CorpusError` for offsets outside the text.
    """
    if not edits:
        raise UsageError("expected at least one edit: a correction that changes nothing is none")
    touched: set[int] = set()
    added: list[Span] = []
    for edit in edits:
        if not isinstance(edit, Add):
            if not 0 <= edit.index < len(old):
                raise UsageError(f"expected a place below {len(old)}, got {edit.index}")
            if edit.index in touched:
                raise UsageError(f"place {edit.index} is edited twice")
            touched.add(edit.index)
        if not isinstance(edit, Remove):
            added.append(edit.span)
    kept = [s for i, s in enumerate(old) if i not in touched]
    spans = tuple(
        sorted(
            (Span(s.start, s.end, s.label, s.subtype) for s in (*kept, *added)),
            key=lambda s: s.key,
        )
    )
    for span in spans:
        if span.label not in DIAGNOSTIC.labels:
            raise UsageError(f"expected one of {', '.join(DIAGNOSTIC.labels)}, got {span.label}")
    for one, next_one in itertools.pairwise(spans):
        if next_one.start < one.end:
            raise UsageError(f"spans at {one.start} and {next_one.start} overlap")
    return Document("correction", text, spans).spans


def edits_of(data: bytes) -> list[Edit]:
    """
    Parse a file of edits: `{"remove": 0}`, `{"add": [4, 6, "症状"]}` or, to change the span at a
    place, `{"change": 1, "to": [6, 8, "症状"]}`, in a JSON array. Raises `UsageError`.
    """
    try:
        return [_edit(one) for one in cast(Any, canonical.parse(data))]
    except (InvalidEncoding, ValueError, TypeError) as error:
        raise UsageError("expected a JSON array of remove, add and change") from error


def _edit(value: Any) -> Edit:
    if set(value) == {"remove"}:
        return Remove(_place(value["remove"]))
    if set(value) == {"add"}:
        return Add(_span(value["add"]))
    if set(value) == {"change", "to"}:
        return Change(_place(value["change"]), _span(value["to"]))
    raise ValueError("neither remove, add nor change")


def _span(value: Any) -> Span:
    start, end, label = value
    return Span(_place(start), _place(end), str(label))


def _place(value: Any) -> int:
    if type(value) is not int:
        raise TypeError("a place is an integer")
    return value


BAD: dict[type[Exception], str] = {
    CorpusError: "the note has no text",
    InvalidEncoding: "the note or the output is malformed",
}
"""What is told of a record that is released and cannot be read, by what reading it raises."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """One corrected text, opened only where it may train."""

    record: str
    """The note, by any name that the caller knows it by."""

    open: Callable[[], tuple[str, tuple[Span, ...]]]
    """
    Gives the text and what stands as its spans.

    Raises `CorpusError` for a note without text, `InvalidEncoding` for a malformed one or
    output, `VerificationError` for what does not open.
    """


def training_refusal(terms: Terms) -> str | None:
    """
    Return why the terms of a grant do not let its records train a model; none where they do.

    They must name research as a purpose, not exclude the development of methods, and show the
    text (view `whole` or `deidentified`). Whether the grant holds now is the caller's to check.
    """
    if RESEARCH_PURPOSE not in terms.purposes or terms.research is None:
        return "the grant is not for research"
    if NO_METHODS in {term.id for term in terms.research.parse().modifiers}:
        return "the grant excludes the development of methods"
    if terms.view not in ("whole", "deidentified"):
        return f"the grant's view is {terms.view}, which does not show the text"
    return None


def training_documents(
    corrected: Iterable[Corrected],
    refusal: Callable[[str], str | None],
    left_out: Counter[str],
) -> Iterator[Document]:
    """
    Yield documents to train on, of those records alone for which `refusal` gives no reason.

    The others are not opened, and counted in `left_out` under their reason, as is what does not
    open or is no text with spans: one bad record ends nobody's export. Ids are counted anew: a
    training file does not say which record a sentence came from.
    """
    number = 0
    for one in corrected:
        reason = refusal(one.record)
        if reason is not None:
            left_out[reason] += 1
            continue
        try:
            text, spans = one.open()
        except (CorpusError, InvalidEncoding, VerificationError) as error:
            left_out[BAD.get(type(error), "it did not open")] += 1
            continue
        if any(span.label not in DIAGNOSTIC.labels for span in spans):
            left_out["its labels are of another scheme"] += 1
        elif any(span.start < 0 or span.end > len(text) for span in spans):
            left_out["a span lies outside its text"] += 1
        else:
            yield Document(f"c{number:06}", text, spans)
            number += 1
