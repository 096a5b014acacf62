"""
From texts to spans, whatever computes the scores.

A text is cut into windows; each window is scored alone, at its own length, without
padding. So nothing depends on what else is in a batch, and threads only share out
windows. Scores become tags by the best legal path, and tags become spans with offsets
into the text as it was given.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from xinglin_ml.annotation import Span
from xinglin_ml.characters import Ids, Vocabulary
from xinglin_ml.decoding import Scores, best_paths
from xinglin_ml.lexicon import Features, Lexicon
from xinglin_ml.schema import LABEL_OF_SUBTYPE, SUBTYPES
from xinglin_ml.tagging import Tagging
from xinglin_ml.windows import windows

SUBTYPE_HEAD = "subtype"
"""The head that tells finer types apart, one score for each of `schema.SUBTYPES`."""

DECODED_TOGETHER = 64
"""Windows in one pass of the decoder, of like length."""

READ_TOGETHER = 512
"""Windows whose scores are held at once: enough for the decoder to find such of like length,
and some 25 MB, however long the texts are."""

Scorer = Callable[[Ids, Ids, Features], Mapping[str, Scores]]
"""(T,) characters, (T,) pairs, (T, F) features to (T, K) for each head."""

_OF_LABEL: Mapping[str, list[int]] = {
    label: [i for i, s in enumerate(SUBTYPES) if LABEL_OF_SUBTYPE[s] == label]
    for label in dict.fromkeys(LABEL_OF_SUBTYPE.values())
}


@dataclass(frozen=True, slots=True)
class Reader:
    """All that reads a text, and the function that scores a window."""

    vocabulary: Vocabulary
    lexicon: Lexicon
    taggings: Mapping[str, Tagging]
    transitions: Mapping[str, Scores]
    scorer: Scorer
    threads: int = 1

    def read(self, texts: Sequence[str], scheme: str) -> list[list[Span]]:
        """Return the spans of each text in the labels of `scheme`, in order."""
        places = [(t, a, b) for t, text in enumerate(texts) for a, b in windows(text)]
        found: list[list[Span]] = [[] for _ in texts]
        with ThreadPoolExecutor(self.threads) as pool:  # which starts no thread before its work
            for first in range(0, len(places), READ_TOGETHER):
                some = places[first : first + READ_TOGETHER]
                pieces = [texts[t][a:b] for t, a, b in some]
                alone = self.threads == 1 or len(pieces) == 1
                score = map if alone else pool.map
                decoded = self._decode(list(score(self._score, pieces)), scheme)
                for (text, offset, _), spans in zip(some, decoded, strict=True):
                    found[text].extend(
                        replace(s, start=s.start + offset, end=s.end + offset) for s in spans
                    )
        return [sorted(spans, key=lambda s: s.key) for spans in found]

    def _decode(self, scored: Sequence[Mapping[str, Scores]], scheme: str) -> list[list[Span]]:
        """Return the spans of each window, whose offsets count from its beginning."""
        found: list[list[Span]] = [[] for _ in scored]
        order = sorted(range(len(scored)), key=lambda i: (len(scored[i][scheme]), i))
        for first in range(0, len(order), DECODED_TOGETHER):
            some = order[first : first + DECODED_TOGETHER]
            paths = best_paths([scored[i][scheme] for i in some], self.transitions[scheme])
            for i, path in zip(some, paths, strict=True):
                found[i] = [
                    Span(
                        span.start,
                        span.end,
                        span.label,
                        _subtype(span, scored[i].get(SUBTYPE_HEAD)),
                        round(min(path.certainty[span.start : span.end]), 4),
                    )
                    for span in self.taggings[scheme].decode(path.tags)
                ]
        return found

    def _score(self, piece: str) -> Mapping[str, Scores]:
        ids = self.vocabulary.encode(piece)
        features = self.lexicon.features(self.vocabulary.normal_form(piece))
        return self.scorer(ids, self.vocabulary.bigrams(ids), features)


def _subtype(span: Span, scores: NDArray[np.float32] | None) -> str | None:
    """Return the finer type that the characters of `span` favour together, within its label."""
    choices = _OF_LABEL.get(span.label)
    if scores is None or choices is None:
        return None
    together = scores[span.start : span.end].astype(np.float64).sum(0)
    return SUBTYPES[max(choices, key=lambda c: (together[c], -c))]
