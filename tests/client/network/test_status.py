"""`network status` and `network validator list`: how they end, and what they keep."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.client.network.sealed import SealedNodes

from xinglin._chain.profile import Finality, FinalityRule
from xinglin._cli import main, network, signing
from xinglin._network.profile import save

Command = Callable[..., tuple[int, Any, str]]

COMMANDS = [("network", "status"), ("network", "validator", "list")]


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SealedNodes:
    """A network whose profile is named by the environment, as in production."""
    found = SealedNodes(3, blocks=40)
    save(found.profile, tmp_path / "network.toml")
    monkeypatch.setenv("XINGLIN_NETWORK", str(tmp_path / "network.toml"))
    for module in (network, signing):
        monkeypatch.setattr(module, "RpcPool", lambda profile: found.pool)
    return found


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command with --json; its exit code, what it printed, what it said on the side."""

    def run(*words: str) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--json"])
        printed = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        assert printed.out, printed.err
        return ended.value.code, json.loads(printed.out), printed.err

    return run


class TestAge:
    def test_i4_a_view_that_is_older_than_a_release_may_use_is_exit_code_1(
        self, nodes: SealedNodes, command: Command
    ) -> None:
        nodes.age = nodes.profile.max_view_age + 60
        code, shown, said = command("network", "status")
        assert code == 1
        assert shown["stale"] is True
        assert shown["final"]["ageSeconds"] >= nodes.age, "it is shown all the same"
        assert "nothing is released under a grant" in json.loads(said)["message"]

    def test_one_that_is_younger_is_0(self, nodes: SealedNodes, command: Command) -> None:
        nodes.age = nodes.profile.max_view_age - 60
        code, shown, said = command("network", "status")
        assert (code, shown["stale"], said) == (0, False, "")


class TestDepth:
    @pytest.mark.parametrize(("depth", "shallow"), [(0, False), (1, True), (2, False), (3, False)])
    def test_one_that_is_less_than_those_who_really_seal_need_is_said(
        self,
        nodes: SealedNodes,
        command: Command,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        depth: int,
        shallow: bool,
    ) -> None:
        # Three may seal, and need floor(3 / 2) + 1.
        rule = FinalityRule.DEPTH if depth else FinalityRule.IMMEDIATE
        nodes.profile = replace(nodes.profile, finality=Finality(rule, depth))
        save(nodes.profile, tmp_path / "network.toml")
        code, shown, _ = command("network", "status")
        assert (code, shown["tooShallow"]) == (0, shallow)
        with pytest.raises(SystemExit):
            main(["network", "status"])
        assert ("too shallow" in capsys.readouterr().out) is shallow


class TestGoingOn:
    @pytest.mark.parametrize("words", COMMANDS)
    def test_where_the_headers_were_followed_to_is_kept_beside_the_profile(
        self, nodes: SealedNodes, command: Command, tmp_path: Path, words: tuple[str, ...]
    ) -> None:
        first = command(*words)
        assert (tmp_path / "headers.json").is_file()
        nodes.asked.clear()
        assert command(*words)[0] == first[0] == 0
        assert 0 not in nodes.asked
        assert len(nodes.asked) < 20

    @pytest.mark.parametrize("words", COMMANDS)
    def test_where_nothing_can_be_written_they_are_followed_all_the_same(
        self,
        nodes: SealedNodes,
        command: Command,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        words: tuple[str, ...],
    ) -> None:
        monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
        assert command(*words)[0] == 0
        assert not (tmp_path / "headers.json").exists()
