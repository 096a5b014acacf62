// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ModelRegistry} from "../../contracts/ModelRegistry.sol";
import {IModelRegistry} from "../../contracts/interfaces/IModelRegistry.sol";
import "../../contracts/interfaces/ConsortiumConstants.sol";
import {Scene} from "./Scene.sol";

/// @notice C15: a model's status is the hospitals' word, and never overwritten.
contract ModelRegistryTest is Scene {
    bytes32 private constant MODEL = keccak256("manifest 1");
    bytes32 private constant NEXT = keccak256("manifest 2");
    bytes32 private constant REASON = keccak256("reason");

    function setUp() public {
        _build(4);
    }

    function _register(bytes32 digest, bytes32 follows) private {
        vm.prank(_governor(2));
        models.register(digest, follows);
    }

    function _approve(bytes32 digest, bytes32 follows, uint32 registrar) private {
        _carry(KIND_APPROVE_MODEL, 0, abi.encode(digest, follows, registrar));
        models.approve(digest);
    }

    function _wrongStatus(uint8 status) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IModelRegistry.ModelWrongStatus.selector, MODEL, status);
    }

    function test_a_model_is_registered_and_approved_by_vote() public {
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRegistered(MODEL, 0, 2);
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelStatusChanged(MODEL, 1, 0);
        _register(MODEL, 0);
        vm.warp(START + 10);
        _approve(MODEL, 0, 2);
        IModelRegistry.Model memory model = models.modelOf(MODEL);
        _equal(model.status, 2, "approved");
        _equal(model.registrar, 2, "registrar");
        _equal(models.statusAt(MODEL, START - 1), 0, "before");
        _equal(models.statusAt(MODEL, START), 1, "proposed");
        _equal(models.statusAt(MODEL, START + 10), 2, "approved");
        _equal(models.statusesOf(MODEL).length, 2, "entries");
    }

    function test_a_model_follows_a_known_one() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, MODEL));
        _register(NEXT, MODEL);
        _register(MODEL, 0);
        _register(NEXT, MODEL);
        _equal(models.modelOf(NEXT).predecessor, MODEL, "predecessor");
        _approve(NEXT, MODEL, 2);
    }

    function test_a_model_is_registered_once_and_has_a_digest() public {
        _register(MODEL, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelAlreadyRegistered.selector, MODEL)
        );
        _register(MODEL, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, bytes32(0))
        );
        _register(0, 0);
    }

    function test_only_governing_accounts_of_active_members_register() public {
        uint32 institute = _admit(ROLE_RESEARCH_INSTITUTE, _founder(5, POWER_WITNESS));
        uint32 regulator = _admit(ROLE_REGULATOR, _observer(6));
        _carry(KIND_SUSPEND, 4, "");
        address[4] memory refused =
            [STRANGER, _anchorer(2), _governor(4), _governor(regulator)];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IModelRegistry.ModelUnauthorizedAccount.selector, refused[i]
                )
            );
            vm.prank(refused[i]);
            models.register(MODEL, 0);
        }
        vm.prank(_governor(institute));
        models.register(MODEL, 0);
    }

    function test_C15_no_vote_no_approval() public {
        _register(MODEL, 0);
        bytes32 key = _key(KIND_APPROVE_MODEL, 0, abi.encode(MODEL, bytes32(0), uint32(2)));
        _equal(models.approvalKey(MODEL), key, "key");
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelNotCarried.selector, MODEL, key)
        );
        models.approve(MODEL);
    }

    function test_C15_a_vote_is_about_the_model_with_its_descent_and_registrar() public {
        // Otherwise a vote carried before the registration would bless whoever registers first.
        _register(MODEL, 0);
        _carry(KIND_APPROVE_MODEL, 0, abi.encode(MODEL, bytes32(0), uint32(3)));
        _carry(KIND_APPROVE_MODEL, 0, abi.encode(MODEL, NEXT, uint32(2)));
        bytes32 key = models.approvalKey(MODEL);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelNotCarried.selector, MODEL, key)
        );
        models.approve(MODEL);
    }

    function test_only_a_proposed_model_is_approved() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, MODEL));
        models.approve(MODEL);
        _register(MODEL, 0);
        _approve(MODEL, 0, 2);
        vm.expectRevert(_wrongStatus(2));
        models.approve(MODEL);
        vm.prank(_governor(2));
        models.retire(MODEL);
        vm.expectRevert(_wrongStatus(3));
        models.approve(MODEL);
    }

    function test_the_registrar_retires_in_every_state() public {
        _register(MODEL, 0);
        address[3] memory refused = [STRANGER, _governor(3), _anchorer(2)];
        for (uint256 i = 0; i < refused.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IModelRegistry.ModelUnauthorizedAccount.selector, refused[i]
                )
            );
            vm.prank(refused[i]);
            models.retire(MODEL);
        }
        _carry(KIND_SUSPEND, 2, "");
        vm.prank(_governor(2));
        models.retire(MODEL);
        _equal(models.modelOf(MODEL).status, 3, "retired");
        vm.expectRevert(_wrongStatus(3));
        vm.prank(_governor(2));
        models.retire(MODEL);
    }

    function test_an_unknown_model_is_neither_retired_nor_withdrawn() public {
        bytes memory unknown = abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, MODEL);
        vm.expectRevert(unknown);
        vm.prank(_governor(2));
        models.retire(MODEL);
        vm.expectRevert(unknown);
        models.withdraw(MODEL, REASON);
    }

    function test_C15_a_model_is_withdrawn_by_vote_with_its_reason_from_any_status() public {
        _register(MODEL, 0);
        vm.prank(_governor(2));
        models.retire(MODEL);
        bytes32 key = models.withdrawalKey(MODEL, REASON);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelNotCarried.selector, MODEL, key)
        );
        models.withdraw(MODEL, REASON);
        _carry(KIND_WITHDRAW_MODEL, 0, abi.encode(MODEL, REASON));
        vm.expectRevert(
            abi.encodeWithSelector(
                IModelRegistry.ModelNotCarried.selector, MODEL, models.withdrawalKey(MODEL, MODEL)
            )
        );
        models.withdraw(MODEL, MODEL);
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelStatusChanged(MODEL, 4, REASON);
        models.withdraw(MODEL, REASON);
        _equal(models.modelOf(MODEL).reasonDigest, REASON, "reason");
        vm.expectRevert(_wrongStatus(4));
        models.withdraw(MODEL, REASON);
    }

    function test_a_registry_knows_its_consortium() public {
        _equal(models.consortium(), address(consortium), "consortium");
        _equal(models.predecessor(), address(0), "predecessor");
        _claim(!models.isKnown(MODEL), "unknown");
        vm.expectRevert(
            abi.encodeWithSelector(
                IModelRegistry.ModelPredecessorMismatch.selector,
                address(consortium),
                address(models)
            )
        );
        new ModelRegistry(address(consortium), address(models));
    }
}
