"""
From symptoms, tongue and pulse to 证候 that they suggest, with the evidence for and against.

A transparent scorer, not a classifier: for each syndrome of the training texts it knows
how often each symptom stood in the same passage. A symptom speaks for a syndrome by the
logarithm of how much more often it came with it than by chance, and a denied symptom speaks
against by the same amount. The sum is shown with its parts.

What comes out is a suggestion with status `preliminary` until a clinician signs, and is
never a diagnosis.
"""

import functools
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal, Self

from xinglin_ml.annotation import Document, Span
from xinglin_ml.assertion import assertions
from xinglin_ml.characters import simplified
from xinglin_ml.errors import WeightsError

FORMAT = "xinglin.syndromes/1"

LEAST_TOGETHER = 2
"""Passages in which a pair must stand together to count as evidence."""

LEAST_PASSAGES = 3
"""Passages of a syndrome below which nothing is said of it."""

SMOOTHING = 0.5
"""Added to each count, so that what was seen once is not certain."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One span and what it says of a syndrome."""

    span: Span
    weight: float
    """Above zero: for; below: against."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One syndrome, ranked, with what speaks for and against it."""

    syndrome: str
    score: float
    evidence: tuple[Evidence, ...]
    status: Literal["preliminary"] = "preliminary"

    def explained(self, text: str) -> str:
        """Return the evidence in words."""
        return "，".join(f"{text[e.span.start : e.span.end]}{e.weight:+.1f}" for e in self.evidence)


def features_of(surface: str) -> frozenset[str]:
    """Return what counts as the same finding: the surface, and its pairs of characters."""
    return frozenset({surface} | {surface[i : i + 2] for i in range(len(surface) - 1)})


