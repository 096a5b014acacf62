"""
Score a model as it ships, through ONNX Runtime, on every corpus there is.

    python -m xinglin_ml.measure --output scores.json

Beside strict F1 it measures what int8 costs against float32 (`--float32 FILE`), how the
diagnostic scheme does on a genre that no training saw (package inserts, in the labels that
`evaluate.of_corpus` names for them),
whether the output tells members of the training files from others, where the written
syndromes stand among those suggested, and how many entities find a code in the table that ships
and in those that a user imports.
"""

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from xinglin_ml.annotation import Document
from xinglin_ml.configuration import data_folder
from xinglin_ml.evaluate import Spans, of_corpus, report, score
from xinglin_ml.examples import CorpusUse, own_documents, read
from xinglin_ml.normalise import Terminology, import_table, shipped_table
from xinglin_ml.predict import OnnxScorer, load_model, shipped_folder
from xinglin_ml.reading import Reader
from xinglin_ml.schema import SCHEMES
from xinglin_ml.syndrome import rank, shipped_counts

UNFOUND = 0.01
"""Certainty that an attacker puts for a span that the output does not have."""

HELD_OUT_GENRE_DOCUMENTS = 200
"""Package inserts that are scored: enough for an interval of 0.02."""


def membership_auc(members: Sequence[float], others: Sequence[float]) -> float:
    """Return how often a member's loss is below another's: 0.5 tells nothing."""
    both = np.concatenate([np.asarray(members), np.asarray(others)])
    order = both.argsort(kind="stable")
    ranks = np.empty(len(both))
    ranks[order] = np.arange(1, len(both) + 1)
    for value in np.unique(both):
        same = both == value
        ranks[same] = ranks[same].mean()
    above = ranks[len(members) :].sum() - len(others) * (len(others) + 1) / 2
    return float(above / (len(members) * len(others)))


def output_losses(documents: Sequence[Document], predicted: Spans) -> list[float]:
    """Return for each document the mean negative log of the certainty of its gold spans."""
    losses: list[float] = []
    for document, spans in zip(documents, predicted, strict=True):
        sure = {s.key: s.score or UNFOUND for s in spans}
        values = [-math.log(max(sure.get(s.key, UNFOUND), UNFOUND)) for s in document.spans]
        if values:
            losses.append(sum(values) / len(values))
    return losses


def coded(documents: Sequence[Document], table: Terminology) -> dict[str, float]:
    """Return the shares of gold spans that `table` knows by name or alias, and of several codes."""
    found = [
        table.normalise(document.surface(span), span.label)
        for document in documents
        for span in document.spans
    ]
    known = [n for n in found if n.candidates and n.candidates[0].how != "ranked"]
    return {
        "spans": len(found),
        "known": round(len(known) / len(found), 4),
        "ambiguous": round(sum(n.ambiguous for n in known) / len(found), 4),
    }


