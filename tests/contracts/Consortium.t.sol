// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Consortium} from "../../contracts/Consortium.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import "../../contracts/interfaces/ConsortiumConstants.sol";
import {Scene} from "./Scene.sol";

/// @notice C1 to C6: who founds, votes, changes and ends.
contract ConsortiumFoundingTest is Scene {
    function setUp() public {
        _build(3);
    }

    function _found(IConsortium.Founder[] memory founders) private returns (Consortium) {
        return new Consortium(NETWORK, address(0), founders, DELAY, VOTE_TIME);
    }

    function test_C1_three_hospitals_found_a_network() public view {
        _equal(consortium.memberCount(), 3, "members");
        _equal(consortium.activeHospitals(), 3, "active hospitals");
        _equal(bytes32(consortium.networkId()), bytes32(NETWORK), "network id");
        _equal(consortium.predecessor(), address(0), "predecessor");
        _equal(consortium.successor(), address(0), "successor");
        _equal(consortium.endedAt(), 0, "ended");
        _equal(consortium.changeDelay(), DELAY, "delay");
        _equal(consortium.voteTime(), VOTE_TIME, "vote time");
        _equal(consortium.predecessorRevision(), 0, "revision of no predecessor");
        _claim(consortium.isOpen(), "open");
        IConsortium.Member memory member = consortium.memberOf(2);
        _equal(member.role, ROLE_HOSPITAL, "role");
        _equal(member.status, STATUS_ACTIVE, "status");
        _equal(member.statusSince, START, "since");
        _equal(member.statusCount, 1, "entries");
        _equal(keccak256(bytes(consortium.nameOf(2))), keccak256("Hospital 2"), "name");
    }

    function test_C6_what_a_founder_brings_is_the_first_entry_of_its_histories() public view {
        _equal(consortium.logKeysOf(2)[0].key, bytes32(uint256(2)), "log key");
        _equal(consortium.logKeysOf(2)[0].since, START, "since");
        _equal(
            consortium.keyDigestsOf(2)[0].key,
            sha256(abi.encodePacked("xinglin/key/v1", bytes1(0), uint16(0x647a), "key", uint32(2))),
            "key digest"
        );
        _equal(consortium.validatorsOf(2)[0].validator, address(9002), "validator");
        _equal(
            keccak256(bytes(consortium.urlsOf(2)[0].url)), keccak256("https://node.example"), "URL"
        );
        _equal(consortium.statusesOf(2)[0].since, START, "status");
        _equal(consortium.accountsOf(2).length, 4, "accounts");
        (uint32 member, uint8 powers, uint48 from, uint48 until) =
            consortium.account(_anchorer(2));
        _equal(member, 2, "member");
        _equal(powers, POWER_ANCHOR, "powers");
        _equal(from, START, "from");
        _equal(until, 0, "until");
    }

    function test_C1_two_hospitals_found_nothing() public {
        IConsortium.Founder[] memory founders = _founders(2);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.ConsortiumWrongFounders.selector, 2));
        _found(founders);
    }

    function test_a_network_without_an_id_is_refused() public {
        IConsortium.Founder[] memory founders = _founders(3);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumWrongNetwork.selector, bytes16(0))
        );
        new Consortium(0, address(0), founders, DELAY, VOTE_TIME);
    }

    function test_periods_have_bounds() public {
        IConsortium.Founder[] memory founders = _founders(3);
        bytes4 wrong = IConsortium.ConsortiumWrongPeriod.selector;
        vm.expectRevert(abi.encodeWithSelector(wrong, 366 days + 1));
        new Consortium(NETWORK, address(0), founders, 366 days + 1, VOTE_TIME);
        vm.expectRevert(abi.encodeWithSelector(wrong, 0));
        new Consortium(NETWORK, address(0), founders, DELAY, 0);
        vm.expectRevert(abi.encodeWithSelector(wrong, 366 days + 1));
        new Consortium(NETWORK, address(0), founders, DELAY, 366 days + 1);
        new Consortium(NETWORK, address(0), founders, 366 days, 366 days);
    }

    function test_C2_no_account_belongs_to_two_members() public {
        IConsortium.Founder[] memory founders = _founders(3);
        founders[2].accounts[1].account = _anchorer(1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumAccountKnown.selector, _anchorer(1), uint32(1)
            )
        );
        _found(founders);
    }

    function test_the_zero_address_is_no_account() public {
        IConsortium.Founder[] memory founders = _founders(3);
        founders[2].accounts[1].account = address(0);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumAccountKnown.selector, address(0), 0)
        );
        _found(founders);
    }

    function test_powers_are_some_and_known() public {
        IConsortium.Founder[] memory founders = _founders(3);
        bytes4 wrong = IConsortium.ConsortiumWrongPowers.selector;
        founders[0].accounts[1].powers = 0;
        vm.expectRevert(abi.encodeWithSelector(wrong, _anchorer(1), 0));
        _found(founders);
        founders[0].accounts[1].powers = 16;
        vm.expectRevert(abi.encodeWithSelector(wrong, _anchorer(1), 16));
        _found(founders);
        founders[0].accounts[1].powers = ALL_POWERS;
        _found(founders);
    }

    function test_C1_a_member_has_an_account_that_governs() public {
        IConsortium.Founder[] memory founders = _founders(3);
        founders[0].accounts[0].powers = POWER_APPOINT;
        vm.expectRevert(abi.encodeWithSelector(IConsortium.ConsortiumNoGovernor.selector, 1));
        _found(founders);
    }

    function test_names_urls_and_keys_have_bounds() public {
        IConsortium.Founder[] memory founders = _founders(3);
        bytes4 wrong = IConsortium.ConsortiumWrongLength.selector;
        founders[0].name = "";
        vm.expectRevert(abi.encodeWithSelector(wrong, 0, 200));
        _found(founders);
        founders[0].name = string(new bytes(201));
        vm.expectRevert(abi.encodeWithSelector(wrong, 201, 200));
        _found(founders);
        founders[0].name = string(new bytes(200));
        founders[0].url = string(new bytes(501));
        vm.expectRevert(abi.encodeWithSelector(wrong, 501, 500));
        _found(founders);
        founders[0].url = string(new bytes(500));
        founders[0].encryptionKey = new bytes(4097);
        vm.expectRevert(abi.encodeWithSelector(wrong, 4097, 4096));
        _found(founders);
        founders[0].encryptionKey = "";
        Consortium made = _found(founders);
        _equal(made.keyDigestsOf(1)[0].key, bytes32(0), "digest of no key");
    }
}

