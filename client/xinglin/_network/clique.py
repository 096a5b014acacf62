"""
A consortium on one machine: go-ethereum v1.13.15 sealing by proof of authority (EIP-225).

For tests and trials with real validators, real forks and real halts. Found by trying:

- The genesis time lies ahead, so that all validators are meshed before block 1. Otherwise
  they split into halves of equal weight that never meet again.
- Peers are *trusted* and `--maxpeers` is 1: whoever is not in the list finds no free place.
  A node then dials one peer at a time, which joins up to five nodes surely; more are for
  another engine.
- Every block's state is written at once (`--gcmode archive`): otherwise a node that is
  killed comes back up to 128 blocks younger, and if all are killed the network does.
- The block's gas limit is far beyond any use: above half of it the base fee would leave
  zero, and from one wei it never falls back to it.
"""

import json
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from xinglin._chain.answers import data
from xinglin._chain.profile import FeeRule, Finality, FinalityRule, NetworkProfile, safe_depth
from xinglin._network import process
from xinglin._network.engine import FUNDED_WEI, NetworkOptions, Progress, silent
from xinglin._network.probe import ask, ask_all, ask_socket
from xinglin._network.process import Process
from xinglin._network.profile import PROFILE_FILE, load, save
from xinglin._network.readiness import wait_for_block, wait_for_peers
from xinglin._network.topology import (
    GENESIS_FILE,
    TOPOLOGY_FILE,
    CliqueNode,
    Places,
    loopback,
    make_node,
    read_topology,
    remove_nodes,
    require_unused,
    write_topology,
)
from xinglin.errors import ChainError, Unreachable, UsageError
from xinglin.headers.clique import genesis_extra_data
from xinglin.keys import Account
from xinglin.names import Address

CHAIN_ID = 20_220
"""Of trials; a network that is meant to stay chooses its own."""

LEAST_VALIDATORS = 1
MOST_VALIDATORS = 5
"""See above: more could fall apart into groups that do not know of each other."""

USUAL_VALIDATORS = 4
"""The least number that goes on when one falls."""

BLOCK_PERIOD = 1
"""Seconds."""

EPOCH_LENGTH = 30_000
"""Blocks after which votes lapse; the value that EIP-225 proposes."""

LEAD_SECONDS = 10
"""How far ahead the genesis time lies, where there is anybody to mesh with."""

GAS_LIMIT = 1_000_000_000

BASE_FEE = 1_000_000_000
"""Wei: one gwei, where the network asks for a price."""

FORKS = (
    "homestead",
    "eip150",
    "eip155",
    "eip158",
    "byzantium",
    "constantinople",
    "petersburg",
    "istanbul",
    "muirGlacier",
    "berlin",
    "london",
)
"""Rules in force from block 0, by their names in a genesis file: all up to London."""

NAMES = tuple(f"node{number}" for number in range(1, MOST_VALIDATORS + 1))
"""Of the first validators, and of their folders."""

SOCKET = "geth.ipc"