def membership(reader: Reader, corpus: str, data: Path) -> dict[str, float]:
    """
    Return how well an output tells training documents from dev: `membership_auc` in each scheme.

    A node's answer has the diagnostic scheme and no certainty: `diagnostic_found` sees whether a
    gold span was found, and no more.
    """
    aucs: dict[str, float] = {}
    for scheme in (corpus, "diagnostic"):
        train, dev = (
            read(CorpusUse(corpus, (scheme,)), data, split).by_head[scheme]
            for split in ("train", "dev")
        )
        some = train[:: max(1, len(train) // len(dev))][: len(dev)]
        outputs = [reader.read([d.text for d in part], scheme) for part in (some, dev)]
        aucs[scheme] = _auc((some, dev), outputs)
        if scheme == "diagnostic":
            found = [[[replace(s, score=1.0) for s in d] for d in part] for part in outputs]
            aucs["diagnostic_found"] = _auc((some, dev), found)
    return aucs


def _auc(parts: Sequence[Sequence[Document]], outputs: Sequence[Spans]) -> float:
    members, others = (output_losses(d, o) for d, o in zip(parts, outputs, strict=True))
    return round(membership_auc(members, others), 4)


def trained_surfaces(data: Path) -> set[str]:
    """Return the wording of every span of the files that a shipped model trains on."""
    uses = ("tcm_literature", "medical_qa", "own_outpatient", "own_prevention", "own_supplement")
    sources = [read(CorpusUse(name, ("diagnostic",)), data, "train") for name in uses]
    return {d.surface(s) for one in sources for d in one.by_head["diagnostic"] for s in d.spans}


def measure(reader: Reader, data: Path) -> dict[str, object]:
    """Return every score of one model."""
    found: dict[str, object] = {}
    for name in ("tcm_literature", "medical_qa"):
        train = read(CorpusUse(name, (name,)), data, "train").by_head[name]
        dev = read(CorpusUse(name, (name,)), data, "dev").by_head[name]
        seen = {d.surface(s) for d in train for s in d.spans}
        scheme = partial(reader.read, scheme=name)
        found[f"{name}.dev"] = report(dev, scheme, seen=seen, labels=SCHEMES[name].labels)
        found[f"{name}.membership"] = membership(reader, name, data)
    diagnostic = partial(reader.read, scheme="diagnostic")
    seen = trained_surfaces(data)
    for kind in ("outpatient", "prevention"):
        documents = own_documents(kind, "test", joined=False)
        found[f"own_{kind}.test"] = report(
            documents, diagnostic, seen=seen, labels=SCHEMES["diagnostic"].labels
        )
    literature = read(CorpusUse("tcm_literature", ("diagnostic",)), data, "dev")
    for name, some in (
        ("own_outpatient.test", own_documents("outpatient", "test", joined=True)),
        ("tcm_literature.dev", literature.by_head["diagnostic"]),
    ):
        found[f"{name}.syndromes"] = {
            way: asdict(figures) for way, figures in rank(shipped_counts(), some).items()
        }
    tables = (p for p in sorted((data / "terminology").iterdir()) if p.suffix in (".tsv", ".json"))
    imported = [term for table in tables for term in import_table(table)]
    for name, table in (
        ("shipped", shipped_table()),
        ("imported", Terminology.of([*shipped_table().terms, *imported])),
    ):
        for kind in ("outpatient", "prevention"):
            some = own_documents(kind, "test", joined=False)
            found[f"own_{kind}.test.codes.{name}"] = coded(some, table)
        some = literature.by_head["diagnostic"]
        found[f"tcm_literature.dev.codes.{name}"] = coded(some, table)
    use = CorpusUse("package_insert", ("diagnostic",))
    inserts = read(use, data, "train").by_head["diagnostic"][:HELD_OUT_GENRE_DOCUMENTS]
    found["package_insert.coarse"] = report(
        inserts,
        lambda texts: [of_corpus(s, "package_insert") for s in diagnostic(texts)],
        seen=seen,
    )
    return found


def int8_cost(reader: Reader, whole: Path, data: Path) -> dict[str, float]:
    """Return strict F1 in float32 less strict F1 in int8, in points, for each dev file."""
    costs: dict[str, float] = {}
    exact = replace(reader, scorer=OnnxScorer(whole.read_bytes()))
    for name in ("tcm_literature", "medical_qa"):
        dev = read(CorpusUse(name, (name,)), data, "dev").by_head[name]
        gold, texts = [d.spans for d in dev], [d.text for d in dev]
        values = [score(gold, r.read(texts, name)).f1 for r in (exact, reader)]
        costs[name] = round(100 * (values[0] - values[1]), 2)
    return costs


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Score a model as it ships.")
    parser.add_argument("--model", type=Path, default=None)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--float32", type=Path, help="the same model in float32")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    data = data_folder(given.data)
    model = load_model(given.model or shipped_folder(), threads=2)
    found = measure(model.reader, data)
    found["model"] = model.manifest.digest.text
    if given.float32 is not None:
        found["int8_cost_points"] = int8_cost(model.reader, given.float32, data)
    text = json.dumps(found, ensure_ascii=False, indent=1)
    if given.output is not None:
        given.output.write_text(text)
    for name, one in found.items():
        if isinstance(one, dict) and "strict" in one:
            print(name, one["strict"], one["interval"], one.get("seqeval_flat"))
        else:
            print(name, one)


if __name__ == "__main__":
    main()
