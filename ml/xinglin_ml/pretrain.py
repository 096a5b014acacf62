"""
Masked-language-model pre-training on one core, resumable.

    python -m xinglin_ml.pretrain --config ml/xinglin_ml/configs/pretrain-small.toml

The state is written every few minutes, whole or not at all; the same command goes on
from it after a kill. The averaged weights in it are usable at any moment. Words (runs
of characters that occur together far more often than by chance) are hidden as a whole,
since a character is too easily guessed from the other half of its word.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from xinglin_ml import inputs
from xinglin_ml.characters import MASK, SPACE, SPECIAL, UNKNOWN, Vocabulary, plain, simplify
from xinglin_ml.configuration import cache_folder, data_folder, load
from xinglin_ml.corpora.raw import read_texts
from xinglin_ml.model import MaskedLanguageModel, Shape
from xinglin_ml.optimiser import Average, Muon, hidden_matrices
from xinglin_ml.recipe import Data, Optimiser, Pretraining
from xinglin_ml.states import MADE_FROM, cut_curve, require_same, save_whole

SAVE_EVERY_SECONDS = 240
"""How much work a kill may cost."""

REPORT_EVERY_STEPS = 50

MODERN_WEIGHT = 4
"""How much more a pair counts in modern text than in classical, when pairs are chosen."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Corpora as numbers."""

    vocabulary: Vocabulary
    parts: dict[str, NDArray[np.uint16]]
    """By kind of text; documents are separated by a space."""

    joined: dict[str, NDArray[np.bool_]]
    """Whether a character belongs to the word of the character before."""

    held_out: NDArray[np.uint16]

    made_from: dict[str, object]
    """Digests of the files and of all else that decides the run."""


def code_points(texts: Iterator[str]) -> NDArray[np.uint32]:
    """Return the code points of all texts, a space between two."""
    return np.frombuffer(" ".join(texts).encode("utf-32-le", "replace"), dtype=np.uint32)


def _texts(data: Data, folder: Path) -> dict[str, NDArray[np.uint32]]:
    parts: dict[str, NDArray[np.uint32]] = {}
    for kind, names in (("modern", data.modern), ("classical", data.classical)):
        parts[kind] = np.concatenate([code_points(read_texts(folder / n)) for n in names])
    lines: Iterator[str] = (
        json.loads(x)["text"] for n in data.train for x in (folder / n).read_bytes().splitlines()
    )
    parts["train"] = code_points(lines)
    return parts


def made_from(config: Pretraining, folder: Path) -> dict[str, object]:
    """Return what a run is made from, as `inputs.of_training` does for training."""
    data = config.data
    files = [folder / n for n in (*data.modern, *data.classical, *data.train)]
    return {**inputs.around(config, inputs.PRETRAINING_CODE), "data": inputs.digests(files)}


