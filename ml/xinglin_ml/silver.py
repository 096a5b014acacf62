"""
Annotation without annotators: terms of the training files found in raw modern text.

    python -m xinglin_ml.silver --syndromes

A passage is one text of the modern corpus. Only terms that the training files label, and
label more often than not, are looked for; the longest match wins. This is what the counts of
`syndrome.py` are made from, and it is marked as silver: nobody read it.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import ahocorasick

from xinglin_ml.annotation import Document, Span, flat
from xinglin_ml.configuration import data_folder
from xinglin_ml.corpora.raw import read_texts
from xinglin_ml.examples import CorpusUse, own_documents, read
from xinglin_ml.syndrome import count

MODERN = "pretrain/modern.jsonl.xz"

SHORTEST = 2
"""Characters of a term: single characters are too often parts of other words."""


def terms_of(documents: Iterable[Document]) -> dict[str, str]:
    """Return each labelled surface with its commonest label."""
    labels: dict[str, Counter[str]] = defaultdict(Counter)
    for document in documents:
        for span in document.spans:
            surface = document.surface(span)
            if len(surface) >= SHORTEST:
                labels[surface][span.label] += 1
    return {t: c.most_common(1)[0][0] for t, c in labels.items()}


def finder(terms: Mapping[str, str]) -> Callable[[str], tuple[Span, ...]]:
    """Return what finds the terms in a text, longer ones first; its automaton is built here."""
    machine: Any = ahocorasick.Automaton()
    for term, label in terms.items():
        machine.add_word(term, (len(term), label))
    machine.make_automaton()

    def find(text: str) -> tuple[Span, ...]:
        found = machine.iter(text)
        return flat(tuple(Span(end + 1 - size, end + 1, label) for end, (size, label) in found))

    return find


def tag(texts: Iterable[str], terms: Mapping[str, str]) -> Iterator[Document]:
    """Yield the texts that have a term, with every term marked as `finder` does."""
    find = finder(terms)
    for number, text in enumerate(texts):
        if spans := find(text):
            yield Document(f"silver-{number}", text, spans)


def diagnostic_documents(data: Path) -> list[Document]:
    """Return the annotated documents that know symptoms and syndromes."""
    use = CorpusUse("tcm_literature", ("diagnostic",))
    own = own_documents("outpatient", "train", joined=True)
    return read(use, data, "train").by_head["diagnostic"] + own


def main() -> None:
    """Write the counts of symptoms and syndromes that ship."""
    parser = argparse.ArgumentParser(description="Count findings and syndromes.")
    parser.add_argument("--syndromes", action="store_true", required=True)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    data = data_folder(given.data)
    gold = diagnostic_documents(data)
    terms = {t: k for t, k in terms_of(gold).items() if k in ("症状", "诊断")}
    silver = tag(read_texts(data / MODERN), terms)
    counts = count([*gold, *silver])
    target = Path(__file__).parent / "syndromes.json"
    target.write_bytes(counts.to_json())
    print(f"{target.name}: {len(counts.syndromes)} syndromes in {counts.passages} passages")


if __name__ == "__main__":
    main()
