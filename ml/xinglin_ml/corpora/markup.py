"""
Read annotated sentences that were written by hand, one a line, in an inline markup.

    # o001 内科
    [头痛|s]3天，无[发热|s-]，其父有[高血压|d^]。

A header opens a note: its id, its department or subject, and `general` where the note speaks
of people at large. A span is `[text|code]`: a letter for the type, a letter for the subtype if
it is not the first of its type, then marks of assertion and of whom it concerns. The meaning of
each is in `docs/annotation-guideline.md`, section 5. Reading is strict: there is one way to write
each span, and what does not parse raises `xinglin.errors.InvalidEncoding`.

    >>> text, spans = parse_line("[头痛|s]3天，无[发热|s-]。", general=False)
    >>> text
    '头痛3天，无发热。'
    >>> [(span.start, span.end, span.label, span.assertion) for span in spans]
    [(0, 2, '症状', 'present'), (6, 8, '症状', 'negated')]
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from xinglin.errors import InvalidEncoding
from xinglin_ml.schema import ENTITY_TYPES

SUBTYPES: Final[Mapping[str, tuple[str, ...]]] = {
    entity.label: entity.subtypes for entity in ENTITY_TYPES
}
"""The finer types under each of the five, as the schema has them."""

ASSERTIONS: Final = ("present", "negated", "uncertain", "historical", "family")
"""What the sentence says of the thing: there, not there, perhaps, in the past, in a relative."""

CONCERNS: Final = ("patient", "family", "other", "general")
"""Whom a span is about; `general` is people at large."""

_TYPE_LETTERS: Final[Mapping[str, str]] = {
    "d": "疾病",
    "s": "症状",
    "z": "诊断",
    "t": "治疗",
    "p": "预防",
}

_SUBTYPE_LETTERS: Final[Mapping[str, str]] = {
    "d": "western_disease",
    "dc": "tcm_disease",
    "s": "symptom",
    "sg": "sign",
    "st": "tongue",
    "sp": "pulse",
    "z": "syndrome",
    "t": "herb",
    "tf": "formula",
    "tc": "patent_medicine",
    "tw": "western_drug",
    "tn": "therapy",
    "ta": "acupoint",
    "tr": "procedure",
    "tm": "method",
    "tx": "other",
    "pv": "vaccine",
    "pd": "diet",
    "pe": "exercise",
    "pl": "lifestyle",
    "ph": "hygiene",
    "ps": "screening",
    "pf": "safety",
    "pc": "concept",
}

_ASSERTION_MARKS: Final[Mapping[str, str]] = {"-": "negated", "?": "uncertain", "<": "historical"}
_ABOUT_MARKS: Final[Mapping[str, str]] = {
    "^": "family",
    "@": "other",
    "~": "general",
    "=": "patient",
}

_CODE: Final = re.compile(r"([dsztp][a-z]?)([-?<]?)([\^@~=]?)")
_HEADER: Final = re.compile(r"# ([a-z]\d{3})( general)? (\S+)")
_EDGE_PUNCTUATION: Final = frozenset("，。；：、！？,.;:!?（）()“”\"'《》〈〉 \u3000")

TEST_EVERY: Final = 3
"""A note whose number this divides is test: a third of the notes."""

TRAINING_ONLY: Final = ("q", "r", "u", "v", "w", "x", "y", "z")
"""The letters of notes that were written for training alone, after the test part was closed."""


@dataclass(frozen=True, slots=True)
class AnnotatedSpan:
    """Half-open character offsets into a sentence, with what is said of them."""

    start: int
    end: int
    label: str
    subtype: str
    assertion: str
    about: str

    def to_json(self) -> dict[str, str | int]:
        """Return the members in the order in which the corpora's files have them."""
        return {
            "start": self.start,
            "end": self.end,
            "label": self.label,
            "subtype": self.subtype,
            "assertion": self.assertion,
            "about": self.about,
        }


@dataclass(frozen=True, slots=True)
class AnnotatedSentence:
    """One line of a note. `id` is the note's and the line's number, as in `o012-03`."""

    id: str
    note: str
    topic: str
    split: str
    text: str
    spans: tuple[AnnotatedSpan, ...]
    general: bool
    """Whether the header of the note says that it speaks of people at large."""

    def to_json(self) -> dict[str, object]:
        """Return a line of JSON as training and scoring read it."""
        return {
            "id": self.id,
            "text": self.text,
            "spans": [span.to_json() for span in self.spans],
        }


