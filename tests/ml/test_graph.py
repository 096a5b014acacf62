"""The graph that ships computes what the trained model computes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from xinglin_ml.errors import WeightsError  # noqa: E402
from xinglin_ml.graph import int8_graph  # noqa: E402
from xinglin_ml.model import Shape, Tagger  # noqa: E402
from xinglin_ml.predict import OnnxScorer  # noqa: E402

SHAPE = Shape(vocabulary=50, bigrams=40, width=64, layers=2, heads=2, hidden=128, features=12)

TOLERANCE = 0.3
"""Rounding moves these scores by at most 0.2; without the rotation, without a `Relu` or with
neighbours exchanged they move by 1.6 and more. They deviate by 1.5."""


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    torch.manual_seed(1)
    model = Tagger(SHAPE, {"b": 9, "a": 5})
    with torch.no_grad():  # What training moves: nothing here may be a one or a zero.
        for value in model.parameters():
            value.add_(0.15 * torch.randn_like(value))
    return model.eval()


@pytest.fixture(scope="module")
def scorer(tagger: Tagger) -> OnnxScorer:
    return OnnxScorer(int8_graph(tagger).SerializeToString())


def window(length: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(length)
    return (
        rng.integers(0, SHAPE.vocabulary, length),
        rng.integers(0, SHAPE.bigrams, length),
        rng.random((length, SHAPE.features), dtype=np.float32),
    )


class TestWhereWeightsLie:
    def test_weights_in_another_file_are_not_looked_for(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The manifest's digest would bind nothing of them.
        number, make = onnx.TensorProto.FLOAT, onnx.helper.make_tensor_value_info
        weights = onnx.numpy_helper.from_array(np.ones(600, dtype=np.float32), "w")
        nodes = [onnx.helper.make_node("Add", ["x", "w"], ["y"])]
        given, found = [make("x", number, [600])], [make("y", number, [600])]
        graph = onnx.helper.make_graph(nodes, "g", given, found, [weights])
        opsets = [onnx.helper.make_opsetid("", 17)]
        model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
        path = tmp_path / "model.onnx"
        OnnxScorer(model.SerializeToString())
        outside = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
        onnx.save(model, path, **outside)
        assert (tmp_path / "weights.bin").stat().st_size == 2400
        monkeypatch.chdir(tmp_path)
        with pytest.raises(WeightsError):
            OnnxScorer(path.read_bytes())


class TestGraph:
    @pytest.mark.parametrize("length", [1, 2, 3, 40, 96])
    def test_scores_are_those_of_the_model_up_to_rounding(
        self, tagger: Tagger, scorer: OnnxScorer, length: int
    ) -> None:
        given = window(length)
        with torch.no_grad():
            expected = tagger(*(torch.from_numpy(g)[None] for g in given), None)
        found = scorer(*given)
        assert set(found) == {"a", "b"}
        for name, scores in found.items():
            assert scores.shape == (length, expected[name].shape[-1])
            exact = expected[name][0].numpy()
            assert np.abs(scores - exact).max() < TOLERANCE

    def test_every_matrix_but_the_first_and_last_is_in_eight_bits(self, tagger: Tagger) -> None:
        graph = int8_graph(tagger).graph
        kinds = [n.op_type for n in graph.node]
        assert kinds.count("MatMul") == 2
        assert kinds.count("DynamicQuantizeMatMul") == 1 + 4 * SHAPE.layers

    def test_no_weight_uses_the_eighth_bit(self, tagger: Tagger) -> None:
        # I7: without it, sums of pairs saturate on some processors and not on others.
        graph = int8_graph(tagger).graph
        matrices = {n.input[1] for n in graph.node if n.op_type == "DynamicQuantizeMatMul"}
        for constant in graph.initializer:
            if constant.name in matrices:
                assert np.abs(onnx.numpy_helper.to_array(constant).astype(int)).max() <= 63
