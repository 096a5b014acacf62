"""The tree kept as tiles agrees with the library's, at every size around a tile's edge."""

import hashlib

import pytest

from xinglin import merkle
from xinglin.errors import UsageError
from xinglin.names import LeafHash
from xinglin_node.log.tree import TILE_WIDTH, Edge, TileTree

LEAVES = [LeafHash(hashlib.sha256(n.to_bytes(4)).digest()) for n in range(70_000)]
SIZES = [1, 2, 3, 7, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, 66_000]


class Tiles:
    """Tiles as the database would keep them."""

    def __init__(self) -> None:
        self.edge = Edge()
        self.stored: dict[tuple[int, int], bytes] = {}

    def extend(self, leaves) -> None:
        for tile in self.edge.extend(leaves):
            self.stored[tile.level, tile.number] = tile.hashes

    def read(self, level: int, number: int, width: int) -> bytes:
        tile = self.stored.get((level, number))
        if tile is None:
            start = number * TILE_WIDTH
            assert level == 0, "an incomplete tile above level 0 is always stored"
            tile = b"".join(LEAVES[start : min(start + TILE_WIDTH, self.edge.size)])
        assert len(tile) >= width * 32
        return tile

    @property
    def tree(self) -> TileTree:
        return TileTree(self.read)


@pytest.fixture(scope="module")
def grown() -> dict[int, Tiles]:
    tiles, kept = Tiles(), {}
    for size in SIZES:
        tiles.extend(LEAVES[tiles.edge.size : size])
        copy = Tiles()
        copy.edge, copy.stored = tiles.edge.copy(), dict(tiles.stored)
        kept[size] = copy
    return kept


class TestEdge:
    @pytest.mark.parametrize("size", SIZES)
    def test_the_root_is_the_librarys(self, grown, size: int) -> None:
        assert grown[size].edge.root() == merkle.root_of(LEAVES[:size])

    def test_an_empty_tree_has_the_empty_root(self) -> None:
        assert Edge().root() == merkle.EMPTY_ROOT

    @pytest.mark.parametrize("size", SIZES)
    def test_it_is_read_back_from_the_tiles_as_it_was(self, grown, size: int) -> None:
        tiles = grown[size]
        read = tiles.tree.edge(size)
        assert (read.size, read.peaks) == (size, tiles.edge.peaks)
        again = read.copy()
        stored = again.extend(LEAVES[size : size + 600])
        expected = tiles.edge.copy().extend(LEAVES[size : size + 600])
        assert stored == expected
        assert again.root() == merkle.root_of(LEAVES[: size + 600])

    def test_a_copy_that_is_thrown_away_changes_nothing(self, grown) -> None:
        edge = grown[255].edge
        before = (edge.size, edge.root(), [level.copy() for level in edge.partial])
        edge.copy().extend(LEAVES[255:600])
        assert (edge.size, edge.root(), edge.partial) == before

    def test_appending_costs_the_same_however_large_the_log(self, monkeypatch) -> None:
        # Speed, without a clock: hashes made for 256 more leaves, at 1,024 and at 66,000.
        made = 0

        def counting(left: bytes, right: bytes) -> bytes:
            nonlocal made
            made += 1
            return hashlib.sha256(b"\x01" + left + right).digest()

        monkeypatch.setattr("xinglin_node.log.tree.node_hash", counting)
        counts = []
        for size in (1_024, 66_048):
            edge = Edge()
            edge.extend(LEAVES[:size])
            made = 0
            edge.extend(LEAVES[size : size + 256])
            counts.append(made)
        assert max(counts) <= 256 + 17


class TestProofs:
    @pytest.mark.parametrize("size", [1, 2, 7, 255, 256, 257, 513, 1000])
    def test_every_inclusion_proof_verifies(self, grown, size: int) -> None:
        tiles, root = grown[size], merkle.root_of(LEAVES[:size])
        for index in range(size):
            proof = tiles.tree.prove_inclusion(index, size)
            merkle.verify_inclusion(proof, LEAVES[index], root)

    def test_a_proof_in_an_earlier_size_verifies(self, grown) -> None:
        tiles = grown[66_000]
        for size in (1, 255, 257, 1000, 65_537):
            proof = tiles.tree.prove_inclusion(size // 2, size)
            merkle.verify_inclusion(proof, LEAVES[size // 2], merkle.root_of(LEAVES[:size]))

    def test_consistency_between_all_pairs_of_sizes(self, grown) -> None:
        tiles = grown[66_000]
        roots = {size: merkle.root_of(LEAVES[:size]) for size in SIZES}
        for old in SIZES:
            for new in SIZES:
                if old <= new:
                    proof = tiles.tree.prove_consistency(old, new)
                    merkle.verify_consistency(proof, roots[old], roots[new])

    def test_a_proof_reads_a_few_tiles_of_each_level(self, grown) -> None:
        reads: list[tuple[int, int]] = []
        tiles = grown[66_000]

        def counted(level: int, number: int, width: int) -> bytes:
            reads.append((level, number))
            return tiles.read(level, number, width)

        TileTree(counted).prove_inclusion(12_345, 66_000)
        assert len(set(reads)) <= 2 * 3

    @pytest.mark.parametrize(("index", "size"), [(-1, 7), (7, 7), (0, 0)])
    def test_an_index_outside_the_tree_is_refused(self, grown, index, size) -> None:
        with pytest.raises(UsageError):
            grown[7].tree.prove_inclusion(index, size)

    @pytest.mark.parametrize(("old", "new"), [(0, 7), (8, 7)])
    def test_an_old_size_outside_is_refused(self, grown, old, new) -> None:
        with pytest.raises(UsageError):
            grown[7].tree.prove_consistency(old, new)
