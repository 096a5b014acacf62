"""Besu's list of accounts follows the members' accounts, and the nodes are told each time."""

from pathlib import Path
from typing import cast

import pytest

from xinglin._chain.answers import View
from xinglin._chain.consortium import AccountRecord, Consortium, MemberRecord
from xinglin._chain.rpc import RpcPool
from xinglin._chain.words import Power, Role, Status
from xinglin._network import peers, permissions
from xinglin._network.permissions import keep_accounts, write_accounts
from xinglin.errors import ChainError, Unreachable, UsageError
from xinglin.names import Address, Generation, Member, UnixTime

ONE, TWO = (Address("0x" + digit * 40) for digit in "12")

POOL = cast(RpcPool, None)
"""Nobody is asked: what the members' accounts are is said by each test."""

NODES = ["http://v1", "http://v2", "http://v3"]


class Looks:
    """What is found look by look, and which nodes were told to read the list again."""

    def __init__(self, *found: list[Address] | Unreachable) -> None:
        self._found = iter(found)
        self.told: list[str] = []
        self.fails: dict[str, list[ChainError | Unreachable]] = {}
        """By node: how it fails when it is told, one time after the other."""

    def accounts(self, _: RpcPool) -> list[Address]:
        now = next(self._found)
        if isinstance(now, Unreachable):
            raise now
        return now

    def ask(self, url: str, method: str) -> None:
        assert method == "perm_reloadPermissionsFromFile"
        if self.fails.get(url):
            raise self.fails[url].pop(0)
        self.told.append(url)


def keep(monkeypatch: pytest.MonkeyPatch, out: Path, looks: Looks, rounds: int) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(permissions, "member_accounts", looks.accounts)
    monkeypatch.setattr(peers, "ask", looks.ask)
    keep_accounts(POOL, out, NODES, said.append, rounds=rounds, pause=0.0)
    return said


class TestKeepAccounts:
    def test_it_is_written_again_when_accounts_change_and_the_nodes_are_told(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        # A look that finds a change is followed by the look whose accounts are written.
        looks = Looks([ONE], [ONE], [ONE], [ONE, TWO], [ONE, TWO], [ONE, TWO])
        said = keep(monkeypatch, tmp_path / "accounts.toml", looks, rounds=4)
        assert said == ["1 accounts may send transactions", "2 accounts may send transactions"]
        assert looks.told == NODES * 2
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


class TestNodesThatAreDown:
    """The one validator that may fall holds up neither new accounts nor the end of old ones."""

    def test_the_others_are_told_and_it_is_told_again_when_it_is_back(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        looks = Looks(*[[ONE]] * 6)
        looks.fails = {"http://v1": [Unreachable("http://v1 did not answer")] * 2}
        said = keep(monkeypatch, tmp_path / "accounts.toml", looks, rounds=4)
        assert looks.told[:2] == ["http://v2", "http://v3"]
        assert looks.told[-3:] == NODES, "all know it once it is back"
        assert len(looks.told) == 7, "and nobody is told for ever"
        assert [("1 of 3" in one, "http://v1" in one) for one in said[1:]] == [(True, True)] * 2

    def test_one_that_refuses_is_named_beside_one_that_is_silent(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        looks = Looks([ONE])
        looks.fails = {
            "http://v1": [ChainError("permissions are off")],
            "http://v3": [Unreachable("no answer")],
        }
        monkeypatch.setattr(permissions, "member_accounts", looks.accounts)
        monkeypatch.setattr(peers, "ask", looks.ask)
        with pytest.raises(Unreachable, match=r"2 of 3.*v1: permissions are off.*v3: no answer"):
            write_accounts(POOL, tmp_path / "accounts.toml", NODES)
        assert looks.told == ["http://v2"]
        assert ONE in (tmp_path / "accounts.toml").read_text()


class TestMemberAccounts:
    def test_i5_those_of_a_member_that_was_removed_long_ago_stay(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Only the custodian revokes what it witnessed, for as long as the grant may run.
        removed = member(1, ONE, Status.REMOVED)

        class Recorded(Consortium):
            def __init__(self, pool: RpcPool) -> None:
                pass

            def members(self, *, at: View | None = None) -> list[MemberRecord]:
                return [removed, member(2, TWO, Status.ACTIVE)]

        class Pool:
            def final_view(self) -> View:
                return View(9, bytes(32), UnixTime(200 * 86_400))

        monkeypatch.setattr(permissions, "Consortium", Recorded)
        assert permissions.member_accounts(cast(RpcPool, Pool())) == [ONE, TWO]


def member(number: int, account: Address, status: Status) -> MemberRecord:
    """A member since 0, removed then where it was; its account governs and witnesses."""
    powers = Power.GOVERN | Power.WITNESS
    record = AccountRecord(account, Member(number), powers, UnixTime(0), UnixTime(0))
    return MemberRecord(
        number=Member(number), name=f"Hospital {number}", role=Role.HOSPITAL, status=status,
        generation=Generation(1), frozen_at=UnixTime(0), statuses=((status, UnixTime(0)),),
        log_keys=(), key_digests=(), validators=(), urls=(), accounts=(record,),
    )  # fmt: skip
