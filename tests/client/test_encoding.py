"""Text forms of bytes: one for each value, and the others refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinglin.encoding import base64url, from_base64url, from_hex0x, hex0x
from xinglin.errors import InvalidEncoding


class TestBase64url:
    @given(st.binary(max_size=200))
    def test_what_is_written_is_read_back(self, data: bytes) -> None:
        assert from_base64url(base64url(data)) == data

    @given(st.text(alphabet="ABab01-_+/= \n", max_size=12))
    def test_what_is_read_is_written_the_same(self, text: str) -> None:
        try:
            data = from_base64url(text)
        except InvalidEncoding:
            return
        assert base64url(data) == text

    @pytest.mark.parametrize(
        "text", ["AA==", "A", "AB", "+A", "/A", "A A", "AA\n", "杏", "AAA=", "="]
    )
    def test_another_form_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidEncoding):
            from_base64url(text)


class TestHexadecimal:
    @given(st.binary(max_size=64))
    def test_what_is_written_is_read_back(self, data: bytes) -> None:
        assert from_hex0x(hex0x(data)) == data

    @pytest.mark.parametrize("text", ["", "00", "0X00", "0x0", "0xAB", "0x 00", "0x00\n", "0xgg"])
    def test_another_form_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidEncoding):
            from_hex0x(text)
