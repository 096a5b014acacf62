"""
How fast notes are read, beside what one would use instead: the models' part of `make bench`.

    python tests/benchmarks/ml_bench.py [--rounds 5] [--peer-documents 1500] [--json]
                                        [--float32 FILE]

In one run on one machine: the shipped model (its size, the load in a fresh process, one
sentence, batches on two threads, what eight bits cost), a character CRF of python-crfsuite and a
dictionary of the training spans, both trained here on the same corpus, and an encoder of
BERT-base's size with random weights as the cost of what is usual. Medians of at least five
rounds; nothing here fails on a time. Without the corpora the peers are left out; without torch
so is the encoder. What eight bits cost is said not to be measured where there is nothing to
measure it on: the model in float32 is too large to ship.
"""

import argparse
import contextlib
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from xinglin.hashes import Digest
from xinglin_ml.annotation import Document, Span, flat
from xinglin_ml.configuration import cache_folder, data_folder
from xinglin_ml.errors import ConfigurationError
from xinglin_ml.evaluate import score
from xinglin_ml.examples import CorpusUse, read
from xinglin_ml.measure import int8_cost
from xinglin_ml.predict import LoadedModel, load_model, shipped_folder
from xinglin_ml.provenance import LEXICON, VOCABULARY, ModelManifest
from xinglin_ml.schema import SCHEMES
from xinglin_ml.silver import finder, terms_of
from xinglin_ml.tagging import Tagging

Figures = dict[str, float | str]
"""What was measured of one way to read, by name; in words, why something was not."""

SCHEME = "tcm_literature"

LIMIT_MEGABYTES = 16
"""What the files of the shipped model may take, in millions of bytes."""

FLOAT32 = "model.float32.onnx"
"""The model in float32, as `xinglin_ml.export` leaves it in the folder of the run."""

BATCH = 200
"""Sentences in a batch."""

NOTE = "胃脘隐痛两月余，喜温喜按，纳差便溏，舌淡苔白，脉细弱，证属脾胃虚寒，予黄芪建中汤。"
"""About forty characters; varied below so that no two sentences are equal."""


def sentences(count: int) -> list[str]:
    """Return sentences of forty characters, each a little different."""
    return [(NOTE[i % 9 :] + NOTE)[:38] + f"{i:02}"[-2:] for i in range(count)]


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    """Return the median time of `work`."""
    times: list[float] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def fresh_load_seconds(rounds: int) -> float:
    """Return the median time of a process that starts, imports, loads the model, reads and ends."""
    code = (
        "from xinglin_ml.predict import load_shipped\n"
        f"load_shipped().reader.read([{'头痛'!a}], {SCHEME!r})"
    )
    return median_seconds(
        lambda: subprocess.run([sys.executable, "-c", code], check=True, timeout=120), rounds
    )


def size_megabytes(folder: Path) -> float:
    """Return how much all files of a model take, the card among them."""
    return sum(p.stat().st_size for p in folder.iterdir() if p.is_file()) / 1e6


def ours(rounds: int) -> Figures:
    """Weigh and time the shipped model."""
    one = load_model(shipped_folder()).reader
    two = load_model(shipped_folder(), threads=2).reader
    batch = sentences(BATCH)
    two.read(batch[:20], SCHEME)
    single = median_seconds(lambda: [one.read([s], SCHEME) for s in batch[:20]], rounds) / 20
    return {
        "megabytes": size_megabytes(shipped_folder()),
        "megabytes_allowed": LIMIT_MEGABYTES,
        "load_seconds_fresh_process": fresh_load_seconds(rounds),
        "milliseconds_for_one": 1000 * single,
        "sentences_a_second_one_thread": BATCH
        / median_seconds(lambda: one.read(batch, SCHEME), rounds),
        "sentences_a_second_two_threads": BATCH
        / median_seconds(lambda: two.read(batch, SCHEME), rounds),
    }


def float32_of(manifest: ModelManifest, cache: Path, scratch: Path) -> Path | None:
    """
    Return the float32 graph of the run that a shipped model was exported from.

    It is the one in the run's folder, else it is made in `scratch` from the run's state. None
    where no run below `cache` says of itself what the manifest says, or where it cannot be made.
    """
    for run in sorted(p.parent for p in cache.glob("*/experiment.json")):
        if not _made(run, manifest):
            continue
        if (run / FLOAT32).is_file():
            return run / FLOAT32
        with contextlib.suppress(ImportError):
            from xinglin_ml.export import to_float_onnx
            from xinglin_ml.finished import tagger_of

            if (run / "state.pt").is_file():
                to_float_onnx(tagger_of(run), scratch / FLOAT32)
                return scratch / FLOAT32
    return None


def _made(run: Path, manifest: ModelManifest) -> bool:
    """Return whether a model is a run's: the same data, recipe, seed, characters and lexicon."""
    if json.loads((run / "experiment.json").read_bytes()) != dict(manifest.training):
        return False
    return all(
        (run / name).is_file() and Digest.of((run / name).read_bytes()) == manifest.files[name]
        for name in (VOCABULARY, LEXICON)
    )


def int8_loss(model: LoadedModel, given: Path | None, data: Path, cache: Path) -> Figures:
    """Return what eight bits cost on the dev files, in points of strict F1; else why not."""
    with tempfile.TemporaryDirectory() as scratch:
        whole = given or float32_of(model.manifest, cache, Path(scratch))
        if whole is None:
            why = "no float32 file of this model, and no run to make it from (--float32 FILE)"
            return {"int8_loss_points": f"not measured: {why}"}
        costs = int8_cost(model.reader, whole, data)
    return {f"int8_loss_points_{name}": cost for name, cost in costs.items()}


