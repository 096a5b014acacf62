"""Key files that all engines read, whatever chance put into them."""

from pathlib import Path

import pytest
from eth_account import Account as EthAccount
from eth_keyfile import keyfile

from xinglin._network.clique import Clique, find_geth
from xinglin._network.engine import NetworkOptions
from xinglin._network.keyfile import encrypted
from xinglin.errors import UsageError
from xinglin.keys import Account


@pytest.fixture
def begins_with_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 256 vectors one is like this, so of 64 networks of four validators one has it."""
    monkeypatch.setattr(
        keyfile.Random, "get_random_bytes", lambda size: bytes(1) * 2 + b"i" * (size - 2)
    )


@pytest.mark.usefixtures("begins_with_zero")
class TestAVectorThatBeginsWithZero:
    def test_keeps_its_length(self) -> None:
        key = Account.generate().key
        made = encrypted(key, "password", cost=2)
        assert made["crypto"]["cipherparams"]["iv"] == "0000" + b"i".hex() * 14
        assert bytes(EthAccount.decrypt(made, "password")) == key

    def test_is_read_by_go_ethereum(self, tmp_path: Path) -> None:
        try:
            find_geth()
        except UsageError as error:
            pytest.skip(str(error))
        engine = Clique()
        try:
            assert engine.up(tmp_path, NetworkOptions(validators=1)).validators
        finally:
            engine.down(tmp_path)
