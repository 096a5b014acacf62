"""Checkpoints and receipts: the two notes that a log signs."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin import checkpoint, note, receipt
from xinglin.checkpoint import Checkpoint
from xinglin.errors import CheckpointError, UsageError
from xinglin.names import LeafHash, Origin, RootHash, UnixTime
from xinglin.note import LogKey
from xinglin.receipt import Receipt

KEY = LogKey.from_seed(b"\x05" * 32)
ORIGIN = Origin("xinglin.network/00112233445566778899aabbccddeeff/1/0")
OTHER = Origin("xinglin.network/00112233445566778899aabbccddeeff/1/1")
ROOT = RootHash(hashlib.sha256(b"root").digest())
LEAF = LeafHash(hashlib.sha256(b"leaf").digest())
BASE64_ROOT = base64.b64encode(ROOT).decode()
BASE64_LEAF = base64.b64encode(LEAF).decode()

hashes = st.binary(min_size=32, max_size=32)
times = st.integers(0, 2**48 - 1)


class TestCheckpoint:
    @given(st.integers(1, 2**40), hashes)
    def test_what_is_written_is_read_back(self, size: int, root: bytes) -> None:
        head = Checkpoint(ORIGIN, size, RootHash(root))
        assert checkpoint.read(checkpoint.write(head, KEY), ORIGIN, KEY.public) == head

    def test_what_is_read_is_written_the_same(self) -> None:
        data = checkpoint.write(Checkpoint(ORIGIN, 5, ROOT), KEY)
        assert checkpoint.write(checkpoint.read(data, ORIGIN, KEY.public), KEY) == data

    def test_the_text_is_that_of_tlog_checkpoint(self) -> None:
        data = checkpoint.write(Checkpoint(ORIGIN, 20852163, ROOT), KEY).decode()
        assert data.startswith(f"{ORIGIN}\n20852163\n{BASE64_ROOT}\n\n\u2014 {ORIGIN} ")

    def test_an_empty_log_has_the_empty_root_and_no_other(self) -> None:
        empty = RootHash(hashlib.sha256(b"").digest())
        head = Checkpoint(ORIGIN, 0, empty)
        assert checkpoint.read(checkpoint.write(head, KEY), ORIGIN, KEY.public) == head
        with pytest.raises(UsageError, match="empty"):
            Checkpoint(ORIGIN, 0, ROOT)
        forged = note.sign(f"{ORIGIN}\n0\n{BASE64_ROOT}\n", ORIGIN, KEY)
        with pytest.raises(CheckpointError, match="empty"):
            checkpoint.read(forged, ORIGIN, KEY.public)

    @pytest.mark.parametrize(
        "text",
        [
            f"{ORIGIN}\n5\n",
            f"{ORIGIN}\n5\n{BASE64_ROOT}\nextension\n",
            f"{ORIGIN}\n5\n{BASE64_ROOT}\n\n",
            f"{OTHER}\n5\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n05\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n+5\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n-5\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n 5\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n5 \n{BASE64_ROOT}\n",
            f"{ORIGIN}\n0x5\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n\u0665\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n{2**40 + 1}\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n{'9' * 400}\n{BASE64_ROOT}\n",
            f"{ORIGIN}\n5\n{BASE64_ROOT[:-1]}\n",
            f"{ORIGIN}\n5\n{base64.b64encode(ROOT[1:]).decode()}\n",
            f"{ORIGIN}\n5\n{base64.b64encode(ROOT + ROOT).decode()}\n",
            f"{ORIGIN}\n5\n{ROOT.hex()}\n",
            f"{ORIGIN}\n5\n{'_' * 42}8=\n",
            f"\n{ORIGIN}\n5\n{BASE64_ROOT}\n",
        ],
    )
    def test_a_well_signed_text_in_another_form_is_refused(self, text: str) -> None:
        with pytest.raises(CheckpointError):
            checkpoint.read(note.sign(text, ORIGIN, KEY), ORIGIN, KEY.public)

    def test_the_checkpoint_of_another_log_is_refused(self) -> None:
        # Another generation of the same member has the same key, and its own origin.
        data = checkpoint.write(Checkpoint(OTHER, 5, ROOT), KEY)
        with pytest.raises(CheckpointError):
            checkpoint.read(data, ORIGIN, KEY.public)

    def test_a_checkpoint_by_another_key_is_refused(self) -> None:
        data = checkpoint.write(Checkpoint(ORIGIN, 5, ROOT), LogKey.generate())
        with pytest.raises(CheckpointError):
            checkpoint.read(data, ORIGIN, KEY.public)

    @pytest.mark.parametrize("size", [-1, 2**40 + 1])
    def test_a_size_that_the_registry_refuses_is_not_signed(self, size: int) -> None:
        with pytest.raises(UsageError, match="size"):
            Checkpoint(ORIGIN, size, ROOT)

    def test_a_root_of_another_length_is_not_signed(self) -> None:
        with pytest.raises(UsageError, match="got 31"):
            Checkpoint(ORIGIN, 5, RootHash(ROOT[1:]))


class TestReceipt:
    RECEIPT = Receipt(ORIGIN, 4, LEAF, UnixTime(1_800_000_000), UnixTime(1_800_000_300))

    @given(st.integers(0, 2**40 - 1), hashes, times, times)
    def test_what_is_written_is_read_back(self, index: int, leaf: bytes, a: int, b: int) -> None:
        promise = Receipt(ORIGIN, index, LeafHash(leaf), UnixTime(min(a, b)), UnixTime(max(a, b)))
        assert receipt.read(receipt.write(promise, KEY), ORIGIN, KEY.public) == promise

    def test_the_text_has_six_lines(self) -> None:
        text = note.verify(receipt.write(self.RECEIPT, KEY), ORIGIN, KEY.public)
        assert text == (f"xinglin/receipt/v1\n{ORIGIN}\n4\n{BASE64_LEAF}\n1800000000\n1800000300\n")

    @pytest.mark.parametrize(
        "text",
        [
            f"{ORIGIN}\n4\n{BASE64_LEAF}\n1\n2\n",
            f"xinglin/receipt/v2\n{ORIGIN}\n4\n{BASE64_LEAF}\n1\n2\n",
            f"xinglin/receipt/v1\n{OTHER}\n4\n{BASE64_LEAF}\n1\n2\n",
            f"xinglin/receipt/v1\n{ORIGIN}\n4\n{BASE64_LEAF}\n2\n1\n",
            f"xinglin/receipt/v1\n{ORIGIN}\n4\n{BASE64_LEAF}\n1\n{2**48}\n",
            f"xinglin/receipt/v1\n{ORIGIN}\n{2**40}\n{BASE64_LEAF}\n1\n2\n",
            f"xinglin/receipt/v1\n{ORIGIN}\n04\n{BASE64_LEAF}\n1\n2\n",
            f"xinglin/receipt/v1\n{ORIGIN}\n4\n{BASE64_LEAF}\n1\n2\n3\n",
            f"xinglin/receipt/v1\n{ORIGIN}\n4\n{BASE64_LEAF}\n1\n",
            f"xinglin/receipt/v1\n{ORIGIN}\n4\n{base64.b64encode(LEAF[1:]).decode()}\n1\n2\n",
        ],
    )
    def test_a_well_signed_text_in_another_form_is_refused(self, text: str) -> None:
        with pytest.raises(CheckpointError):
            receipt.read(note.sign(text, ORIGIN, KEY), ORIGIN, KEY.public)

    def test_a_receipt_is_never_read_as_a_checkpoint_nor_the_reverse(self) -> None:
        # One key signs both; the label in the first line keeps them apart.
        with pytest.raises(CheckpointError):
            checkpoint.read(receipt.write(self.RECEIPT, KEY), ORIGIN, KEY.public)
        with pytest.raises(CheckpointError):
            receipt.read(checkpoint.write(Checkpoint(ORIGIN, 5, ROOT), KEY), ORIGIN, KEY.public)

    def test_a_receipt_for_another_leaf_is_refused(self) -> None:
        data = receipt.write(self.RECEIPT, KEY).replace(BASE64_LEAF.encode(), BASE64_ROOT.encode())
        with pytest.raises(CheckpointError, match="not one by"):
            receipt.read(data, ORIGIN, KEY.public)

    @pytest.mark.parametrize(
        "change", [(-1, LEAF, 1, 2), (2**40, LEAF, 1, 2), (4, LEAF[1:], 1, 2), (4, LEAF, 3, 2)]
    )
    def test_a_promise_that_cannot_be_kept_is_not_signed(
        self, change: tuple[int, bytes, int, int]
    ) -> None:
        index, leaf, start, end = change
        with pytest.raises(UsageError):
            Receipt(ORIGIN, index, LeafHash(leaf), UnixTime(start), UnixTime(end))
