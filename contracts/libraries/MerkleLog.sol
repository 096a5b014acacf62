// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Merkle log: the proofs of RFC 9162
/// @notice Consistency (section 2.1.4.2) and inclusion (section 2.1.3.2) in an ordered, append-only
/// tree of SHA-256, whose leaves and nodes are told apart by a prefix.
/// @dev Both answers are booleans for the caller to refuse with an error of its own; neither reverts
/// on any input. Not for trees that sort their pairs, such as OpenZeppelin's `MerkleProof`.
library MerkleLog {
    /// @notice Whether the tree of `newSize` leaves under `newRoot` begins with the tree of
    /// `oldSize` leaves under `oldRoot`.
    /// @dev An empty old tree and two trees of one size are no claim about growth and are refused;
    /// what may follow nothing is for the caller to say.
    function isConsistent(
        uint64 oldSize,
        uint64 newSize,
        bytes32 oldRoot,
        bytes32 newRoot,
        bytes32[] calldata proof
    ) internal view returns (bool) {
        if (oldSize == 0 || oldSize >= newSize) return false;

        // 1. A complete old tree is itself the first node of the proof (step 2 of the RFC).
        bytes32 oldHash = oldRoot;
        uint256 next = 0;
        if (oldSize & (oldSize - 1) != 0) {
            if (proof.length == 0) return false;
            oldHash = proof[0];
            next = 1;
        }

        // 2. Climb to where the last old leaf is no right child (steps 3 and 4).
        uint256 oldNode = oldSize - 1;
        uint256 newNode = newSize - 1;
        while (oldNode & 1 == 1) {
            oldNode >>= 1;
            newNode >>= 1;
        }

        // 3. Rebuild both roots from the same hashes (steps 5 and 6).
        bytes32 newHash = oldHash;
        for (; next < proof.length; ++next) {
            if (newNode == 0) return false;
            bytes32 sibling = proof[next];
            if (oldNode & 1 == 1 || oldNode == newNode) {
                oldHash = hashNodes(sibling, oldHash);
                newHash = hashNodes(sibling, newHash);
                while (oldNode & 1 == 0 && oldNode != 0) {
                    oldNode >>= 1;
                    newNode >>= 1;
                }
            } else {
                newHash = hashNodes(newHash, sibling);
            }
            oldNode >>= 1;
            newNode >>= 1;
        }

        // 4. Both must be reached, and the proof not be too short (step 7).
        return newNode == 0 && oldHash == oldRoot && newHash == newRoot;
    }

    /// @notice Whether `leaf` is the hash of leaf `index` of the tree of `size` leaves under `root`.
    function isIncluded(
        uint64 index,
        uint64 size,
        bytes32 leaf,
        bytes32 root,
        bytes32[] calldata path
    ) internal view returns (bool) {
        if (index >= size) return false;

        uint256 node = index;
        uint256 last = size - 1;
        bytes32 hash = leaf;
        for (uint256 i = 0; i < path.length; ++i) {
            if (last == 0) return false;
            if (node & 1 == 1 || node == last) {
                hash = hashNodes(path[i], hash);
                while (node & 1 == 0 && node != 0) {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                hash = hashNodes(hash, path[i]);
            }
            node >>= 1;
            last >>= 1;
        }
        return last == 0 && hash == root;
    }

    /// @notice SHA-256(01 ‖ left ‖ right).
    /// @dev By assembly over memory that is not claimed, because a checkpoint at 2^20 entries takes
    /// some forty of these and `sha256(abi.encodePacked(...))` costs twice as much. The precompile
    /// at address 2 fails only for want of gas; the hash is then zero, to which no proof leads.
    function hashNodes(bytes32 left, bytes32 right) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore8(free, 0x01)
            mstore(add(free, 1), left)
            mstore(add(free, 33), right)
            let done := staticcall(gas(), 2, free, 65, 0, 32)
            hash := mul(done, mload(0))
        }
    }
}
