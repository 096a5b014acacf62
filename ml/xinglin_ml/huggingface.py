"""
Any Hugging Face token-classification model in the place of ours.

    from xinglin_ml.huggingface import HuggingFaceMethod

    method = HuggingFaceMethod("path/to/model")

The manifest is made from the files of the model, each with its digest, and from nothing of
the place where it is opened, so that such a model is registered and found again, by anybody
who has the files, like any other. The minor versions of torch and transformers are its runtime.
Labels are the model's own; tags may be BIO, BIOES, BILOU or bare names. Needs torch and
transformers.
"""

import importlib
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from xinglin.errors import Unreachable
from xinglin_ml.annotation import Span
from xinglin_ml.errors import ConfigurationError, WeightsError
from xinglin_ml.method import code_digest
from xinglin_ml.provenance import ModelManifest, digest_files
from xinglin_ml.windows import windows

WINDOW = 256
"""Characters read at once. A window that becomes more pieces than the model has positions for is
cut again, so that every character is read."""

_RESERVED_POSITIONS = 2
"""RoBERTa and its kin count positions from 2 on: of 514 they have 512."""

_SURROGATE = re.compile("[\ud800-\udfff]")
"""No tokenizer takes a lone one; it is read as U+FFFD, which leaves every offset where it is."""

NAME = "huggingface"
"""In every manifest: a folder's name is no part of a model."""

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
"""`name` or `owner/name`; all else was meant as a path."""

_CODE_FILES = ("annotation.py", "huggingface.py", "windows.py")
"""What turns a text into spans here; a change in any of them is another code."""

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
        folder = Path(source) if Path(source).is_dir() else _from_hub(source)
        transformers: Any = importlib.import_module("transformers")
        try:
            self._tokenizer: Any = transformers.AutoTokenizer.from_pretrained(
                str(folder), use_fast=True, local_files_only=True
            )
            model: Any = transformers.AutoModelForTokenClassification.from_pretrained(
                str(folder), local_files_only=True
            )
        except (OSError, ValueError) as error:
            raise WeightsError(f"{source} is no token-classification model") from error
        if not self._tokenizer.is_fast:
            raise WeightsError(f"{source} has no tokenizer that knows offsets")
        self._model = model.eval()
        self._limit = _limit(self._tokenizer.model_max_length, model.config)
        self._labels: Mapping[int, str] = {int(k): str(v) for k, v in model.config.id2label.items()}
        files = {n: d for n, d in digest_files(folder).items() if not n.endswith(_IGNORED)}
        self.manifest: bytes = ModelManifest(
            NAME,
            1,
            files,
            {"origin": "huggingface", "labels": sorted(set(self._labels.values()))},
            libraries={},
            licence="see the model's own card",
        ).to_bytes()
        self.parameters: Mapping[str, str | int] = MappingProxyType(
            {"scheme": "native", "window": WINDOW}
        )
        self.code: str = (
            f"xinglin_ml {metadata.version('xinglin')} sha256:{code_digest(_CODE_FILES)}"
        )
        self.runtime: str = " ".join(f"{n} {_minor(n)}" for n in ("torch", "transformers"))

    def __call__(self, text: str) -> Sequence[Span]:
        """Return the spans of one text."""
        return self._read(_SURROGATE.sub("\ufffd", text), WINDOW)

    def batch(self, texts: Sequence[str]) -> list[list[Span]]:
        """Return the spans of many texts, one after the other: no text sees another."""
        return [list(self(text)) for text in texts]

    def _read(self, text: str, longest: int) -> list[Span]:
        return [
            Span(span.start + start, span.end + start, span.label, None, span.score)
            for start, end in windows(text, longest)
            for span in self._window(text[start:end])
        ]

    def _window(self, text: str) -> list[Span]:
        encoded = self._tokenizer(
            text,
            return_offsets_mapping=True,
            return_tensors="pt",
            truncation=False,
            verbose=False,
        )
        offsets = encoded.pop("offset_mapping")[0].tolist()
        if len(offsets) > self._limit:
            if len(text) == 1:
                raise WeightsError(f"a model with {self._limit} positions cannot read a character")
            return self._read(text, (len(text) + 1) // 2)
        if not offsets:
            return []
        with torch.no_grad():
            scores = self._model(**encoded).logits[0].softmax(-1)
        best = scores.max(-1)
        return pieces_to_spans(
            (self._labels[int(number)], float(score), first, last)
            for number, score, (first, last) in zip(best.indices, best.values, offsets, strict=True)
            if last > first
        )


def _limit(longest: int, config: Any) -> int:
    """Pieces that a model reads at once: what its tokenizer says, and never more than it has."""
    positions = getattr(config, "max_position_embeddings", None) or 0
    return min(longest, positions - _RESERVED_POSITIONS) if positions > 0 else longest


def _minor(library: str) -> str:
    return ".".join(metadata.version(library).split(".")[:2])


def _from_hub(name: str) -> Path:
    """
    Fetch a model from the hub, once, and return its folder: what is digested is what reads.

    Raises `ConfigurationError` for what is neither a folder nor a name on the hub, `Unreachable`
    where the hub does not answer and no earlier copy is kept here.
    """
    if not _HUB_NAME.fullmatch(name):
        raise ConfigurationError(f"expected a folder of a model at {name}, found none")
    hub: Any = importlib.import_module("huggingface_hub")
    refused: Any = importlib.import_module("huggingface_hub.errors")
    try:
        return Path(hub.snapshot_download(name))
    except (refused.RepositoryNotFoundError, refused.HFValidationError) as error:
        raise ConfigurationError(
            f"there is no folder {name}, and the hub of Hugging Face has no such model, or lets "
            "nobody unknown read it"
        ) from error
    except OSError as error:
        raise Unreachable(
            f"there is no folder {name}, the hub of Hugging Face does not answer, and no copy "
            "of a model of that name is kept here: fetch it once where there is a network, or "
            "name the folder that it was saved to"
        ) from error
