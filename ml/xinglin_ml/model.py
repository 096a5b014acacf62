"""
The whole model: characters in, one score for each tag of each corpus out.

A pre-norm transformer with rotary positions. Three things suit it to little data and
two cores: pairs of neighbouring characters have embeddings of their own (no arithmetic,
much memory of words), each block mixes three neighbours before it attends, and the
lexicon's view of the text enters at the bottom and again at the top.

Shapes: B sentences, T characters, D width, H heads, F lexicon features, K tags.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Shape:
    """What must be known to build the encoder."""

    vocabulary: int
    """Numbers of characters."""

    bigrams: int
    """Numbers of pairs."""

    width: int = 256
    layers: int = 4
    heads: int = 4
    hidden: int = 1024
    bigram_width: int = 128

    features: int = 0
    """Lexicon features of a character; none in pre-training."""

    longest: int = 512
    """Positions for which rotations are kept."""


def rotations(shape: Shape) -> tuple[Tensor, Tensor]:
    """
    Return cosines and sines of every position, each (longest, D / H).

    The first half of the sines is negative, which spares `turn` a negation.
    """
    half = shape.width // shape.heads // 2
    speed = 10_000.0 ** (-torch.arange(half, dtype=torch.float32) / half)
    angle = torch.arange(shape.longest, dtype=torch.float32)[:, None] * speed
    return torch.cat([angle.cos()] * 2, -1), torch.cat([-angle.sin(), angle.sin()], -1)


def neighbours(x: Tensor, weight: Tensor) -> Tensor:
    """Mix each position with the one before and after: (B, T, D) and (3, D) to (B, T, D)."""
    around = functional.pad(x, (0, 0, 1, 1))
    return around[:, :-2] * weight[0] + x * weight[1] + around[:, 2:] * weight[2]


def shared_dropout(x: Tensor, rate: float, training: bool) -> Tensor:
    """Drop whole features of a sentence: one mask along T, which is cheap on a processor."""
    if not training or rate == 0.0:
        return x
    keep = torch.empty(x.shape[0], 1, x.shape[2], dtype=x.dtype).bernoulli_(1.0 - rate)
    return x * (keep / (1.0 - rate))


class Block(nn.Module):
    """Neighbours, attention, feed-forward; each added to what came in."""

    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        width = shape.width
        self.heads, self.dropout = shape.heads, dropout
        self.first = nn.LayerNorm(width)
        self.mix = nn.Parameter(torch.zeros(3, width))
        self.project = nn.Linear(width, 3 * width)
        self.merge = nn.Linear(width, width)
        self.second = nn.LayerNorm(width)
        self.widen = nn.Linear(width, shape.hidden)
        self.narrow = nn.Linear(shape.hidden, width)
        with torch.no_grad():
            self.mix[1] = 1.0
            for layer in (self.merge, self.narrow):
                layer.weight.mul_((2 * shape.layers) ** -0.5)

    def forward(
        self, x: Tensor, cosine: Tensor, sine: Tensor, bias: Tensor | None, real: Tensor | None
    ) -> Tensor:
        batch, length, width = x.shape
        h = self.first(x)  # (B, T, D)
        if real is not None:
            h = h * real  # filler must not leak in
        h = neighbours(h, self.mix)
        parts = (
            self.project(h)  # (B, T, 3D)
            .view(batch, length, 3, self.heads, width // self.heads)
            .permute(2, 0, 3, 1, 4)  # (3, B, H, T, D/H)
        )
        turned = turn(parts[:2], cosine, sine)  # queries and keys in one go
        q, k, v = turned[0] * (width // self.heads) ** -0.5, turned[1], parts[2]
        scores = q @ k.transpose(-1, -2)  # (B, H, T, T)
        if bias is not None:
            scores = scores + bias
        mixed = torch.softmax(scores, -1) @ v  # (B, H, T, D/H)
        mixed = self.merge(mixed.transpose(1, 2).reshape(batch, length, width))
        x = x + shared_dropout(mixed, self.dropout, self.training)
        h = self.narrow(functional.relu(self.widen(self.second(x))))
        return x + shared_dropout(h, self.dropout, self.training)


def turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotate pairs of features by their position: (…, T, D/H)."""
    half = x.shape[-1] // 2
    return x * cosine + torch.cat([x[..., half:], x[..., :half]], -1) * sine


