"""
The project's own annotated sentences: outpatient notes, and prevention.

    from xinglin_ml.corpora import own

    for sentence in own.sentences("outpatient", "train"):
        print(sentence.text, sentence.spans)

All texts are synthetic, written for this project; no real person appears in them. The rules are
in `docs/annotation-guideline.md`, the markup in `xinglin_ml.corpora.markup`. The split is fixed
and by note: see `xinglin_ml.corpora.markup.split_of`.
"""

from collections.abc import Iterator
from importlib.resources import files
from typing import Final, Literal

from xinglin_ml.corpora import markup
from xinglin_ml.corpora.markup import AnnotatedSentence

Kind = Literal["outpatient", "prevention", "supplement"]
Split = Literal["train", "test"]

SOURCES: Final[dict[Kind, tuple[str, ...]]] = {
    "outpatient": ("outpatient.txt",),
    "prevention": ("prevention.txt",),
    "supplement": (
        "supplement.txt",
        "supplement_care.txt",
        "supplement_habit.txt",
        "supplement_leaflet.txt",
        "supplement_mixed.txt",
        "supplement_prevention.txt",
        "supplement_public.txt",
        "supplement_shield.txt",
    ),
}
"""The files of each kind."""

KINDS: Final[tuple[Kind, ...]] = ("outpatient", "prevention")
"""The kinds with a test part. `supplement` mixes both and is for training only."""


def source(name: str) -> str:
    """Return the marked text of one of this package's files, such as `outpatient.txt`."""
    return files(__name__).joinpath(name).read_text(encoding="utf-8")


def sentences(kind: Kind, split: Split | None = None) -> Iterator[AnnotatedSentence]:
    """
    Yield the sentences of one kind in the order of its files; of one split where it is given.

    Raises `xinglin.errors.InvalidEncoding` where the file breaks its markup.
    """
    for name in SOURCES[kind]:
        for sentence in markup.parse(source(name)):
            if split is None or sentence.split == split:
                yield sentence
