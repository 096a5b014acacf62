"""
EIP-712: the typed data that people and members sign.

`TYPES` holds every type of ours, word for word as it is hashed. `digest`, `sign` and `verify`
work on those alone, fast and strict. `hash_typed_data` takes any types, as a wallet does; the
published vectors run through it, and both share one encoder (docs/spec/typed-data.md).

>>> domain = Domain(chain_id=31337, verifying_contract=to_address(bytes(20)))
>>> signer = Account.generate()
>>> message = {"grantId": bytes(32)}
>>> signature = sign(domain, "Revocation", message, signer)
>>> verify(domain, "Revocation", message, signature, signer.address)
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import cast

from xinglin.errors import InvalidEncoding, UsageError
from xinglin.hashes import keccak256
from xinglin.keys import (
    Account,
    address_bytes,
    recover_digest,
    to_address,
    verify_digest,
)
from xinglin.names import Address, Signature

NAME, VERSION = "Xinglin", "1"
"""Of every domain of ours."""

TYPES: Mapping[str, str] = MappingProxyType(
    {
        "Grant": (
            "Grant(uint32 custodian,address grantor,string terms,"
            "uint64 notBefore,uint64 expiresAt,uint64 deadline)"
        ),
        "Revocation": "Revocation(bytes32 grantId)",
        "GrantAccount": "GrantAccount(uint32 custodian,address grantor)",
        "Enrolment": (
            "Enrolment(uint32 custodian,address account,bytes32 keyDigest,"
            "bytes32 historyDigest,uint64 issuedAt)"
        ),
        "Appointment": (
            "Appointment(bytes32 id,uint32 member,address account,bytes32 keyDigest,"
            "string role,bytes32 personDigest,uint64 notBefore,uint64 notAfter)"
        ),
        "AccessRequest": (
            "AccessRequest(bytes32 id,uint32 custodian,string ground,bytes32 grantId,"
            "string purpose,string research,bytes32 reasonDigest,Item[] items,"
            "bytes32 keyDigest,uint64 issuedAt,uint64 deadline)"
            "Item(bytes16 record,uint32 version)"
        ),
        "Attestation": "Attestation(string statement)",
        "Mandate": (
            "Mandate(bytes32 id,uint32 custodian,uint32 auditor,string scope,"
            "uint64 notBefore,uint64 notAfter)"
        ),
    }
)
"""Our types, each as its `encodeType` (EIP-712, definition of encodeType)."""

_DOMAIN_FIELDS = (
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
)
"""What a domain may have, in this order (EIP-712, definition of domainSeparator)."""

_PREFIX = b"\x19\x01"
"""Sets typed data apart from transactions and from other signed messages (EIP-191)."""

_STRUCT = re.compile(r"([A-Za-z_$][\w$]*)\(([^()]*)\)", re.ASCII)
_ARRAY = re.compile(r"(.+)\[(\d*)\]", re.ASCII)
_SIZED = re.compile(r"(u?int|bytes)([1-9]\d*)", re.ASCII)
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d*)", re.ASCII)
_HEX = re.compile(r"0x(?:[0-9A-Fa-f]{2})*")
_HEX_NUMBER = re.compile(r"-?0x[0-9A-Fa-f]+")

_Fields = tuple[tuple[str, str], ...]
_Structs = Mapping[str, _Fields]
_Encoder = Callable[[object], bytes]


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature counts: one contract on one chain."""

    chain_id: int
    """Of the chain, so that a signature is not replayed on another."""

    verifying_contract: Address
    """ConsentRegistry for `Grant` and `Revocation`, Consortium for all others."""


@lru_cache(maxsize=256)
def separator(domain: Domain) -> bytes:
    """Hash of the domain, 32 bytes. Raises `InvalidEncoding` if a value is out of form."""
    return _SEPARATOR(
        {
            "name": NAME,
            "version": VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        }
    )


def digest(domain: Domain, primary_type: str, message: Mapping[str, object]) -> bytes:
    """
    Hash a message of one of our `TYPES`: what an account signs, 32 bytes.

    The message holds exactly the type's members, as Python has them: integers, `bytes` of
    the right length, text, checksummed addresses, lists of mappings. Raises
    `InvalidEncoding` for anything else.
    """
    return keccak256(_PREFIX + separator(domain) + _pinned(primary_type)(message))


def sign(
    domain: Domain, primary_type: str, message: Mapping[str, object], account: Account
) -> Signature:
    """Sign a message of one of our `TYPES`."""
    return account.sign_digest(digest(domain, primary_type, message))


def recover(
    domain: Domain, primary_type: str, message: Mapping[str, object], signature: Signature
) -> Address:
    """Return the account that signed. Raises `SignatureError`."""
    return recover_digest(digest(domain, primary_type, message), signature)


