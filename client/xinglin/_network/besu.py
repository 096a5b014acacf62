"""
What a production network of Hyperledger Besu validators (QBFT) is started from.

    written = write_network(Path("network"), BesuOptions(), passphrase)

`docker-compose.yml` mounts the folder. No key is in it in the clear: each validator's is
encrypted under the institution's passphrase, and `unlock_key` writes it into memory for
the node that starts next. The genesis hash is computed here, so that the profile and the
trust root are known before the first block.

    genesis.json        the same on every node
    static-nodes.json   whom each node dials; discovery is off
    permissions/        nodes that may connect, and accounts that may send
    validator.toml      settings of a validator, and rpc.toml of a node that only answers
    validator1/ …       key.json (encrypted), address, node id
    rpc/                the same for the node that only answers
    network.toml        the profile
"""

import json
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import coincurve
from eth_account import Account as EthAccount
from eth_utils.address import is_checksum_address

from xinglin._chain.profile import FeeRule, Finality, FinalityRule, NetworkProfile
from xinglin._network.engine import Progress, silent
from xinglin._network.keyfile import encrypted
from xinglin._network.profile import PROFILE_FILE, save
from xinglin.errors import KeyFileError, UsageError
from xinglin.headers import block_hash_of
from xinglin.headers.header import NO_OMMERS, from_rpc
from xinglin.headers.qbft import MIX_HASH, genesis_extra_data
from xinglin.keys import Account
from xinglin.names import Address

BLOCK_PERIOD = 2
"""Seconds between blocks when there is work."""

EMPTY_BLOCK_PERIOD = 30
"""Seconds between blocks when there is none: views stay fresh, and disks do not fill."""

REQUEST_TIMEOUT = 4
"""Seconds before validators go on to the next round; twice the block period, as Besu advises."""

EPOCH_LENGTH = 30_000
"""Blocks after which votes on validators lapse."""

GAS_LIMIT = 1_000_000_000
"""Far beyond any use: gas is free, and a checkpoint is one transaction."""

NODES_FILE = "permissions/nodes.toml"
"""Nodes that may connect, in a network's folder."""

STATIC_NODES_FILE = "static-nodes.json"
"""Nodes that are dialled at the start."""

RPC_PORT = 8_545
PEERS_PORT = 30_303
METRICS_PORT = 9_545

FIRST_HOST = 11
"""Last number of the first validator's address in the containers' network."""

RPC_HOST = 10
"""Last number of the address of the node that only answers."""

EMPTY_TRIE = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
"""Root of a trie with nothing in it: keccak256(RLP of the empty string) (Yellow Paper, D)."""

_OWNER_ONLY = 0o600
_NOBODY = "0x" + "0" * 40


@dataclass(frozen=True, slots=True)
class BesuOptions:
    """What may be chosen of a production network."""

    validators: int = 4
    chain_id: int = 0
    """0: a random one, above those that public networks use."""

    subnet: str = "172.28.5"
    """First three numbers of the containers' addresses."""

    accounts: tuple[Address, ...] = ()
    """Who may send transactions before Consortium is there to say it: who deploys it."""

    founded_at: int = 0
    """Time of the genesis block; 0: now."""


@dataclass(frozen=True, slots=True)
class WrittenNetwork:
    """What was written."""

    profile: NetworkProfile
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class _Peer:
    name: str
    host: str
    key: Account = field(repr=False)

    @property
    def node_id(self) -> str:
        """Public key of the node on the peer network; a validator's account is made of it too."""
        public = coincurve.PrivateKey(self.key.key).public_key
        return public.format(compressed=False)[1:].hex()

    @property
    def enode(self) -> str:
        return f"enode://{self.node_id}@{self.host}:{PEERS_PORT}"