class Clique:
    """The engine of trials."""

    name = "clique"

    def __init__(self, places: Places = loopback) -> None:
        self._places = places

    def up(
        self, folder: Path, options: NetworkOptions, progress: Progress = silent
    ) -> NetworkProfile:
        """
        Make a network, or start the one in `folder`, and wait for blocks.

        One that does not come up leaves no process; a new one leaves no file either, so that
        the folder can be used again. Raises `UsageError` and `Unreachable`.
        """
        program = find_geth()
        known = (folder / PROFILE_FILE).exists()
        if known:
            for one in self.processes(folder):  # before anything of the network is touched
                process.require_stopped(one)
        else:
            require_unused(folder, NAMES)
        try:
            nodes = (
                read_topology(folder) if known else self._make(folder, program, options, progress)
            )
            ours = tuple(node for node in nodes if node.http)
            for node in ours:
                self.start(folder, node, nodes, program)
            progress("waiting until the nodes know each other")
            wait_for_peers(folder, ours)
            progress("waiting for the first blocks")
            wait_for_block(folder, ours, lambda one: self._restart(folder, one, nodes, program))
            profile = load(folder / PROFILE_FILE) if known else _profile(nodes, options)
            save(profile, folder / PROFILE_FILE)
        except BaseException:
            self.down(folder)
            if not known:
                (folder / PROFILE_FILE).unlink(missing_ok=True)
                remove_nodes(folder, NAMES)
            raise
        return profile

    def _make(
        self, folder: Path, program: str, options: NetworkOptions, progress: Progress
    ) -> tuple[CliqueNode, ...]:
        count = options.validators or USUAL_VALIDATORS
        if not LEAST_VALIDATORS <= count <= MOST_VALIDATORS:
            raise UsageError(
                f"expected {LEAST_VALIDATORS} to {MOST_VALIDATORS} validators, got {count}"
            )
        progress(f"making keys of {count} validators")
        names = NAMES[:count]
        accounts = [Account.generate() for _ in range(count)]
        nodes = tuple(
            make_node(folder, name, validator=account, host=self._places(name).host)
            for name, account in zip(names, accounts, strict=True)
        )
        if options.port:
            nodes = tuple(replace(node, http=options.port + n) for n, node in enumerate(nodes))
        write_topology(folder, nodes)
        genesis = _genesis(options, [account.address for account in accounts])
        (folder / GENESIS_FILE).write_text(json.dumps(genesis, indent=1), "ascii")
        progress("writing the genesis block")
        with ThreadPoolExecutor(2) as workers:
            list(workers.map(lambda node: _init(program, folder, node), nodes))
        return nodes

    def down(self, folder: Path, progress: Progress = silent) -> int:
        """Stop every node of `folder`, all at once."""
        found = self.processes(folder)
        running = [one for one in found if one.alive]
        progress(f"stopping {len(running)} nodes")
        with ThreadPoolExecutor(max(1, len(found))) as workers:
            list(workers.map(process.stop, found))
        return len(running)

    def processes(self, folder: Path) -> tuple[Process, ...]:
        """The processes of all nodes that were ever started, in the topology's order."""
        if not (folder / TOPOLOGY_FILE).exists():
            return ()
        found = [process.find(folder / node.name) for node in read_topology(folder)]
        return tuple(one for one in found if one is not None)

    def start(
        self,
        folder: Path,
        node: CliqueNode,
        nodes: tuple[CliqueNode, ...],
        program: str | None = None,
    ) -> Process:
        """Start one node. Raises `UsageError` where it runs already or a port is taken."""
        for port in (node.http, node.peers, node.engine):
            process.require_free(port)
        place = folder / node.name
        _write_peers(place, node, nodes)
        settings = json.loads((folder / GENESIS_FILE).read_bytes())
        command = _command(program or find_geth(), node, settings["config"]["chainId"])
        return process.start(place, [*self._places(node.name).prefix, *command])

    def _restart(
        self, folder: Path, node: CliqueNode, nodes: tuple[CliqueNode, ...], program: str
    ) -> None:
        running = process.find(folder / node.name)
        if running is not None:
            process.stop(running)
        self.start(folder, node, nodes, program)

    # -- members' own affairs -----------------------------------------------------------

    def add_node(self, folder: Path, progress: Progress = silent) -> CliqueNode:
        """
        Admit one more node: known to all, started, left to sync.

        It has a validator's account of its own and seals nothing until it is voted in. Raises
        as `admit` where a node was not told; the new one is admitted and runs all the same.
        """
        nodes = read_topology(folder)
        program = find_geth()
        progress("making the node's key and its copy of the genesis block")
        name = f"node{len(nodes) + 1}"
        host = self._places(name).host
        node = make_node(folder, name, validator=Account.generate(), host=host)
        _init(program, folder, node)
        untold: ChainError | Unreachable | None = None
        try:
            admit(folder, node)
        except (ChainError, Unreachable) as error:
            untold = error
        self.start(folder, node, read_topology(folder), program)
        if untold is not None:
            raise untold
        return node


def admit(folder: Path, node: CliqueNode) -> None:
    """
    Write `node` down for every later start, and let each running node know it as a peer.

    Raises once all were told, as `ask_all`: a node that is paused learns of it at its next
    start, or when `node` is admitted again.
    """
    nodes = read_topology(folder)
    if node not in nodes:
        write_topology(folder, (*nodes, node))
    running = [process.find(folder / other.name) for other in nodes if other != node]
    ask_all(
        {
            one.folder.name: partial(
                ask_socket, one.folder / SOCKET, "admin_addTrustedPeer", [node.enode]
            )
            for one in running
            if one is not None and one.alive
        }
    )


