"""
The nodes of a trial network: who they are, where they listen, and their key files.

    nodes = read_topology(Path("network"))
    nodes[0].url, nodes[0].enode

`nodes.json` in the network's folder lists them; each has a folder with its keys.
"""

import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import coincurve

from xinglin._network import process
from xinglin._network.keyfile import encrypted
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.keys import Account
from xinglin.names import Address

TOPOLOGY_FILE = "nodes.json"
GENESIS_FILE = "genesis.json"

LOOPBACK = "127.0.0.1"
"""Where all nodes of a trial are, unless each has a network namespace of its own."""

LIGHT_SCRYPT = 4_096
"""Cost of the validators' key files: go-ethereum's light setting, which takes 4 MB, not 300."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where on this machine a node runs."""

    host: str = LOOPBACK
    """Address at which the others find it."""

    prefix: tuple[str, ...] = ()
    """What its command begins with, so that it runs there."""


Places = Callable[[str], Place]
"""From a node's name to its place."""


def loopback(_: str) -> Place:
    """Every node beside the others."""
    return Place()


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

    host: str = LOOPBACK
    """The address at which it listens."""

    @property
    def enode(self) -> str:
        """Its address on the peer network."""
        return f"enode://{self.node_id}@{self.host}:{self.peers}?discport=0"

    @property
    def url(self) -> str:
        """Its JSON-RPC address."""
        return f"http://{self.host}:{self.http}"


def read_topology(folder: Path) -> tuple[CliqueNode, ...]:
    """Return the nodes of a network's folder. Raises `UsageError` where there are none."""
    try:
        items = json.loads((folder / TOPOLOGY_FILE).read_bytes())
        return tuple(CliqueNode(**item) for item in items)
    except OSError as error:
        raise UsageError(f"expected a clique network in {folder}, found none") from error
    except (ValueError, TypeError) as error:
        raise InvalidEncoding(f"{folder / TOPOLOGY_FILE}: expected a list of nodes") from error


def write_topology(folder: Path, nodes: tuple[CliqueNode, ...]) -> None:
    """Write the list of nodes, whole or not at all."""
    text = json.dumps([asdict(node) for node in nodes], indent=1)
    beside = folder / f".{TOPOLOGY_FILE}"
    beside.write_text(text + "\n", "ascii")
    beside.replace(folder / TOPOLOGY_FILE)


def require_unused(folder: Path, names: Iterable[str]) -> None:
    """Raise `UsageError` where keys or blocks lie that new nodes of these names would lose."""
    found = [name for name in (TOPOLOGY_FILE, GENESIS_FILE, *names) if (folder / name).exists()]
    if found:
        raise UsageError(
            f"expected the profile of a network beside {found[0]} in {folder}, found none: put "
            "it back, or run `xinglin network down` and remove the folder"
        )


def remove_nodes(folder: Path, names: Iterable[str]) -> None:
    """Remove nodes that never were a network, with their keys, and what lists them."""
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in (TOPOLOGY_FILE, GENESIS_FILE, f".{TOPOLOGY_FILE}"):
        (folder / name).unlink(missing_ok=True)


def parse_enode(text: str, *, name: str) -> CliqueNode:
    """Read the address of a node that others run, on this machine. Raises `UsageError`."""
    match = re.fullmatch(
        r"enode://([0-9a-f]{128})@127\.0\.0\.1:([0-9]{1,5})(?:\?discport=0)?", text
    )
    if match is None:
        raise UsageError("expected enode://<128 hexadecimal digits>@127.0.0.1:<port>")
    return CliqueNode(name, None, match[1], http=0, peers=int(match[2]), engine=0)


def make_node(
    folder: Path, name: str, *, validator: Account | None, host: str = LOOPBACK
) -> CliqueNode:
    """Make a node's folder with its keys; a validator's is encrypted, its password beside it."""
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    peer_key = coincurve.PrivateKey(secrets.token_bytes(32))
    _write_secret(place / "nodekey", peer_key.to_hex())
    if validator is not None:
        password = secrets.token_urlsafe(24)
        _write_secret(place / "password", password + "\n")
        locked = encrypted(validator.key, password, cost=LIGHT_SCRYPT)
        store = place / "keystore"
        store.mkdir(mode=0o700, exist_ok=True)
        _write_secret(store / f"{validator.address.lower()[2:]}.json", json.dumps(locked))
    http, peers, engine = process.free_ports(3)
    node_id = peer_key.public_key.format(compressed=False)[1:].hex()
    address = validator.address if validator is not None else None
    return CliqueNode(name, address, node_id, http, peers, engine, host)


def _write_secret(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
