"""
Finished runs together as teachers: what they say of training text, and of raw text.

    python -m xinglin_ml.teachers --runs small-1 small-2 --characters 800000

marks raw modern text: the corpus `silver` of an experiment. The runs' scores and transitions are
averaged before the best path is sought, so one answer comes out that no single run gave. Nobody
read it. An experiment that names `teachers` follows all that they hold possible instead of their
best path alone (Hinton, Vinyals and Dean, 2015). The runs must have the same vocabulary and
lexicon, that is the same corpora and names.
"""

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xinglin.hashes import Digest
from xinglin_ml.annotation import Document, line_of
from xinglin_ml.characters import Vocabulary
from xinglin_ml.configuration import cache_folder, data_folder
from xinglin_ml.corpora.raw import read_texts
from xinglin_ml.decoding import Scores
from xinglin_ml.errors import WeightsError
from xinglin_ml.examples import SILVER, Window
from xinglin_ml.finished import reader_of, tagger_of
from xinglin_ml.lexicon import SCALE, Lexicon
from xinglin_ml.provenance import LEXICON, VOCABULARY
from xinglin_ml.reading import Reader
from xinglin_ml.silver import MODERN

AT_ONCE = 100
"""Texts that are read under one scheme before the next scheme has its turn."""

MOST_REMEMBERED = 2000
"""Windows whose scores are kept: more than `AT_ONCE` texts have."""


def together(runs: Sequence[Path]) -> Reader:
    """
    Return one reader of all `runs`, by the mean of their scores.

    Raises `WeightsError` where their vocabularies or lexicons differ.
    """
    _require_alike(runs, (runs[0] / VOCABULARY).read_bytes(), (runs[0] / LEXICON).read_bytes())
    vocabulary = Vocabulary.from_json((runs[0] / VOCABULARY).read_bytes())
    lexicon = Lexicon.from_json((runs[0] / LEXICON).read_bytes())
    readers = [reader_of(tagger_of(run), vocabulary, lexicon) for run in runs]

    remembered: dict[bytes, Mapping[str, Scores]] = {}

    def scorer(ids: Any, pairs: Any, features: Any) -> Mapping[str, Scores]:
        """Score a window once for all schemes: they are asked for one after the other."""
        key = ids.tobytes() + features.tobytes()
        if key not in remembered:
            if len(remembered) >= MOST_REMEMBERED:
                remembered.clear()
            remembered[key] = mean_of(ids, pairs, features)
        return remembered[key]

    def mean_of(ids: Any, pairs: Any, features: Any) -> Mapping[str, Scores]:
        each = [reader.scorer(ids, pairs, features) for reader in readers]
        return {head: np.mean([one[head] for one in each], axis=0) for head in each[0]}

    transitions = {
        head: np.mean([reader.transitions[head] for reader in readers], axis=0)
        for head in readers[0].transitions
    }
    return Reader(vocabulary, lexicon, readers[0].taggings, transitions, scorer)


def _require_alike(runs: Sequence[Path], vocabulary: bytes, lexicon: bytes) -> None:
    for name, wanted in ((VOCABULARY, vocabulary), (LEXICON, lexicon)):
        if any(Digest.of((run / name).read_bytes()) != Digest.of(wanted) for run in runs):
            raise WeightsError(f"the runs differ in {name}")


def teach(
    windows: Sequence[Window], runs: Sequence[Path], *, vocabulary: bytes, lexicon: bytes
) -> Mapping[str, torch.Tensor]:
    """
    Write into each window what the runs' mean says of it, and return their mean transitions.

    They see what a learner sees: features out of fold. Raises `WeightsError` where the
    vocabulary or the lexicon of a run is not the one given.
    """
    _require_alike(runs, vocabulary, lexicon)
    models = [tagger_of(run) for run in runs]
    with torch.no_grad():
        for window in windows:
            features = torch.from_numpy(window.features.astype(np.float32) / SCALE)[None]
            ids, pairs = (torch.from_numpy(x)[None] for x in (window.ids, window.bigrams))
            each = [model(ids, pairs, features, None) for model in models]
            window.taught = {
                head: torch.stack([one[head][0] for one in each]).mean(0).half().numpy()
                for head in models[0].transitions
            }
    return {
        head: torch.stack([model.transitions[head].detach() for model in models]).mean(0)
        for head in models[0].transitions
    }


def chosen(texts: Iterable[str], characters: int) -> Iterator[str]:
    """Yield texts in an order that depends on each alone, until there are enough characters."""
    for text in sorted(set(texts), key=lambda t: Digest.of(t.encode()).value):
        if characters <= 0:
            return
        characters -= len(text)
        yield text


def mark(reader: Reader, texts: Sequence[str]) -> Iterator[tuple[str, Document]]:
    """Yield every text under every scheme, with the spans that `reader` finds in it."""
    for first in range(0, len(texts), AT_ONCE):
        some = texts[first : first + AT_ONCE]
        for scheme in reader.taggings:
            for number, spans in enumerate(reader.read(some, scheme)):
                text = some[number]
                yield scheme, Document(f"{SILVER}-{first + number}", text, tuple(spans))


def main() -> None:
    """Mark the texts under every scheme and write a file for each."""
    parser = argparse.ArgumentParser(description="Mark raw text by finished runs together.")
    parser.add_argument("--runs", nargs="+", required=True)
    parser.add_argument("--characters", type=int, default=800_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cache", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    cache = cache_folder(given.cache)
    reader = together([cache / run for run in given.runs])
    texts = list(chosen(read_texts(data_folder(given.data) / MODERN), given.characters))
    (cache / SILVER).mkdir(exist_ok=True)
    with ExitStack() as stack:
        files = {
            scheme: stack.enter_context((cache / SILVER / f"{scheme}.jsonl").open("w"))
            for scheme in reader.taggings
        }
        for scheme, document in mark(reader, texts):
            files[scheme].write(f"{line_of(document)}\n")
    print(f"{len(texts)} texts under {', '.join(files)}")


if __name__ == "__main__":
    main()
