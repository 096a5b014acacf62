"""A header as Ethereum writes it."""

from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from xinglin.errors import HeaderError, UsageError
from xinglin.headers import block_hash_of
from xinglin.headers.header import (
    CANCUN,
    PRAGUE,
    SHANGHAI,
    Fork,
    check_shape,
    from_rpc,
    parse,
)

from .chains import Draft, unhurried

ROOT = bytes.fromhex("11" * 32)

TAILS: dict[int, tuple[bytes | int, ...]] = {
    15: (),
    16: (7,),
    17: (7, ROOT),
    19: (7, ROOT, 0, 0),
    20: (7, ROOT, 0, 0, ROOT),
    21: (7, ROOT, 0, 0, ROOT, ROOT),
    23: (7, ROOT, 0, 0, ROOT, ROOT, b"any", b""),
}

ANVIL_BLOCK = {
    "hash": "0xaad4a6a08875b6927b7ba91f8609a3d9c009e8b790b2ff88760c0f77905d74d3",
    "parentHash": "0xa6baf3b3a8328aa537058b56d9556549a2bf30add2112b957b5b6d1944451ed9",
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "miner": "0x0000000000000000000000000000000000000000",
    "stateRoot": "0x973eab856cc690ae00ced84662f2b64569a3d3368650696faecc543776da2af1",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "logsBloom": "0x" + "00" * 256,
    "difficulty": "0x0",
    "number": "0x8",
    "gasLimit": "0x1c9c380",
    "gasUsed": "0x0",
    "timestamp": "0x6b0641de",
    "extraData": "0x",
    "mixHash": "0xca390ea30dd12d1659d9d5e6e958458072d8625bed8f49ad32af2065ca9e0f7c",
    "nonce": "0x0000000000000000",
    "baseFeePerGas": "0x0",
    "totalDifficulty": "0x0",
    "size": "0x1fe",
    "uncles": [],
    "transactions": [],
}
"""A block of Anvil 1.7.1 under London rules, as it answered."""

words = st.integers(0, 2**64 - 1)
hashes = st.binary(min_size=32, max_size=32)
drafts = st.builds(
    Draft,
    parent_hash=hashes,
    state_root=hashes,
    coinbase=st.binary(min_size=20, max_size=20),
    difficulty=st.integers(0, 2**256 - 1),
    number=words,
    gas_limit=words,
    gas_used=words,
    timestamp=words,
    extra=st.binary(max_size=120),
    mix_hash=hashes,
    nonce=st.binary(min_size=8, max_size=8),
    tail=st.sampled_from(list(TAILS.values())),
)


class TestParse:
    @unhurried
    @given(drafts)
    def test_every_field_is_read_and_the_bytes_come_back(self, draft: Draft) -> None:
        encoded = draft.encoded()
        header = parse(encoded)
        assert header.encoded == encoded
        assert header.block_hash == keccak(encoded)
        assert (header.parent_hash, header.state_root, header.coinbase) == (
            draft.parent_hash, draft.state_root, draft.coinbase,
        )  # fmt: skip
        assert (header.number, header.timestamp, header.difficulty) == (
            draft.number, draft.timestamp, draft.difficulty,
        )  # fmt: skip
        assert (header.gas_limit, header.gas_used) == (draft.gas_limit, draft.gas_used)
        assert (header.extra_data, header.mix_hash, header.nonce) == (
            draft.extra, draft.mix_hash, draft.nonce,
        )  # fmt: skip
        assert header.base_fee == (draft.tail[0] if draft.tail else None)

    @unhurried
    @given(drafts, st.data())
    def test_damaged_bytes_raise_header_error_or_read_as_what_they_are(
        self, draft: Draft, data: st.DataObject
    ) -> None:
        encoded = draft.encoded()
        position = data.draw(st.integers(0, len(encoded) - 1))
        damaged = data.draw(
            st.sampled_from(
                [
                    encoded[:position],
                    encoded[:position] + data.draw(st.binary(max_size=4)) + encoded[position + 1 :],
                    encoded + data.draw(st.binary(min_size=1, max_size=4)),
                ]
            )
        )
        try:
            header = parse(damaged)
        except HeaderError:
            return
        assert header.encoded == damaged

    @pytest.mark.parametrize("count", [14, 24])
    def test_other_numbers_of_items_are_refused(self, count: int) -> None:
        draft = Draft(tail=TAILS[23] + (b"",))
        encoded = replace(draft, tail=draft.tail[: count - 15]).encoded()
        if count == 14:
            from rlp import encode

            encoded = encode(draft.items()[:14])
        with pytest.raises(HeaderError, match=f"expected 15 to 23 items, got {count}"):
            parse(encoded)

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"parent_hash": bytes(31)}, "parentHash: expected 32 bytes, got 31"),
            ({"ommers_hash": bytes(33)}, "ommersHash: expected 32 bytes, got 33"),
            ({"coinbase": bytes(19)}, "coinbase: expected 20 bytes, got 19"),
            ({"state_root": b""}, "stateRoot: expected 32 bytes, got 0"),
            ({"transactions_root": b""}, "transactionsRoot: expected 32 bytes"),
            ({"receipts_root": b""}, "receiptsRoot: expected 32 bytes"),
            ({"bloom": bytes(255)}, "logsBloom: expected 256 bytes, got 255"),
            ({"difficulty": 1 << 256}, "difficulty: expected at most 32 bytes, got 33"),
            ({"number": 1 << 64}, "number: expected at most 8 bytes, got 9"),
            ({"gas_limit": 1 << 64}, "gasLimit: expected at most 8 bytes"),
            ({"gas_used": b"\x00"}, "gasUsed: expected an integer without leading zeros, got 00"),
            ({"timestamp": b"\x00\x01"}, "timestamp: expected an integer without leading zeros"),
            ({"extra": [b""]}, "extraData: expected an RLP string, got a list"),
            ({"mix_hash": bytes(31)}, "mixHash: expected 32 bytes, got 31"),
            ({"nonce": bytes(7)}, "nonce: expected 8 bytes, got 7"),
            ({"tail": (b"\x00",)}, "baseFeePerGas: expected an integer without leading zeros"),
            ({"tail": (0, bytes(31))}, "withdrawalsRoot: expected 32 bytes, got 31"),
            ({"tail": (0, ROOT, 0, 0, ROOT, ROOT, [b""])}, "item 21: expected an RLP string"),
        ],
    )
    def test_a_field_of_another_size_is_named(self, changes: dict[str, object], why: str) -> None:
        with pytest.raises(HeaderError, match=why):
            parse(replace(Draft(), **changes).encoded())


