"""
From any text to numbers, one for each code point, so that offsets never move.

>>> vocabulary = Vocabulary.from_counts({"头": 9, "痛": 7}, bigrams=[("头", "痛")])
>>> vocabulary.encode("頭痛！").tolist()[1]
5

Every step is one code point in, one number out: full-width forms become half-width,
Latin letters lower case, traditional characters simplified (each by itself, never by
phrase, because phrases change length). Whatever is then unknown is `UNKNOWN`.
"""

import functools
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from xinglin_ml.errors import WeightsError

PADDING, UNKNOWN, MASK, SPACE = 0, 1, 2, 3
"""The first numbers of every vocabulary: filler, strange, hidden, and white space or control."""

SPECIAL = 4
"""How many numbers are taken before the first character."""

NO_BIGRAM = 0
"""The number of every pair of neighbours that is not among the frequent ones."""

FORMAT = "xinglin.vocabulary/1"

Ids = NDArray[np.int64]
"""One number for each code point."""


@functools.lru_cache(maxsize=1)
def _opencc() -> Any:
    """Return the converter from traditional to simplified script, loaded at first use."""
    import opencc

    return opencc.OpenCC("t2s")


@functools.lru_cache(maxsize=1 << 16)
def simplify(character: str) -> str:
    """Return the simplified form of one character, or the character itself if there is none."""
    if character < "㐀" or "\ud800" <= character <= "\udfff":
        return character  # No ideograph; half of a pair is none either, and OpenCC refuses it.
    converted: str = _opencc().convert(character)
    return converted if len(converted) == 1 else character


def simplified(text: str) -> str:
    """Return `text` in simplified script, character by character, so that offsets stand."""
    return "".join(map(simplify, text))


@functools.lru_cache(maxsize=1 << 16)
def plain(character: str) -> str:
    """
    Return the half-width, lower-case form of one code point, or `" "` for white space,
    control and format characters. The result is always one code point.
    """
    if unicodedata.category(character) in ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs"):
        return " "
    folded = unicodedata.normalize("NFKC", character)
    if len(folded) != 1:
        folded = character
    lowered = folded.lower()
    return lowered if len(lowered) == 1 else folded


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The characters and pairs of characters that a model knows."""

    characters: tuple[str, ...]
    """In the order of their numbers, from `SPECIAL` on; plain and simplified."""

    variants: Mapping[str, str]
    """Traditional characters whose simplified form is known, so that reading needs no converter."""

    bigram_keys: NDArray[np.int64]
    """Sorted `left * size + right` of the frequent pairs; a pair's number is its place + 1."""

    _ids: dict[str, int] = field(default_factory=dict[str, int], repr=False, compare=False)
    """Every code point seen so far. A cache: it grows with what is read."""

    def __post_init__(self) -> None:
        # Before anybody reads: a thread that met it half filled would keep a known character
        # as an unknown one.
        self._ids.update((c, SPECIAL + i) for i, c in enumerate(self.characters))

    @property
    def size(self) -> int:
        """How many numbers there are, special ones included."""
        return SPECIAL + len(self.characters)

    @property
    def bigram_size(self) -> int:
        """How many numbers of pairs there are, `NO_BIGRAM` included."""
        return 1 + len(self.bigram_keys)

    @classmethod
    def from_counts(
        cls, counts: Mapping[str, int], *, bigrams: Iterable[Sequence[str]] = (), limit: int = 8192
    ) -> Self:
        """Keep the `limit` most frequent characters of `counts` and the given pairs of them."""
        ranked = sorted(counts, key=lambda c: (-counts[c], c))[:limit]
        known = {c: SPECIAL + i for i, c in enumerate(ranked)}
        size = SPECIAL + len(ranked)
        keys = sorted({known[a] * size + known[b] for a, b in bigrams if a in known and b in known})
        return cls(tuple(ranked), _variants(known), np.array(keys, dtype=np.int64))

    def number(self, character: str) -> int:
        """Return the number of one code point."""
        known = self._ids
        if (found := known.get(character)) is not None:
            return found
        form = plain(character)
        if form == " ":
            value = SPACE
        else:
            form = self.variants.get(form, form)
            value = known.get(form, UNKNOWN)
        if len(known) < 1 << 20:  # A hostile text may hold every code point there is.
            known[character] = value
        return value

    def encode(self, text: str) -> Ids:
        """Return one number for each code point of `text`."""
        return np.fromiter((self.number(c) for c in text), dtype=np.int64, count=len(text))

    def normal_form(self, text: str) -> str:
        """Return `text` as the lexicon sees it: plain, lower case, simplified, of equal length."""
        return "".join(self.variants.get(f, f) for f in map(plain, text))

    def bigrams(self, ids: Ids) -> Ids:
        """Return for each position the number of the pair that begins there; the last has none."""
        found = np.zeros(ids.shape, dtype=np.int64)
        if ids.shape[-1] < 2 or not len(self.bigram_keys):
            return found
        keys = ids[..., :-1] * self.size + ids[..., 1:]
        places = np.minimum(np.searchsorted(self.bigram_keys, keys), len(self.bigram_keys) - 1)
        found[..., :-1] = np.where(self.bigram_keys[places] == keys, places + 1, NO_BIGRAM)
        return found

    def to_json(self) -> bytes:
        """Return the vocabulary as the file that ships beside the weights."""
        pairs = "".join(
            self.characters[int(k) // self.size - SPECIAL]
            + self.characters[int(k) % self.size - SPECIAL]
            for k in self.bigram_keys
        )
        value = {
            "bigrams": pairs,
            "characters": "".join(self.characters),
            "format": FORMAT,
            "variants": dict(sorted(self.variants.items())),
        }
        return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=0).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Parse `to_json`'s bytes. Raises `WeightsError`."""
        try:
            value = json.loads(data)
            if value["format"] != FORMAT:
                raise WeightsError(f"expected {FORMAT}, got {value['format']!r}")
            characters = tuple(value["characters"])
            known = {c: SPECIAL + i for i, c in enumerate(characters)}
            size = SPECIAL + len(characters)
            pairs: str = value["bigrams"]
            keys = [known[pairs[i]] * size + known[pairs[i + 1]] for i in range(0, len(pairs), 2)]
            variants = {str(k): str(v) for k, v in value["variants"].items()}
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise WeightsError("expected a vocabulary, got another file") from error
        return cls(characters, variants, np.array(sorted(keys), dtype=np.int64))


def _variants(known: Mapping[str, int]) -> dict[str, str]:
    """Return the CJK characters outside `known` whose simplified form is inside."""
    blocks = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000), range(0xF900, 0xFB00))
    found: dict[str, str] = {}
    for block in blocks:
        for point in block:
            character = chr(point)
            if character in known or unicodedata.category(character) == "Cn":
                continue
            form = simplify(plain(character))
            if form != character and form in known:
                found[character] = form
    return found
