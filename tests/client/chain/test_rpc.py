"""Several nodes as one: who is asked, who is set aside and named, what a final view is."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from eth_utils.crypto import keccak

from xinglin._chain.answers import View, quantity
from xinglin._chain.nodes import NodeCondition, describe
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool, check_contracts
from xinglin._network.process import free_ports
from xinglin.errors import ChainError, ContractError, Unreachable, WrongChain
from xinglin.names import Address

IDENTITY_CONTRACT = Address("0x0000000000000000000000000000000000000004")
"""A precompiled contract that gives back what it is sent (Yellow Paper, appendix E)."""

MakeNode = Callable[[], Any]


def pool_of(chain: NetworkProfile, *urls: str) -> RpcPool:
    return RpcPool(replace(chain, rpc=urls), timeout=2.0)


def nowhere() -> str:
    return f"http://127.0.0.1:{free_ports(1)[0]}"


def behind(blocks: int) -> Callable[[Any, Any], Any]:
    """A node whose newest block is one of before."""

    def change(params: Any, result: Any) -> Any:
        if params[0] != "latest":
            return result
        number = max(0, int(result["number"], 16) - blocks)
        return result | {"number": hex(number)}

    return change


class TestWhoIsAsked:
    def test_a_silent_node_is_named_and_the_next_one_answers(self, chain: NetworkProfile) -> None:
        dead = nowhere()
        pool = pool_of(chain, dead, chain.rpc[0])
        assert pool.call(IDENTITY_CONTRACT, b"hi") == b"hi"
        assert pool.states()[0].condition is NodeCondition.UNREACHABLE
        assert dead in describe(pool.states())

    def test_a_node_that_falls_silent_later_loses_no_request(
        self, chain: NetworkProfile, between: MakeNode
    ) -> None:
        first = between()
        pool = pool_of(chain, first.url, chain.rpc[0])
        assert pool.call(IDENTITY_CONTRACT, b"1") == b"1"
        first.silent = True
        assert pool.call(IDENTITY_CONTRACT, b"2") == b"2"
        assert pool.states()[0].condition is NodeCondition.UNREACHABLE

    def test_a_node_on_another_chain_id_is_asked_for_nothing_else(
        self, chain: NetworkProfile, between: MakeNode
    ) -> None:
        other = between()
        other.replace["eth_chainId"] = lambda params, result: "0x1"
        pool = pool_of(chain, other.url, chain.rpc[0])
        pool.call(IDENTITY_CONTRACT, b"hi")
        state = pool.states()[0]
        assert state.condition is NodeCondition.WRONG_CHAIN
        assert "expected chain id 31337, got 1" in state.detail
        assert "eth_call" not in other.asked

    def test_a_node_with_another_genesis_is_set_aside(
        self, chain: NetworkProfile, between: MakeNode
    ) -> None:
        other = between()
        other.replace["eth_getBlockByNumber"] = lambda params, result: (
            result | {"hash": "0x" + "11" * 32} if params[0] == "0x0" else result
        )
        pool = pool_of(chain, other.url)
        with pytest.raises(WrongChain, match="expected genesis"):
            pool.head()

    def test_a_node_that_lags_is_asked_last(self, chain: NetworkProfile, between: MakeNode) -> None:
        late = between()
        late.replace["eth_getBlockByNumber"] = behind(5)
        pool = pool_of(replace(chain, max_lag=2), late.url, chain.rpc[0])
        while pool.head().number < 8:
            time.sleep(0.2)
        assert pool.states(fresh=True)[0].condition is NodeCondition.LAGGING
        pool.call(IDENTITY_CONTRACT, b"hi")
        assert "eth_call" not in late.asked

    def test_old_heads_are_named_and_still_read_when_there_are_no_others(
        self, chain: NetworkProfile
    ) -> None:
        # A halted chain is not an unreachable one: its age is for the caller to judge.
        pool = RpcPool(chain, clock=lambda: time.time() + 3600)
        state = pool.states()[0]
        assert state.condition is NodeCondition.OLD_HEAD
        assert "s old" in state.detail
        assert pool.final_view().number >= 0

    def test_when_all_are_silent_each_is_named(self, chain: NetworkProfile) -> None:
        one, two = nowhere(), nowhere()
        pool = pool_of(chain, one, two)
        with pytest.raises(Unreachable) as caught:
            pool.head()
        assert one in str(caught.value)
        assert two in str(caught.value)

    @pytest.mark.parametrize("content", ["[]", "null", '"x"'])
    def test_an_answer_that_is_not_json_rpc_is_no_answer(
        self, chain: NetworkProfile, between: MakeNode, content: str
    ) -> None:
        odd = between()
        odd.status = 502
        pool = pool_of(chain, odd.url, chain.rpc[0])
        assert pool.call(IDENTITY_CONTRACT, b"hi") == b"hi"

    def test_what_one_node_does_not_know_is_asked_of_the_next(
        self, chain: NetworkProfile, between: MakeNode
    ) -> None:
        forgetful = between()
        forgetful.replace["eth_getBlockByHash"] = lambda params, result: None
        pool = pool_of(chain, forgetful.url, chain.rpc[0])
        assert pool.block(chain.genesis)["number"] == "0x0"

    def test_a_revert_is_an_answer_and_not_a_failure(
        self, chain: NetworkProfile, between: MakeNode
    ) -> None:
        first = between()
        first.replace["eth_call"] = lambda params, result: {
            "error": {"code": 3, "message": "execution reverted", "data": "0x"}
        }
        second = between()
        pool = pool_of(chain, first.url, second.url)
        with pytest.raises(ContractError):
            pool.call(IDENTITY_CONTRACT, b"hi")
        assert "eth_call" not in second.asked


class TestFinalView:
    def test_two_configured_nodes_must_both_be_there(self, chain: NetworkProfile) -> None:
        # I4, I5: one node alone could show a state that the others do not have.
        pool = pool_of(chain, chain.rpc[0], nowhere())
        with pytest.raises(Unreachable, match="expected 2 RPC nodes that agree, got 1"):
            pool.final_view()
        assert pool.final_view(agree=1).number >= 0

    def test_two_that_disagree_give_no_view(self, chain: NetworkProfile, between: MakeNode) -> None:
        liar = between()
        liar.replace["eth_getBlockByNumber"] = lambda params, result: (
            result if params[0] in ("latest", "0x0") else result | {"hash": "0x" + "22" * 32}
        )
        pool = pool_of(chain, chain.rpc[0], liar.url)
        while pool.head().number < 3:
            time.sleep(0.2)
        with pytest.raises(ChainError, match="with 2 hashes"):
            pool.final_view()

    def test_of_three_two_are_enough(self, chain: NetworkProfile, between: MakeNode) -> None:
        liar, honest = between(), between()
        liar.replace["eth_getBlockByNumber"] = lambda params, result: (
            result if params[0] in ("latest", "0x0") else result | {"hash": "0x" + "22" * 32}
        )
        pool = pool_of(chain, liar.url, chain.rpc[0], honest.url)
        while pool.head().number < 3:
            time.sleep(0.2)
        view = pool.final_view()
        assert view.hash == pool_of(chain, chain.rpc[0]).view_at(view.number).hash

    def test_it_is_the_newest_block_that_enough_nodes_have(
        self, chain: NetworkProfile, between: MakeNode
    ) -> None:
        late = between()
        late.replace["eth_getBlockByNumber"] = behind(2)
        pool = pool_of(chain, chain.rpc[0], late.url)
        while pool.head().number < 5:
            time.sleep(0.2)
        late_head = min(state.head.number for state in pool.states(fresh=True) if state.head)
        assert late_head - 1 <= pool.final_view().number <= late_head + 1

    def test_a_view_that_was_reorganised_away_is_an_error_and_not_another_answer(
        self, chain: NetworkProfile
    ) -> None:
        pool = pool_of(chain, chain.rpc[0])
        gone = View(1, keccak(b"never"), pool.view_at(0).time)
        with pytest.raises(ChainError):
            pool.call(IDENTITY_CONTRACT, b"hi", at=gone)


def three(deployed: Any, first: Any, third: Any) -> RpcPool:
    """A pool of a node of one's own, the true one, and a third; none is ever too far behind."""
    urls = (first.url, *deployed.profile.rpc, third.url)
    return RpcPool(replace(deployed.profile, rpc=urls, max_lag=10**6, max_head_age=10**6))