class TestForkSchedule:
    @pytest.mark.parametrize("items", sorted(TAILS))
    def test_without_forks_every_header_is_shaped_like_the_genesis_header(self, items: int) -> None:
        for other, tail in TAILS.items():
            header = parse(Draft(number=1, tail=tail).encoded())
            if other == items:
                check_shape(header, items, ())
                continue
            with pytest.raises(HeaderError, match=f"expected {items} items by the fork schedule"):
                check_shape(header, items, ())

    def test_a_fork_by_number_and_one_by_time_change_the_shape_when_they_come(self) -> None:
        forks = (Fork((SHANGHAI,), number=10), Fork(CANCUN, timestamp=5000), Fork((PRAGUE,), 99))
        for number, timestamp, right in (
            (9, 4999, {16}),
            (10, 4999, {17}),
            (10, 5000, {19, 20}),
            (99, 5000, {21}),
        ):
            for items, tail in TAILS.items():
                draft = Draft(number=number, timestamp=timestamp, tail=tail)
                header = parse(draft.encoded())
                if items in right:
                    check_shape(header, 16, forks)
                else:
                    with pytest.raises(HeaderError, match="by the fork schedule"):
                        check_shape(header, 16, forks)

    @pytest.mark.parametrize("items", [(), (14,), (24,)])
    def test_a_fork_has_a_number_of_items_that_can_be_read(self, items: tuple[int, ...]) -> None:
        with pytest.raises(UsageError, match="expected item counts from 15 to 23"):
            Fork(items)


class TestFromRpc:
    def test_the_header_of_a_development_chain_has_the_hash_that_the_node_names(self) -> None:
        encoded = from_rpc(ANVIL_BLOCK)
        header = parse(encoded)
        assert f"0x{header.block_hash.hex()}" == ANVIL_BLOCK["hash"]
        assert block_hash_of(encoded, "anvil") == header.block_hash
        assert (header.number, header.base_fee) == (8, 0)

    def test_plain_json_and_python_values_give_the_same_header(self) -> None:
        as_values = {
            name: bytes.fromhex(text[2:])
            if len(text) > 20 or name in ("nonce", "extraData")
            else int(text, 16)
            for name, text in ANVIL_BLOCK.items()
            if isinstance(text, str)
        }
        as_values["proofOfAuthorityData"] = as_values.pop("extraData")
        assert from_rpc(as_values) == from_rpc(ANVIL_BLOCK)

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"stateRoot": None}, "stateRoot: expected a value, got none"),
            ({"stateRoot": "0x11"}, "stateRoot: expected 32 bytes, got 1"),
            ({"stateRoot": "0xzz"}, "stateRoot: expected hexadecimal digits"),
            ({"stateRoot": 3}, "stateRoot: expected bytes, got int"),
            ({"number": "eight"}, "number: expected a hexadecimal quantity"),
            ({"number": -1}, "number: expected an integer from zero"),
            ({"number": True}, "number: expected an integer from zero"),
        ],
    )
    def test_a_malformed_answer_is_refused(self, changes: dict[str, object], why: str) -> None:
        with pytest.raises(HeaderError, match=why):
            from_rpc({**ANVIL_BLOCK, **changes})