@dataclass(frozen=True, slots=True)
class Cooccurrence:
    """How often findings and syndromes stood in one passage."""

    passages: int
    syndromes: Mapping[str, int]
    findings: Mapping[str, int]
    together: Mapping[str, Mapping[str, int]]
    """By syndrome, by finding."""

    def weight(self, syndrome: str, surface: str) -> float:
        """
        Return how much `surface`, in either script, speaks for `syndrome`: its best-known
        feature decides.
        """
        best, surface = 0.0, simplified(surface)
        for feature in features_of(surface):
            both = self.together.get(syndrome, {}).get(feature, 0)
            if both < LEAST_TOGETHER:
                continue
            expected = self.findings[feature] * self.syndromes[syndrome] / self.passages
            value = math.log((both + SMOOTHING) / (expected + SMOOTHING))
            best = max(best, value * (1.0 if feature == surface else 0.6))
        return best

    def suggest(self, text: str, spans: Sequence[Span], *, most: int = 3) -> list[Suggestion]:
        """
        Return the best-supported syndromes for the 症状 among `spans`, of the diagnostic scheme.

        Only what is said of the patient counts: a husband's symptom is evidence for nothing,
        nor is one that a relative does not have. Nothing is returned where nothing speaks for
        anything.
        """
        findings = [
            (span, said.kind)
            for span, said in zip(spans, assertions(text, spans), strict=True)
            if span.label == "症状" and said.about == "patient"
        ]
        found: list[Suggestion] = []
        for syndrome in self.syndromes:
            evidence: list[Evidence] = []
            for span, kind in findings:
                weight = self.weight(syndrome, text[span.start : span.end])
                if weight > 0.0 and kind in ("present", "negated"):
                    sign = 1.0 if kind == "present" else -1.0
                    evidence.append(Evidence(span, round(sign * weight, 3)))
            score = sum(e.weight for e in evidence)
            if score > 0.0:
                ordered = tuple(sorted(evidence, key=lambda e: -abs(e.weight)))
                found.append(Suggestion(syndrome, round(score, 3), ordered))
        return sorted(found, key=lambda s: (-s.score, s.syndrome))[:most]

    def to_json(self) -> bytes:
        """Return the counts as the file that ships."""
        return json.dumps(
            {
                "findings": dict(sorted(self.findings.items())),
                "format": FORMAT,
                "passages": self.passages,
                "syndromes": dict(sorted(self.syndromes.items())),
                "together": {s: dict(sorted(f.items())) for s, f in sorted(self.together.items())},
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Parse `to_json`'s bytes. Raises `WeightsError`."""
        try:
            value = json.loads(data)
            if value["format"] != FORMAT:
                raise WeightsError(f"expected {FORMAT}, got {value['format']!r}")
            return cls(
                int(value["passages"]), value["syndromes"], value["findings"], value["together"]
            )
        except (ValueError, KeyError, TypeError) as error:
            raise WeightsError("expected counts of syndromes, got another file") from error


@dataclass(frozen=True, slots=True)
class Ranking:
    """How high the syndromes that were written in some texts stood among those suggested."""

    texts: int
    """Texts with a syndrome and a symptom."""

    known: int
    """Of these, texts with a syndrome that the counts know: the others cannot be right."""

    first: float
    """Share of all texts in which the first is right."""

    first_three: float
    reciprocal: float
    """Mean of one by the best place, 0 where none is suggested."""


def _ranking(places: Sequence[int | None], known: int) -> Ranking:
    total = max(len(places), 1)
    found = [p for p in places if p is not None]
    return Ranking(
        len(places),
        known,
        round(sum(p == 1 for p in found) / total, 4),
        round(sum(p <= 3 for p in found) / total, 4),
        round(sum(1 / p for p in found) / total, 4),
    )


def rank(counts: Cooccurrence, documents: Iterable[Document]) -> dict[str, Ranking]:
    """
    Rank the annotated syndromes of `documents` from their annotated symptoms alone.

    Beside the suggestions stands what one gets by always naming the commonest syndromes.
    A text with several syndromes counts by the one that stands highest.
    """
    by_frequency = sorted(counts.syndromes, key=lambda s: (-counts.syndromes[s], s))
    places: dict[str, list[int | None]] = {"suggested": [], "commonest": []}
    known = 0
    for document in documents:
        gold = {document.surface(s) for s in document.spans if s.subtype == "syndrome"}
        findings = [s for s in document.spans if s.label == "症状"]
        if not gold or not findings:
            continue
        known += any(name in counts.syndromes for name in gold)
        ideas = counts.suggest(document.text, findings, most=len(counts.syndromes))
        for name, order in (
            ("suggested", [i.syndrome for i in ideas]),
            ("commonest", by_frequency),
        ):
            at = [place for place, one in enumerate(order, 1) if one in gold]
            places[name].append(min(at, default=None))
    return {name: _ranking(found, known) for name, found in places.items()}


def count(documents: Iterable[Document]) -> Cooccurrence:
    """Count passages of diagnostic documents that hold at least one symptom or syndrome."""
    passages = 0
    syndromes: Counter[str] = Counter()
    findings: Counter[str] = Counter()
    together: dict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        names = {document.surface(s) for s in document.spans if s.label == "诊断"}
        seen = {
            f for s in document.spans if s.label == "症状" for f in features_of(document.surface(s))
        }
        if not names and not seen:
            continue
        passages += 1
        syndromes.update(names)
        findings.update(seen)
        for name in names:
            together[name].update(seen)
    kept = {
        name: {f: n for f, n in together[name].items() if n >= LEAST_TOGETHER}
        for name, number in syndromes.items()
        if number >= LEAST_PASSAGES
    }
    kept = {name: pairs for name, pairs in kept.items() if pairs}
    used = {f for pairs in kept.values() for f in pairs}
    return Cooccurrence(
        passages, {n: syndromes[n] for n in kept}, {f: findings[f] for f in used}, kept
    )


@functools.lru_cache(maxsize=1)
def shipped_counts() -> Cooccurrence:
    """Return the counts that ship, made by `xinglin_ml.export`."""
    return Cooccurrence.from_json(files("xinglin_ml").joinpath("syndromes.json").read_bytes())
