"""One JSON value, one sequence of bytes."""

from enum import StrEnum

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from xinglin import canonical
from xinglin.canonical import JsonValue
from xinglin.errors import InvalidEncoding

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers(0, canonical.MAX_INTEGER) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


class TestTheTwoLaws:
    @given(values)
    def test_decoding_what_was_encoded_gives_the_value(self, value: JsonValue) -> None:
        assert canonical.decode(canonical.encode(value)) == value

    @given(st.binary(max_size=40))
    def test_what_is_accepted_is_what_would_be_written(self, data: bytes) -> None:
        try:
            value = canonical.decode(data)
        except InvalidEncoding:
            return
        assert canonical.encode(value) == data


class TestTheFastWay:
    @given(values)
    def test_it_writes_what_the_general_library_writes(self, value: JsonValue) -> None:
        assert canonical.encode(value) == rfc8785.dumps(value)  # type: ignore[arg-type]

    def test_every_control_character_is_escaped_alike(self) -> None:
        value = {"text": "".join(map(chr, range(0x200)))}
        assert canonical.encode(value) == rfc8785.dumps(value)

    def test_a_tuple_is_an_array_and_text_of_another_type_is_text(self) -> None:
        class Word(StrEnum):
            ONE = "eins"

        assert canonical.encode({"a": ("x", Word.ONE)}) == b'{"a":["x","eins"]}'


class TestDecode:
    @pytest.mark.parametrize(
        "data",
        [
            b'{"a":1,"a":1}',
            b'{"b":1,"a":1}',
            b'{"a": 1}',
            b'{"a":1} ',
            b'{"a":1.0}',
            b'{"a":1e3}',
            b'{"a":-1}',
            b'{"a":NaN}',
            b'{"a":9007199254740992}',
            b'"\\u0061"',
            b'"\\ud800"',
            b'"\\/"',
            b"\xef\xbb\xbf1",
            b'"\xff"',
            b"",
            b"01",
            b"[" * 5000,
        ],
    )
    def test_every_other_form_is_refused(self, data: bytes) -> None:
        with pytest.raises(InvalidEncoding):
            canonical.decode(data)

    def test_the_message_does_not_repeat_the_text(self) -> None:
        # I1: what fails to parse may be a patient's note.
        with pytest.raises(InvalidEncoding) as refused:
            canonical.decode('{"text":"张建国 头痛" }'.encode())
        assert "张建国" not in str(refused.value)


class TestEncode:
    @pytest.mark.parametrize(
        "value", [1.5, -1, 2**53, b"bytes", {1: 2}, "\ud800", {"\udfff": 1}, object()]
    )
    def test_what_may_not_be_signed_is_refused(self, value: object) -> None:
        with pytest.raises(InvalidEncoding):
            canonical.encode(value)  # type: ignore[arg-type]

    def test_keys_are_sorted_by_utf_16_as_rfc_8785_asks(self) -> None:
        # An emoji's first UTF-16 unit sorts before U+FB33, its code point after.
        written = canonical.encode({"\ufb33": 1, "\U0001f600": 2})
        assert written == '{"\U0001f600":2,"\ufb33":1}'.encode()
