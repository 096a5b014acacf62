"""Four real validators on one machine: finality, halts, forks, votes, and who gets in."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from xinglin._chain.answers import quantity
from xinglin._chain.contract import Call
from xinglin._chain.nodes import NodeCondition
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Phase, Sender
from xinglin._cli import main
from xinglin._network import clique, process
from xinglin._network.clique import Clique, find_geth
from xinglin._network.engine import NetworkOptions
from xinglin._network.probe import ask, ask_socket
from xinglin._network.topology import make_node, parse_enode, read_topology
from xinglin._network.votes import admit_node, cast_vote
from xinglin._network.watching import watch
from xinglin.errors import Unreachable, UsageError
from xinglin.keys import Account
from xinglin.names import Address

pytestmark = [pytest.mark.slow, pytest.mark.chain]

SOMEWHERE = Call(Address("0x0000000000000000000000000000000000000004"), b"\x01")


class Network:
    """The network of this session, and what a test does to it."""

    def __init__(self, folder: Path, profile: NetworkProfile) -> None:
        self.folder = folder
        self.profile = profile
        self.engine = Clique()

    def process(self, number: int) -> process.Process:
        found = process.find(self.folder / f"node{number}")
        assert found is not None
        return found

    def head(self, number: int) -> int:
        return quantity(ask(read_topology(self.folder)[number - 1].url, "eth_blockNumber"))

    def start(self, *numbers: int) -> None:
        nodes = read_topology(self.folder)
        for number in numbers:
            self.engine.start(self.folder, nodes[number - 1], nodes)

    def socket(self, number: int) -> Path:
        return self.folder / f"node{number}" / clique.SOCKET


def until(look: Callable[[], object], *, seconds: float, what: str) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if look():
                return
        except Unreachable:
            pass
        time.sleep(0.25)
    raise AssertionError(f"expected {what} within {seconds:.0f} s")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    try:
        find_geth()
    except UsageError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("clique")
    engine = Clique()
    profile = engine.up(folder, NetworkOptions(validators=4))
    try:
        yield Network(folder, profile)
    finally:
        engine.down(folder)


@pytest.fixture
def pool(network: Network) -> Iterator[RpcPool]:
    found = RpcPool(network.profile)
    yield found
    found.close()


class TestFinality:
    def test_it_is_a_majority_of_sealers_deep(self, network: Network, pool: RpcPool) -> None:
        until(lambda: pool.head().number > 6, seconds=40, what="six blocks")
        assert network.profile.finality.depth == 3
        assert pool.head().number - pool.final_view().number >= 3

    def test_the_tags_that_nobody_uses_are_errors_here(self, network: Network) -> None:
        with pytest.raises(Exception, match="not found"):
            ask(network.profile.rpc[0], "eth_getBlockByNumber", ["fina" + "lized", False])

    def test_a_transaction_of_price_zero_becomes_final(self, pool: RpcPool) -> None:
        sender = Sender(pool, Account.generate())
        state = sender.send(SOMEWHERE, final=True)
        assert state.phase is Phase.FINAL
        assert state.succeeded

    def test_the_headers_show_who_seals(self, network: Network, pool: RpcPool) -> None:
        sealing = watch(pool, saved=network.folder / "headers.json")
        assert sealing is not None
        assert set(sealing.validators) == set(network.profile.validators)
        assert set(sealing.recent) <= set(network.profile.validators)
        assert sum(sealing.recent.values()) == sealing.span


class TestKeys:
    def test_none_is_in_the_clear_on_disk_on_a_command_line_or_in_a_log(
        self, network: Network
    ) -> None:
        for number in range(1, 5):
            place = network.folder / f"node{number}"
            password = (place / "password").read_text().strip()
            (store,) = (place / "keystore").iterdir()
            from eth_account import Account as EthAccount

            key = bytes(EthAccount.decrypt(json.loads(store.read_bytes()), password)).hex()
            assert key not in store.read_text()
            pid = network.process(number).pid
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
            log = (place / "output.log").read_text()
            for secret in (key, password, (place / "nodekey").read_text()):
                assert secret not in line
                assert secret not in log
            for secret_file in (store, place / "password", place / "nodekey"):
                assert secret_file.stat().st_mode & 0o077 == 0


class TestReorganisation:
    def test_an_orphaned_transaction_is_sent_again_and_counts_once(
        self, network: Network, pool: RpcPool
    ) -> None:
        # I3. All four step back before the block that holds it, as after a fork that lost.
        sender = Sender(pool, Account.generate())
        signed = sender.build_and_sign(SOMEWHERE)
        first = sender.deliver(signed)
        assert first.block is not None
        for number in range(1, 5):
            back = [hex(first.block.number - 1)]
            ask_socket(network.socket(number), "debug_setHead", back)
        assert sender.state(signed).phase in (Phase.LOST, Phase.PENDING)
        second = sender.deliver(signed, final=True, timeout=90.0)
        assert second.block is not None
        assert second.block.hash != first.block.hash
        assert sender.next_nonce() == 1


class TestFaults:
    def test_with_one_killed_it_goes_on_and_nothing_is_lost(
        self, network: Network, pool: RpcPool
    ) -> None:
        process.kill(network.process(1))
        try:
            sender = Sender(pool, Account.generate())
            state = sender.send(SOMEWHERE, final=True, timeout=90.0)
            assert state.phase is Phase.FINAL
            assert pool.states()[0].condition is NodeCondition.UNREACHABLE
        finally:
            network.start(1)
        until(lambda: network.head(1) >= network.head(2) - 1, seconds=40, what="node1 to catch up")

    def test_with_two_killed_it_halts_and_what_was_sent_is_there_when_it_goes_on(
        self, network: Network
    ) -> None:
        for number in (1, 2):
            process.kill(network.process(number))
        pool = RpcPool(network.profile)
        try:
            time.sleep(5)
            stopped = network.head(3)
            sender = Sender(pool, Account.generate())
            signed = sender.build_and_sign(SOMEWHERE)
            sender.broadcast(signed)
            time.sleep(6)
            assert network.head(3) == stopped
            assert sender.state(signed).phase is Phase.PENDING
            # Its age grows, and whoever releases on a grant looks at it (I4).
            assert int(time.time()) - pool.final_view().time >= 10
        finally:
            network.start(1, 2)
        assert sender.deliver(signed, final=True, timeout=120.0).phase is Phase.FINAL
        assert sender.next_nonce() == 1
        pool.close()

    def test_one_that_is_paused_is_set_aside_and_holds_nobody_up(self, network: Network) -> None:
        pool = RpcPool(network.profile)
        process.pause(network.process(1))
        try:
            view = pool.final_view()
            assert view.number > 0
            assert pool.states()[0].condition is NodeCondition.UNREACHABLE
            assert Sender(pool, Account.generate()).send(SOMEWHERE, timeout=60.0).succeeded
        finally:
            process.resume(network.process(1))
            pool.close()
        until(lambda: network.head(1) >= network.head(2) - 1, seconds=40, what="node1 to catch up")


class TestMembership:
    def test_an_outsider_finds_no_peers_until_it_is_admitted(self, network: Network) -> None:
        nodes = read_topology(network.folder)
        outsider = make_node(network.folder, "outsider", validator=None)
        clique._init(find_geth(), network.folder, outsider)
        started = network.engine.start(network.folder, outsider, nodes)
        try:
            until(lambda: ask(outsider.url, "net_version"), seconds=60, what="an answer")
            time.sleep(8)
            assert quantity(ask(outsider.url, "net_peerCount")) == 0
            assert quantity(ask(outsider.url, "eth_blockNumber")) == 0
            admitted = admit_node(network.folder, outsider.enode)
            assert admitted.node_id == outsider.node_id

            def synced() -> bool:
                head = quantity(ask(outsider.url, "eth_blockNumber"))
                return head >= network.head(2) - 1 and head > 0

            until(synced, seconds=60, what="the admitted node to sync")
            number = hex(network.head(2) - 4)
            blocks = [
                ask(url, "eth_getBlockByNumber", [number, False])
                for url in (outsider.url, network.profile.rpc[1])
            ]
            assert blocks[0] == blocks[1]
        finally:
            process.stop(started)

    def test_one_is_voted_in_and_one_out_and_blocks_go_on(
        self, network: Network, pool: RpcPool, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fifth = admit_node(network.folder, None)
        assert fifth.address is not None
        for voter in ("node1", "node2", "node3"):
            cast_vote(network.folder, voter, fifth.address, admit=True)

        def sealing() -> tuple[Address, ...]:
            found = watch(pool, saved=network.folder / "headers.json")
            assert found is not None
            return found.validators

        until(lambda: fifth.address in sealing(), seconds=60, what="the fifth to be voted in")
        # The profile says who began; the headers say who seals since.
        assert fifth.address not in network.profile.validators

        leaving = read_topology(network.folder)[0].address
        assert leaving is not None
        for voter in ("node2", "node3", "node4"):
            cast_vote(network.folder, voter, leaving, admit=False)
        until(lambda: leaving not in sealing(), seconds=60, what="the first to be voted out")
        before = network.head(2)
        until(lambda: network.head(2) > before + 2, seconds=30, what="blocks to go on")

        with pytest.raises(SystemExit) as ended:
            main(["network", "validator", "list", "--data", str(network.folder), "--json"])
        shown = json.loads(capsys.readouterr().out)
        assert ended.value.code == 0, "nothing is on record, so nothing differs"
        assert fifth.address in shown["maySeal"]
        assert leaving not in shown["maySeal"]

    def test_a_name_that_is_no_node_of_ours_is_refused(self, network: Network) -> None:
        with pytest.raises(UsageError, match="node1"):
            cast_vote(network.folder, "node9", network.profile.validators[0], admit=True)


class TestBadInput:
    def test_more_than_five_validators_are_refused(self, tmp_path: Path) -> None:
        try:
            find_geth()
        except UsageError as error:
            pytest.skip(str(error))
        with pytest.raises(UsageError, match="1 to 5 validators, got 6"):
            Clique().up(tmp_path, NetworkOptions(validators=6))

    def test_no_program_says_how_to_build_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr("os.access", lambda path, mode: False)
        with pytest.raises(UsageError, match="make consortium"):
            find_geth()

    @pytest.mark.parametrize("text", ["enode://x@127.0.0.1:1", "enode://" + "a" * 128 + "@h:1"])
    def test_an_enode_has_one_form(self, text: str) -> None:
        with pytest.raises(UsageError, match="enode"):
            parse_enode(text, name="guest")
