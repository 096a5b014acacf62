"""
From what a note says to a code of a standard: candidates with scores, never a guess.

>>> found = shipped_table().normalise("失眠")
>>> [(c.term.code, c.how) for c in found.candidates]
[('A17.11', 'exact'), ('SD84', 'alias')]

Within each standard, a step is tried only if the one before found nothing:

1. the surface is a term of the standard;
2. it is an alias of one or more;

and only where no standard knows it so,

3. terms that share its characters, ranked.

Several terms of one standard found in one step are all returned, and `ambiguous` says so.
"""

import csv
import functools
import io
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Literal, Self

from xinglin_ml.characters import simplified
from xinglin_ml.errors import CorpusError

How = Literal["exact", "alias", "ranked"]

LEAST_SIMILARITY = 0.5
"""Ranked candidates below half of shared bigrams are noise."""

MOST_CANDIDATES = 5

_ENDINGS = ("证候", "证型", "证", "病", "症", "法")
"""Words that a standard attaches to a name and a note leaves out."""


@dataclass(frozen=True, slots=True)
class Term:
    """One term of one standard."""

    code: str
    system: str
    """The standard, as `GB/T 15657-2021`."""

    name: str
    label: str
    """The diagnostic type it belongs to."""

    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A term that a surface may mean."""

    term: Term
    score: float
    how: How


@dataclass(frozen=True, slots=True)
class Normalised:
    """What was found for one surface."""

    surface: str
    candidates: tuple[Candidate, ...]

    @property
    def ambiguous(self) -> bool:
        """Whether one standard offers more than one term with the same, best claim."""
        tops: dict[str, tuple[float, set[str]]] = {}
        for one in self.candidates:
            best, names = tops.setdefault(one.term.system, (one.score, set()))
            if one.score == best:
                names.add(one.term.code + one.term.name)
        return any(len(names) > 1 for _, names in tops.values())


def bare(name: str) -> str:
    """Return `name` in simplified script, without an ending that a standard adds."""
    name = simplified(name)
    for ending in _ENDINGS:
        if name.endswith(ending) and len(name) > len(ending) + 1:
            return name.removesuffix(ending)
    return name


def _grams(name: str) -> frozenset[str]:
    text = bare(name)
    return frozenset(text) | {text[i : i + 2] for i in range(len(text) - 1)}


def _joined(terms: Iterable[Term]) -> tuple[Term, ...]:
    # A table of one type must not take the type or the aliases that another has for a code.
    found: dict[tuple[str, str, str, str], Term] = {}
    for term in terms:
        key = (term.system, term.code, term.name, term.label)
        known = found.setdefault(key, term)
        if known is not term:
            aliases = tuple(dict.fromkeys(known.aliases + term.aliases))
            found[key] = replace(known, aliases=aliases)
    return tuple(found.values())


def _has(candidates: Iterable[Candidate], term: Term) -> bool:
    """Whether the same term is among them, perhaps for another type."""
    return (term.system, term.code, term.name) in {
        (c.term.system, c.term.code, c.term.name) for c in candidates
    }


@dataclass(frozen=True, slots=True)
class Terminology:
    """Terms of one or more standards, indexed."""

    terms: tuple[Term, ...]
    _names: dict[str, list[int]] = field(default_factory=dict[str, list[int]], repr=False)
    _aliases: dict[str, list[int]] = field(default_factory=dict[str, list[int]], repr=False)
    _grams: dict[str, list[int]] = field(default_factory=dict[str, list[int]], repr=False)
    _sizes: list[int] = field(default_factory=list[int], repr=False)

    @classmethod
    def of(cls, terms: Iterable[Term]) -> Self:
        """Index `terms`; one given twice for a type counts once, with the aliases of both."""
        unique = _joined(terms)
        table = cls(unique)
        names: dict[str, list[int]] = defaultdict(list)
        aliases: dict[str, list[int]] = defaultdict(list)
        grams: dict[str, list[int]] = defaultdict(list)
        for number, term in enumerate(unique):
            for form in {term.name, bare(term.name)}:
                names[form].append(number)
            for form in {f for a in term.aliases for f in (a, bare(a))}:
                aliases[form].append(number)
            own = _grams(term.name)
            table._sizes.append(len(own))
            for gram in own:
                grams[gram].append(number)
        table._names.update(names)
        table._aliases.update(aliases)
        table._grams.update(grams)
        return table

    def normalise(self, surface: str, label: str | None = None) -> Normalised:
        """Return the candidates for `surface`, of `label` where one is given."""
        return Normalised(surface, tuple(self.candidates(surface, label)))

    def candidates(self, surface: str, label: str | None = None) -> list[Candidate]:
        """Return the candidates, the best first; of ranked ones at most `MOST_CANDIDATES`."""
        forms = (surface, bare(surface))
        steps: tuple[tuple[How, dict[str, list[int]], float], ...] = (
            ("exact", self._names, 1.0),
            ("alias", self._aliases, 0.9),
        )
        by_system: dict[str, list[Candidate]] = {}
        for how, index, value in steps:
            numbers = dict.fromkeys(n for f in forms for n in index.get(f, ()))
            for term in (self.terms[n] for n in numbers):
                if label not in (None, term.label):
                    continue
                known = by_system.setdefault(term.system, [])
                if (not known or known[0].how == how) and not _has(known, term):
                    known.append(Candidate(term, value, how))
        found = [c for known in by_system.values() for c in known]
        if found:
            return sorted(found, key=lambda c: (-c.score, c.term.system, c.term.code))
        return self._ranked(surface, label)

    def _ranked(self, surface: str, label: str | None) -> list[Candidate]:
        wanted = _grams(surface)
        shared: dict[int, int] = defaultdict(int)
        for gram in wanted:
            for number in self._grams.get(gram, ()):
                shared[number] += 1
        scored: list[tuple[float, str, int]] = []
        for number, count in shared.items():
            term = self.terms[number]
            likeness = 2 * count / (len(wanted) + self._sizes[number])
            if likeness >= LEAST_SIMILARITY and label in (None, term.label):
                scored.append((-round(likeness * 0.8, 4), term.code, number))
        ranked: list[Candidate] = []
        for value, _, number in sorted(scored):
            if not _has(ranked, self.terms[number]):
                ranked.append(Candidate(self.terms[number], -value, "ranked"))
        return ranked[:MOST_CANDIDATES]

    def to_json(self) -> bytes:
        """Return the table as `terminology import` keeps it."""
        rows = [[t.code, t.system, t.name, t.label, list(t.aliases)] for t in self.terms]
        value = {"format": "xinglin.terminology/1", "terms": rows}
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Parse `to_json`'s bytes. Raises `CorpusError`."""
        try:
            value = json.loads(data)
            if value["format"] != "xinglin.terminology/1":
                raise CorpusError("expected xinglin.terminology/1, got another format")
            return cls.of(
                Term(str(c), str(s), str(n), str(k), tuple(map(str, a)))
                for c, s, n, k, a in value["terms"]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise CorpusError("expected an imported terminology, got another file") from error


@functools.lru_cache(maxsize=1)
def shipped_table() -> Terminology:
    """Return the table that ships: the commonest terms, written for this project."""
    text = (
        files("xinglin_ml").joinpath("terminology", "common_terms.tsv").read_text(encoding="utf-8")
    )
    return Terminology.of(read_own_table(text))


def read_own_table(text: str) -> list[Term]:
    """Parse a table with columns code, system, name, label, aliases. Raises `CorpusError`."""
    rows = csv.DictReader(
        io.StringIO("".join(f"{x}\n" for x in text.splitlines() if not x.startswith("#"))),
        delimiter="\t",
    )
    if rows.fieldnames is None or list(rows.fieldnames) != [
        "code",
        "system",
        "name",
        "label",
        "aliases",
    ]:
        raise CorpusError("expected columns code, system, name, label, aliases")
    return [Term(r["code"], r["system"], r["name"], r["label"], _split(r["aliases"])) for r in rows]


def _split(text: str | None) -> tuple[str, ...]:
    return tuple(a for a in (text or "").split("|") if a)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the columns of a table that users have are called."""

    system: str
    label: str
    code: str
    name: str
    aliases: str | None


LAYOUTS: Sequence[Layout] = (
    Layout("GB/T 16751.2-2021", "诊断", "code", "term", "aliases"),
    Layout("GB/T 15657-2021", "疾病", "code", "term", "aliases"),
    Layout("GB/T 16751.3-2023", "治疗", "standard_number_GBT16751.3-2023", "term", "aliases"),
    Layout("WHO acupoints", "治疗", "code", "name", None),
    Layout("formulas", "治疗", "code", "name", None),
    Layout("herbs", "治疗", "standard", "standard", "variant"),
)
"""Known tables. Which one a file is, its columns tell (`layout_of`)."""


def layout_of(columns: Sequence[str]) -> Layout:
    """Return the layout with these columns. Raises `CorpusError` for a strange table."""
    have = set(columns)
    if "standard_number_GBT16751.2-2021" in have:
        return LAYOUTS[0]
    if {"code", "term", "aliases", "category", "source"} <= have:
        return LAYOUTS[1]
    if "standard_number_GBT16751.3-2023" in have:
        return LAYOUTS[2]
    if {"code", "name", "meridian"} <= have:
        return LAYOUTS[3]
    if {"name", "code", "ingredients"} <= have:
        return LAYOUTS[4]
    if {"standard", "variant"} <= have:
        return LAYOUTS[5]
    raise CorpusError(f"no table has the columns {', '.join(columns)}")


def import_table(path: Path) -> list[Term]:
    """
    Read a table that a user has: TSV of a Chinese standard, or ICD-11 chapter 26 as JSON.

    Raises `CorpusError` for a file that is neither, that was cut off, or that has no term.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path.name} is not readable as UTF-8") from error
    if path.suffix == ".json":
        terms = _icd(text, path.name)
    else:
        try:
            terms = _rows(text, path.name)
        except csv.Error as error:
            raise CorpusError(f"{path.name}: {error}") from error
    if not terms:
        raise CorpusError(f"{path.name}: expected terms, got none")
    return terms


