"""
The method that a node runs over every note, found by the entry point `xinglin-ner`.

Neither the node nor this package imports the other: what is here has the attributes
that the node asks for (`manifest`, `parameters`, `code`, `runtime`), and is called with
a text or, through `batch`, with many.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from xinglin_ml.annotation import Span
from xinglin_ml.errors import ConfigurationError
from xinglin_ml.predict import LoadedModel, load_model, shipped_folder
from xinglin_ml.provenance import MANIFEST
from xinglin_ml.windows import LONGEST

MODEL_VARIABLE = "XINGLIN_NER_MODEL"
"""
Names the model that the entry point gives in place of the shipped one: a folder, or a model of
Hugging Face by folder or hub name.
"""

_CODE_FILES = (
    "annotation.py",
    "characters.py",
    "decoding.py",
    "lexicon.py",
    "predict.py",
    "reading.py",
    "tagging.py",
    "windows.py",
)
"""What turns a text into spans; a change in any of them is another code."""


def code_digest(files: Sequence[str] = _CODE_FILES) -> str:
    """Return the digest of the code that reads a text."""
    state = hashlib.sha256()
    for name in files:
        data = (Path(__file__).parent / name).read_bytes()
        state.update(name.encode() + b"\x00" + len(data).to_bytes(8, "big") + data)
    return state.hexdigest()


def runtime_name() -> str:
    """Return the runtime and its minor version: within one, outputs are equal."""
    version = metadata.version("onnxruntime")
    return f"onnxruntime {'.'.join(version.split('.')[:2])}"


class NamedMethod(Protocol):
    """What a node and `inference rerun` ask of a method."""

    manifest: bytes
    parameters: Mapping[str, str | int]
    code: str
    runtime: str

    def __call__(self, text: str) -> Sequence[Span]:
        """Return the spans of one text, offsets in code points of it."""
        ...

    def batch(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return the spans of many texts, each the same as if it were read alone."""
        ...


class Method:
    """A model under one scheme."""

    def __init__(self, model: LoadedModel, scheme: str = "diagnostic") -> None:
        if scheme not in model.reader.taggings:
            known = ", ".join(sorted(model.reader.taggings))
            raise ConfigurationError(f"expected a scheme of the model ({known}), got {scheme}")
        self._model, self._scheme = model, scheme
        self.manifest: bytes = model.manifest.to_bytes()
        """Canonical JSON; its SHA-256 is the model's digest."""

        self.parameters: Mapping[str, str | int] = MappingProxyType(
            {"scheme": scheme, "window": LONGEST}
        )
        """What decides the output beside the model and the text."""

        self.code: str = f"xinglin_ml {metadata.version('xinglin')} sha256:{code_digest()}"
        self.runtime: str = runtime_name()

    def __call__(self, text: str) -> Sequence[Span]:
        """Return the spans of one text."""
        return self.batch([text])[0]

    def batch(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return the spans of many texts, each the same as if it were read alone."""
        return self._model.reader.read(texts, self._scheme)


def load() -> NamedMethod:
    """
    Return the model that reads here; the factory behind the entry point.

    It is the shipped one, unless the environment names another: a node, `inference rerun` and
    the terminal find it the same way. Raises as `open_method` does.
    """
    return open_method(os.environ.get(MODEL_VARIABLE) or None)


def open_method(model: str | None, *, scheme: str | None = None, threads: int = 1) -> NamedMethod:
    """
    Return the shipped model, a model of ours in a folder, or one of Hugging Face.

    Ours read under `diagnostic` where no scheme is named. Raises `ConfigurationError` for a
    scheme that the model has not (one of Hugging Face has its own labels, and none), and where
    a model of Hugging Face is asked for without torch and transformers.
    """
    folder = shipped_folder() if model is None else Path(model)
    if (folder / MANIFEST).exists() or model is None:
        return Method(
            load_model(folder, threads=threads), "diagnostic" if scheme is None else scheme
        )
    if scheme is not None:
        raise ConfigurationError(
            f"expected no scheme for a model with its own labels, got {scheme}"
        )
    try:
        from xinglin_ml.huggingface import HuggingFaceMethod
    except ImportError as error:
        raise ConfigurationError(
            "a model of Hugging Face needs torch and transformers: install xinglin[train]"
        ) from error
    return HuggingFaceMethod(str(model))
