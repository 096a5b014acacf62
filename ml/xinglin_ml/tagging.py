"""
Spans to one tag for each character, and back.

Tags are BIOES: `O` is 0; the label numbered l has B, I, E, S at 1 + 4l and the three
after it. Two laws hold, and are tested:

    decode(encode(spans)) == spans     for spans that do not overlap
    encode(decode(tags)) == tags       for tags in a legal order
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from xinglin_ml.annotation import Span
from xinglin_ml.errors import CorpusError

OUTSIDE = 0
"""The tag of a character in no span."""

_BEGIN, _INSIDE, _END, _SINGLE = range(4)


@dataclass(frozen=True, slots=True)
class Tagging:
    """The tags of one scheme."""

    labels: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many tags there are."""
        return 1 + 4 * len(self.labels)

    def encode(self, spans: Sequence[Span], length: int) -> list[int]:
        """
        Return the tags of `length` characters.

        Raises `CorpusError` for spans that overlap, reach outside, or have another label.
        """
        tags = [OUTSIDE] * length
        for span in spans:
            if span.label not in self.labels:
                raise CorpusError(f"expected one of {', '.join(self.labels)}, got {span.label}")
            if not 0 <= span.start < span.end <= length:
                raise CorpusError(f"span {span.start} to {span.end} is outside {length} characters")
            if any(tags[span.start : span.end]):
                raise CorpusError(f"span {span.start} to {span.end} overlaps another")
            base = 1 + 4 * self.labels.index(span.label)
            if span.end - span.start == 1:
                tags[span.start] = base + _SINGLE
                continue
            tags[span.start : span.end] = [base + _INSIDE] * (span.end - span.start)
            tags[span.start], tags[span.end - 1] = base + _BEGIN, base + _END
        return tags

    def decode(self, tags: Sequence[int]) -> list[Span]:
        """Return the spans of `tags`. Raises `CorpusError` where their order is not legal."""
        spans: list[Span] = []
        begun = label = -1
        for at, tag in enumerate(tags):
            kind = (tag - 1) % 4
            if begun < 0:
                if tag == OUTSIDE:
                    continue
                label = (tag - 1) // 4
                if kind == _SINGLE:
                    spans.append(Span(at, at + 1, self.labels[label]))
                elif kind == _BEGIN:
                    begun = at
                else:
                    raise CorpusError(f"tag {at}: a span that was not begun goes on")
            elif tag == OUTSIDE or kind not in (_INSIDE, _END) or (tag - 1) // 4 != label:
                raise CorpusError(f"tag {at}: a span that was begun does not go on")
            elif kind == _END:
                spans.append(Span(begun, at + 1, self.labels[label]))
                begun = -1
        if begun >= 0:
            raise CorpusError("the last span has no end")
        return spans

    def legal(self) -> NDArray[np.bool_]:
        """
        Return which tag may follow which: (count + 2, count + 2).

        The last two rows and columns are the places before the first character and
        after the last.
        """
        count = self.count
        before, after = count, count + 1
        allowed = np.zeros((count + 2, count + 2), dtype=bool)
        starts = [OUTSIDE] + [t for t in range(1, count) if (t - 1) % 4 in (_BEGIN, _SINGLE)]
        closed = [OUTSIDE] + [t for t in range(1, count) if (t - 1) % 4 in (_END, _SINGLE)]
        for tag in closed:
            allowed[tag, starts] = True
            allowed[tag, after] = True
        allowed[before, starts] = True
        for tag in range(1, count):
            if (tag - 1) % 4 in (_BEGIN, _INSIDE):
                base = tag - (tag - 1) % 4
                allowed[tag, [base + _INSIDE, base + _END]] = True
        return allowed
