// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {CheckpointRegistry} from "../../contracts/CheckpointRegistry.sol";
import {ConsentRegistry} from "../../contracts/ConsentRegistry.sol";
import {Consortium} from "../../contracts/Consortium.sol";
import {ICheckpointRegistry} from "../../contracts/interfaces/ICheckpointRegistry.sol";
import {IConsentRegistry} from "../../contracts/interfaces/IConsentRegistry.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import "../../contracts/interfaces/ConsortiumConstants.sol";
import {Scene} from "./Scene.sol";
import {Tree} from "./Tree.sol";

/// @notice Members and strangers who do to the logs what comes to their mind.
contract LogHandler is Scene {
    uint64 private constant MOST = 60;

    /// What every log once was, so that it can be compared with what it is.
    struct Remembered {
        uint32 member;
        uint32 generation;
        uint64 size;
        bytes32 anchored;
    }

    Remembered[] public remembered;
    mapping(uint32 member => ICheckpointRegistry.Anchor) private _last;
    uint256 public strangersAnchored;
    uint256 public frozenAnchored;
    uint256 public anchors;

    constructor() {
        _build(5);
    }

    function registry() external view returns (CheckpointRegistry) {
        return checkpoints;
    }

    function count() external view returns (uint256) {
        return remembered.length;
    }

    /// An honest checkpoint, of a hospital that may be frozen, suspended or removed.
    function anchor(uint256 who, uint256 howMany) external {
        uint32 member = uint32(_within(who, 1, 5));
        (uint32 generation, bool frozen) = consortium.logOf(member);
        uint64 latest = checkpoints.latestSize(member, generation);
        if (latest >= MOST) return;
        uint64 size = uint64(_within(howMany, latest + 1, MOST));
        bytes32[] memory all = Tree.leaves(size);
        bytes32 root = Tree.root(all, 0, size);
        bytes32[] memory proof = latest == 0 ? new bytes32[](0) : Tree.consistency(all, latest);
        if (!_try(_anchorer(member), size, root, proof, _last[member])) return;
        if (frozen) ++frozenAnchored;
        _last[member] =
            ICheckpointRegistry.Anchor(root, uint64(block.timestamp), uint64(block.number));
        remembered.push(Remembered(member, generation, size, _hash(_last[member])));
        ++anchors;
    }

    /// A member's own key that anchors a shorter, equal or forged tree.
    function forge(uint256 who, uint256 howMany, bytes32 root) external {
        uint32 member = uint32(_within(who, 1, 5));
        (uint32 generation,) = consortium.logOf(member);
        uint64 latest = checkpoints.latestSize(member, generation);
        uint64 size = uint64(_within(howMany, 0, MOST));
        if (size > latest && latest == 0) return; // a first checkpoint may be any
        _try(_anchorer(member), size, root, new bytes32[](0), _last[member]);
    }

    function anchorAsStranger(address stranger, uint256 howMany) external {
        (uint32 member, uint8 powers,,) = consortium.account(stranger);
        if (member != 0 && powers & POWER_ANCHOR != 0) return;
        uint64 size = uint64(_within(howMany, 1, MOST));
        bytes32[] memory all = Tree.leaves(size);
        bool done = _try(
            stranger, size, Tree.root(all, 0, size), new bytes32[](0), _none()
        );
        if (done) ++strangersAnchored;
    }

    function anchorAsAnotherPower(uint256 who, uint256 howMany) external {
        uint32 member = uint32(_within(who, 1, 5));
        address[3] memory others = [_governor(member), _appointer(member), _witness(member)];
        uint64 size = uint64(_within(howMany, 1, MOST));
        bytes32[] memory all = Tree.leaves(size);
        address sender = others[howMany % 3];
        bool done =
            _try(sender, size, Tree.root(all, 0, size), new bytes32[](0), _none());
        if (done) ++strangersAnchored;
    }

    function freeze(uint256 who) external {
        address sender = _witness(uint32(_within(who, 4, 5)));
        vm.prank(sender);
        try consortium.freeze() {} catch {}
    }

    function unfreeze(uint256 who) external {
        uint32 member = uint32(_within(who, 4, 5));
        uint48 frozenAt = consortium.memberOf(member).frozenAt;
        if (frozenAt != 0) _carry(KIND_UNFREEZE, member, abi.encode(frozenAt));
    }

    function retire(uint256 who) external {
        uint32 member = uint32(_within(who, 4, 5));
        (uint32 generation,) = consortium.logOf(member);
        _carry(KIND_RETIRE, member, abi.encode(generation));
        _last[member] = _none();
    }

    function suspendOrResume(uint256 who) external {
        uint32 member = uint32(_within(who, 4, 5));
        uint8 status = consortium.memberOf(member).status;
        _carry(status == STATUS_ACTIVE ? KIND_SUSPEND : KIND_RESUME, member, "");
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + _within(time, 1, 1 days));
        vm.roll(block.number + 1);
    }

    function _try(
        address sender,
        uint64 size,
        bytes32 root,
        bytes32[] memory proof,
        ICheckpointRegistry.Anchor memory previous
    ) private returns (bool) {
        vm.prank(sender);
        try checkpoints.anchor(size, root, proof, previous) {
            return true;
        } catch {
            return false;
        }
    }
}