def prepare(config: Pretraining, folder: Path) -> Prepared:
    """Read the corpora, choose characters and pairs, and find words by cohesion."""
    raw = _texts(config.data, folder)
    points = np.unique(np.concatenate([np.unique(p) for p in raw.values()]))
    forms = {int(p): plain(chr(p)) for p in points}
    forms = {p: f if f == " " else simplify(f) for p, f in forms.items()}
    counts: dict[str, int] = {}
    for kind, part in raw.items():
        weight = 1 if kind == "classical" else MODERN_WEIGHT
        values, found = np.unique(part, return_counts=True)
        for p, n in zip(values, found, strict=True):
            if forms[int(p)] != " ":
                form = forms[int(p)]
                counts[form] = counts.get(form, 0) + weight * int(n)
    ranked = sorted(counts, key=lambda c: (-counts[c], c))[: config.data.characters]
    known = {c: SPECIAL + i for i, c in enumerate(ranked)}
    size = SPECIAL + len(ranked)
    table = np.full(0x110000, UNKNOWN, dtype=np.uint16)
    for p, form in forms.items():
        table[p] = SPACE if form == " " else known.get(form, UNKNOWN)
    parts = {kind: table[part] for kind, part in raw.items()}

    pairs = np.zeros(size * size, dtype=np.float64)
    for kind, numbers in parts.items():
        weight = 1 if kind == "classical" else MODERN_WEIGHT
        keys = numbers[:-1].astype(np.int64) * size + numbers[1:]
        pairs += weight * np.bincount(keys, minlength=size * size)
    grid = pairs.reshape(size, size)
    single = grid.sum(1) + 1e-9
    chinese = np.zeros(size, dtype=bool)
    chinese[SPECIAL:] = [c.isalpha() for c in ranked]
    grid[~chinese] = 0.0
    grid[:, ~chinese] = 0.0
    with np.errstate(divide="ignore"):
        cohesion = np.log(grid * single.sum() / single[:, None] / single[None, :])
    together = (cohesion >= config.masking.cohesion) & (grid >= 8)
    best = np.argsort(-pairs, kind="stable")[: config.data.bigrams]
    chosen = [(ranked[k // size - SPECIAL], ranked[k % size - SPECIAL]) for k in map(int, best)]
    vocabulary = Vocabulary.from_counts(counts, bigrams=chosen, limit=config.data.characters)
    joined = {
        kind: np.concatenate([[False], together[part[:-1], part[1:]]])
        for kind, part in parts.items()
    }
    cut = int(len(parts["modern"]) * config.data.held_out)
    held_out = parts["modern"][:cut]
    parts["modern"], joined["modern"] = parts["modern"][cut:], joined["modern"][cut:]
    return Prepared(vocabulary, parts, joined, held_out, made_from(config, folder))


class Batches:
    """Random windows of the corpora, with words hidden."""

    def __init__(self, prepared: Prepared, config: Pretraining) -> None:
        self.prepared, self.config = prepared, config
        vocabulary = prepared.vocabulary
        size = vocabulary.size
        self.bigram_table = np.zeros(size * size, dtype=np.uint16)
        self.bigram_table[vocabulary.bigram_keys] = 1 + np.arange(len(vocabulary.bigram_keys))
        self.may_hide = np.zeros(size, dtype=bool)
        self.may_hide[SPECIAL:] = [c.isalpha() for c in vocabulary.characters]

    def draw(self, rng: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """Return characters as shown, pairs as shown, hidden places, and what is there."""
        optimiser, masking = self.config.optimiser, self.config.masking
        rows: list[NDArray[np.uint16]] = []
        words: list[NDArray[np.bool_]] = []
        kinds = sorted(self.config.data.shares)
        chances = np.array([self.config.data.shares[k] for k in kinds])
        for kind in rng.choice(kinds, size=optimiser.sentences, p=chances / chances.sum()):
            part = self.prepared.parts[kind]
            at = int(rng.integers(0, len(part) - optimiser.length))
            rows.append(part[at : at + optimiser.length])
            words.append(self.prepared.joined[kind][at : at + optimiser.length])
        return self.hide(np.stack(rows), np.stack(words), rng, longest=masking.longest_word)

    def hide(
        self,
        truth: NDArray[np.uint16],
        joined: NDArray[np.bool_],
        rng: np.random.Generator,
        *,
        longest: int,
    ) -> tuple[torch.Tensor, ...]:
        """Hide a share of the words of (B, T) characters: 80 % masked, 10 % replaced, 10 % left."""
        begins = ~joined
        begins[:, 0] = True
        flat = begins.ravel()
        starts = np.maximum.accumulate(np.where(flat, np.arange(flat.size), 0))
        flat |= (np.arange(flat.size) - starts) % longest == 0
        word = np.cumsum(flat) - 1
        allowed = self.may_hide[truth].ravel()
        share = self.config.masking.share / max(float(allowed.mean()), 0.2)
        hidden = (rng.random(int(word[-1]) + 1) < share)[word] & allowed
        places = np.flatnonzero(hidden)
        letters = truth.astype(np.int64).ravel().copy()
        fate = rng.random(len(places))
        letters[places[fate < 0.8]] = MASK
        changed = places[(fate >= 0.8) & (fate < 0.9)]
        letters[changed] = rng.integers(SPECIAL, len(self.may_hide), size=len(changed))
        shown = letters.reshape(truth.shape)
        pairs = np.zeros_like(shown)
        pairs[:, :-1] = self.bigram_table[shown[:, :-1] * len(self.may_hide) + shown[:, 1:]]
        wanted = truth.astype(np.int64).ravel()[places]
        return tuple(map(torch.from_numpy, (shown, pairs, places, wanted)))


def _prepared(config: Pretraining, folder: Path, run: Path) -> Prepared:
    """
    Prepare once, then read what was prepared.

    Raises `ConfigurationError` where it was prepared from other files or by another recipe.
    """
    stored, vocabulary = run / "corpora.npz", run / "vocabulary.json"
    if not (stored.exists() and vocabulary.exists()):
        made = prepare(config, folder)
        vocabulary.write_bytes(made.vocabulary.to_json())
        arrays: dict[str, Any] = {f"part_{k}": v for k, v in made.parts.items()}
        arrays |= {f"joined_{k}": v for k, v in made.joined.items()}
        temporary = run / "corpora.part.npz"
        note = np.array(json.dumps(made.made_from))
        np.savez(temporary, held_out=made.held_out, made_from=note, **arrays)
        temporary.replace(stored)
    with np.load(stored) as kept:
        parts = {k[5:]: kept[k] for k in kept.files if k.startswith("part_")}
        joined = {k[7:]: kept[k] for k in kept.files if k.startswith("joined_")}
        held_out = kept["held_out"]
        then = json.loads(str(kept["made_from"])) if "made_from" in kept.files else None
    now = made_from(config, folder)
    require_same(then, now, run.name)
    return Prepared(Vocabulary.from_json(vocabulary.read_bytes()), parts, joined, held_out, now)


def rate_at(step: int, total: int, optimiser: Optimiser) -> float:
    """Return the factor of the learning rates: up, level, down in a straight line."""
    left = (total - step) / max(1.0, total * optimiser.decay)
    return max(0.0, min(1.0, (step + 1) / optimiser.warm_up, left))


class Run:
    """One run: model, optimisers, average, and the state on disk."""

    def __init__(self, config: Pretraining, prepared: Prepared, folder: Path) -> None:
        torch.manual_seed(config.seed)
        self.config, self.folder, self.made_from = config, folder, prepared.made_from
        vocabulary = prepared.vocabulary
        self.shape = Shape(vocabulary.size, vocabulary.bigram_size, **asdict(config.shape))
        self.model = MaskedLanguageModel(self.shape)
        self.batches = Batches(prepared, config)
        chosen = dict(hidden_matrices(self.model))
        rest = [p for n, p in self.model.named_parameters() if n not in chosen]
        optimiser = config.optimiser
        self.matrix = Muon(chosen.values(), rate=optimiser.matrix_rate)
        self.other = torch.optim.AdamW(
            rest, lr=optimiser.other_rate, betas=(0.9, 0.98), weight_decay=optimiser.weight_decay
        )
        self.average = Average(self.model, optimiser.average)
        self.step, self.seconds = 0, 0.0
        self.total = optimiser.tokens // (optimiser.sentences * optimiser.length)
        cut = len(prepared.held_out) // optimiser.length
        rows = prepared.held_out[: cut * optimiser.length].reshape(cut, optimiser.length)
        self.test = self.batches.hide(
            rows, np.zeros(rows.shape, bool), np.random.default_rng(0), longest=1
        )

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "matrix": self.matrix.state_dict(),
            "other": self.other.state_dict(),
            "average": self.average.weights,
            "averaged": self.average.steps,
            "shape": asdict(self.shape),
            MADE_FROM: self.made_from,
        }

    def resume(self) -> None:
        """Go on from the state on disk, if there is one. Raises as `require_same`."""
        path, curve = self.folder / "state.pt", self.folder / "curve.jsonl"
        if not path.exists():
            cut_curve(curve, 0)
            return
        state = torch.load(path, weights_only=True)
        require_same(state.get(MADE_FROM), self.made_from, self.folder.name)
        cut_curve(curve, state["step"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.model.load_state_dict(state["model"])
        self.matrix.load_state_dict(state["matrix"])
        self.other.load_state_dict(state["other"])
        self.average.weights, self.average.steps = state["average"], state["averaged"]

    def train_one(self) -> float:
        """Take one step; return the loss."""
        optimiser = self.config.optimiser
        factor = rate_at(self.step, self.total, optimiser)
        self.matrix.param_groups[0]["lr"] = optimiser.matrix_rate * factor
        self.other.param_groups[0]["lr"] = optimiser.other_rate * factor
        rng = np.random.default_rng((self.config.seed, self.step))
        shown, pairs, places, wanted = self.batches.draw(rng)
        loss = torch.nn.functional.cross_entropy(self.model(shown, pairs, places), wanted)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.matrix.step()
        self.other.step()
        self.model.zero_grad(set_to_none=True)
        self.average.update(self.model)
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def held_out_loss(self) -> float:
        """Return the loss of the averaged weights on text never trained on."""
        mine = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.weights)
        shown, pairs, places, wanted = self.test
        loss = torch.nn.functional.cross_entropy(self.model(shown, pairs, places), wanted)
        self.model.load_state_dict(mine)
        return float(loss.detach())


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Pre-train the encoder.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    config, digest = load(arguments.config, Pretraining)
    folder = cache_folder(arguments.cache) / config.name
    folder.mkdir(parents=True, exist_ok=True)
    prepared = _prepared(config, data_folder(arguments.data), folder)
    run = Run(config, prepared, folder)
    run.resume()
    sizes = {k: len(v) for k, v in prepared.parts.items()}
    print(
        json.dumps({"config": digest.text, "step": run.step, "of": run.total, **sizes}), flush=True
    )
    begun, saved, processor = time.monotonic(), time.monotonic(), time.process_time()
    losses: list[float] = []
    before = run.seconds
    while run.step < run.total:
        losses.append(run.train_one())
        run.seconds = before + time.process_time() - processor
        done = run.step >= run.total
        if run.step % REPORT_EVERY_STEPS == 0 or done:
            optimiser = config.optimiser
            line = {
                "step": run.step,
                "tokens": run.step * optimiser.sentences * optimiser.length,
                "loss": round(float(np.mean(losses)), 4),
                "held_out": round(run.held_out_loss(), 4),
                "processor_seconds": round(run.seconds),
                "wall_seconds": round(time.monotonic() - begun),
            }
            losses.clear()
            print(json.dumps(line), flush=True)
            with (folder / "curve.jsonl").open("a") as sink:
                sink.write(json.dumps(line) + "\n")
        if done or time.monotonic() - saved > SAVE_EVERY_SECONDS:
            save_whole(run.state(), folder / "state.pt")
            saved = time.monotonic()


if __name__ == "__main__":
    main()