def write_network(
    folder: Path, options: BesuOptions, passphrase: str, progress: Progress = silent
) -> WrittenNetwork:
    """
    Write a new network into a folder that does not exist or is empty.

    Raises `UsageError` for a folder with something in it, too few validators, or an empty
    passphrase.
    """
    if options.validators < 1:
        raise UsageError(f"expected one validator or more, got {options.validators}")
    if not passphrase:
        raise UsageError("expected a passphrase: validators' keys are encrypted at rest")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"expected a new or empty folder, {folder} has something in it")
    progress("making keys")
    validators = [
        _Peer(f"validator{n}", f"{options.subnet}.{FIRST_HOST + n - 1}", Account.generate())
        for n in range(1, options.validators + 1)
    ]
    rpc = _Peer("rpc", f"{options.subnet}.{RPC_HOST}", Account.generate())
    peers = [*validators, rpc]
    addresses = [peer.key.address for peer in validators]
    genesis = genesis_block(options, addresses)
    profile = _profile(genesis, addresses, _chain_id_of(genesis))
    accounts = list(options.accounts)
    progress("encrypting keys")
    files: dict[str, str] = {
        "genesis.json": _json(genesis),
        STATIC_NODES_FILE: _json([peer.enode for peer in validators]),
        NODES_FILE: nodes_permissions([peer.enode for peer in peers]),
        "permissions/accounts.toml": accounts_permissions(accounts),
        "validator.toml": settings(validates=True),
        "rpc.toml": settings(validates=False),
    }
    for peer in peers:
        files |= {f"{peer.name}/{name}": text for name, text in _key_files(peer, passphrase)}
    written = [_write(folder / name, text) for name, text in files.items()]
    save(profile, folder / PROFILE_FILE)
    return WrittenNetwork(profile, (*written, folder / PROFILE_FILE))


def write_key(folder: Path, passphrase: str) -> Address:
    """
    Write a fresh key for one more node, as `write_network` writes those of the first ones.

    For a validator that joins, or that takes the place of one whose key is lost. Raises
    `UsageError` for a folder with a key in it, or an empty passphrase.
    """
    if not passphrase:
        raise UsageError("expected a passphrase: validators' keys are encrypted at rest")
    peer = _Peer(folder.name, "", Account.generate())
    for name, text in _key_files(peer, passphrase):
        _write(folder / name, text)
    return peer.key.address


def genesis_block(options: BesuOptions, validators: list[Address]) -> dict[str, object]:
    """Return Besu's genesis file as JSON. Validators are sorted by address, as QBFT does it."""
    chain_id = options.chain_id or 2**31 + secrets.randbelow(2**30)
    return {
        "config": {
            "chainId": chain_id,
            "berlinBlock": 0,
            "londonBlock": 0,
            "zeroBaseFee": True,
            "qbft": {
                "blockperiodseconds": BLOCK_PERIOD,
                "emptyblockperiodseconds": EMPTY_BLOCK_PERIOD,
                "epochlength": EPOCH_LENGTH,
                "requesttimeoutseconds": REQUEST_TIMEOUT,
            },
        },
        "nonce": "0x0",
        "timestamp": hex(options.founded_at or int(time.time())),
        "extraData": "0x" + genesis_extra_data(validators).hex(),
        "gasLimit": hex(GAS_LIMIT),
        "difficulty": "0x1",
        "mixHash": "0x" + MIX_HASH.hex(),
        "coinbase": _NOBODY,
        # Said outright: without it London's first base fee would be one gwei.
        "baseFeePerGas": "0x0",
        "alloc": {},
    }


def genesis_hash(genesis: dict[str, object]) -> bytes:
    """
    Return the hash of the block that a genesis file without accounts makes.

    Its state, transactions and receipts are empty, so that every field is known.
    """
    if genesis["alloc"]:
        raise UsageError("expected a genesis file without accounts, got one with some")
    header = from_rpc(
        {
            "parentHash": "0x" + "0" * 64,
            "sha3Uncles": "0x" + NO_OMMERS.hex(),
            "miner": genesis["coinbase"],
            "stateRoot": EMPTY_TRIE,
            "transactionsRoot": EMPTY_TRIE,
            "receiptsRoot": EMPTY_TRIE,
            "logsBloom": "0x" + "0" * 512,
            "difficulty": genesis["difficulty"],
            "number": "0x0",
            "gasLimit": genesis["gasLimit"],
            "gasUsed": "0x0",
            "timestamp": genesis["timestamp"],
            "extraData": genesis["extraData"],
            "mixHash": genesis["mixHash"],
            "nonce": "0x" + "0" * 16,
            "baseFeePerGas": genesis["baseFeePerGas"],
        }
    )
    return block_hash_of(header, "qbft")


