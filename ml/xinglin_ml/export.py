"""
A trained run becomes the files that ship: ONNX in int8, vocabulary, lexicon, manifest.

    python -m xinglin_ml.export --run first --name xinglin-small --version 1

Matrices are kept in int8 with one scale for each output; activations are scaled for
each window by itself, and since a window is always computed alone, its numbers depend on
nothing but its text. Embeddings are int8 with one scale for each row.
"""

import argparse
import json
import shutil
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from xinglin_ml.configuration import cache_folder
from xinglin_ml.errors import WeightsError
from xinglin_ml.model import Shape, Tagger
from xinglin_ml.provenance import CARD, DECODING, LEXICON, MODEL, VOCABULARY, write_manifest
from xinglin_ml.schema import SCHEMES, SUBTYPES
from xinglin_ml.tagging import Tagging

SMALL_MATRIX = 100_000
"""Entries below which a matrix stays in float32: the first and last ones, where rounding hurts
most, cost little."""

OPSET = 18
"""The oldest that the exporter writes without conversion."""


def tagger_of(run: Path) -> Tagger:
    """Return the model of a finished run with its averaged weights."""
    state = torch.load(run / "state.pt", weights_only=True)
    weights: dict[str, torch.Tensor] = state["average"]
    heads = {
        k.split(".")[1]: len(v)
        for k, v in weights.items()
        if k.startswith("heads.") and k.endswith("bias")
    }
    model = Tagger(Shape(**state["shape"]), heads)
    model.load_state_dict(weights)
    return model.eval()


class _Flat(torch.nn.Module):
    """The tagger with outputs in a fixed order, as ONNX wants them."""

    def __init__(self, model: Tagger) -> None:
        super().__init__()
        self.model, self.names = model, sorted(model.heads)

    def forward(
        self, characters: torch.Tensor, bigrams: torch.Tensor, features: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Return the scores of each head."""
        outputs = self.model(characters, bigrams, features, None)
        return tuple(outputs[n] for n in self.names)


def to_float_onnx(model: Tagger, path: Path) -> None:
    """Write the model in float32; one window a call, of any length up to the longest."""
    flat = _Flat(model).eval()
    size = 24
    example = (
        torch.ones(1, size, dtype=torch.int64),
        torch.zeros(1, size, dtype=torch.int64),
        torch.zeros(1, size, model.encoder.shape.features),
    )
    length = torch.export.Dim("length", min=1, max=model.encoder.shape.longest)
    names = ["characters", "bigrams", "features"]
    program = torch.onnx.export(
        flat,
        example,
        dynamo=True,
        opset_version=OPSET,
        input_names=names,
        output_names=flat.names,
        dynamic_shapes={n: {1: length} for n in names},
    )
    if program is None:
        raise WeightsError("expected a program from the exporter, got none")
    program.save(str(path))


def to_int8(source: Path, target: Path) -> None:
    """Quantise matrices and embeddings of a float32 model."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(source).graph
    entries = {i.name: int(np.prod(i.dims)) for i in graph.initializer}
    small = [
        n.name
        for n in graph.node
        if n.op_type == "MatMul" and entries.get(n.input[1], SMALL_MATRIX) < SMALL_MATRIX
    ]

    # Seven bits for weights: on processors with AVX2 or AVX-512 but no VNNI, the product of
    # unsigned and signed bytes is summed in pairs into 16 bits, and with eight bits that sum
    # can saturate. It cannot with seven, so that all processors give the same integers.
    quantize_dynamic(
        source,
        target,
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm"],
        nodes_to_exclude=small,
        extra_options={"MatMulConstBOnly": True},
    )
    model = onnx.load(target)
    shrink_embeddings(model)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def shrink_embeddings(model: onnx.ModelProto) -> None:
    """Replace each float table that is gathered from by int8 rows and one scale a row."""
    graph = model.graph
    tables = {i.name: i for i in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        table = tables.get(node.input[0]) if node.op_type == "Gather" else None
        if table is None or table.data_type != TensorProto.FLOAT or len(table.dims) != 2:
            nodes.append(node)
            continue
        values = numpy_helper.to_array(table)
        scale = (np.abs(values).max(1, keepdims=True) / 127.0 + 1e-12).astype(np.float32)
        small = np.rint(values / scale).astype(np.int8)
        name, out = table.name, node.output[0]
        graph.initializer.remove(table)
        graph.initializer.append(numpy_helper.from_array(small, f"{name}_rows"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        at = node.input[1]
        nodes += [
            helper.make_node("Gather", [f"{name}_rows", at], [f"{out}_rows"], axis=0),
            helper.make_node("Cast", [f"{out}_rows"], [f"{out}_float"], to=TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}_scale", at], [f"{out}_scale"], axis=0),
            helper.make_node("Mul", [f"{out}_float", f"{out}_scale"], [out]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def decoding(model: Tagger) -> dict[str, Any]:
    """Return labels and transitions of each scheme, the latter as hundredths."""
    heads: dict[str, Any] = {}
    for name in sorted(model.transitions):
        if name not in SCHEMES:
            continue
        tagging = Tagging(SCHEMES[name].labels)
        values = model.transitions[name].detach().numpy()
        rows = np.where(tagging.legal(), np.rint(values * 100), -1_000_000).astype(int).tolist()
        heads[name] = {"labels": list(tagging.labels), "transitions": rows}
    return {"format": "xinglin.decoding/1", "heads": heads, "subtypes": list(SUBTYPES)}


def export(run: Path, target: Path, *, name: str, version: int, card: Path | None) -> None:
    """Write everything that ships of one run."""
    target.mkdir(parents=True, exist_ok=True)
    model = tagger_of(run)
    whole = run / "model.float32.onnx"
    to_float_onnx(model, whole)
    to_int8(whole, target / MODEL)
    shutil.copyfile(run / VOCABULARY, target / VOCABULARY)
    shutil.copyfile(run / LEXICON, target / LEXICON)
    (target / DECODING).write_text(
        json.dumps(decoding(model), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    )
    if card is not None:
        shutil.copyfile(card, target / CARD)
    experiment = json.loads((run / "experiment.json").read_text())
    libraries = {n: metadata.version(n) for n in ("onnx", "onnxruntime", "torch")}
    write_manifest(target, name=name, version=version, experiment=experiment, libraries=libraries)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Export a finished run.")
    parser.add_argument("--run", required=True, help="name of the run in the cache")
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", type=int, required=True)
    parser.add_argument("--card", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--target", type=Path)
    given = parser.parse_args(arguments)
    target = given.target or Path(__file__).parent / "weights" / given.name
    export(
        cache_folder(given.cache) / given.run,
        target,
        name=given.name,
        version=given.version,
        card=given.card,
    )


if __name__ == "__main__":
    main()
