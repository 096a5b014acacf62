// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckpointRegistry} from "../../contracts/CheckpointRegistry.sol";
import {ConsentRegistry} from "../../contracts/ConsentRegistry.sol";
import {Consortium} from "../../contracts/Consortium.sol";
import {ModelRegistry} from "../../contracts/ModelRegistry.sol";
import {ICheckpointRegistry} from "../../contracts/interfaces/ICheckpointRegistry.sol";
import {IConsentRegistry} from "../../contracts/interfaces/IConsentRegistry.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import {IModelRegistry} from "../../contracts/interfaces/IModelRegistry.sol";
import "../../contracts/interfaces/ConsortiumConstants.sol";
import {Scene} from "./Scene.sol";
import {Tree} from "./Tree.sol";

/// @notice C16 to C18: a new deployment continues the old history, and an ended one only takes away.
contract SuccessionTest is Scene {
    Consortium private next;
    CheckpointRegistry private nextCheckpoints;
    ConsentRegistry private nextConsents;
    ModelRegistry private nextModels;

    function setUp() public {
        _build(4);
    }

    function _deployNext() private {
        next = new Consortium(
            NETWORK, address(consortium), new IConsortium.Founder[](0), DELAY, VOTE_TIME
        );
        nextCheckpoints = new CheckpointRegistry(address(next), address(checkpoints));
        nextConsents = new ConsentRegistry(address(next));
        nextModels = new ModelRegistry(address(next), address(models));
    }

    function _succeed() private {
        _deployNext();
        _carry(KIND_SUCCEED, 0, abi.encode(address(next)));
    }

    function _ended() private view returns (bytes memory) {
        return abi.encodeWithSelector(
            IConsortium.ConsortiumDeploymentEnded.selector, consortium.endedAt()
        );
    }

    // --- Copying -----------------------------------------------------------------------

    function test_C16_a_successor_copies_what_stands() public {
        _admit(ROLE_AUDITOR, _founder(5, POWER_WITNESS));
        _change(2, CHANGE_LOG_KEY, abi.encode(bytes32("new")));
        _change(2, CHANGE_VALIDATOR, abi.encode(address(0x55)));
        vm.prank(_governor(2));
        consortium.endAccount(_witness(2));
        vm.prank(_anchorer(3));
        consortium.freeze();
        _carry(KIND_SUSPEND, 4, "");
        _carry(KIND_RETIRE, 1, abi.encode(uint32(0)));
        vm.warp(block.timestamp + 1 days);
        _succeed();

        _equal(next.memberCount(), 5, "members");
        _equal(next.activeHospitals(), 3, "active hospitals");
        _equal(next.membershipVersion(), consortium.membershipVersion(), "version");
        for (uint32 member = 1; member <= 5; ++member) {
            _equal(_told(next, member), _told(consortium, member), "a member");
            _equal(_last(next, member), _last(consortium, member), "its keys in force");
            address[] memory accounts = consortium.accountsOf(member);
            for (uint256 i = 0; i < accounts.length; ++i) {
                _equal(_account(next, accounts[i]), _account(consortium, accounts[i]), "account");
            }
        }
        _equal(next.logKeysOf(2).length, 1, "of the keys only the last is copied");
        _claim(next.isOpen(), "open");
        _claim(!consortium.isOpen(), "the old one is not");
        _equal(consortium.successor(), address(next), "successor");
        _equal(consortium.endedAt(), block.timestamp, "ended");
    }

    function _told(Consortium where, uint32 member) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                where.memberOf(member),
                where.nameOf(member),
                where.statusesOf(member),
                where.accountsOf(member)
            )
        );
    }

    function _last(Consortium where, uint32 member) private view returns (bytes32) {
        IConsortium.KeyChange[] memory keys = where.logKeysOf(member);
        IConsortium.KeyChange[] memory digests = where.keyDigestsOf(member);
        IConsortium.ValidatorChange[] memory validators = where.validatorsOf(member);
        IConsortium.UrlChange[] memory urls = where.urlsOf(member);
        return keccak256(
            abi.encode(
                keys[keys.length - 1],
                digests[digests.length - 1],
                validators[validators.length - 1],
                urls[urls.length - 1]
            )
        );
    }

    function _account(Consortium where, address account) private view returns (bytes32) {
        (uint32 member, uint8 powers, uint48 from, uint48 until) = where.account(account);
        return keccak256(abi.encode(member, powers, from, until));
    }

    function test_a_successor_has_no_founders_of_its_own() public {
        IConsortium.Founder[] memory founders = _founders(3);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumWrongFounders.selector, 3)
        );
        new Consortium(NETWORK, address(consortium), founders, DELAY, VOTE_TIME);
    }

    function test_a_successor_carries_the_same_network() public {
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumWrongNetwork.selector, bytes16("other"))
        );
        new Consortium(
            "other", address(consortium), new IConsortium.Founder[](0), DELAY, VOTE_TIME
        );
    }

    function test_C16_an_ended_deployment_has_no_second_successor() public {
        _succeed();
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumWrongPredecessor.selector, address(consortium)
            )
        );
        new Consortium(
            NETWORK, address(consortium), new IConsortium.Founder[](0), DELAY, VOTE_TIME
        );
        vm.expectRevert(_ended());
        _propose(KIND_SUCCEED, 0, abi.encode(address(next)));
    }

    // --- Naming ------------------------------------------------------------------------

    function _refuseSuccessor(address candidate) private {
        uint256 proposal = _propose(KIND_SUCCEED, 0, abi.encode(candidate));
        _vote(1, proposal);
        _vote(2, proposal);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumWrongSuccessor.selector, candidate)
        );
        _vote(3, proposal);
    }

    function test_only_a_successor_of_this_deployment_is_named() public {
        _refuseSuccessor(STRANGER);
        _refuseSuccessor(
            address(new Consortium("other", address(0), _founders(3), DELAY, VOTE_TIME))
        );
        _refuseSuccessor(
            address(new Consortium(NETWORK, address(0), _founders(3), DELAY, VOTE_TIME))
        );
    }

    function test_C16_a_successor_must_have_copied_the_last_change() public {
        // Otherwise an account that ended since would live again in the successor.
        _deployNext();
        vm.prank(_governor(4));
        consortium.endAccount(_anchorer(4));
        _refuseSuccessor(address(next));
        _succeed();
        (,,, uint48 until) = next.account(_anchorer(4));
        _equal(until, START, "ended there too");
    }

    function test_C16_everything_that_is_copied_counts_as_a_change() public {
        uint64 revision = consortium.revision();
        vm.prank(_anchorer(2));
        consortium.freeze();
        _equal(consortium.revision(), ++revision, "freezing");
        _carry(KIND_UNFREEZE, 2, abi.encode(START));
        _equal(consortium.revision(), ++revision, "unfreezing");
        _carry(KIND_RETIRE, 2, abi.encode(uint32(0)));
        _equal(consortium.revision(), ++revision, "retiring");
        _carry(KIND_SUSPEND, 4, "");
        _equal(consortium.revision(), ++revision, "status");
        _change(2, CHANGE_URL, abi.encode(""));
        _equal(consortium.revision(), ++revision, "URL");
        _change(2, CHANGE_LOG_KEY, abi.encode(bytes32(0)));
        _equal(consortium.revision(), ++revision, "log key");
        _change(2, CHANGE_VALIDATOR, abi.encode(address(0)));
        _equal(consortium.revision(), ++revision, "validator");
        _change(2, CHANGE_ENCRYPTION_KEY, abi.encode(uint16(0), bytes("")));
        _equal(consortium.revision(), ++revision, "encryption key");
        _change(2, CHANGE_ADD_ACCOUNT, abi.encode(address(0x88), POWER_GOVERN));
        _equal(consortium.revision(), ++revision, "an account");
        vm.prank(address(0x88));
        consortium.endAccount(address(0x88));
        _equal(consortium.revision(), ++revision, "its end");
    }

    // --- Before it is named ------------------------------------------------------------

    function test_C18_nothing_is_decided_in_a_successor_before_it_is_named() public {
        _deployNext();
        bytes memory open = abi.encodeWithSelector(
            IConsortium.ConsortiumPredecessorOpen.selector, address(consortium)
        );
        vm.expectRevert(open);
        vm.prank(_governor(1));
        next.propose(KIND_SUSPEND, 2, "");
        vm.expectRevert(open);
        vm.prank(_governor(1));
        next.vote(1);
        vm.expectRevert(open);
        vm.prank(_governor(1));
        next.requestChange(CHANGE_URL, abi.encode(""));
        vm.expectRevert(open);
        vm.prank(_governor(1));
        next.applyChange(1);

        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointPredecessorOpen.selector, address(checkpoints)
            )
        );
        vm.prank(_anchorer(1));
        nextCheckpoints.anchor(1, bytes32("root"), new bytes32[](0), _none());

        IConsentRegistry.Grant memory grant = _grant(2);
        bytes memory signature = _sign(PATIENT_KEY, nextConsents.grantIdOf(grant));
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsentRegistry.ConsentPredecessorOpen.selector, address(consortium)
            )
        );
        nextConsents.give(grant, signature);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelDeploymentNotOpen.selector, 0)
        );
        vm.prank(_governor(1));
        nextModels.register(keccak256("manifest"), 0);
    }

    // --- After -------------------------------------------------------------------------

    function test_I2_a_log_continues_in_the_successor_where_it_stood() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 5, _none());
        vm.warp(START + 1 hours);
        _succeed();
        (uint64 size, bytes32 head) = nextCheckpoints.headOf(2, 0);
        _equal(size, 5, "its head is the predecessor's");
        _equal(head, _hash(last), "its head is the predecessor's");
        _equal(nextCheckpoints.latestSize(2, 0), 0, "nothing was anchored here");

        bytes32[] memory forged = Tree.leaves(9);
        forged[0] = Tree.leaf(1000);
        bytes32 root = Tree.root(forged, 0, 9);
        bytes32[] memory proof = Tree.consistency(forged, 5);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointInconsistent.selector, 2, 0, 5, 9
            )
        );
        vm.prank(_anchorer(2));
        nextCheckpoints.anchor(9, root, proof, last);
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointPreviousMismatch.selector,
                2,
                0,
                5,
                _hash(last),
                bytes32(0)
            )
        );
        vm.prank(_anchorer(2));
        nextCheckpoints.anchor(9, bytes32("root"), new bytes32[](0), _none());

        last = _anchorAt(nextCheckpoints, 2, 0, 9, last);
        _anchorAt(nextCheckpoints, 2, 0, 12, last);
        _anchorAt(nextCheckpoints, 3, 0, 4, _none());
        _equal(nextCheckpoints.predecessor(), address(checkpoints), "predecessor");
    }

    function test_I2_a_log_continues_over_two_successions() public {
        ICheckpointRegistry.Anchor memory last = _anchor(2, 5, _none());
        _succeed();
        Consortium third = new Consortium(
            NETWORK, address(next), new IConsortium.Founder[](0), DELAY, VOTE_TIME
        );
        CheckpointRegistry thirdCheckpoints =
            new CheckpointRegistry(address(third), address(nextCheckpoints));
        vm.prank(_governor(1));
        uint256 proposal = next.propose(KIND_SUCCEED, 0, abi.encode(address(third)));
        for (uint32 member = 1; member <= 3; ++member) {
            vm.prank(_governor(member));
            next.vote(proposal);
        }
        _anchorAt(thirdCheckpoints, 2, 0, 6, last);
    }

    function test_a_registry_follows_the_registry_of_the_predecessor() public {
        _deployNext();
        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointPredecessorMismatch.selector,
                address(next),
                address(0)
            )
        );
        new CheckpointRegistry(address(next), address(0));
        vm.expectRevert(
            abi.encodeWithSelector(
                IModelRegistry.ModelPredecessorMismatch.selector, address(next), address(0)
            )
        );
        new ModelRegistry(address(next), address(0));
    }

    function test_a_model_follows_one_of_the_predecessor() public {
        vm.prank(_governor(2));
        models.register(keccak256("manifest 1"), 0);
        _succeed();
        _claim(nextModels.isKnown(keccak256("manifest 1")), "known");
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, keccak256("none"))
        );
        vm.prank(_governor(2));
        nextModels.register(keccak256("manifest 2"), keccak256("none"));
        vm.prank(_governor(2));
        nextModels.register(keccak256("manifest 2"), keccak256("manifest 1"));
    }

    function test_C17_an_ended_deployment_stops_anchors_grants_votes_changes_and_models() public {
        vm.prank(_governor(2));
        models.register(keccak256("manifest 1"), 0);
        vm.prank(_governor(2));
        uint256 change = consortium.requestChange(CHANGE_URL, abi.encode(""));
        uint256 proposal = _propose(KIND_SUSPEND, 4, "");
        _succeed();

        vm.expectRevert(
            abi.encodeWithSelector(
                ICheckpointRegistry.CheckpointDeploymentEnded.selector, consortium.endedAt()
            )
        );
        vm.prank(_anchorer(2));
        checkpoints.anchor(1, bytes32("root"), new bytes32[](0), _none());

        bytes memory closed = abi.encodeWithSelector(
            IConsentRegistry.ConsentDeploymentEnded.selector, consortium.endedAt()
        );
        IConsentRegistry.Grant memory grant = _grant(2);
        bytes memory signature = _sign(PATIENT_KEY, consents.grantIdOf(grant));
        vm.expectRevert(closed);
        consents.give(grant, signature);
        vm.expectRevert(closed);
        vm.prank(_witness(2));
        consents.witness(keccak256("terms"), 0, MIDNIGHT + 30 days);

        vm.expectRevert(_ended());
        _vote(1, proposal);
        vm.expectRevert(_ended());
        vm.prank(_governor(2));
        consortium.requestChange(CHANGE_URL, abi.encode(""));
        vm.expectRevert(_ended());
        vm.prank(_governor(2));
        consortium.applyChange(change);

        bytes memory notOpen = abi.encodeWithSelector(
            IModelRegistry.ModelDeploymentNotOpen.selector, consortium.endedAt()
        );
        vm.expectRevert(notOpen);
        vm.prank(_governor(2));
        models.register(keccak256("manifest 2"), 0);
        vm.expectRevert(notOpen);
        models.approve(keccak256("manifest 1"));
    }

    function test_I5_an_ended_deployment_still_revokes_withdraws_freezes_and_ends() public {
        bytes32 signed = _give(_grant(2));
        vm.prank(_witness(2));
        bytes32 witnessed = consents.witness(keccak256("terms"), 0, MIDNIGHT + 30 days);
        vm.prank(_governor(2));
        models.register(keccak256("manifest 1"), 0);
        _carry(KIND_WITHDRAW_MODEL, 0, abi.encode(keccak256("manifest 1"), keccak256("reason")));
        _succeed();
        vm.warp(START + 1 days);

        consents.revoke(signed, _revocation(signed));
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = witnessed;
        vm.prank(_witness(2));
        consents.revokeMany(ids);
        _claim(!_validAt(signed, block.timestamp), "revoked by the grantor");
        _claim(!_validAt(witnessed, block.timestamp), "revoked by the custodian");
        vm.prank(_appointer(2));
        consortium.withdrawAppointment(keccak256("appointment"));
        vm.prank(_appointer(2));
        consortium.freeze();
        models.withdraw(keccak256("manifest 1"), keccak256("reason"));
        vm.prank(_governor(2));
        consortium.endAccount(_appointer(2));
    }
}
