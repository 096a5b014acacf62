"""
Inserts of drug packages; thirteen labels. It measures only: it has no licence, so no
weights and no lexicon that ship are made from it. About half of the repeats of a labelled
term are unlabelled.
"""

from collections.abc import Iterator
from pathlib import Path

from xinglin_ml.annotation import Document, read_documents

MAY_SHIP = False


def read(folder: Path, split: str) -> Iterator[Document]:
    """Yield the documents of `train` below the data folder; there is no other split."""
    return read_documents(folder / "ner" / f"package_insert.{split}.jsonl")
