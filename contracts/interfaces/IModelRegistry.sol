// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Model registry: which model is which digest, and whether the network stands by it
/// @notice Model manifests by digest, with their status and the time of each change.
/// @dev Nothing personal is here: a model manifest lists files and digests of weights. Status is
/// never overwritten, so that what held when an inference was made is read from today's storage.
interface IModelRegistry {
    /// @notice What stands about a model.
    struct Model {
        /// Manifest of the model that this one follows; zero for none.
        bytes32 predecessor;
        /// Digest of the reason for withdrawal; zero while it is not withdrawn.
        bytes32 reasonDigest;
        /// Member that registered it; zero for an unknown model.
        uint32 registrar;
        /// MODEL_PROPOSED 1, MODEL_APPROVED 2, MODEL_RETIRED 3, MODEL_WITHDRAWN 4.
        uint8 status;
    }

    /// @notice An entry of a model's status history, in one slot.
    struct ModelStatusChange {
        uint48 since;
        uint8 status;
    }

    /// @notice A model was registered.
    event ModelRegistered(
        bytes32 indexed digest, bytes32 indexed predecessor, uint32 indexed registrar
    );
    /// @notice A model's status changed; `reasonDigest` is zero except when it was withdrawn.
    event ModelStatusChanged(bytes32 indexed digest, uint8 status, bytes32 reasonDigest);

    /// @notice There is no such model here.
    error ModelUnknown(bytes32 digest);
    /// @notice The model is here already, whatever its status.
    error ModelAlreadyRegistered(bytes32 digest);
    /// @notice The model's status does not allow that.
    error ModelWrongStatus(bytes32 digest, uint8 status);
    /// @notice The caller is no GOVERN account in force of an active member that may register, or
    /// not of the registrar.
    error ModelUnauthorizedAccount(address account);
    /// @notice No vote of the hospitals carried that. `key` is what `Consortium.carriedAt` was asked.
    error ModelNotCarried(bytes32 digest, bytes32 key);
    /// @notice No new models and approvals: this deployment ended, or its predecessor has not.
    error ModelDeploymentNotOpen(uint48 endedAt);
    /// @notice The two registries are not those of two consortia of which one follows the other.
    error ModelPredecessorMismatch(address consortium, address predecessor);

    /// @notice Register a model manifest.
    /// @param digest SHA-256 of the canonical manifest; not zero.
    /// @param follows Manifest of the model before it, registered here or in a predecessor registry; or zero.
    /// @dev Requirements: a GOVERN account in force of an active member other than a regulator; the
    /// deployment open. Emits `ModelRegistered` and `ModelStatusChanged`.
    function register(bytes32 digest, bytes32 follows) external;

    /// @notice Apply the hospitals' approval. Anyone may send it.
    /// @dev Requirements: status proposed; KIND_APPROVE_MODEL carried with this model's digest,
    /// predecessor and registrar; the deployment open. Emits `ModelStatusChanged`.
    function approve(bytes32 digest) external;

    /// @notice Retire a model of one's own. Works in every state of member and deployment.
    /// @dev Requirements: status proposed or approved; a GOVERN account in force of the registrar.
    /// Emits `ModelStatusChanged`.
    function retire(bytes32 digest) external;

    /// @notice Apply the hospitals' withdrawal. Anyone may send it, in an ended deployment too.
    /// @dev Requirements: not withdrawn; KIND_WITHDRAW_MODEL carried with this digest and reason.
    /// Emits `ModelStatusChanged`.
    function withdraw(bytes32 digest, bytes32 reasonDigest) external;

    /// @notice One model; zeros for an unknown one.
    function modelOf(bytes32 digest) external view returns (Model memory);
    /// @notice Status at Unix second `t`; zero before it was registered.
    function statusAt(bytes32 digest, uint48 t) external view returns (uint8);
    /// @notice Whole status history, oldest first.
    function statusesOf(bytes32 digest) external view returns (ModelStatusChange[] memory);
    /// @notice Whether the model is registered here or in a predecessor registry.
    function isKnown(bytes32 digest) external view returns (bool);
    /// @notice What `Consortium.carriedAt` is asked before an approval of this model.
    function approvalKey(bytes32 digest) external view returns (bytes32);
    /// @notice What `Consortium.carriedAt` is asked before a withdrawal of this model.
    function withdrawalKey(bytes32 digest, bytes32 reasonDigest) external pure returns (bytes32);
    /// @notice The consortium whose hospitals approve here.
    function consortium() external view returns (address);
    /// @notice The registry that this one continues; zero for the first.
    function predecessor() external view returns (address);
}
