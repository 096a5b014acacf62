// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Checkpoint registry: one history for each log
/// @notice The checkpoints of every member's append-only log. A log is (member, generation), and a
/// checkpoint is taken only with the proof that it extends the last one.
/// @dev Nothing personal is here: a checkpoint is a size and the root of a Merkle tree whose leaves
/// are hashes of a random-looking tag and a salted commitment. See `docs/spec/chain.md`.
interface ICheckpointRegistry {
    /// @notice What was anchored at one size. Storage holds `keccak256(abi.encode(...))` of it.
    struct Anchor {
        /// Root of the tree, RFC 9162 section 2.1.
        bytes32 root;
        /// Unix seconds of the block that anchored it.
        uint64 time;
        /// Number of that block.
        uint64 blockNumber;
    }

    /// @notice A log grew to `size` under `root`. Time and block number are those of the block.
    event CheckpointAnchored(
        uint32 indexed member, uint32 indexed generation, uint64 size, bytes32 root
    );

    /// @notice The account may not anchor: unknown, ended, without ANCHOR, or its member was
    /// removed more than 90 days ago.
    error CheckpointUnauthorizedAccount(address account);
    /// @notice A checkpoint must be larger than the last one.
    error CheckpointSizeNotGrowing(
        uint32 member, uint32 generation, uint64 latestSize, uint64 size
    );
    /// @notice A log grows by 2^24 entries a checkpoint at most, and to 2^40 in all.
    error CheckpointGrowthTooLarge(uint64 latestSize, uint64 size);
    /// @notice No proof in a tree of at most 2^40 leaves has more than 41 hashes.
    error CheckpointProofTooLong(uint256 length);
    /// @notice The three values are not those anchored at that size. Where nothing was anchored yet
    /// they are all zero.
    error CheckpointPreviousMismatch(
        uint32 member, uint32 generation, uint64 size, bytes32 expected, bytes32 got
    );
    /// @notice The new tree does not begin with the old one: the log forked, or the proof is wrong.
    error CheckpointInconsistent(
        uint32 member, uint32 generation, uint64 latestSize, uint64 size
    );
    /// @notice The leaf is not at that place of that tree.
    error CheckpointNotIncluded(uint32 member, uint32 generation, uint64 size, uint64 index);
    /// @notice This deployment ended; its successor goes on.
    error CheckpointDeploymentEnded(uint48 endedAt);
    /// @notice Nothing is anchored here until the predecessor names this deployment.
    error CheckpointPredecessorOpen(address predecessor);
    /// @notice The two registries are not those of two consortia of which one follows the other.
    error CheckpointPredecessorMismatch(address consortium, address predecessor);
    /// @notice The log is frozen until a vote of the hospitals.
    error CheckpointLogFrozen(uint32 member, uint32 generation);
    /// @notice The log that these values extend was retired; the next generation begins anew.
    error CheckpointLogRetired(uint32 member, uint32 generation);

    /// @notice Anchor a checkpoint of the present log of the caller's member.
    /// @param size Number of entries, growing.
    /// @param root Root of the tree over them.
    /// @param proof Consistency proof from the last checkpoint, RFC 9162 section 2.1.4; empty for
    /// a log's first.
    /// @param previous The last checkpoint's three values; zeros for a log's first. In a successor a
    /// log's first checkpoint extends its last one in the predecessor.
    /// @dev Requirements: an ANCHOR account in force of a member that may anchor; the deployment
    /// open; the log not frozen. Emits `CheckpointAnchored`.
    function anchor(uint64 size, bytes32 root, bytes32[] calldata proof, Anchor calldata previous)
        external;

    /// @notice Largest size anchored here; zero if none was.
    function latestSize(uint32 member, uint32 generation) external view returns (uint64);

    /// @notice Hash of the three values anchored here at `size`; zero if that size was not.
    function anchored(uint32 member, uint32 generation, uint64 size)
        external
        view
        returns (bytes32);

    /// @notice What the next checkpoint has to extend: the last one here, or else along the
    /// predecessors; zeros for a log that has none.
    function headOf(uint32 member, uint32 generation)
        external
        view
        returns (uint64 size, bytes32 anchored_);

    /// @notice Check that `leaf` is at `index` of the tree anchored here at `size`; reverts if not.
    /// @param claimed The three values anchored at `size`.
    /// @param leaf The leaf hash, SHA-256(00 ‖ entry).
    /// @param path Inclusion proof, RFC 9162 section 2.1.3.
    function verifyInclusion(
        uint32 member,
        uint32 generation,
        uint64 size,
        Anchor calldata claimed,
        uint64 index,
        bytes32 leaf,
        bytes32[] calldata path
    ) external view;

    /// @notice The consortium whose members anchor here.
    function consortium() external view returns (address);
    /// @notice The registry that this one continues; zero for the first.
    function predecessor() external view returns (address);
}