def _features(text: str) -> list[list[str]]:
    padded = f"^^{text}$$"
    rows: list[list[str]] = []
    for i in range(2, len(padded) - 2):
        a, b, c, d, e = padded[i - 2 : i + 3]
        rows.append(
            [
                "0" + c,
                "-" + b,
                "+" + d,
                "--" + a,
                "++" + e,
                "-0" + b + c,
                "0+" + c + d,
                "-+" + b + d,
                "--0" + a + b + c,
                "0++" + c + d + e,
            ]
        )
    return rows


def crf(train: list[Document], dev: list[Document], rounds: int) -> Figures:
    """Train and time a character CRF on the same text."""
    pycrfsuite: Any = importlib.import_module("pycrfsuite")

    tagging = Tagging(SCHEMES[SCHEME].labels)
    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.set_params({"c1": 0.1, "c2": 0.01, "max_iterations": 60})
    for document in train:
        tags = tagging.encode(flat(document.spans), len(document.text))
        trainer.append(_features(document.text), [str(t) for t in tags])
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"xinglin-bench-{os.getpid()}.crf"
    begun = time.perf_counter()
    trainer.train(str(path))
    trained = time.perf_counter() - begun
    tagger = pycrfsuite.Tagger()
    tagger.open(str(path))
    path.unlink()

    def spans(text: str) -> list[Span]:
        return _lenient(tagging, [int(t) for t in tagger.tag(_features(text))])

    batch = sentences(BATCH)
    return {
        "train_seconds": trained,
        "strict_f1": score([d.spans for d in dev], [spans(d.text) for d in dev]).f1,
        "sentences_a_second": BATCH / median_seconds(lambda: [spans(s) for s in batch], rounds),
    }


def _lenient(tagging: Tagging, tags: list[int]) -> list[Span]:
    """Return the whole spans among tags that a CRF without rules may put in any order."""
    found: list[Span] = []
    begun: tuple[int, int] | None = None
    for at, number in enumerate(tags):
        kind, label = (number - 1) % 4, (number - 1) // 4
        if number == 0:
            begun = None
        elif kind == 3:
            found.append(Span(at, at + 1, tagging.labels[label]))
            begun = None
        elif kind == 0:
            begun = (at, label)
        elif begun is None or begun[1] != label:
            begun = None
        elif kind == 2:
            found.append(Span(begun[0], at + 1, tagging.labels[label]))
            begun = None
    return found


def dictionary(train: list[Document], dev: list[Document], rounds: int) -> Figures:
    """Score and time a dictionary of the training spans, longest match first."""
    find = finder(terms_of(train))
    batch = sentences(BATCH)
    return {
        "strict_f1": score([d.spans for d in dev], [find(d.text) for d in dev]).f1,
        "sentences_a_second": BATCH / median_seconds(lambda: [find(s) for s in batch], rounds),
    }


def encoder(rounds: int) -> Figures:
    """Time an encoder of BERT-base's size with random weights, in float32 on two threads."""
    import torch
    from transformers import BertConfig, BertModel

    torch.set_num_threads(2)
    model = BertModel(BertConfig(vocab_size=21128)).eval()
    ids = torch.randint(5, 20000, (16, 42))

    def run(some: torch.Tensor) -> None:
        with torch.no_grad():
            model(some)

    run(ids[:1])
    return {
        "milliseconds_for_one": 1000 * median_seconds(lambda: run(ids[:1]), rounds),
        "sentences_a_second": 16 / median_seconds(lambda: run(ids), rounds),
    }


def measure(rounds: int, peer_documents: int, float32: Path | None) -> dict[str, Figures]:
    """Return every figure that can be had here."""
    found = {"xinglin": ours(rounds)}
    try:
        data = data_folder(None)
    except ConfigurationError:
        found["xinglin"]["int8_loss_points"] = "not measured: no corpora to score on"
        return found
    use = CorpusUse(SCHEME, (SCHEME,))
    train = read(use, data, "train").by_head[SCHEME]
    dev = read(use, data, "dev").by_head[SCHEME]
    model = load_model(shipped_folder(), threads=2)
    predicted = model.reader.read([d.text for d in dev], SCHEME)
    found["xinglin"]["strict_f1"] = score([d.spans for d in dev], predicted).f1
    found["xinglin"] |= int8_loss(model, float32, data, cache_folder(None))
    found["crf"] = crf(train[:peer_documents], dev, rounds)
    found["dictionary"] = dictionary(train, dev, rounds)
    with contextlib.suppress(ImportError):
        found["bert-base size, random"] = encoder(rounds)
    return found


def shown(value: float | str) -> str:
    """Return a figure as the table has it."""
    if isinstance(value, str):
        return value
    return f"{value:,.3f}" if value < 100 else f"{value:,.0f}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Time the reading of notes.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-documents", type=int, default=4302)
    parser.add_argument("--float32", type=Path, help="the shipped model in float32")
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    if given.rounds < 5:
        parser.error("medians of fewer than five rounds are not reported")
    if given.float32 is not None and not given.float32.is_file():
        parser.error(f"{given.float32}: no such file")
    found = measure(given.rounds, given.peer_documents, given.float32)
    if given.as_json:
        json.dump(found, sys.stdout)
        return
    table = Table(title="Reading notes: tcm_literature, sentences of 40 characters")
    for name in ("what", "figure", "value"):
        table.add_column(name)
    for name, figures in found.items():
        for figure, value in figures.items():
            table.add_row(name, figure, shown(value))
    Console().print(table)


if __name__ == "__main__":
    main()