/// @notice I2 and C8: whatever anyone does, a log's size never falls, what was anchored stays, and
/// a stranger never anchors.
contract LogInvariantTest is Scene {
    LogHandler private handler;

    function setUp() public {
        handler = new LogHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_I2_a_log_never_shrinks_and_keeps_every_checkpoint() public view {
        CheckpointRegistry registry = handler.registry();
        for (uint256 i = 0; i < handler.count(); ++i) {
            (uint32 member, uint32 generation, uint64 size, bytes32 anchored) =
                handler.remembered(i);
            _claim(registry.latestSize(member, generation) >= size, "a size never falls");
            _equal(registry.anchored(member, generation, size), anchored, "a checkpoint stays");
        }
    }

    function invariant_C8_a_stranger_never_anchors() public view {
        _equal(handler.strangersAnchored(), 0, "anchored by strangers");
    }

    function invariant_C9_a_frozen_log_never_grows() public view {
        _equal(handler.frozenAnchored(), 0, "anchored while frozen");
    }

    function test_the_handler_does_anchor() public {
        // Otherwise the invariants would hold of nothing.
        handler.anchor(1, 5);
        handler.anchor(1, 9);
        handler.anchor(4, 2);
        handler.retire(4);
        handler.anchor(4, 1);
        _equal(handler.anchors(), 4, "anchors");
    }
}

/// @notice Subjects, custodians, relayers and thieves of signatures.
contract GrantHandler is Scene {
    struct Remembered {
        bytes32 id;
        uint48 revokedAt;
    }

    IConsentRegistry.Grant[] private _grants;
    bytes32[] private _ids;
    Remembered[] public revoked;
    uint256 public given;
    uint256 public livedAgain;
    uint256 public notRevokedAfterTheEnd;
    uint256 public givenAfterTheEnd;

    constructor() {
        _build(4);
    }

    function registry() external view returns (ConsentRegistry) {
        return consents;
    }

    function count() external view returns (uint256) {
        return revoked.length;
    }

    function validAt(bytes32 id, uint256 t) external view returns (bool) {
        return _validAt(id, t);
    }

    function give(uint256 custodian, bytes32 terms) external {
        IConsentRegistry.Grant memory grant = _grant(uint32(_within(custodian, 1, 5)));
        grant.termsDigest = terms;
        _register(grant);
    }

    /// The same grant once more, with its signature, which the whole world has.
    function giveAgain(uint256 which) external {
        if (_grants.length == 0) return;
        IConsentRegistry.Grant memory grant = _grants[which % _grants.length];
        bool was = consents.grantOf(consents.grantIdOf(grant)).revokedAt != 0;
        if (_register(grant) && was) ++livedAgain;
    }

    function witness(uint256 custodian, bytes32 terms) external {
        address sender = _witness(uint32(_within(custodian, 1, 4)));
        uint48 end = uint48(block.timestamp - block.timestamp % 1 days + 30 days);
        vm.prank(sender);
        try consents.witness(terms, 0, end) returns (bytes32 id) {
            _given(id);
        } catch {}
    }

    function revoke(uint256 which) external {
        if (_ids.length == 0) return;
        bytes32 id = _ids[which % _ids.length];
        IConsentRegistry.StoredGrant memory grant = consents.grantOf(id);
        bytes memory revocation = _revocation(id);
        try consents.revoke(id, revocation) {
            _ended(id);
        } catch {
            if (grant.how == 1 && grant.revokedAt == 0) ++notRevokedAfterTheEnd;
        }
    }

    function revokeAsCustodian(uint256 which) external {
        if (_ids.length == 0) return;
        bytes32[] memory ids = new bytes32[](2);
        ids[0] = _ids[which % _ids.length];
        ids[1] = ids[0];
        IConsentRegistry.StoredGrant memory grant = consents.grantOf(ids[0]);
        vm.prank(_governor(grant.custodian));
        try consents.revokeMany(ids) {
            if (grant.revokedAt == 0) _ended(ids[0]);
        } catch {
            ++notRevokedAfterTheEnd;
        }
    }

    function replace(uint256 which, bytes32 terms) external {
        if (_ids.length == 0) return;
        bytes32 old = _ids[which % _ids.length];
        IConsentRegistry.Grant memory grant = _grant(1);
        grant.termsDigest = terms;
        bytes memory revocation = _revocation(old);
        bytes memory signature = _sign(PATIENT_KEY, consents.grantIdOf(grant));
        try consents.replace(old, revocation, grant, signature) returns (bytes32 id) {
            _ended(old);
            _grants.push(grant);
            _given(id);
        } catch {}
    }

    function suspendOrResume() external {
        if (consortium.endedAt() != 0) return;
        uint8 status = consortium.memberOf(4).status;
        _carry(status == STATUS_ACTIVE ? KIND_SUSPEND : KIND_RESUME, 4, "");
    }

    function endTheDeployment(uint256 chance) external {
        if (chance % 4 == 0 && consortium.endedAt() == 0) _end();
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + _within(time, 1, 10 days));
    }

    function _register(IConsentRegistry.Grant memory grant) private returns (bool) {
        bytes memory signature = _sign(PATIENT_KEY, consents.grantIdOf(grant));
        try consents.give(grant, signature) returns (bytes32 id) {
            _grants.push(grant);
            _given(id);
            return true;
        } catch {
            return false;
        }
    }

    function _given(bytes32 id) private {
        ++given;
        _ids.push(id);
        if (consortium.endedAt() != 0) ++givenAfterTheEnd;
    }

    function _ended(bytes32 id) private {
        revoked.push(Remembered(id, uint48(block.timestamp)));
    }
}

