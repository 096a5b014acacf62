"""Checkpoints on a real chain: exactly once, through lost replies, crashes and lost blocks."""

import contextlib
import shutil
import time
from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import select

from xinglin._chain.checkpoints import Checkpoints
from xinglin._chain.rpc import RpcPool, check_contracts
from xinglin._chain.sender import Sender
from xinglin._network import process
from xinglin._network.anvil import Anvil
from xinglin._network.engine import NetworkOptions
from xinglin.errors import WrongChain, XinglinError
from xinglin.names import Generation
from xinglin_node.anchoring.state import NOT_SEEN
from xinglin_node.chain.tables import AnchorRow, MemberRow, OutboxRow
from xinglin_node.chain.view import final_view
from xinglin_node.log.repository import tile_tree
from xinglin_node.log.service import EntryState, entry_status
from xinglin_node.problems import StorageRefused

FIRST = Generation(0)


class TestThreeStates:
    def test_an_entry_is_sequenced_then_anchored_then_final(self, chain, walk, tmp_path) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            node.follow()
            index = node.append()[0].index
            assert _state(node, index) is EntryState.SEQUENCED
            seen = set()
            _until(node, lambda: seen.add(_state(node, index)) or EntryState.FINAL in seen)
            assert seen <= {EntryState.SEQUENCED, EntryState.ANCHORED, EntryState.FINAL}

    def test_the_contract_has_our_root_and_takes_our_proof(self, chain, walk, tmp_path) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            node.follow()
            first = node.append(5)
            _until(node, lambda: _state(node, 0) is EntryState.FINAL)
            node.append(300)
            _until(node, lambda: _state(node, 304) is EntryState.FINAL)
            registry, head = Checkpoints(node.workers.pool), node.workers.pool.head()
            anchored = registry.history(member, FIRST, at=head)
            assert [one.size for one in anchored] == [5, 305]
            with node.house.database.reading() as session:
                proof = tile_tree(session, 0).prove_inclusion(3, 305)
            registry.verify_inclusion(
                member, FIRST, anchored=anchored[1], index=3, leaf=first[3].leaf, path=proof.path
            )

    def test_nothing_is_anchored_while_nothing_grows(self, chain, walk, tmp_path) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            node.follow()
            node.append()
            _until(node, lambda: _state(node, 0) is EntryState.FINAL)
            for _ in range(3):
                node.step()
            assert _anchors(node, member) == [1]

    def test_a_padded_checkpoint_is_a_multiple_of_64(self, chain, walk, tmp_path) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", chain.profile, member, keys, pad_checkpoints=True) as node:
            node.follow()
            node.append(3)
            _until(node, lambda: _state(node, 2) is EntryState.FINAL)
            assert _anchors(node, member) == [64]


