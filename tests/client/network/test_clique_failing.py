"""Trial networks that do not come up: what is said, what is left, and whether one can try again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from xinglin._chain.answers import quantity
from xinglin._cli import main
from xinglin._network import clique, process, readiness
from xinglin._network.clique import Clique, find_geth
from xinglin._network.engine import NetworkOptions
from xinglin._network.probe import ask, ask_socket
from xinglin._network.profile import load
from xinglin._network.topology import CliqueNode, read_topology
from xinglin.errors import UsageError

pytestmark = [pytest.mark.slow, pytest.mark.chain]

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def geth() -> str:
    try:
        return find_geth()
    except UsageError as error:
        pytest.skip(str(error))


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """Run a command with --json; return what it printed, on success or refusal."""
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    shown = capsys.readouterr()
    assert ended.value.code == code, shown.err
    return json.loads(shown.out if code == 0 else shown.err.strip().splitlines()[-1])


def up(folder: Path, validators: int, *more: str) -> tuple[str, ...]:
    """The words that start a network of that many validators."""
    chosen = ("--engine", "clique", "--validators", str(validators), "--data", str(folder))
    return ("network", "up", *chosen, *more)


def running_in(folder: Path) -> list[int]:
    """Every process of this machine that works in a folder or below it."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (place / "cwd").readlink().is_relative_to(folder):
                found.append(int(place.name))
        except OSError:
            continue
    return found


def assert_nothing_is_left(folder: Path) -> None:
    assert running_in(folder) == []
    assert not folder.exists() or list(folder.iterdir()) == []