contract ConsortiumVoteTest is Scene {
    function setUp() public {
        _build(4);
    }

    function _unauthorized(address caller, uint8 needed) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IConsortium.ConsortiumUnauthorizedAccount.selector, caller, needed
        );
    }

    function _stale(uint256 proposal) private view returns (bytes memory) {
        IConsortium.Proposal memory made = consortium.proposalOf(proposal);
        return abi.encodeWithSelector(
            IConsortium.ConsortiumStaleProposal.selector,
            proposal,
            made.version,
            consortium.membershipVersion(),
            made.deadline,
            made.carriedAt
        );
    }

    function test_a_proposal_can_be_read_whole() public {
        uint256 proposal = _propose(KIND_MANDATE, 2, abi.encode(bytes32("mandate")));
        IConsortium.Proposal memory made = consortium.proposalOf(proposal);
        _equal(made.kind, KIND_MANDATE, "kind");
        _equal(made.concerned, 2, "concerned");
        _equal(made.proposer, 1, "proposer");
        _equal(made.votes, 0, "votes: proposing is not voting");
        _equal(made.deadline, START + VOTE_TIME, "deadline");
        _equal(made.version, consortium.membershipVersion(), "version");
        _equal(keccak256(made.payload), keccak256(abi.encode(bytes32("mandate"))), "payload");
        _claim(!consortium.hasVoted(proposal, 1), "the proposer has not voted");
        _vote(1, proposal);
        _claim(consortium.hasVoted(proposal, 1), "now it has");
    }

    function test_C4_the_same_content_twice_is_two_proposals() public {
        uint256 first = _propose(KIND_SUSPEND, 2, "");
        uint256 second = _propose(KIND_SUSPEND, 2, "");
        _claim(first != second, "ids differ");
    }

    function test_C3_only_governing_accounts_of_active_hospitals_propose_and_vote() public {
        uint32 institute = _admit(ROLE_RESEARCH_INSTITUTE, _founder(5, POWER_WITNESS));
        uint256 proposal = _propose(KIND_SUSPEND, 2, "");
        address[4] memory refused =
            [STRANGER, _anchorer(3), _governor(institute), _witness(3)];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(_unauthorized(refused[i], POWER_GOVERN));
            vm.prank(refused[i]);
            consortium.propose(KIND_SUSPEND, 2, "");
            vm.expectRevert(_unauthorized(refused[i], POWER_GOVERN));
            vm.prank(refused[i]);
            consortium.vote(proposal);
        }
    }

    function test_a_suspended_hospital_has_no_voice() public {
        _carry(KIND_SUSPEND, 2, "");
        uint256 proposal = _propose(KIND_MANDATE, 3, abi.encode(bytes32("mandate")));
        vm.expectRevert(_unauthorized(_governor(2), POWER_GOVERN));
        _vote(2, proposal);
        vm.expectRevert(_unauthorized(_governor(2), POWER_GOVERN));
        vm.prank(_governor(2));
        consortium.propose(KIND_RESUME, 2, "");
    }

    function test_an_unknown_proposal_is_refused() public {
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumUnknownProposal.selector, 7)
        );
        _vote(1, 7);
    }

    function test_C3_the_concerned_has_no_vote() public {
        uint256 proposal = _propose(KIND_REMOVE, 2, "");
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumConcernedMayNotVote.selector, proposal, 2
            )
        );
        _vote(2, proposal);
    }

    function test_C3_a_member_votes_once_even_with_many_accounts() public {
        address second = address(0x77);
        _change(2, CHANGE_ADD_ACCOUNT, abi.encode(second, POWER_GOVERN));
        uint256 proposal = _propose(KIND_MANDATE, 3, abi.encode(bytes32("mandate")));
        _vote(2, proposal);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumAlreadyVoted.selector, proposal, 2)
        );
        vm.prank(second);
        consortium.vote(proposal);
    }

    function test_C4_a_proposal_dies_when_its_time_is_up() public {
        uint256 proposal = _propose(KIND_MANDATE, 3, abi.encode(bytes32("mandate")));
        vm.warp(START + VOTE_TIME - 1);
        _vote(1, proposal);
        vm.warp(START + VOTE_TIME);
        vm.expectRevert(_stale(proposal));
        _vote(2, proposal);
    }

    function test_C4_a_proposal_dies_when_the_set_of_active_hospitals_changes() public {
        uint256 proposal = _propose(KIND_MANDATE, 3, abi.encode(bytes32("mandate")));
        _vote(1, proposal);
        _admit(ROLE_HOSPITAL, _founder(5, POWER_WITNESS));
        vm.expectRevert(_stale(proposal));
        _vote(2, proposal);
    }

    function test_a_proposal_outlives_the_admission_of_an_auditor() public {
        uint256 proposal = _propose(KIND_MANDATE, 3, abi.encode(bytes32("mandate")));
        _vote(1, proposal);
        _admit(ROLE_AUDITOR, _founder(5, POWER_WITNESS));
        _vote(2, proposal);
        _claim(_carried(proposal), "carried");
    }

    function test_C4_a_proposal_dies_when_the_status_of_the_concerned_changes() public {
        uint32 auditor = _admit(ROLE_AUDITOR, _founder(5, POWER_WITNESS));
        uint256 old = _propose(KIND_SUSPEND, auditor, "");
        _vote(1, old);
        _vote(2, old);
        _carry(KIND_SUSPEND, auditor, "");
        _carry(KIND_RESUME, auditor, "");
        vm.expectRevert(_stale(old));
        _vote(3, old);
    }

    function test_C4_a_carried_proposal_takes_no_more_votes() public {
        uint256 proposal = _carry(KIND_MANDATE, 4, abi.encode(bytes32("mandate")));
        vm.expectRevert(_stale(proposal));
        _vote(3, proposal);
    }

    function test_kinds_about_a_member_name_one_and_others_none() public {
        bytes4 wrong = IConsortium.ConsortiumWrongConcerned.selector;
        uint8[4] memory aboutNone =
            [KIND_ADMIT, KIND_APPROVE_MODEL, KIND_WITHDRAW_MODEL, KIND_SUCCEED];
        for (uint256 i = 0; i < aboutNone.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(wrong, aboutNone[i], 1));
            _propose(aboutNone[i], 1, "");
        }
        vm.expectRevert(abi.encodeWithSelector(wrong, KIND_SUSPEND, 0));
        _propose(KIND_SUSPEND, 0, "");
        vm.expectRevert(abi.encodeWithSelector(IConsortium.ConsortiumUnknownMember.selector, 5));
        _propose(KIND_SUSPEND, 5, "");
    }

    function test_there_are_twelve_kinds() public {
        bytes4 unknown = IConsortium.ConsortiumUnknownKind.selector;
        vm.expectRevert(abi.encodeWithSelector(unknown, 0));
        _propose(0, 1, "");
        vm.expectRevert(abi.encodeWithSelector(unknown, 13));
        _propose(13, 1, "");
    }

    function test_payloads_of_fixed_kinds_have_their_length() public {
        uint8[10] memory kinds = [
            KIND_SUSPEND,
            KIND_RESUME,
            KIND_REMOVE,
            KIND_UNFREEZE,
            KIND_RETIRE,
            KIND_STOP_CHANGE,
            KIND_APPROVE_MODEL,
            KIND_WITHDRAW_MODEL,
            KIND_SUCCEED,
            KIND_MANDATE
        ];
        uint8[10] memory words = [0, 0, 0, 1, 1, 1, 3, 2, 1, 1];
        for (uint256 i = 0; i < kinds.length; ++i) {
            uint256 length = uint256(words[i]) * 32 + 1;
            bool none = i == 6 || i == 7 || i == 8;
            vm.expectRevert(
                abi.encodeWithSelector(
                    IConsortium.ConsortiumWrongPayload.selector, kinds[i], length
                )
            );
            _propose(kinds[i], none ? 0 : 2, new bytes(length));
            _propose(kinds[i], none ? 0 : 2, new bytes(length - 1));
        }
    }

    function test_C6_a_decision_is_carried_under_its_content_once_and_for_ever() public {
        bytes memory payload = abi.encode(bytes32("mandate"));
        bytes32 key = _key(KIND_MANDATE, 2, payload);
        _equal(consortium.carriedAt(key), 0, "not yet");
        _carry(KIND_MANDATE, 2, payload);
        _equal(consortium.carriedAt(key), START, "carried");
        vm.warp(START + 1 days);
        _carry(KIND_MANDATE, 2, payload);
        _equal(consortium.carriedAt(key), START, "never overwritten");
        _equal(consortium.carriedAt(_key(KIND_MANDATE, 3, payload)), 0, "another custodian");
        _equal(consortium.carriedAt(_key(KIND_APPROVE_MODEL, 2, payload)), 0, "another kind");
    }

    // --- Members -----------------------------------------------------------------------

    function test_every_role_is_admitted_by_vote() public {
        _equal(_admit(ROLE_HOSPITAL, _founder(5, POWER_WITNESS)), 5, "hospital");
        _equal(_admit(ROLE_RESEARCH_INSTITUTE, _founder(6, POWER_WITNESS)), 6, "institute");
        _equal(_admit(ROLE_AUDITOR, _founder(7, POWER_WITNESS)), 7, "auditor");
        _equal(_admit(ROLE_REGULATOR, _observer(8)), 8, "regulator");
        _equal(consortium.memberOf(8).role, ROLE_REGULATOR, "role");
        _equal(consortium.activeHospitals(), 5, "active hospitals");
        _claim(!consortium.mayAnchor(8), "a regulator anchors nothing");
        _claim(consortium.mayAnchor(7), "an auditor may");
    }

    function test_a_regulator_only_observes() public {
        IConsortium.Founder memory applicant = _observer(5);
        applicant.accounts[1].powers = POWER_ANCHOR;
        uint256 proposal = _propose(KIND_ADMIT, 0, abi.encode(ROLE_REGULATOR, applicant));
        _vote(1, proposal);
        _vote(2, proposal);
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumWrongPowers.selector, _anchorer(5), POWER_ANCHOR
            )
        );
        _vote(3, proposal);
    }

    function test_an_unknown_role_is_refused() public {
        for (uint8 role = 0; role < 6; role += 5) {
            IConsortium.Founder memory applicant = _founder(5, POWER_WITNESS);
            uint256 proposal = _propose(KIND_ADMIT, 0, abi.encode(role, applicant));
            _vote(1, proposal);
            _vote(2, proposal);
            vm.expectRevert(
                abi.encodeWithSelector(IConsortium.ConsortiumWrongRole.selector, role)
            );
            _vote(3, proposal);
        }
    }

    function test_C6_status_has_a_history_that_is_never_overwritten() public {
        vm.warp(START + 100);
        _carry(KIND_SUSPEND, 4, "");
        vm.warp(START + 200);
        _carry(KIND_RESUME, 4, "");
        vm.warp(START + 300);
        _carry(KIND_REMOVE, 4, "");

        _equal(consortium.statusAt(4, START - 1), STATUS_NONE, "before it joined");
        _equal(consortium.statusAt(4, START), STATUS_ACTIVE, "from the second it joined");
        _equal(consortium.statusAt(4, START + 99), STATUS_ACTIVE, "until");
        _equal(consortium.statusAt(4, START + 100), STATUS_SUSPENDED, "suspended");
        _equal(consortium.statusAt(4, START + 200), STATUS_ACTIVE, "resumed");
        _equal(consortium.statusAt(4, START + 300), STATUS_REMOVED, "removed");
        _equal(consortium.statusesOf(4).length, 4, "entries");
        _equal(consortium.statusAt(99, START), STATUS_NONE, "an unknown member");
    }

    function test_a_removed_member_never_returns() public {
        _carry(KIND_REMOVE, 4, "");
        uint8[3] memory kinds = [KIND_SUSPEND, KIND_RESUME, KIND_REMOVE];
        for (uint256 i = 0; i < kinds.length; ++i) {
            uint256 proposal = _propose(kinds[i], 4, "");
            _vote(1, proposal);
            vm.expectRevert(
                abi.encodeWithSelector(
                    IConsortium.ConsortiumWrongStatus.selector, 4, STATUS_REMOVED
                )
            );
            _vote(2, proposal);
        }
    }

    function test_a_suspended_member_may_be_removed() public {
        _carry(KIND_SUSPEND, 4, "");
        uint64 version = consortium.membershipVersion();
        _carry(KIND_REMOVE, 4, "");
        _equal(consortium.memberOf(4).status, STATUS_REMOVED, "removed");
        _equal(consortium.membershipVersion(), version, "the set of active hospitals is the same");
    }

    function test_C3_the_quorum_is_a_majority_of_the_others_and_two_at_least() public {
        _equal(consortium.quorum(0), 3, "of four");
        _equal(consortium.quorum(1), 2, "of the three others");
        _carry(KIND_SUSPEND, 4, "");
        _equal(consortium.quorum(0), 2, "of three");
        _equal(consortium.quorum(1), 2, "of the two others");
        _equal(consortium.quorum(4), 2, "a suspended hospital is none of the three");
        _carry(KIND_SUSPEND, 3, "");
        _equal(consortium.quorum(0), 2, "of two");
        _equal(consortium.quorum(1), 2, "of one other: nothing is one hospital's decision");
    }

    // --- Accounts by vote --------------------------------------------------------------

    function test_accounts_that_were_lost_are_replaced_by_vote() public {
        IConsortium.NewAccount[] memory fresh = new IConsortium.NewAccount[](1);
        fresh[0] = IConsortium.NewAccount(address(0x99), ALL_POWERS);
        vm.prank(_governor(2));
        consortium.endAccount(_witness(2));
        vm.warp(START + 10);
        _carry(KIND_REPLACE_ACCOUNTS, 2, abi.encode(fresh));

        (,,, uint48 until) = consortium.account(_governor(2));
        _equal(until, START + 10, "the old one ended");
        (,,, until) = consortium.account(_witness(2));
        _equal(until, START, "one that had ended keeps its end");
        _equal(consortium.accountsOf(2).length, 5, "all are kept");
        vm.prank(address(0x99));
        consortium.propose(KIND_SUSPEND, 3, "");
    }

    function test_replacing_accounts_leaves_one_that_governs() public {
        IConsortium.NewAccount[] memory fresh = new IConsortium.NewAccount[](0);
        uint256 proposal = _propose(KIND_REPLACE_ACCOUNTS, 4, abi.encode(fresh));
        _vote(1, proposal);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.ConsortiumNoGovernor.selector, 4));
        _vote(2, proposal);
    }

    function test_C2_no_account_is_ever_used_again() public {
        vm.prank(_governor(2));
        consortium.endAccount(_anchorer(2));
        IConsortium.NewAccount[] memory again = new IConsortium.NewAccount[](1);
        again[0] = IConsortium.NewAccount(_anchorer(2), POWER_GOVERN);
        uint256 proposal = _propose(KIND_REPLACE_ACCOUNTS, 4, abi.encode(again));
        _vote(1, proposal);
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumAccountKnown.selector, _anchorer(2), 2
            )
        );
        _vote(2, proposal);
    }

    // --- Logs --------------------------------------------------------------------------

    function test_any_account_of_a_member_freezes_its_log_and_a_vote_unfreezes_it() public {
        vm.prank(_appointer(2));
        consortium.freeze();
        (, bool frozen) = consortium.logOf(2);
        _claim(frozen, "frozen");
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumWrongLog.selector, 2, 0, START)
        );
        vm.prank(_anchorer(2));
        consortium.freeze();

        _carry(KIND_UNFREEZE, 2, abi.encode(START));
        (, frozen) = consortium.logOf(2);
        _claim(!frozen, "unfrozen");
    }

    function test_C9_an_old_vote_does_not_lift_a_new_freeze() public {
        vm.prank(_anchorer(2));
        consortium.freeze();
        uint256 old = _propose(KIND_UNFREEZE, 2, abi.encode(START));
        _vote(1, old);
        _carry(KIND_UNFREEZE, 2, abi.encode(START));
        vm.warp(START + 1);
        vm.prank(_anchorer(2));
        consortium.freeze();
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumWrongLog.selector, 2, 0, START + 1)
        );
        _vote(3, old);
    }

    function test_what_is_not_frozen_is_not_unfrozen() public {
        uint256 proposal = _propose(KIND_UNFREEZE, 4, abi.encode(uint48(0)));
        _vote(1, proposal);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumWrongLog.selector, 4, 0, 0)
        );
        _vote(2, proposal);
    }

    function test_a_stranger_and_an_ended_account_freeze_nothing() public {
        vm.expectRevert(_unauthorized(STRANGER, ALL_POWERS));
        vm.prank(STRANGER);
        consortium.freeze();
        vm.prank(_governor(2));
        consortium.endAccount(_anchorer(2));
        vm.expectRevert(_unauthorized(_anchorer(2), ALL_POWERS));
        vm.prank(_anchorer(2));
        consortium.freeze();
    }

    function test_a_retired_log_gives_way_to_the_next_generation() public {
        vm.prank(_anchorer(4));
        consortium.freeze();
        _carry(KIND_RETIRE, 4, abi.encode(uint32(0)));
        (uint32 generation, bool frozen) = consortium.logOf(4);
        _equal(generation, 1, "generation");
        _claim(!frozen, "the new log is not frozen");

        uint256 again = _propose(KIND_RETIRE, 4, abi.encode(uint32(0)));
        _vote(1, again);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumWrongLog.selector, 4, 1, 0)
        );
        _vote(2, again);
    }

    // --- Events ------------------------------------------------------------------------

    function test_what_happens_to_a_proposal_can_be_followed() public {
        vm.expectEmit(address(consortium));
        uint256 id = uint256(
            keccak256(
                abi.encode(
                    KIND_SUSPEND, uint32(4), keccak256(""), consortium.membershipVersion(), 1
                )
            )
        );
        emit IConsortium.ProposalMade(
            id, KIND_SUSPEND, 4, 1, "", consortium.membershipVersion(), START + VOTE_TIME
        );
        uint256 proposal = _propose(KIND_SUSPEND, 4, "");
        _equal(proposal, id, "id");
        vm.expectEmit(address(consortium));
        emit IConsortium.VoteCast(id, 1, _governor(1), 1);
        _vote(1, proposal);
        vm.expectEmit(address(consortium));
        emit IConsortium.ProposalCarried(id, KIND_SUSPEND, 4, _key(KIND_SUSPEND, 4, ""));
        vm.expectEmit(address(consortium));
        emit IConsortium.MemberStatusChanged(4, STATUS_SUSPENDED, START);
        vm.expectEmit(address(consortium));
        emit IConsortium.MembershipVersionChanged(consortium.membershipVersion() + 1, 3);
        _vote(2, proposal);
    }
}

