// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Consent registry: what was permitted, and until when
/// @notice Grants by data subjects over the records that one custodian keeps.
/// @dev Nothing here names a person, a purpose or a record. A grantor is a fresh account used for one
/// grant; grantee, scope and purpose are in the terms, of which only the digest, salted inside, is
/// here. Times are whole days and deadlines whole hours, so that they do not join two grants.
///
/// A grant is valid at t iff max(givenAt, notBefore) <= t < expiresAt and (revokedAt = 0 or
/// t < revokedAt). Grants live and end where they were given: a successor knows none of these.
interface IConsentRegistry {
    /// @notice A grant as it is signed. The EIP-712 type is
    /// `Grant(uint32 custodian,address grantor,string terms,uint64 notBefore,uint64 expiresAt,uint64 deadline)`
    /// in the domain {name "Xinglin", version "1", chainId, this contract}.
    struct Grant {
        /// Member that keeps the records.
        uint32 custodian;
        /// Account of the data subject, fresh for this grant.
        address grantor;
        /// keccak256 of the bytes of `terms`, which hashes as the string does.
        bytes32 termsDigest;
        /// Unix seconds, a whole day; zero for at once.
        uint64 notBefore;
        /// Unix seconds, a whole day, exclusive; at most 3,653 days on.
        uint64 expiresAt;
        /// Unix seconds, a whole hour, exclusive: until then it may be given.
        uint64 deadline;
    }

    /// @notice A grant as it is stored, in three slots.
    struct StoredGrant {
        bytes32 termsDigest;
        /// The data subject's account, or the WITNESS account of the custodian.
        address grantor;
        /// Unix seconds of the block that gave it.
        uint48 givenAt;
        uint48 notBefore;
        uint48 expiresAt;
        /// Unix seconds of the block that revoked it; zero while it is not revoked.
        uint48 revokedAt;
        uint32 custodian;
        /// HOW_SIGNED 1, HOW_WITNESSED 2; zero for an unknown grant. Never changes.
        uint8 how;
        /// BY_GRANTOR 1, BY_WITNESS 2, BY_GOVERN 3; zero while it is not revoked.
        uint8 revokedBy;
    }

    /// @notice A grant was given.
    event ConsentGiven(bytes32 indexed grantId, uint32 indexed custodian, uint8 how);
    /// @notice A grant was revoked, by whom, and for ever.
    event ConsentRevoked(bytes32 indexed grantId, uint8 by, uint48 revokedAt);

    /// @notice The same grant is here already, perhaps revoked; it never lives twice.
    error ConsentAlreadyGiven(bytes32 grantId);
    /// @notice The signature is not 65 bytes r ‖ s ‖ v with low s and v 27 or 28.
    error ConsentInvalidSignature(bytes32 grantId);
    /// @notice Another account than the grantor signed.
    error ConsentWrongSigner(bytes32 grantId, address grantor, address signer);
    /// @notice The grant could be given until `deadline`, exclusive.
    error ConsentDeadlinePassed(uint64 deadline, uint64 time);
    /// @notice A deadline is a multiple of 3,600.
    error ConsentDeadlineNotWholeHour(uint64 deadline);
    /// @notice A day is a multiple of 86,400.
    error ConsentTimeNotWholeDay(uint64 time);
    /// @notice A grant ends after it begins, after now, and within 3,653 days.
    error ConsentPeriodInvalid(uint64 notBefore, uint64 expiresAt, uint64 time);
    /// @notice The custodian is no member, or one that can no longer prove a release.
    error ConsentUnknownCustodian(uint32 custodian);
    /// @notice There is no such grant here.
    error ConsentUnknownGrant(bytes32 grantId);
    /// @notice Only the grantor of a signed grant, or a WITNESS or GOVERN account of the custodian.
    error ConsentUnauthorizedRevoker(bytes32 grantId, address revoker);
    /// @notice The grant was revoked before.
    error ConsentAlreadyRevoked(bytes32 grantId, uint48 revokedAt);
    /// @notice The caller is no WITNESS account in force of an active member.
    error ConsentUnauthorizedWitness(address account);
    /// @notice No new grants: this deployment ended. Revocations go on.
    error ConsentDeploymentEnded(uint48 endedAt);
    /// @notice No grants yet: the predecessor has not named this deployment.
    error ConsentPredecessorOpen(address predecessor);

    /// @notice Give a grant that the data subject signed. Anyone may send it.
    /// @dev Requirements: times whole and in order, deadline not passed, the custodian one that may
    /// anchor, the id unknown, the signature the grantor's; the deployment open. The id is the
    /// EIP-712 digest of the grant. Emits `ConsentGiven`.
    function give(Grant calldata grant, bytes calldata signature)
        external
        returns (bytes32 grantId);

    /// @notice Witness a grant made on paper at the desk. It is marked so for ever.
    /// @dev Requirements: a WITNESS account in force of an active member, which is the custodian;
    /// times as in `give`; the deployment open. The id is `keccak256(abi.encode(keccak256(
    /// "xinglin/witnessed/v1"), domainSeparator, custodian, termsDigest, notBefore, expiresAt))`.
    /// Emits `ConsentGiven`.
    function witness(bytes32 termsDigest, uint48 notBefore, uint48 expiresAt)
        external
        returns (bytes32 grantId);

    /// @notice Revoke a signed grant with the grantor's signature. Anyone may send it, at any time,
    /// in an ended deployment too.
    /// @param signature Over `Revocation(bytes32 grantId)` in the same domain.
    /// @dev Emits `ConsentRevoked` with BY_GRANTOR.
    function revoke(bytes32 grantId, bytes calldata signature) external;

    /// @notice Revoke grants as their custodian, in every state of member and deployment.
    /// @dev Requirements: a GOVERN or WITNESS account in force of the custodian of each. Those
    /// already revoked are passed over: one of them must not keep the others alive.
    /// Emits `ConsentRevoked` with BY_GOVERN for an account that governs, else BY_WITNESS.
    function revokeMany(bytes32[] calldata grantIds) external;

    /// @notice Revoke one grant and give another in one transaction.
    /// @dev Requirements of `revoke` and `give`. Joins the two for whoever looks.
    function replace(
        bytes32 old,
        bytes calldata revocation,
        Grant calldata grant,
        bytes calldata signature
    ) external returns (bytes32 grantId);

    /// @notice One grant; zeros for an unknown one.
    function grantOf(bytes32 grantId) external view returns (StoredGrant memory);
    /// @notice The id that `give` gives to a grant.
    function grantIdOf(Grant calldata grant) external view returns (bytes32);
    /// @notice The id that `witness` gives to a grant of that custodian.
    function witnessedIdOf(
        uint32 custodian,
        bytes32 termsDigest,
        uint48 notBefore,
        uint48 expiresAt
    ) external view returns (bytes32);
    /// @notice EIP-712 domain separator.
    function domainSeparator() external view returns (bytes32);
    /// @notice The consortium whose members are custodians here.
    function consortium() external view returns (address);
}
