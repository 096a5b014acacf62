"""Storage and account proofs, over tries built here and over answers of a real node."""

import pytest
import rlp
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from xinglin.errors import HeaderError, StateProofError
from xinglin.headers import state
from xinglin.headers.header import StateRoot
from xinglin.headers.state import (
    ABSENT,
    NO_CODE,
    NO_STORAGE,
    CodeHash,
    StorageRoot,
    verify_account,
    verify_answer,
    verify_contract,
    verify_storage,
)
from xinglin.names import Address

from .chains import unhurried

CONTRACT = Address("0x" + "c0" * 20)
CODE_HASH = CodeHash(keccak(b"code"))


def trie_of(values: dict[bytes, bytes]) -> HexaryTrie:
    trie = HexaryTrie({})
    for key, value in values.items():
        trie[keccak(key)] = value
    return trie


def proof_of(trie: HexaryTrie, key: bytes) -> list[bytes]:
    """The nodes for `key` as nodes of networks send them: each as it was hashed."""
    nodes = [rlp.encode(node) for node in trie.get_proof(keccak(key))]
    return [node for place, node in enumerate(nodes) if place == 0 or len(node) >= 32]


def slot_of(number: int) -> bytes:
    return number.to_bytes(32, "big")


def storage_of(values: dict[int, int]) -> HexaryTrie:
    return trie_of({slot_of(slot): rlp.encode(value) for slot, value in values.items()})


def account_rlp(storage_hash: bytes = NO_STORAGE, code_hash: bytes = CODE_HASH) -> bytes:
    return rlp.encode([1, 10**18, storage_hash, code_hash])


def accounts(count: int = 20) -> HexaryTrie:
    others = {bytes([i]) * 20: account_rlp() for i in range(count)}
    return trie_of({**others, bytes.fromhex(CONTRACT[2:]): account_rlp(b"\x22" * 32)})


words = st.integers(1, 2**256 - 1)

FORTY = storage_of(dict.fromkeys(range(1, 41), 1))
"""A contract with forty slots in use."""


