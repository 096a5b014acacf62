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
import re
import secrets
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import coincurve
from eth_account import Account as EthAccount
from eth_utils.address import to_checksum_address

from xinglin._chain.profile import FeeRule, Finality, FinalityRule, NetworkProfile
from xinglin._chain.rpc import data, quantity
from xinglin._chain.waiting import wait_for
from xinglin._network import process
from xinglin._network.engine import NetworkOptions, Progress, silent
from xinglin._network.probe import ask, ask_socket
from xinglin._network.process import Process
from xinglin._network.profile import PROFILE_FILE, load, save
from xinglin.errors import InvalidEncoding, Unreachable, UsageError
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
"""How far ahead the genesis time lies."""

GAS_LIMIT = 1_000_000_000

BASE_FEE = 1_000_000_000
"""Wei: one gwei, where the network asks for a price."""

FUNDS = 10**24
"""Wei that each account named at the beginning holds, where a price is asked for."""

FIRST_BLOCK_SECONDS = 60.0
MESH_SECONDS = 30.0
LIGHT_SCRYPT = 4_096
"""Cost of the validators' key files: go-ethereum's light setting, which takes 4 MB, not 300."""

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

TOPOLOGY_FILE = "nodes.json"
SOCKET = "geth.ipc"


@dataclass(frozen=True, slots=True)
class CliqueNode:
    """One go-ethereum process: where it listens, and who it is."""

    name: str
    """Its folder."""

    address: Address | None
    """Its account as a validator, voted in or not; none for a node that others run."""

    node_id: str
    """Its public key on the peer network, 64 bytes in hexadecimal."""

    http: int
    peers: int
    engine: int
    """
    Ports; the last is one that each node insists on and nobody uses. The first and last are 0
    for a node that others run.
    """

    @property
    def enode(self) -> str:
        """Its address on the peer network."""
        return f"enode://{self.node_id}@127.0.0.1:{self.peers}?discport=0"

    @property
    def url(self) -> str:
        """Its JSON-RPC address."""
        return f"http://127.0.0.1:{self.http}"


class Clique:
    """The engine of trials."""

    name = "clique"

    def up(
        self, folder: Path, options: NetworkOptions, progress: Progress = silent
    ) -> NetworkProfile:
        """Make a network, or start the one in `folder`, and wait for blocks."""
        program = find_geth()
        known = (folder / PROFILE_FILE).exists()
        nodes = read_topology(folder) if known else _make(folder, program, options, progress)
        ours = tuple(node for node in nodes if node.http)
        try:
            for node in ours:
                self.start(folder, node, nodes, program)
            progress("waiting until the nodes know each other")
            _wait_for_peers(folder, ours)
            progress("waiting for the first blocks")
            _wait_for_block(folder, ours)
            profile = load(folder / PROFILE_FILE) if known else _profile(nodes, options)
        except BaseException:
            self.down(folder)
            raise
        save(profile, folder / PROFILE_FILE)
        return profile

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
        settings = json.loads((folder / "genesis.json").read_bytes())
        command = _command(program or find_geth(), node, settings["config"]["chainId"])
        return process.start(place, command)

    # -- members' own affairs -----------------------------------------------------------

    def add_node(self, folder: Path, progress: Progress = silent) -> CliqueNode:
        """
        Admit one more node: known to all, started, left to sync.

        It has a validator's account of its own and seals nothing until it is voted in.
        """
        nodes = read_topology(folder)
        program = find_geth()
        progress("making the node's key and its copy of the genesis block")
        node = make_node(folder, f"node{len(nodes) + 1}", validator=Account.generate())
        _init(program, folder, node)
        admit(folder, node)
        self.start(folder, node, read_topology(folder), program)
        return node


def admit(folder: Path, node: CliqueNode) -> None:
    """Let every running node know `node` as a trusted peer, and write it down for later."""
    nodes = read_topology(folder)
    for other in nodes:
        running = process.find(folder / other.name)
        if running is not None and running.alive:
            socket = folder / other.name / SOCKET
            ask_socket(socket, "admin_addTrustedPeer", [node.enode])
    _write_topology(folder, (*nodes, node))


def parse_enode(text: str, *, name: str) -> CliqueNode:
    """Read the address of a node that others run, on this machine. Raises `UsageError`."""
    match = re.fullmatch(
        r"enode://([0-9a-f]{128})@127\.0\.0\.1:([0-9]{1,5})(?:\?discport=0)?", text
    )
    if match is None:
        raise UsageError("expected enode://<128 hexadecimal digits>@127.0.0.1:<port>")
    return CliqueNode(name, None, match[1], http=0, peers=int(match[2]), engine=0)


def propose(folder: Path, node: CliqueNode, candidate: Address, *, admit: bool) -> None:
    """Let one validator vote for a candidate's admission or removal, in each block it seals."""
    ask_socket(folder / node.name / SOCKET, "clique_propose", [candidate, admit])


def signers(folder: Path, node: CliqueNode) -> tuple[Address, ...]:
    """Return who may seal now, as one node followed the votes."""
    answer = ask_socket(folder / node.name / SOCKET, "clique_getSigners", [])
    return tuple(Address(to_checksum_address(one)) for one in cast(list[str], answer))


