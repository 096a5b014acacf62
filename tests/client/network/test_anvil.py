"""Anvil as this project starts it: found again, kept on disk, and nothing left behind."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from xinglin._chain.answers import quantity
from xinglin._chain.contract import Call
from xinglin._chain.profile import FeeRule
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Phase, Sender
from xinglin._network import process
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import FUNDED_WEI, NetworkOptions, find_engine
from xinglin._network.profile import load
from xinglin.errors import ChainError, Unreachable, UsageError
from xinglin.keys import Account
from xinglin.names import Address

SOMEWHERE = Call(Address("0x0000000000000000000000000000000000000004"), b"\x01")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Anvil]:
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))
    anvil = Anvil()
    yield anvil
    anvil.down(tmp_path)


class TestLifeOfANetwork:
    def test_it_goes_on_from_its_state_at_its_address(self, engine: Anvil, tmp_path: Path) -> None:
        first = engine.up(tmp_path, NetworkOptions())
        sender = Sender(RpcPool(first), Account.generate())
        signed = sender.build_and_sign(SOMEWHERE)
        sender.deliver(signed, final=True)
        assert engine.down(tmp_path) == 1
        second = engine.up(tmp_path, NetworkOptions())
        assert second == first == load(tmp_path / "network.toml")
        assert Sender(RpcPool(second), Account.generate()).pool.head().number >= 1
        again = Sender(RpcPool(second), sender.account)
        assert again.state(signed).phase is Phase.FINAL

    def test_after_a_power_cut_the_signed_bytes_are_sent_again(
        self, engine: Anvil, tmp_path: Path
    ) -> None:
        # I3: the last second may be lost; what was written down is not.
        profile = engine.up(tmp_path, NetworkOptions())
        sender = Sender(RpcPool(profile), Account.generate())
        signed = sender.build_and_sign(SOMEWHERE)
        sender.deliver(signed)
        process.kill(engine.processes(tmp_path)[0])
        with pytest.raises(Unreachable):
            RpcPool(profile).head()
        profile = engine.up(tmp_path, NetworkOptions())
        again = Sender(RpcPool(profile), sender.account)
        assert again.deliver(signed, final=True).phase is Phase.FINAL
        assert again.next_nonce() == 1

    def test_an_account_that_was_named_holds_coins_after_a_restart_too(
        self, engine: Anvil, tmp_path: Path
    ) -> None:
        rich = Account.generate()
        options = NetworkOptions(fee=FeeRule.FUNDED, funded=(rich.address,))
        for _ in range(2):
            pool = RpcPool(engine.up(tmp_path, options))
            asked = [rich.address, "latest"]
            assert quantity(pool.request("eth_getBalance", asked)) == FUNDED_WEI
            engine.down(tmp_path)

    def test_down_leaves_no_process_and_no_pid_file(self, engine: Anvil, tmp_path: Path) -> None:
        engine.up(tmp_path, NetworkOptions())
        running = engine.processes(tmp_path)[0]
        engine.down(tmp_path)
        assert not running.alive
        with pytest.raises(ProcessLookupError):
            os.kill(running.pid, 0)
        assert engine.processes(tmp_path) == ()
        assert engine.down(tmp_path) == 0

    def test_a_second_up_in_the_same_folder_is_refused(self, engine: Anvil, tmp_path: Path) -> None:
        engine.up(tmp_path, NetworkOptions())
        with pytest.raises(UsageError, match="already running"):
            engine.up(tmp_path, NetworkOptions())
        assert engine.processes(tmp_path)[0].alive

    def test_a_lost_state_file_is_noticed(self, engine: Anvil, tmp_path: Path) -> None:
        engine.up(tmp_path, NetworkOptions())
        engine.down(tmp_path)
        (tmp_path / "anvil" / "state.json").unlink()
        with pytest.raises(ChainError, match="was lost"):
            engine.up(tmp_path, NetworkOptions())
        assert not any(one.alive for one in engine.processes(tmp_path))

    def test_half_a_state_file_is_told_from_a_whole_one(
        self, engine: Anvil, tmp_path: Path
    ) -> None:
        engine.up(tmp_path, NetworkOptions())
        engine.down(tmp_path)
        state = tmp_path / "anvil" / "state.json"
        state.write_bytes(state.read_bytes()[:-20])
        with pytest.raises(ChainError, match="cut off"):
            engine.up(tmp_path, NetworkOptions())

    def test_what_is_final_can_be_read_right_after_a_restart(
        self, engine: Anvil, tmp_path: Path
    ) -> None:
        engine.up(tmp_path, NetworkOptions())
        engine.down(tmp_path)
        pool = RpcPool(engine.up(tmp_path, NetworkOptions()))
        assert pool.call(Address("0x0000000000000000000000000000000000000004"), b"hi") == b"hi"
        assert pool.code(Account.generate().address, at=pool.final_view()) == b""


class TestBadInput:
    def test_a_taken_port_is_named(self, engine: Anvil, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            with pytest.raises(UsageError, match=f"port {port} to be free"):
                engine.up(tmp_path, NetworkOptions(port=port))

    def test_no_program_says_what_brings_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr("os.access", lambda path, mode: False)
        with pytest.raises(UsageError, match="npm ci"):
            find_anvil()

    def test_several_validators_are_not_anvil_s_business(
        self, engine: Anvil, tmp_path: Path
    ) -> None:
        with pytest.raises(UsageError, match="got 4 validators"):
            engine.up(tmp_path, NetworkOptions(validators=4))

    def test_an_unknown_engine_is_named_with_those_there_are(self) -> None:
        with pytest.raises(UsageError, match="anvil, clique, qbft, got ibft"):
            find_engine("ibft")
        with pytest.raises(UsageError, match="network genesis"):
            find_engine("qbft")


class TestProcesses:
    def test_what_ends_at_once_is_told_with_its_last_words(self, tmp_path: Path) -> None:
        started = process.start(tmp_path, ["sh", "-c", "echo no such thing >&2; exit 3"])
        assert process._gone(started, 10.0)
        with pytest.raises(Unreachable, match="no such thing"):
            process.require_alive(started, "it")

    def test_a_pid_that_now_belongs_to_another_is_never_signalled(self, tmp_path: Path) -> None:
        started = process.start(tmp_path, ["sleep", "60"])
        try:
            stranger = process.Process(tmp_path, started.pid, "1")
            assert not stranger.alive
            process.kill(stranger)
            assert started.alive
        finally:
            process.stop(started)

    def test_one_that_is_paused_is_stopped_too(self, tmp_path: Path) -> None:
        started = process.start(tmp_path, ["sleep", "60"])
        process.pause(started)
        process.stop(started, patience=5.0)
        assert not started.alive

    def test_one_that_will_not_go_is_made_to(self, tmp_path: Path) -> None:
        command = "trap '' TERM; echo ready; while true; do sleep 0.1; done"
        started = process.start(tmp_path, ["sh", "-c", command])
        while "ready" not in started.log_tail:
            pass
        process.stop(started, patience=0.3)
        assert not started.alive
        assert process.find(tmp_path) is None

    def test_a_program_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="/no/such/program"):
            process.start(tmp_path, ["/no/such/program"])
