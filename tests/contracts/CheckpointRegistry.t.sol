// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckpointRegistry} from "../../contracts/CheckpointRegistry.sol";
import {ICheckpointRegistry} from "../../contracts/interfaces/ICheckpointRegistry.sol";
import "../../contracts/interfaces/ConsortiumConstants.sol";
import {Scene} from "./Scene.sol";
import {Tree} from "./Tree.sol";

/// @notice I2 and C7 to C10: one history for each log, kept by members only.
contract CheckpointRegistryTest is Scene {
    function setUp() public {
        _build(4);
    }

    function _anchorRaw(
        address sender,
        uint64 size,
        bytes32 root,
        bytes32[] memory proof,
        ICheckpointRegistry.Anchor memory previous
    ) private {
        vm.prank(sender);
        checkpoints.anchor(size, root, proof, previous);
    }

    function _empty() private pure returns (bytes32[] memory) {
        return new bytes32[](0);
    }

    // --- Growing -----------------------------------------------------------------------

    function test_I2_each_checkpoint_extends_the_last() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 3, _none());
        vm.warp(START + 60);
        vm.roll(1060);
        ICheckpointRegistry.Anchor memory next = _anchor(2, 11, last);
        _equal(checkpoints.latestSize(2, 0), 11, "size");
        _equal(checkpoints.anchored(2, 0, 3), _hash(last), "the old one is kept");
        _equal(checkpoints.anchored(2, 0, 11), _hash(next), "the new one");
        _equal(next.time, START + 60, "time of the block");
        _equal(checkpoints.anchored(2, 0, 4), bytes32(0), "sizes between were not anchored");
        (uint64 size, bytes32 head) = checkpoints.headOf(2, 0);
        _equal(size, 11, "head");
        _equal(head, _hash(next), "head");
    }

    function test_a_checkpoint_is_told() public {
        bytes32 root = Tree.root(Tree.leaves(5), 0, 5);
        vm.expectEmit(address(checkpoints));
        emit ICheckpointRegistry.CheckpointAnchored(2, 0, 5, root);
        _anchor(2, 5, _none());
    }

    function test_logs_of_two_members_do_not_touch() public {
        _anchor(2, 3, _none());
        _anchor(3, 5, _none());
        _equal(checkpoints.latestSize(2, 0), 3, "of 2");
        _equal(checkpoints.latestSize(3, 0), 5, "of 3");
    }

    function test_I2_a_size_that_does_not_grow_is_refused() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 8, _none());
        for (uint64 size = 0; size <= 8; size += 4) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    ICheckpointRegistry.CheckpointSizeNotGrowing.selector, 2, 0, 8, size
                )
            );
            _anchorRaw(_anchorer(2), size, bytes32("root"), _empty(), last);
        }
    }

    function test_an_empty_log_is_no_checkpoint() public {
        bytes32 root = sha256("");
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointSizeNotGrowing.selector, 2, 0, 0, 0
            )
        );
        _anchorRaw(_anchorer(2), 0, root, _empty(), _none());
    }

    function test_I2_a_fork_is_refused_though_its_own_proof_is_right() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 5, _none());
        bytes32[] memory forged = Tree.leaves(9);
        forged[3] = Tree.leaf(1000);
        bytes32[] memory proof = Tree.consistency(forged, 5);
        bytes32 root = Tree.root(forged, 0, 9);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointInconsistent.selector, 2, 0, 5, 9
            )
        );
        _anchorRaw(_anchorer(2), 9, root, proof, last);
    }

    function test_I2_a_proof_with_one_sibling_altered_is_refused() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 5, _none());
        bytes32[] memory all = Tree.leaves(9);
        bytes32[] memory proof = Tree.consistency(all, 5);
        bytes32 root = Tree.root(all, 0, 9);
        for (uint256 i = 0; i < proof.length; ++i) {
            proof[i] ^= bytes32(uint256(1));
            vm.expectRevert(
                abi.encodeWithSelector(
                    ICheckpointRegistry.CheckpointInconsistent.selector, 2, 0, 5, 9
                )
            );
            _anchorRaw(_anchorer(2), 9, root, proof, last);
            proof[i] ^= bytes32(uint256(1));
        }
        _anchorRaw(_anchorer(2), 9, root, proof, last);
    }

    function test_the_first_checkpoint_has_no_proof() public {
        bytes32[] memory proof = Tree.append(_empty(), bytes32("sibling"));
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointInconsistent.selector, 2, 0, 0, 4
            )
        );
        _anchorRaw(_anchorer(2), 4, bytes32("root"), proof, _none());
    }

    function test_the_previous_values_must_be_the_anchored_ones() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 5, _none());
        bytes4 wrong = ICheckpointRegistry.CheckpointPreviousMismatch.selector;
        ICheckpointRegistry.Anchor[4] memory claims;
        claims[0] = ICheckpointRegistry.Anchor(last.root ^ bytes32("x"), last.time, last.blockNumber);
        claims[1] = ICheckpointRegistry.Anchor(last.root, last.time + 1, last.blockNumber);
        claims[2] = ICheckpointRegistry.Anchor(last.root, last.time, last.blockNumber + 1);
        for (uint256 i = 0; i < claims.length; ++i) {
            bytes32 got = i == 3 ? bytes32(0) : _hash(claims[i]);
            vm.expectRevert(abi.encodeWithSelector(wrong, 2, 0, 5, _hash(last), got));
            _anchorRaw(_anchorer(2), 9, bytes32("root"), _empty(), claims[i]);
        }
    }

    function test_a_first_checkpoint_extends_nothing() public {
        ICheckpointRegistry.Anchor[3] memory claims;
        claims[0].root = bytes32("root");
        claims[1].time = 1;
        claims[2].blockNumber = 1;
        for (uint256 i = 0; i < claims.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    ICheckpointRegistry.CheckpointPreviousMismatch.selector,
                    2,
                    0,
                    0,
                    bytes32(0),
                    _hash(claims[i])
                )
            );
            _anchorRaw(_anchorer(2), 9, bytes32("root"), _empty(), claims[i]);
        }
    }

    function test_growth_and_size_have_bounds() public {
        bytes4 wrong = ICheckpointRegistry.CheckpointGrowthTooLarge.selector;
        uint64 growth = 1 << 24;
        vm.expectRevert(abi.encodeWithSelector(wrong, 0, growth + 1));
        _anchorRaw(_anchorer(2), growth + 1, bytes32("root"), _empty(), _none());
        _anchorRaw(_anchorer(2), growth, bytes32("root"), _empty(), _none());
    }

    function test_no_log_has_more_than_two_to_the_forty_entries() public {
        uint64 most = 1 << 40;
        // A log that large cannot be grown here, so its size is written where it is kept.
        _pretend(2, most - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointGrowthTooLarge.selector, most - 1, most + 1
            )
        );
        _anchorRaw(_anchorer(2), most + 1, bytes32("root"), _empty(), _none());
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointInconsistent.selector, 2, 0, most - 1, most
            )
        );
        _anchorRaw(_anchorer(2), most, bytes32("root"), _empty(), _none());
    }

    function _pretend(uint32 member, uint64 size) private {
        bytes32 outer = keccak256(abi.encode(uint256(member), uint256(1)));
        vm.store(
            address(checkpoints), keccak256(abi.encode(uint256(0), outer)), bytes32(uint256(size))
        );
        _equal(checkpoints.latestSize(member, 0), size, "the slot of docs/spec/chain.md");
    }

    function test_proofs_have_a_bound() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 5, _none());
        vm.expectRevert(
            abi.encodeWithSelector(ICheckpointRegistry.CheckpointProofTooLong.selector, 42)
        );
        _anchorRaw(_anchorer(2), 9, bytes32("root"), new bytes32[](42), last);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointInconsistent.selector, 2, 0, 5, 9
            )
        );
        _anchorRaw(_anchorer(2), 9, bytes32("root"), new bytes32[](41), last);
    }

    function testFuzz_I2_a_log_grows_from_any_size_to_any_other(uint256 first, uint256 second)
        public
    {
        uint64 old = uint64(_within(first, 1, 120));
        uint64 size = uint64(_within(second, old + 1, 150));
        ICheckpointRegistry.Anchor memory last = _anchor(2, old, _none());
        _anchor(2, size, last);
        _equal(checkpoints.latestSize(2, 0), size, "size");
    }

    // --- Who ---------------------------------------------------------------------------

    function test_I9_only_an_anchoring_account_in_force_anchors() public {
        vm.prank(_governor(4));
        consortium.endAccount(_anchorer(4));
        address[5] memory refused =
            [STRANGER, _governor(2), _appointer(2), _witness(2), _anchorer(4)];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    ICheckpointRegistry.CheckpointUnauthorizedAccount.selector, refused[i]
                )
            );
            _anchorRaw(refused[i], 1, bytes32("root"), _empty(), _none());
        }
    }

    function test_I9_a_suspended_member_anchors() public {
        _carry(KIND_SUSPEND, 4, "");
        _anchor(4, 3, _none());
    }

    function test_I9_a_removed_member_anchors_for_ninety_days_more() public {
        _carry(KIND_REMOVE, 4, "");
        vm.warp(START + 90 days - 1);
        ICheckpointRegistry.Anchor memory last = _anchor(4, 3, _none());
        vm.warp(START + 90 days);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointUnauthorizedAccount.selector, _anchorer(4)
            )
        );
        _anchorRaw(_anchorer(4), 5, bytes32("root"), _empty(), last);
    }

    function test_C9_a_frozen_log_does_not_grow_until_it_is_unfrozen() public {
        ICheckpointRegistry.Anchor memory last = _anchor(4, 3, _none());
        vm.prank(_witness(4));
        consortium.freeze();
        vm.expectRevert(
            abi.encodeWithSelector(ICheckpointRegistry.CheckpointLogFrozen.selector, 4, 0)
        );
        _anchorRaw(_anchorer(4), 5, bytes32("root"), _empty(), last);
        _carry(KIND_UNFREEZE, 4, abi.encode(START));
        _anchor(4, 5, last);
    }

    function test_C10_a_retired_log_stays_readable_and_the_next_generation_begins_anew() public {
        ICheckpointRegistry.Anchor memory last = _anchor(4, 3, _none());
        _carry(KIND_RETIRE, 4, abi.encode(uint32(0)));
        vm.expectRevert(
            abi.encodeWithSelector(ICheckpointRegistry.CheckpointLogRetired.selector, 4, 0)
        );
        _anchorRaw(_anchorer(4), 5, bytes32("root"), _empty(), last);
        _anchorAt(checkpoints, 4, 1, 2, _none());
        _equal(checkpoints.latestSize(4, 1), 2, "the new log");
        _equal(checkpoints.anchored(4, 0, 3), _hash(last), "the old log");
    }

    // --- Reading -----------------------------------------------------------------------

    function _verify(
        ICheckpointRegistry.Anchor memory claimed,
        uint64 index,
        bytes32 leaf,
        bytes32[] memory path
    ) private view {
        checkpoints.verifyInclusion(2, 0, 7, claimed, index, leaf, path);
    }

    function test_an_entry_is_shown_to_be_in_an_anchored_tree() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 7, _none());
        bytes32[] memory all = Tree.leaves(7);
        for (uint64 i = 0; i < 7; ++i) _verify(last, i, all[i], Tree.inclusion(all, i));
    }

    function test_an_entry_that_is_not_there_is_refused() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 7, _none());
        bytes32[] memory path = Tree.inclusion(Tree.leaves(7), 2);
        bytes32 leaf = Tree.leaf(2);
        bytes32 other = Tree.leaf(3);
        bytes4 missing = ICheckpointRegistry.CheckpointNotIncluded.selector;
        vm.expectRevert(abi.encodeWithSelector(missing, 2, 0, 7, 2));
        this.verify(last, 2, other, path);
        vm.expectRevert(abi.encodeWithSelector(missing, 2, 0, 7, 7));
        this.verify(last, 7, leaf, path);
        vm.expectRevert(
            abi.encodeWithSelector(ICheckpointRegistry.CheckpointProofTooLong.selector, 42)
        );
        this.verify(last, 2, leaf, new bytes32[](42));
        last.time += 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointPreviousMismatch.selector,
                2,
                0,
                7,
                checkpoints.anchored(2, 0, 7),
                _hash(last)
            )
        );
        this.verify(last, 2, leaf, path);
    }

    function test_nothing_is_shown_of_a_size_that_was_not_anchored() public {
        ICheckpointRegistry.Anchor memory none;
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointPreviousMismatch.selector,
                2,
                0,
                7,
                bytes32(0),
                _hash(none)
            )
        );
        this.verify(none, 0, bytes32(0), _empty());
    }

    /// From outside, so that its reverts can be expected.
    function verify(
        ICheckpointRegistry.Anchor memory claimed,
        uint64 index,
        bytes32 leaf,
        bytes32[] memory path
    ) external view {
        _verify(claimed, index, leaf, path);
    }

    function test_a_registry_knows_its_consortium() public {
        _equal(checkpoints.consortium(), address(consortium), "consortium");
        _equal(checkpoints.predecessor(), address(0), "predecessor");
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointPredecessorMismatch.selector,
                address(consortium),
                address(checkpoints)
            )
        );
        new CheckpointRegistry(address(consortium), address(checkpoints));
    }
}
