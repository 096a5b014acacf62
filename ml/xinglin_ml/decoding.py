"""
From scores to tags: the best path and the certainty of each of its spans, in numpy.

Batches are padded, and padding cannot change a row: the best path is found by additions
and comparisons element by element, which come out alike in any company. Certainties are
sums and may differ in the last place; they are rounded, and no digest covers them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
"""(T, K) for one text."""

FORBIDDEN = np.float32(-1e4)
"""A transition that is never taken."""


@dataclass(frozen=True, slots=True)
class Path:
    """The best tags of one text, and how certain each one is."""

    tags: list[int]
    certainty: list[float]


def best_paths(scores: Sequence[Scores], transitions: Scores) -> list[Path]:
    """
    Return the best path of each text under (K + 2, K + 2) transitions.

    The last two rows and columns of `transitions` are the start and the end.
    """
    if not scores:
        return []
    count = scores[0].shape[1]
    lengths = np.array([len(s) for s in scores])
    longest = int(lengths.max(initial=0))
    if longest == 0:
        return [Path([], []) for _ in scores]
    grid = np.zeros((longest, len(scores), count), dtype=np.float32)  # (T, B, K)
    for row, one in enumerate(scores):
        grid[: len(one), row] = one
    within, start, end = (
        transitions[:count, :count],
        transitions[count, :count],
        transitions[:count, count + 1],
    )
    tags = _viterbi(grid, lengths, within, start, end)
    certainty = _certainties(grid, lengths, within, start, end)
    paths: list[Path] = []
    for row, length in enumerate(lengths):
        chosen = tags[:length, row]
        sure = certainty[np.arange(length), row, chosen]
        paths.append(Path(chosen.tolist(), sure.tolist()))
    return paths


def _viterbi(
    grid: Scores, lengths: NDArray[np.int64], within: Scores, start: Scores, end: Scores
) -> NDArray[np.int64]:
    longest, batch, count = grid.shape
    back = np.zeros((longest, batch, count), dtype=np.int64)
    best = grid[0] + start  # (B, K)
    into = np.ascontiguousarray(within.T)  # (K to, K from)
    for at in range(1, longest):
        options = best[:, None, :] + into  # (B, to, from)
        back[at] = options.argmax(-1)
        stepped = np.take_along_axis(options, back[at][:, :, None], -1)[:, :, 0] + grid[at]
        best = np.where((at < lengths)[:, None], stepped, best)
    tag = (best + end).argmax(-1)
    tags = np.zeros((longest, batch), dtype=np.int64)
    rows = np.arange(batch)
    for at in range(longest - 1, -1, -1):
        inside = at < lengths
        tags[at] = np.where(inside, tag, 0)
        if at:
            tag = np.where(inside, back[at][rows, tag], tag)
    return tags


def _certainties(
    grid: Scores, lengths: NDArray[np.int64], within: Scores, start: Scores, end: Scores
) -> NDArray[np.float32]:
    """Return the marginal of each tag: forward and backward sums, scaled at every step."""
    longest, batch, _ = grid.shape
    weight = np.exp(grid - grid.max(-1, keepdims=True))
    step, first, last = np.exp(within), np.exp(start), np.exp(end)
    forward = np.zeros_like(grid)
    state = weight[0] * first
    forward[0] = state / state.sum(-1, keepdims=True)
    for at in range(1, longest):
        state = (forward[at - 1] @ step) * weight[at]
        forward[at] = state / (state.sum(-1, keepdims=True) + 1e-30)
    backward = np.zeros_like(grid)
    state = np.broadcast_to(last, (batch, grid.shape[-1]))
    for at in range(longest - 1, -1, -1):
        closing: NDArray[np.bool_] = at >= lengths - 1
        state = np.where(closing[:, None], last, state)
        backward[at] = state / (state.sum(-1, keepdims=True) + 1e-30)
        state = (backward[at] * weight[at]) @ step.T
    both = forward * backward
    marginals: Scores = both / (both.sum(-1, keepdims=True) + 1e-30)
    return marginals
