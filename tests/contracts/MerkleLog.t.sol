// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {MerkleLog} from "../../contracts/libraries/MerkleLog.sol";
import {Scene} from "./Scene.sol";
import {Tree} from "./Tree.sol";

/// @notice Gives the library calldata.
contract MerkleLogDoor {
    function isConsistent(
        uint64 oldSize,
        uint64 newSize,
        bytes32 oldRoot,
        bytes32 newRoot,
        bytes32[] calldata proof
    ) external view returns (bool) {
        return MerkleLog.isConsistent(oldSize, newSize, oldRoot, newRoot, proof);
    }

    function isIncluded(
        uint64 index,
        uint64 size,
        bytes32 leaf,
        bytes32 root,
        bytes32[] calldata path
    ) external view returns (bool) {
        return MerkleLog.isIncluded(index, size, leaf, root, path);
    }

    function hashNodes(bytes32 left, bytes32 right) external view returns (bytes32) {
        return MerkleLog.hashNodes(left, right);
    }

    /// Whether memory that is claimed survives the hashing.
    function hashBetween(bytes32 left, bytes32 right) external view returns (bytes memory kept) {
        kept = abi.encodePacked(left, right);
        MerkleLog.hashNodes(right, left);
        kept = bytes.concat(kept, kept);
    }
}

