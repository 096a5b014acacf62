// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IConsentRegistry} from "./interfaces/IConsentRegistry.sol";
import {IConsortium} from "./interfaces/IConsortium.sol";
import {POWER_GOVERN, POWER_WITNESS, STATUS_ACTIVE} from "./interfaces/ConsortiumConstants.sol";

// How a grant was given.
uint8 constant HOW_SIGNED = 1;
uint8 constant HOW_WITNESSED = 2;

// Who revoked it.
uint8 constant BY_GRANTOR = 1;
uint8 constant BY_WITNESS = 2;
uint8 constant BY_GOVERN = 3;

/// @title Consent registry: grants, given and revoked
/// @dev Read `IConsentRegistry` first. The order of the state variables is pinned; two slots before
/// them belong to EIP712.
contract ConsentRegistry is IConsentRegistry, EIP712 {
    mapping(bytes32 grantId => StoredGrant) private _grants;

    IConsortium private immutable _consortium;

    bytes32 private constant GRANT_TYPEHASH = keccak256(
        "Grant(uint32 custodian,address grantor,string terms,uint64 notBefore,uint64 expiresAt,uint64 deadline)"
    );
    bytes32 private constant REVOCATION_TYPEHASH = keccak256("Revocation(bytes32 grantId)");
    bytes32 private constant WITNESSED_LABEL = keccak256("xinglin/witnessed/v1");

    /// Ten years, and their leap days.
    uint64 private constant MAX_DURATION = 3653 days;

    /// @param consortium_ The deployment of Consortium whose members are custodians here.
    constructor(address consortium_) EIP712("Xinglin", "1") {
        _consortium = IConsortium(consortium_);
    }

    /// @inheritdoc IConsentRegistry
    function give(Grant calldata grant, bytes calldata signature)
        public
        returns (bytes32 grantId)
    {
        if (grant.deadline % 1 hours != 0) revert ConsentDeadlineNotWholeHour(grant.deadline);
        if (block.timestamp >= grant.deadline) {
            revert ConsentDeadlinePassed(grant.deadline, uint64(block.timestamp));
        }
        _requirePeriod(grant.notBefore, grant.expiresAt);
        grantId = grantIdOf(grant);
        _requireNew(grantId);
        _requireOpen();
        if (!_consortium.mayAnchor(grant.custodian)) {
            revert ConsentUnknownCustodian(grant.custodian);
        }
        address signer = _recover(grantId, grantId, signature);
        if (signer != grant.grantor) revert ConsentWrongSigner(grantId, grant.grantor, signer);

        StoredGrant storage stored = _grants[grantId];
        stored.termsDigest = grant.termsDigest;
        stored.grantor = grant.grantor;
        stored.custodian = grant.custodian;
        _start(grantId, uint48(grant.notBefore), uint48(grant.expiresAt), HOW_SIGNED);
    }

    /// @inheritdoc IConsentRegistry
    function witness(bytes32 termsDigest, uint48 notBefore, uint48 expiresAt)
        external
        returns (bytes32 grantId)
    {
        IConsortium.Standing memory caller = _consortium.standingOf(msg.sender);
        if (caller.powers & POWER_WITNESS == 0 || caller.status != STATUS_ACTIVE) {
            revert ConsentUnauthorizedWitness(msg.sender);
        }
        uint32 custodian = caller.member;
        _requirePeriod(notBefore, expiresAt);
        grantId = witnessedIdOf(custodian, termsDigest, notBefore, expiresAt);
        _requireNew(grantId);
        _requireOpen();

        StoredGrant storage stored = _grants[grantId];
        stored.termsDigest = termsDigest;
        stored.grantor = msg.sender;
        stored.custodian = custodian;
        _start(grantId, notBefore, expiresAt, HOW_WITNESSED);
    }

    /// @inheritdoc IConsentRegistry
    function revoke(bytes32 grantId, bytes calldata signature) public {
        StoredGrant storage stored = _requireGiven(grantId);
        if (stored.revokedAt != 0) revert ConsentAlreadyRevoked(grantId, stored.revokedAt);
        bytes32 digest =
            _hashTypedDataV4(keccak256(abi.encode(REVOCATION_TYPEHASH, grantId)));
        address signer = _recover(grantId, digest, signature);
        // A witnessed grant has no grantor who signs: its custodian revokes it under its own name.
        if (stored.how != HOW_SIGNED || signer != stored.grantor) {
            revert ConsentUnauthorizedRevoker(grantId, signer);
        }

        _end(grantId, stored, BY_GRANTOR);
    }

    /// @inheritdoc IConsentRegistry
    function revokeMany(bytes32[] calldata grantIds) external {
        IConsortium.Standing memory caller = _consortium.standingOf(msg.sender);
        uint8 by = caller.powers & POWER_GOVERN != 0 ? BY_GOVERN : BY_WITNESS;
        bool may = caller.powers & (POWER_GOVERN | POWER_WITNESS) != 0;
        for (uint256 i = 0; i < grantIds.length; ++i) {
            bytes32 grantId = grantIds[i];
            StoredGrant storage stored = _requireGiven(grantId);
            if (!may || stored.custodian != caller.member) {
                revert ConsentUnauthorizedRevoker(grantId, msg.sender);
            }
            if (stored.revokedAt == 0) _end(grantId, stored, by);
        }
    }

    /// @inheritdoc IConsentRegistry
    function replace(
        bytes32 old,
        bytes calldata revocation,
        Grant calldata grant,
        bytes calldata signature
    ) external returns (bytes32 grantId) {
        revoke(old, revocation);
        return give(grant, signature);
    }

    /// @inheritdoc IConsentRegistry
    function grantOf(bytes32 grantId) external view returns (StoredGrant memory) {
        return _grants[grantId];
    }

    /// @inheritdoc IConsentRegistry
    function grantIdOf(Grant calldata grant) public view returns (bytes32) {
        // Every field is one word, and `terms` hashes as the digest of its bytes, so the struct
        // encodes as EIP-712 asks.
        return _hashTypedDataV4(keccak256(abi.encode(GRANT_TYPEHASH, grant)));
    }

    /// @inheritdoc IConsentRegistry
    function witnessedIdOf(
        uint32 custodian,
        bytes32 termsDigest,
        uint48 notBefore,
        uint48 expiresAt
    ) public view returns (bytes32) {
        return keccak256(
            abi.encode(
                WITNESSED_LABEL, _domainSeparatorV4(), custodian, termsDigest, notBefore, expiresAt
            )
        );
    }

    /// @inheritdoc IConsentRegistry
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IConsentRegistry
    function consortium() external view returns (address) {
        return address(_consortium);
    }

    function _start(bytes32 grantId, uint48 notBefore, uint48 expiresAt, uint8 how) private {
        StoredGrant storage stored = _grants[grantId];
        stored.givenAt = uint48(block.timestamp);
        stored.notBefore = notBefore;
        stored.expiresAt = expiresAt;
        stored.how = how;
        emit ConsentGiven(grantId, stored.custodian, how);
    }

    function _end(bytes32 grantId, StoredGrant storage stored, uint8 by) private {
        stored.revokedAt = uint48(block.timestamp);
        stored.revokedBy = by;
        emit ConsentRevoked(grantId, by, uint48(block.timestamp));
    }

    function _requireOpen() private view {
        if (_consortium.isOpen()) return;
        uint48 endedAt = _consortium.endedAt();
        if (endedAt != 0) revert ConsentDeploymentEnded(endedAt);
        revert ConsentPredecessorOpen(_consortium.predecessor());
    }

    function _requireNew(bytes32 grantId) private view {
        if (_grants[grantId].how != 0) revert ConsentAlreadyGiven(grantId);
    }

    function _requireGiven(bytes32 grantId) private view returns (StoredGrant storage stored) {
        stored = _grants[grantId];
        if (stored.how == 0) revert ConsentUnknownGrant(grantId);
    }

    function _requirePeriod(uint64 notBefore, uint64 expiresAt) private view {
        if (notBefore % 1 days != 0) revert ConsentTimeNotWholeDay(notBefore);
        if (expiresAt % 1 days != 0) revert ConsentTimeNotWholeDay(expiresAt);
        uint64 time = uint64(block.timestamp);
        if (expiresAt <= time || expiresAt <= notBefore || expiresAt - time > MAX_DURATION) {
            revert ConsentPeriodInvalid(notBefore, expiresAt, time);
        }
    }

    /// @dev 65 bytes with low s; the precompile itself knows no v but 27 and 28.
    function _recover(bytes32 grantId, bytes32 digest, bytes calldata signature)
        private
        pure
        returns (address signer)
    {
        ECDSA.RecoverError failure;
        // The third value only explains the failure.
        // slither-disable-next-line unused-return
        (signer, failure,) = ECDSA.tryRecover(digest, signature);
        if (failure != ECDSA.RecoverError.NoError) revert ConsentInvalidSignature(grantId);
    }
}
