"""Padmé padding: two laws, one encoding, and sizes that tell little."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin import padding
from xinglin.errors import SealError

# Zeros and markers at the end are what a decoder could take for padding.
payloads = st.one_of(
    st.binary(max_size=1200),
    st.builds(
        lambda body, tail: body + tail,
        st.binary(max_size=600),
        st.lists(st.sampled_from([b"\x00", b"\x80"]), max_size=300).map(b"".join),
    ),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


class TestLaws:
    @given(payloads, st.lists(st.integers(0, 5000), max_size=8))
    def test_decoding_an_encoding_gives_the_payload(self, payload: bytes, cuts: list[int]) -> None:
        padded = padding.pad(payload)
        assert padding.unpad(padded) == payload
        # However the stream is cut, also through the marker and the zeros.
        assert b"".join(padding.strip(pieces(padded, cuts))) == payload

    @given(payloads)
    def test_encoding_a_decoding_gives_the_padded_bytes(self, data: bytes) -> None:
        # Whatever is accepted is what the encoder writes: there is one encoding.
        padded = data.ljust(256, b"\x00")
        try:
            payload = padding.unpad(padded)
        except SealError:
            return
        assert padding.pad(payload) == padded

    def test_an_empty_payload_is_a_payload(self) -> None:
        assert padding.pad(b"") == b"\x80" + bytes(255)
        assert padding.unpad(b"\x80" + bytes(255)) == b""

    @pytest.mark.parametrize("payload", [bytes(1000), b"\x80" * 1000, b"\x80" + bytes(999)])
    def test_a_payload_that_looks_like_padding_survives(self, payload: bytes) -> None:
        assert padding.unpad(padding.pad(payload)) == payload


class TestSize:
    @pytest.mark.parametrize(
        ("size", "rounded"),
        [
            (1, 1),
            (2, 2),
            (8, 8),
            (9, 10),
            (255, 256),
            (256, 256),
            (257, 272),
            (1000, 1024),
            (1025, 1088),
            (1_000_001, 1_015_808),
        ],
    )
    def test_padme_rounds_as_its_paper_says(self, size: int, rounded: int) -> None:
        assert padding.padme(size) == rounded

    @given(st.integers(1, 2**45))
    def test_padme_costs_at_most_twelve_per_cent_and_rounds_once(self, size: int) -> None:
        rounded = padding.padme(size)
        assert size <= rounded <= size * 1.12
        assert padding.padme(rounded) == rounded

    @given(st.integers(0, 10_000))
    def test_the_tail_is_as_long_as_promised(self, size: int) -> None:
        tail = b"".join(padding.tail(size))
        assert size + len(tail) == padding.padded_size(size)
        assert tail == b"\x80" + bytes(len(tail) - 1)

    def test_short_notes_are_all_of_one_size(self) -> None:
        assert {padding.padded_size(size) for size in range(256)} == {256}
        assert padding.padded_size(256) == 272


class TestRefusals:
    @pytest.mark.parametrize(
        "padded", [b"", bytes(256), b"x" * 256, b"\x80" + bytes(254) + b"\x01"]
    )
    def test_a_missing_marker_is_refused(self, padded: bytes) -> None:
        with pytest.raises(SealError, match="marker"):
            padding.unpad(padded)

    @pytest.mark.parametrize(
        "padded",
        [
            b"\x80",
            b"abc\x80",
            b"abc\x80" + bytes(251),
            b"abc\x80" + bytes(253),
            b"abc\x80" + bytes(508),
            b"x" * 256 + b"\x80",
            b"x" * 256 + b"\x80" + bytes(14),
            b"x" * 256 + b"\x80" + bytes(16),
        ],
    )
    def test_another_size_than_padme_s_is_refused(self, padded: bytes) -> None:
        # Each would be a second encoding of the same payload, or a leak of its length.
        with pytest.raises(SealError, match="bytes with padding"):
            padding.unpad(padded)

    def test_a_run_of_zeros_costs_no_memory(self) -> None:
        # 256 MB of zeros may be payload or padding; which is known only at the end.
        block = bytes(1 << 20)
        total = 0
        stream = (block for _ in range(256))

        def parts():  # type: ignore[no-untyped-def]
            yield b"\x01"
            yield from stream
            yield b"\x02" + b"".join(padding.tail((1 << 28) + 2))

        for part in padding.strip(parts()):
            assert len(part) <= 1 << 20
            total += len(part)
        assert total == (1 << 28) + 2
