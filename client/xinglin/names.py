"""
A name for every kind of bytes, text or number that could be taken for another.

These are `NewType`s: they cost nothing when the program runs, and let the type
checkers refuse a leaf hash where a root hash is meant. Text forms (hex, base64)
exist only where a value enters or leaves the program.
"""

from typing import NewType
from uuid import UUID

LeafHash = NewType("LeafHash", bytes)
"""SHA-256(00 ‖ entry), 32 bytes (RFC 9162, section 2.1.1)."""

NodeHash = NewType("NodeHash", bytes)
"""SHA-256(01 ‖ left ‖ right), 32 bytes; also a leaf hash where it stands in a path."""

RootHash = NewType("RootHash", bytes)
"""The hash at the top of a tree, 32 bytes."""

EntryTag = NewType("EntryTag", bytes)
"""First half of a log entry, 32 bytes: noise to all who lack the subject's history key."""

Commitment = NewType("Commitment", bytes)
"""Second half of a log entry, 32 bytes: salted digest of an attestation."""

Salt = NewType("Salt", bytes)
"""32 random bytes that keep a digest from being guessed."""

HistoryKey = NewType("HistoryKey", bytes)
"""32 random bytes from which one subject's tags are derived."""

DataKey = NewType("DataKey", bytes)
"""256-bit key of one version of one record."""

RecordId = NewType("RecordId", UUID)
"""16 random bytes, written as a UUIDv4; `bytes16` in typed data."""

SubjectId = NewType("SubjectId", UUID)
"""A data subject's file at one institution; random, and local to it."""

RequestId = NewType("RequestId", bytes)
"""32 random bytes: identifies an access request, and is its nonce."""

AppointmentId = NewType("AppointmentId", bytes)
"""32 random bytes."""

GrantId = NewType("GrantId", bytes)
"""32 bytes: the EIP-712 digest of the whole grant, or the witnessed form's hash."""

Address = NewType("Address", str)
"""An account or contract: `0x` and 40 hexadecimal digits with the EIP-55 checksum."""

Member = NewType("Member", int)
"""Number of a member of the consortium, from 1; it never changes."""

Generation = NewType("Generation", int)
"""Which log of a member, from 0; a vote that retires a log raises it."""

NetworkId = NewType("NetworkId", bytes)
"""16 random bytes fixed at founding and carried by every successor deployment."""

Origin = NewType("Origin", str)
"""Name of a log: `xinglin.network/<networkId hex>/<member>/<generation>`."""

UnixTime = NewType("UnixTime", int)
"""Seconds since 1970-01-01T00:00:00Z."""

Signature = NewType("Signature", bytes)
"""An account's signature: r ‖ s ‖ v, 65 bytes, low s, v 27 or 28."""
