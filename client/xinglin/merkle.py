"""
Inclusion and consistency in an append-only log.

The tree is that of RFC 9162, section 2.1: SHA-256, ordered children, and a prefix
that keeps a leaf from ever being taken for a node.

>>> leaves = [leaf_hash(name) for name in (b"a", b"b", b"c")]
>>> root = root_of(leaves)
>>> verify_inclusion(prove_inclusion(leaves, 1), leaves[1], root)
>>> verify_consistency(prove_consistency(leaves, 2), root_of(leaves[:2]), root)
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from xinglin.errors import ConsistencyProofError, InclusionProofError, UsageError
from xinglin.names import LeafHash, NodeHash, RootHash

_LEAF_PREFIX = b"\x00"
_NODE_PREFIX = b"\x01"

HASH_SIZE = 32
"""Bytes of a SHA-256 hash."""

EMPTY_ROOT = RootHash(hashlib.sha256(b"").digest())
"""Root of a tree without leaves (RFC 9162, section 2.1.1)."""


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A claim that one leaf stands at `leaf_index` in a tree of `tree_size`."""

    leaf_index: int
    """Position of the leaf, counted from zero."""

    tree_size: int
    """Number of leaves under the root the proof leads to."""

    path: Sequence[NodeHash]
    """Sibling hashes, from the leaf upwards."""


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """A claim that the tree of `new_size` begins with the tree of `old_size`."""

    old_size: int
    """Number of leaves of the older tree, at least one."""

    new_size: int
    """Number of leaves of the newer tree."""

    path: Sequence[NodeHash]
    """Hashes of RFC 9162, section 2.1.4.1; empty iff the sizes are equal."""


def leaf_hash(data: bytes) -> LeafHash:
    """Hash the content of a leaf."""
    return LeafHash(hashlib.sha256(_LEAF_PREFIX + data).digest())


def node_hash(left: bytes, right: bytes) -> NodeHash:
    """Hash two children."""
    return NodeHash(hashlib.sha256(_NODE_PREFIX + left + right).digest())


def verify_inclusion(proof: InclusionProof, leaf: LeafHash, root: RootHash) -> None:
    """
    Check that `leaf` is in the tree under `root`.

    Follows RFC 9162, section 2.1.3.2. Raises `InclusionProofError` if it is not;
    returns nothing if it is.
    """
    if not 0 <= proof.leaf_index < proof.tree_size:
        raise InclusionProofError(
            f"leaf index {proof.leaf_index} is outside a tree of {proof.tree_size}"
        )
    _check_hashes((leaf, root, *proof.path), InclusionProofError)

    node, last = proof.leaf_index, proof.tree_size - 1
    computed: bytes = leaf
    for sibling in proof.path:
        if last == 0:
            raise InclusionProofError("inclusion path is longer than the tree is tall")
        if node & 1 or node == last:
            computed = node_hash(sibling, computed)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        node, last = node >> 1, last >> 1

    if last != 0:
        raise InclusionProofError("inclusion path is shorter than the tree is tall")
    if computed != root:
        raise InclusionProofError(
            f"inclusion path leads to {computed.hex()}, expected {root.hex()}"
        )


