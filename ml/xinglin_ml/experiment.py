"""
One experiment from its TOML file to its results: what `xinglin ner train` runs.

The folder of a finished run holds the averaged weights (in `state.pt`), `metrics.json`, the curve
as numbers and as a picture, the vocabulary, the lexicon, `experiment.json` (what `inputs` says of
the run, and the digest of its TOML file), and `model`: the run exported as its version 1, with a
manifest that takes `experiment.json` over. `export` gives it another name and version.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch

from xinglin_ml.annotation import Document
from xinglin_ml.configuration import cache_folder, data_folder, load
from xinglin_ml.errors import ConfigurationError
from xinglin_ml.evaluate import Spans, of_corpus, report
from xinglin_ml.examples import SILVER, CorpusUse, read
from xinglin_ml.export import export
from xinglin_ml.recipe import Training
from xinglin_ml.schema import SCHEMES
from xinglin_ml.train import Trainer

MODEL = "model"
"""The folder of a run that holds its model as it could ship."""


def metrics(trainer: Trainer) -> dict[str, object]:
    """
    Return the scores of everything the configuration asks for, and of what was held out.

    A public corpus scored in the diagnostic scheme, one left out of training say, counts the
    labels that `evaluate.of_corpus` names, as `measure` does for package inserts.
    """
    reader = trainer.reader()
    seen = {
        d.surface(s)
        for source in trainer.sources
        if source.use.name != SILVER
        for ds in source.by_head.values()
        for d in ds
        for s in d.spans
    }

    def scores(corpus: str, head: str, documents: Sequence[Document]) -> dict[str, object]:
        def predicted(texts: Sequence[str]) -> Spans:
            spans = reader.read(texts, head)
            return [of_corpus(s, corpus) for s in spans] if head == "diagnostic" else spans

        return report(documents, predicted, seen=seen, labels=SCHEMES[head].labels)

    found: dict[str, object] = {}
    for name, source in trainer.held_out.items():
        for head, documents in source.by_head.items():
            found[f"{name}/validation/{head}"] = scores(name, head, documents)
    for wanted in trainer.config.score:
        corpus, split, head = wanted.split("/")
        documents = read(CorpusUse(corpus, (head,)), trainer.data, split).by_head[head]
        found[wanted] = scores(corpus, head, documents)
    return found


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
    (folder / "metrics.json").write_text(json.dumps(metrics(trainer), ensure_ascii=False, indent=1))
    (folder / "experiment.json").write_text(
        json.dumps(
            {"configuration": digest.text, **trainer.made_from}, ensure_ascii=False, indent=1
        )
    )
    (folder / "vocabulary.json").write_bytes(trainer.vocabulary.to_json())
    (folder / "lexicon.json").write_bytes(trainer.lexicon.full.to_json())
    draw_curve(folder)
    export(folder, folder / MODEL, name=config.name, version=1, card=None)
    return folder
