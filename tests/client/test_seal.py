"""The verb `seal`: what opens, what does not, and that nothing unproven is published."""

import io
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xinglin import padding, seal
from xinglin._cipher import encrypt_stream
from xinglin.envelope import Envelope, wrap_for
from xinglin.errors import SealError, UnwrapError, UsageError
from xinglin.hashes import Digest
from xinglin.keys import HpkeIdentity, new_data_key
from xinglin.names import DataKey, RecordId
from xinglin.seal import SealedBlob

ALICE = HpkeIdentity.from_seed(b"\x01" * 32)
BOB = HpkeIdentity.from_seed(b"\x02" * 32)
RECORD = RecordId(uuid.UUID("6f1c6b1e-6d0c-4a52-9b6f-0d3c5a1e7f10"))
OTHER_RECORD = RecordId(uuid.UUID("6f1c6b1e-6d0c-4a52-9b6f-0d3c5a1e7f11"))
KEY = DataKey(bytes(range(32)))
NOTE = "头痛三天，舌红苔黄，脉弦数。".encode()
CHUNK = 16 * 1024 + 16


def sealed(payload: bytes, **changes: Any) -> bytes:
    sink = io.BytesIO()
    arguments: dict[str, Any] = {"data_key": KEY, "record": RECORD, "version": 1} | changes
    seal.encrypt(io.BytesIO(payload), sink, **arguments)
    return sink.getvalue()


def opened(data: bytes, **changes: Any) -> bytes:
    sink = io.BytesIO()
    arguments: dict[str, Any] = {"data_key": KEY, "record": RECORD, "version": 1} | changes
    seal.decrypt(io.BytesIO(data), sink, **arguments)
    return sink.getvalue()


@pytest.fixture(scope="module")
def three_chunks() -> bytes:
    return sealed(os.urandom(3 * 16384 - 100))


