"""
Run the shipped model: text in, spans out, no torch.

    from xinglin_ml.predict import load_shipped

    reader = load_shipped().reader
    reader.read(["胃脘隐痛两月，舌淡，脉细弱。"], "diagnostic")
"""

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from xinglin_ml.characters import Vocabulary
from xinglin_ml.decoding import Scores
from xinglin_ml.errors import WeightsError
from xinglin_ml.lexicon import Lexicon
from xinglin_ml.provenance import (
    DECODING,
    LEXICON,
    MODEL,
    VOCABULARY,
    ModelManifest,
    read_model,
)
from xinglin_ml.reading import Reader
from xinglin_ml.schema import SUBTYPES
from xinglin_ml.tagging import Tagging

SHIPPED = "xinglin-small"
"""The model that is used unless another is named."""

HUNDREDTHS = np.float32(100)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model that is ready to read, and its manifest."""

    manifest: ModelManifest
    reader: Reader


def load_shipped(name: str = SHIPPED, *, threads: int = 1) -> LoadedModel:
    """Load a model that ships. Raises as `shipped_folder` and `load_model` do."""
    return load_model(shipped_folder(name), threads=threads)


def shipped_folder(name: str = SHIPPED) -> Path:
    """
    Return the folder of a model that ships, in the distribution of the weights.

    Raises `WeightsError` where that distribution is not installed, or has no such model.
    """
    try:
        weights = resources.files("xinglin_weights")
    except ModuleNotFoundError as error:
        raise WeightsError(
            "the weights are not installed: `pip install ./ml` in the project's folder, "
            "or name another model in XINGLIN_NER_MODEL"
        ) from error
    folder = Path(str(weights / name))
    if not folder.is_dir():
        raise WeightsError(f"no model {name} ships with the weights that are installed")
    return folder


def load_model(folder: Path, *, threads: int = 1) -> LoadedModel:
    """
    Load the model in `folder` after checking every file against its manifest.

    Raises `WeightsError` where a file is missing, altered, not what it should be, or not in
    the manifest, whose digest is what hospitals approved.
    """
    manifest, files = read_model(folder)
    for name in (MODEL, VOCABULARY, LEXICON, DECODING):
        if name not in files:
            raise WeightsError(f"expected {name} in the manifest, got none")
    vocabulary = Vocabulary.from_json(files[VOCABULARY])
    lexicon = Lexicon.from_json(files[LEXICON])
    try:
        value = json.loads(files[DECODING])
        if value["format"] != "xinglin.decoding/1" or tuple(value["subtypes"]) != SUBTYPES:
            raise WeightsError("the model was made for another schema")
        taggings = {n: Tagging(tuple(h["labels"])) for n, h in value["heads"].items()}
        transitions = {
            n: np.array(h["transitions"], dtype=np.float32) / HUNDREDTHS
            for n, h in value["heads"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{DECODING} is not what it should be") from error
    scorer = OnnxScorer(files[MODEL])
    return LoadedModel(
        manifest, Reader(vocabulary, lexicon, taggings, transitions, scorer, threads)
    )


class OnnxScorer:
    """Scores of one window through ONNX Runtime, on the calling thread."""

    def __init__(self, model: bytes) -> None:
        # Typed stubs of onnxruntime are incomplete; it is one constructor and one call.
        runtime: Any = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = 3
        # Weights in a file beside the graph would be under no digest, and are looked for in the
        # working directory unless a place is named: below a file there is none.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", __file__
        )
        try:
            self._session = runtime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no base but this.
            raise WeightsError("the weights are no model that ONNX Runtime opens") from error
        self._names: list[str] = [o.name for o in self._session.get_outputs()]

    def __call__(self, characters: Any, bigrams: Any, features: Any) -> Mapping[str, Scores]:
        """Score (T,) characters and pairs with (T, F) features."""
        outputs = self._session.run(
            None,
            {
                "characters": characters[None],
                "bigrams": bigrams[None],
                "features": features[None],
            },
        )
        return {n: o[0] for n, o in zip(self._names, outputs, strict=True)}