def nodes_permissions(enodes: list[str]) -> str:
    """Return the permissions file that lists the nodes that may connect."""
    return f"nodes-allowlist={json.dumps(enodes)}\n"


def accounts_permissions(accounts: list[Address]) -> str:
    """Return the permissions file that lists the accounts that may send transactions."""
    for account in accounts:
        if not is_checksum_address(account):
            raise UsageError("expected addresses with their checksum")
    return f"accounts-allowlist={json.dumps([account.lower() for account in accounts])}\n"


def settings(*, validates: bool) -> str:
    """
    Return a Besu node's settings file.

    A validator's management interface votes on validators and reads permissions again; it
    is open inside the containers' network only. The node that answers others has neither, and
    could not be told to read the list of accounts again: it passes transactions on, and the
    validators refuse strangers' (docs/adr/0080-accounts-are-checked-by-validators.md).
    """
    interfaces = ["ETH", "NET", "WEB3"] + (["QBFT", "PERM", "ADMIN"] if validates else [])
    values: dict[str, object] = {
        "profile": "ENTERPRISE",
        "genesis-file": "/network/genesis.json",
        "data-path": "/data",
        "node-private-key-file": "/run/xinglin/key",
        "discovery-enabled": False,
        "static-nodes-file": f"/network/{STATIC_NODES_FILE}",
        "p2p-port": PEERS_PORT,
        "permissions-nodes-config-file-enabled": True,
        "permissions-nodes-config-file": f"/network/{NODES_FILE}",
        "min-gas-price": 0,
        "rpc-http-enabled": True,
        "rpc-http-host": "0.0.0.0",  # noqa: S104  (inside the containers' own network)
        "rpc-http-port": RPC_PORT,
        "rpc-http-api": interfaces,
        "host-allowlist": ["*"],
        "metrics-enabled": True,
        "metrics-host": "0.0.0.0",  # noqa: S104
        "metrics-port": METRICS_PORT,
        "sync-mode": "FULL",
        "logging": "INFO",
    }
    if validates:
        values["permissions-accounts-config-file-enabled"] = True
        values["permissions-accounts-config-file"] = "/network/permissions/accounts.toml"
    return "".join(f"{key}={json.dumps(value)}\n" for key, value in values.items())


def unlock_key(key: Path, out: Path, passphrase: str) -> Address:
    """
    Decrypt a validator's key into `out`, which only its owner may read.

    `out` is to be in memory (a tmpfs): on disk the encryption would be for nothing. Raises
    `KeyFileError` for a wrong passphrase or another file.
    """
    try:
        locked = json.loads(key.read_bytes())
        secret = bytes(EthAccount.decrypt(locked, passphrase))
    except OSError as error:
        raise UsageError(f"{key}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise KeyFileError(f"{key}: expected an encrypted key and its passphrase") from error
    try:
        out.unlink(missing_ok=True)
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write("0x" + secret.hex())
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}") from error
    return Account.from_key(secret).address


def _profile(
    genesis: dict[str, object], validators: list[Address], chain_id: int
) -> NetworkProfile:
    return NetworkProfile(
        engine="qbft",
        chain_id=chain_id,
        genesis=genesis_hash(genesis),
        # The institution's own node first: it is asked first, and the others must agree.
        rpc=(f"http://rpc:{RPC_PORT}", f"http://validator1:{RPC_PORT}"),
        block_period=BLOCK_PERIOD,
        finality=Finality(FinalityRule.IMMEDIATE),
        fee=FeeRule.ZERO,
        epoch_length=EPOCH_LENGTH,
        validators=tuple(sorted(validators, key=str.lower)),
        max_head_age=3 * EMPTY_BLOCK_PERIOD,
    )


def _chain_id_of(genesis: dict[str, object]) -> int:
    return cast(dict[str, int], genesis["config"])["chainId"]


def _key_files(peer: _Peer, passphrase: str) -> list[tuple[str, str]]:
    return [
        ("key.json", _json(encrypted(peer.key.key, passphrase))),
        ("address", peer.key.address + "\n"),
        ("node-id", peer.node_id + "\n"),
    ]


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _write(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        private = path.name == "key.json"
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY if private else 0o644
        )
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return path
