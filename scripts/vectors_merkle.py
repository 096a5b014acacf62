"""
Write `tests/vectors/merkle.json`: trees, proofs, and proofs that were tampered with.

The library's own Merkle code makes the proofs; the contracts' tests and other
implementations read them. Every entry of `consistency` and `inclusion` must be accepted,
every entry of `refused_…` refused. Run it again after a change; the file is the same for
the same code.

    python scripts/vectors_merkle.py [--check]
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xinglin.merkle import leaf_hash, node_hash, prove_consistency, prove_inclusion, root_of

VECTORS = Path(__file__).resolve().parent.parent / "tests" / "vectors" / "merkle.json"

SIZES = (*range(1, 34), 40)
"""Every shape of tree up to 33 leaves, and one that is neither complete nor nearly so."""

TAMPERED_PAIRS = ((1, 2), (2, 3), (3, 7), (4, 8), (6, 8), (7, 33), (8, 32), (31, 40))
"""Pairs of sizes whose consistency proofs are tampered with in every way."""

TAMPERED_LEAVES = ((0, 1), (0, 2), (2, 3), (3, 7), (6, 7), (31, 32), (32, 33), (20, 40))
"""Leaf and size of the inclusion proofs that are tampered with in every way."""

Siblings = list[bytes]


def entry(index: int) -> bytes:
    """Make the 64 bytes of the entry at `index`: nothing but its number."""
    return index.to_bytes(64, "big")


LEAVES = [leaf_hash(entry(index)) for index in range(max(SIZES))]


def text(value: bytes) -> str:
    """Write a hash as the contracts' tests read it."""
    return "0x" + value.hex()


def flipped(value: bytes) -> bytes:
    """Flip the lowest bit."""
    return value[:-1] + bytes([value[-1] ^ 1])


def tampered_paths(path: Siblings) -> Iterator[tuple[str, Siblings]]:
    """Yield every kind of change of a path, with the name of the attack."""
    for place in range(len(path)):
        yield (
            f"sibling {place} has one bit flipped",
            [*path[:place], flipped(path[place]), *path[place + 1 :]],
        )
        yield f"sibling {place} is left out", [*path[:place], *path[place + 1 :]]
        yield f"sibling {place} is given twice", [*path[: place + 1], *path[place:]]
    for place in range(len(path) - 1):
        swapped = [*path[:place], path[place + 1], path[place], *path[place + 2 :]]
        yield f"siblings {place} and {place + 1} are swapped", swapped
    yield "a zero hash is appended", [*path, bytes(32)]


def consistency_of(old: int, new: int) -> Siblings:
    """Return the path from the tree of `old` leaves to that of `new`."""
    return list(prove_consistency(LEAVES[:new], old).path)


def inclusion_of(index: int, size: int) -> Siblings:
    """Return the path of leaf `index` in the tree of `size` leaves."""
    return list(prove_inclusion(LEAVES[:size], index).path)


def refused_consistency() -> Iterator[dict[str, Any]]:
    """Yield claims of growth that are false."""
    for old, new in TAMPERED_PAIRS:
        old_root, new_root = root_of(LEAVES[:old]), root_of(LEAVES[:new])
        path = consistency_of(old, new)
        claims: list[tuple[str, bytes, bytes, Siblings]] = [
            (name, old_root, new_root, changed) for name, changed in tampered_paths(path)
        ]
        rewritten = list(LEAVES[:new])
        rewritten[0] = leaf_hash(b"another entry")
        claims += [
            ("the old root has one bit flipped", flipped(old_root), new_root, path),
            ("the new root has one bit flipped", old_root, flipped(new_root), path),
            ("the roots are swapped", new_root, old_root, path),
            ("leaf 0 was rewritten", old_root, root_of(rewritten), path),
            # Both roots are reached, but of trees taller than their sizes.
            (
                "one level more on both sides",
                node_hash(bytes(32), old_root),
                node_hash(bytes(32), new_root),
                [*path, bytes(32)],
            ),
        ]
        for name, claimed_old, claimed_new, claimed_path in claims:
            yield {
                "name": f"{old} to {new}: {name}",
                "oldSize": old,
                "newSize": new,
                "oldRoot": text(claimed_old),
                "newRoot": text(claimed_new),
                "path": [text(sibling) for sibling in claimed_path],
            }


def refused_inclusion() -> Iterator[dict[str, Any]]:
    """Yield claims of membership that are false."""
    for index, size in TAMPERED_LEAVES:
        leaf, root, path = LEAVES[index], root_of(LEAVES[:size]), inclusion_of(index, size)
        claims: list[tuple[str, int, bytes, bytes, Siblings]] = [
            (name, index, leaf, root, changed) for name, changed in tampered_paths(path)
        ]
        claims += [
            ("the leaf has one bit flipped", index, flipped(leaf), root, path),
            ("the root has one bit flipped", index, leaf, flipped(root), path),
            ("the index is outside the tree", size, leaf, root, path),
            # The root is reached, but of a tree taller than its size.
            ("one level more", index, leaf, node_hash(bytes(32), root), [*path, bytes(32)]),
        ]
        if size > 1:
            neighbour = index - 1 if index else index + 1
            claims.append(("the index is a neighbour's", neighbour, leaf, root, path))
            claims.append(
                ("the first node stands for a leaf", 0, node_hash(*LEAVES[:2]), root, path[1:])
            )
        for name, claimed_index, claimed_leaf, claimed_root, claimed_path in claims:
            yield {
                "name": f"{index} of {size}: {name}",
                "index": claimed_index,
                "size": size,
                "leaf": text(claimed_leaf),
                "root": text(claimed_root),
                "path": [text(sibling) for sibling in claimed_path],
            }


def vectors() -> dict[str, Any]:
    """Make the whole file."""
    return {
        "comment": "RFC 9162 trees of SHA-256; leaf i is the hash of i as 64 bytes, big-endian.",
        "leaves": [text(leaf) for leaf in LEAVES],
        "roots": [text(root_of(LEAVES[:size])) for size in range(1, max(SIZES) + 1)],
        "consistency": [
            {
                "oldSize": old,
                "newSize": new,
                "path": [text(sibling) for sibling in consistency_of(old, new)],
            }
            for new in SIZES
            for old in SIZES
            if old < new
        ],
        "inclusion": [
            {
                "index": index,
                "size": size,
                "path": [text(sibling) for sibling in inclusion_of(index, size)],
            }
            for size in SIZES
            for index in range(size)
        ],
        "refused_consistency": list(refused_consistency()),
        "refused_inclusion": list(refused_inclusion()),
    }


def rendered() -> str:
    """Write one proof a line, so that a difference can be read."""
    lines = ["{"]
    for name, value in (made := vectors()).items():
        last = "" if name == list(made)[-1] else ","
        if isinstance(value, str):
            lines.append(f" {json.dumps(name)}: {json.dumps(value)}{last}")
            continue
        lines.append(f" {json.dumps(name)}: [")
        lines.append(",\n".join(f"  {json.dumps(item)}" for item in value))
        lines.append(f" ]{last}")
    return "\n".join([*lines, "}", ""])


def main() -> int:
    """Write the file, or with `--check` only compare it."""
    if "--check" in sys.argv[1:]:
        same = VECTORS.is_file() and VECTORS.read_text("utf-8") == rendered()
        if not same:
            print("tests/vectors/merkle.json differs: python scripts/vectors_merkle.py")
        return 0 if same else 1
    VECTORS.parent.mkdir(parents=True, exist_ok=True)
    VECTORS.write_text(rendered(), "utf-8")
    print(f"{VECTORS.name}: {VECTORS.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