def _rows(text: str, file: str) -> list[Term]:
    # A quotation mark is a character like any other: none may swallow the rows behind it.
    rows = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    layout = layout_of(list(rows.fieldnames or ()))
    merged: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if None in row.values():
            raise CorpusError(f"{file}:{rows.line_num}: expected {len(row)} cells, got fewer")
        name, code = row[layout.name].strip(), row[layout.code].strip()
        if not name or (layout.system == "formulas" and not code):
            continue
        if not code:
            raise CorpusError(f"{file}:{rows.line_num}: expected a code for {name}")
        aliases = merged.setdefault((code, name), [])
        if layout.aliases is not None:
            aliases += [a for a in _split(row.get(layout.aliases)) if a != name]
    return [
        Term(code, layout.system, name, layout.label, tuple(dict.fromkeys(aliases)))
        for (code, name), aliases in merged.items()
    ]


def _icd(text: str, name: str) -> list[Term]:
    try:
        rows = json.loads(text)
        return [
            Term(
                str(row["Code"]),
                "ICD-11 chapter 26",
                str(row["Title"]).lstrip("- "),
                "诊断" if "pattern" in str(row["Title"]).lower() else "疾病",
            )
            for row in rows
            if row["ClassKind"] == "category" and row["Code"]
        ]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CorpusError(f"{name}: expected the linearization of ICD-11 chapter 26") from error
