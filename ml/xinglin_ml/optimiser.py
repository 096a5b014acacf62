"""
The optimiser of pre-training, and the average of weights that all training keeps.

Hidden matrices take orthogonalised momentum (Jordan et al. 2024, "Muon"): on little data
it needs about two thirds of the steps that AdamW needs. Everything else takes AdamW.
torch has a version of it that works in bfloat16, which a processor without
matrix units computes twenty times slower than float32; hence this one.
"""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, from the same source."""

NEWTON_SCHULZ_STEPS = 5


def orthogonalise(matrix: Tensor) -> Tensor:
    """Return a matrix with the singular vectors of `matrix` and singular values near one."""
    a, b, c = NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(NEWTON_SCHULZ_STEPS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.T if tall else x
    return result


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix is made orthogonal before it is applied."""

    def __init__(
        self, parameters: Iterable[Tensor], *, rate: float, momentum: float = 0.95
    ) -> None:
        super().__init__(parameters, {"lr": rate, "momentum": momentum})

    @torch.no_grad()
    def step(self, _closure: None = None) -> None:  # type: ignore[override]
        """Apply the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(gradient)
                momentum = state["momentum"]
                momentum.lerp_(gradient, 1.0 - group["momentum"])
                ahead = gradient.lerp(momentum, group["momentum"])
                rows, columns = parameter.shape
                scale = max(1.0, rows / columns) ** 0.5
                parameter.add_(orthogonalise(ahead), alpha=-group["lr"] * scale)


def hidden_matrices(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the matrices between hidden layers: no embeddings, heads, or vectors."""
    for name, parameter in model.named_parameters():
        if ".blocks." in f".{name}" and parameter.ndim == 2 and not name.endswith("mix"):
            yield name, parameter


class Average:
    """An exponential average of weights: usable at any moment, and better than the last."""

    def __init__(self, model: nn.Module, rate: float) -> None:
        self.rate = rate
        self.steps = 0
        self.weights = {k: v.detach().clone() for k, v in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Take one step towards the weights of `model`, larger steps at first."""
        self.steps += 1
        rate = min(self.rate, self.steps / (self.steps + 10))
        theirs = model.state_dict()
        for name, mine in self.weights.items():
            mine.lerp_(theirs[name], 1.0 - rate)
