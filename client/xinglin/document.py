"""
The base of every JSON document of ours: strict, frozen, and written in one way.

A document's fields are named as Python names them and written in camelCase. Unknown
members, a wrong type, a number where text belongs: each is `InvalidEncoding`, and the
message says where it stands, never what stood there.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Self, cast
from uuid import UUID

from eth_utils.address import is_checksum_address
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from xinglin import canonical
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, from_base64url, from_hex0x, hex0x
from xinglin.errors import InvalidEncoding
from xinglin.hashes import Digest

MAX_TIME = 2**48 - 1
"""Largest time a contract stores (uint48)."""


class Document(BaseModel):
    """A frozen JSON object with known members only."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _arrays_are_tuples(cls, value: object) -> object:
        # A web framework hands over JSON that is parsed already, where an array is a list,
        # and strict validation of Python values takes tuples alone.
        if not isinstance(value, dict):
            return value
        members = cast(dict[str, object], value)
        return {
            name: tuple(cast(list[object], item)) if isinstance(item, list) else item
            for name, item in members.items()
        }

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse canonical bytes. Raises `InvalidEncoding`."""
        canonical.decode(data)
        return cls._validate(data)

    @classmethod
    def from_json(cls, value: JsonValue) -> Self:
        """Build from a parsed JSON value. Raises `InvalidEncoding`."""
        return cls._validate(canonical.encode(value))

    def to_json(self) -> dict[str, JsonValue]:
        """Return the JSON value, ready for `canonical.encode`."""
        return cast(dict[str, JsonValue], self.model_dump(mode="json", by_alias=True))

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return canonical.encode(self.to_json())

    @classmethod
    def _validate(cls, data: bytes) -> Self:
        try:
            return cls.model_validate_json(data, by_alias=True, by_name=False)
        except ValidationError as error:
            raise InvalidEncoding(f"{cls.__name__}: {describe(error)}") from None


def describe(error: ValidationError) -> str:
    """Say where a document is wrong, and what was expected there, without what came."""
    places = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'document'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)
    ]
    return "; ".join(places[:5])


def _reader(parse: Callable[[str], Any], size: int | None) -> BeforeValidator:
    def read(value: object) -> object:
        if isinstance(value, str):
            try:
                value = parse(value)
            except InvalidEncoding as error:
                raise ValueError(str(error)) from None
        if size is not None and isinstance(value, bytes) and len(value) != size:
            raise ValueError(f"expected {size} bytes, got {len(value)}")
        return value

    return BeforeValidator(read)


def _read_uuid(value: object) -> object:
    if isinstance(value, str):
        try:
            parsed = UUID(value)
        except ValueError:
            raise ValueError("expected a UUID") from None
        if str(parsed) != value:
            raise ValueError("expected a UUID in lower case with hyphens")
        value = parsed
    if isinstance(value, UUID) and value.version != 4:
        raise ValueError("expected a UUID of version 4")
    return value


@lru_cache(maxsize=4096)
def _has_checksum(address: str) -> bool:
    # A Keccak hash each; a node reads the same few accounts thousands of times.
    return is_checksum_address(address)


def _read_address(value: object) -> object:
    if not isinstance(value, str) or not _has_checksum(value):
        raise ValueError("expected an address with EIP-55 checksum")
    return value


def _read_digest_map(value: object) -> object:
    if isinstance(value, dict):
        try:
            return Digest.from_in_toto(cast(JsonValue, value))
        except InvalidEncoding as error:
            raise ValueError(str(error)) from None
    return value


def _schema(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern})


_to_base64url = PlainSerializer(base64url, when_used="json")
_to_hex0x = PlainSerializer(hex0x, when_used="json")
_BASE64URL = _schema("^[A-Za-z0-9_-]*$")
_HEX32 = _schema("^0x[0-9a-f]{64}$")

Blob64 = Annotated[bytes, _reader(from_base64url, None), _to_base64url, _BASE64URL]
"""Bytes of any size, as base64url."""

Bytes16 = Annotated[bytes, _reader(from_hex0x, 16), _to_hex0x, _schema("^0x[0-9a-f]{32}$")]
"""16 bytes, as 0x and hexadecimal digits."""

Bytes32 = Annotated[bytes, _reader(from_hex0x, 32), _to_hex0x, _HEX32]
"""32 bytes that the chain knows (ids, Keccak digests, slots), as 0x and hexadecimal digits."""

Salt32 = Annotated[bytes, _reader(from_base64url, 32), _to_base64url, _BASE64URL]
"""32 bytes of salt or key, as base64url."""

Signature65 = Annotated[bytes, _reader(from_base64url, 65), _to_base64url, _BASE64URL]
"""An account's signature, as base64url; that it is low-s is checked where it is verified."""

DigestMap = Annotated[
    Digest,
    BeforeValidator(_read_digest_map),
    PlainSerializer(lambda digest: digest.in_toto, when_used="json"),
    WithJsonSchema({"type": "object", "required": ["sha256"]}),
]
"""A digest as statements write it: an in-toto map."""

DigestText = Annotated[
    Digest,
    _reader(Digest.from_text, None),
    PlainSerializer(lambda digest: digest.text, when_used="json"),
    _schema("^sha256:[0-9a-f]{64}$"),
]
"""A digest as everything but statements writes it: `sha256:<hex>`."""

Uuid4 = Annotated[UUID, BeforeValidator(_read_uuid), PlainSerializer(str, when_used="json")]
"""16 random bytes, written as a UUIDv4."""

AddressText = Annotated[str, BeforeValidator(_read_address), _schema("^0x[0-9A-Fa-f]{40}$")]
"""An account or contract, with its EIP-55 checksum."""

Time = Annotated[int, Field(ge=0, le=MAX_TIME)]
"""Unix seconds."""

MemberNumber = Annotated[int, Field(ge=1, lt=2**31)]
"""A member: from 1, and below 2^31 because it is a step of a BIP-44 path."""

Count = Annotated[int, Field(ge=0, le=canonical.MAX_INTEGER)]
"""A size, an index or a number of things."""

ShortText = Annotated[str, Field(min_length=1, max_length=256)]
"""A code, a name of a method or format, a version."""

__all__ = [
    "MAX_TIME",
    "AddressText",
    "Blob64",
    "Bytes16",
    "Bytes32",
    "Count",
    "DigestMap",
    "DigestText",
    "Document",
    "MemberNumber",
    "Salt32",
    "ShortText",
    "Signature65",
    "Time",
    "Uuid4",
    "base64url",
    "describe",
    "from_base64url",
    "from_hex0x",
    "hex0x",
]
