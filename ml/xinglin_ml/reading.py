"""
From texts to spans, whatever computes the scores.

A text is cut into windows; each window is scored alone, at its own length, without
padding. So nothing depends on what else is in a batch, and threads only share out
windows. Scores become tags by the best legal path, and tags become spans with offsets
into the text as it was given.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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
        pieces = [texts[t][a:b] for t, a, b in places]
        if self.threads > 1 and len(pieces) > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                scored = list(pool.map(self._score, pieces))
        else:
            scored = [self._score(piece) for piece in pieces]
        found: list[list[Span]] = [[] for _ in texts]
        order = sorted(range(len(pieces)), key=lambda i: (len(pieces[i]), i))
        for first in range(0, len(order), DECODED_TOGETHER):
            some = order[first : first + DECODED_TOGETHER]
            paths = best_paths([scored[i][scheme] for i in some], self.transitions[scheme])
            for i, path in zip(some, paths, strict=True):
                text, offset, _ = places[i]
                for span in self.taggings[scheme].decode(path.tags):
                    found[text].append(
                        Span(
                            span.start + offset,
                            span.end + offset,
                            span.label,
                            _subtype(span, scored[i].get(SUBTYPE_HEAD)),
                            round(min(path.certainty[span.start : span.end]), 4),
                        )
                    )
        return [sorted(spans, key=lambda s: s.key) for spans in found]

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
