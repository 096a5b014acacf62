"""
The encoder as an ONNX graph in eight bits, node by node.

A graph that is written by hand asks for a third fewer steps than one that an exporter finds:
rotation and attention are one step each, biases are added where products are scaled, all heads
share one product. What it computes is `model.Tagger` (a test holds them together).

Every matrix is int8 with one scale for each output. Activations are scaled for each window by
itself, and since a window is always computed alone, its numbers depend on nothing but its text.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from xinglin_ml.model import Tagger

OPSET = 18
IR_VERSION = 10
"""Versions that ONNX Runtime has read for years."""

MICROSOFT = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""

EPSILON = 1e-5
"""Of torch's layer normalisation."""

LARGEST_WEIGHT = 63
"""
Seven bits for weights: on processors with AVX2 or AVX-512 but no VNNI, the product of unsigned
and signed bytes is summed in pairs into 16 bits, and with eight bits that sum can saturate. It
cannot with seven, so that all processors give the same integers.
"""

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Graph:
    """Nodes and constants so far."""

    weights: dict[str, Array]
    nodes: list[onnx.NodeProto] = field(default_factory=list[onnx.NodeProto])
    constants: list[onnx.TensorProto] = field(default_factory=list[onnx.TensorProto])

    def constant(self, values: Array) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def nodes_of(self, kind: str, inputs: list[str], count: int, **attributes: Any) -> list[str]:
        outputs = [f"{kind}_{len(self.nodes)}_{i}" for i in range(count)]
        self.nodes.append(helper.make_node(kind, inputs, outputs, **attributes))
        return outputs

    def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.nodes_of(kind, list(inputs), 1, **attributes)[0]

    def split(self, x: str, sizes: list[int]) -> list[str]:
        return self.nodes_of("Split", [x, self.constant(np.array(sizes))], len(sizes), axis=-1)

    def product(self, x: str, weight: Array, bias: Array) -> str:
        """Return `x @ weight.T + bias`, the weight in seven bits."""
        scale = _scale(weight, 1, LARGEST_WEIGHT)
        rows = np.rint(weight / scale).astype(np.int8)
        return self.node(
            "DynamicQuantizeMatMul",
            x,
            self.constant(rows.T),
            self.constant(scale[:, 0]),
            self.constant(np.zeros(len(scale), dtype=np.int8)),
            self.constant(bias),
            domain=MICROSOFT,
        )

    def linear(self, x: str, name: str) -> str:
        return self.product(x, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def exact(self, x: str, weight: Array, bias: Array) -> str:
        """Return `x @ weight.T + bias` in float32."""
        return self.node(
            "Add", self.node("MatMul", x, self.constant(weight.T)), self.constant(bias)
        )

    def norm(self, x: str, name: str) -> str:
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        inputs = (x, self.constant(weight), self.constant(bias))
        return self.node("LayerNormalization", *inputs, axis=-1, epsilon=EPSILON)

    def rows(self, name: str, at: str) -> str:
        """Return the rows `at` of a table that is kept as int8 with one scale a row."""
        table = self.weights[name]
        scale = _scale(table, 1, 127)
        small = np.rint(table / scale).astype(np.int8)
        found = self.node("Gather", self.constant(small), at, axis=0)
        scales = self.node("Gather", self.constant(scale), at, axis=0)
        return self.node("Mul", self.node("Cast", found, to=TensorProto.FLOAT), scales)

    def shifted(self, x: str, steps: int) -> str:
        """Return (1, T, D) moved along T, with zeros at the end that it left."""
        return self.node("Pad", x, self.constant(np.array([0, steps, 0, 0, -steps, 0])))


def _scale(values: Array, axis: int, largest: int) -> Array:
    scale: Array = np.abs(values).max(axis, keepdims=True) / largest + 1e-12
    return scale.astype(np.float32)


def _block(graph: _Graph, x: str, name: str, heads: int, turns: tuple[str, str, str]) -> str:
    h = graph.norm(x, f"{name}.first")
    mix = graph.weights[f"{name}.mix"]
    sides = [
        graph.node("Mul", part, graph.constant(mix[i]))
        for i, part in enumerate((graph.shifted(h, 1), h, graph.shifted(h, -1)))
    ]
    h = graph.node("Add", graph.node("Add", sides[0], sides[1]), sides[2])
    width = mix.shape[1]
    query, key, value = graph.split(graph.linear(h, f"{name}.project"), [width] * 3)
    query, key = (
        graph.node("RotaryEmbedding", part, *turns, domain=MICROSOFT, num_heads=heads)
        for part in (query, key)
    )
    mixed = graph.node("MultiHeadAttention", query, key, value, domain=MICROSOFT, num_heads=heads)
    x = graph.node("Add", x, graph.linear(mixed, f"{name}.merge"))
    h = graph.linear(graph.norm(x, f"{name}.second"), f"{name}.widen")
    h = graph.linear(graph.node("Relu", h), f"{name}.narrow")
    # `Sum`, because ONNX Runtime would fuse `Add` with the last norm into a slower step.
    return graph.node("Sum", x, h)


def _heads(graph: _Graph, x: str, model: Tagger) -> dict[str, int]:
    """Append the product of all heads and return how many tags each has."""
    names = sorted(model.heads)
    weight = np.concatenate([graph.weights[f"heads.{n}.weight"] for n in names])
    bias = np.concatenate([graph.weights[f"heads.{n}.bias"] for n in names])
    sizes = {n: len(graph.weights[f"heads.{n}.bias"]) for n in names}
    inputs = [graph.exact(x, weight, bias), graph.constant(np.array(list(sizes.values())))]
    graph.nodes.append(helper.make_node("Split", inputs, names, axis=-1))
    return sizes


def int8_graph(model: Tagger) -> onnx.ModelProto:
    """Return the tagger in eight bits: one window a call, of any length up to the longest."""
    shape = model.encoder.shape
    graph = _Graph({n: v.detach().numpy() for n, v in model.state_dict().items()})
    weights = graph.weights
    pairs = graph.rows("encoder.bigram.weight", "bigrams")
    around = graph.node("Concat", graph.shifted(pairs, 1), pairs, axis=-1)
    seen = graph.exact(
        "features",
        np.concatenate([weights["encoder.lexicon.weight"], weights["again.weight"]]),
        np.concatenate([weights["encoder.lexicon.bias"], weights["again.bias"]]),
    )
    again = len(weights["again.bias"])
    below, above = graph.split(seen, [shape.width, again])
    x = graph.node(
        "Sum",
        graph.rows("encoder.character.weight", "characters"),
        graph.linear(around, "encoder.pair"),
        below,
    )
    half = shape.width // shape.heads // 2
    turns = (
        graph.constant(np.zeros(1, dtype=np.int64)),  # a window begins at position 0
        graph.constant(model.encoder.cosine.numpy()[:, :half]),
        graph.constant(model.encoder.sine.numpy()[:, half:]),
    )
    for layer in range(shape.layers):
        x = _block(graph, x, f"encoder.blocks.{layer}", shape.heads, turns)
    x = graph.node("Concat", graph.norm(x, "encoder.last"), graph.node("Relu", above), axis=-1)
    sizes = _heads(graph, x, model)
    made = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "tagger",
            [
                *(_value(n, TensorProto.INT64) for n in ("characters", "bigrams")),
                _value("features", TensorProto.FLOAT, shape.features),
            ],
            [_value(n, TensorProto.FLOAT, count) for n, count in sizes.items()],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(made)
    return made


def _value(name: str, kind: int, *last: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, [1, "length", *last])
