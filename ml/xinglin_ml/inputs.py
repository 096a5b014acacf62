"""
What a run is made from, as digests: every file, the recipe, the code, the libraries.

A run's state carries it, so that only the same run goes on from it, and the manifest of the
run's model takes it over. Digests are taken before the first step.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from xinglin.hashes import Digest
from xinglin_ml import names
from xinglin_ml.corpora import own
from xinglin_ml.examples import SILVER
from xinglin_ml.method import code_digest
from xinglin_ml.recipe import Training
from xinglin_ml.states import MADE_FROM

TRAINING_CODE = (
    "annotation.py",
    "batches.py",
    "characters.py",
    "corpora/markup.py",
    "corpora/own/__init__.py",
    "crf.py",
    "examples.py",
    "finished.py",
    "lexicon.py",
    "model.py",
    "names/__init__.py",
    "optimiser.py",
    "recipe.py",
    "schema.py",
    "tagging.py",
    "teachers.py",
    "train.py",
    "windows.py",
)
"""What turns files into weights; a change in any of them is another run."""

PRETRAINING_CODE = (
    "characters.py",
    "corpora/raw.py",
    "model.py",
    "optimiser.py",
    "pretrain.py",
    "recipe.py",
)


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """Return the digest of each file, by its folder and name: two lists are called prevention."""
    return {f"{p.parent.name}/{p.name}": Digest.of(p.read_bytes()).text for p in sorted(set(paths))}


def around(config: Any, code: tuple[str, ...]) -> dict[str, object]:
    """Return what every run says beside its data: recipe, code, seeds, versions."""
    recipe = json.dumps(asdict(config), ensure_ascii=False, sort_keys=True)
    libraries = ("torch", "numpy", "pyahocorasick")
    return {
        "recipe": Digest.of(recipe.encode()).text,
        "code": f"xinglin_ml {metadata.version('xinglin')} sha256:{code_digest(code)}",
        "seeds": [config.seed],
        "libraries": {name: metadata.version(name) for name in libraries},
    }


def files_of(corpus: str, split: str, data: Path, cache: Path) -> list[Path]:
    """Return the files from which `examples.read` takes one part of a corpus."""
    if corpus == SILVER:
        return list((cache / SILVER).glob("*.jsonl"))
    if corpus.startswith("own_"):
        kind = cast("own.Kind", corpus.removeprefix("own_"))
        return [Path(own.__file__).parent / name for name in own.SOURCES[kind]]
    return [data / "ner" / f"{corpus}.{split}.jsonl"]


def of_training(
    config: Training, data: Path, cache: Path, pretrained: Mapping[str, Any]
) -> dict[str, object]:
    """Return what a training run is made from; `pretrained` is the state of its pre-training."""
    files = [p for use in config.corpora for p in files_of(use.name, "train", data, cache)]
    files += [names.FOLDER / f"{kind}.txt" for kind in config.names]
    parts = [wanted.split("/") for wanted in config.score]
    scored = [p for one in parts for p in files_of(one[0], one[1], data, cache)]
    taken = not (config.from_scratch or config.initial)
    return {
        **around(config, TRAINING_CODE),
        "data": digests(files),
        "scored": digests(scored),
        "vocabulary": {
            "name": config.pretrained,
            "digest": _digest(cache / config.pretrained / "vocabulary.json"),
        },
        "pretrained": {
            "name": config.pretrained,
            "steps": pretrained["step"],
            "digest": _digest(cache / config.pretrained / "state.pt"),
            MADE_FROM: pretrained.get(MADE_FROM),
        }
        if taken
        else None,
        "initial": {
            "name": config.initial,
            "digest": _digest(cache / config.initial / "state.pt"),
        }
        if config.initial
        else None,
        "teachers": {name: _digest(cache / name / "state.pt") for name in config.teachers},
    }


def _digest(path: Path) -> str:
    return Digest.of(path.read_bytes()).text
