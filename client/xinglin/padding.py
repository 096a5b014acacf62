"""
Padmé: hide how long a payload is, at a cost of at most 12 per cent.

What is encrypted is payload ‖ 0x80 ‖ zeros, as long as Padmé rounds payload and marker up to,
and never below 256 bytes, so that a short note and a shorter one look the same. Of two sizes
that differ little, most become one (Nikitin et al., *Reducing Metadata Leakage from Encrypted
Files and Communication with PURBs*, 2019, section 4). There is one encoding of each payload,
and the decoder refuses all others. Both directions stream (docs/spec/seal.md).

>>> unpad(pad(b"abc"))
b'abc'
>>> len(pad(b"abc")), padded_size(1_000_000)
(256, 1015808)
"""

from collections.abc import Iterable, Iterator

from xinglin.errors import SealError

MARKER = b"\x80"
"""Ends the payload (ISO/IEC 7816-4 has the same marker)."""

MIN_SIZE = 256
"""Padded size of the shortest payloads."""

_BLOCK = bytes(1 << 16)


def padme(size: int) -> int:
    """Round `size` up so that its binary form ends in as many zeros as Padmé demands."""
    if size < 2:
        return size
    exponent = size.bit_length() - 1
    mask = (1 << exponent - exponent.bit_length()) - 1
    return size + mask & ~mask


def padded_size(payload_size: int) -> int:
    """Bytes that a payload becomes."""
    return max(MIN_SIZE, padme(payload_size + len(MARKER)))


def tail(payload_size: int) -> Iterator[bytes]:
    """What follows a payload of this size: the marker and the zeros, in pieces."""
    zeros = padded_size(payload_size) - payload_size - len(MARKER)
    first = _BLOCK[:zeros]
    yield MARKER + first
    yield from _zeros(zeros - len(first))


def pad(payload: bytes) -> bytes:
    """Pad a payload that is in memory."""
    return payload + b"".join(tail(len(payload)))


def unpad(padded: bytes) -> bytes:
    """Take the padding off what is in memory. Raises `SealError`."""
    return b"".join(strip([padded]))


def strip(parts: Iterable[bytes]) -> Iterator[bytes]:
    """
    Take the padding off a stream.

    Zeros are held back as a number, for they may be padding, and so is the 0x80 before them.
    Raises `SealError` at the end, unless the padding is the one that `tail` writes.
    """
    payload_size = padded = 0
    marked, zeros = False, 0
    for part in parts:
        padded += len(part)
        content = part.rstrip(b"\x00")
        if not content:
            zeros += len(part)
            continue
        if marked:
            payload_size += len(MARKER)
            yield MARKER
        payload_size += zeros
        yield from _zeros(zeros)
        marked, zeros = content.endswith(MARKER), len(part) - len(content)
        if marked:
            content = content[: -len(MARKER)]
        payload_size += len(content)
        yield content
    if not marked:
        raise SealError("expected the padding's marker, got none")
    if padded != padded_size(payload_size):
        raise SealError(f"expected {padded_size(payload_size)} bytes with padding, got {padded}")


def _zeros(count: int) -> Iterator[bytes]:
    while count > 0:
        block = _BLOCK[:count]
        count -= len(block)
        yield block
