"""
The loss of a conditional random field, with its gradient written out.

Letting autograd walk through the recursion costs some forty times more than the two
scaled passes below, which give the marginals; and the gradient is the marginals less
what was annotated.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from xinglin_ml.decoding import FORBIDDEN


def forbid(transitions: Tensor, legal: NDArray[np.bool_]) -> Tensor:
    """Return `transitions` with everything that is not legal out of reach."""
    return transitions.masked_fill(torch.from_numpy(~legal), float(FORBIDDEN))


class _Loss(torch.autograd.Function):
    """Weighted negative log-likelihood of (B, T) tags under (B, T, K) scores."""

    @staticmethod
    def forward(
        ctx: Any,
        scores: Tensor,
        transitions: Tensor,
        tags: Tensor,
        lengths: Tensor,
        weights: Tensor,
    ) -> Tensor:
        batch, longest, count = scores.shape
        top = scores.max(-1, keepdim=True).values
        weight = (scores - top).exp()  # (B, T, K)
        step = transitions[:count, :count].exp()
        first, last = transitions[count, :count].exp(), transitions[:count, count + 1].exp()
        real = torch.arange(longest) < lengths[:, None]  # (B, T)

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
        marginal = alpha * beta
        marginal = marginal / (marginal.sum(-1, keepdim=True) + 1e-30)
        keep = real[:, :, None] * weights[:, None, None]
        gold = torch.zeros_like(scores).scatter_(2, tags[:, :, None], 1.0)
        ctx_scores = (marginal - gold) * keep

        right = (weight * beta)[:, 1:]  # (B, T-1, K)
        left = alpha[:, :-1]
        norm = ((left @ step) * right).sum(-1, keepdim=True) + 1e-30
        pairs = (left / norm * keep[:, 1:]).reshape(-1, count)
        expected = step * (pairs.T @ right.reshape(-1, count))
        observed = torch.zeros(count * count)
        joint = (tags[:, :-1] * count + tags[:, 1:]).reshape(-1)
        observed.index_add_(0, joint, (real[:, 1:] * weights[:, None]).reshape(-1))
        ends = torch.arange(batch), lengths - 1
        ctx_transitions = torch.zeros_like(transitions)
        ctx_transitions[:count, :count] = expected - observed.view(count, count)
        ctx_transitions[count, :count] = ctx_scores[:, 0].sum(0)
        ctx_transitions[:count, count + 1] = ctx_scores[ends].sum(0)
        ctx.save_for_backward(ctx_scores, ctx_transitions)

        emitted = (scores.gather(2, tags[:, :, None])[:, :, 0] * real).sum(1)
        moved = (transitions[tags[:, :-1], tags[:, 1:]] * real[:, 1:]).sum(1)
        moved = moved + transitions[count, tags[:, 0]] + transitions[tags[ends], count + 1]
        return ((log_z - emitted - moved) * weights).sum()

    @staticmethod
    def backward(ctx: Any, *outputs: Tensor) -> tuple[Tensor | None, ...]:
        scores, transitions = ctx.saved_tensors
        return scores * outputs[0], transitions * outputs[0], None, None, None


def loss(
    scores: Tensor, transitions: Tensor, tags: Tensor, lengths: Tensor, weights: Tensor
) -> Tensor:
    """Return the summed negative log-likelihood; each sentence counts `weights` times."""
    value: Tensor = _Loss.apply(scores, transitions, tags, lengths, weights)  # type: ignore[no-untyped-call]
    return value
