"""
A trained run becomes the files that ship: ONNX in int8, vocabulary, lexicon, manifest.

    python -m xinglin_ml.export --run first --name xinglin-small --version 1

The model in float32 is written beside the run, to compare with.
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

from xinglin_ml.configuration import cache_folder
from xinglin_ml.errors import WeightsError
from xinglin_ml.finished import tagger_of
from xinglin_ml.graph import OPSET, int8_graph
from xinglin_ml.model import Tagger
from xinglin_ml.provenance import CARD, DECODING, LEXICON, MODEL, VOCABULARY, write_manifest
from xinglin_ml.schema import SCHEMES, SUBTYPES
from xinglin_ml.tagging import Tagging

WEIGHTS = Path(__file__).parent.parent / "xinglin_weights"
"""What ships is exported to the distribution beside this one."""


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
    to_float_onnx(model, run / "model.float32.onnx")
    onnx.save(int8_graph(model), target / MODEL)
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
    target = given.target or WEIGHTS / given.name
    export(
        cache_folder(given.cache) / given.run,
        target,
        name=given.name,
        version=given.version,
        card=given.card,
    )


if __name__ == "__main__":
    main()
