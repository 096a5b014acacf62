"""Windows of like length together: what one training step sees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xinglin_ml.examples import Window

BUCKETS = (12, 16, 24, 32, 40, 48, 64, 80, 96)
"""Lengths to which batches are filled: fixed shapes are computed much faster than odd ones."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of like length, filled up."""

    windows: list[Window]
    length: int


def batches(windows: Sequence[Window], tokens: int, rng: np.random.Generator) -> list[Batch]:
    """Return all windows once, in batches of like length, in random order."""
    made: list[Batch] = []
    waiting: dict[int, list[Window]] = {b: [] for b in BUCKETS}
    for place in rng.permutation(len(windows)):
        window = windows[int(place)]
        bucket = next(b for b in BUCKETS if b >= len(window.ids))
        row = waiting[bucket]
        row.append(window)
        if (len(row) + 1) * bucket > tokens:
            made.append(Batch(row, bucket))
            waiting[bucket] = []
    made += [Batch(row, bucket) for bucket, row in waiting.items() if row]
    return [made[int(i)] for i in rng.permutation(len(made))]
