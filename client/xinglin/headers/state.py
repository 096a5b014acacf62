"""
Contract state against a state root: what `eth_getProof` answers, checked (EIP-1186).

The tries are those of the yellow paper, section 4.1 and appendix D, walked by the
libraries `trie` and `rlp`. A proof is the list of nodes from the root to where the key
ends; it may show a value, or that there is none.

    account = verify_contract(view.state_root, registry, code_hash, nodes)
    word = verify_storage(account.storage_hash, slot, nodes)

Every node must be used: a proof holds what it proves and nothing more.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NewType, cast

import rlp
from trie.exceptions import InvalidNibbles, InvalidNode, MissingTrieNode, ValidationError
from trie.hexary import HexaryTrie

from xinglin.errors import StateProofError
from xinglin.hashes import keccak256
from xinglin.headers.header import HASH_SIZE, StateRoot
from xinglin.headers.validators import account_of
from xinglin.names import Address

StorageRoot = NewType("StorageRoot", bytes)
"""Root of the trie of one contract's storage, 32 bytes."""

CodeHash = NewType("CodeHash", bytes)
"""Keccak-256 of a contract's code, 32 bytes."""

NO_STORAGE = StorageRoot(keccak256(b"\x80"))
"""Root of a trie of nothing."""

NO_CODE = CodeHash(keccak256(b""))
"""Code hash of an account that is not a contract."""

WORD_BITS = 256
"""Size of a storage slot's number and of its value."""

NONCE_SIZE = 8
"""Bytes of the largest nonce (EIP-2681)."""

BALANCE_SIZE = 32
"""Bytes of the largest balance."""

ACCOUNT_ITEMS = 4
"""Nonce, balance, storage root, code hash."""

MAX_NODES = 65
"""A key has 64 nibbles, and each node but the last uses one of them at least."""

MAX_NODE_SIZE = 600
"""A branch of 16 hashes has 532 bytes; no node of these tries is larger."""

_EMPTY_NODE = b"\x80"
"""The one node of a trie of nothing; some nodes of networks send it, others send none."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account in the state, as proven."""

    nonce: int
    balance: int
    """In wei."""
    storage_hash: StorageRoot
    code_hash: CodeHash


ABSENT = Account(0, 0, NO_STORAGE, NO_CODE)
"""What an account is that nobody has used; its absence is proven like a value."""


@dataclass(frozen=True, slots=True)
class ProvenState:
    """A whole answer to `eth_getProof`, proven."""

    account: Account
    storage: Mapping[int, int]
    """Slot to value; zero where the proof shows that nothing is stored."""


def verify_account(
    state_root: StateRoot, address: Address, proof_nodes: Sequence[bytes]
) -> Account:
    """
    The account at `address` in the state under `state_root`.

    Returns `ABSENT` where the proof shows that there is none. Raises `StateProofError`
    if the nodes do not lead from the root to the account or to its absence.
    """
    value = _value(state_root, account_of(address), proof_nodes, "account")
    if value is None:
        return ABSENT
    fields = _decoded(value, "account")
    if not isinstance(fields, list) or len(fields) != ACCOUNT_ITEMS:
        raise StateProofError(f"account: expected a list of {ACCOUNT_ITEMS} items")
    nonce, balance, storage_hash, code_hash = fields
    return Account(
        nonce=_integer(nonce, NONCE_SIZE, "nonce"),
        balance=_integer(balance, BALANCE_SIZE, "balance"),
        storage_hash=StorageRoot(_hash(storage_hash, "storage root")),
        code_hash=CodeHash(_hash(code_hash, "code hash")),
    )


def verify_contract(
    state_root: StateRoot, address: Address, code_hash: CodeHash, proof_nodes: Sequence[bytes]
) -> Account:
    """
    The account at `address`, which must be a contract with the code that one trusts.

    Raises `StateProofError` if the proof fails or shows other code, or none.
    """
    account = verify_account(state_root, address, proof_nodes)
    if code_hash == NO_CODE:
        raise StateProofError("code hash: expected that of a contract, got that of no code")
    if account.code_hash != code_hash:
        raise StateProofError(
            f"code hash of {address}: expected {code_hash.hex()}, got {account.code_hash.hex()}"
        )
    return account


