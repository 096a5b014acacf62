// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ICheckpointRegistry} from "./interfaces/ICheckpointRegistry.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {MerkleLog} from "./libraries/MerkleLog.sol";

/// @title Checkpoint registry: checkpoints of each member's log
/// @dev Read `ICheckpointRegistry` first. The order of the state variables is pinned.
contract CheckpointRegistry is ICheckpointRegistry {
    mapping(uint32 member => mapping(uint32 generation => mapping(uint64 size => bytes32)))
        private _anchored;
    mapping(uint32 member => mapping(uint32 generation => uint64)) private _latestSize;

    IConsortium private immutable _consortium;
    ICheckpointRegistry private immutable _predecessor;

    /// So that the whole of a checkpoint can be read and checked by whoever follows the log.
    uint64 private constant MAX_GROWTH = 1 << 24;
    /// A million entries a second for twelve days, or a thousand for thirty years.
    uint64 private constant MAX_SIZE = 1 << 40;
    /// A consistency proof between trees of at most 2^40 leaves.
    uint256 private constant MAX_PROOF_LENGTH = 41;

    /// @param consortium_ The deployment of Consortium whose members anchor here.
    /// @param predecessor_ The registry of that Consortium's predecessor; zero where it has none.
    constructor(address consortium_, address predecessor_) {
        address before = IConsortium(consortium_).predecessor();
        address kept = predecessor_ == address(0)
            ? address(0)
            : ICheckpointRegistry(predecessor_).consortium();
        if (kept != before) revert CheckpointPredecessorMismatch(consortium_, predecessor_);

        _consortium = IConsortium(consortium_);
        _predecessor = ICheckpointRegistry(predecessor_);
    }

    /// @inheritdoc ICheckpointRegistry
    function anchor(uint64 size, bytes32 root, bytes32[] calldata proof, Anchor calldata previous)
        external
    {
        (uint32 member, uint32 generation) = _requireAnchorRight();
        (uint64 latest, bytes32 expected) = _requireHead(member, generation);
        if (size <= latest) revert CheckpointSizeNotGrowing(member, generation, latest, size);
        if (size - latest > MAX_GROWTH || size > MAX_SIZE) {
            revert CheckpointGrowthTooLarge(latest, size);
        }
        if (proof.length > MAX_PROOF_LENGTH) revert CheckpointProofTooLong(proof.length);
        _requirePrevious(member, generation, latest, expected, previous);
        bool consistent = latest == 0
            ? proof.length == 0
            : MerkleLog.isConsistent(latest, size, previous.root, root, proof);
        if (!consistent) revert CheckpointInconsistent(member, generation, latest, size);

        _latestSize[member][generation] = size;
        _anchored[member][generation][size] =
            _hash(Anchor(root, uint64(block.timestamp), uint64(block.number)));
        emit CheckpointAnchored(member, generation, size, root);
    }

    /// @inheritdoc ICheckpointRegistry
    function latestSize(uint32 member, uint32 generation) external view returns (uint64) {
        return _latestSize[member][generation];
    }

    /// @inheritdoc ICheckpointRegistry
    function anchored(uint32 member, uint32 generation, uint64 size)
        external
        view
        returns (bytes32)
    {
        return _anchored[member][generation][size];
    }

    /// @inheritdoc ICheckpointRegistry
    function headOf(uint32 member, uint32 generation)
        public
        view
        returns (uint64 size, bytes32 anchored_)
    {
        size = _latestSize[member][generation];
        if (size != 0) return (size, _anchored[member][generation][size]);
        if (address(_predecessor) == address(0)) return (0, 0);
        return _predecessor.headOf(member, generation);
    }

    /// @inheritdoc ICheckpointRegistry
    function verifyInclusion(
        uint32 member,
        uint32 generation,
        uint64 size,
        Anchor calldata claimed,
        uint64 index,
        bytes32 leaf,
        bytes32[] calldata path
    ) external view {
        _requireAnchored(member, generation, size, claimed);
        if (path.length > MAX_PROOF_LENGTH) revert CheckpointProofTooLong(path.length);
        if (!MerkleLog.isIncluded(index, size, leaf, claimed.root, path)) {
            revert CheckpointNotIncluded(member, generation, size, index);
        }
    }

    /// @inheritdoc ICheckpointRegistry
    function consortium() external view returns (address) {
        return address(_consortium);
    }

    /// @inheritdoc ICheckpointRegistry
    function predecessor() external view returns (address) {
        return address(_predecessor);
    }

    function _requireAnchorRight() private view returns (uint32, uint32) {
        (uint32 member, uint32 generation, bool frozen, uint48 endedAt) =
            _consortium.anchorRightOf(msg.sender);
        if (member == 0) revert CheckpointUnauthorizedAccount(msg.sender);
        if (endedAt != 0) revert CheckpointDeploymentEnded(endedAt);
        if (frozen) revert CheckpointLogFrozen(member, generation);
        return (member, generation);
    }

    /// @dev What has to be extended. A log that has a checkpoint here shows that the predecessor
    /// named this deployment, so only a log's first one asks.
    function _requireHead(uint32 member, uint32 generation)
        private
        view
        returns (uint64 size, bytes32 expected)
    {
        (size, expected) = headOf(member, generation);
        if (_latestSize[member][generation] == 0 && !_consortium.isOpen()) {
            revert CheckpointPredecessorOpen(address(_predecessor));
        }
    }

    /// @dev A caller that extends a log which was retired meanwhile is told so.
    function _requirePrevious(
        uint32 member,
        uint32 generation,
        uint64 size,
        bytes32 expected,
        Anchor calldata previous
    ) private pure {
        bool none = previous.root == 0 && previous.time == 0 && previous.blockNumber == 0;
        bytes32 got = none ? bytes32(0) : _hash(previous);
        if (got == expected) return;
        if (size == 0 && generation != 0) revert CheckpointLogRetired(member, generation - 1);
        revert CheckpointPreviousMismatch(member, generation, size, expected, got);
    }

    function _requireAnchored(uint32 member, uint32 generation, uint64 size, Anchor calldata claimed)
        private
        view
    {
        bytes32 expected = _anchored[member][generation][size];
        bytes32 got = _hash(claimed);
        if (got != expected) {
            revert CheckpointPreviousMismatch(member, generation, size, expected, got);
        }
    }

    function _hash(Anchor memory checkpoint) private pure returns (bytes32) {
        return keccak256(abi.encode(checkpoint));
    }
}
