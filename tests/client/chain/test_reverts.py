"""A revert becomes an error of ours, however an engine wraps its bytes."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from xinglin._chain import abi
from xinglin._chain.reverts import contract_error, refusal
from xinglin.errors import ChainError, ContractError

PAYLOAD = keccak(text="CheckpointGrowthTooLarge(uint64,uint64)")[:4] + encode(
    ["uint64", "uint64"], [4, 99]
)
HEX = "0x" + PAYLOAD.hex()


class TestShapesOfEngines:
    @pytest.mark.parametrize(
        "error",
        [
            pytest.param(
                {"code": 3, "message": "execution reverted: custom error", "data": HEX},
                id="anvil",
            ),
            pytest.param({"code": 3, "message": "execution reverted", "data": HEX}, id="geth"),
            pytest.param({"code": -32000, "message": "Execution reverted", "data": HEX}, id="besu"),
            pytest.param(
                {"code": -32603, "message": "Internal error", "data": {"data": HEX}}, id="nested"
            ),
            pytest.param(
                {"code": -32015, "message": "VM execution error.", "data": "Reverted " + HEX},
                id="prefixed",
            ),
        ],
    )
    def test_the_same_error_comes_out(self, error: object) -> None:
        found = refusal("eth_call", error)
        assert isinstance(found, ContractError)
        assert found.name == "CheckpointGrowthTooLarge"
        assert found.arguments == {"latestSize": 4, "size": 99}

    def test_a_revert_without_bytes_is_still_a_revert(self) -> None:
        found = refusal("eth_call", {"code": 3, "message": "execution reverted"})
        assert isinstance(found, ContractError)
        assert found.name == "Revert"

    def test_bytes_of_a_strange_contract_are_shown_and_not_guessed(self) -> None:
        found = refusal("eth_call", {"code": 3, "message": "reverted", "data": "0x11223344"})
        assert isinstance(found, ContractError)
        assert found.arguments == {"data": bytes.fromhex("11223344")}

    def test_what_is_no_revert_stays_a_refusal(self) -> None:
        found = refusal("eth_call", {"code": -32601, "message": "Method not found"})
        assert type(found) is ChainError
        assert "Method not found" in str(found)

    def test_a_text_is_read(self) -> None:
        payload = keccak(text="Error(string)")[:4] + encode(["string"], ["no"])
        found = contract_error(payload)
        assert found is not None
        assert found.arguments == {"message": "no"}

    def test_cut_bytes_are_of_no_declared_error(self) -> None:
        assert contract_error(PAYLOAD[:-1]) is None
        assert contract_error(PAYLOAD[:3]) is None


class TestDeclaredErrors:
    def test_no_two_errors_share_a_selector(self) -> None:
        selectors: dict[bytes, str] = {}
        for item in abi.errors():
            kinds = ",".join(part["type"] for part in item["inputs"])
            signature = f"{item['name']}({kinds})"
            selector = keccak(text=signature)[:4]
            assert selectors.setdefault(selector, signature) == signature
        assert len(selectors) > 30
