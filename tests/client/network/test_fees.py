"""The three fee rules on a real Clique chain: zero price, funded accounts, base fee."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin._chain.answers import quantity
from xinglin._chain.contract import Call
from xinglin._chain.profile import FeeRule
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender
from xinglin._network.clique import Clique, find_geth
from xinglin._network.engine import FUNDED_WEI, NetworkOptions
from xinglin.errors import ChainError, UsageError
from xinglin.keys import Account
from xinglin.names import Address

pytestmark = [pytest.mark.slow, pytest.mark.chain]

SOMEWHERE = Call(Address("0x0000000000000000000000000000000000000004"), b"\x01")

RICH = Account.generate()


@pytest.fixture
def pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RpcPool]:
    """A chain of one validator: what a transaction costs does not depend on how many seal."""
    try:
        find_geth()
    except UsageError as error:
        pytest.skip(str(error))
    engine = Clique()
    funded = () if request.param is FeeRule.ZERO else (RICH.address,)
    options = NetworkOptions(validators=1, fee=request.param, funded=funded)
    found = RpcPool(engine.up(tmp_path, options))
    try:
        yield found
    finally:
        found.close()
        engine.down(tmp_path)


def balance(pool: RpcPool, account: Account) -> int:
    return quantity(pool.request("eth_getBalance", [account.address, "latest"]))


class TestFees:
    @pytest.mark.parametrize("pool", list(FeeRule), indirect=True)
    def test_a_transaction_costs_what_the_rule_of_its_network_says(self, pool: RpcPool) -> None:
        sender = Sender(pool, RICH)
        signed = sender.build_and_sign(SOMEWHERE)
        state = sender.deliver(signed, final=True, timeout=60.0)
        assert state.succeeded
        if pool.profile.fee is FeeRule.ZERO:
            assert signed.fee.maximum == 0
            assert balance(pool, RICH) == 0, "no account needs coins here"
            return
        head = pool.block(pool.head().hash)
        assert quantity(head["baseFeePerGas"]) > 0
        paid = FUNDED_WEI - balance(pool, RICH)
        assert 0 < paid <= state.gas_used * signed.fee.maximum
        with pytest.raises(ChainError, match=r"[Ff]unds"):
            Sender(pool, Account.generate()).send(SOMEWHERE)
