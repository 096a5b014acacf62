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
import re
from collections.abc import Mapping, Sequence
from typing import Any, Never, cast

import rfc8785

from xinglin.errors import InvalidEncoding

JsonValue = str | bool | int | None | Sequence["JsonValue"] | Mapping[str, "JsonValue"]
"""A value that may be signed."""

MAX_INTEGER = 2**53 - 1
"""Largest integer that every JSON implementation keeps exact (RFC 8785, section 3.2.2.3)."""

MAX_DEPTH = 32
"""Nesting beyond any format of ours; keeps hostile input from exhausting the stack."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: JsonValue) -> bytes:
    """Return the canonical bytes of `value`. Raises `InvalidEncoding` for what may not be signed."""
    _check(value, depth=0)
    try:
        return rfc8785.dumps(cast(Any, value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise InvalidEncoding(f"no canonical form: {error}") from error


def decode(data: bytes) -> JsonValue:
    """
    Parse canonical bytes.

    Raises `InvalidEncoding` for anything that `encode` would not have written:
    white space, another order of keys, duplicate keys, escapes that need not be,
    floats, integers out of range, lone surrogates, trailing bytes.
    """
    value = parse(data)
    if encode(value) != data:
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
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidEncoding(f"expected UTF-8, got a bad byte at {error.start}") from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object_without_duplicates,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError) as error:
        raise InvalidEncoding(f"expected JSON: {error}") from error
    _check(value, depth=0)
    return cast(JsonValue, value)


def _object_without_duplicates(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise InvalidEncoding("expected each key once, got a duplicate key")
    return result


def _refuse_number(text: str) -> Never:
    raise InvalidEncoding(f"expected an integer, got {text[:24]}")


def _check(value: object, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise InvalidEncoding(f"expected at most {MAX_DEPTH} levels of nesting")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):
        if not 0 <= value <= MAX_INTEGER:
            raise InvalidEncoding("expected an integer from 0 to 2^53 - 1, got another")
    elif isinstance(value, Mapping):
        for key, item in cast(Mapping[object, object], value).items():
            if not isinstance(key, str):
                raise InvalidEncoding(f"expected text as key, got {type(key).__name__}")
            _check_text(key)
            _check(item, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        for item in cast(Sequence[object], value):
            _check(item, depth + 1)
    else:
        raise InvalidEncoding(
            "expected text, booleans, null, integers, arrays or objects, "
            f"got {type(value).__name__}"
        )


def _check_text(text: str) -> None:
    if _LONE_SURROGATE.search(text):
        raise InvalidEncoding("expected Unicode text, got a lone surrogate")
