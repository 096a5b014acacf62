"""
Sentences of TCM papers and cases; ten labels. Weights trained on it may ship.

From JYRoy/LLM-ChineseMedicine-NER, Apache-2.0. About a third of the repeats of a
labelled term are unlabelled.
"""

from collections.abc import Iterator
from pathlib import Path

from xinglin_ml.annotation import Document, read_documents

MAY_SHIP = True


def read(folder: Path, split: str) -> Iterator[Document]:
    """Yield the documents of `train` or `dev` below the data folder."""
    return read_documents(folder / "ner" / f"tcm_literature.{split}.jsonl")