class TestRoundTrip:
    @given(st.binary(max_size=2000))
    @settings(deadline=None)
    def test_what_is_sealed_opens(self, payload: bytes) -> None:
        assert opened(sealed(payload)) == payload

    @pytest.mark.parametrize("size", [0, 1, 255, 256, 16383, 16384, 16385, 1 << 20, (1 << 20) + 1])
    def test_payloads_at_the_edges_of_blocks_open(self, size: int) -> None:
        payload = os.urandom(size)
        blob = sealed(payload)
        assert len(blob) == seal.sealed_size(size)
        assert opened(blob) == payload

    def test_an_empty_payload_is_sealed_and_told_from_no_payload(self) -> None:
        assert opened(sealed(b"")) == b""
        with pytest.raises(SealError):
            opened(b"")

    def test_a_source_that_gives_little_at_a_time_seals_the_same_payload(self) -> None:
        class Slow(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                return super().read(7)

        sink = io.BytesIO()
        seal.encrypt(Slow(NOTE * 20), sink, data_key=KEY, record=RECORD, version=1)
        assert opened(sink.getvalue()) == NOTE * 20

    def test_a_sink_that_takes_little_at_a_time_gets_everything(self) -> None:
        class Narrow(io.RawIOBase):
            def __init__(self) -> None:
                self.data = bytearray()

            def writable(self) -> bool:
                return True

            def write(self, data: Any) -> int:
                self.data += bytes(data[:11])
                return min(len(data), 11)

        sink: Any = Narrow()
        seal.encrypt(io.BytesIO(NOTE * 20), sink, data_key=KEY, record=RECORD, version=1)
        assert opened(bytes(sink.data)) == NOTE * 20

    def test_the_blob_is_named_by_its_ciphertext(self) -> None:
        sink = io.BytesIO()
        blob = seal.encrypt(io.BytesIO(NOTE), sink, data_key=KEY, record=RECORD, version=1)
        assert blob == SealedBlob(Digest.of(sink.getvalue()), len(sink.getvalue()))

    def test_two_seals_of_one_payload_have_nothing_in_common(self) -> None:
        # Equal blobs would tell that two patients have the same note.
        one, other = sealed(NOTE), sealed(NOTE)
        assert len(one) == len(other)
        assert one[:24] != other[:24]
        assert one[56:] != other[56:]


class TestAttacks:
    """A swapped key, a flipped byte, a moved chunk, another record: each refused."""

    def test_a_swapped_data_key_is_refused(self, three_chunks: bytes) -> None:
        with pytest.raises(SealError):
            opened(three_chunks, data_key=new_data_key())

    def test_no_two_keys_open_one_blob(self) -> None:
        # With plain GCM a blob can be made that opens under two keys to two notes, and the
        # digest would be evidence for both. The header commits to one key.
        blob = sealed(NOTE)
        other = sealed(NOTE, data_key=DataKey(b"\x09" * 32))
        with pytest.raises(SealError):
            opened(other[:56] + blob[56:])
        with pytest.raises(SealError):
            opened(blob[:24] + other[24:56] + blob[56:])

    @pytest.mark.parametrize(
        "at", [0, 23, 24, 55, 56, 56 + 16383, 56 + 16384, 56 + CHUNK - 1, 56 + CHUNK, -17, -16, -1]
    )
    def test_a_flipped_byte_anywhere_is_refused(self, three_chunks: bytes, at: int) -> None:
        changed = bytearray(three_chunks)
        changed[at] ^= 0x01
        with pytest.raises(SealError):
            opened(bytes(changed))

    @pytest.mark.parametrize(
        "size", [0, 1, 24, 55, 56, 57, 71, 72, 56 + CHUNK - 1, 56 + CHUNK, 56 + CHUNK + 1, -1, -16]
    )
    def test_a_truncated_blob_is_refused(self, three_chunks: bytes, size: int) -> None:
        # Cut at a chunk's end, everything that is left authenticates; the missing end does not.
        with pytest.raises(SealError):
            opened(three_chunks[:size])

    @pytest.mark.parametrize("tail", [b"\x00", bytes(16), bytes(CHUNK)])
    def test_trailing_bytes_are_refused(self, three_chunks: bytes, tail: bytes) -> None:
        with pytest.raises(SealError):
            opened(three_chunks + tail)

    def test_reordered_chunks_are_refused(self, three_chunks: bytes) -> None:
        first, second = 56, 56 + CHUNK
        swapped = (
            three_chunks[:first]
            + three_chunks[second : second + CHUNK]
            + three_chunks[first:second]
            + three_chunks[second + CHUNK :]
        )
        assert len(swapped) == len(three_chunks)
        with pytest.raises(SealError):
            opened(swapped)

    def test_a_repeated_and_a_dropped_chunk_are_refused(self, three_chunks: bytes) -> None:
        first, second = 56, 56 + CHUNK
        with pytest.raises(SealError):
            opened(three_chunks[:second] + three_chunks[first:second] + three_chunks[second:])
        with pytest.raises(SealError):
            opened(three_chunks[:first] + three_chunks[second:])

    def test_a_chunk_of_another_blob_is_refused(self, three_chunks: bytes) -> None:
        other = sealed(os.urandom(3 * 16384 - 100))
        first, second = 56, 56 + CHUNK
        with pytest.raises(SealError):
            opened(three_chunks[:first] + other[first:second] + three_chunks[second:])

    def test_a_blob_shown_as_another_record_is_refused(self) -> None:
        with pytest.raises(SealError):
            opened(sealed(NOTE), record=OTHER_RECORD)

    def test_a_blob_shown_as_another_version_is_refused(self) -> None:
        with pytest.raises(SealError):
            opened(sealed(NOTE, version=1), version=2)

    @pytest.mark.parametrize(
        "plaintext",
        [
            b"",
            NOTE,
            bytes(256),
            NOTE + b"\x80",
            NOTE + b"\x80" + bytes(1000),
            padding.pad(NOTE)[:-1],
            padding.pad(NOTE) + b"\x00",
        ],
    )
    def test_a_well_encrypted_payload_without_its_one_padding_is_refused(
        self, plaintext: bytes
    ) -> None:
        sink = io.BytesIO()
        context = seal.seal_context(RECORD, 1)
        encrypt_stream([plaintext], sink, key=KEY, context=context)
        with pytest.raises(SealError, match="padding"):
            opened(sink.getvalue())

    def test_another_ciphertext_under_the_right_key_is_refused(self) -> None:
        # Whoever was given the key could put another text in the blob's place.
        blob = SealedBlob(Digest.of(sealed(NOTE)), seal.sealed_size(len(NOTE)))
        with pytest.raises(SealError, match="expected the blob"):
            opened(sealed(b"another note"), blob=blob)


class TestContext:
    def test_it_has_the_pinned_bytes(self) -> None:
        assert seal.seal_context(RECORD, 258) == (
            b"xinglin/seal/v1\x00" + RECORD.bytes + b"\x00\x00\x01\x02"
        )

    @pytest.mark.parametrize("version", [0, -1, 2**32])
    def test_a_version_outside_32_bits_is_refused(self, version: int) -> None:
        with pytest.raises(UsageError, match="version"):
            seal.seal_context(RECORD, version)

    @pytest.mark.parametrize("record", [uuid.UUID(int=0), uuid.uuid1(), str(RECORD), b"\x01" * 16])
    def test_a_record_id_that_is_not_random_is_refused(self, record: Any) -> None:
        # A version 1 UUID holds a clock and a network address.
        with pytest.raises(UsageError, match="record"):
            seal.seal_context(record, 1)

    @pytest.mark.parametrize("size", [0, 16, 31, 33])
    def test_a_data_key_of_another_length_is_refused(self, size: int) -> None:
        with pytest.raises(UsageError, match="32 bytes"):
            sealed(NOTE, data_key=DataKey(bytes(size)))
        with pytest.raises(UsageError, match="32 bytes"):
            opened(sealed(NOTE), data_key=DataKey(bytes(size)))

    def test_a_source_of_text_is_refused(self) -> None:
        source: Any = io.StringIO("text")
        with pytest.raises(UsageError, match="bytes"):
            seal.encrypt(source, io.BytesIO(), data_key=KEY, record=RECORD, version=1)

    def test_a_source_that_fails_while_being_read_says_so(self) -> None:
        class Vanishing(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                raise FileNotFoundError(2, "No such file or directory")

        with pytest.raises(FileNotFoundError):
            seal.encrypt(Vanishing(), io.BytesIO(), data_key=KEY, record=RECORD, version=1)


def seal_note(payload: bytes = NOTE) -> tuple[io.BytesIO, SealedBlob, Envelope]:
    sink = io.BytesIO()
    blob, envelope = seal.seal(
        io.BytesIO(payload),
        sink,
        recipients=[ALICE.recipient, BOB.recipient],
        record=RECORD,
        version=1,
    )
    sink.seek(0)
    return sink, blob, envelope


class TestSealAndOpen:
    def test_every_recipient_opens(self) -> None:
        source, blob, envelope = seal_note()
        for identity in (ALICE, BOB):
            source.seek(0)
            sink = io.BytesIO()
            seal.open(
                source,
                sink,
                envelope=Envelope.decode(envelope.encode()),
                identity=identity,
                record=RECORD,
                version=1,
                blob=blob,
            )
            assert sink.getvalue() == NOTE

    def test_the_manifest_is_the_statement_s_and_names_the_blob(self) -> None:
        seen: list[SealedBlob] = []

        def statement(blob: SealedBlob) -> bytes:
            seen.append(blob)
            return b"a record statement about " + blob.digest.value

        sink = io.BytesIO()
        blob, envelope = seal.seal(
            io.BytesIO(NOTE),
            sink,
            recipients=[ALICE.recipient],
            record=RECORD,
            version=1,
            statement=statement,
        )
        assert seen == [blob]
        assert envelope.manifest == Digest.of(statement(blob))

    def test_without_a_statement_the_manifest_can_be_made_again(self) -> None:
        _, blob, envelope = seal_note()
        bare = seal.bare_statement(blob, record=RECORD, version=1)
        assert envelope.manifest == Digest.of(bare)

    def test_each_seal_has_a_key_of_its_own(self) -> None:
        from xinglin.envelope import unwrap_any

        keys = {unwrap_any(seal_note()[2], ALICE) for _ in range(3)}
        assert len(keys) == 3

    def test_sealing_to_nobody_is_refused(self) -> None:
        sink = io.BytesIO()
        with pytest.raises(UsageError, match="at least one"):
            seal.seal(io.BytesIO(NOTE), sink, recipients=[], record=RECORD, version=1)
        assert sink.getvalue() == b""

    def test_sealing_to_one_twice_is_refused(self) -> None:
        with pytest.raises(UsageError, match="once"):
            seal.seal(
                io.BytesIO(NOTE),
                io.BytesIO(),
                recipients=[ALICE.recipient, ALICE.recipient],
                record=RECORD,
                version=1,
            )

    def test_a_stranger_is_refused_before_anything_is_read(self) -> None:
        source, _, envelope = seal_note()
        with pytest.raises(UnwrapError, match="got none"):
            seal.open(
                source,
                io.BytesIO(),
                envelope=envelope,
                identity=HpkeIdentity.generate(),
                record=RECORD,
                version=1,
            )
        assert source.tell() == 0

    def test_a_swapped_data_key_in_a_valid_envelope_is_refused(self) -> None:
        # The custodian hands out a well-made wrap of another key.
        source, _, envelope = seal_note()
        swapped = Envelope(
            envelope.manifest, (wrap_for(new_data_key(), ALICE.recipient, envelope.manifest),)
        )
        sink = io.BytesIO()
        with pytest.raises(SealError):
            seal.open(source, sink, envelope=swapped, identity=ALICE, record=RECORD, version=1)
        assert sink.getvalue() == b""

    def test_the_envelope_of_another_record_is_refused(self) -> None:
        source, _, _ = seal_note()
        _, _, other = seal_note(b"another")
        with pytest.raises(SealError):
            seal.open(
                source, io.BytesIO(), envelope=other, identity=ALICE, record=RECORD, version=1
            )

    @pytest.mark.parametrize("damage", ["end", "last byte", "padding", "blob"])
    def test_nothing_reaches_the_sink_unless_all_is_proven(
        self, damage: str, tmp_path: Path
    ) -> None:
        # Four chunks open perfectly; what is wrong shows only at the end.
        payload = os.urandom(5 << 20)
        source, blob, envelope = seal_note(payload)
        data = source.getvalue()
        if damage == "end":
            data = data[: 56 + 4 * CHUNK]
        elif damage == "last byte":
            data = data[:-1] + bytes([data[-1] ^ 1])
        elif damage == "padding":
            from xinglin.envelope import unwrap_any

            forged = io.BytesIO()
            encrypt_stream(
                [payload],
                forged,
                key=unwrap_any(envelope, ALICE),
                context=seal.seal_context(RECORD, 1),
            )
            data = forged.getvalue()
        else:
            blob = SealedBlob(Digest.of(b"another"), blob.size)
        target, sink = tmp_path / "note.txt", io.BytesIO()
        target.write_bytes(b"what was there before")
        arguments: dict[str, Any] = {
            "envelope": envelope,
            "identity": ALICE,
            "record": RECORD,
            "version": 1,
            "blob": blob,
        }
        with pytest.raises(SealError):
            seal.open(io.BytesIO(data), sink, **arguments)
        assert sink.getvalue() == b""
        with pytest.raises(SealError):
            seal.open_to_path(io.BytesIO(data), target, **arguments)
        assert target.read_bytes() == b"what was there before"
        assert os.listdir(tmp_path) == ["note.txt"]

    def test_a_file_appears_whole_and_for_its_owner_only(self, tmp_path: Path) -> None:
        source, blob, envelope = seal_note(NOTE * 5000)
        target = tmp_path / "note.txt"
        seal.open_to_path(
            source, target, envelope=envelope, identity=ALICE, record=RECORD, version=1, blob=blob
        )
        assert target.read_bytes() == NOTE * 5000
        assert target.stat().st_mode & 0o077 == 0
        assert os.listdir(tmp_path) == ["note.txt"]

    def test_a_folder_that_cannot_be_written_to_says_so(self, tmp_path: Path) -> None:
        source, _, envelope = seal_note()
        with pytest.raises(UsageError, match="No such file"):
            seal.open_to_path(
                source,
                tmp_path / "none" / "note.txt",
                envelope=envelope,
                identity=ALICE,
                record=RECORD,
                version=1,
            )


STREAM = """
import io, sys, uuid
from xinglin import seal
from xinglin.keys import HpkeIdentity

class Zeros(io.RawIOBase):
    def __init__(self, size): self.left = size
    def readable(self): return True
    def read(self, size=-1):
        block = b"\\x5a" * min(size, self.left)
        self.left -= len(block)
        return block

class Count(io.RawIOBase):
    size = 0
    def writable(self): return True
    def write(self, data):
        self.size += len(data)
        return len(data)

path, size = sys.argv[1], int(sys.argv[2])
alice, record, count = HpkeIdentity.generate(), uuid.uuid4(), Count()
with open(path, "wb") as sink:
    blob, envelope = seal.seal(
        Zeros(size), sink, recipients=[alice.recipient], record=record, version=1
    )
with open(path, "rb") as source:
    seal.open(source, count, envelope=envelope, identity=alice, record=record, version=1, blob=blob)
assert count.size == size, count.size
# Not ru_maxrss: Linux lets a child begin with its parent's, and the parent may be large.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(peak.split()[1])
"""


class TestStreaming:
    def test_a_large_payload_is_sealed_and_opened_in_little_memory(self, tmp_path: Path) -> None:
        # In a process of its own, so that its peak is its own. 256 MB here; 2 GB was run by hand.
        run = subprocess.run(
            [sys.executable, "-c", STREAM, str(tmp_path / "blob"), str(256 << 20)],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(seal.__file__).parents[1])},
        )
        peak_kib = int(run.stdout)
        assert peak_kib < 200 * 1024

    def test_importing_seal_loads_nothing_heavy(self) -> None:
        heavy = ("web3", "httpx", "torch", "eth_account", "pydantic", "fastapi")
        program = (
            f"import sys, xinglin.seal; print([name for name in {heavy!r} if name in sys.modules])"
        )
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**os.environ, "PYTHONPATH": str(Path(seal.__file__).parents[1])},
        )
        assert run.stdout.strip() == "[]"
