"""
Where a long text is cut, so that any length can be read.

Cuts fall after the end of a sentence if one is near, else after a comma, else where the
limit is. They depend on the text alone: the same text is always cut alike.
"""

LONGEST = 96
"""Characters of a window. Longer ones gain little and cost the square in attention."""

_SENTENCE_ENDS = frozenset("。！？!?；;\n\r")
_CLAUSE_ENDS = frozenset("，,、：: \t　)）")


def windows(text: str, longest: int = LONGEST) -> list[tuple[int, int]]:
    """Return consecutive ranges of `text`, none empty, none longer than `longest`."""
    found: list[tuple[int, int]] = []
    start, length = 0, len(text)
    while length - start > longest:
        end = _last(text, _SENTENCE_ENDS, start, start + longest)
        if end is None:
            end = _last(text, _CLAUSE_ENDS, start + longest // 2, start + longest)
        if end is None:
            end = start + longest
        found.append((start, end))
        start = end
    if start < length:
        found.append((start, length))
    return found


def _last(text: str, ends: frozenset[str], start: int, stop: int) -> int | None:
    for at in range(stop, start, -1):
        if text[at - 1] in ends:
            return at
    return None