def verify(
    domain: Domain,
    primary_type: str,
    message: Mapping[str, object],
    signature: Signature,
    expected: Address,
) -> None:
    """Check that `expected` signed. Raises `SignatureError`."""
    verify_digest(digest(domain, primary_type, message), signature, expected)


def hash_typed_data(
    domain: Mapping[str, object],
    types: Mapping[str, Sequence[Mapping[str, str]]],
    primary_type: str,
    message: Mapping[str, object],
) -> bytes:
    """
    Hash any typed data, given as `eth_signTypedData` has it.

    Values may be as JSON has them: integers as decimal or hexadecimal text, bytes as
    hexadecimal text, addresses in any case. Raises `InvalidEncoding`.
    """
    structs: dict[str, _Fields] = {
        name: tuple((field["name"], field["type"]) for field in fields)
        for name, fields in types.items()
        if name != "EIP712Domain"
    }
    if primary_type not in structs:
        raise InvalidEncoding("expected a primary type that is among the types")
    domain_fields = types.get("EIP712Domain")
    used = (
        tuple((field["name"], field["type"]) for field in domain_fields)
        if domain_fields is not None
        else tuple(field for field in _DOMAIN_FIELDS if field[0] in domain)
    )
    domain_structs: _Structs = {"EIP712Domain": used}
    try:
        return keccak256(
            _PREFIX
            + _encoder("EIP712Domain", domain_structs)(
                _from_json("EIP712Domain", domain, domain_structs)
            )
            + _encoder(primary_type, structs)(_from_json(primary_type, message, structs))
        )
    except RecursionError as error:
        raise InvalidEncoding("expected a message of less depth") from error


