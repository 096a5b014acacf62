"""
From corpora to what a training step sees: windows with numbers, features and tags.

The lexicon is counted here too, out of fold for training texts and whole for reading.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from xinglin_ml.annotation import Document, Span, flat, read_documents
from xinglin_ml.characters import Ids, Vocabulary
from xinglin_ml.corpora import medical_qa, own, package_insert, tcm_literature
from xinglin_ml.corpora.markup import TRAINING_ONLY
from xinglin_ml.errors import ConfigurationError
from xinglin_ml.lexicon import SCALE, Example, FoldedLexicon, build, columns_of
from xinglin_ml.names import read_names
from xinglin_ml.schema import SCHEMES, SUBTYPES, TO_DIAGNOSTIC
from xinglin_ml.tagging import Tagging
from xinglin_ml.windows import windows

PUBLIC = {
    "tcm_literature": tcm_literature,
    "medical_qa": medical_qa,
    "package_insert": package_insert,
}
"""Readers of annotated corpora that are not ours."""

NO_SUBTYPE = -1

SILVER = "silver"
"""A corpus that models have marked: it trains, and neither counts nor measures."""


CORRECTIONS = "corrections"
"""What clinicians corrected, as `xinglin ner corrections export` writes it."""


@dataclass(frozen=True, slots=True)
class CorpusUse:
    """How an experiment uses one corpus."""

    name: str
    """A public corpus, `own_outpatient`, `own_prevention`, `own_supplement`, `corrections` or
    `silver`."""

    heads: tuple[str, ...]
    """Schemes that it trains: its own, `diagnostic`, or both."""

    weight: float = 1.0
    """Of its sentences in its own scheme."""

    diagnostic_weight: float = 1.0
    """Of its sentences in the diagnostic scheme."""

    repeats: int = 1
    """How often an epoch passes over it."""

    taught: float = 0.5
    """Where there are teachers, the share of what they say in place of the annotation."""


@dataclass(frozen=True, slots=True)
class Source:
    """One corpus as documents, in each scheme it serves."""

    use: CorpusUse
    by_head: Mapping[str, list[Document]]
    """The same texts, in the same order, with the labels of each scheme."""


@dataclass(slots=True)
class Window:
    """One piece of text, ready for a step."""

    ids: Ids
    bigrams: Ids
    features: NDArray[np.uint8]
    """Hundredths: a quarter of the memory of floats."""

    tags: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    weights: dict[str, float] = field(default_factory=dict[str, float])
    subtypes: NDArray[np.int64] | None = None
    taught_share: float = 0.0
    taught: Mapping[str, NDArray[np.float16]] | None = None
    """What teachers say: (T, K) scores for each head."""


def diagnostic(document: Document, corpus: str) -> Document:
    """Return `document` with its labels read in the diagnostic scheme."""
    mapping = TO_DIAGNOSTIC[corpus]
    spans = [Span(s.start, s.end, *mapping[s.label]) for s in document.spans if s.label in mapping]
    return Document(document.id, document.text, tuple(sorted(spans, key=lambda s: s.key)))


def own_documents(kind: str, split: str, *, joined: bool) -> list[Document]:
    """Return the project's own sentences; `joined` gives whole notes instead."""
    documents: list[Document] = []
    group: dict[str, list[tuple[str, tuple[Span, ...]]]] = {}
    part = "train" if split == "train" else "test"
    chosen = own.sentences(cast("own.Kind", kind), cast("own.Split", part))
    for number, sentence in enumerate(chosen):
        spans = tuple(
            sorted(
                (Span(s.start, s.end, s.label, s.subtype) for s in sentence.spans),
                key=lambda s: s.key,
            )
        )
        group.setdefault(str(sentence.note), []).append((sentence.text, spans))
        if not joined:
            documents.append(Document(f"{sentence.note}-{number}", sentence.text, spans))
    if joined:
        for note, sentences in group.items():
            text = ""
            moved: list[Span] = []
            for piece, found in sentences:
                moved += [
                    Span(s.start + len(text), s.end + len(text), s.label, s.subtype) for s in found
                ]
                text += piece
            documents.append(Document(note, text, tuple(moved)))
    return documents


