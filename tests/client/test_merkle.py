"""Inclusion and consistency: the log's two proofs (I2)."""

import base64
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin import merkle
from xinglin.errors import ConsistencyProofError, InclusionProofError, UsageError
from xinglin.merkle import ConsistencyProof, InclusionProof, leaf_hash, node_hash
from xinglin.names import LeafHash, NodeHash, RootHash

SHARED = Path(os.environ.get("XINGLIN_SHARED", Path(__file__).parents[3] / "shared"))
PUBLISHED = SHARED / "vectors" / "rfc6962-merkle" / "testdata" / "inclusion"

LEAVES = [leaf_hash(bytes([number])) for number in range(39)]


def flipped(hash_: bytes) -> bytes:
    return bytes([hash_[0] ^ 1]) + hash_[1:]


class TestVerifyInclusion:
    def test_every_leaf_of_every_tree_up_to_39_is_accepted(self) -> None:
        for size in range(1, 40):
            root = merkle.root_of(LEAVES[:size])
            for index in range(size):
                proof = merkle.prove_inclusion(LEAVES[:size], index)
                merkle.verify_inclusion(proof, LEAVES[index], root)

    def test_a_node_is_never_accepted_as_a_leaf(self) -> None:
        # Without the prefixes of RFC 6962, the concatenation of two hashes
        # could be presented as the content of a record.
        left, right = leaf_hash(b"a"), leaf_hash(b"b")
        root = RootHash(node_hash(left, right))
        forged = InclusionProof(leaf_index=0, tree_size=1, path=[])
        with pytest.raises(InclusionProofError, match="leads to"):
            merkle.verify_inclusion(forged, leaf_hash(left + right), root)

    @given(st.integers(1, 39), st.data())
    def test_no_altered_proof_is_accepted(self, size: int, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, size - 1))
        leaves = LEAVES[:size]
        root = merkle.root_of(leaves)
        proof = merkle.prove_inclusion(leaves, index)
        path = list(proof.path)
        kind = data.draw(st.sampled_from(["index", "flip", "drop", "add", "leaf", "root"]))
        leaf, size_claimed, index_claimed = leaves[index], size, index
        if kind == "index":
            index_claimed = data.draw(st.integers(0, 64).filter(lambda other: other != index))
        elif kind == "flip" and path:
            at = data.draw(st.integers(0, len(path) - 1))
            path[at] = NodeHash(flipped(path[at]))
        elif kind == "drop" and path:
            path.pop(data.draw(st.integers(0, len(path) - 1)))
        elif kind == "add":
            path.insert(data.draw(st.integers(0, len(path))), NodeHash(bytes(32)))
        elif kind == "leaf":
            leaf = LeafHash(flipped(leaf))
        else:
            root = RootHash(flipped(root))
        with pytest.raises(InclusionProofError):
            merkle.verify_inclusion(InclusionProof(index_claimed, size_claimed, path), leaf, root)

    def test_hashes_of_another_length_are_refused(self) -> None:
        with pytest.raises(InclusionProofError, match="32 bytes"):
            merkle.verify_inclusion(
                InclusionProof(0, 2, [NodeHash(b"short")]), LEAVES[0], merkle.root_of(LEAVES[:2])
            )

    def test_an_index_outside_the_tree_is_refused(self) -> None:
        with pytest.raises(InclusionProofError, match="outside"):
            merkle.verify_inclusion(InclusionProof(1, 1, []), LEAVES[0], RootHash(LEAVES[0]))


@pytest.mark.skipif(not PUBLISHED.exists(), reason="the published vectors are not here")
class TestPublishedVectors:
    def test_each_is_accepted_or_refused_as_marked(self) -> None:
        files = sorted(PUBLISHED.rglob("*.json"))
        assert len(files) > 80
        outcomes = set()
        for file in files:
            vector = json.loads(file.read_text())
            path = [NodeHash(base64.b64decode(item)) for item in vector["proof"] or []]
            proof = InclusionProof(vector["leafIdx"], vector["treeSize"], path)
            leaf = LeafHash(base64.b64decode(vector["leafHash"] or ""))
            root = RootHash(base64.b64decode(vector["root"] or ""))
            try:
                merkle.verify_inclusion(proof, leaf, root)
                refused = False
            except InclusionProofError:
                refused = True
            assert refused == vector["wantErr"], file.name
            outcomes.add(refused)
        assert outcomes == {True, False}


class TestVerifyConsistency:
    def test_every_pair_of_sizes_up_to_39_is_accepted(self) -> None:
        roots = [merkle.root_of(LEAVES[:size]) for size in range(40)]
        for new in range(1, 40):
            for old in range(1, new + 1):
                proof = merkle.prove_consistency(LEAVES[:new], old)
                merkle.verify_consistency(proof, roots[old], roots[new])

    def test_a_larger_tree_with_a_leaf_changed_is_refused(self) -> None:
        # I2: the attack of an institution that rewrites a record already anchored.
        forged = [*LEAVES[:3], leaf_hash(b"another"), *LEAVES[4:12]]
        proof = merkle.prove_consistency(forged, 7)
        with pytest.raises(ConsistencyProofError, match="old root"):
            merkle.verify_consistency(proof, merkle.root_of(LEAVES[:7]), merkle.root_of(forged))

    @given(st.integers(1, 38), st.data())
    def test_no_altered_sibling_is_accepted(self, old: int, data: st.DataObject) -> None:
        new = data.draw(st.integers(old + 1, 39))
        proof = merkle.prove_consistency(LEAVES[:new], old)
        path = list(proof.path)
        at = data.draw(st.integers(0, len(path) - 1))
        path[at] = NodeHash(flipped(path[at]))
        with pytest.raises(ConsistencyProofError):
            merkle.verify_consistency(
                ConsistencyProof(old, new, path),
                merkle.root_of(LEAVES[:old]),
                merkle.root_of(LEAVES[:new]),
            )

    def test_one_size_with_two_roots_is_refused(self) -> None:
        with pytest.raises(ConsistencyProofError, match="two roots"):
            merkle.verify_consistency(
                ConsistencyProof(3, 3, []), merkle.root_of(LEAVES[:3]), RootHash(bytes(32))
            )

    @pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
    def test_sizes_that_do_not_grow_from_one_are_refused(self, old: int, new: int) -> None:
        with pytest.raises(ConsistencyProofError, match="old size"):
            merkle.verify_consistency(
                ConsistencyProof(old, new, []), RootHash(bytes(32)), RootHash(bytes(32))
            )


class TestProving:
    def test_an_index_or_size_outside_the_tree_is_wrong_usage(self) -> None:
        with pytest.raises(UsageError):
            merkle.prove_inclusion(LEAVES[:3], 3)
        with pytest.raises(UsageError):
            merkle.prove_consistency(LEAVES[:3], 0)

    def test_the_tree_of_nothing_has_the_hash_of_nothing(self) -> None:
        assert merkle.root_of([]) == merkle.EMPTY_ROOT