def ports_in_a_row(count: int) -> int:
    for first in process.free_ports(50):
        if first < 65_000 and all(process.is_free(first + n) for n in range(count)):
            return first
    pytest.skip("no free ports in a row")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[process.Process]:
    """The processes that a test starts, as they were when they were started."""
    found: list[process.Process] = []
    real = process.start

    def start(*arguments: Any, **options: Any) -> process.Process:
        found.append(real(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(process, "start", start)
    return found


@pytest.fixture
def fake_geth(geth: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program lies that is found before the real geth, and at first is that."""
    path = tmp_path / ".cache" / "bin" / "geth"
    path.parent.mkdir(parents=True)
    path.symlink_to(geth)
    monkeypatch.chdir(tmp_path)
    assert find_geth() == str(path)
    return path


def replace_by_script(path: Path, geth: str, unless: str) -> None:
    """Let geth end at once with a word of its own where the shell finds `unless`."""
    path.unlink()
    path.write_text(
        f"#!/bin/sh\ncase \"$PWD $*\" in {unless}) echo 'Fatal: out of luck' >&2; exit 1;; esac\n"
        f'exec {geth} "$@"\n'
    )
    path.chmod(0o755)


class TestAPortThatIsTaken:
    def test_it_is_named_the_first_node_is_stopped_and_the_same_command_works_afterwards(
        self,
        geth: str,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        started: list[process.Process],
    ) -> None:
        folder, port = tmp_path / "chain", ports_in_a_row(2)
        words = up(folder, 2, "--port", str(port))
        with socket.create_server(("127.0.0.1", port + 1)):
            refused = run(capsys, *words, code=2)
        assert refused["error"] == "UsageError"
        assert refused["message"] == f"expected port {port + 1} to be free, it is taken"
        assert [one.folder.name for one in started] == ["node1"], "it came half way"
        assert_nothing_is_left(folder)
        try:
            assert len(run(capsys, *words)["rpc"]) == 2
        finally:
            run(capsys, "network", "down", "--data", str(folder))
        assert running_in(folder) == []

    @pytest.mark.parametrize("which", ["http", "peers", "engine"])
    def test_after_it_was_planned_to_be_used_as_well(
        self, geth: str, tmp_path: Path, which: str, started: list[process.Process]
    ) -> None:
        held: list[socket.socket] = []

        def take(said: str) -> None:
            if said == "writing the genesis block":
                port = getattr(read_topology(tmp_path)[1], which)
                held.append(socket.create_server(("127.0.0.1", port)))

        try:
            with pytest.raises(UsageError, match=r"expected port \d+ to be free"):
                Clique().up(tmp_path, NetworkOptions(validators=2), take)
        finally:
            for one in held:
                one.close()
        assert len(held) == len(started) == 1
        assert_nothing_is_left(tmp_path)


class TestAGethThatEnds:
    @pytest.mark.parametrize("validators", [1, 2])
    def test_at_once_is_said_at_once_with_its_own_words(
        self,
        geth: str,
        fake_geth: Path,
        tmp_path: Path,
        validators: int,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        folder = tmp_path / "chain"
        replace_by_script(fake_geth, geth, f"*node{validators}*--http*")
        began = time.monotonic()
        refused = run(capsys, *up(folder, validators), code=3)
        assert time.monotonic() - began < readiness.MESH_SECONDS / 2, "it was not waited for"
        assert refused["error"] == "Unreachable"
        assert refused["message"] == f"node{validators} ended at once: Fatal: out of luck"
        assert_nothing_is_left(folder)

    def test_and_takes_no_genesis_block_leaves_a_folder_that_can_be_used(
        self, geth: str, fake_geth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "chain"
        replace_by_script(fake_geth, geth, "*node1*init*")
        refused = run(capsys, *up(folder, 1), code=3)
        assert refused["message"] == "node1 refused the genesis block: Fatal: out of luck\n"
        assert_nothing_is_left(folder)
        fake_geth.unlink()
        fake_geth.symlink_to(geth)
        try:
            assert len(run(capsys, *up(folder, 1))["rpc"]) == 1
        finally:
            run(capsys, "network", "down", "--data", str(folder))

    def test_a_program_that_is_cut_off_is_named(
        self, fake_geth: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fake_geth.unlink()
        fake_geth.write_bytes(b"\x7fELF")
        fake_geth.chmod(0o755)
        refused = run(capsys, *up(tmp_path / "chain", 1), code=2)
        assert str(fake_geth) in refused["message"]
        assert_nothing_is_left(tmp_path / "chain")


@pytest.fixture(scope="module")
def pair(geth: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a network of two that runs."""
    folder = tmp_path_factory.mktemp("pair")
    Clique().up(folder, NetworkOptions(validators=2))
    yield folder
    Clique().down(folder)


class TestANetworkThatExists:
    def test_is_not_started_twice_and_runs_on(
        self, pair: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = running_in(pair)
        refused = run(capsys, *up(pair, 2), code=2)
        assert "already running" in refused["message"]
        assert running_in(pair) == before
        assert len(before) == 2

    def test_keeps_its_keys_and_blocks_when_it_cannot_be_started(
        self, pair: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run(capsys, "network", "down", "--data", str(pair))
        second = read_topology(pair)[1]
        with socket.create_server(("127.0.0.1", second.http)):
            refused = run(capsys, *up(pair, 2), code=2)
        assert str(second.http) in refused["message"]
        assert running_in(pair) == []
        shown = run(capsys, *up(pair, 2))
        assert shown["genesis"] == "0x" + load(pair / "network.toml").genesis.hex()
        assert quantity(ask(second.url, "eth_blockNumber")) > 1

    def test_whose_profile_is_lost_is_not_written_over(
        self, pair: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        profile = pair / "network.toml"
        aside = profile.rename(pair / "aside.toml")
        key = (pair / "node1" / "nodekey").read_bytes()
        try:
            refused = run(capsys, *up(pair, 2), code=2)
            assert "expected the profile of a network beside nodes.json" in refused["message"]
        finally:
            aside.rename(profile)
        assert (pair / "node1" / "nodekey").read_bytes() == key


def heads(folder: Path) -> list[int]:
    return [quantity(ask(node.url, "eth_blockNumber")) for node in read_topology(folder)]


def lose_a_block(folder: Path) -> int:
    """
    Let one of two nodes forget the block that the other sealed last; return its place.

    The other may not seal twice in a row and tells of no block twice: both wait for ever.
    """
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        nodes, before = read_topology(folder), heads(folder)
        if min(before) < max(before):
            time.sleep(0.02)
            continue
        sockets = [folder / node.name / clique.SOCKET for node in nodes]
        sealer = ask_socket(sockets[0], "clique_getSigner", [hex(before[0])])
        other = 1 if str(sealer).lower() == str(nodes[0].address).lower() else 0
        ask_socket(sockets[other], "debug_setHead", [hex(before[0] - 1)])
        time.sleep(3)
        after = heads(folder)
        if after[other] == after[1 - other] - 1 and after == heads(folder):
            return other
    raise AssertionError("expected a network that stands still within 60 s")


class TestANetworkThatStandsStill:
    def test_goes_on_when_the_node_that_lacks_a_block_is_started_again(self, pair: Path) -> None:
        nodes, engine = read_topology(pair), Clique()
        lacking = lose_a_block(pair)
        stood = max(heads(pair))
        again: list[str] = []

        def restart(node: CliqueNode) -> None:
            again.append(node.name)
            engine._restart(pair, node, nodes, find_geth())

        readiness.wait_for_block(pair, nodes, restart)
        assert again == [nodes[lacking].name]
        assert min(heads(pair)) >= stood


class TestACommandThatIsEnded:
    @pytest.fixture
    def half_way(self, geth: str, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
        """`network up`, when both nodes run and no block is there yet."""
        paths = os.pathsep.join(str(ROOT / part) for part in ("client", "node", "ml"))
        command = subprocess.Popen(
            [sys.executable, "-m", "xinglin", *up(tmp_path, 2)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": paths},
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests in the background has it ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        try:
            ends = time.monotonic() + 60
            pids = [tmp_path / name / process.PID_FILE for name in ("node1", "node2")]
            while time.monotonic() < ends and not all(path.exists() for path in pids):
                assert command.poll() is None, command.communicate()
                time.sleep(0.05)
            assert not (tmp_path / "network.toml").exists()
            yield command
        finally:
            command.kill()
            command.wait()
            assert command.stderr is not None
            command.stderr.close()
            Clique().down(tmp_path)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_takes_its_nodes_with_it(
        self, half_way: "subprocess.Popen[str]", tmp_path: Path, number: signal.Signals
    ) -> None:
        half_way.send_signal(number)
        _, said = half_way.communicate(timeout=30)
        assert half_way.returncode == 130, said
        assert "Traceback" not in said
        assert_nothing_is_left(tmp_path)

    def test_even_where_it_could_not_its_nodes_are_found_and_stopped(
        self,
        half_way: "subprocess.Popen[str]",
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        half_way.kill()
        half_way.wait()
        assert len(running_in(tmp_path)) == 2
        assert "network down" in run(capsys, *up(tmp_path, 2), code=2)["message"]
        assert run(capsys, "network", "down", "--data", str(tmp_path))["stopped"] == 2
        assert running_in(tmp_path) == []