/// @notice I5 and C12: a revoked grant never becomes valid; an ended deployment still revokes.
contract GrantInvariantTest is Scene {
    GrantHandler private handler;

    function setUp() public {
        handler = new GrantHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_I5_a_revoked_grant_never_becomes_valid() public view {
        _equal(handler.livedAgain(), 0, "lived again");
        for (uint256 i = 0; i < handler.count(); ++i) {
            (bytes32 id, uint48 revokedAt) = handler.revoked(i);
            _equal(handler.registry().grantOf(id).revokedAt, revokedAt, "its end stands");
            _claim(!handler.validAt(id, revokedAt), "not valid when it was revoked");
            _claim(!handler.validAt(id, block.timestamp), "nor now");
            _claim(!handler.validAt(id, block.timestamp + 20 days), "nor later");
        }
    }

    function invariant_C17_an_ended_deployment_still_revokes_and_never_gives() public view {
        _equal(handler.notRevokedAfterTheEnd(), 0, "a revocation was refused");
        _equal(handler.givenAfterTheEnd(), 0, "given after the end");
    }

    function test_the_handler_does_give_revoke_and_end() public {
        handler.give(1, bytes32("a"));
        handler.witness(2, bytes32("b"));
        handler.replace(0, bytes32("c"));
        handler.endTheDeployment(0);
        handler.give(1, bytes32("d"));
        handler.revoke(2);
        handler.revokeAsCustodian(1);
        _equal(handler.given(), 3, "given");
        _equal(handler.count(), 3, "revoked");
    }
}

/// @notice Hospitals that join, are suspended, come back, are removed, and change their accounts.
contract MembershipHandler is Scene {
    uint256 public active = 4;
    uint256 public carriedWithTooFew;
    uint256 public votedTwice;
    uint256 public votedOnItself;
    uint256 public votedByOthers;
    uint256 public carriedStale;
    uint256 public decisions;

    mapping(uint32 member => address) private _speaker;
    uint160 private _fresh = 0xf0000;
    uint256[] private _open;
    mapping(uint256 proposal => uint64) private _openedUnder;

    constructor() {
        _build(4);
        for (uint32 member = 1; member <= 4; ++member) _speaker[member] = _governor(member);
    }

    function chain() external view returns (Consortium) {
        return consortium;
    }

    function admit(uint256 role) external {
        if (consortium.memberCount() >= 12) return;
        uint8 chosen = uint8(_within(role, 1, 3));
        uint32 member = consortium.memberCount() + 1;
        bytes memory payload = abi.encode(chosen, _founder(member, POWER_WITNESS));
        if (!_decide(KIND_ADMIT, 0, payload)) return;
        _speaker[member] = _governor(member);
        if (chosen == ROLE_HOSPITAL) ++active;
    }

    function suspend(uint256 who) external {
        uint32 member = _any(who);
        if (consortium.memberOf(member).status != STATUS_ACTIVE) return;
        bool hospital = consortium.memberOf(member).role == ROLE_HOSPITAL;
        if (_decide(KIND_SUSPEND, member, "") && hospital) --active;
    }

    function resume(uint256 who) external {
        uint32 member = _any(who);
        if (consortium.memberOf(member).status != STATUS_SUSPENDED) return;
        bool hospital = consortium.memberOf(member).role == ROLE_HOSPITAL;
        if (_decide(KIND_RESUME, member, "") && hospital) ++active;
    }

    function remove(uint256 who, uint256 chance) external {
        uint32 member = _any(who);
        IConsortium.Member memory standing = consortium.memberOf(member);
        if (chance % 3 != 0 || standing.status == STATUS_REMOVED) return;
        bool voted = standing.role == ROLE_HOSPITAL && standing.status == STATUS_ACTIVE;
        if (_decide(KIND_REMOVE, member, "") && voted) --active;
    }

    function replaceAccounts(uint256 who) external {
        uint32 member = _any(who);
        IConsortium.NewAccount[] memory accounts = new IConsortium.NewAccount[](2);
        accounts[0] = IConsortium.NewAccount(address(++_fresh), POWER_GOVERN);
        accounts[1] = IConsortium.NewAccount(address(++_fresh), ALL_POWERS);
        if (_decide(KIND_REPLACE_ACCOUNTS, member, abi.encode(accounts))) {
            _speaker[member] = address(_fresh);
        }
    }

    function changeOwnAccount(uint256 who) external {
        uint32 member = _any(who);
        address old = _speaker[member];
        address next = address(++_fresh);
        vm.prank(old);
        try consortium.requestChange(CHANGE_ADD_ACCOUNT, abi.encode(next, POWER_GOVERN)) returns (
            uint256 change
        ) {
            vm.warp(block.timestamp + DELAY);
            vm.prank(old);
            consortium.applyChange(change);
            vm.prank(next);
            consortium.endAccount(old);
            _speaker[member] = next;
        } catch {}
    }

    /// A proposal that is left open, and may get its votes much later.
    function leaveOpen(uint256 who, bytes32 mandate) external {
        uint32 member = _any(who);
        vm.prank(_speaker[member]);
        try consortium.propose(KIND_MANDATE, 1, abi.encode(mandate)) returns (uint256 proposal) {
            _open.push(proposal);
            _openedUnder[proposal] = consortium.membershipVersion();
        } catch {}
    }

    function voteOnOpen(uint256 who, uint256 which) external {
        if (_open.length == 0) return;
        uint256 proposal = _open[which % _open.length];
        IConsortium.Proposal memory made = consortium.proposalOf(proposal);
        uint32 member = _any(who);
        bool stale = _openedUnder[proposal] != consortium.membershipVersion()
            || block.timestamp >= made.deadline || made.carriedAt != 0;
        bool before = consortium.hasVoted(proposal, member);
        if (!_try(member, proposal)) return;
        if (stale) ++carriedStale;
        if (before) ++votedTwice;
        if (member == made.concerned) ++votedOnItself;
        if (consortium.memberOf(member).role != ROLE_HOSPITAL) ++votedByOthers;
    }

    function wait(uint256 time) external {
        vm.warp(block.timestamp + _within(time, 1, 5 days));
    }

    /// Lets everyone vote until it is carried, and counts whether the quorum was kept.
    function _decide(uint8 kind, uint32 concerned, bytes memory payload) private returns (bool) {
        uint32 proposer = 1;
        while (!_votes(proposer)) ++proposer;
        vm.prank(_speaker[proposer]);
        uint256 proposal = consortium.propose(kind, concerned, payload);
        uint256 electors = active;
        if (concerned != 0 && _votes(concerned)) --electors;
        uint256 needed = electors / 2 + 1 < 2 ? 2 : electors / 2 + 1;
        uint256 votes = 0;
        uint32 count = consortium.memberCount();
        for (uint32 member = 1; member <= count && !_carried(proposal); ++member) {
            bool may = _votes(member) && member != concerned;
            if (!_try(member, proposal)) continue;
            if (!may) ++votedByOthers;
            ++votes;
            if (_try(member, proposal)) ++votedTwice;
        }
        if (!_carried(proposal)) return false;
        if (votes != needed) ++carriedWithTooFew;
        ++decisions;
        return true;
    }

    function _try(uint32 member, uint256 proposal) private returns (bool) {
        vm.prank(_speaker[member]);
        try consortium.vote(proposal) {
            return true;
        } catch {
            return false;
        }
    }

    function _votes(uint32 member) private view returns (bool) {
        IConsortium.Member memory standing = consortium.memberOf(member);
        return standing.role == ROLE_HOSPITAL && standing.status == STATUS_ACTIVE;
    }

    function _any(uint256 who) private view returns (uint32) {
        return uint32(_within(who, 1, consortium.memberCount()));
    }
}

/// @notice I9 and C3: the quorum's arithmetic under joins, leaves and changes of account.
contract MembershipInvariantTest is Scene {
    MembershipHandler private handler;

    function setUp() public {
        handler = new MembershipHandler();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function invariant_I9_the_quorum_is_a_majority_and_never_one_hospital() public view {
        Consortium chain = handler.chain();
        uint256 active = handler.active();
        _equal(chain.activeHospitals(), active, "active hospitals");
        _claim(active >= 2, "two hospitals at least decide");
        uint256 majority = active / 2 + 1;
        _equal(chain.quorum(0), majority < 2 ? 2 : majority, "quorum");
        for (uint32 member = 1; member <= chain.memberCount(); ++member) {
            IConsortium.Member memory standing = chain.memberOf(member);
            bool votes = standing.role == ROLE_HOSPITAL && standing.status == STATUS_ACTIVE;
            uint256 others = (votes ? active - 1 : active) / 2 + 1;
            _equal(chain.quorum(member), others < 2 ? 2 : others, "quorum about a member");
        }
    }

    function invariant_I9_no_decision_with_fewer_votes_or_by_others() public view {
        _equal(handler.carriedWithTooFew(), 0, "another number of votes than the quorum");
        _equal(handler.votedTwice(), 0, "voted twice");
        _equal(handler.votedOnItself(), 0, "voted on itself");
        _equal(handler.votedByOthers(), 0, "voted without being an active hospital");
        _equal(handler.carriedStale(), 0, "voted on a dead proposal");
    }

    function invariant_every_history_ends_with_what_stands() public view {
        Consortium chain = handler.chain();
        for (uint32 member = 1; member <= chain.memberCount(); ++member) {
            IConsortium.Member memory standing = chain.memberOf(member);
            IConsortium.StatusChange[] memory history = chain.statusesOf(member);
            _equal(history.length, standing.statusCount, "entries");
            _equal(history[history.length - 1].status, standing.status, "status");
            _equal(history[history.length - 1].since, standing.statusSince, "since");
            _equal(chain.statusAt(member, uint48(block.timestamp)), standing.status, "now");
        }
    }

    function test_the_handler_does_decide() public {
        handler.admit(0);
        handler.admit(2);
        handler.suspend(1);
        handler.resume(1);
        handler.replaceAccounts(2);
        handler.changeOwnAccount(3);
        handler.remove(2, 0);
        _equal(handler.decisions(), 6, "decisions");
        _equal(handler.active(), 4, "hospitals");
    }
}
