"""
What a dictionary sees in a text: for each character, where it stands in known terms.

Each term has, for every label, the share of its occurrences in the training text that
were given that label. A character's features are, for each label and each of the four
places (first, middle, last, only), the largest share among the terms that cover it.
For training sentences the shares come from the other folds, or the model would learn to
trust a dictionary that knows the answers. Lists of names (`xinglin_ml.names`) have columns
of their own, where each name has the share one: no training text is behind them.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import ahocorasick
import numpy as np
from numpy.typing import NDArray

from xinglin_ml.annotation import Span
from xinglin_ml.errors import WeightsError

FORMAT = "xinglin.lexicon/1"

PLACES = 4
"""First, middle, last, only."""

SCALE = 100
"""Shares are kept in hundredths: fewer bytes, and the same floats everywhere."""

NAMES = "names"
"""Stands for the scheme in the columns of names that nobody marked in a text."""

LONGEST_TERM = 16
"""Longer spans are sentences rather than terms."""

Shares = Mapping[str, Mapping[int, int]]
"""For each term, hundredths by column."""

Features = NDArray[np.float32]
"""(T, columns * PLACES)."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Terms in normal form, with their shares under each column (scheme and label)."""

    columns: tuple[str, ...]
    """`scheme/label`, in the order of the features."""

    terms: Shares

    _automaton: list[Any] = field(default_factory=list[Any], repr=False, compare=False)

    @property
    def width(self) -> int:
        """How many features a character has."""
        return len(self.columns) * PLACES

    def _machine(self) -> Any:
        if not self._automaton:
            machine = ahocorasick.Automaton()
            for term, shares in self.terms.items():
                columns = [(c * PLACES, v / SCALE) for c, v in sorted(shares.items())]
                machine.add_word(term, (len(term), columns))
            if self.terms:
                machine.make_automaton()
            self._automaton.append(machine if self.terms else None)
        return self._automaton[0]

    def features(self, normal: str) -> Features:
        """Return the features of a text in normal form (`Vocabulary.normal_form`)."""
        rows = np.zeros((len(normal), self.width), dtype=np.float32)
        machine = self._machine()
        if machine is None:
            return rows
        for last, (length, columns) in machine.iter(normal):
            first = last - length + 1
            for column, share in columns:
                if length == 1:
                    if rows[first, column + 3] < share:
                        rows[first, column + 3] = share
                    continue
                if rows[first, column] < share:
                    rows[first, column] = share
                if rows[last, column + 2] < share:
                    rows[last, column + 2] = share
                for at in range(first + 1, last):
                    if rows[at, column + 1] < share:
                        rows[at, column + 1] = share
        return rows

    def with_names(self, names: Mapping[str, Iterable[str]]) -> Self:
        """Return this lexicon with one more column for each kind of names, all in normal form."""
        columns = self.columns + tuple(f"{NAMES}/{kind}" for kind in names)
        terms = {term: dict(shares) for term, shares in self.terms.items()}
        for column, listed in enumerate(names.values(), start=len(self.columns)):
            for name in listed:
                terms.setdefault(name, {})[column] = SCALE
        return type(self)(columns, terms)

    def to_json(self) -> bytes:
        """Return the lexicon as the file that ships beside the weights."""
        terms = {
            t: [x for c, v in sorted(s.items()) for x in (c, v)] for t, s in self.terms.items()
        }
        value = {
            "columns": list(self.columns),
            "format": FORMAT,
            "terms": dict(sorted(terms.items())),
        }
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Parse `to_json`'s bytes. Raises `WeightsError`."""
        try:
            value = json.loads(data)
            if value["format"] != FORMAT:
                raise WeightsError(f"expected {FORMAT}, got {value['format']!r}")
            terms = {
                t: {int(s[i]): int(s[i + 1]) for i in range(0, len(s), 2)}
                for t, s in value["terms"].items()
            }
            return cls(tuple(value["columns"]), terms)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise WeightsError("expected a lexicon, got another file") from error


@dataclass(frozen=True, slots=True)
class Example:
    """One training text in normal form, with the spans of one scheme."""

    scheme: str
    normal: str
    spans: Sequence[Span]