def verify_consistency(proof: ConsistencyProof, old_root: RootHash, new_root: RootHash) -> None:
    """
    Check that the tree under `new_root` begins with the tree under `old_root`.

    Follows RFC 9162, section 2.1.4.2. Raises `ConsistencyProofError` if it does not;
    returns nothing if it does. A tree of size zero proves nothing and is refused.
    """
    if not 0 < proof.old_size <= proof.new_size:
        raise ConsistencyProofError(
            f"expected 0 < old size <= new size, got {proof.old_size} and {proof.new_size}"
        )
    _check_hashes((old_root, new_root, *proof.path), ConsistencyProofError)

    if proof.old_size == proof.new_size:
        if proof.path:
            raise ConsistencyProofError("expected an empty path between equal sizes")
        if old_root != new_root:
            raise ConsistencyProofError(
                f"one size, two roots: {old_root.hex()} and {new_root.hex()}"
            )
        return

    path: Sequence[bytes] = proof.path
    if proof.old_size & (proof.old_size - 1) == 0:
        path = (old_root, *path)
    if not path:
        raise ConsistencyProofError("consistency path is empty")

    node, last = proof.old_size - 1, proof.new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old_computed = new_computed = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ConsistencyProofError("consistency path is longer than the tree is tall")
        if node & 1 or node == last:
            old_computed = node_hash(sibling, old_computed)
            new_computed = node_hash(sibling, new_computed)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            new_computed = node_hash(new_computed, sibling)
        node, last = node >> 1, last >> 1

    if last != 0:
        raise ConsistencyProofError("consistency path is shorter than the tree is tall")
    if old_computed != old_root:
        raise ConsistencyProofError(
            f"path leads to old root {old_computed.hex()}, expected {old_root.hex()}"
        )
    if new_computed != new_root:
        raise ConsistencyProofError(
            f"path leads to new root {new_computed.hex()}, expected {new_root.hex()}"
        )


def root_of(leaves: Sequence[LeafHash]) -> RootHash:
    """Root of the tree over `leaves`; `EMPTY_ROOT` for none (RFC 9162, section 2.1.1)."""
    if not leaves:
        return EMPTY_ROOT
    level: list[bytes] = list(leaves)
    while len(level) > 1:
        paired: list[bytes] = [
            node_hash(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)
        ]
        if len(level) & 1:
            paired.append(level[-1])
        level = paired
    return RootHash(level[0])


def prove_inclusion(leaves: Sequence[LeafHash], leaf_index: int) -> InclusionProof:
    """
    Prove that the leaf at `leaf_index` is in the tree over `leaves`.

    Reads every leaf; a log that keeps its nodes proves faster. Raises `UsageError`
    for an index outside the tree.
    """
    if not 0 <= leaf_index < len(leaves):
        raise UsageError(f"leaf index {leaf_index} is outside a tree of {len(leaves)}")
    path = [NodeHash(root_of(leaves[a:b])) for a, b in inclusion_ranges(leaf_index, len(leaves))]
    return InclusionProof(leaf_index, len(leaves), tuple(path))


def prove_consistency(leaves: Sequence[LeafHash], old_size: int) -> ConsistencyProof:
    """
    Prove that the tree over `leaves` begins with its first `old_size` leaves.

    Raises `UsageError` for an old size of zero or beyond the leaves.
    """
    if not 0 < old_size <= len(leaves):
        raise UsageError(f"expected 0 < old size <= {len(leaves)}, got {old_size}")
    path = [NodeHash(root_of(leaves[a:b])) for a, b in consistency_ranges(old_size, len(leaves))]
    return ConsistencyProof(old_size, len(leaves), tuple(path))


def consistency_ranges(old_size: int, new_size: int) -> Sequence[tuple[int, int]]:
    """
    The ranges of leaves whose roots make up a consistency proof, in order.

    SUBPROOF of RFC 9162, section 2.1.4.1, without the hashing: a log that keeps its
    nodes looks each range up.
    """
    ranges: list[tuple[int, int]] = []
    start, end, target, whole = 0, new_size, old_size, True
    while target != end:
        middle = start + _split(end - start)
        if target <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append((start, end))
    ranges.reverse()
    return ranges


def inclusion_ranges(leaf_index: int, tree_size: int) -> Sequence[tuple[int, int]]:
    """
    The ranges of leaves whose roots make up an inclusion proof, from the leaf upwards.

    PATH of RFC 9162, section 2.1.3.1, without the hashing.
    """
    ranges: list[tuple[int, int]] = []
    start, end = 0, tree_size
    while end - start > 1:
        middle = start + _split(end - start)
        if leaf_index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    ranges.reverse()
    return ranges


def _split(size: int) -> int:
    """Largest power of two smaller than `size` (RFC 9162, section 2.1.1)."""
    return 1 << (size - 1).bit_length() - 1


def _check_hashes(
    hashes: Sequence[bytes], error: type[InclusionProofError | ConsistencyProofError]
) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise error(f"expected hashes of {HASH_SIZE} bytes, got one of {len(value)}")
