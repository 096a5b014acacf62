"""Besu's list of accounts follows the members' accounts, and the nodes are told each time."""

from pathlib import Path
from typing import cast

import pytest

from xinglin._chain.rpc import RpcPool
from xinglin._network import permissions
from xinglin._network.permissions import keep_accounts
from xinglin.errors import Unreachable, UsageError
from xinglin.names import Address

ONE, TWO = (Address("0x" + digit * 40) for digit in "12")

POOL = cast(RpcPool, None)
"""Nobody is asked: what the members' accounts are is said by each test."""


class Looks:
    """What is found look by look, and which nodes were told to read the list again."""

    def __init__(self, *found: list[Address] | Unreachable) -> None:
        self._found = iter(found)
        self.told: list[str] = []

    def accounts(self, _: RpcPool) -> list[Address]:
        now = next(self._found)
        if isinstance(now, Unreachable):
            raise now
        return now

    def ask(self, url: str, method: str) -> None:
        assert method == "perm_reloadPermissionsFromFile"
        self.told.append(url)


def keep(monkeypatch: pytest.MonkeyPatch, out: Path, looks: Looks, rounds: int) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(permissions, "member_accounts", looks.accounts)
    monkeypatch.setattr(permissions, "ask", looks.ask)
    keep_accounts(POOL, out, ["http://v1", "http://v2"], said.append, rounds=rounds, pause=0.0)
    return said


class TestKeepAccounts:
    def test_it_is_written_again_when_accounts_change_and_the_nodes_are_told(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        # A look that finds a change is followed by the look whose accounts are written.
        looks = Looks([ONE], [ONE], [ONE], [ONE, TWO], [ONE, TWO], [ONE, TWO])
        said = keep(monkeypatch, tmp_path / "accounts.toml", looks, rounds=4)
        assert said == ["1 accounts may send transactions", "2 accounts may send transactions"]
        assert looks.told == ["http://v1", "http://v2"] * 2
        assert TWO in (tmp_path / "accounts.toml").read_text()

    def test_an_account_that_ended_is_gone_from_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        looks = Looks([ONE, TWO], [ONE, TWO], [ONE], [ONE])
        keep(monkeypatch, tmp_path / "accounts.toml", looks, rounds=2)
        text = (tmp_path / "accounts.toml").read_text()
        assert ONE in text
        assert TWO not in text

    def test_a_chain_that_is_silent_leaves_the_last_list_standing(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        looks = Looks([ONE], [ONE], Unreachable("no node"))
        said = keep(monkeypatch, tmp_path / "accounts.toml", looks, rounds=2)
        assert "the list stands as it is" in said[1]
        assert ONE in (tmp_path / "accounts.toml").read_text()

    def test_a_file_that_cannot_be_written_is_named(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        out = tmp_path / "missing" / "accounts.toml"
        with pytest.raises(UsageError, match="missing/accounts"):
            keep(monkeypatch, out, Looks([ONE], [ONE]), rounds=1)