class TestVerifyStorage:
    @settings(unhurried, max_examples=40)
    @given(st.dictionaries(st.integers(0, 25), words, min_size=1, max_size=20))
    def test_every_value_and_every_absence_is_proven(self, values: dict[int, int]) -> None:
        trie = storage_of(values)
        for slot in range(27):
            nodes = proof_of(trie, slot_of(slot))
            assert verify_storage(trie.root_hash, slot, nodes) == values.get(slot, 0)

    def test_a_slot_is_a_number_or_its_bytes(self) -> None:
        trie = storage_of({5: 7})
        nodes = proof_of(trie, slot_of(5))
        assert verify_storage(trie.root_hash, 5, nodes) == 7
        assert verify_storage(trie.root_hash, slot_of(5), nodes) == 7
        for wrong in (-1, 1 << 256, b"\x05"):
            with pytest.raises(StateProofError, match="slot: expected"):
                verify_storage(trie.root_hash, wrong, nodes)

    def test_under_an_empty_root_nothing_is_stored(self) -> None:
        assert verify_storage(NO_STORAGE, 5, []) == 0
        assert verify_storage(NO_STORAGE, 5, [b"\x80"]) == 0
        with pytest.raises(StateProofError, match="expected no nodes under an empty root"):
            verify_storage(NO_STORAGE, 5, [b"\x80", b"\x80"])

    def test_absence_is_not_proven_by_leaving_nodes_out(self) -> None:
        # A node that wants a revocation unseen would send a proof that just stops.
        trie = storage_of(dict.fromkeys(range(1, 60), 1))
        nodes = proof_of(trie, slot_of(7))
        assert len(nodes) > 1
        for count in range(len(nodes)):
            with pytest.raises(StateProofError):
                verify_storage(trie.root_hash, 7, nodes[:count])

    def test_a_proof_for_one_slot_proves_no_other(self) -> None:
        trie = storage_of(dict.fromkeys(range(1, 60), 1))
        with pytest.raises(StateProofError):
            verify_storage(trie.root_hash, 8, proof_of(trie, slot_of(7)))

    def test_a_proof_under_another_root_proves_nothing(self) -> None:
        trie = storage_of({1: 1, 2: 2})
        other = storage_of({1: 1, 2: 3})
        with pytest.raises(StateProofError, match="storage proof: expected a node with hash"):
            verify_storage(other.root_hash, 1, proof_of(trie, slot_of(1)))
        with pytest.raises(StateProofError, match="storage root: expected 32 bytes, got 31"):
            verify_storage(StorageRoot(bytes(31)), 1, proof_of(trie, slot_of(1)))

    def test_nodes_that_are_not_needed_are_refused(self) -> None:
        trie = storage_of(dict.fromkeys(range(1, 60), 1))
        nodes = proof_of(trie, slot_of(7))
        more = proof_of(trie, slot_of(8))[-1]
        with pytest.raises(StateProofError, match="expected no more nodes than lead to the key"):
            verify_storage(trie.root_hash, 7, [*nodes, more])
        with pytest.raises(StateProofError, match="expected each node once"):
            verify_storage(trie.root_hash, 7, [*nodes, nodes[0]])
        with pytest.raises(StateProofError, match="expected 1 to 65 nodes, got 66"):
            verify_storage(trie.root_hash, 7, [nodes[0]] * 66)

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (b"\x80", "expected no leaf for zero"),
            (b"\x00", "expected an integer of 32 bytes at most without leading zeros"),
            (rlp.encode(1 << 256), "expected an integer of 32 bytes at most"),
            (b"\xc0", "expected an integer"),
            (b"\x81\x01", "expected RLP in its shortest form"),
            (b"\x01\x01", "expected RLP in its shortest form"),
        ],
    )
    def test_a_value_has_one_form(self, value: bytes, why: str) -> None:
        trie = trie_of({slot_of(1): value})
        with pytest.raises(StateProofError, match=why):
            verify_storage(trie.root_hash, 1, proof_of(trie, slot_of(1)))


class TestMalformedNodes:
    """Nodes under a root of their own, so that nothing but their form is wrong."""

    @pytest.mark.parametrize(
        ("node", "why"),
        [
            (b"", "expected RLP"),
            (b"\xff" * 32, "expected RLP"),
            (b"\xc0", "expected a node of 2 or 17 items"),
            (b"\x83abc", "expected a node of 2 or 17 items"),
            (rlp.encode([b"\x20"] * 3), "expected a node of 2 or 17 items"),
            (rlp.encode([b""] * 16), "expected a node of 2 or 17 items"),
            (rlp.encode([b""] * 16 + [b"value"]), "expected no value in a branch"),
            (rlp.encode([b"\x01" * 31] + [b""] * 16), "expected children as hashes"),
            (rlp.encode([b"", b"value"]), "expected a path"),
            (rlp.encode([[b""], b"value"]), "expected a path"),
            (rlp.encode([b"\x40", b"value"]), "expected a path"),
            (rlp.encode([b"\x21", b"value"]), "expected an even path to be padded with zero"),
            (rlp.encode([b"\x20", b""]), "expected a value in a leaf"),
            (rlp.encode([b"\x20", [b"value"]]), "expected a value in a leaf"),
            (rlp.encode([b"\x00", bytes(32)]), "expected a path in an extension, got none"),
            (rlp.encode([b"\x11", b""]), "expected an extension to lead to a node"),
            (rlp.encode([b"\x11", b"short"]), "expected children as hashes"),
            (rlp.encode([b"\x11", [b"\x11", [b""]]]), "expected a node of 2 or 17 items"),
            (rlp.encode([b"\x20", bytes(600)]), "expected nodes of 600 bytes at most"),
            (b"\xc1" * 300 + b"\xc0", "expected"),
            (b"\xf9\x02\x51" + b"\xc0" * 593, "expected a node of 2 or 17 items"),
        ],
    )
    def test_it_is_refused(self, node: bytes, why: str) -> None:
        with pytest.raises(StateProofError, match=why):
            verify_storage(StorageRoot(keccak(node)), 1, [node])

    @settings(unhurried, max_examples=150)
    @given(
        st.one_of(
            st.binary(max_size=100),
            st.recursive(
                st.sampled_from([b"", b"\x00", b"\x11", b"\x20", b"\x3f", bytes(32), b"value"]),
                lambda inner: st.one_of(
                    st.lists(inner, min_size=2, max_size=2),
                    st.lists(inner, min_size=17, max_size=17),
                ),
                max_leaves=20,
            ).map(rlp.encode),
        )
    )
    def test_no_node_raises_anything_but_our_error(self, node: bytes) -> None:
        for nodes in ([node], [node, b"\xc0"]):
            try:
                verify_storage(StorageRoot(keccak(node)), 1, nodes)
            except StateProofError:
                continue
            try:
                verify_account(StateRoot(keccak(node)), CONTRACT, nodes)
            except StateProofError:
                continue

    @unhurried
    @given(st.data())
    def test_damage_to_a_good_proof_is_refused(self, data: st.DataObject) -> None:
        trie, nodes = FORTY, proof_of(FORTY, slot_of(7))
        which = data.draw(st.integers(0, len(nodes) - 1))
        position = data.draw(st.integers(0, len(nodes[which]) - 1))
        bit = data.draw(st.integers(0, 7))
        bent = bytearray(nodes[which])
        bent[position] ^= 1 << bit
        nodes[which] = bytes(bent)
        with pytest.raises(StateProofError):
            verify_storage(trie.root_hash, 7, nodes)


