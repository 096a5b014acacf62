"""
One data key, wrapped for each recipient.

A wrap is bound to the record's manifest, to the recipient's key and to the grant and request
that it answers, if any: moved into another envelope, or shown for another grant, it does not
open. At intake an envelope has exactly two: the custodian's and the recovery recipient's
(docs/spec/envelope.md).

>>> from xinglin.keys import HpkeIdentity
>>> alice, manifest = HpkeIdentity.generate(), Digest.of(b"a record statement")
>>> wrap = wrap_for(DataKey(bytes(32)), alice.recipient, manifest)
>>> unwrap(wrap, alice, manifest) == bytes(32)
True
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, cast

from xinglin import canonical
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, from_base64url, from_hex0x, hex0x
from xinglin.errors import InvalidEncoding, UnwrapError
from xinglin.hashes import SHA256_SIZE, Digest
from xinglin.keys import WRAP_SIZE, Identity, Recipient
from xinglin.names import DataKey, GrantId, RequestId

ENVELOPE_FORMAT = "xinglin.envelope/1"

WRAP_LABEL = b"xinglin/wrap/v1"

MAX_WRAPS = 64
"""Wraps of one envelope; two are made at intake, and a release hands out its own."""

_ABSENT = bytes(32)
"""Stands in the wrap info for a grant or a request that there is none of."""


@dataclass(frozen=True, slots=True)
class Wrap:
    """One wrapped data key."""

    key_digest: bytes
    """Names the public key that it was wrapped to, 32 bytes."""

    wrap: bytes
    """The HPKE ciphertext, 1,168 bytes."""

    grant: GrantId | None = None
    """The grant that it answers; none at intake and on grounds other than `grant`."""

    request: RequestId | None = None
    """The access request that it answers; none at intake."""

    def __post_init__(self) -> None:
        _check_context(self.key_digest, self.grant, self.request)
        if len(self.wrap) != WRAP_SIZE:
            raise InvalidEncoding(f"expected a wrap of {WRAP_SIZE} bytes, got {len(self.wrap)}")

    def to_json(self) -> dict[str, JsonValue]:
        """Return the JSON value."""
        return {
            "grant": None if self.grant is None else hex0x(self.grant),
            "keyDigest": hex0x(self.key_digest),
            "request": None if self.request is None else hex0x(self.request),
            "wrap": base64url(self.wrap),
        }

    @classmethod
    def from_json(cls, value: JsonValue) -> Self:
        """Build from a JSON value. Raises `InvalidEncoding`."""
        members = _members(value, {"grant", "keyDigest", "request", "wrap"})
        grant, request = members["grant"], members["request"]
        return cls(
            from_hex0x(_text(members["keyDigest"])),
            from_base64url(_text(members["wrap"])),
            None if grant is None else GrantId(from_hex0x(_text(grant))),
            None if request is None else RequestId(from_hex0x(_text(request))),
        )


@dataclass(frozen=True, slots=True)
class Envelope:
    """The wraps of one record's data key."""

    manifest: Digest
    """Digest of the canonical record statement, which names the blob."""

    wraps: tuple[Wrap, ...]
    """At least one; no two for the same key, grant and request."""

    def __post_init__(self) -> None:
        if not 0 < len(self.wraps) <= MAX_WRAPS:
            raise InvalidEncoding(f"expected 1 to {MAX_WRAPS} wraps, got {len(self.wraps)}")
        known = {(wrap.key_digest, wrap.grant, wrap.request) for wrap in self.wraps}
        if len(known) != len(self.wraps):
            raise InvalidEncoding("expected one wrap for each key, grant and request")

    def to_json(self) -> dict[str, JsonValue]:
        """Return the JSON value, ready for `canonical.encode`."""
        return {
            "format": ENVELOPE_FORMAT,
            "manifest": self.manifest.text,
            "wraps": [wrap.to_json() for wrap in self.wraps],
        }

    @classmethod
    def from_json(cls, value: JsonValue) -> Self:
        """Build from a parsed JSON value. Raises `InvalidEncoding`."""
        members = _members(value, {"format", "manifest", "wraps"})
        if members["format"] != ENVELOPE_FORMAT:
            raise InvalidEncoding(f"expected the format {ENVELOPE_FORMAT}")
        wraps = members["wraps"]
        if not isinstance(wraps, list) or len(wraps) > MAX_WRAPS:
            raise InvalidEncoding(f"expected a list of at most {MAX_WRAPS} wraps")
        return cls(
            Digest.from_text(_text(members["manifest"])),
            tuple(Wrap.from_json(wrap) for wrap in cast(list[JsonValue], wraps)),
        )

    def encode(self) -> bytes:
        """Return the canonical bytes."""
        return canonical.encode(self.to_json())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse canonical bytes. Raises `InvalidEncoding`."""
        return cls.from_json(canonical.decode(data))


def wrap_info(
    manifest: Digest,
    key_digest: bytes,
    grant: GrantId | None = None,
    request: RequestId | None = None,
) -> bytes:
    """
    What a wrap is bound to, as HPKE's `info`.

    Label 00 ‖ manifest[32] ‖ key digest[32] ‖ grant[32] or zeros ‖ request[32] or zeros.
    """
    _check_context(key_digest, grant, request)
    return b"".join(
        (WRAP_LABEL, b"\x00", manifest.value, key_digest, grant or _ABSENT, request or _ABSENT)
    )


def wrap_for(
    data_key: DataKey,
    recipient: Recipient,
    manifest: Digest,
    *,
    grant: GrantId | None = None,
    request: RequestId | None = None,
) -> Wrap:
    """Wrap `data_key` for `recipient`, bound to the manifest and to what it answers."""
    info = wrap_info(manifest, recipient.key_digest, grant, request)
    return Wrap(recipient.key_digest, recipient.wrap(data_key, info), grant, request)


def unwrap(wrap: Wrap, identity: Identity, manifest: Digest) -> DataKey:
    """
    Recover the data key from a wrap made for `identity` and `manifest`.

    Raises `UnwrapError` for a wrap to another key, from another envelope, or with another
    grant or request than the one it was made for.
    """
    if wrap.key_digest != identity.key_digest:
        raise UnwrapError(
            f"expected a wrap for key {identity.key_digest.hex()}, got one for another key"
        )
    info = wrap_info(manifest, wrap.key_digest, wrap.grant, wrap.request)
    return identity.unwrap(wrap.wrap, info)


def unwrap_any(envelope: Envelope, identity: Identity) -> DataKey:
    """
    Recover the data key from whichever of the envelope's wraps is for `identity`.

    Raises `UnwrapError` if none is, or if one that is does not open.
    """
    for wrap in envelope.wraps:
        if wrap.key_digest == identity.key_digest:
            return unwrap(wrap, identity, envelope.manifest)
    raise UnwrapError(f"expected a wrap for key {identity.key_digest.hex()}, got none")


def _check_context(key_digest: bytes, grant: bytes | None, request: bytes | None) -> None:
    if len(key_digest) != SHA256_SIZE:
        raise InvalidEncoding(f"expected a key digest of {SHA256_SIZE} bytes")
    for value in (grant, request):
        # Zeros would read as "none" in the wrap info: two contexts would share one info.
        if value is not None and (len(value) != len(_ABSENT) or value == _ABSENT):
            raise InvalidEncoding("expected grant and request as 32 bytes that are not all zero")


def _members(value: JsonValue, names: set[str]) -> Mapping[str, JsonValue]:
    if not isinstance(value, Mapping) or value.keys() != names:
        raise InvalidEncoding(f"expected an object with {', '.join(sorted(names))}")
    return value


def _text(value: JsonValue) -> str:
    if not isinstance(value, str):
        raise InvalidEncoding(f"expected text, got {type(value).__name__}")
    return value
