"""
Any Hugging Face token-classification model in the place of ours.

    from xinglin_ml.huggingface import HuggingFaceMethod

    method = HuggingFaceMethod("path/to/model")

The manifest is made from the files of the model, each with its digest, so that such a
model is registered and found again like any other. Labels are the model's own; tags may be
BIO, BIOES, BILOU or bare names. Needs torch and transformers.
"""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from xinglin_ml.annotation import Span
from xinglin_ml.errors import WeightsError
from xinglin_ml.provenance import ModelManifest, digest_files
from xinglin_ml.windows import windows

WINDOW = 256
"""Characters read at once; within the 512 positions of the usual encoders, even where a
character becomes two pieces."""

_IGNORED = (".lock", ".metadata", ".gitattributes")


def pieces_to_spans(
    tags: Iterable[tuple[str, float, int, int]],
) -> list[Span]:
    """
    Return the spans of (tag, score, start, end) for consecutive pieces of text.

    A span goes on while the name stays and the tag does not begin anew; a lone I or E
    begins one, as models without a decoder often write it.
    """
    spans: list[Span] = []
    name: str | None = None
    start = end = 0
    scores: list[float] = []

    def close() -> None:
        if name is not None and end > start:
            spans.append(Span(start, end, name, None, round(min(scores), 4)))

    for tag, score, first, last in tags:
        prefix, _, rest = tag.partition("-")
        if not rest or len(prefix) != 1:
            prefix, rest = ("O", "") if tag in ("O", "") else ("I", tag)
        if prefix == "O":
            close()
            name = None
            continue
        if name == rest and prefix not in "BSU":
            end = last
            scores.append(score)
        else:
            close()
            name, start, end, scores = rest, first, last, [score]
        if prefix in "ELSU":
            close()
            name = None
    close()
    return spans


class HuggingFaceMethod:
    """A token-classification model by path or hub name, as a method."""

    def __init__(self, source: str) -> None:
        transformers: Any = importlib.import_module("transformers")
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(source, use_fast=True)
            model: Any = transformers.AutoModelForTokenClassification.from_pretrained(source)
        except (OSError, ValueError) as error:
            raise WeightsError(f"{source} is no token-classification model") from error
        if not self._tokenizer.is_fast:
            raise WeightsError(f"{source} has no tokenizer that knows offsets")
        self._model = model.eval()
        self._labels: Mapping[int, str] = {int(k): str(v) for k, v in model.config.id2label.items()}
        folder = Path(source) if Path(source).is_dir() else _hub_folder(source)
        files = {n: d for n, d in digest_files(folder).items() if not n.endswith(_IGNORED)}
        libraries = {n: metadata.version(n) for n in ("torch", "transformers")}
        name = Path(source).name
        self.manifest: bytes = ModelManifest(
            name,
            1,
            files,
            {"origin": "huggingface", "labels": sorted(set(self._labels.values()))},
            libraries,
            licence="see the model's own card",
        ).to_bytes()
        self.parameters: Mapping[str, str | int] = MappingProxyType(
            {"scheme": "native", "window": WINDOW}
        )
        self.code: str = f"xinglin_ml {metadata.version('xinglin')} huggingface"
        self.runtime: str = "torch " + ".".join(metadata.version("torch").split(".")[:2])

    def __call__(self, text: str) -> Sequence[Span]:
        """Return the spans of one text."""
        found: list[Span] = []
        for start, end in windows(text, WINDOW):
            for span in self._window(text[start:end]):
                found.append(
                    Span(span.start + start, span.end + start, span.label, None, span.score)
                )
        return found

    def batch(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return the spans of many texts, one after the other: no text sees another."""
        return [list(self(text)) for text in texts]

    def _window(self, text: str) -> list[Span]:
        encoded = self._tokenizer(
            text, return_offsets_mapping=True, return_tensors="pt", truncation=True
        )
        offsets = encoded.pop("offset_mapping")[0].tolist()
        with torch.no_grad():
            scores = self._model(**encoded).logits[0].softmax(-1)
        best = scores.max(-1)
        return pieces_to_spans(
            (self._labels[int(number)], float(score), first, last)
            for number, score, (first, last) in zip(best.indices, best.values, offsets, strict=True)
            if last > first
        )


def _hub_folder(name: str) -> Path:
    """Return where the hub's files lie once they were fetched."""
    hub: Any = importlib.import_module("huggingface_hub")
    return Path(hub.snapshot_download(name))