def read(use: CorpusUse, folder: Path, split: str) -> Source:
    """Read one corpus in every scheme it serves. Raises `ConfigurationError` for a strange one."""
    if use.name.startswith("own_"):
        kind = use.name.removeprefix("own_")
        if kind not in get_args(own.Kind) or (kind == "supplement" and split != "train"):
            raise ConfigurationError(f"no corpus is called {use.name}, or it has no part {split}")
        documents = own_documents(kind, split, joined=False)
        if split == "train":
            documents += own_documents(kind, split, joined=True)
        return Source(use, {"diagnostic": documents})
    if use.name == CORRECTIONS:
        file = folder / "ner" / f"{CORRECTIONS}.{split}.jsonl"
        return Source(use, {"diagnostic": list(read_documents(file))})
    if use.name not in PUBLIC:
        raise ConfigurationError(f"no corpus is called {use.name}")
    documents = list(PUBLIC[use.name].read(folder, split))
    by_head: dict[str, list[Document]] = {}
    for head in use.heads:
        by_head[head] = (
            [diagnostic(d, use.name) for d in documents] if head == "diagnostic" else documents
        )
    return Source(use, by_head)


def read_silver(use: CorpusUse, folder: Path) -> Source:
    """Read what `silver.py` left in `folder`. Raises `ConfigurationError` where it is missing."""
    try:
        return Source(use, {h: list(read_documents(folder / f"{h}.jsonl")) for h in use.heads})
    except OSError as error:
        raise ConfigurationError(
            f"no marked texts in {folder.name}: run python -m xinglin_ml.silver --tag RUN"
        ) from error


def lexicon_of(
    sources: Sequence[Source],
    vocabulary: Vocabulary,
    folds: int,
    *,
    least: int,
    kinds: Sequence[str] = (),
) -> FoldedLexicon:
    """
    Count the lexicon in `folds` parts, and add the names of some kinds.

    A document's fold is its place modulo `folds`.
    """
    parts: list[list[Example]] = [[] for _ in range(folds)]
    for source in sources:
        for head, documents in source.by_head.items():
            if head == "diagnostic" and not source.use.name.startswith("own_"):
                continue  # The native scheme of the same corpus has these terms already.
            if source.use.name in ("package_insert", SILVER):
                continue  # The one only measures, the other knows what the lexicon told.
            for place, document in enumerate(documents):
                parts[fold_of(place, document, folds)].append(
                    Example(head, vocabulary.normal_form(document.text), document.spans)
                )
    labels = [(s.name, s.labels) for s in SCHEMES.values()]
    names = {kind: [vocabulary.normal_form(name) for name in read_names(kind)] for kind in kinds}
    return build(parts, columns_of(labels), least=least).with_names(names)


def fold_of(place: int, document: Document, folds: int) -> int:
    """Return the fold of a document; own sentences go with their note, lest it leak to itself."""
    note = document.id.split("-")[0]
    if note[:1] in ("o", "p", *TRAINING_ONLY) and note[1:].isdigit():
        return int(note[1:]) % folds
    return place % folds


def cut(
    source: Source, vocabulary: Vocabulary, lexicon: FoldedLexicon, *, out_of_fold: bool
) -> Iterator[Window]:
    """Yield the windows of a corpus with everything a step needs."""
    use = source.use
    first = next(iter(source.by_head.values()))
    for place, document in enumerate(first):
        chosen = lexicon.full
        if out_of_fold and lexicon.without:
            chosen = lexicon.without[fold_of(place, document, len(lexicon.without))]
        normal = vocabulary.normal_form(document.text)
        for start, end in windows(document.text):
            ids = vocabulary.encode(document.text[start:end])
            features = np.rint(chosen.features(normal[start:end]) * SCALE).astype(np.uint8)
            window = Window(ids, vocabulary.bigrams(ids), features, taught_share=use.taught)
            for head, documents in source.by_head.items():
                spans = [
                    Span(s.start - start, s.end - start, s.label, s.subtype)
                    for s in flat(documents[place].spans)
                    if start <= s.start and s.end <= end
                ]
                window.tags[head] = Tagging(SCHEMES[head].labels).encode(spans, end - start)
                window.weights[head] = use.diagnostic_weight if head == "diagnostic" else use.weight
                if head == "diagnostic":
                    window.subtypes = np.full(end - start, NO_SUBTYPE, dtype=np.int64)
                    for span in spans:
                        if span.subtype is not None:
                            number = SUBTYPES.index(span.subtype)
                            window.subtypes[span.start : span.end] = number
            yield window
