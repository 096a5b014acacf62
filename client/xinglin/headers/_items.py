"""
RLP, one list at a time: strict, and keeping each item as it was written.

The hashes of a block are taken over its header with one item changed, so a reader
needs the items' own bytes, not their values alone; `rlp.decode` gives values. This
reads a list into its items' bytes and refuses every form but the shortest
(Ethereum's yellow paper, appendix B). The tests hold it against the library `rlp`:
both accept the same bytes.

>>> items(bytes.fromhex("c20180"), "example")
(b'\\x01', b'\\x80')
>>> payload(b"\\x83abc", "example")
b'abc'
"""

from xinglin.errors import HeaderError

_STRING = 0x80
"""First byte of a string of no bytes; below it a byte stands for itself."""

_LIST = 0xC0
"""First byte of a list of no items; below it are strings."""

_SHORT = 55
"""Longest payload whose length fits into the first byte."""

_HASH = _STRING + 32
"""First byte of a string of 32 bytes."""

_HASH_EXTENT = 33
"""Bytes of such a string with its first byte."""

EMPTY_STRING = b"\x80"
"""RLP of no bytes; also of the integer zero."""

EMPTY_LIST = b"\xc0"
"""RLP of a list of nothing."""


def items(data: bytes, name: str) -> tuple[bytes, ...]:
    """
    Split `data`, which must be one list and nothing after it, into its items' bytes.

    Raises `HeaderError`, naming `name`, for a string, for bytes after the list, for a
    length that is not written in the shortest way, and for items that do not fill it.
    """
    if not data or data[0] < _LIST:
        raise HeaderError(f"{name}: expected an RLP list, got {_kind(data)}")
    start, end = _extent(data, 0, name)
    if end != len(data):
        raise HeaderError(f"{name}: expected {end} bytes, got {len(data)}")
    found: list[bytes] = []
    while start < end:
        first = data[start]
        if first == _HASH and start + _HASH_EXTENT <= end:
            # What `_extent` would say, without the call: most items are hashes.
            stop = start + _HASH_EXTENT
        else:
            stop = _extent(data, start, name)[1]
        found.append(data[start:stop])
        start = stop
    return tuple(found)


def payload(item: bytes, name: str) -> bytes:
    """The bytes of a string whose item is `item`, as `items` gave it. Raises `HeaderError`."""
    first = item[0]
    if first < _STRING:
        return item
    if first <= _STRING + _SHORT:
        return item[1:]
    if first < _LIST:
        return item[1 + first - _STRING - _SHORT :]
    raise HeaderError(f"{name}: expected an RLP string, got a list")


def integer(item: bytes, size: int, name: str) -> int:
    """
    The integer whose item is `item`, of `size` bytes at most.

    Raises `HeaderError` for a list, a leading zero, or a larger integer.
    """
    value = payload(item, name)
    if value[:1] == b"\x00":
        raise HeaderError(f"{name}: expected an integer without leading zeros, got {value.hex()}")
    if len(value) > size:
        raise HeaderError(f"{name}: expected at most {size} bytes, got {len(value)}")
    return int.from_bytes(value, "big")


def fixed(item: bytes, size: int, name: str) -> bytes:
    """The string whose item is `item`, of exactly `size` bytes. Raises `HeaderError`."""
    value = payload(item, name)
    if len(value) != size:
        raise HeaderError(f"{name}: expected {size} bytes, got {len(value)}")
    return value


def string_of(value: bytes) -> bytes:
    """RLP of a string."""
    if len(value) == 1 and value[0] < _STRING:
        return value
    return _prefix(len(value), _STRING) + value


def list_of(written: bytes) -> bytes:
    """RLP of the list whose items, written one after another, are `written`."""
    return _prefix(len(written), _LIST) + written


def integer_of(value: int) -> bytes:
    """RLP of an integer from zero."""
    return string_of(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _prefix(length: int, base: int) -> bytes:
    if length <= _SHORT:
        return bytes((base + length,))
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((base + _SHORT + len(size),)) + size


def _extent(data: bytes, start: int, name: str) -> tuple[int, int]:
    """Where the payload of the item at `start` begins and ends, within `data`."""
    first = data[start]
    if first < _STRING:
        return start, start + 1
    length = first - (_LIST if first >= _LIST else _STRING)
    begin = start + 1
    if length > _SHORT:
        begin += length - _SHORT
        size = data[start + 1 : begin]
        length = int.from_bytes(size, "big")
        if len(size) != begin - start - 1 or size[0] == 0 or length <= _SHORT:
            raise HeaderError(
                f"{name}: expected the shortest form of a length at byte {start}, got {size.hex()}"
            )
    end = begin + length
    if end > len(data):
        raise HeaderError(f"{name}: expected {end} bytes or more, got {len(data)}")
    if length == 1 and first == _STRING + 1 and data[begin] < _STRING:
        raise HeaderError(
            f"{name}: expected the byte {data[begin]:02x} to stand for itself, got a prefix"
        )
    return begin, end


def _kind(data: bytes) -> str:
    return "a string" if data else "nothing"