def wallet_request(
    domain: Domain, primary_type: str, message: Mapping[str, object]
) -> dict[str, object]:
    """
    Write a message of one of our `TYPES` for a wallet's `eth_signTypedData_v4`.

    What the wallet hashes is what `digest` hashes. Raises as `digest` does.
    """
    digest(domain, primary_type, message)
    structs = {
        "EIP712Domain": _DOMAIN_FIELDS[:4],
        **{name: _PINNED_STRUCTS[name] for name in _referenced(primary_type, _PINNED_STRUCTS)},
    }
    return {
        "types": {
            name: [{"name": field, "type": kind} for field, kind in fields]
            for name, fields in structs.items()
        },
        "primaryType": primary_type,
        "domain": {
            "name": NAME,
            "version": VERSION,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        "message": _to_json(message),
    }


def encode_type(primary_type: str, structs: _Structs) -> str:
    """The type with all that it refers to, those sorted by name (EIP-712, encodeType)."""
    first, *others = _referenced(primary_type, structs)
    return "".join(
        f"{name}({','.join(f'{kind} {field}' for field, kind in structs[name])})"
        for name in (first, *sorted(others))
    )


def _pinned(primary_type: str) -> _Encoder:
    encoder = _PINNED.get(primary_type)
    if encoder is None:
        raise UsageError(f"expected one of {', '.join(TYPES)}")
    return encoder


def _referenced(primary_type: str, structs: _Structs) -> list[str]:
    """`primary_type`, then every struct that it refers to, each once."""
    found: list[str] = []
    waiting = [primary_type]
    while waiting:
        name = waiting.pop()
        if name in found or name not in structs:
            continue
        found.append(name)
        waiting.extend(kind.split("[", 1)[0] for _, kind in structs[name])
    return found


def _encoder(kind: str, structs: _Structs) -> _Encoder:
    """Return what encodes a value of type `kind` to its 32 bytes (EIP-712, encodeData)."""
    if array := _ARRAY.fullmatch(kind):
        return _array_encoder(array[1], array[2], structs)
    if kind in structs:
        return _struct_encoder(kind, structs)
    if kind in _ATOMS:
        return _ATOMS[kind]
    if sized := _SIZED.fullmatch(kind):
        size = int(sized[2])
        if sized[1] == "bytes" and size <= 32:
            return _bytes_encoder(size)
        if sized[1] != "bytes" and size <= 256 and size % 8 == 0:
            return _integer_encoder(size, signed=sized[1] == "int")
    raise InvalidEncoding("expected a type that EIP-712 has, got another")


def _struct_encoder(name: str, structs: _Structs) -> _Encoder:
    type_hash = keccak256(encode_type(name, structs).encode())
    fields = structs[name]
    names = {field for field, _ in fields}
    if len(names) != len(fields):
        raise InvalidEncoding("expected each member of a type once")
    # A type may refer to itself through an array: its encoders are made when first needed.
    encoders: list[tuple[str, _Encoder]] = []

    def encode(value: object) -> bytes:
        if not isinstance(value, Mapping):
            raise InvalidEncoding(f"expected the members of {name}, got {type(value).__name__}")
        members = cast(Mapping[str, object], value)
        if members.keys() != names:
            raise InvalidEncoding(f"expected exactly the members of {name}")
        if not encoders:
            encoders.extend((field, _encoder(kind, structs)) for field, kind in fields)
        return keccak256(
            type_hash + b"".join(encoder(members[field]) for field, encoder in encoders)
        )

    return encode


def _array_encoder(kind: str, length: str, structs: _Structs) -> _Encoder:
    element = _encoder(kind, structs)
    wanted = int(length) if length else None

    def encode(value: object) -> bytes:
        if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
            raise InvalidEncoding(f"expected an array, got {type(value).__name__}")
        items = cast(Sequence[object], value)
        if wanted is not None and len(items) != wanted:
            raise InvalidEncoding(f"expected an array of {wanted}, got {len(items)}")
        return keccak256(b"".join(element(item) for item in items))

    return encode


def _integer_encoder(bits: int, *, signed: bool) -> _Encoder:
    low = -(1 << bits - 1) if signed else 0
    high = 1 << (bits - 1 if signed else bits)

    def encode(value: object) -> bytes:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value < high:
            raise InvalidEncoding(f"expected an integer of {bits} bits")
        return value.to_bytes(32, "big", signed=signed)

    return encode


def _bytes_encoder(size: int) -> _Encoder:
    def encode(value: object) -> bytes:
        if not isinstance(value, bytes) or len(value) != size:
            raise InvalidEncoding(f"expected {size} bytes")
        return value.ljust(32, b"\x00")

    return encode


def _encode_string(value: object) -> bytes:
    if not isinstance(value, str):
        raise InvalidEncoding(f"expected text, got {type(value).__name__}")
    try:
        return keccak256(value.encode())
    except UnicodeEncodeError as error:
        raise InvalidEncoding("expected Unicode text, got a lone surrogate") from error


def _encode_bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise InvalidEncoding(f"expected bytes, got {type(value).__name__}")
    return keccak256(value)


def _encode_bool(value: object) -> bytes:
    if not isinstance(value, bool):
        raise InvalidEncoding(f"expected true or false, got {type(value).__name__}")
    return int(value).to_bytes(32, "big")


def _encode_address(value: object) -> bytes:
    if not isinstance(value, str):
        raise InvalidEncoding(f"expected an address, got {type(value).__name__}")
    return address_bytes(Address(value)).rjust(32, b"\x00")


_ATOMS: Mapping[str, _Encoder] = {
    "string": _encode_string,
    "bytes": _encode_bytes,
    "bool": _encode_bool,
    "address": _encode_address,
    "uint": _integer_encoder(256, signed=False),
    "int": _integer_encoder(256, signed=True),
}


def _from_json(kind: str, value: object, structs: _Structs) -> object:
    """Turn the JSON forms of a value into the one that the encoders take."""
    if (array := _ARRAY.fullmatch(kind)) and isinstance(value, list | tuple):
        return [_from_json(array[1], item, structs) for item in cast(Sequence[object], value)]
    if kind in structs and isinstance(value, Mapping):
        kinds = dict(structs[kind])
        return {
            name: _from_json(kinds.get(name, "string"), member, structs)
            for name, member in cast(Mapping[str, object], value).items()
        }
    if not isinstance(value, str) or kind == "string":
        return to_address(value) if kind == "address" and isinstance(value, bytes) else value
    if kind.startswith(("uint", "int")):
        if _DECIMAL.fullmatch(value):
            return int(value)
        return int(value, 16) if _HEX_NUMBER.fullmatch(value) else value
    if kind == "address" and _HEX.fullmatch(value):
        return to_address(bytes.fromhex(value[2:]))
    if kind.startswith("bytes") and _HEX.fullmatch(value):
        return bytes.fromhex(value[2:])
    return value


def _to_json(value: object) -> object:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, Mapping):
        return {key: _to_json(item) for key, item in cast(Mapping[str, object], value).items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in cast(Sequence[object], value)]
    return value


def _parse_structs(encoded: str) -> dict[str, _Fields]:
    return {
        match[1]: tuple(
            (field, kind) for kind, field in (part.split(" ") for part in match[2].split(","))
        )
        for match in _STRUCT.finditer(encoded)
    }


_PINNED_STRUCTS: _Structs = {
    name: fields for encoded in TYPES.values() for name, fields in _parse_structs(encoded).items()
}
_PINNED: Mapping[str, _Encoder] = {name: _struct_encoder(name, _PINNED_STRUCTS) for name in TYPES}
_SEPARATOR = _struct_encoder("EIP712Domain", {"EIP712Domain": _DOMAIN_FIELDS[:4]})
