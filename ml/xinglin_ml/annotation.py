"""
Text and what was marked in it: half-open offsets in code points, checked on entry.

>>> document = Document("n1", "头痛三天", (Span(0, 2, "症状"),))
>>> document.surface(document.spans[0])
'头痛'
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from xinglin_ml.errors import CorpusError


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters from `start` to before `end`, and what they name."""

    start: int
    end: int

    label: str
    """A label of the scheme in use."""

    subtype: str | None = None
    """A finer type, where one is known."""

    score: float | None = None
    """How sure the model is, from 0 to 1; none for gold."""

    @property
    def key(self) -> tuple[int, int, str]:
        """What a strict match compares."""
        return self.start, self.end, self.label


@dataclass(frozen=True, slots=True)
class Document:
    """One text with its spans, ordered. Raises `CorpusError` for offsets outside the text."""

    id: str
    text: str
    spans: tuple[Span, ...] = ()

    def __post_init__(self) -> None:
        for span in self.spans:
            if not 0 <= span.start < span.end <= len(self.text):
                raise CorpusError(
                    f"{self.id}: span {span.start} to {span.end} is outside "
                    f"a text of {len(self.text)}"
                )

    def surface(self, span: Span) -> str:
        """Return the characters of `span`."""
        return self.text[span.start : span.end]


def flat(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Drop spans that overlap a longer one: a sequence of tags can hold one layer only."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start, s.label)):
        if all(span.end <= other.start or other.end <= span.start for other in kept):
            kept.append(span)
    return tuple(sorted(kept))


def read_documents(path: Path, *, limit: int | None = None) -> Iterator[Document]:
    """
    Yield the documents of one JSON Lines file; `spans` may be absent.

    Raises `CorpusError` for a line that is not an object with `id` and `text`, for
    offsets outside the text, and for a `text` member that differs from the offsets.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if limit is not None and number > limit:
                return
            if line.strip():
                yield _document(line, where=f"{path.name}:{number}")


def line_of(document: Document) -> str:
    """Return a document as the line that `read_documents` reads, without its end."""
    spans = [
        {"start": s.start, "end": s.end, "label": s.label}
        | ({"subtype": s.subtype} if s.subtype else {})
        for s in document.spans
    ]
    return json.dumps(
        {"id": document.id, "text": document.text, "spans": spans}, ensure_ascii=False
    )


def _document(line: bytes, *, where: str) -> Document:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise CorpusError(f"{where}: expected one JSON object a line") from error
    if not isinstance(value, dict):
        raise CorpusError(f"{where}: expected an object")
    item = cast(dict[str, Any], value)
    identifier, text = item.get("id"), item.get("text")
    if not isinstance(identifier, str | int) or not isinstance(text, str):
        raise CorpusError(f"{where}: expected text in members id and text")
    spans: list[Span] = []
    for one in item.get("spans", []):
        try:
            span = Span(int(one["start"]), int(one["end"]), str(one["label"]), one.get("subtype"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorpusError(f"{where}: expected start, end and label in each span") from error
        if "text" in one and one["text"] != text[span.start : span.end]:
            raise CorpusError(f"{where}: the offsets of a span disagree with its text")
        spans.append(span)
    return Document(str(identifier), text, tuple(sorted(spans)))
