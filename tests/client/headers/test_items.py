"""RLP, one list at a time, against the library `rlp` and against hostile bytes."""

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from xinglin.errors import HeaderError
from xinglin.headers import _items

from .chains import unhurried

values = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=3), max_leaves=8
)
lists = st.lists(values, max_size=4)

near_rlp = st.one_of(
    st.binary(max_size=80),
    st.tuples(lists.map(rlp.encode), st.integers(0, 400), st.integers(0, 255)).map(
        lambda drawn: _with_byte(*drawn)
    ),
    st.tuples(lists.map(rlp.encode), st.binary(max_size=3)).map(b"".join),
)


def _with_byte(data: bytes, position: int, byte: int) -> bytes:
    position %= len(data)
    return data[:position] + bytes((byte,)) + data[position + 1 :]


def _value(item: bytes) -> object:
    """What an item means, through this reader alone."""
    if item[0] >= 0xC0:
        return [_value(inner) for inner in _items.items(item, "test")]
    return _items.payload(item, "test")


class TestItems:
    @unhurried
    @given(lists)
    def test_what_the_library_writes_is_read_and_written_again(self, value: list[object]) -> None:
        encoded = rlp.encode(value)
        found = _items.items(encoded, "test")
        assert [_value(item) for item in found] == value
        assert _items.list_of(b"".join(found)) == encoded

    @unhurried
    @given(st.binary(max_size=300))
    def test_strings_are_written_as_the_library_writes_them(self, value: bytes) -> None:
        assert _items.string_of(value) == rlp.encode(value)
        assert _items.payload(_items.string_of(value), "test") == value

    @unhurried
    @given(st.integers(0, 2**256 - 1))
    def test_integers_are_written_as_the_library_writes_them(self, value: int) -> None:
        assert _items.integer_of(value) == rlp.encode(value)
        assert _items.integer(_items.integer_of(value), 32, "test") == value

    @unhurried
    @given(near_rlp)
    def test_it_accepts_exactly_what_the_library_accepts_as_a_list(self, data: bytes) -> None:
        # Two readers that disagree about one encoding would see two blocks in one header.
        try:
            theirs = rlp.decode(data, strict=True)
        except rlp.DecodingError:
            theirs = None
        try:
            ours = [_value(item) for item in _items.items(data, "test")]
        except HeaderError:
            ours = None
        assert ours == (theirs if isinstance(theirs, list) else None)

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            ("", "expected an RLP list, got nothing"),
            ("83616263", "expected an RLP list, got a string"),
            ("c0c0", "expected 1 bytes, got 2"),
            ("c2", "expected 3 bytes or more, got 1"),
            ("c28161", "to stand for itself"),
            ("c28180", None),
            ("f800", "shortest form"),
            ("f90002c0c0", "shortest form"),
            ("f8", "shortest form"),
            ("c1b8", "shortest form"),
            ("c2b838", "expected 59 bytes or more, got 3"),
        ],
    )
    def test_only_the_shortest_form_is_read(self, data: str, why: str | None) -> None:
        if why is None:
            assert _items.items(bytes.fromhex(data), "test") == (b"\x81\x80",)
            return
        with pytest.raises(HeaderError, match=why):
            _items.items(bytes.fromhex(data), "test")

    def test_an_integer_has_no_leading_zero_and_a_limit(self) -> None:
        with pytest.raises(HeaderError, match="round: expected an integer without leading zeros"):
            _items.integer(b"\x00", 4, "round")
        with pytest.raises(HeaderError, match="round: expected at most 4 bytes, got 5"):
            _items.integer(b"\x85\x01\x01\x01\x01\x01", 4, "round")
        with pytest.raises(HeaderError, match="round: expected an RLP string, got a list"):
            _items.integer(b"\xc0", 4, "round")