def split_of(note: str) -> str:
    """Return `test` for every third note by its number; `train` for the others and for extras."""
    if note.startswith(TRAINING_ONLY):
        return "train"
    return "test" if int(note[1:]) % TEST_EVERY == 0 else "train"


def parse(source: str) -> Iterator[AnnotatedSentence]:
    """
    Yield the sentences of a file in the markup, in order.

    Lines before the first header that begin with `##` are comments. Raises `InvalidEncoding`
    for a line that does not parse, a note id used twice, or a note without sentences.
    """
    note, topic, general, line_number, seen = "", "", False, 0, set[str]()
    for row, line in enumerate(source.splitlines(), 1):
        if line.startswith("##") and not note:
            continue
        if not line:
            continue
        if line.startswith("#"):
            header = _HEADER.fullmatch(line)
            if header is None:
                raise InvalidEncoding(f"line {row}: expected '# o001 topic', got {line[:20]!r}")
            if note and not line_number:
                raise InvalidEncoding(f"line {row}: note {note} has no sentence")
            note, general, topic, line_number = header[1], bool(header[2]), header[3], 0
            if note in seen:
                raise InvalidEncoding(f"line {row}: note {note} occurs twice")
            seen.add(note)
            continue
        if not note:
            raise InvalidEncoding(f"line {row}: a sentence before the first header")
        line_number += 1
        try:
            text, spans = parse_line(line, general=general)
        except InvalidEncoding as error:
            raise InvalidEncoding(f"line {row}: {error}") from error
        yield AnnotatedSentence(
            f"{note}-{line_number:02}", note, topic, split_of(note), text, tuple(spans), general
        )


def parse_line(line: str, *, general: bool) -> tuple[str, list[AnnotatedSpan]]:
    """
    Return the bare text of one marked sentence and its spans.

    `general` says that the note speaks of people at large unless a mark says otherwise.
    Raises `InvalidEncoding` for an unclosed bracket, an unknown code, an empty span, or a span
    that begins or ends with punctuation.
    """
    text, spans, position = "", list[AnnotatedSpan](), 0
    while (opening := line.find("[", position)) >= 0:
        closing = line.find("]", opening)
        if closing < 0:
            raise InvalidEncoding(f"expected ']' after {line[opening : opening + 12]!r}")
        before, marked = line[position:opening], line[opening + 1 : closing]
        words, bar, code = marked.partition("|")
        if not bar or not words or "[" in words:
            raise InvalidEncoding(f"expected 'text|code' in brackets, got {marked!r}")
        if words[0] in _EDGE_PUNCTUATION or words[-1] in _EDGE_PUNCTUATION:
            raise InvalidEncoding(f"expected no punctuation at the edges of {words!r}")
        text += before
        spans.append(_span(len(text), words, code, general=general))
        text += words
        position = closing + 1
    text += line[position:]
    if any(mark in text for mark in "[]|"):
        raise InvalidEncoding(f"expected brackets only around spans, got {text!r}")
    if not text.strip():
        raise InvalidEncoding("expected a sentence, got none")
    return text, spans


def _span(start: int, words: str, code: str, *, general: bool) -> AnnotatedSpan:
    """Read a code; section 4 of the guideline says what follows where it is silent."""
    match = _CODE.fullmatch(code)
    if match is None or match[1] not in _SUBTYPE_LETTERS:
        raise InvalidEncoding(f"expected a known code for {words!r}, got {code!r}")
    label, subtype = _TYPE_LETTERS[code[0]], _SUBTYPE_LETTERS[match[1]]
    about = _ABOUT_MARKS.get(match[3], "general" if general else "patient")
    assertion = _ASSERTION_MARKS.get(match[2], "present")
    if assertion == "present" and about == "family":
        assertion = "family"
    if assertion == "present" and about == "general" and label in ("疾病", "症状", "诊断"):
        assertion = "uncertain"
    return AnnotatedSpan(start, start + len(words), label, subtype, assertion, about)
