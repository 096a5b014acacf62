"""
One experiment from its TOML file to its results: what `xinglin ner train` runs.

The folder of a finished run holds the averaged weights (in `state.pt`), `metrics.json`, the curve
as numbers and as a picture, the vocabulary, the lexicon, and `experiment.json`: digests of every
input, of teachers, seeds and library versions, which the model's manifest takes over.
"""

import json
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import torch

from xinglin.hashes import Digest
from xinglin_ml import names
from xinglin_ml.configuration import cache_folder, data_folder, load
from xinglin_ml.errors import ConfigurationError
from xinglin_ml.examples import SILVER
from xinglin_ml.train import Trainer, Training


def inputs(trainer: Trainer, configuration: Digest) -> dict[str, object]:
    """Return what went into a run: digests of files, seeds, library versions."""
    data, config = trainer.data, trainer.config
    files = sorted(
        p for use in config.corpora for p in (data / "ner").glob(f"{use.name}.train.jsonl")
    )
    own = sorted((Path(__file__).parent / "corpora" / "own").glob("*.txt"))
    if any(use.name == SILVER for use in config.corpora):
        files += sorted((trainer.folder.parent / SILVER).glob("*.jsonl"))
    own += [names.FOLDER / f"{kind}.txt" for kind in config.names]
    libraries = ("torch", "numpy", "pyahocorasick")
    return {
        "configuration": configuration.text,
        "data": {p.name: Digest.of(p.read_bytes()).text for p in [*files, *own]},
        "vocabulary": config.pretrained,
        "pretrained": None
        if config.from_scratch
        else {"name": config.pretrained, "steps": trainer.pretrained_tokens},
        "teachers": {
            name: Digest.of((trainer.folder.parent / name / "state.pt").read_bytes()).text
            for name in config.teachers
        },
        "seeds": [config.seed],
        "libraries": {name: metadata.version(name) for name in libraries},
    }


def draw_curve(folder: Path) -> None:
    """Draw the loss over the steps as a picture beside the numbers."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    text = (folder / "curve.jsonl").read_text()
    lines: Iterator[dict[str, float]] = map(json.loads, text.splitlines())
    points = [(x["step"], x["loss"]) for x in lines if "loss" in x]
    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.plot(*zip(*points, strict=True))
    axes.set_xlabel("step")
    axes.set_ylabel("loss for a character")
    axes.set_yscale("log")
    figure.tight_layout()
    figure.savefig(folder / "curve.png", dpi=110)
    pyplot.close(figure)


def run(
    configuration: Path,
    *,
    data: Path | None = None,
    cache: Path | None = None,
    threads: int = 1,
    progress: Callable[[int, int, float], None] | None = None,
) -> Path:
    """Run one experiment to its end and return its folder."""
    torch.set_num_threads(threads)
    config, digest = load(configuration, Training)
    if config.kind != "train":
        raise ConfigurationError(f"expected kind train, got {config.kind}")
    trainer = Trainer(config, data_folder(data), cache_folder(cache))
    trainer.run(progress or (lambda *_: None))
    folder = trainer.folder
    (folder / "metrics.json").write_text(
        json.dumps(trainer.metrics(), ensure_ascii=False, indent=1)
    )
    (folder / "experiment.json").write_text(
        json.dumps(inputs(trainer, digest), ensure_ascii=False, indent=1)
    )
    (folder / "vocabulary.json").write_bytes(trainer.vocabulary.to_json())
    (folder / "lexicon.json").write_bytes(trainer.lexicon.full.to_json())
    draw_curve(folder)
    return folder
