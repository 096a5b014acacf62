// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ConsentRegistry} from "../../contracts/ConsentRegistry.sol";
import {IConsentRegistry} from "../../contracts/interfaces/IConsentRegistry.sol";
import {IConsortium} from "../../contracts/interfaces/IConsortium.sol";
import "../../contracts/interfaces/ConsortiumConstants.sol";
import {Scene} from "./Scene.sol";

/// @notice I5, I10 and C11 to C14: grants are the subject's, and end when they are ended.
contract ConsentRegistryTest is Scene {
    uint256 private constant ORDER =
        0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function setUp() public {
        _build(4);
    }

    function _refused(IConsentRegistry.Grant memory grant, bytes memory why) private {
        bytes memory signature = _sign(PATIENT_KEY, consents.grantIdOf(grant));
        vm.expectRevert(why);
        consents.give(grant, signature);
    }

    // --- Giving ------------------------------------------------------------------------

    function test_a_signed_grant_is_given_by_anyone() public {
        IConsentRegistry.Grant memory grant = _grant(2);
        grant.notBefore = MIDNIGHT + 1 days;
        bytes32 id = consents.grantIdOf(grant);
        bytes memory signature = _sign(PATIENT_KEY, id);
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentGiven(id, 2, 1);
        vm.prank(STRANGER);
        _equal(consents.give(grant, signature), id, "id");

        IConsentRegistry.StoredGrant memory stored = consents.grantOf(id);
        _equal(stored.termsDigest, keccak256("terms"), "terms");
        _equal(stored.grantor, vm.addr(PATIENT_KEY), "grantor");
        _equal(stored.givenAt, START, "given");
        _equal(stored.notBefore, MIDNIGHT + 1 days, "not before");
        _equal(stored.expiresAt, MIDNIGHT + 30 days, "expires");
        _equal(stored.custodian, 2, "custodian");
        _equal(stored.how, 1, "signed");
        _equal(uint256(stored.revokedAt) + stored.revokedBy, 0, "not revoked");
    }

    function test_the_id_is_the_digest_of_the_typed_data() public view {
        IConsentRegistry.Grant memory grant = _grant(2);
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Xinglin"),
                keccak256("1"),
                block.chainid,
                address(consents)
            )
        );
        _equal(consents.domainSeparator(), domain, "domain");
        bytes32 hash = keccak256(
            abi.encode(
                keccak256(
                    "Grant(uint32 custodian,address grantor,string terms,uint64 notBefore,uint64 expiresAt,uint64 deadline)"
                ),
                grant.custodian,
                grant.grantor,
                grant.termsDigest,
                grant.notBefore,
                grant.expiresAt,
                grant.deadline
            )
        );
        _equal(
            consents.grantIdOf(grant), keccak256(abi.encodePacked(hex"1901", domain, hash)), "id"
        );
    }

    function test_C12_a_grant_is_given_once() public {
        bytes32 id = _give(_grant(2));
        _refused(
            _grant(2), abi.encodeWithSelector(IConsentRegistry.ConsentAlreadyGiven.selector, id)
        );
    }

    function test_I5_a_revoked_grant_never_lives_again() public {
        bytes32 id = _give(_grant(2));
        consents.revoke(id, _revocation(id));
        _refused(
            _grant(2), abi.encodeWithSelector(IConsentRegistry.ConsentAlreadyGiven.selector, id)
        );
    }

    function test_C11_only_the_grantor_gives() public {
        IConsentRegistry.Grant memory grant = _grant(2);
        bytes32 id = consents.grantIdOf(grant);
        bytes memory signature = _sign(0xbad, id);
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsentRegistry.ConsentWrongSigner.selector, id, grant.grantor, vm.addr(0xbad)
            )
        );
        consents.give(grant, signature);
    }

    function test_C11_a_signature_serves_no_other_grant() public {
        IConsentRegistry.Grant memory grant = _grant(2);
        bytes memory signature = _sign(PATIENT_KEY, consents.grantIdOf(grant));
        grant.termsDigest = keccak256("other terms");
        vm.expectRevert();
        consents.give(grant, signature);
    }

    function test_C11_a_signature_serves_no_other_registry_and_no_other_chain() public {
        IConsentRegistry.Grant memory grant = _grant(2);
        bytes memory signature = _sign(PATIENT_KEY, consents.grantIdOf(grant));
        ConsentRegistry other = new ConsentRegistry(address(consortium));
        vm.expectRevert();
        other.give(grant, signature);
        vm.chainId(block.chainid + 1);
        vm.expectRevert();
        consents.give(grant, signature);
    }

    function test_I10_signatures_have_one_form() public {
        IConsentRegistry.Grant memory grant = _grant(2);
        bytes32 id = consents.grantIdOf(grant);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PATIENT_KEY, id);
        bytes32 high = bytes32(ORDER - uint256(s));
        uint8 flipped = v == 27 ? 28 : 27;
        bytes memory wrong =
            abi.encodeWithSelector(IConsentRegistry.ConsentInvalidSignature.selector, id);
        bytes[7] memory signatures = [
            abi.encodePacked(r, high, flipped),
            abi.encodePacked(r, s),
            abi.encodePacked(r, s, v, uint8(0)),
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, s, uint8(29)),
            abi.encodePacked(bytes32(0), s, v),
            bytes("")
        ];
        for (uint256 i = 0; i < signatures.length; ++i) {
            vm.expectRevert(wrong);
            consents.give(grant, signatures[i]);
        }
        consents.give(grant, abi.encodePacked(r, s, v));
    }

    function test_C14_deadlines_are_whole_hours_and_exclusive() public {
        IConsentRegistry.Grant memory grant = _grant(2);
        grant.deadline = MIDNIGHT + 1 days + 1;
        _refused(
            grant,
            abi.encodeWithSelector(
                IConsentRegistry.ConsentDeadlineNotWholeHour.selector, grant.deadline
            )
        );
        grant.deadline = MIDNIGHT + 1 days;
        vm.warp(MIDNIGHT + 1 days);
        _refused(
            grant,
            abi.encodeWithSelector(
                IConsentRegistry.ConsentDeadlinePassed.selector, grant.deadline, block.timestamp
            )
        );
        vm.warp(MIDNIGHT + 1 days - 1);
        _give(grant);
    }

    function test_C14_times_are_whole_days() public {
        IConsentRegistry.Grant memory grant = _grant(2);
        bytes4 wrong = IConsentRegistry.ConsentTimeNotWholeDay.selector;
        grant.notBefore = MIDNIGHT + 1;
        _refused(grant, abi.encodeWithSelector(wrong, grant.notBefore));
        grant.notBefore = 0;
        grant.expiresAt += 3600;
        _refused(grant, abi.encodeWithSelector(wrong, grant.expiresAt));
    }

    function _periodRefused(uint64 notBefore, uint64 expiresAt) private {
        IConsentRegistry.Grant memory grant = _grant(2);
        grant.notBefore = notBefore;
        grant.expiresAt = expiresAt;
        _refused(
            grant,
            abi.encodeWithSelector(
                IConsentRegistry.ConsentPeriodInvalid.selector, notBefore, expiresAt, START
            )
        );
    }

    function test_C14_a_grant_ends_after_it_begins_and_within_ten_years() public {
        uint64 most = MIDNIGHT + 3653 days;
        _periodRefused(0, MIDNIGHT);
        _periodRefused(MIDNIGHT + 2 days, MIDNIGHT + 2 days);
        _periodRefused(MIDNIGHT + 3 days, MIDNIGHT + 2 days);
        _periodRefused(0, most + 1 days);
        _periodRefused(0, type(uint64).max - type(uint64).max % 1 days);
        IConsentRegistry.Grant memory grant = _grant(2);
        grant.expiresAt = most;
        _give(grant);
    }

    function test_a_custodian_is_a_member_that_can_prove_a_release() public {
        bytes4 unknown = IConsentRegistry.ConsentUnknownCustodian.selector;
        _refused(_grant(0), abi.encodeWithSelector(unknown, 0));
        _refused(_grant(5), abi.encodeWithSelector(unknown, 5));
        _carry(KIND_SUSPEND, 4, "");
        _give(_grant(4));
        _carry(KIND_REMOVE, 4, "");
        vm.warp(MIDNIGHT + 91 days);
        _refused(_grant(4), abi.encodeWithSelector(unknown, 4));
    }

    // --- Witnessing --------------------------------------------------------------------

    function _witnessed() private returns (bytes32) {
        vm.prank(_witness(2));
        return consents.witness(keccak256("terms"), 0, MIDNIGHT + 30 days);
    }

    function test_C11_a_witnessed_grant_is_marked_for_ever() public {
        bytes32 id = keccak256(
            abi.encode(
                keccak256("xinglin/witnessed/v1"),
                consents.domainSeparator(),
                uint32(2),
                keccak256("terms"),
                uint48(0),
                MIDNIGHT + 30 days
            )
        );
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentGiven(id, 2, 2);
        _equal(_witnessed(), id, "id");
        _equal(consents.witnessedIdOf(2, keccak256("terms"), 0, MIDNIGHT + 30 days), id, "view");
        IConsentRegistry.StoredGrant memory stored = consents.grantOf(id);
        _equal(stored.how, 2, "witnessed");
        _equal(stored.grantor, _witness(2), "the witness");
        _equal(stored.custodian, 2, "custodian");
        _equal(stored.givenAt, START, "given");
    }

    function test_C12_a_witnessed_grant_is_given_once() public {
        bytes32 id = _witnessed();
        vm.expectRevert(
            abi.encodeWithSelector(IConsentRegistry.ConsentAlreadyGiven.selector, id)
        );
        _witnessed();
    }

    function test_only_a_witness_of_an_active_member_witnesses() public {
        _carry(KIND_SUSPEND, 4, "");
        address[4] memory refused = [STRANGER, _governor(2), _anchorer(2), _witness(4)];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IConsentRegistry.ConsentUnauthorizedWitness.selector, refused[i]
                )
            );
            vm.prank(refused[i]);
            consents.witness(keccak256("terms"), 0, MIDNIGHT + 30 days);
        }
    }

    function test_a_witnessed_grant_has_a_period_too() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsentRegistry.ConsentPeriodInvalid.selector, 0, MIDNIGHT, START
            )
        );
        vm.prank(_witness(2));
        consents.witness(keccak256("terms"), 0, MIDNIGHT);
    }

    // --- Revoking ----------------------------------------------------------------------

    function test_I5_the_grantor_revokes_by_signature_through_anyone() public {
        bytes32 id = _give(_grant(2));
        bytes memory revocation = _revocation(id);
        vm.warp(START + 10 days);
        _claim(_validAt(id, block.timestamp), "valid until now");
        vm.expectEmit(address(consents));
        emit IConsentRegistry.ConsentRevoked(id, 1, START + 10 days);
        vm.prank(STRANGER);
        consents.revoke(id, revocation);
        _equal(consents.grantOf(id).revokedAt, START + 10 days, "revoked");
        _equal(consents.grantOf(id).revokedBy, 1, "by the grantor");
        _claim(!_validAt(id, block.timestamp), "not any more");
        _claim(_validAt(id, block.timestamp - 1), "and what was released before stays right");
    }

    function test_a_grant_is_revoked_once() public {
        bytes32 id = _give(_grant(2));
        bytes memory revocation = _revocation(id);
        consents.revoke(id, revocation);
        vm.expectRevert(
            abi.encodeWithSelector(IConsentRegistry.ConsentAlreadyRevoked.selector, id, START)
        );
        consents.revoke(id, revocation);
    }

    function test_an_unknown_grant_is_not_revoked() public {
        bytes memory revocation = _revocation(bytes32("unknown"));
        bytes memory unknown = abi.encodeWithSelector(
            IConsentRegistry.ConsentUnknownGrant.selector, bytes32("unknown")
        );
        vm.expectRevert(unknown);
        consents.revoke(bytes32("unknown"), revocation);
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = bytes32("unknown");
        vm.expectRevert(unknown);
        vm.prank(_governor(2));
        consents.revokeMany(ids);
    }

    function test_only_the_grantor_signs_a_revocation() public {
        bytes32 id = _give(_grant(2));
        bytes memory ofAnother = _revocation(bytes32("another"));
        vm.expectRevert();
        consents.revoke(id, ofAnother);
        vm.expectRevert(
            abi.encodeWithSelector(IConsentRegistry.ConsentInvalidSignature.selector, id)
        );
        consents.revoke(id, hex"00");
    }

    function test_C13_a_witness_does_not_pass_for_a_grantor() public {
        // The witness's account stands as grantor; a signature of it must not read as the
        // patient's own revocation.
        IConsortium.NewAccount[] memory fresh = new IConsortium.NewAccount[](1);
        fresh[0] = IConsortium.NewAccount(vm.addr(PATIENT_KEY), ALL_POWERS);
        _carry(KIND_REPLACE_ACCOUNTS, 4, abi.encode(fresh));
        vm.prank(vm.addr(PATIENT_KEY));
        bytes32 id = consents.witness(keccak256("terms"), 0, MIDNIGHT + 30 days);
        bytes memory revocation = _revocation(id);
        vm.expectRevert(
            abi.encodeWithSelector(
                IConsentRegistry.ConsentUnauthorizedRevoker.selector, id, vm.addr(PATIENT_KEY)
            )
        );
        consents.revoke(id, revocation);
    }

    function test_C13_the_custodian_revokes_under_its_own_name() public {
        bytes32[] memory ids = new bytes32[](2);
        ids[0] = _give(_grant(2));
        ids[1] = _witnessed();
        vm.prank(_witness(2));
        consents.revokeMany(ids);
        _equal(consents.grantOf(ids[0]).revokedBy, 2, "by the witness");
        _equal(consents.grantOf(ids[1]).revokedBy, 2, "by the witness");

        IConsentRegistry.Grant memory other = _grant(2);
        other.termsDigest = keccak256("other terms");
        ids[1] = _give(other);
        vm.warp(START + 1);
        vm.prank(_governor(2));
        consents.revokeMany(ids);
        _equal(consents.grantOf(ids[0]).revokedAt, START, "one revoked before is left as it is");
        _equal(consents.grantOf(ids[1]).revokedBy, 3, "by an account that governs");
        _equal(consents.grantOf(ids[1]).revokedAt, START + 1, "at");
    }

    function test_C13_a_custodian_revokes_its_own_grants_only() public {
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = _give(_grant(2));
        address[4] memory refused = [STRANGER, _governor(3), _anchorer(2), _appointer(2)];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IConsentRegistry.ConsentUnauthorizedRevoker.selector, ids[0], refused[i]
                )
            );
            vm.prank(refused[i]);
            consents.revokeMany(ids);
        }
    }

    function test_I5_a_removed_custodian_still_revokes() public {
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = _give(_grant(4));
        _carry(KIND_REMOVE, 4, "");
        vm.warp(START + 200 days);
        vm.prank(_witness(4));
        consents.revokeMany(ids);
        _claim(!_validAt(ids[0], START + 200 days), "revoked");
    }

    function test_no_grants_are_revoked_by_an_empty_list() public {
        bytes32 id = _give(_grant(2));
        vm.prank(_governor(2));
        consents.revokeMany(new bytes32[](0));
        _equal(consents.grantOf(id).revokedAt, 0, "still there");
    }

    // --- Replacing ---------------------------------------------------------------------

    function test_a_grant_is_replaced_in_one_transaction() public {
        bytes32 old = _give(_grant(2));
        IConsentRegistry.Grant memory next = _grant(3);
        bytes32 id = consents.grantIdOf(next);
        bytes memory revocation = _revocation(old);
        bytes memory signature = _sign(PATIENT_KEY, id);
        _equal(consents.replace(old, revocation, next, signature), id, "id");
        _equal(consents.grantOf(old).revokedBy, 1, "the old one is revoked");
        _equal(consents.grantOf(id).how, 1, "the new one is given");
    }

    function test_replacing_does_both_or_nothing() public {
        bytes32 old = _give(_grant(2));
        IConsentRegistry.Grant memory next = _grant(99);
        bytes memory revocation = _revocation(old);
        bytes memory signature = _sign(PATIENT_KEY, consents.grantIdOf(next));
        vm.expectRevert(
            abi.encodeWithSelector(IConsentRegistry.ConsentUnknownCustodian.selector, 99)
        );
        consents.replace(old, revocation, next, signature);
        _equal(consents.grantOf(old).revokedAt, 0, "the old one stands");
    }

    function test_a_registry_knows_its_consortium() public view {
        _equal(consents.consortium(), address(consortium), "consortium");
    }

    function testFuzz_a_grant_is_valid_from_its_beginning_to_its_end(
        uint256 begin,
        uint256 end,
        uint256 revoked,
        uint256 when
    ) public {
        IConsentRegistry.Grant memory grant = _grant(2);
        grant.notBefore = uint64(MIDNIGHT + _within(begin, 0, 20) * 1 days);
        grant.expiresAt = uint64(grant.notBefore + _within(end, 1, 50) * 1 days);
        if (grant.expiresAt <= START) grant.expiresAt += 1 days;
        bytes32 id = _give(grant);
        uint256 revokedAt = START + _within(revoked, 0, 100 days);
        vm.warp(revokedAt);
        consents.revoke(id, _revocation(id));

        uint256 t = START + _within(when, 0, 100 days);
        bool expected = t >= grant.notBefore && t < grant.expiresAt && t < revokedAt;
        _claim(_validAt(id, t) == expected, "valid iff between");
    }
}