class Encoder(nn.Module):
    """Characters, pairs and lexicon features to one vector for each character."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape, self.dropout = shape, dropout
        self.character = nn.Embedding(shape.vocabulary, shape.width)
        self.bigram = nn.Embedding(shape.bigrams, shape.bigram_width)
        self.pair = nn.Linear(2 * shape.bigram_width, shape.width)
        self.lexicon = nn.Linear(shape.features, shape.width) if shape.features else None
        self.blocks = nn.ModuleList(Block(shape, dropout) for _ in range(shape.layers))
        self.last = nn.LayerNorm(shape.width)
        cosine, sine = rotations(shape)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        nn.init.normal_(self.character.weight, std=0.05)
        nn.init.normal_(self.bigram.weight, std=0.05)
        with torch.no_grad():
            self.bigram.weight[0] = 0.0
        if self.lexicon is not None:
            nn.init.normal_(self.lexicon.weight, std=0.05)

    def forward(
        self, characters: Tensor, bigrams: Tensor, features: Tensor | None, real: Tensor | None
    ) -> Tensor:
        """
        (B, T) numbers of characters and of pairs, (B, T, F) features, (B, T) what is not
        filler (none: everything is real) to (B, T, D).
        """
        length = characters.shape[1]
        pairs = self.bigram(bigrams)  # (B, T, P): begins here
        before = functional.pad(pairs, (0, 0, 1, 0))[:, :-1]  # ends here
        x = self.character(characters) + self.pair(torch.cat([before, pairs], -1))
        if self.lexicon is not None and features is not None:
            x = x + self.lexicon(features)
        x = shared_dropout(x, self.dropout, self.training)
        cosine, sine = self.cosine[:length], self.sine[:length]
        bias = keep = None
        if real is not None:
            keep = real[:, :, None].to(x.dtype)  # (B, T, 1)
            bias = (1.0 - real.to(x.dtype))[:, None, None, :] * -1e4  # (B, 1, 1, T)
        for block in self.blocks:
            x = block(x, cosine, sine, bias, keep)
        result: Tensor = self.last(x)
        return result


class MaskedLanguageModel(nn.Module):
    """The encoder, and a guess at each hidden character through the same embeddings."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.guess = nn.Linear(shape.width, shape.width)
        self.norm = nn.LayerNorm(shape.width)
        self.bias = nn.Parameter(torch.zeros(shape.vocabulary))

    def forward(self, characters: Tensor, bigrams: Tensor, hidden: Tensor) -> Tensor:
        """(B, T) and (B, T), and the N flat places that are hidden, to (N, vocabulary)."""
        x = self.encoder(characters, bigrams, None, None)
        x = x.reshape(-1, x.shape[-1])[hidden]  # (N, D)
        x = self.norm(functional.relu(self.guess(x)))
        guesses: Tensor = x @ self.encoder.character.weight.T + self.bias
        return guesses


class Tagger(nn.Module):
    """The encoder and one head for each scheme, all computed in one pass."""

    def __init__(
        self,
        shape: Shape,
        tags: Mapping[str, int],
        *,
        dropout: float = 0.1,
        head_dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.encoder = Encoder(shape, dropout)
        self.head_dropout = head_dropout
        self.again = nn.Linear(shape.features, 64)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(shape.width + 64, count) for name, count in tags.items()}
        )
        self.transitions = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(count + 2, count + 2)) for name, count in tags.items()}
        )

    def forward(
        self, characters: Tensor, bigrams: Tensor, features: Tensor, real: Tensor | None
    ) -> dict[str, Tensor]:
        """(B, T), (B, T), (B, T, F) and what is real to (B, T, K) for each head."""
        x = self.encoder(characters, bigrams, features, real)  # (B, T, D)
        x = torch.cat([x, functional.relu(self.again(features))], -1)
        x = shared_dropout(x, self.head_dropout, self.training)
        return {name: head(x) for name, head in self.heads.items()}
