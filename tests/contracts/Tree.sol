// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A small Merkle tree, by the recursive definitions of RFC 9162 section 2.1, so that the
/// contracts' iterative checks are tested against something else than themselves.
library Tree {
    function leaf(uint256 index) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"00", index, index));
    }

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"01", left, right));
    }

    function leaves(uint256 count) internal pure returns (bytes32[] memory made) {
        made = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) made[i] = leaf(i);
    }

    /// MTH of section 2.1.1 over [start, end).
    function root(bytes32[] memory all, uint256 start, uint256 end)
        internal
        pure
        returns (bytes32)
    {
        if (end - start == 1) return all[start];
        uint256 middle = start + split(end - start);
        return node(root(all, start, middle), root(all, middle, end));
    }

    /// PROOF of section 2.1.4.1, from `old` leaves to all.
    function consistency(bytes32[] memory all, uint256 old)
        internal
        pure
        returns (bytes32[] memory)
    {
        return _subproof(all, old, 0, all.length, true);
    }

    /// PATH of section 2.1.3.1.
    function inclusion(bytes32[] memory all, uint256 index)
        internal
        pure
        returns (bytes32[] memory)
    {
        return _path(all, index, 0, all.length);
    }

    /// The largest power of two below `size`.
    function split(uint256 size) internal pure returns (uint256 k) {
        k = 1;
        while (k * 2 < size) k *= 2;
    }

    function append(bytes32[] memory list, bytes32 last)
        internal
        pure
        returns (bytes32[] memory longer)
    {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) longer[i] = list[i];
        longer[list.length] = last;
    }

    function without(bytes32[] memory list, uint256 place)
        internal
        pure
        returns (bytes32[] memory shorter)
    {
        shorter = new bytes32[](list.length - 1);
        for (uint256 i = 0; i < shorter.length; ++i) {
            shorter[i] = list[i < place ? i : i + 1];
        }
    }

    function _subproof(
        bytes32[] memory all,
        uint256 old,
        uint256 start,
        uint256 end,
        bool complete
    ) private pure returns (bytes32[] memory) {
        uint256 size = end - start;
        if (old == size) {
            if (complete) return new bytes32[](0);
            return append(new bytes32[](0), root(all, start, end));
        }
        uint256 middle = start + split(size);
        if (old <= middle - start) {
            return append(_subproof(all, old, start, middle, complete), root(all, middle, end));
        }
        return append(
            _subproof(all, old - (middle - start), middle, end, false), root(all, start, middle)
        );
    }

    function _path(bytes32[] memory all, uint256 index, uint256 start, uint256 end)
        private
        pure
        returns (bytes32[] memory)
    {
        if (end - start == 1) return new bytes32[](0);
        uint256 middle = start + split(end - start);
        if (index < middle - start) {
            return append(_path(all, index, start, middle), root(all, middle, end));
        }
        return append(
            _path(all, index - (middle - start), middle, end), root(all, start, middle)
        );
    }
}
