"""
Patients' questions and physicians' answers; eleven labels. Weights trained on it may ship.

From alibaba-research/ChineseBLUE (cMedQANER), Apache-2.0. About one span in a hundred
lies inside another.
"""

from collections.abc import Iterator
from pathlib import Path

from xinglin_ml.annotation import Document, read_documents

MAY_SHIP = True


def read(folder: Path, split: str) -> Iterator[Document]:
    """Yield the documents of `train` or `dev` below the data folder."""
    return read_documents(folder / "ner" / f"medical_qa.{split}.jsonl")