class TestVerifyAccount:
    def test_a_contract_is_known_by_its_code_hash(self) -> None:
        trie = accounts()
        nodes = proof_of(trie, bytes.fromhex(CONTRACT[2:]))
        account = verify_contract(trie.root_hash, CONTRACT, CODE_HASH, nodes)
        assert account == state.Account(1, 10**18, StorageRoot(b"\x22" * 32), CODE_HASH)
        with pytest.raises(StateProofError, match=f"code hash of {CONTRACT}: expected 1111"):
            verify_contract(trie.root_hash, CONTRACT, CodeHash(b"\x11" * 32), nodes)

    def test_an_absent_account_is_proven_and_is_no_contract(self) -> None:
        trie = accounts()
        nobody = Address("0x" + "ee" * 20)
        nodes = proof_of(trie, bytes.fromhex(nobody[2:]))
        assert verify_account(trie.root_hash, nobody, nodes) == ABSENT
        with pytest.raises(StateProofError, match="code hash of"):
            verify_contract(trie.root_hash, nobody, CODE_HASH, nodes)
        # An address with no code must not pass for a contract because both hashes are empty.
        with pytest.raises(StateProofError, match="got that of no code"):
            verify_contract(trie.root_hash, nobody, NO_CODE, nodes)

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (rlp.encode([1, 0, NO_STORAGE]), "account: expected a list of 4 items"),
            (rlp.encode(b"account"), "account: expected a list of 4 items"),
            (rlp.encode([b"\x00", 0, NO_STORAGE, NO_CODE]), "nonce: expected an integer"),
            (rlp.encode([1, 1 << 256, NO_STORAGE, NO_CODE]), "balance: expected an integer"),
            (rlp.encode([1, 0, b"", NO_CODE]), "storage root: expected 32 bytes"),
            (rlp.encode([1, 0, NO_STORAGE, [NO_CODE]]), "code hash: expected 32 bytes"),
        ],
    )
    def test_an_account_has_one_form(self, value: bytes, why: str) -> None:
        trie = trie_of({bytes.fromhex(CONTRACT[2:]): value})
        with pytest.raises(StateProofError, match=why):
            verify_account(trie.root_hash, CONTRACT, proof_of(trie, bytes.fromhex(CONTRACT[2:])))

    @pytest.mark.parametrize("address", ["0x" + "c0" * 19, "c0" * 20, "0x" + "zz" * 20, ""])
    def test_what_is_no_address_is_refused(self, address: str) -> None:
        with pytest.raises(HeaderError, match="address: expected"):
            verify_account(StateRoot(bytes(32)), Address(address), [b"\xc0"])