contract ConsortiumChangeTest is Scene {
    function setUp() public {
        _build(4);
    }

    function _request(uint8 what, bytes memory payload) private returns (uint256) {
        vm.prank(_governor(2));
        return consortium.requestChange(what, payload);
    }

    function _apply(uint256 change) private {
        vm.prank(_governor(2));
        consortium.applyChange(change);
    }

    function _stale(uint256 change, uint8 state) private view returns (bytes memory) {
        return abi.encodeWithSelector(
            IConsortium.ConsortiumStaleChange.selector,
            change,
            state,
            consortium.changeOf(change).appliesUntil
        );
    }

    function _unauthorized(address caller) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IConsortium.ConsortiumUnauthorizedAccount.selector, caller, POWER_GOVERN
        );
    }

    function test_a_change_can_be_read_whole() public {
        uint256 change = _request(CHANGE_LOG_KEY, abi.encode(bytes32("new")));
        IConsortium.Change memory asked = consortium.changeOf(change);
        _equal(change, 1, "numbered from one");
        _equal(consortium.changeCount(), 1, "count");
        _equal(asked.member, 2, "member");
        _equal(asked.what, CHANGE_LOG_KEY, "what");
        _equal(asked.state, CHANGE_PENDING, "state");
        _equal(asked.appliesFrom, START + DELAY, "from");
        _equal(asked.appliesUntil, START + DELAY + VOTE_TIME, "until");
        _equal(asked.requester, _governor(2), "requester");
        _equal(keccak256(asked.payload), keccak256(abi.encode(bytes32("new"))), "payload");
    }

    function test_every_change_takes_effect_after_the_delay() public {
        _change(2, CHANGE_ADD_ACCOUNT, abi.encode(address(0x88), POWER_WITNESS));
        (uint32 member, uint8 powers, uint48 from,) = consortium.account(address(0x88));
        _equal(member, 2, "member");
        _equal(powers, POWER_WITNESS, "powers");
        _equal(from, block.timestamp, "from");

        _change(2, CHANGE_LOG_KEY, abi.encode(bytes32("log")));
        _equal(consortium.logKeysOf(2)[1].key, bytes32("log"), "log key");
        _equal(consortium.logKeysOf(2)[0].key, bytes32(uint256(2)), "the old one is kept");
        _change(2, CHANGE_ENCRYPTION_KEY, abi.encode(uint16(0x647a), bytes("new key")));
        bytes32 digest = sha256("xinglin/key/v1\x00\x64\x7anew key");
        _equal(consortium.keyDigestsOf(2)[1].key, digest, "key digest");
        _change(2, CHANGE_URL, abi.encode("https://other.example"));
        _equal(
            keccak256(bytes(consortium.urlsOf(2)[1].url)), keccak256("https://other.example"), "URL"
        );
        _change(2, CHANGE_VALIDATOR, abi.encode(address(0x55)));
        _equal(consortium.validatorsOf(2)[1].validator, address(0x55), "validator");
        _equal(consortium.validatorsOf(2)[0].validator, address(9002), "the old one is kept");
        _equal(consortium.validatorsOf(2)[1].since, block.timestamp, "since");
    }

    function test_the_key_itself_is_in_the_event_only() public {
        bytes memory payload = abi.encode(uint16(0x647a), bytes("new key"));
        vm.expectEmit(address(consortium));
        emit IConsortium.ChangeRequested(
            1,
            2,
            CHANGE_ENCRYPTION_KEY,
            _governor(2),
            payload,
            START + DELAY,
            START + DELAY + VOTE_TIME
        );
        _request(CHANGE_ENCRYPTION_KEY, payload);
        bytes32 digest = sha256("xinglin/key/v1\x00\x64\x7anew key");
        _equal(
            keccak256(consortium.changeOf(1).payload),
            keccak256(abi.encode(uint16(0x647a), digest)),
            "stored"
        );
    }

    function test_C5_a_change_waits_for_its_delay() public {
        uint256 change = _request(CHANGE_LOG_KEY, abi.encode(bytes32("new")));
        vm.warp(START + DELAY - 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumTooEarly.selector, change, START + DELAY
            )
        );
        _apply(change);
        vm.warp(START + DELAY);
        _apply(change);
    }

    function test_C5_a_change_is_applied_once_and_in_time() public {
        uint256 change = _request(CHANGE_LOG_KEY, abi.encode(bytes32("new")));
        uint256 late = _request(CHANGE_LOG_KEY, abi.encode(bytes32("late")));
        vm.warp(START + DELAY + VOTE_TIME - 1);
        _apply(change);
        vm.expectRevert(_stale(change, CHANGE_APPLIED));
        _apply(change);
        vm.warp(START + DELAY + VOTE_TIME);
        vm.expectRevert(_stale(late, CHANGE_PENDING));
        _apply(late);
    }

    function test_C5_a_vote_stops_a_change() public {
        uint256 change = _request(CHANGE_ADD_ACCOUNT, abi.encode(address(0x88), POWER_GOVERN));
        _carry(KIND_STOP_CHANGE, 2, abi.encode(change));
        _equal(consortium.changeOf(change).state, CHANGE_STOPPED, "state");
        vm.warp(START + DELAY);
        vm.expectRevert(_stale(change, CHANGE_STOPPED));
        _apply(change);
    }

    function test_only_a_pending_change_of_the_concerned_is_stopped() public {
        uint256 change = _change(2, CHANGE_LOG_KEY, abi.encode(bytes32("new")));
        uint256 proposal = _propose(KIND_STOP_CHANGE, 2, abi.encode(change));
        _vote(1, proposal);
        vm.expectRevert(_stale(change, CHANGE_APPLIED));
        _vote(3, proposal);

        proposal = _propose(KIND_STOP_CHANGE, 4, abi.encode(change));
        _vote(1, proposal);
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumUnknownChange.selector, change)
        );
        _vote(2, proposal);
    }

    function test_C5_a_change_dies_with_the_account_that_asked_for_it() public {
        _change(2, CHANGE_ADD_ACCOUNT, abi.encode(address(0x88), POWER_GOVERN));
        uint256 change = _request(CHANGE_ADD_ACCOUNT, abi.encode(address(0x66), POWER_GOVERN));
        vm.prank(address(0x88));
        consortium.endAccount(_governor(2));
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(_stale(change, CHANGE_PENDING));
        vm.prank(address(0x88));
        consortium.applyChange(change);
    }

    function test_only_a_governing_account_of_the_same_active_member_applies() public {
        uint256 change = _request(CHANGE_LOG_KEY, abi.encode(bytes32("new")));
        vm.warp(START + DELAY);
        vm.expectRevert(_unauthorized(_governor(3)));
        vm.prank(_governor(3));
        consortium.applyChange(change);
        vm.expectRevert(_unauthorized(_anchorer(2)));
        vm.prank(_anchorer(2));
        consortium.applyChange(change);
        _carry(KIND_SUSPEND, 2, "");
        vm.expectRevert(_unauthorized(_governor(2)));
        _apply(change);
    }

    function test_a_suspended_member_asks_for_nothing() public {
        _carry(KIND_SUSPEND, 2, "");
        vm.expectRevert(_unauthorized(_governor(2)));
        _request(CHANGE_LOG_KEY, abi.encode(bytes32("new")));
    }

    function test_unknown_changes_are_refused() public {
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumUnknownChange.selector, 9)
        );
        _apply(9);
        vm.expectRevert(abi.encodeWithSelector(IConsortium.ConsortiumUnknownKind.selector, 6));
        _request(6, "");
    }

    function test_payloads_of_changes_have_their_length() public {
        uint8[3] memory kinds = [CHANGE_ADD_ACCOUNT, CHANGE_LOG_KEY, CHANGE_VALIDATOR];
        for (uint256 i = 0; i < kinds.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IConsortium.ConsortiumWrongPayload.selector, kinds[i], 33
                )
            );
            _request(kinds[i], new bytes(33));
        }
        vm.expectRevert(
            abi.encodeWithSelector(IConsortium.ConsortiumWrongLength.selector, 501, 500)
        );
        _request(CHANGE_URL, abi.encode(string(new bytes(501))));
    }

    function test_one_member_alone_adds_so_many_accounts_and_no_more() public {
        IConsortium.NewAccount[] memory many = new IConsortium.NewAccount[](252);
        for (uint256 i = 0; i < many.length; ++i) {
            many[i] = IConsortium.NewAccount(address(uint160(0x70000 + i)), POWER_GOVERN);
        }
        _carry(KIND_REPLACE_ACCOUNTS, 2, abi.encode(many));
        _equal(consortium.accountsOf(2).length, MAX_OWN_ACCOUNTS, "accounts");
        vm.prank(address(0x70000));
        uint256 change = consortium.requestChange(
            CHANGE_ADD_ACCOUNT, abi.encode(address(0x88), POWER_WITNESS)
        );
        vm.warp(START + DELAY);
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumTooManyAccounts.selector, 2, MAX_OWN_ACCOUNTS
            )
        );
        vm.prank(address(0x70000));
        consortium.applyChange(change);
    }

    // --- Ends that take effect at once -------------------------------------------------

    function test_C5_an_account_ends_at_once_and_for_ever() public {
        vm.warp(START + 5);
        vm.expectEmit(address(consortium));
        emit IConsortium.AccountEnded(2, _anchorer(2), START + 5);
        vm.prank(_governor(2));
        consortium.endAccount(_anchorer(2));
        (,,, uint48 until) = consortium.account(_anchorer(2));
        _equal(until, START + 5, "until");
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumAccountEnded.selector, _anchorer(2), START + 5
            )
        );
        vm.prank(_governor(2));
        consortium.endAccount(_anchorer(2));
    }

    function test_C2_an_account_may_end_itself() public {
        vm.prank(_anchorer(2));
        consortium.endAccount(_anchorer(2));
        _equal(consortium.standingOf(_anchorer(2)).powers, 0, "no powers left");
        vm.expectRevert(_unauthorized(_anchorer(2)));
        vm.prank(_anchorer(2));
        consortium.endAccount(_anchorer(2));
    }

    function test_only_a_governing_account_of_the_member_ends_others() public {
        address[3] memory refused = [STRANGER, _governor(3), _appointer(2)];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(_unauthorized(refused[i]));
            vm.prank(refused[i]);
            consortium.endAccount(_anchorer(2));
        }
        vm.expectRevert(_unauthorized(_governor(2)));
        vm.prank(_governor(2));
        consortium.endAccount(STRANGER);
        vm.expectRevert(_unauthorized(STRANGER));
        vm.prank(STRANGER);
        consortium.endAccount(STRANGER);
    }

    function test_an_appointment_is_withdrawn_once_in_every_state() public {
        bytes32 digest = keccak256("appointment");
        vm.prank(_appointer(2));
        consortium.withdrawAppointment(digest);
        _equal(consortium.withdrawnAt(2, digest), START, "withdrawn");
        _equal(consortium.withdrawnAt(3, digest), 0, "by this member only");
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumAlreadyWithdrawn.selector, 2, digest, START
            )
        );
        vm.prank(_governor(2));
        consortium.withdrawAppointment(digest);

        _carry(KIND_REMOVE, 2, "");
        vm.prank(_governor(2));
        consortium.withdrawAppointment(keccak256("another"));
    }

    function test_an_anchoring_account_withdraws_nothing() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsortium.ConsortiumUnauthorizedAccount.selector,
                _anchorer(2),
                POWER_GOVERN | POWER_APPOINT
            )
        );
        vm.prank(_anchorer(2));
        consortium.withdrawAppointment(keccak256("appointment"));
    }

    function test_others_read_what_an_account_may_do() public view {
        IConsortium.Standing memory witness = consortium.standingOf(_witness(2));
        _equal(witness.member, 2, "member");
        _equal(witness.powers, POWER_WITNESS, "powers");
        _equal(witness.role, ROLE_HOSPITAL, "role");
        _equal(witness.status, STATUS_ACTIVE, "status");
        IConsortium.Standing memory none = consortium.standingOf(STRANGER);
        _equal(uint256(none.member) + none.powers + none.role + none.status, 0, "a stranger");
        (uint32 member,,,) = consortium.anchorRightOf(STRANGER);
        _equal(member, 0, "a stranger anchors nothing");
        (member,,,) = consortium.anchorRightOf(_witness(2));
        _equal(member, 0, "nor does another power");
        (member,,,) = consortium.anchorRightOf(_anchorer(2));
        _equal(member, 2, "this one does");
        _claim(!consortium.mayAnchor(99), "nor does an unknown member");
    }
}
