"""One account's transactions: each of them once, whatever happens to nodes and blocks."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from xinglin._chain.answers import quantity
from xinglin._chain.contract import Call
from xinglin._chain.profile import FeeRule, NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Fee, Phase, Sender, read_signed, transaction_state
from xinglin._network.anvil import Anvil
from xinglin._network.engine import NetworkOptions
from xinglin._network.probe import ask
from xinglin._network.process import free_ports
from xinglin.errors import ChainError, Unreachable, UsageError
from xinglin.keys import Account
from xinglin.names import Address

SOMEWHERE = Call(Address("0x0000000000000000000000000000000000000004"), b"\x01")
"""Succeeds and costs little."""

MakeNode = Callable[[], Any]


def nonce_of(pool: RpcPool, account: Account) -> int:
    return quantity(pool.request("eth_getTransactionCount", [account.address, "latest"]))


class TestSending:
    def test_hash_and_nonce_are_known_before_anything_is_sent(self, chain: NetworkProfile) -> None:
        pool = RpcPool(chain)
        sender = Sender(pool, Account.generate())
        signed = sender.build_and_sign(SOMEWHERE)
        assert signed.nonce == 0
        assert sender.state(signed).phase is Phase.LOST
        assert sender.deliver(signed, final=True).phase is Phase.FINAL
        assert (
            transaction_state(pool, signed.hash, sender=signed.sender, nonce=0).phase is Phase.FINAL
        )

    def test_the_same_bytes_sent_again_take_effect_once(self, chain: NetworkProfile) -> None:
        # I3: a lost reply must not become a second transaction.
        pool = RpcPool(chain)
        account = Account.generate()
        sender = Sender(pool, account)
        signed = sender.build_and_sign(SOMEWHERE)
        sender.broadcast(signed)
        sender.broadcast(signed)
        sender.deliver(signed)
        sender.broadcast(signed)
        assert nonce_of(pool, account) == 1

    def test_what_was_written_down_is_read_again(self, chain: NetworkProfile) -> None:
        # All that an outbox keeps are these bytes.
        sender = Sender(RpcPool(chain), Account.generate())
        signed = sender.build_and_sign(SOMEWHERE)
        assert read_signed(signed.raw) == signed
        paid = sender.build_and_sign(SOMEWHERE, nonce=7, gas=50_000, fee=Fee(9, 3))
        assert read_signed(paid.raw) == paid

    def test_one_nonce_follows_another(self, chain: NetworkProfile) -> None:
        sender = Sender(RpcPool(chain), Account.generate())
        first = sender.build_and_sign(SOMEWHERE)
        sender.deliver(first)
        assert sender.build_and_sign(SOMEWHERE).nonce == 1

    def test_another_transaction_in_its_place_is_noticed(self, chain: NetworkProfile) -> None:
        sender = Sender(RpcPool(chain), Account.generate())
        lost = sender.build_and_sign(SOMEWHERE)
        other = sender.build_and_sign(Call(SOMEWHERE.to, b"\x02"), nonce=lost.nonce)
        sender.deliver(other, final=True)
        state = sender.state(lost)
        assert state.phase is Phase.LOST
        assert state.superseded

    def test_what_cannot_be_sent_is_said(self, chain: NetworkProfile) -> None:
        sender = Sender(RpcPool(chain), Account.generate())
        used = sender.build_and_sign(SOMEWHERE)
        late = sender.build_and_sign(Call(SOMEWHERE.to, b"\x02"), nonce=used.nonce)
        sender.deliver(used)
        with pytest.raises(ChainError, match="nonce"):
            sender.broadcast(late)


class TestFailover:
    def test_a_node_that_dies_with_the_reply_loses_and_doubles_nothing(
        self, chain: NetworkProfile, between: MakeNode
    ) -> None:
        cut = between()
        pool = RpcPool(replace(chain, rpc=(cut.url, chain.rpc[0])), timeout=2.0)
        account = Account.generate()
        sender = Sender(pool, account)
        signed = sender.build_and_sign(SOMEWHERE)

        def take_and_die(params: Any, result: Any) -> Any:
            cut.silent = True
            return result

        cut.replace["eth_sendRawTransaction"] = take_and_die
        sender.deliver(signed, final=True)
        assert nonce_of(pool, account) == 1

    def test_what_only_a_node_that_is_cut_off_has_is_sent_again(
        self, chain: NetworkProfile, between: MakeNode, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Pending there, it would wait until that node is back.
        cut = between()
        cut.replace["eth_getTransactionByHash"] = lambda params, _: {"hash": params[0]}
        sender = Sender(RpcPool(replace(chain, rpc=(cut.url,))), Account.generate())
        arrives = sender.broadcast
        kept = [None]
        monkeypatch.setattr(
            sender, "broadcast", lambda signed: kept.pop() if kept else arrives(signed)
        )
        signed = sender.build_and_sign(SOMEWHERE)
        assert sender.deliver(signed, timeout=30.0).succeeded
        assert not kept

    def test_every_node_gets_it(self, chain: NetworkProfile, between: MakeNode) -> None:
        # Some engines do not pass on what costs nothing.
        one, two = between(), between()
        sender = Sender(RpcPool(replace(chain, rpc=(one.url, two.url))), Account.generate())
        sender.deliver(sender.build_and_sign(SOMEWHERE))
        assert "eth_sendRawTransaction" in one.asked
        assert "eth_sendRawTransaction" in two.asked

    def test_it_waits_for_the_node_that_is_asked_first(
        self, chain: NetworkProfile, between: MakeNode
    ) -> None:
        # Or what is built on it is refused by a node that has not heard of it.
        late = between()
        pool = RpcPool(replace(chain, rpc=(late.url, chain.rpc[0])))
        unheard = [None] * 5
        late.replace["eth_getTransactionReceipt"] = lambda _, result: (
            unheard.pop() if unheard else result
        )
        sender = Sender(pool, Account.generate())
        signed = sender.build_and_sign(SOMEWHERE)
        assert sender.deliver(signed).phase is not Phase.LOST
        assert not unheard

    def test_no_node_is_a_clear_error(self, chain: NetworkProfile) -> None:
        url = f"http://127.0.0.1:{free_ports(1)[0]}"
        with pytest.raises(Unreachable, match=url):
            Sender(RpcPool(replace(chain, rpc=(url,))), Account.generate()).next_nonce()


class TestReorganisation:
    def test_a_transaction_whose_block_is_replaced_is_lost_and_sent_again_once(
        self, tmp_path: Path
    ) -> None:
        engine = Anvil()
        try:
            profile = engine.up(tmp_path, NetworkOptions())
        except UsageError as error:
            pytest.skip(str(error))
        try:
            pool = RpcPool(profile)
            account = Account.generate()
            sender = Sender(pool, account)
            signed = sender.build_and_sign(SOMEWHERE)
            assert sender.deliver(signed).phase is Phase.MINED
            ask(profile.rpc[0], "anvil_reorg", [1, []])
            assert sender.state(signed).phase in (Phase.LOST, Phase.PENDING)
            assert sender.deliver(signed, final=True).phase is Phase.FINAL
            assert nonce_of(pool, account) == 1
        finally:
            engine.down(tmp_path)


class TestOnAFork:
    def test_i3_what_only_a_forked_node_has_in_a_block_is_not_final(
        self, chain: NetworkProfile, between: MakeNode
    ) -> None:
        # Final is for good: an outbox that believed it would never look again.
        forked, third = between(), between()
        own = "0x" + "22" * 32
        forked.replace["eth_getBlockByNumber"] = lambda params, result: (
            result if params[0] in ("latest", "0x0") else result | {"hash": own}
        )
        forked.replace["eth_getTransactionReceipt"] = lambda *_: {
            "blockNumber": "0x1", "blockHash": own, "status": "0x1", "gasUsed": "0x5208",
        }  # fmt: skip
        pool = RpcPool(replace(chain, rpc=(forked.url, *chain.rpc, third.url)))
        while pool.final_view().number < 1:
            time.sleep(0.2)
        account = Account.generate().address
        state = transaction_state(pool, bytes(32), sender=account, nonce=0)
        assert state.phase is Phase.PENDING


class TestFees:
    """One policy, three settings, each on a real chain of its kind."""

    @pytest.mark.parametrize("rule", list(FeeRule))
    def test_a_transaction_goes_through_at_the_price_of_its_network(
        self, rule: FeeRule, tmp_path: Path
    ) -> None:
        engine = Anvil()
        try:
            profile = engine.up(tmp_path, NetworkOptions(fee=rule))
        except UsageError as error:
            pytest.skip(str(error))
        try:
            account = Account.generate()
            if rule is not FeeRule.ZERO:
                ask(profile.rpc[0], "anvil_setBalance", [account.address, hex(10**18)])
            pool = RpcPool(profile)
            sender = Sender(pool, account)
            signed = sender.build_and_sign(SOMEWHERE)
            assert (signed.fee.maximum == 0) == (rule is FeeRule.ZERO)
            assert sender.deliver(signed).succeeded
            paid = 10**18 - quantity(pool.request("eth_getBalance", [account.address, "latest"]))
            assert (paid == 10**18) == (rule is FeeRule.ZERO)
            if rule is FeeRule.BASE_FEE:
                assert 0 < paid <= signed.gas * signed.fee.maximum
        finally:
            engine.down(tmp_path)

    def test_where_a_price_is_asked_an_empty_account_is_told_so(self, tmp_path: Path) -> None:
        engine = Anvil()
        try:
            profile = engine.up(tmp_path, NetworkOptions(fee=FeeRule.BASE_FEE))
        except UsageError as error:
            pytest.skip(str(error))
        try:
            sender = Sender(RpcPool(profile), Account.generate())
            with pytest.raises(ChainError, match=r"[Ff]unds"):
                sender.send(SOMEWHERE)
        finally:
            engine.down(tmp_path)

    def test_a_price_of_zero_cannot_be_raised(self, chain: NetworkProfile) -> None:
        sender = Sender(RpcPool(chain), Account.generate())
        with pytest.raises(UsageError, match="send it again"):
            sender.replacement(sender.build_and_sign(SOMEWHERE), SOMEWHERE)

    def test_a_replacement_outbids_and_one_of_the_two_is_mined(self, tmp_path: Path) -> None:
        engine = Anvil()
        try:
            profile = engine.up(tmp_path, NetworkOptions(fee=FeeRule.BASE_FEE))
        except UsageError as error:
            pytest.skip(str(error))
        try:
            url = profile.rpc[0]
            account = Account.generate()
            ask(url, "anvil_setBalance", [account.address, hex(10**18)])
            ask(url, "evm_setAutomine", [False])
            ask(url, "evm_setIntervalMining", [0])
            sender = Sender(RpcPool(profile), account)
            first = sender.build_and_sign(SOMEWHERE)
            second = sender.replacement(first, Call(SOMEWHERE.to, b"\x02"))
            assert second.nonce == first.nonce
            assert second.fee.maximum > first.fee.maximum
            sender.broadcast(first)
            sender.broadcast(second)
            ask(url, "evm_setIntervalMining", [1])
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:
                states = [sender.state(one) for one in (first, second)]
                if any(state.phase is Phase.FINAL for state in states):
                    break
                time.sleep(0.2)
            assert sorted(state.phase is Phase.FINAL for state in states) == [False, True]
        finally:
            engine.down(tmp_path)
