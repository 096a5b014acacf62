"""
The Merkle tree, kept as tiles (C2SP tlog-tiles, height 8).

`Edge` is the tree's right edge: enough to append in a constant number of hashes on
average and to know the root, however large the log is. Everything left of it is in
complete tiles, from which `TileTree` proves any index in any size, reading two tiles a
level at most.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from xinglin.errors import UsageError
from xinglin.merkle import (
    EMPTY_ROOT,
    HASH_SIZE,
    ConsistencyProof,
    InclusionProof,
    consistency_ranges,
    inclusion_ranges,
    node_hash,
)
from xinglin.names import LeafHash, NodeHash, RootHash

TILE_HEIGHT = 8
"""Levels of the tree in one tile (C2SP tlog-tiles)."""

TILE_WIDTH = 1 << TILE_HEIGHT
"""Hashes in a complete tile."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Hashes of one level, complete or not."""

    level: int
    number: int
    hashes: bytes

    @property
    def width(self) -> int:
        """How many hashes it holds."""
        return len(self.hashes) // HASH_SIZE


@dataclass(slots=True)
class Edge:
    """
    The right edge of a tree of `size` leaves.

    Belongs to one thread. `copy` before extending, and keep the copy only once what it
    stands for is on disk.
    """

    size: int = 0
    peaks: list[bytes] = field(default_factory=list[bytes])
    """Roots of the complete subtrees, largest first: one for each bit set in `size`."""
    partial: list[list[bytes]] = field(default_factory=lambda: [[]])
    """For each tile level, the hashes of its last, incomplete tile."""

    def copy(self) -> "Edge":
        """A copy that can be extended and thrown away."""
        return Edge(self.size, self.peaks.copy(), [level.copy() for level in self.partial])

    def extend(self, leaves: Sequence[LeafHash]) -> list[Tile]:
        """
        Append `leaves`; return the tiles to store.

        These are the tiles completed and the last incomplete one of each level above
        zero that changed.
        """
        stored: list[Tile] = []
        changed: set[int] = set()
        for leaf in leaves:
            carry: bytes = leaf
            self._push(0, carry, stored, changed)
            index, height = self.size, 0
            while index >> height & 1:
                carry = node_hash(self.peaks.pop(), carry)
                height += 1
                if height % TILE_HEIGHT == 0:
                    self._push(height // TILE_HEIGHT, carry, stored, changed)
            self.peaks.append(carry)
            self.size += 1
        for level in sorted(changed - {0}):
            hashes = self.partial[level]
            if hashes:
                number = self.size >> TILE_HEIGHT * (level + 1)
                stored.append(Tile(level, number, b"".join(hashes)))
        return stored

    def root(self) -> RootHash:
        """Root of the tree (RFC 9162, section 2.1.1)."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return RootHash(root)

    def _push(self, level: int, value: bytes, stored: list[Tile], changed: set[int]) -> None:
        if level == len(self.partial):
            self.partial.append([])
        hashes = self.partial[level]
        hashes.append(value)
        changed.add(level)
        if len(hashes) == TILE_WIDTH:
            number = self.size >> TILE_HEIGHT * (level + 1)
            stored.append(Tile(level, number, b"".join(hashes)))
            hashes.clear()


ReadTile = Callable[[int, int, int], bytes]
"""`read(level, number, width)` returns at least `width` hashes of that tile."""


class TileTree:
    """
    A tree read through its tiles.

    `read(level, number, width)` must return the first `width` hashes of that tile or more.
    Tiles are kept for as long as this object lives: make one for each request.
    """

    def __init__(self, read: ReadTile) -> None:
        self._read = read
        self._kept: dict[tuple[int, int], bytes] = {}

    def root(self, size: int) -> RootHash:
        """Root of the first `size` leaves."""
        return RootHash(self._range(0, size)) if size else EMPTY_ROOT

    def edge(self, size: int) -> Edge:
        """The right edge of the first `size` leaves, read back from the tiles."""
        edge = Edge(size=size)
        start = 0
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                edge.peaks.append(self._subtree(height, start >> height))
                start += 1 << height
        levels = max(1, (max(size.bit_length(), 1) - 1) // TILE_HEIGHT + 1)
        edge.partial = []
        for level in range(levels):
            hashes = size >> TILE_HEIGHT * level
            width = hashes % TILE_WIDTH
            tile = self._tile(level, hashes // TILE_WIDTH, width) if width else b""
            edge.partial.append([tile[i * HASH_SIZE : (i + 1) * HASH_SIZE] for i in range(width)])
        return edge

    def prove_inclusion(self, leaf_index: int, tree_size: int) -> InclusionProof:
        """Prove one leaf. Raises `UsageError` for an index outside the tree."""
        if not 0 <= leaf_index < tree_size:
            raise UsageError(f"leaf index {leaf_index} is outside a tree of {tree_size}")
        path = tuple(
            NodeHash(self._range(a, b)) for a, b in inclusion_ranges(leaf_index, tree_size)
        )
        return InclusionProof(leaf_index, tree_size, path)

    def prove_consistency(self, old_size: int, new_size: int) -> ConsistencyProof:
        """Prove that the newer tree begins with the older. Raises `UsageError`."""
        if not 0 < old_size <= new_size:
            raise UsageError(f"expected 0 < old size <= {new_size}, got {old_size}")
        path = tuple(NodeHash(self._range(a, b)) for a, b in consistency_ranges(old_size, new_size))
        return ConsistencyProof(old_size, new_size, path)

    def _range(self, start: int, end: int) -> bytes:
        """Root of the leaves from `start` to `end`; `start` is where a subtree begins."""
        parts: list[bytes] = []
        size = end - start
        for height in reversed(range(size.bit_length())):
            if size >> height & 1:
                parts.append(self._subtree(height, start >> height))
                start += 1 << height
        root = parts[-1]
        for part in reversed(parts[:-1]):
            root = node_hash(part, root)
        return root

    def _subtree(self, height: int, number: int) -> bytes:
        """Root of the complete subtree of 2^height leaves, the `number`th of its size."""
        level, within = divmod(height, TILE_HEIGHT)
        first = number << within
        offset = first % TILE_WIDTH
        count = 1 << within
        tile = self._tile(level, first // TILE_WIDTH, offset + count)
        hashes = [tile[i * HASH_SIZE : (i + 1) * HASH_SIZE] for i in range(offset, offset + count)]
        while len(hashes) > 1:
            hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
        return hashes[0]

    def _tile(self, level: int, number: int, width: int) -> bytes:
        kept = self._kept.get((level, number), b"")
        if len(kept) < width * HASH_SIZE:
            kept = self._read(level, number, width)
            self._kept[(level, number)] = kept
        return kept
