"""
Fine-tuning: one encoder, a head for each scheme, all corpora together, resumable.

    xinglin ner train --config ml/xinglin_ml/configs/small-1.toml

A run keeps its state in the cache folder and goes on from it after a kill, with the same
numbers as if it had never stopped. What is written at its end, `experiment.py` says.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from xinglin_ml import crf, inputs
from xinglin_ml.annotation import Document
from xinglin_ml.batches import Batch, batches
from xinglin_ml.characters import MASK, NO_BIGRAM, PADDING, Vocabulary
from xinglin_ml.errors import ConfigurationError
from xinglin_ml.examples import (
    NO_SUBTYPE,
    SILVER,
    Source,
    Window,
    cut,
    fold_of,
    lexicon_of,
    read,
    read_silver,
)
from xinglin_ml.finished import reader_of
from xinglin_ml.lexicon import PLACES, SCALE, FoldedLexicon
from xinglin_ml.model import Shape, Tagger
from xinglin_ml.optimiser import Average
from xinglin_ml.reading import SUBTYPE_HEAD, Reader
from xinglin_ml.recipe import Training
from xinglin_ml.schema import SCHEMES, SUBTYPES
from xinglin_ml.states import MADE_FROM, cut_curve, require_same, save_whole
from xinglin_ml.tagging import Tagging
from xinglin_ml.teachers import teach

SAVE_EVERY_SECONDS = 120
"""How much work a kill may cost."""

VALIDATION_PARTS = 10
"""One part in so many of the training documents is held out when settings are chosen."""


class Trainer:
    """One run: data, model, optimiser, average, and the state on disk."""

    def __init__(self, config: Training, data: Path, cache: Path) -> None:
        torch.manual_seed(config.seed)
        self.config, self.data = config, data
        self.folder = cache / config.name
        self.folder.mkdir(parents=True, exist_ok=True)
        pretrained = cache / config.pretrained
        if not (pretrained / "vocabulary.json").exists():
            raise ConfigurationError(f"no pre-training run {config.pretrained} in the cache")
        self.vocabulary = Vocabulary.from_json((pretrained / "vocabulary.json").read_bytes())
        self.sources, self.held_out = self._read()
        self.lexicon: FoldedLexicon = lexicon_of(
            self.sources, self.vocabulary, config.folds, least=config.least, kinds=config.names
        )
        self.windows: list[Window] = []
        for source in self.sources:
            made = list(cut(source, self.vocabulary, self.lexicon, out_of_fold=True))
            self.windows += made * source.use.repeats
        self.heads = sorted({h for s in self.sources for h in s.by_head})
        self.taught: Mapping[str, Tensor] = {}
        if config.teachers:
            self.taught = teach(
                list({id(w): w for w in self.windows}.values()),
                [cache / name for name in config.teachers],
                vocabulary=self.vocabulary.to_json(),
                lexicon=self.lexicon.full.to_json(),
            )
        state = torch.load(pretrained / "state.pt", weights_only=True)
        self.made_from = inputs.of_training(config, data, cache, state)
        self.shape = Shape(**{**state["shape"], "features": self.lexicon.full.width})
        tags = {h: Tagging(SCHEMES[h].labels).count for h in self.heads}
        self.model = Tagger(
            self.shape,
            {**tags, SUBTYPE_HEAD: len(SUBTYPES)},
            dropout=config.dropout,
            head_dropout=config.head_dropout,
        )
        if config.initial:
            self._take(cache / config.initial)
        elif not config.from_scratch:
            weights = {
                k.removeprefix("encoder."): v
                for k, v in state["average"].items()
                if k.startswith("encoder.")
            }
            missing, unknown = self.model.encoder.load_state_dict(weights, strict=False)
            if unknown or any(not m.startswith("lexicon.") for m in missing):
                raise ConfigurationError("the pre-trained weights are of another model")
        self.legal = {h: Tagging(SCHEMES[h].labels).legal() for h in self.heads}
        fresh = ("encoder.lexicon", "again", "heads", "transitions")
        groups: dict[bool, list[Tensor]] = {True: [], False: []}
        for name, parameter in self.model.named_parameters():
            groups[name.startswith(fresh)].append(parameter)
        self.optimiser = torch.optim.AdamW(
            [
                {"params": groups[False], "lr": config.encoder_rate, "top": config.encoder_rate},
                {"params": groups[True], "lr": config.head_rate, "top": config.head_rate},
            ],
            betas=(0.9, 0.98),
            weight_decay=config.weight_decay,
        )
        self.average = Average(self.model, config.average)
        self.step, self.seconds = 0, 0.0
        self.total = config.epochs * len(self._epoch(0))
        self.resume()

    def _take(self, run: Path) -> None:
        """Take the averaged weights of a finished run; heads that it lacks stay fresh."""
        weights = torch.load(run / "state.pt", weights_only=True)["average"]
        mine = self.model.state_dict()
        if any(k in mine and mine[k].shape != v.shape for k, v in weights.items()):
            raise ConfigurationError(f"the weights of {run.name} are of another model")
        self.model.load_state_dict({k: v for k, v in weights.items() if k in mine}, strict=False)

    def _read(self) -> tuple[list[Source], dict[str, Source]]:
        sources: list[Source] = []
        held_out: dict[str, Source] = {}
        for use in self.config.corpora:
            if use.name == SILVER:
                sources.append(read_silver(use, self.folder.parent / SILVER))
                continue
            source = read(use, self.data, "train")
            if self.config.validate:
                keep: dict[str, list[Document]] = {}
                aside: dict[str, list[Document]] = {}
                for head, documents in source.by_head.items():
                    marks = [
                        fold_of(i // 7, d, VALIDATION_PARTS) == VALIDATION_PARTS - 1
                        for i, d in enumerate(documents)
                    ]
                    keep[head] = [d for d, m in zip(documents, marks, strict=True) if not m]
                    aside[head] = [d for d, m in zip(documents, marks, strict=True) if m]
                source, held_out[use.name] = Source(use, keep), Source(use, aside)
            sources.append(source)
        return sources, held_out

    def _epoch(self, number: int) -> list[Batch]:
        rng = np.random.default_rng((self.config.seed, number))
        return batches(self.windows, self.config.tokens, rng)

    def state(self) -> dict[str, Any]:
        """Return all that is needed to go on."""
        return {
            "step": self.step,
            "seconds": self.seconds,
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average.weights,
            "averaged": self.average.steps,
            "shape": asdict(self.shape),
            "total": self.total,
            MADE_FROM: self.made_from,
        }

    def resume(self) -> None:
        """
        Go on from the state on disk, if there is one of this very run.

        Raises `ConfigurationError` for the state of another: recipe, data, code or versions.
        """
        path = self.folder / "state.pt"
        if not path.exists():
            cut_curve(self.folder / "curve.jsonl", 0)
            return
        state = torch.load(path, weights_only=True)
        require_same(state.get(MADE_FROM), self.made_from, self.folder.name)
        if state["total"] != self.total or state["shape"] != asdict(self.shape):
            raise ConfigurationError(
                f"{self.folder.name} holds the state of another experiment: remove it or rename"
            )
        self.step, self.seconds = state["step"], state["seconds"]
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.average.weights, self.average.steps = state["average"], state["averaged"]
        cut_curve(self.folder / "curve.jsonl", self.step)

    def _tensors(self, batch: Batch, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """Return characters, pairs, features and what is real, with some of each hidden."""
        rows, length, config = len(batch.windows), batch.length, self.config
        ids = np.full((rows, length), PADDING, dtype=np.int64)
        pairs = np.zeros((rows, length), dtype=np.int64)
        features = np.zeros((rows, length, self.shape.features), dtype=np.float32)
        real = np.zeros((rows, length), dtype=bool)
        for row, window in enumerate(batch.windows):
            size = len(window.ids)
            ids[row, :size], pairs[row, :size] = window.ids, window.bigrams
            features[row, :size] = window.features
            real[row, :size] = True
        features /= SCALE
        hidden = (rng.random(ids.shape) < config.character_mask) & real
        ids[hidden] = MASK
        pairs[hidden] = NO_BIGRAM
        pairs[:, :-1][hidden[:, 1:]] = NO_BIGRAM
        columns = rng.random((rows, 1, self.shape.features // PLACES)) >= config.feature_dropout
        features *= np.repeat(columns, PLACES, axis=2)
        features *= rng.random((rows, 1, 1)) >= config.sentence_dropout
        return tuple(map(torch.from_numpy, (ids, pairs, features, real)))

    def train_one(self, batch: Batch) -> float:
        """Take one step; return the loss for a character."""
        rng = np.random.default_rng((self.config.seed, 7, self.step))
        torch.manual_seed(self.config.seed * 1_000_003 + self.step)
        left = (self.total - self.step) / self.total
        factor = min(1.0, (self.step + 1) / self.config.warm_up) * left
        for group in self.optimiser.param_groups:
            group["lr"] = group["top"] * factor
        self.model.train()
        ids, pairs, features, real = self._tensors(batch, rng)
        outputs = self.model(ids, pairs, features, real)
        total = torch.zeros(())
        for head in self.heads:
            total = total + self._head_loss(batch, head, outputs[head])
        total = total + self.config.subtype_weight * self._subtype_loss(batch, outputs)
        total = total / real.sum()
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.model.zero_grad(set_to_none=True)
        self.average.update(self.model)
        self.step += 1
        return float(total.detach())

    def _head_loss(self, batch: Batch, head: str, scores: Tensor) -> Tensor:
        """Return the loss of the windows that are annotated in a scheme, or taught it."""
        rows = [
            i for i, w in enumerate(batch.windows) if head in w.tags or head in (w.taught or ())
        ]
        if not rows:
            return torch.zeros(())
        windows = [batch.windows[i] for i in rows]
        tags = np.zeros((len(rows), batch.length), dtype=np.int64)
        for at, window in enumerate(windows):
            found = window.tags.get(head, ())
            tags[at, : len(found)] = found
        lengths = torch.tensor([len(w.ids) for w in windows])
        weights = torch.tensor([w.weights.get(head, self.config.unmarked) for w in windows])
        wanted = self._wanted(windows, head, torch.from_numpy(tags), lengths, weights)
        transitions = crf.forbid(self.model.transitions[head], self.legal[head])
        return crf.loss(scores[rows], transitions, wanted, lengths, weights)

    def _wanted(
        self, windows: Sequence[Window], head: str, tags: Tensor, lengths: Tensor, weights: Tensor
    ) -> crf.Counts:
        """Return what was annotated, or what teachers hold possible, or some of both."""
        count = Tagging(SCHEMES[head].labels).count
        if head not in self.taught:
            return crf.observed(tags, lengths, weights, count)
        share = torch.tensor([w.taught_share if head in w.tags else 1.0 for w in windows])
        said = np.zeros((*tags.shape, count), dtype=np.float32)
        for at, window in enumerate(windows):
            if window.taught is not None:
                said[at, : len(window.ids)] = window.taught[head]
        transitions = crf.forbid(self.taught[head], self.legal[head])
        _, held = crf.expected(torch.from_numpy(said), transitions, lengths, weights * share)
        return crf.observed(tags, lengths, weights * (1.0 - share), count) + held

    def _subtype_loss(self, batch: Batch, outputs: Mapping[str, Tensor]) -> Tensor:
        wanted = np.full((len(batch.windows), batch.length), NO_SUBTYPE, dtype=np.int64)
        for row, window in enumerate(batch.windows):
            if window.subtypes is not None:
                wanted[row, : len(window.subtypes)] = window.subtypes
        return functional.cross_entropy(
            outputs[SUBTYPE_HEAD].flatten(0, 1),
            torch.from_numpy(wanted).flatten(),
            ignore_index=NO_SUBTYPE,
            reduction="sum",
        )

    def run(self, progress: Callable[[int, int, float], None]) -> None:
        """Train to the end, saving now and then; `progress` gets step, total and loss."""
        begun = time.process_time()
        before, saved = self.seconds, time.monotonic()
        losses: list[float] = []
        steps = len(self._epoch(0))
        while self.step < self.total:
            epoch, at = divmod(self.step, steps)
            for batch in self._epoch(epoch)[at:]:
                losses.append(self.train_one(batch))
                self.seconds = before + time.process_time() - begun
                if self.step % 20 == 0 or self.step == self.total:
                    self._note(
                        {
                            "step": self.step,
                            "loss": round(float(np.mean(losses)), 4),
                            "processor_seconds": round(self.seconds),
                        }
                    )
                    progress(self.step, self.total, float(np.mean(losses)))
                    losses.clear()
                if time.monotonic() - saved > SAVE_EVERY_SECONDS or self.step == self.total:
                    save_whole(self.state(), self.folder / "state.pt")
                    saved = time.monotonic()

    def _note(self, line: dict[str, object]) -> None:
        with (self.folder / "curve.jsonl").open("a") as sink:
            sink.write(json.dumps(line) + "\n")

    def reader(self) -> Reader:
        """Return a reader with the averaged weights, in float32."""
        counts = {h: len(self.average.weights[f"heads.{h}.bias"]) for h in self.model.heads}
        model = Tagger(self.shape, counts)
        model.load_state_dict(self.average.weights)
        model.eval()
        return reader_of(model, self.vocabulary, self.lexicon.full)
