"""
The loss of a conditional random field, with its gradient written out.

Letting autograd walk through the recursion costs some forty times more than the two
scaled passes below, which give the marginals; and the gradient is the marginals less
what was annotated.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xinglin_ml.decoding import FORBIDDEN


def forbid(transitions: Tensor, legal: NDArray[np.bool_]) -> Tensor:
    """Return `transitions` with everything that is not legal out of reach."""
    return transitions.masked_fill(torch.from_numpy(~legal), float(FORBIDDEN))


@dataclass(frozen=True, slots=True)
class Counts:
    """How often a tag stands at each place, and follows each other tag: certain or expected."""

    places: Tensor
    """(B, T, K), nothing beyond a sentence's end."""

    moves: Tensor
    """(K + 2, K + 2), summed over the sentences; the last two are the places around them."""

    def __add__(self, other: Self) -> Self:
        return type(self)(self.places + other.places, self.moves + other.moves)


def _real(lengths: Tensor, longest: int) -> Tensor:
    return torch.arange(longest) < lengths[:, None]  # (B, T)


def observed(tags: Tensor, lengths: Tensor, weights: Tensor, count: int) -> Counts:
    """Return the counts of (B, T) tags, `count` kinds of them."""
    batch, longest = tags.shape
    keep = _real(lengths, longest) * weights[:, None]  # (B, T)
    places = torch.zeros(batch, longest, count).scatter_(2, tags[:, :, None], keep[:, :, None])
    pairs = torch.zeros(count * count)
    pairs.index_add_(0, (tags[:, :-1] * count + tags[:, 1:]).reshape(-1), keep[:, 1:].reshape(-1))
    return _with_ends(places, pairs.view(count, count), lengths)


def _with_ends(places: Tensor, pairs: Tensor, lengths: Tensor) -> Counts:
    batch, _, count = places.shape
    moves = torch.zeros(count + 2, count + 2)
    moves[:count, :count] = pairs
    moves[count, :count] = places[:, 0].sum(0)
    moves[:count, count + 1] = places[torch.arange(batch), lengths - 1].sum(0)
    return Counts(places, moves)


def expected(
    scores: Tensor, transitions: Tensor, lengths: Tensor, weights: Tensor
) -> tuple[Tensor, Counts]:
    """Return the logarithm of the sum over all paths, (B,), and what the paths hold on average."""
    batch, longest, count = scores.shape
    top = scores.max(-1, keepdim=True).values
    weight = (scores - top).exp()  # (B, T, K)
    step = transitions[:count, :count].exp()
    first, last = transitions[count, :count].exp(), transitions[:count, count + 1].exp()
    real = _real(lengths, longest)

    forward: list[Tensor] = []
    scale: list[Tensor] = []
    state = weight[:, 0] * first
    for at in range(longest):
        if at:
            state = torch.where(
                real[:, at, None], (forward[-1] @ step) * weight[:, at], forward[-1]
            )
        total = state.sum(-1, keepdim=True) + 1e-30
        forward.append(state / total)
        scale.append(torch.where(real[:, at], total[:, 0].log() + top[:, at, 0], 0.0))
    closing = (forward[-1] * last).sum(-1) + 1e-30
    log_z = torch.stack(scale, 1).sum(1) + closing.log()

    backward: list[Tensor] = [torch.empty(0)] * longest
    state = last.expand(batch, count)
    for at in range(longest - 1, -1, -1):
        state = torch.where((at >= lengths - 1)[:, None], last, state)
        state = state / (state.sum(-1, keepdim=True) + 1e-30)
        backward[at] = state
        state = (state * weight[:, at]) @ step.T

    alpha, beta = torch.stack(forward, 1), torch.stack(backward, 1)
    keep = (real * weights[:, None])[:, :, None]  # (B, T, 1)
    marginal = alpha * beta
    marginal = marginal / (marginal.sum(-1, keepdim=True) + 1e-30) * keep
    right = (weight * beta)[:, 1:]  # (B, T-1, K)
    left = alpha[:, :-1]
    norm = ((left @ step) * right).sum(-1, keepdim=True) + 1e-30
    pairs = (left / norm * keep[:, 1:]).reshape(-1, count)
    together = step * (pairs.T @ right.reshape(-1, count))
    return log_z, _with_ends(marginal, together, lengths)


class _Loss(torch.autograd.Function):
    """Weighted cross-entropy of wanted counts under (B, T, K) scores."""

    @staticmethod
    def forward(
        ctx: Any,
        scores: Tensor,
        transitions: Tensor,
        places: Tensor,
        moves: Tensor,
        lengths: Tensor,
        weights: Tensor,
    ) -> Tensor:
        log_z, found = expected(scores, transitions, lengths, weights)
        ctx.save_for_backward(found.places - places, found.moves - moves)
        return (log_z * weights).sum() - (scores * places).sum() - (transitions * moves).sum()

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        scores, transitions = ctx.saved_tensors
        return scores * outputs[0], transitions * outputs[0], None, None, None, None


def loss(
    scores: Tensor, transitions: Tensor, wanted: Counts, lengths: Tensor, weights: Tensor
) -> Tensor:
    """
    Return the summed negative log-likelihood; each sentence counts `weights` times.

    `wanted` was counted with the same weights. Where it is another field's expectation, this is
    the cross-entropy of the two over all paths, which no sampling estimates.
    """
    value: Tensor = _Loss.apply(  # type: ignore[no-untyped-call]
        scores, transitions, wanted.places, wanted.moves, lengths, weights
    )
    return value