def _count(
    examples: Sequence[Example], columns: Sequence[str], known: Mapping[str, frozenset[str]]
) -> tuple[dict[str, dict[int, int]], dict[tuple[str, str], int]]:
    """Count labelled occurrences by term and column, and all occurrences by scheme and term."""
    index = {c: i for i, c in enumerate(columns)}
    labelled: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    occurrences: dict[tuple[str, str], int] = defaultdict(int)
    machines: dict[str, Any] = {}
    for scheme, terms in known.items():
        machine = ahocorasick.Automaton()
        for term in terms:
            machine.add_word(term, term)
        if terms:
            machine.make_automaton()
            machines[scheme] = machine
    for example in examples:
        for span in example.spans:
            column = index.get(f"{example.scheme}/{span.label}")
            if column is not None and span.end - span.start <= LONGEST_TERM:
                labelled[example.normal[span.start : span.end]][column] += 1
        if example.scheme not in machines:
            continue
        covered = np.zeros(len(example.normal) + 1, dtype=np.int64)
        exact: set[tuple[int, int]] = set()
        for span in example.spans:
            covered[span.start : span.end] += 1
            exact.add((span.start, span.end))
        total = np.concatenate([[0], np.cumsum(covered[:-1])])
        for last, term in machines[example.scheme].iter(example.normal):
            start, end = last - len(term) + 1, last + 1
            # Inside a longer span a term is not free: that says nothing about its label.
            if (start, end) in exact or total[end] == total[start]:
                occurrences[example.scheme, term] += 1
    return labelled, occurrences


@dataclass(frozen=True, slots=True)
class FoldedLexicon:
    """The lexicon of all examples, and for each fold the lexicon of the others."""

    full: Lexicon
    without: tuple[Lexicon, ...]

    def with_names(self, names: Mapping[str, Iterable[str]]) -> Self:
        """Add names to all of them: no fold knows more of these than another."""
        more = tuple(one.with_names(names) for one in self.without)
        return type(self)(self.full.with_names(names), more)


def build(
    folds: Sequence[Sequence[Example]], columns: tuple[str, ...], *, least: int = 1
) -> FoldedLexicon:
    """Count every fold once, then subtract each from the whole."""
    terms: dict[str, set[str]] = defaultdict(set)
    for fold in folds:
        for example in fold:
            for span in example.spans:
                if span.end - span.start <= LONGEST_TERM:
                    terms[example.scheme].add(example.normal[span.start : span.end])
    known = {scheme: frozenset(values) for scheme, values in terms.items()}
    counted = [_count(fold, columns, known) for fold in folds]
    whole: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    seen: dict[tuple[str, str], int] = defaultdict(int)
    for labelled, occurrences in counted:
        for term, shares in labelled.items():
            for column, number in shares.items():
                whole[term][column] += number
        for key, number in occurrences.items():
            seen[key] += number
    without = (
        [_shares(whole, seen, columns, minus=one, least=least) for one in counted]
        if len(folds) > 1
        else []
    )
    return FoldedLexicon(_shares(whole, seen, columns, minus=None, least=least), tuple(without))


def _shares(
    whole: Mapping[str, Mapping[int, int]],
    seen: Mapping[tuple[str, str], int],
    columns: tuple[str, ...],
    *,
    minus: tuple[Mapping[str, Mapping[int, int]], Mapping[tuple[str, str], int]] | None,
    least: int,
) -> Lexicon:
    labelled, occurrences = minus if minus is not None else ({}, {})
    found: dict[str, dict[int, int]] = {}
    for term, numbers in whole.items():
        gone = labelled.get(term, {})
        shares: dict[int, int] = {}
        for column, number in numbers.items():
            scheme = columns[column].split("/")[0]
            left = number - gone.get(column, 0)
            total = seen.get((scheme, term), 0) - occurrences.get((scheme, term), 0)
            if left >= least:
                # One unseen occurrence on both sides keeps a term seen once below certainty.
                shares[column] = round(SCALE * (left + 0.5) / (max(total, left) + 1.0))
        if shares:
            found[term] = shares
    return Lexicon(columns, found)


def columns_of(schemes: Iterable[tuple[str, Sequence[str]]]) -> tuple[str, ...]:
    """Return the columns of some schemes: `scheme/label` in order."""
    return tuple(f"{name}/{label}" for name, labels in schemes for label in labels)