/// @notice C7: the contract's proofs are those of RFC 9162, as the Python library makes them.
contract MerkleLogTest is Scene {
    MerkleLogDoor private door;

    // Fields in the order of their names, as `parseJson` wants them.
    struct Consistency {
        uint256 newSize;
        uint256 oldSize;
        bytes32[] path;
    }

    struct Inclusion {
        uint256 index;
        bytes32[] path;
        uint256 size;
    }

    struct RefusedConsistency {
        string name;
        bytes32 newRoot;
        uint256 newSize;
        bytes32 oldRoot;
        uint256 oldSize;
        bytes32[] path;
    }

    struct RefusedInclusion {
        uint256 index;
        bytes32 leaf;
        string name;
        bytes32[] path;
        bytes32 root;
        uint256 size;
    }

    function setUp() public {
        door = new MerkleLogDoor();
    }

    function _read(string memory key) private view returns (bytes memory) {
        return vm.parseJson(vm.readFile("tests/vectors/merkle.json"), key);
    }

    function _roots() private view returns (bytes32[] memory) {
        return abi.decode(_read(".roots"), (bytes32[]));
    }

    function test_every_consistency_proof_of_the_vectors_is_accepted() public view {
        bytes32[] memory roots = _roots();
        Consistency[] memory proofs = abi.decode(_read(".consistency"), (Consistency[]));
        _claim(proofs.length > 500, "there are vectors");
        for (uint256 i = 0; i < proofs.length; ++i) {
            Consistency memory proof = proofs[i];
            _claim(_accepts(proof, roots, proof.path), "a valid consistency proof");
        }
    }

    function test_every_change_of_one_hash_of_a_valid_consistency_proof_is_refused() public view {
        bytes32[] memory roots = _roots();
        Consistency[] memory proofs = abi.decode(_read(".consistency"), (Consistency[]));
        for (uint256 i = 0; i < proofs.length; i += 7) {
            Consistency memory proof = proofs[i];
            for (uint256 place = 0; place < proof.path.length; ++place) {
                bytes32 kept = proof.path[place];
                proof.path[place] = kept ^ bytes32(uint256(1) << (i % 256));
                _claim(!_accepts(proof, roots, proof.path), "a changed sibling");
                proof.path[place] = kept;
                _claim(!_accepts(proof, roots, Tree.without(proof.path, place)), "one left out");
            }
            bytes32[] memory longer = Tree.append(proof.path, bytes32(i));
            _claim(!_accepts(proof, roots, longer), "a longer path");
        }
    }

    function test_every_inclusion_proof_of_the_vectors_is_accepted() public view {
        bytes32[] memory roots = _roots();
        bytes32[] memory leaves = abi.decode(_read(".leaves"), (bytes32[]));
        Inclusion[] memory proofs = abi.decode(_read(".inclusion"), (Inclusion[]));
        _claim(proofs.length > 500, "there are vectors");
        for (uint256 i = 0; i < proofs.length; ++i) {
            Inclusion memory proof = proofs[i];
            bool accepted = door.isIncluded(
                uint64(proof.index),
                uint64(proof.size),
                leaves[proof.index],
                roots[proof.size - 1],
                proof.path
            );
            _claim(accepted, "a valid inclusion proof");
        }
    }

    function test_every_tampered_consistency_proof_of_the_vectors_is_refused() public view {
        RefusedConsistency[] memory forged =
            abi.decode(_read(".refused_consistency"), (RefusedConsistency[]));
        _claim(forged.length > 50, "there are vectors");
        for (uint256 i = 0; i < forged.length; ++i) {
            RefusedConsistency memory claim = forged[i];
            bool accepted = door.isConsistent(
                uint64(claim.oldSize),
                uint64(claim.newSize),
                claim.oldRoot,
                claim.newRoot,
                claim.path
            );
            _claim(!accepted, claim.name);
        }
    }

    function test_every_tampered_inclusion_proof_of_the_vectors_is_refused() public view {
        RefusedInclusion[] memory forged =
            abi.decode(_read(".refused_inclusion"), (RefusedInclusion[]));
        _claim(forged.length > 50, "there are vectors");
        for (uint256 i = 0; i < forged.length; ++i) {
            RefusedInclusion memory claim = forged[i];
            bool accepted = door.isIncluded(
                uint64(claim.index), uint64(claim.size), claim.leaf, claim.root, claim.path
            );
            _claim(!accepted, claim.name);
        }
    }

    function testFuzz_C7_a_grown_log_is_accepted_and_a_rewritten_one_refused(
        uint256 oldSeed,
        uint256 newSeed,
        uint256 rewritten,
        bytes32 other
    ) public view {
        uint64 newSize = uint64(_within(newSeed, 2, 150));
        uint64 oldSize = uint64(_within(oldSeed, 1, newSize - 1));
        bytes32[] memory all = Tree.leaves(newSize);
        bytes32 oldRoot = Tree.root(all, 0, oldSize);
        bytes32[] memory proof = Tree.consistency(all, oldSize);
        bytes32 newRoot = Tree.root(all, 0, newSize);
        _claim(door.isConsistent(oldSize, newSize, oldRoot, newRoot, proof), "a grown log");

        // A rewritten old leaf shows, with the honest proof and with that of the new tree.
        uint256 place = _within(rewritten, 0, oldSize - 1);
        vm.assume(other != all[place]);
        all[place] = other;
        bytes32 forged = Tree.root(all, 0, newSize);
        _claim(!door.isConsistent(oldSize, newSize, oldRoot, forged, proof), "a rewritten leaf");
        proof = Tree.consistency(all, oldSize);
        _claim(!door.isConsistent(oldSize, newSize, oldRoot, forged, proof), "with its own proof");
    }

    function testFuzz_C7_any_change_of_a_valid_consistency_proof_is_refused(
        uint256 oldSeed,
        uint256 newSeed,
        uint256 place,
        uint8 bit
    ) public view {
        uint64 newSize = uint64(_within(newSeed, 2, 150));
        uint64 oldSize = uint64(_within(oldSeed, 1, newSize - 1));
        bytes32[] memory all = Tree.leaves(newSize);
        bytes32 oldRoot = Tree.root(all, 0, oldSize);
        bytes32 newRoot = Tree.root(all, 0, newSize);
        bytes32[] memory proof = Tree.consistency(all, oldSize);
        bytes32 mask = bytes32(uint256(1) << bit);

        _claim(!door.isConsistent(oldSize, newSize, oldRoot ^ mask, newRoot, proof), "old root");
        _claim(!door.isConsistent(oldSize, newSize, oldRoot, newRoot ^ mask, proof), "new root");
        place = _within(place, 0, proof.length - 1);
        proof[place] ^= mask;
        _claim(!door.isConsistent(oldSize, newSize, oldRoot, newRoot, proof), "a sibling");
        proof[place] ^= mask;
        bytes32[] memory shorter = Tree.without(proof, place);
        _claim(!door.isConsistent(oldSize, newSize, oldRoot, newRoot, shorter), "left out");
        bytes32[] memory longer = Tree.append(proof, mask);
        _claim(!door.isConsistent(oldSize, newSize, oldRoot, newRoot, longer), "appended");
    }

    function testFuzz_C7_a_leaf_is_included_at_its_place_and_nowhere_else(
        uint256 sizeSeed,
        uint256 indexSeed,
        uint256 otherSeed,
        uint8 bit
    ) public view {
        uint64 size = uint64(_within(sizeSeed, 1, 150));
        uint64 index = uint64(_within(indexSeed, 0, size - 1));
        bytes32[] memory all = Tree.leaves(size);
        bytes32 root = Tree.root(all, 0, size);
        bytes32[] memory path = Tree.inclusion(all, index);
        _claim(door.isIncluded(index, size, all[index], root, path), "at its place");

        uint64 other = uint64(_within(otherSeed, 0, size - 1));
        if (other != index) {
            _claim(!door.isIncluded(other, size, all[index], root, path), "at another place");
            _claim(!door.isIncluded(index, size, all[other], root, path), "another leaf");
        }
        bytes32 mask = bytes32(uint256(1) << bit);
        _claim(!door.isIncluded(index, size, all[index] ^ mask, root, path), "a changed leaf");
        _claim(!door.isIncluded(index, size, all[index], root ^ mask, path), "a changed root");
        _claim(!door.isIncluded(size, size, all[index], root, path), "outside the tree");
        for (uint256 place = 0; place < path.length; ++place) {
            path[place] ^= mask;
            _claim(!door.isIncluded(index, size, all[index], root, path), "a sibling");
            path[place] ^= mask;
            bytes32[] memory shorter = Tree.without(path, place);
            _claim(!door.isIncluded(index, size, all[index], root, shorter), "left out");
        }
        path = Tree.append(path, mask);
        _claim(!door.isIncluded(index, size, all[index], root, path), "a longer path");
    }

    function test_an_empty_tree_and_equal_sizes_are_no_growth() public view {
        bytes32[] memory empty = new bytes32[](0);
        bytes32 root = Tree.leaf(0);
        _claim(!door.isConsistent(0, 1, bytes32(0), root, empty), "from nothing");
        _claim(!door.isConsistent(1, 1, root, root, empty), "of one size");
        _claim(!door.isConsistent(2, 1, root, root, empty), "shrinking");
        _claim(!door.isConsistent(3, 4, root, root, empty), "without a proof");
        _claim(!door.isIncluded(0, 0, root, root, empty), "in an empty tree");
    }

    function test_C7_a_tree_taller_than_its_size_is_refused_though_its_root_is_reached()
        public
        view
    {
        // Whoever chooses the roots could otherwise hang a tree below a level of its own.
        bytes32[] memory all = Tree.leaves(7);
        bytes32 top = bytes32("top");
        bytes32 oldRoot = Tree.node(top, Tree.root(all, 0, 5));
        bytes32 newRoot = Tree.node(top, Tree.root(all, 0, 7));
        bytes32[] memory proof = Tree.append(Tree.consistency(all, 5), top);
        _claim(!door.isConsistent(5, 7, oldRoot, newRoot, proof), "consistency");
        bytes32[] memory path = Tree.append(Tree.inclusion(all, 2), top);
        _claim(!door.isIncluded(2, 7, all[2], newRoot, path), "inclusion");
        path = Tree.append(new bytes32[](0), top);
        _claim(!door.isIncluded(0, 1, all[0], Tree.node(top, all[0]), path), "of one leaf");
    }

    function testFuzz_nodes_are_hashed_with_their_prefix(bytes32 left, bytes32 right) public view {
        _equal(door.hashNodes(left, right), Tree.node(left, right), "a node");
        bytes memory kept = abi.encodePacked(left, right);
        _equal(
            keccak256(door.hashBetween(left, right)),
            keccak256(bytes.concat(kept, kept)),
            "memory that is claimed"
        );
    }

    function _accepts(Consistency memory proof, bytes32[] memory roots, bytes32[] memory path)
        private
        view
        returns (bool)
    {
        return door.isConsistent(
            uint64(proof.oldSize),
            uint64(proof.newSize),
            roots[proof.oldSize - 1],
            roots[proof.newSize - 1],
            path
        );
    }
}