def other_block(params: Any, result: Any) -> Any:
    """A node on a branch of its own."""
    if result is None or params[0] in ("latest", "0x0"):
        return result
    return result | {"hash": "0x" + "22" * 32}


class TestEvents:
    """I3, I5: an event that is left out is a revocation that never reaches a key."""

    @pytest.fixture
    def asked(self, deployed: Any) -> tuple[Any, ...]:
        """Address, topics, first block and view of events that are there."""
        contract = deployed.profile.deployed.consortium
        while deployed.pool.final_view().number <= contract.block:
            time.sleep(0.2)
        asked = (contract.address, [], contract.block, deployed.pool.final_view())
        assert deployed.pool.logs(*asked)
        return asked

    def test_i5_events_come_from_a_node_that_has_the_last_block(
        self, deployed: Any, between: MakeNode, asked: tuple[Any, ...]
    ) -> None:
        late, third = between(), between()
        late.cut_off(asked[2] - 1)
        pool = three(deployed, late, third)
        # Two agree, so there is a view; the first one is good, and does not have its block.
        assert pool.final_view().number >= asked[3].number
        assert pool.states()[0].condition is NodeCondition.GOOD
        assert pool.logs(*asked) == deployed.pool.logs(*asked)

    def test_i5_a_node_that_gets_the_block_only_while_it_answers_is_not_believed(
        self, deployed: Any, between: MakeNode, asked: tuple[Any, ...]
    ) -> None:
        late, third = between(), between()
        late.cut_off(asked[2] - 1)
        pool = three(deployed, late, third)
        pool.head()

        def answer_and_catch_up(params: Any, result: Any) -> Any:
            late.replace.clear()
            return []

        late.replace["eth_getLogs"] = answer_and_catch_up
        assert pool.logs(*asked) == deployed.pool.logs(*asked)

    def test_i5_a_node_that_leaves_the_chain_while_it_answers_is_not_believed(
        self, deployed: Any, between: MakeNode, asked: tuple[Any, ...]
    ) -> None:
        leaving, third = between(), between()

        def answer_and_leave(params: Any, result: Any) -> Any:
            leaving.replace["eth_getBlockByNumber"] = other_block
            return []

        leaving.replace["eth_getLogs"] = answer_and_leave
        assert three(deployed, leaving, third).logs(*asked) == deployed.pool.logs(*asked)

    def test_i5_a_node_on_another_branch_is_not_believed(
        self, deployed: Any, between: MakeNode, asked: tuple[Any, ...]
    ) -> None:
        forked, third = between(), between()
        forked.replace = {"eth_getBlockByNumber": other_block, "eth_getLogs": lambda *_: []}
        assert three(deployed, forked, third).logs(*asked) == deployed.pool.logs(*asked)
        assert "eth_getLogs" not in forked.asked

    def test_where_no_node_has_the_block_that_is_an_error(
        self, deployed: Any, between: MakeNode, asked: tuple[Any, ...]
    ) -> None:
        late = between()
        late.cut_off(asked[2])
        pool = pool_of(deployed.profile, late.url)
        with pytest.raises(ChainError, match=rf"expected block {asked[3].number} .* has none"):
            pool.logs(*asked)

    def test_events_that_are_no_list_are_refused(
        self, deployed: Any, between: MakeNode, asked: tuple[Any, ...]
    ) -> None:
        odd = between()
        odd.replace["eth_getLogs"] = lambda *_: None
        with pytest.raises(ChainError, match="list of events"):
            pool_of(deployed.profile, odd.url).logs(*asked)


