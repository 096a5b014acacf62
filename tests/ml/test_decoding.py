"""The best path, its certainty, and the loss that trains it."""

import itertools
from typing import Any

import numpy as np
import pytest

from xinglin_ml.annotation import Span
from xinglin_ml.decoding import FORBIDDEN, best_paths
from xinglin_ml.tagging import Tagging

TAGGING = Tagging(("a", "b"))


def random_scores(rng: np.random.Generator, length: int) -> np.ndarray:
    return rng.normal(size=(length, TAGGING.count)).astype(np.float32)


def transitions(rng: np.random.Generator) -> np.ndarray:
    size = TAGGING.count + 2
    values = rng.normal(size=(size, size)).astype(np.float32)
    return np.where(TAGGING.legal(), values, FORBIDDEN)


def by_enumeration(scores: np.ndarray, moves: np.ndarray) -> tuple[list[int], np.ndarray]:
    """Return the best path and the marginals by looking at every path there is."""
    count = TAGGING.count
    best, value, total = [], -np.inf, 0.0
    marginal = np.zeros_like(scores, dtype=np.float64)
    for path in itertools.product(range(count), repeat=len(scores)):
        weight = float(moves[count, path[0]]) + float(moves[path[-1], count + 1])
        weight += sum(float(s[t]) for s, t in zip(scores, path, strict=True))
        weight += sum(float(moves[a, b]) for a, b in itertools.pairwise(path))
        if weight > value:
            best, value = list(path), weight
        share = np.exp(weight)
        total += share
        for at, tag in enumerate(path):
            marginal[at, tag] += share
    return best, marginal / total


class TestBestPaths:
    @pytest.mark.parametrize("length", [1, 2, 4])
    def test_path_and_certainty_are_those_of_all_paths(self, length: int) -> None:
        rng = np.random.default_rng(length)
        for _ in range(3):
            scores, moves = random_scores(rng, length), transitions(rng)
            best, marginal = by_enumeration(scores, moves)
            (path,) = best_paths([scores], moves)
            assert path.tags == best
            expected = [marginal[i, t] for i, t in enumerate(best)]
            assert path.certainty == pytest.approx(expected, abs=1e-4)

    def test_a_text_is_decoded_alike_in_any_company(self) -> None:
        rng = np.random.default_rng(7)
        moves = transitions(rng)
        texts = [random_scores(rng, n) for n in (3, 1, 9, 30, 2)]
        alone = [best_paths([t], moves)[0].tags for t in texts]
        assert [p.tags for p in best_paths(texts, moves)] == alone

    def test_every_path_is_legal(self) -> None:
        rng = np.random.default_rng(3)
        moves = transitions(rng)
        for path in best_paths([10 * random_scores(rng, 40) for _ in range(20)], moves):
            assert TAGGING.encode(TAGGING.decode(path.tags), 40) == list(path.tags)

    def test_nothing_gives_nothing(self) -> None:
        assert best_paths([], transitions(np.random.default_rng(0))) == []


class TestLoss:
    def test_the_gradient_is_that_of_finite_differences(self) -> None:
        torch = pytest.importorskip("torch")
        from xinglin_ml import crf

        rng = np.random.default_rng(1)
        gold = [
            TAGGING.encode([Span(0, 2, "a")], 4),
            TAGGING.encode([Span(1, 2, "b"), Span(2, 4, "a")], 4),
        ]
        scores = torch.tensor(rng.normal(size=(2, 4, TAGGING.count)), requires_grad=True)
        size = TAGGING.count + 2
        moves = torch.tensor(rng.normal(size=(size, size)), requires_grad=True)
        default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            weights, lengths = torch.tensor([1.0, 0.5]), torch.tensor([4, 4])
            wanted = crf.observed(torch.tensor(gold), lengths, weights, TAGGING.count)

            def loss(s: Any, m: Any) -> Any:
                return crf.loss(s, crf.forbid(m, TAGGING.legal()), wanted, lengths, weights)

            assert torch.autograd.gradcheck(loss, (scores, moves))
        finally:
            torch.set_default_dtype(default)

    def test_what_is_expected_is_what_every_path_holds(self) -> None:
        torch = pytest.importorskip("torch")
        from xinglin_ml import crf

        rng = np.random.default_rng(5)
        scores, moves = random_scores(rng, 3), transitions(rng)
        filled = np.stack([np.pad(scores, ((0, 2), (0, 0))), random_scores(rng, 5)])
        lengths, weights = torch.tensor([3, 5]), torch.tensor([1.0, 0.0])
        _, held = crf.expected(torch.tensor(filled), torch.tensor(moves), lengths, weights)
        _, marginal = by_enumeration(scores, moves)
        assert held.places[0, :3].numpy() == pytest.approx(marginal, abs=1e-5)
        assert not held.places[0, 3:].any()
        assert not held.places[1].any()
        assert float(held.moves.sum()) == pytest.approx(3 + 1, abs=1e-4)

    def test_a_field_learns_another_only_until_they_are_alike(self) -> None:
        torch = pytest.importorskip("torch")
        from xinglin_ml import crf

        rng = np.random.default_rng(6)
        scores, moves = torch.tensor(random_scores(rng, 4))[None], torch.tensor(transitions(rng))
        lengths, weights = torch.tensor([4]), torch.tensor([1.0])
        _, wanted = crf.expected(scores, moves, lengths, weights)
        for shift, moved in ((0.0, False), (1.0, True)):
            mine = scores.clone()
            mine[0, 1, 0] += shift
            mine.requires_grad_()
            crf.loss(mine, moves, wanted, lengths, weights).backward()
            assert bool(mine.grad.abs().max() > 1e-4) is moved
