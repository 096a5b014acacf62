// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IConsortium} from "./interfaces/IConsortium.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {
    KIND_APPROVE_MODEL,
    KIND_WITHDRAW_MODEL,
    POWER_GOVERN,
    ROLE_REGULATOR,
    STATUS_ACTIVE
} from "./interfaces/ConsortiumConstants.sol";

// Status of a model; zero where it is unknown.
uint8 constant MODEL_PROPOSED = 1;
uint8 constant MODEL_APPROVED = 2;
uint8 constant MODEL_RETIRED = 3;
uint8 constant MODEL_WITHDRAWN = 4;

/// @title Model registry: which model version is which digest
/// @dev Read `IModelRegistry` first. The order of the state variables is pinned.
contract ModelRegistry is IModelRegistry {
    mapping(bytes32 digest => Model) private _models;
    mapping(bytes32 digest => ModelStatusChange[]) private _statuses;

    IConsortium private immutable _consortium;
    IModelRegistry private immutable _predecessor;

    /// @param consortium_ The deployment of Consortium whose hospitals approve here.
    /// @param predecessor_ The registry of that Consortium's predecessor; zero where it has none.
    constructor(address consortium_, address predecessor_) {
        address before = IConsortium(consortium_).predecessor();
        address kept = predecessor_ == address(0)
            ? address(0)
            : IModelRegistry(predecessor_).consortium();
        if (kept != before) revert ModelPredecessorMismatch(consortium_, predecessor_);

        _consortium = IConsortium(consortium_);
        _predecessor = IModelRegistry(predecessor_);
    }

    /// @inheritdoc IModelRegistry
    function register(bytes32 digest, bytes32 follows) external {
        IConsortium.Standing memory caller = _consortium.standingOf(msg.sender);
        if (
            caller.powers & POWER_GOVERN == 0 || caller.status != STATUS_ACTIVE
                || caller.role == ROLE_REGULATOR
        ) revert ModelUnauthorizedAccount(msg.sender);
        _requireOpen();
        if (digest == 0) revert ModelUnknown(digest);
        if (_models[digest].status != 0) revert ModelAlreadyRegistered(digest);
        if (follows != 0 && !isKnown(follows)) revert ModelUnknown(follows);

        Model storage model = _models[digest];
        model.predecessor = follows;
        model.registrar = caller.member;
        emit ModelRegistered(digest, follows, caller.member);
        _setStatus(digest, MODEL_PROPOSED, 0);
    }

    /// @inheritdoc IModelRegistry
    function approve(bytes32 digest) external {
        uint8 status = _requireKnown(digest);
        if (status != MODEL_PROPOSED) revert ModelWrongStatus(digest, status);
        _requireOpen();
        _requireCarried(digest, approvalKey(digest));

        _setStatus(digest, MODEL_APPROVED, 0);
    }

    /// @inheritdoc IModelRegistry
    function retire(bytes32 digest) external {
        uint8 status = _requireKnown(digest);
        IConsortium.Standing memory caller = _consortium.standingOf(msg.sender);
        if (
            caller.powers & POWER_GOVERN == 0 || caller.member != _models[digest].registrar
        ) {
            revert ModelUnauthorizedAccount(msg.sender);
        }
        if (status > MODEL_APPROVED) revert ModelWrongStatus(digest, status);

        _setStatus(digest, MODEL_RETIRED, 0);
    }

    /// @inheritdoc IModelRegistry
    function withdraw(bytes32 digest, bytes32 reasonDigest) external {
        uint8 status = _requireKnown(digest);
        if (status == MODEL_WITHDRAWN) revert ModelWrongStatus(digest, status);
        _requireCarried(digest, withdrawalKey(digest, reasonDigest));

        _models[digest].reasonDigest = reasonDigest;
        _setStatus(digest, MODEL_WITHDRAWN, reasonDigest);
    }

    /// @inheritdoc IModelRegistry
    function modelOf(bytes32 digest) external view returns (Model memory) {
        return _models[digest];
    }

    /// @inheritdoc IModelRegistry
    function statusAt(bytes32 digest, uint48 t) external view returns (uint8) {
        ModelStatusChange[] storage history = _statuses[digest];
        for (uint256 i = history.length; i > 0; --i) {
            if (history[i - 1].since <= t) return history[i - 1].status;
        }
        return 0;
    }

    /// @inheritdoc IModelRegistry
    function statusesOf(bytes32 digest) external view returns (ModelStatusChange[] memory) {
        return _statuses[digest];
    }

    /// @inheritdoc IModelRegistry
    function isKnown(bytes32 digest) public view returns (bool) {
        if (_models[digest].status != 0) return true;
        return address(_predecessor) != address(0) && _predecessor.isKnown(digest);
    }

    /// @inheritdoc IModelRegistry
    function approvalKey(bytes32 digest) public view returns (bytes32) {
        Model storage model = _models[digest];
        return _key(KIND_APPROVE_MODEL, abi.encode(digest, model.predecessor, model.registrar));
    }

    /// @inheritdoc IModelRegistry
    function withdrawalKey(bytes32 digest, bytes32 reasonDigest) public pure returns (bytes32) {
        return _key(KIND_WITHDRAW_MODEL, abi.encode(digest, reasonDigest));
    }

    /// @inheritdoc IModelRegistry
    function consortium() external view returns (address) {
        return address(_consortium);
    }

    /// @inheritdoc IModelRegistry
    function predecessor() external view returns (address) {
        return address(_predecessor);
    }

    function _setStatus(bytes32 digest, uint8 status, bytes32 reasonDigest) private {
        _models[digest].status = status;
        _statuses[digest].push(ModelStatusChange(uint48(block.timestamp), status));
        emit ModelStatusChanged(digest, status, reasonDigest);
    }

    function _requireOpen() private view {
        if (!_consortium.isOpen()) revert ModelDeploymentNotOpen(_consortium.endedAt());
    }

    function _requireKnown(bytes32 digest) private view returns (uint8 status) {
        status = _models[digest].status;
        if (status == 0) revert ModelUnknown(digest);
    }

    function _requireCarried(bytes32 digest, bytes32 key) private view {
        if (_consortium.carriedAt(key) == 0) revert ModelNotCarried(digest, key);
    }

    /// @dev As `IConsortium.carriedAt` defines it; a model concerns no member.
    function _key(uint8 kind, bytes memory payload) private pure returns (bytes32) {
        return keccak256(abi.encode(kind, uint32(0), keccak256(payload)));
    }
}
