"""What a configuration file holds: of a training run, and of a pre-training run."""

from dataclasses import dataclass

from xinglin_ml.examples import CorpusUse


@dataclass(frozen=True, slots=True)
class Training:
    """One configuration file of a training run."""

    kind: str
    name: str
    seed: int

    pretrained: str
    """Name of the pre-training run whose averaged weights and vocabulary are taken."""

    corpora: tuple[CorpusUse, ...]
    epochs: int
    tokens: int
    """Characters in a batch, filler included."""

    encoder_rate: float
    head_rate: float
    validate: bool
    """Hold a tenth of each training file out and score it; final runs train on everything."""

    score: tuple[str, ...]
    """What is scored at the end: `corpus/split/scheme`."""

    from_scratch: bool = False
    """Take the vocabulary of the pre-training run and random weights."""

    initial: str = ""
    """Name of a finished run whose averaged weights, heads included, are taken instead."""

    dropout: float = 0.1
    head_dropout: float = 0.3
    character_mask: float = 0.1
    feature_dropout: float = 0.1
    sentence_dropout: float = 0.1
    subtype_weight: float = 0.3
    weight_decay: float = 0.01
    average: float = 0.99
    folds: int = 8
    least: int = 1
    """Labelled occurrences below which a term is not in the lexicon."""

    names: tuple[str, ...] = ()
    """Kinds of names that the lexicon has beside the terms of the training text."""

    warm_up: int = 60

    teachers: tuple[str, ...] = ()
    """Finished runs, of the same corpora and names, whose mean is followed too."""

    unmarked: float = 0.3
    """What teachers say of a text under a scheme that it was not annotated in counts so much."""


@dataclass(frozen=True, slots=True)
class Data:
    """Which files, in what shares."""

    modern: tuple[str, ...]
    classical: tuple[str, ...]
    train: tuple[str, ...]
    shares: dict[str, float]
    characters: int
    bigrams: int
    held_out: float


@dataclass(frozen=True, slots=True)
class Size:
    """Size of the encoder; see `model.Shape`."""

    width: int
    layers: int
    heads: int
    hidden: int
    bigram_width: int


@dataclass(frozen=True, slots=True)
class Masking:
    """What is hidden."""

    share: float
    cohesion: float
    longest_word: int


@dataclass(frozen=True, slots=True)
class Optimiser:
    """How fast, and for how long."""

    sentences: int
    length: int
    tokens: int
    warm_up: int
    decay: float
    matrix_rate: float
    other_rate: float
    weight_decay: float
    average: float


@dataclass(frozen=True, slots=True)
class Pretraining:
    """One configuration file of a pre-training run."""

    kind: str
    name: str
    seed: int
    data: Data
    shape: Size
    masking: Masking
    optimiser: Optimiser
