"""
One JSON value, one sequence of bytes (RFC 8785, the JSON Canonicalization Scheme).

>>> encode({"b": 1, "a": "杏"}).decode()
'{"a":"杏","b":1}'
>>> decode(b'{"a":1}')
{'a': 1}

What is signed holds strings, booleans, null, integers from 0 to 2^53 - 1, arrays
and objects, and nothing else. `decode` accepts exactly what `encode` writes.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Never, cast

import orjson
import rfc8785

from xinglin.errors import InvalidEncoding

JsonValue = str | bool | int | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]
"""A value that may be signed."""

MAX_INTEGER = 2**53 - 1
"""Largest integer that every JSON implementation keeps exact (RFC 8785, section 3.2.2.3)."""

MAX_DEPTH = 32
"""Nesting beyond any format of ours; keeps hostile input from exhausting the stack."""


def encode(value: JsonValue) -> bytes:
    """Return the canonical bytes of `value`. Raises `InvalidEncoding` for what has none."""
    return _write(value, plain=_check(value, depth=0))


def decode(data: bytes) -> JsonValue:
    """
    Parse canonical bytes.

    Raises `InvalidEncoding` for anything that `encode` would not have written:
    white space, another order of keys, duplicate keys, escapes that need not be,
    floats, integers out of range, lone surrogates, trailing bytes.
    """
    try:
        value = cast(JsonValue, orjson.loads(data))
    except orjson.JSONDecodeError:
        value = _load(data)  # which says what is wrong
    if _write(value, plain=_check(value, depth=0)) != data:
        _load(data)  # refuses a duplicate key by name
        raise InvalidEncoding("expected canonical JSON (RFC 8785), got another form of it")
    return value


def decode_object(data: bytes) -> dict[str, JsonValue]:
    """Parse canonical bytes that must be an object. Raises `InvalidEncoding`."""
    value = decode(data)
    if not isinstance(value, dict):
        raise InvalidEncoding(f"expected a JSON object, got {type(value).__name__}")
    return cast(dict[str, JsonValue], value)


def parse(data: bytes) -> JsonValue:
    """
    Parse JSON in any layout, with everything else as strict as `decode`.

    For files that a person may have edited or that a tool has laid out anew.
    """
    value = _load(data)
    # Writing it is what finds a lone surrogate, wherever it stands.
    _write(value, plain=_check(value, depth=0))
    return value


def _load(data: bytes) -> JsonValue:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidEncoding(f"expected UTF-8, got a bad byte at {error.start}") from error
    try:
        return cast(JsonValue, _DECODER.decode(text))
    except (ValueError, RecursionError) as error:
        raise InvalidEncoding(f"expected JSON: {error}") from error


def _write(value: JsonValue, *, plain: bool) -> bytes:
    """
    Write what `_check` let pass.

    `orjson` writes strings, integers, booleans and null as RFC 8785 asks, many times faster
    than the general library. It sorts by code point, which is the order of UTF-16 only for
    keys in ASCII: anything else goes through `rfc8785`. A test holds the two equal.
    """
    try:
        if plain:
            return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        return rfc8785.dumps(cast(Any, value))
    except (UnicodeEncodeError, orjson.JSONEncodeError) as error:
        raise InvalidEncoding("expected Unicode text, got a lone surrogate") from error
    except rfc8785.CanonicalizationError as error:
        raise InvalidEncoding(f"no canonical form: {error}") from error


def _object_without_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise InvalidEncoding("expected each key once, got a duplicate key")
    return result


def _refuse_number(text: str) -> Never:
    raise InvalidEncoding(f"expected an integer, got {text[:24]}")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_without_duplicates,
    parse_float=_refuse_number,
    parse_constant=_refuse_number,
)


def _check(value: object, depth: int) -> bool:
    """
    Refuse what may not be signed; return whether `orjson` writes it canonically.

    The exact types come first: nearly everything is of them, and this runs over every
    value that is signed, logged or read.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return True
    if kind is int:
        _check_integer(cast(int, value))
        return True
    if kind is dict:
        return _check_object(cast(Mapping[object, object], value), depth)
    if kind is list or kind is tuple:
        return _check_array(cast(Sequence[object], value), depth)
    return _check_other(value, depth)


def _check_object(value: Mapping[object, object], depth: int) -> bool:
    if depth >= MAX_DEPTH and value:
        raise InvalidEncoding(f"expected at most {MAX_DEPTH} levels of nesting")
    plain = True
    for key, item in value.items():
        if not isinstance(key, str):
            raise InvalidEncoding(f"expected text as key, got {type(key).__name__}")
        if not _check(item, depth + 1) or not key.isascii():
            plain = False
    return plain


def _check_array(value: Sequence[object], depth: int) -> bool:
    if depth >= MAX_DEPTH and value:
        raise InvalidEncoding(f"expected at most {MAX_DEPTH} levels of nesting")
    plain = True
    for item in value:
        if not _check(item, depth + 1):
            plain = False
    return plain


def _check_other(value: object, depth: int) -> bool:
    """Kinds of text, numbers and containers that are not Python's own: the general library's."""
    if isinstance(value, str):
        return False
    if isinstance(value, int):
        _check_integer(value)
        return False
    if isinstance(value, Mapping):
        _check_object(cast(Mapping[object, object], value), depth)
        return False
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        _check_array(cast(Sequence[object], value), depth)
        return False
    raise InvalidEncoding(
        f"expected text, booleans, null, integers, arrays or objects, got {type(value).__name__}"
    )


def _check_integer(value: int) -> None:
    if not 0 <= value <= MAX_INTEGER:
        raise InvalidEncoding("expected an integer from 0 to 2^53 - 1, got another")