def verify_storage(
    storage_hash: StorageRoot, slot: int | bytes, proof_nodes: Sequence[bytes]
) -> int:
    """
    The value of a storage slot under the root of a contract's storage.

    Returns 0 where the proof shows that nothing is stored: to the EVM that is the same.
    `slot` is a number or its 32 bytes. Raises `StateProofError`.
    """
    if isinstance(slot, int):
        if slot < 0 or slot >> WORD_BITS:
            raise StateProofError("slot: expected a number of 256 bits")
        slot = slot.to_bytes(HASH_SIZE, "big")
    if len(slot) != HASH_SIZE:
        raise StateProofError(f"slot: expected {HASH_SIZE} bytes, got {len(slot)}")
    value = _value(storage_hash, slot, proof_nodes, "storage")
    if value is None:
        return 0
    word = _integer(_decoded(value, "storage value"), HASH_SIZE, "storage value")
    if word == 0:
        raise StateProofError("storage value: expected no leaf for zero, got one")
    return word


def verify_answer(
    state_root: StateRoot,
    answer: Mapping[str, object],
    *,
    address: Address,
    code_hash: CodeHash,
    slots: Sequence[int],
) -> ProvenState:
    """
    Check a whole answer to `eth_getProof` for one contract and some of its slots.

    Takes plain JSON and web3's values alike. What the answer states beside its proofs is
    not believed and not read; only the nodes are. Raises `StateProofError`.
    """
    nodes = _nodes_of(answer.get("accountProof"), "accountProof")
    account = verify_contract(state_root, address, code_hash, nodes)
    proofs = answer.get("storageProof")
    if not isinstance(proofs, list | tuple):
        raise StateProofError("storageProof: expected a list")
    proofs = cast(Sequence[object], proofs)
    if len(proofs) != len(slots):
        raise StateProofError(
            f"storageProof: expected a proof for each of {len(slots)} slots, got {len(proofs)}"
        )
    storage: dict[int, int] = {}
    for slot, proof in zip(slots, proofs, strict=True):
        if not isinstance(proof, Mapping):
            raise StateProofError("storageProof: expected objects")
        found = cast(Mapping[str, object], proof).get("proof")
        storage[slot] = verify_storage(account.storage_hash, slot, _nodes_of(found, "proof"))
    return ProvenState(account, storage)


class _Nodes(Mapping[bytes, bytes]):
    """The nodes of a proof by their hashes, remembering which were asked for."""

    def __init__(self, nodes: Sequence[bytes]) -> None:
        self._nodes = {keccak256(node): node for node in nodes}
        self.unused = set(self._nodes)

    def __getitem__(self, key: bytes) -> bytes:
        node = self._nodes[key]
        self.unused.discard(key)
        return node

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._nodes)

    def __len__(self) -> int:
        return len(self._nodes)


def _value(root: bytes, key: bytes, proof_nodes: Sequence[bytes], name: str) -> bytes | None:
    """What the trie under `root` has at the hash of `key`, or None if it has nothing."""
    if len(root) != HASH_SIZE:
        raise StateProofError(f"{name} root: expected {HASH_SIZE} bytes, got {len(root)}")
    if root == NO_STORAGE:
        if list(proof_nodes) not in ([], [_EMPTY_NODE]):
            raise StateProofError(f"{name} proof: expected no nodes under an empty root")
        return None
    if not 0 < len(proof_nodes) <= MAX_NODES:
        raise StateProofError(
            f"{name} proof: expected 1 to {MAX_NODES} nodes, got {len(proof_nodes)}"
        )
    for node in proof_nodes:
        _check_node(node, name)
    nodes = _Nodes(proof_nodes)
    if len(nodes) != len(proof_nodes):
        raise StateProofError(f"{name} proof: expected each node once")
    try:
        value = HexaryTrie(nodes, root).get(keccak256(key))
    except MissingTrieNode as error:
        raise StateProofError(
            f"{name} proof: expected a node with hash {error.missing_node_hash.hex()}, got none"
        ) from error
    except (InvalidNode, InvalidNibbles, ValidationError) as error:
        raise StateProofError(f"{name} proof: expected nodes of a trie: {error}") from error
    if nodes.unused:
        raise StateProofError(
            f"{name} proof: expected no more nodes than lead to the key, "
            f"got {len(nodes.unused)} more"
        )
    return value or None