class TestExactlyOnce:
    """I3: what was acknowledged is anchored exactly once."""

    def test_i3_a_lost_reply_does_not_anchor_twice(
        self, chain, between, through, walk, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", through, member, keys) as node:
            node.follow()
            node.append(2)
            between.lose.add("eth_sendRawTransaction")
            _try(node)
            time.sleep(1.1)
            _try(node)
            between.lose.clear()
            _until(node, lambda: _state(node, 1) is EntryState.FINAL)
            assert _anchors(node, member) == [2]

    def test_i3_a_transaction_that_never_arrived_is_sent_again(
        self, chain, between, through, walk, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", through, member, keys) as node:
            node.follow()
            node.append(2)
            between.refuse.add("eth_sendRawTransaction")
            _until(node, lambda: _signed(node))
            between.refuse.clear()
            _until(node, lambda: _state(node, 1) is EntryState.FINAL)
            assert _anchors(node, member) == [2]

    def test_i3_a_crash_after_signing_is_taken_up_by_the_next_process(
        self, chain, between, through, walk, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", through, member, keys) as node:
            node.follow()
            node.append(4)
            between.refuse.add("eth_sendRawTransaction")
            _until(node, lambda: _signed(node))
        between.refuse.clear()
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            _until(node, lambda: _state(node, 3) is EntryState.FINAL)
            assert _anchors(node, member) == [4]

    def test_i3_one_that_is_pending_is_sent_again_as_it_was_by_the_next_process(
        self, own_chain, walk, tmp_path, monkeypatch
    ) -> None:
        # The node that has it may be cut off; another must not get a second one.
        with own_chain(tmp_path / "chain", 3) as chain:
            member, keys = chain.hospital()
            url, sent = chain.profile.rpc[0], []
            with walk(tmp_path / "node", chain.profile, member, keys) as node:
                node.follow()
                node.append(2)
                _rpc(url, "evm_setIntervalMining", [0])
                _until(node, lambda: _signed(node))
                with node.house.database.reading() as session:
                    raw = session.scalars(select(AnchorRow.raw)).one()
            with walk(tmp_path / "node", chain.profile, member, keys) as node:
                send = Sender.broadcast
                monkeypatch.setattr(
                    Sender, "broadcast", lambda self, one: (sent.append(one.raw), send(self, one))
                )
                node.step()
                assert sent == [raw]
                _rpc(url, "evm_setIntervalMining", [1])
                _until(node, lambda: _state(node, 1) is EntryState.FINAL)
                assert _anchors(node, member) == [2]

    def test_i3_a_block_that_is_reorganised_away_takes_its_anchor_back(
        self, own_chain, walk, tmp_path
    ) -> None:
        with own_chain(tmp_path / "chain", 3) as chain:
            member, keys = chain.hospital()
            with walk(tmp_path / "node", chain.profile, member, keys) as node:
                node.follow()
                node.append(2)
                _until(
                    node,
                    lambda: _state(node, 1) is not EntryState.SEQUENCED,
                    pause=0.05,
                )
                _rpc(chain.profile.rpc[0], "anvil_reorg", [3, []])
                _until(node, lambda: _state(node, 1) is EntryState.FINAL and _anchored(node))
                assert _anchors(node, member) == [2]

    def test_i3_an_anvil_that_lost_final_blocks_gets_every_entry_again(
        self, own_chain, walk, tmp_path
    ) -> None:
        with own_chain(tmp_path / "chain", 3) as chain:
            member, keys = chain.hospital()
            engine, folder = Anvil(), chain.folder
            with walk(tmp_path / "node", chain.profile, member, keys) as node:
                node.follow()
                node.append(2)
                _until(node, lambda: _state(node, 1) is EntryState.FINAL)
                time.sleep(1.5)  # the state is written each second
                state = _state_file(folder)
                shutil.copy(state, tmp_path / "earlier.json")
                node.append(3)
                _until(node, lambda: _state(node, 4) is EntryState.FINAL)
                process.kill(engine.processes(folder)[0])
                shutil.copy(tmp_path / "earlier.json", state)
                engine.up(folder, NetworkOptions())

                node.append(1)
                _until(node, lambda: _state(node, 4) is EntryState.SEQUENCED)
                assert _state(node, 1) is EntryState.FINAL
                _until(node, lambda: _state(node, 5) is EntryState.FINAL)
                assert _state(node, 4) is EntryState.FINAL
                sizes = _anchors(node, member)
                assert sizes[0] == 2
                assert sizes[-1] == 6
                assert sizes == sorted(set(sizes))


class TestShorterLog:
    def test_i3_a_log_shorter_than_the_chains_serves_and_sequences_nothing(
        self, chain, walk, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            node.follow()
            node.append(3)
            _until(node, lambda: _state(node, 2) is EntryState.FINAL)
        with walk(tmp_path / "restored", chain.profile, member, keys) as node:
            node.step()
            halted = node.house.writer.halted
            assert halted is not None
            assert (halted.expected, halted.got) == (
                "the 3 entries that the chain has",
                "a log of 0",
            )
            with pytest.raises(StorageRefused, match="3 entries"):
                node.append()
            with node.house.database.reading() as session:
                assert final_view(session).number > 0

    def test_i2_a_log_that_differs_from_the_chains_sequences_nothing(
        self, chain, walk, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            node.follow()
            node.append(3)
            _until(node, lambda: _state(node, 2) is EntryState.FINAL)
        with walk(tmp_path / "other", chain.profile, member, keys) as node:
            node.append(5)
            node.step()
            assert "differs" in node.house.writer.halted.got

    def test_nothing_is_sequenced_before_the_chain_was_seen(self, chain, walk, tmp_path) -> None:
        member, keys = chain.hospital()
        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            node.house.writer.halt(NOT_SEEN)
            with pytest.raises(StorageRefused, match="first look"):
                node.append()
            node.step()
            node.append()


class TestOutbox:
    def test_a_transaction_is_sent_once_and_followed_until_final(
        self, chain, walk, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        from xinglin._chain.consortium import Consortium

        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            call = Consortium(node.workers.pool).freeze()
            _queue(node, "freeze", call.to, call.data)
            _until(node, lambda: _row(node, "freeze").state == "final")
            node.follow()
            with node.house.database.reading() as session:
                assert session.get(MemberRow, member).frozen

    def test_what_the_contract_refuses_says_why_and_is_sent_no_more(
        self, chain, walk, tmp_path
    ) -> None:
        member, keys = chain.hospital()
        from xinglin._chain.consents import Consents
        from xinglin.names import UnixTime

        with walk(tmp_path / "node", chain.profile, member, keys) as node:
            call = Consents(node.workers.pool).witness(
                b"{}", not_before=UnixTime(0), expires_at=UnixTime(4_000_000_000)
            )
            _queue(node, "give", call.to, call.data)
            node.step()
            row = _row(node, "give")
            assert (row.state, row.error) == ("refused", "ConsentUnauthorizedWitness")
            assert row.transaction is None


class TestWrongChain:
    def test_other_code_at_our_address_is_refused(self, chain) -> None:
        from dataclasses import replace

        contracts = chain.profile.deployed
        other = replace(contracts.consortium, code_hash=bytes(32))
        profile = replace(chain.profile, contracts=replace(contracts, consortium=other))
        pool = RpcPool(profile)
        with pytest.raises(WrongChain, match="code hash"):
            check_contracts(pool)
        pool.close()


def _until(node, done: Callable[[], object], *, pause: float = 0.2, seconds: float = 40) -> None:
    ends = time.monotonic() + seconds
    while not done():
        _try(node)
        if time.monotonic() > ends:
            raise TimeoutError(f"not within {seconds} s; halted: {node.house.writer.halted}")
        time.sleep(pause)


def _signed(node) -> bool:
    """Whether the one anchor is signed and written down."""
    with node.house.database.reading() as session:
        return session.scalars(select(AnchorRow.raw)).one_or_none() is not None


def _try(node) -> None:
    """A step as the worker's thread takes it: an error of the chain ends it, and that is all."""
    with contextlib.suppress(XinglinError):
        node.step()


def _state(node, index: int) -> EntryState:
    with node.house.database.reading() as session:
        return entry_status(session, 0, index).state


def _anchored(node) -> bool:
    size = Checkpoints(node.workers.pool).latest_size(node.house.member, FIRST)
    return size == node.house.writer.head.size


def _anchors(node, member) -> list[int]:
    """Sizes in the events of the chain as it stands: each twice-sent one would show."""
    pool = node.workers.pool
    return [one.size for one in Checkpoints(pool).history(member, FIRST, at=pool.head())]


def _queue(node, key: str, to: str, payload: bytes) -> None:
    def work(write) -> None:
        write.session.add(
            OutboxRow(
                key=key, account="anchor", to=to, payload=payload, not_before=write.now,
                state="waiting", created_at=write.now,
            )
        )  # fmt: skip

    node.house.writer.submit(work).result()


def _row(node, key: str) -> OutboxRow:
    with node.house.database.reading() as session:
        return session.scalars(select(OutboxRow).where(OutboxRow.key == key)).one()


def _rpc(url: str, method: str, params: list[object]) -> object:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return httpx.post(url, json=body, trust_env=False).json()["result"]


def _state_file(folder):
    return next(path for path in folder.rglob("*.json") if "state" in path.name)