ANVIL_ANSWER = {
    "address": "0x5fbdb2315678afecb367f032d93f642f64180aa3",
    "accountProof": [
        "0xf869a020e659e60b21cc961f64ad47f20523c1d329d4bbda245ef3940a76dc89d0911bb846f8440180a0a81d"
        "6253cfe982c46684c6f10f9e860e65959f04914b84358281b6cdef63a02da016896a1fddcb84aadb04b339e1cc"
        "0e2bcff6e302d4b97521e0de4a96b4311e7d"
    ],
    "storageProof": [
        {
            "key": "0x0",
            "value": "0x5",
            "proof": ["0xe3a120290decd9548b62a8d60345a988386fc84ba6bc95484008f6362f93160ef3e56305"],
        }
    ],
}
"""The lower end of an answer of Anvil 1.7.1 about a contract whose slot 0 holds 5."""


class TestVerifyAnswer:
    def _answer(self) -> tuple[StateRoot, CodeHash, dict[str, object]]:
        storage = storage_of({0: 5, 3: 2**200})
        state_trie = trie_of(
            {
                **{bytes([i]) * 20: account_rlp() for i in range(9)},
                bytes.fromhex(CONTRACT[2:]): account_rlp(storage.root_hash),
            }
        )
        answer: dict[str, object] = {
            "accountProof": [
                f"0x{node.hex()}" for node in proof_of(state_trie, bytes.fromhex(CONTRACT[2:]))
            ],
            "storageProof": [
                {"proof": proof_of(storage, slot_of(slot)), "value": "0x63"} for slot in (0, 1, 3)
            ],
        }
        return state_trie.root_hash, CODE_HASH, answer

    def test_slots_are_proven_in_their_order_and_stated_values_are_not_believed(self) -> None:
        root, code_hash, answer = self._answer()
        proven = verify_answer(root, answer, address=CONTRACT, code_hash=code_hash, slots=[0, 1, 3])
        assert proven.storage == {0: 5, 1: 0, 3: 2**200}
        assert proven.account.code_hash == code_hash

    def test_a_leaf_that_a_real_node_sent_is_read(self) -> None:
        storage_hash = StorageRoot(
            bytes.fromhex("a81d6253cfe982c46684c6f10f9e860e65959f04914b84358281b6cdef63a02d")
        )
        [proof] = ANVIL_ANSWER["storageProof"]
        nodes = [bytes.fromhex(node[2:]) for node in proof["proof"]]
        assert verify_storage(storage_hash, 0, nodes) == 5
        assert verify_storage(storage_hash, 1, nodes) == 0

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"accountProof": None}, "accountProof: expected a list of nodes"),
            ({"accountProof": ["0xzz"]}, "accountProof: expected hexadecimal digits"),
            ({"accountProof": [7]}, "accountProof: expected nodes as hexadecimal text or bytes"),
            ({"storageProof": None}, "storageProof: expected a list"),
            ({"storageProof": []}, "expected a proof for each of 3 slots, got 0"),
            ({"storageProof": [1, 2, 3]}, "storageProof: expected objects"),
            ({"storageProof": [{}, {}, {}]}, "proof: expected a list of nodes"),
        ],
    )
    def test_a_malformed_answer_is_refused(self, changes: dict[str, object], why: str) -> None:
        root, code_hash, answer = self._answer()
        with pytest.raises(StateProofError, match=why):
            verify_answer(
                root,
                {**answer, **changes},
                address=CONTRACT,
                code_hash=code_hash,
                slots=[0, 1, 3],
            )
