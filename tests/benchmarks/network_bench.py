"""
What a network carries, and what it costs: records anchored a second, gas, and a validator.

    python tests/benchmarks/network_bench.py [--records 2000] [--rounds 5] [--blocks 10000] [--json]

The same hospital's node, over HTTP, first on Anvil and then on four go-ethereum validators
(`make consortium`), which are left out with the reason where they were not built. Records
are sealed before the clock starts: 4 KiB, two recipients, signed. A round begins with the
first submission and ends when the last record is final. Beside it stand records that have a
transaction each, all in one run on one machine. Then one validator seals `--blocks` blocks
as fast as it can, each with a hospital's checkpoint in it. Medians of at least five rounds;
nothing here fails on a time.
"""

import argparse
import hashlib
import json
import os
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import httpx
from node_bench import (
    BATCH,
    Author,
    Bench,
    _wait_sequencing,
    create_house,
    credential_for,
    gas_of_anchors,
    make_author,
    percentile,
    sealed_frame,
    served,
    settings_of,
    stage,
)
from rich.console import Console
from rich.table import Table

from xinglin._chain.answers import data, quantity
from xinglin._chain.checkpoints import NO_ANCHOR, Anchor, Checkpoints
from xinglin._chain.consortium import Applicant, NewAccount
from xinglin._chain.contract import Call
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id
from xinglin._chain.profile import FeeRule, Finality, FinalityRule, NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Fee, Sender
from xinglin._chain.words import Power
from xinglin._network import clique, process
from xinglin._network.anvil import Anvil
from xinglin._network.clique import Clique
from xinglin._network.engine import Engine, NetworkOptions
from xinglin._network.probe import ask
from xinglin._network.process import Process
from xinglin._network.topology import make_node, write_topology
from xinglin.errors import Unreachable, UsageError
from xinglin.keys import Account, HpkeIdentity
from xinglin.merkle import consistency_ranges, leaf_hash, node_hash
from xinglin.names import Member, RootHash
from xinglin_node.app import close_house, open_house
from xinglin_node.records.schemas import BATCH_MEDIA_TYPE, join_batch
from xinglin_node.serving import settle_memory

VALIDATORS = 4
PACE = 0.02
"""Seconds between two looks at how far the node has come."""

FINAL_SECONDS = 300.0

AWAITED = 5
"""Records a round whose transactions are awaited one by one: on four validators a block each."""

SLICES = 5
"""Parts of the long run whose rates make a median."""

LEAST_BLOCKS, PATIENCE = 2_000, 300.0
"""After so many seconds the long run ends, if it has that many blocks."""

LEFT_OUT = "left out: four validators, and what one costs ({})"
"""What is said, before and after, where go-ethereum was not built."""

ANCHOR_GAS = 400_000
MIB = 2**20


# -- records, on a network ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds from the first submission until all of a round's records had come so far."""

    durable: float
    anchored: float
    final: float


@dataclass(frozen=True, slots=True)
class Carried:
    """What one network carried."""

    network: str
    records: int
    rounds: list[Round]
    one_anchored: list[float]
    one_final: list[float]
    all_at_once: list[float]
    one_by_one: list[float]
    gas: dict[int, float]
    gas_of_one: int
    memory: list[float]
    """MiB of each validator in the end."""


