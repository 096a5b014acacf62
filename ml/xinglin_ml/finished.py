"""
A finished run read back: its averaged weights as a model, and a reader that scores with torch.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from xinglin_ml import crf
from xinglin_ml.characters import Vocabulary
from xinglin_ml.decoding import Scores
from xinglin_ml.lexicon import Lexicon
from xinglin_ml.model import Shape, Tagger
from xinglin_ml.reading import Reader
from xinglin_ml.schema import SCHEMES
from xinglin_ml.tagging import Tagging


def tagger_of(run: Path) -> Tagger:
    """Return the model of a finished run with its averaged weights."""
    state = torch.load(run / "state.pt", weights_only=True)
    weights: dict[str, torch.Tensor] = state["average"]
    heads = {
        k.split(".")[1]: len(v)
        for k, v in weights.items()
        if k.startswith("heads.") and k.endswith("bias")
    }
    model = Tagger(Shape(**state["shape"]), heads)
    model.load_state_dict(weights)
    return model.eval()


def reader_of(model: Tagger, vocabulary: Vocabulary, lexicon: Lexicon) -> Reader:
    """Return a reader that scores with torch."""

    def scorer(ids: Any, pairs: Any, features: Any) -> Mapping[str, Scores]:
        with torch.no_grad():
            outputs = model(*(torch.from_numpy(x)[None] for x in (ids, pairs, features)), None)
        return {name: value[0].numpy() for name, value in outputs.items()}

    taggings = {h: Tagging(SCHEMES[h].labels) for h in model.transitions if h in SCHEMES}
    transitions = {
        h: crf.forbid(model.transitions[h].detach(), t.legal()).numpy() for h, t in taggings.items()
    }
    return Reader(vocabulary, lexicon, taggings, transitions, scorer)
