"""
How fast notes are read, beside what one would use instead: the models' part of `make bench`.

    python tests/benchmarks/ml_bench.py [--rounds 5] [--peer-documents 1500] [--json]

In one run on one machine: the shipped model (load, one sentence, batches on two threads), a
character CRF of python-crfsuite and a dictionary of the training spans, both trained here on
the same corpus, and an encoder of BERT-base's size with random weights as the cost of what is
usual. Medians of at least five rounds; nothing here fails on a time. Without the corpora the
peers are left out; without torch so is the encoder.
"""

import argparse
import contextlib
import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from xinglin_ml.annotation import Document, Span, flat
from xinglin_ml.configuration import data_folder
from xinglin_ml.errors import ConfigurationError
from xinglin_ml.evaluate import score
from xinglin_ml.examples import CorpusUse, read
from xinglin_ml.predict import load_model, shipped_folder
from xinglin_ml.schema import SCHEMES
from xinglin_ml.silver import tag, terms_of
from xinglin_ml.tagging import Tagging

SCHEME = "tcm_literature"

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


def ours(rounds: int) -> dict[str, float]:
    """Time the shipped model."""
    load = median_seconds(
        lambda: load_model(shipped_folder()).reader.read(["头痛"], SCHEME), rounds
    )
    one = load_model(shipped_folder()).reader
    two = load_model(shipped_folder(), threads=2).reader
    batch = sentences(BATCH)
    two.read(batch[:20], SCHEME)
    single = median_seconds(lambda: [one.read([s], SCHEME) for s in batch[:20]], rounds) / 20
    return {
        "load_seconds": load,
        "milliseconds_for_one": 1000 * single,
        "sentences_a_second_one_thread": BATCH
        / median_seconds(lambda: one.read(batch, SCHEME), rounds),
        "sentences_a_second_two_threads": BATCH
        / median_seconds(lambda: two.read(batch, SCHEME), rounds),
    }


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


def crf(train: list[Document], dev: list[Document], rounds: int) -> dict[str, float]:
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


def dictionary(train: list[Document], dev: list[Document], rounds: int) -> dict[str, float]:
    """Score and time a dictionary of the training spans, longest match first."""
    terms = terms_of(train)
    by_text = {d.text: d.spans for d in tag((d.text for d in dev), terms)}
    batch = sentences(BATCH)
    return {
        "strict_f1": score([d.spans for d in dev], [by_text.get(d.text, ()) for d in dev]).f1,
        "sentences_a_second": BATCH / median_seconds(lambda: list(tag(batch, terms)), rounds),
    }


def encoder(rounds: int) -> dict[str, float]:
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


def measure(rounds: int, peer_documents: int) -> dict[str, dict[str, float]]:
    """Return every figure that can be had here."""
    found = {"xinglin": ours(rounds)}
    try:
        data = data_folder(None)
    except ConfigurationError:
        return found
    use = CorpusUse(SCHEME, (SCHEME,))
    train = read(use, data, "train").by_head[SCHEME]
    dev = read(use, data, "dev").by_head[SCHEME]
    reader = load_model(shipped_folder(), threads=2).reader
    predicted = reader.read([d.text for d in dev], SCHEME)
    found["xinglin"]["strict_f1"] = score([d.spans for d in dev], predicted).f1
    found["crf"] = crf(train[:peer_documents], dev, rounds)
    found["dictionary"] = dictionary(train, dev, rounds)
    with contextlib.suppress(ImportError):
        found["bert-base size, random"] = encoder(rounds)
    return found


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Time the reading of notes.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer-documents", type=int, default=4302)
    parser.add_argument("--json", action="store_true", dest="as_json")
    given = parser.parse_args()
    if given.rounds < 5:
        parser.error("medians of fewer than five rounds are not reported")
    found = measure(given.rounds, given.peer_documents)
    if given.as_json:
        json.dump(found, sys.stdout)
        return
    table = Table(title="Reading notes: tcm_literature, sentences of 40 characters")
    for name in ("what", "figure", "value"):
        table.add_column(name)
    for name, figures in found.items():
        for figure, value in figures.items():
            table.add_row(name, figure, f"{value:,.3f}" if value < 10 else f"{value:,.0f}")
    Console().print(table)


if __name__ == "__main__":
    main()
