"""What an institution does on its own node: it votes, and lets every node know a newcomer."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.client.network.conftest import SILENT, Besu

from xinglin._network import clique, process
from xinglin._network.clique import Clique
from xinglin._network.process import Process
from xinglin._network.topology import CliqueNode, read_topology, write_topology
from xinglin._network.votes import admit_node, cast_vote
from xinglin.errors import Unreachable, UsageError
from xinglin.names import Address

CANDIDATE = Address("0x" + "1" * 40)
GUEST = f"enode://{'f' * 128}@127.0.0.1:30399?discport=0"


class TestVotingOnBesu:
    @pytest.mark.parametrize("admit", [True, False])
    def test_the_vote_goes_to_the_own_node_with_candidate_and_direction(
        self, tmp_path: Path, besu: Besu, admit: bool
    ) -> None:
        cast_vote(tmp_path, besu.url, CANDIDATE, admit=admit)
        assert besu.asked == [("qbft_proposeValidatorVote", [CANDIDATE, admit])]

    def test_a_node_that_does_not_answer_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:9"):
            cast_vote(tmp_path, SILENT, CANDIDATE, admit=True)


class TestVotingInATrial:
    def test_a_node_that_seals_nothing_has_no_vote(self, tmp_path: Path) -> None:
        write_topology(tmp_path, (replace(node(1), address=None),))
        with pytest.raises(UsageError, match="seals nothing"):
            cast_vote(tmp_path, "node1", CANDIDATE, admit=True)


def node(number: int) -> CliqueNode:
    return CliqueNode(f"node{number}", CANDIDATE, str(number) * 128, 1, 2, 3)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Who was told of a newcomer in a trial network of three, of which the first is paused."""
    write_topology(tmp_path, tuple(node(number) for number in (1, 2, 3)))
    found: list[str] = []

    def ask_socket(path: Path, method: str, params: list[object]) -> object:
        assert (path.name, method) == (clique.SOCKET, "admin_addTrustedPeer")
        if path.parent.name == "node1":
            raise Unreachable(f"{path} did not answer {method}")
        found.append(path.parent.name)
        return True

    class Running(Process):
        alive = True  # type: ignore[assignment]

    monkeypatch.setattr(process, "find", lambda folder: Running(folder, 1, ""))
    monkeypatch.setattr(clique, "ask_socket", ask_socket)
    return found


class TestANodeThatDoesNotAnswer:
    def test_the_others_know_the_newcomer_and_it_is_written_down_for_the_next_start(
        self, tmp_path: Path, told: list[str]
    ) -> None:
        with pytest.raises(Unreachable, match="node1"):
            admit_node(tmp_path, GUEST)
        assert told == ["node2", "node3"]
        assert read_topology(tmp_path)[-1].enode == GUEST

    def test_telling_it_again_lists_the_newcomer_once(
        self, tmp_path: Path, told: list[str]
    ) -> None:
        for _ in range(2):
            with pytest.raises(Unreachable, match="node1"):
                admit_node(tmp_path, GUEST)
        assert told == ["node2", "node3"] * 2
        assert [one.enode for one in read_topology(tmp_path)].count(GUEST) == 1

    def test_a_new_node_is_started_and_its_keys_are_made_once(
        self, tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[str] = []
        monkeypatch.setattr(clique, "find_geth", lambda: "geth")
        monkeypatch.setattr(clique, "_init", lambda *_: None)
        monkeypatch.setattr(Clique, "start", lambda _, folder, one, *more: started.append(one.name))
        for name in ("node4", "node5"):
            with pytest.raises(Unreachable, match="node1"):
                admit_node(tmp_path, None)
            assert started[-1] == name
            assert read_topology(tmp_path)[-1].name == name
        assert len(list((tmp_path / "node4" / "keystore").iterdir())) == 1