def sealing_activity(folder: Path, node: CliqueNode) -> dict[Address, int]:
    """Return how many of the last 64 blocks each validator sealed."""
    answer = cast(dict[str, Any], ask_socket(folder / node.name / SOCKET, "clique_status", []))
    activity = cast(dict[str, int], answer["sealingActivity"])
    return {Address(to_checksum_address(who)): count for who, count in activity.items()}


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


def read_topology(folder: Path) -> tuple[CliqueNode, ...]:
    """Return the nodes of a network's folder. Raises `UsageError` where there are none."""
    try:
        items = json.loads((folder / TOPOLOGY_FILE).read_bytes())
        return tuple(CliqueNode(**item) for item in items)
    except OSError as error:
        raise UsageError(f"expected a clique network in {folder}, found none") from error
    except (ValueError, TypeError) as error:
        raise InvalidEncoding(f"{folder / TOPOLOGY_FILE}: expected a list of nodes") from error


def make_node(folder: Path, name: str, *, validator: Account | None) -> CliqueNode:
    """Make a node's folder with its keys; a validator's is encrypted, its password beside it."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    peer_key = coincurve.PrivateKey(secrets.token_bytes(32))
    _write_secret(place / "nodekey", peer_key.to_hex())
    if validator is not None:
        password = secrets.token_urlsafe(24)
        _write_secret(place / "password", password + "\n")
        locked = EthAccount.encrypt(validator.key, password, kdf="scrypt", iterations=LIGHT_SCRYPT)
        store = place / "keystore"
        store.mkdir(mode=0o700, exist_ok=True)
        _write_secret(store / f"{validator.address.lower()[2:]}.json", json.dumps(locked))
    http, peers, engine = process.free_ports(3)
    node_id = peer_key.public_key.format(compressed=False)[1:].hex()
    address = validator.address if validator is not None else None
    return CliqueNode(name, address, node_id, http, peers, engine)


def _make(
    folder: Path, program: str, options: NetworkOptions, progress: Progress
) -> tuple[CliqueNode, ...]:
    count = options.validators or USUAL_VALIDATORS
    if not LEAST_VALIDATORS <= count <= MOST_VALIDATORS:
        raise UsageError(
            f"expected {LEAST_VALIDATORS} to {MOST_VALIDATORS} validators, got {count}"
        )
    progress(f"making keys of {count} validators")
    accounts = [Account.generate() for _ in range(count)]
    nodes = tuple(
        make_node(folder, f"node{number}", validator=account)
        for number, account in enumerate(accounts, start=1)
    )
    if options.port:
        nodes = tuple(replace(node, http=options.port + place) for place, node in enumerate(nodes))
    _write_topology(folder, nodes)
    genesis = _genesis(options, [account.address for account in accounts])
    (folder / "genesis.json").write_text(json.dumps(genesis, indent=1), "ascii")
    progress("writing the genesis block")
    with ThreadPoolExecutor(2) as workers:
        list(workers.map(lambda node: _init(program, folder, node), nodes))
    return nodes


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
        "timestamp": hex(int(time.time()) + LEAD_SECONDS),
        "extraData": "0x" + genesis_extra_data(validators).hex(),
        "alloc": {address: {"balance": hex(FUNDS)} for address in options.funded},
    }


def _init(program: str, folder: Path, node: CliqueNode) -> None:

    finished = subprocess.run(
        [program, "--datadir", ".", "--state.scheme", "hash", "init", "../genesis.json"],
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
        finality=Finality(FinalityRule.DEPTH, len(validators) // 2 + 1),
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
        *("--http", "--http.addr", "127.0.0.1", "--http.port", str(node.http)),
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


def _write_topology(folder: Path, nodes: tuple[CliqueNode, ...]) -> None:
    text = json.dumps([asdict(node) for node in nodes], indent=1)
    beside = folder / f".{TOPOLOGY_FILE}"
    beside.write_text(text + "\n", "ascii")
    beside.replace(folder / TOPOLOGY_FILE)


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def _wait_for_peers(folder: Path, nodes: tuple[CliqueNode, ...]) -> None:
    if len(nodes) == 1:
        return

    def look() -> bool | None:
        for node in nodes:
            running = process.find(folder / node.name)
            if running is not None:
                process.require_alive(running, node.name)
        counts = [quantity(ask(node.url, "net_peerCount")) for node in nodes]
        return True if min(counts) >= 1 else None

    wait_for(look, timeout=MESH_SECONDS, what="every node to have a peer")


def _wait_for_block(folder: Path, nodes: tuple[CliqueNode, ...]) -> None:
    before = -1

    def look() -> bool | None:
        nonlocal before
        heads = [quantity(ask(node.url, "eth_blockNumber")) for node in nodes]
        if before < 0:
            before = min(heads)
        return True if min(heads) > before else None

    wait_for(look, timeout=FIRST_BLOCK_SECONDS, what=f"a new block from {folder}")