def carry(name: str, engine: Engine, validators: int, asked: argparse.Namespace) -> Carried:
    """Put records through a node on a network of its own."""
    say = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="xinglin-bench-") as temporary:
        work = Path(temporary)
        say.print(f"{name}: starting it, deploying, making three nodes")
        with stage(work, engine, validators) as (bench, other_keys):
            house = create_house(settings_of(bench), bench.keys, bench.profile)
            open_house(house)
            author = make_author(house, bench)
            close_house(house)
            port, metrics_port = process.free_ports(2)
            url = f"http://127.0.0.1:{port}"
            headers = credential_for(url, bench, author, house)
            os.environ["XINGLIN_PUBLIC_URL"] = url
            os.environ["XINGLIN_ANCHOR_EVERY_SECONDS"] = "1"
            rounds: list[Round] = []
            singles: list[Round] = []
            with (
                served(bench, port, metrics_port),
                httpx.Client(base_url=url, headers=headers, timeout=120) as client,
            ):
                _wait_sequencing(url)
                for number in range(asked.rounds):
                    say.print(f"{name}: round {number + 1}")
                    rounds.append(through(client, author, asked.records))
                    singles += [through(client, author, 1) for _ in range(2)]
            say.print(f"{name}: one transaction each")
            at_once, one_by_one = [], []
            together = max(1, asked.records // 10)
            for _ in range(asked.rounds):
                at_once.append(transactions(bench, author, together, wait=False))
                one_by_one.append(transactions(bench, author, AWAITED, wait=True))
            say.print(f"{name}: gas")
            return Carried(
                network=name,
                records=asked.records,
                rounds=rounds,
                one_anchored=[one.anchored - one.durable for one in singles],
                one_final=[one.final - one.durable for one in singles],
                all_at_once=at_once,
                one_by_one=one_by_one,
                gas=gas_of_anchors(bench, other_keys, Member(2)),
                gas_of_one=gas_of_one(bench),
                memory=[memory_of(one) for one in engine.processes(work / "network")],
            )


def through(client: httpx.Client, author: Author, count: int) -> Round:
    """Submit records that are sealed already, and wait until the last is final."""
    frames = [sealed_frame(author, number) for number in range(count)]
    bodies = [join_batch(frames[at : at + BATCH]) for at in range(0, count, BATCH)]
    target = client.get("/v1/status").json()["sequenced"]["size"] + count
    media = {"Content-Type": BATCH_MEDIA_TYPE}
    began = time.perf_counter()
    for body in bodies:
        answer = client.post("/v1/records/batch", content=body, headers=media)
        refused = [item for item in answer.json().get("results", [{}]) if item.get("status") != 201]
        if refused:
            raise RuntimeError(str(refused[0])[:500])
    durable = time.perf_counter() - began
    anchored = wait_for_size(client, "anchored", target, began)
    return Round(durable, anchored, wait_for_size(client, "final", target, began))


def wait_for_size(client: httpx.Client, what: str, size: int, began: float) -> float:
    """Seconds since `began` until the log was anchored, or final, up to `size`."""
    while client.get("/v1/status").json()[what]["size"] < size:
        if time.perf_counter() - began > FINAL_SECONDS:
            raise RuntimeError(f"not {what} after {FINAL_SECONDS:.0f} s")
        time.sleep(PACE)
    return time.perf_counter() - began


def transactions(bench: Bench, author: Author, count: int, *, wait: bool) -> float:
    """
    Records a second where each has a transaction with its digest, until it is in a block.

    What one would write first, with two mercies: nonces are counted, and each validator is
    handed the transaction. Without `wait` only the last one is awaited.
    """
    frames = [sealed_frame(author, number) for number in range(count)]
    pool, target = RpcPool(bench.profile), Account.generate().address
    sender = Sender(pool, Account.generate())
    fee = sender.fee()
    began = time.perf_counter()
    for nonce, frame in enumerate(frames):
        call = Call(target, hashlib.sha256(frame.attestation).digest())
        last = sender.build_and_sign(call, nonce=nonce, gas=60_000, fee=fee)
        sender.broadcast(last)
        if wait or nonce == count - 1:
            sender.deliver(last, timeout=FINAL_SECONDS)
    took = time.perf_counter() - began
    pool.close()
    return count / took


def gas_of_one(bench: Bench) -> int:
    """Gas of a transaction that holds one record's digest and calls no contract."""
    pool = RpcPool(bench.profile)
    sender = Sender(pool, Account.generate())
    used = sender.send(Call(Account.generate().address, secrets.token_bytes(32))).gas_used
    pool.close()
    return used


def memory_of(running: Process) -> float:
    """Resident memory of a process in MiB, now."""
    for line in Path(f"/proc/{running.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def disk_of(folder: Path) -> float:
    """What a folder takes on disk in MiB."""
    blocks = 0
    for path in folder.rglob("*"):
        try:
            blocks += path.lstat().st_blocks
        except FileNotFoundError:  # the database removes files as it goes
            continue
    return blocks * 512 / MIB


# -- one validator, for many blocks -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Validator:
    """What one validator had taken before and after so many blocks."""

    blocks: int
    seconds: float
    blocks_per_second: float
    memory_before: float
    memory_after: float
    disk_before: float
    disk_after: float
    disk_of_slices: list[float]
    """MiB that each part of the blocks added."""


@dataclass
class Sealing:
    """A chain of one validator that seals a block for each transaction, and a hospital's log."""

    pool: RpcPool
    place: Path
    running: Process
    anchoring: Account
    size: int = 0
    previous: Anchor = NO_ANCHOR

    @property
    def disk(self) -> float:
        """MiB of its database."""
        return disk_of(self.place / "geth")


@contextmanager
def sealing_at_once(work: Path) -> Iterator[Sealing]:
    """
    Start one validator whose blocks have no period, so that each is sealed when there is work.

    Its state is kept for every block, as the trial network's validators keep theirs.
    """
    account = Account.generate()
    node = make_node(work, "node1", validator=account)
    write_topology(work, (node,))
    genesis = clique._genesis(NetworkOptions(), [account.address])
    genesis["config"]["clique"]["period"] = 0  # type: ignore[index]
    (work / "genesis.json").write_text(json.dumps(genesis), "ascii")
    clique._init(clique.find_geth(), work, node)
    engine = Clique()
    running = engine.start(work, node, (node,))
    try:
        first = first_block(node.url)
        finality = Finality(FinalityRule.IMMEDIATE)
        profile = NetworkProfile(
            "clique", clique.CHAIN_ID, first, (node.url,), 1, finality, FeeRule.ZERO
        )
        anchoring, founders = founders_of()
        pool = RpcPool(profile)
        plan = DeploymentPlan(new_network_id(), founders)
        deployed = deploy(pool, Account.generate(), plan)
        pool.close()
        pool = RpcPool(deployed)
        yield Sealing(pool, work / node.name, running, anchoring)
        pool.close()
    finally:
        engine.down(work)


def first_block(url: str) -> bytes:
    """Wait until a node answers, and return the hash of block 0."""
    ends = time.monotonic() + 60
    while True:
        try:
            return data(ask(url, "eth_getBlockByNumber", ["0x0", False])["hash"])  # type: ignore[index]
        except Unreachable:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)


def founders_of() -> tuple[Account, tuple[Applicant, ...]]:
    """Three hospitals, and the account of the first that anchors."""
    accounts = [Account.generate() for _ in range(3)]
    powers = Power.GOVERN | Power.ANCHOR
    founders = tuple(
        Applicant(
            f"Hospital {number}", "", secrets.token_bytes(32), None,
            HpkeIdentity.generate().recipient.public_key, (NewAccount(one.address, powers),),
        )
        for number, one in enumerate(accounts, start=1)
    )  # fmt: skip
    return accounts[0], founders


@cache
def root_between(start: int, end: int) -> RootHash:
    """Root over the entries `start` to `end` of a log whose entries are their own numbers."""
    if end - start == 1:
        return RootHash(leaf_hash(start.to_bytes(64)))
    middle = start + (1 << (end - start - 1).bit_length() - 1)
    return RootHash(node_hash(root_between(start, middle), root_between(middle, end)))


def anchor_one(sealing: Sealing, sender: Sender, registry: Checkpoints, nonce: int) -> None:
    """Anchor one entry more, and wait for the block."""
    pool, size = sealing.pool, sealing.size
    grown, root = size + 1, root_between(0, size + 1)
    proof = [root_between(a, b) for a, b in consistency_ranges(size, grown)] if size else []
    call = registry.anchor(grown, root, proof, previous=sealing.previous)
    signed = sender.build_and_sign(call, nonce=nonce, gas=ANCHOR_GAS, fee=Fee(0, 0))
    pool.request("eth_sendRawTransaction", ["0x" + signed.raw.hex()])
    while True:
        receipt = pool.request("eth_getTransactionReceipt", ["0x" + signed.hash.hex()])
        if receipt is not None:
            break
        time.sleep(0.001)
    if quantity(receipt["status"]) != 1:  # type: ignore[index]
        raise RuntimeError(f"checkpoint {grown} was refused")
    number = quantity(receipt["blockNumber"])  # type: ignore[index]
    sealing.size, sealing.previous = grown, Anchor(root, pool.view_at(number).time, number)


def seal_blocks(sealing: Sealing, blocks: int) -> Validator:
    """Seal blocks with one checkpoint each until there are so many, or time is over."""
    sender, registry = Sender(sealing.pool, sealing.anchoring), Checkpoints(sealing.pool)
    memory, disk = memory_of(sealing.running), sealing.disk
    nonce, done = 0, 0
    rates: list[float] = []
    disks: list[float] = [disk]
    began = time.perf_counter()
    for part in range(1, SLICES + 1):
        at = time.perf_counter()
        for _ in range(blocks * part // SLICES - blocks * (part - 1) // SLICES):
            anchor_one(sealing, sender, registry, nonce)
            nonce += 1
            if nonce >= LEAST_BLOCKS and time.perf_counter() - began > PATIENCE:
                break
        rates.append((nonce - done) / (time.perf_counter() - at))
        disks.append(sealing.disk)
        done = nonce
        if nonce >= LEAST_BLOCKS and time.perf_counter() - began > PATIENCE:
            break
    return Validator(
        blocks=nonce,
        seconds=time.perf_counter() - began,
        blocks_per_second=statistics.median(rates),
        memory_before=memory,
        memory_after=memory_of(sealing.running),
        disk_before=disk,
        disk_after=disks[-1],
        disk_of_slices=[b - a for a, b in pairwise(disks)],
    )


# -- what is printed -----------------------------------------------------------------------------


def show_carried(found: Sequence[Carried]) -> None:
    """Print how fast records came to the chain."""
    console = Console()
    columns = ("network", "until", "records/s", "rounds", "beside")
    table = Table(*columns, title=f"Records a second, {found[0].records:,} at once (medians)")
    for one in found:
        at_once = statistics.median(one.all_at_once)
        rows = {
            until: [one.records / getattr(r, until) for r in one.rounds]
            for until in ("durable", "anchored", "final")
        }
        rows["mined, one each, at once"] = one.all_at_once
        rows["mined, one each, awaited"] = one.one_by_one
        for until, values in rows.items():
            rate = statistics.median(values)
            shown = " ".join(f"{v:,.0f}" if rate >= 10 else f"{v:.1f}" for v in values)
            table.add_row(
                one.network, until, f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}", shown,
                f"{rate / at_once:.2f} ×",
            )  # fmt: skip
    table.caption = "one each: a transaction for each record; beside: times those sent all at once"
    console.print(table)
    table = Table("what", *(one.network for one in found), title="Waiting, gas, memory")
    for title, name in (
        ("receipt to anchor, p50 / p95", "one_anchored"),
        ("receipt to final, p50 / p95", "one_final"),
    ):
        cells = [getattr(one, name) for one in found]
        shown = [f"{percentile(c, 0.5):.1f} / {percentile(c, 0.95):.1f} s" for c in cells]
        table.add_row(title, *shown)
    for records in found[0].gas:
        title = f"gas for each record, {records:,} in a checkpoint"
        table.add_row(title, *(f"{one.gas[records]:,.0f}" for one in found))
    table.add_row("gas of a transaction each", *(f"{one.gas_of_one:,}" for one in found))
    memory = [" ".join(f"{m:.0f}" for m in one.memory) for one in found]
    table.add_row("memory of each validator, MiB", *memory)
    console.print(table)


def show_validator(found: Validator) -> None:
    """Print what blocks cost the one who keeps them."""
    title = f"One validator, {found.blocks:,} blocks with one checkpoint each"
    table = Table("what", "before", "after", "for 10,000 blocks", title=title)
    grown = (found.disk_after - found.disk_before) * 10_000 / found.blocks
    before, after = f"{found.memory_before:.0f}", f"{found.memory_after:.0f}"
    table.add_row("memory, MiB (mostly caches)", before, after, "")
    before, after = f"{found.disk_before:.0f}", f"{found.disk_after:.0f}"
    table.add_row("disk, MiB", before, after, f"+{grown:.0f}")
    parts = " ".join(f"{part:.0f}" for part in found.disk_of_slices)
    table.add_row("disk by fifths, MiB", "", parts, "")
    rate = f"{found.blocks_per_second:.0f}"
    table.add_row("blocks a second", "", rate, "")
    table.caption = "go-ethereum v1.13.15, the state of every block kept"
    Console().print(table)


def main() -> None:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser(description="What a network carries, and what it costs")
    parser.add_argument("--records", type=int, default=2000, help="records in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--blocks", type=int, default=10_000, help="of the one validator; 0: none")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    settle_memory()  # as the node does; it is the same for every way
    say = Console(stderr=True)
    try:
        clique.find_geth()
        reason = ""
    except UsageError as error:
        reason = str(error)
        say.print(LEFT_OUT.format(reason), markup=False)
    found = [carry("Anvil", Anvil(), 0, asked)]
    validator = None
    if not reason:
        found.append(carry(f"{VALIDATORS} validators", Clique(), VALIDATORS, asked))
        if asked.blocks:
            say.print(f"one validator: {asked.blocks:,} blocks")
            with (
                tempfile.TemporaryDirectory(prefix="xinglin-bench-") as temporary,
                sealing_at_once(Path(temporary)) as sealing,
            ):
                validator = seal_blocks(sealing, asked.blocks)
    if asked.json:
        shown = {
            "networks": [asdict(one) for one in found],
            "validator": asdict(validator) if validator else None,
            "leftOut": reason,
        }
        print(json.dumps(shown, indent=2))
        return
    show_carried(found)
    if validator:
        show_validator(validator)
    if reason:
        print(LEFT_OUT.format(reason))


if __name__ == "__main__":
    main()