def _check_node(node: bytes, name: str) -> None:
    """A node is a branch of 17 items, or a path and what it leads to; all hashes are whole."""
    if len(node) > MAX_NODE_SIZE:
        raise StateProofError(
            f"{name} proof: expected nodes of {MAX_NODE_SIZE} bytes at most, got {len(node)}"
        )
    _check_items(_decoded(node, f"{name} proof"), name)


def _check_items(node: object, name: str) -> None:
    items = cast(list[object], node) if isinstance(node, list) else []
    if len(items) == 17:
        children = items[:16]
        if items[16] != b"":
            raise StateProofError(f"{name} proof: expected no value in a branch")
    elif len(items) == 2:
        path = items[0]
        if not isinstance(path, bytes) or not path or path[0] >> 4 > 3:
            raise StateProofError(f"{name} proof: expected a path, got another thing")
        if path[0] >> 4 in (0, 2) and path[0] & 15:
            raise StateProofError(f"{name} proof: expected an even path to be padded with zero")
        if path[0] >> 4 > 1:
            if not isinstance(items[1], bytes) or not items[1]:
                raise StateProofError(f"{name} proof: expected a value in a leaf")
            return
        if path == b"\x00":
            raise StateProofError(f"{name} proof: expected a path in an extension, got none")
        children = items[1:]
        if children == [b""]:
            raise StateProofError(f"{name} proof: expected an extension to lead to a node")
    else:
        raise StateProofError(f"{name} proof: expected a node of 2 or 17 items")
    for child in children:
        if isinstance(child, list):
            _check_items(cast(object, child), name)
        elif len(cast(bytes, child)) not in (0, HASH_SIZE):
            raise StateProofError(f"{name} proof: expected children as hashes")


def _decoded(data: bytes, name: str) -> object:
    """One RLP value, in its only form, and nothing after it."""
    try:
        return cast(object, rlp.decode(data, strict=True))
    except (rlp.DecodingError, RecursionError, TypeError) as error:
        raise StateProofError(f"{name}: expected RLP in its shortest form") from error


def _integer(value: object, size: int, name: str) -> int:
    if not isinstance(value, bytes) or len(value) > size or value[:1] == b"\x00":
        raise StateProofError(
            f"{name}: expected an integer of {size} bytes at most without leading zeros"
        )
    return int.from_bytes(value, "big")


def _hash(value: object, name: str) -> bytes:
    if not isinstance(value, bytes) or len(value) != HASH_SIZE:
        raise StateProofError(f"{name}: expected {HASH_SIZE} bytes")
    return value


def _nodes_of(value: object, name: str) -> list[bytes]:
    """The nodes in an answer: hexadecimal text or bytes."""
    if not isinstance(value, list | tuple):
        raise StateProofError(f"{name}: expected a list of nodes")
    nodes: list[bytes] = []
    for node in cast(Sequence[object], value):
        if isinstance(node, str):
            try:
                node = bytes.fromhex(node.removeprefix("0x"))
            except ValueError as error:
                raise StateProofError(f"{name}: expected hexadecimal digits") from error
        if not isinstance(node, bytes):
            raise StateProofError(f"{name}: expected nodes as hexadecimal text or bytes")
        nodes.append(bytes(node))
    return nodes
