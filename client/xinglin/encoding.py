"""
Text forms of bytes, one for each value: base64url without padding, and hexadecimal.

>>> base64url(b"\\xff\\xfe"), hex0x(b"\\x01")
('__4', '0x01')
"""

import base64
import binascii
import re

from xinglin.errors import InvalidEncoding

_HEX = re.compile(r"0x(?:[0-9a-f]{2})*")


def base64url(data: bytes) -> str:
    """Write base64url without padding (RFC 4648, section 5)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text: str) -> bytes:
    """Parse base64url without padding, in its one form. Raises `InvalidEncoding`."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidEncoding("expected base64url without padding") from error
    if base64url(data) != text:
        raise InvalidEncoding("expected base64url without padding, in its shortest form")
    return data


def hex0x(data: bytes) -> str:
    """Write `0x` and lower-case hexadecimal digits."""
    return "0x" + data.hex()


def from_hex0x(text: str) -> bytes:
    """Parse `0x` and lower-case hexadecimal digits. Raises `InvalidEncoding`."""
    if _HEX.fullmatch(text) is None:
        raise InvalidEncoding("expected 0x and lower-case hexadecimal digits")
    return bytes.fromhex(text[2:])
