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
import {Tree} from "./Tree.sol";
import {Vm} from "./Vm.sol";

/// @notice A network of hospitals, and the sentences in which the tests speak about it.
abstract contract Scene {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    bytes16 internal constant NETWORK = "a hundred trees.";
    uint48 internal constant DELAY = 72 hours;
    uint48 internal constant VOTE_TIME = 14 days;
    /// Some hours after a midnight.
    uint48 internal constant START = 1_800_000_000;
    uint48 internal constant MIDNIGHT = START - START % 1 days;
    address internal constant STRANGER = address(0xdead);

    Consortium internal consortium;
    CheckpointRegistry internal checkpoints;
    ConsentRegistry internal consents;
    ModelRegistry internal models;

    // --- Building ----------------------------------------------------------------------

    function _build(uint32 hospitals) internal {
        vm.warp(START);
        vm.roll(1000);
        consortium = new Consortium(NETWORK, address(0), _founders(hospitals), DELAY, VOTE_TIME);
        checkpoints = new CheckpointRegistry(address(consortium), address(0));
        consents = new ConsentRegistry(address(consortium));
        models = new ModelRegistry(address(consortium), address(0));
    }

    function _founders(uint32 count) internal pure returns (IConsortium.Founder[] memory made) {
        made = new IConsortium.Founder[](count);
        for (uint32 i = 0; i < count; ++i) made[i] = _founder(i + 1, POWER_WITNESS);
    }

    /// What member `number` brings: four accounts, of which the last has the powers `last`.
    function _founder(uint32 number, uint8 last)
        internal
        pure
        returns (IConsortium.Founder memory made)
    {
        made.name = string.concat("Hospital ", _decimal(number));
        made.url = "https://node.example";
        made.logKey = bytes32(uint256(number));
        made.validator = address(uint160(9000 + number));
        made.kem = 0x647a;
        made.encryptionKey = abi.encodePacked("key", number);
        made.accounts = new IConsortium.NewAccount[](4);
        made.accounts[0] = IConsortium.NewAccount(_governor(number), POWER_GOVERN);
        made.accounts[1] = IConsortium.NewAccount(_anchorer(number), POWER_ANCHOR);
        made.accounts[2] = IConsortium.NewAccount(_appointer(number), POWER_APPOINT);
        made.accounts[3] = IConsortium.NewAccount(_witness(number), last);
    }

    /// A member that neither anchors nor witnesses.
    function _observer(uint32 number) internal pure returns (IConsortium.Founder memory made) {
        made = _founder(number, POWER_GOVERN);
        made.accounts[1].powers = POWER_APPOINT;
    }

    function _governor(uint32 member) internal pure returns (address) {
        return address(uint160(0x1000 + member));
    }

    function _anchorer(uint32 member) internal pure returns (address) {
        return address(uint160(0x2000 + member));
    }

    function _appointer(uint32 member) internal pure returns (address) {
        return address(uint160(0x3000 + member));
    }

    function _witness(uint32 member) internal pure returns (address) {
        return address(uint160(0x4000 + member));
    }

    function _decimal(uint256 value) internal pure returns (string memory) {
        if (value < 10) return string(abi.encodePacked(bytes1(uint8(48 + value))));
        return string.concat(_decimal(value / 10), _decimal(value % 10));
    }

    // --- Votes -------------------------------------------------------------------------

    function _propose(uint8 kind, uint32 concerned, bytes memory payload)
        internal
        returns (uint256)
    {
        vm.prank(_governor(1));
        return consortium.propose(kind, concerned, payload);
    }

    function _vote(uint32 member, uint256 proposal) internal {
        vm.prank(_governor(member));
        consortium.vote(proposal);
    }

    /// Proposes and votes by hospitals 1, 2, … until it is carried.
    function _carry(uint8 kind, uint32 concerned, bytes memory payload)
        internal
        returns (uint256 proposal)
    {
        proposal = _propose(kind, concerned, payload);
        for (uint32 member = 1; !_carried(proposal); ++member) {
            if (member != concerned) _vote(member, proposal);
        }
    }

    function _carried(uint256 proposal) internal view returns (bool) {
        return consortium.proposalOf(proposal).carriedAt != 0;
    }

    function _admit(uint8 role, IConsortium.Founder memory applicant)
        internal
        returns (uint32 member)
    {
        _carry(KIND_ADMIT, 0, abi.encode(role, applicant));
        return consortium.memberCount();
    }

    function _change(uint32 member, uint8 what, bytes memory payload)
        internal
        returns (uint256 change)
    {
        vm.prank(_governor(member));
        change = consortium.requestChange(what, payload);
        vm.warp(block.timestamp + DELAY);
        vm.prank(_governor(member));
        consortium.applyChange(change);
    }

    function _end() internal returns (Consortium next) {
        next = new Consortium(
            NETWORK, address(consortium), new IConsortium.Founder[](0), DELAY, VOTE_TIME
        );
        _carry(KIND_SUCCEED, 0, abi.encode(address(next)));
    }

    function _key(uint8 kind, uint32 concerned, bytes memory payload)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(kind, concerned, keccak256(payload)));
    }

    // --- Checkpoints -------------------------------------------------------------------

    function _anchor(uint32 member, uint64 size, ICheckpointRegistry.Anchor memory previous)
        internal
        returns (ICheckpointRegistry.Anchor memory)
    {
        return _anchorAt(checkpoints, member, 0, size, previous);
    }

    /// Anchors the tree of the first `size` leaves with the proof from the last size.
    function _anchorAt(
        CheckpointRegistry registry,
        uint32 member,
        uint32 generation,
        uint64 size,
        ICheckpointRegistry.Anchor memory previous
    ) internal returns (ICheckpointRegistry.Anchor memory) {
        bytes32[] memory all = Tree.leaves(size);
        bytes32 root = Tree.root(all, 0, size);
        (uint64 latest,) = registry.headOf(member, generation);
        bytes32[] memory proof =
            latest == 0 ? new bytes32[](0) : Tree.consistency(all, latest);
        vm.prank(_anchorer(member));
        registry.anchor(size, root, proof, previous);
        return ICheckpointRegistry.Anchor(root, uint64(block.timestamp), uint64(block.number));
    }

    function _none() internal pure returns (ICheckpointRegistry.Anchor memory none) {}

    function _hash(ICheckpointRegistry.Anchor memory anchor) internal pure returns (bytes32) {
        return keccak256(abi.encode(anchor.root, anchor.time, anchor.blockNumber));
    }

    // --- Grants ------------------------------------------------------------------------

    uint256 internal constant PATIENT_KEY = 0xa11ce;

    function _grant(uint32 custodian) internal view returns (IConsentRegistry.Grant memory) {
        uint64 midnight = uint64(block.timestamp - block.timestamp % 1 days);
        return IConsentRegistry.Grant({
            custodian: custodian,
            grantor: vm.addr(PATIENT_KEY),
            termsDigest: keccak256("terms"),
            notBefore: 0,
            expiresAt: midnight + 30 days,
            deadline: midnight + 2 days
        });
    }

    function _sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _give(IConsentRegistry.Grant memory grant) internal returns (bytes32) {
        bytes memory signature = _sign(PATIENT_KEY, consents.grantIdOf(grant));
        return consents.give(grant, signature);
    }

    function _revocation(bytes32 grantId) internal view returns (bytes memory) {
        bytes32 hash =
            keccak256(abi.encode(keccak256("Revocation(bytes32 grantId)"), grantId));
        return _sign(
            PATIENT_KEY,
            keccak256(abi.encodePacked(hex"1901", consents.domainSeparator(), hash))
        );
    }

    function _validAt(bytes32 grantId, uint256 t) internal view returns (bool) {
        IConsentRegistry.StoredGrant memory grant = consents.grantOf(grantId);
        uint256 begin = grant.givenAt > grant.notBefore ? grant.givenAt : grant.notBefore;
        return grant.how != 0 && begin <= t && t < grant.expiresAt
            && (grant.revokedAt == 0 || t < grant.revokedAt);
    }

    // --- Claims ------------------------------------------------------------------------

    error Expected(string what, bytes32 expected, bytes32 got);

    function _claim(bool holds, string memory what) internal pure {
        if (!holds) revert Expected(what, bytes32(uint256(1)), bytes32(0));
    }

    function _equal(uint256 got, uint256 expected, string memory what) internal pure {
        if (got != expected) revert Expected(what, bytes32(expected), bytes32(got));
    }

    function _equal(bytes32 got, bytes32 expected, string memory what) internal pure {
        if (got != expected) revert Expected(what, expected, got);
    }

    function _equal(address got, address expected, string memory what) internal pure {
        _equal(uint256(uint160(got)), uint256(uint160(expected)), what);
    }

    /// Between `low` and `high`, inclusive.
    function _within(uint256 value, uint256 low, uint256 high) internal pure returns (uint256) {
        return low + value % (high - low + 1);
    }
}