def propose(folder: Path, node: CliqueNode, candidate: Address, *, admit: bool) -> None:
    """Let one validator vote for a candidate's admission or removal, in each block it seals."""
    ask_socket(folder / node.name / SOCKET, "clique_propose", [candidate, admit])


def find_geth() -> str:
    """Return the program that `make consortium` built. Raises `UsageError` where it did not."""
    starts = [Path.cwd(), Path(__file__).resolve()]
    for parent in (parent for start in starts for parent in (start, *start.parents)):
        candidate = parent / ".cache" / "bin" / "geth"
        if os.access(candidate, os.X_OK):
            return str(candidate)
    found = shutil.which("geth")
    if found is None:
        raise UsageError(
            "expected go-ethereum v1.13.15, found none: run `make consortium`, which builds it"
        )
    return found


def _genesis(options: NetworkOptions, validators: list[Address]) -> dict[str, object]:
    chain_id = options.chain_id or CHAIN_ID
    period = options.block_period or BLOCK_PERIOD
    zero = options.fee is FeeRule.ZERO
    return {
        "config": {
            "chainId": chain_id,
            **{f"{fork}Block": 0 for fork in FORKS},
            "clique": {"period": period, "epoch": EPOCH_LENGTH},
        },
        "difficulty": "0x1",
        "gasLimit": hex(GAS_LIMIT),
        "baseFeePerGas": "0x0" if zero else hex(BASE_FEE),
        "timestamp": hex(int(time.time()) + (LEAD_SECONDS if len(validators) > 1 else 0)),
        "extraData": "0x" + genesis_extra_data(validators).hex(),
        "alloc": {address: {"balance": hex(FUNDED_WEI)} for address in options.funded},
    }


def _init(program: str, folder: Path, node: CliqueNode) -> None:
    finished = subprocess.run(
        [program, "--datadir", ".", "--state.scheme", "hash", "init", f"../{GENESIS_FILE}"],
        cwd=folder / node.name,
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        raise Unreachable(f"{node.name} refused the genesis block: {finished.stderr[-400:]}")


def _profile(nodes: tuple[CliqueNode, ...], options: NetworkOptions) -> NetworkProfile:
    genesis = cast(dict[str, object], ask(nodes[0].url, "eth_getBlockByNumber", ["0x0", False]))
    validators = tuple(node.address for node in nodes if node.address is not None)
    return NetworkProfile(
        engine=Clique.name,
        chain_id=options.chain_id or CHAIN_ID,
        genesis=data(genesis["hash"]),
        rpc=tuple(node.url for node in nodes),
        block_period=options.block_period or BLOCK_PERIOD,
        # A minority that is cut off can seal floor(n/2) blocks and no more (EIP-225): what
        # has one more on top was seen by a majority.
        finality=Finality(FinalityRule.DEPTH, safe_depth(len(validators))),
        fee=options.fee,
        epoch_length=EPOCH_LENGTH,
        validators=validators,
    )


def _command(program: str, node: CliqueNode, chain_id: int) -> list[str]:
    seals = [
        *("--mine", "--miner.etherbase", node.address or ""),
        *("--miner.gaslimit", str(GAS_LIMIT), "--miner.gasprice", "1"),
        # The key is in an encrypted file and its password in another; neither is named here.
        *("--unlock", node.address or "", "--password", "password"),
        *("--allow-insecure-unlock", "--lightkdf"),
    ]
    return [
        program,
        *("--config", "geth.toml", "--datadir", ".", "--ipcpath", f"./{SOCKET}"),
        *("--nodekey", "nodekey", "--networkid", str(chain_id)),
        *("--port", str(node.peers), "--nodiscover", "--nat", "none", "--maxpeers", "1"),
        *("--http", "--http.addr", node.host, "--http.port", str(node.http)),
        *("--http.api", "eth,net,web3", "--authrpc.port", str(node.engine)),
        *("--syncmode", "full", "--gcmode", "archive", "--state.scheme", "hash"),
        *("--cache", "64", "--txpool.pricelimit", "1", "--rpc.txfeecap", "0"),
        *("--verbosity", "2", *(seals if node.address is not None else [])),
    ]


def _write_peers(place: Path, node: CliqueNode, nodes: tuple[CliqueNode, ...]) -> None:
    others = json.dumps([other.enode for other in nodes if other.name != node.name])
    (place / "geth.toml").write_text(
        f"[Node.P2P]\nStaticNodes = {others}\nTrustedNodes = {others}\n", "ascii"
    )