class TestOneChain:
    """What is read of a view's chain comes from a node that has that view's block."""

    def test_a_block_below_a_view_is_of_the_views_chain(
        self, deployed: Any, between: MakeNode
    ) -> None:
        forked, third = between(), between()
        forked.replace["eth_getBlockByNumber"] = other_block
        pool, view = three(deployed, forked, third), deployed.pool.final_view()
        assert pool.view_at(1).hash == b"\x22" * 32
        assert pool.view_at(1, on=view) == deployed.pool.view_at(1)
        assert pool.block(1, on=view)["hash"] != "0x" + "22" * 32

    def test_whether_a_block_stands_is_asked_of_the_views_chain(
        self, deployed: Any, between: MakeNode
    ) -> None:
        forked, third = between(), between()
        forked.replace["eth_getBlockByNumber"] = other_block
        pool, view = three(deployed, forked, third), deployed.pool.final_view()
        one, above = deployed.pool.view_at(1), deployed.pool.head()
        assert pool.stands(1, one.hash, on=view)
        assert pool.stands(above.number, above.hash, on=view)
        assert not pool.stands(1, b"\x22" * 32, on=view)
        assert not pool.stands(above.number + 1000, above.hash, on=view)


class TestQuantity:
    @pytest.mark.parametrize("value", ["0x", "0xzz", "12", "", None, 12, ["0x1"]])
    def test_what_is_no_quantity_is_an_error_of_the_chain(self, value: object) -> None:
        with pytest.raises(ChainError, match="hexadecimal quantity"):
            quantity(value)

    def test_a_quantity_is_read(self) -> None:
        assert quantity("0x1f") == 31


class TestContractsOfAProfile:
    def test_the_right_ones_pass(self, deployed: Any) -> None:
        check_contracts(deployed.pool)

    def test_an_address_without_code_is_named(self, deployed: Any) -> None:
        contracts = deployed.profile.deployed
        moved = replace(contracts.models, address=Address("0x" + "1" * 40))
        profile = replace(deployed.profile, contracts=replace(contracts, models=moved))
        with pytest.raises(WrongChain, match=r"expected models at 0x1111.*no code"):
            check_contracts(RpcPool(profile))

    def test_other_code_is_named(self, deployed: Any) -> None:
        contracts = deployed.profile.deployed
        swapped = replace(contracts.models, address=contracts.consents.address)
        profile = replace(deployed.profile, contracts=replace(contracts, models=swapped))
        with pytest.raises(WrongChain, match=r"expected models .* with code hash"):
            check_contracts(RpcPool(profile))
