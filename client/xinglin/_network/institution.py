"""
An institution's own description of itself: what it founds or joins a network with.

One JSON file, all of it public; `xinglin node init` writes it, and `network deploy` and
`member propose admit` read it (docs/spec/network.md).
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from xinglin._chain.consortium import Applicant, NewAccount
from xinglin._chain.words import Power, Role
from xinglin.canonical import parse
from xinglin.document import AddressText, Blob64, Bytes32, Document
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.keys import key_digest
from xinglin.names import Address

PowerName = Literal["govern", "anchor", "appoint", "witness"]
RoleName = Literal["hospital", "research-institute", "auditor", "regulator"]

PUBLIC_KEY_SIZE = 1_216
"""Bytes of an HPKE public key: ML-KEM-768 and X25519 (FORMATS 2)."""


class InstitutionAccount(Document):
    """An account that acts for the institution."""

    address: AddressText
    powers: Annotated[tuple[PowerName, ...], Field(min_length=1, max_length=4)]


class Institution(Document):
    """Who wants to belong to a network."""

    format: Literal["xinglin.institution/1"]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    role: RoleName
    url: Annotated[str, Field(max_length=500)]
    """Address of its node; empty for who runs none."""
    log_key: Bytes32
    """Ed25519 public key of its log."""
    encryption_key: Blob64
    """HPKE public key."""
    validator: AddressText | None
    """Account of its validator, where it runs one."""
    accounts: Annotated[tuple[InstitutionAccount, ...], Field(min_length=1, max_length=32)]

    def applicant(self) -> Applicant:
        """As the contract takes it."""
        return Applicant(
            self.name,
            self.url,
            self.log_key,
            Address(self.validator) if self.validator is not None else None,
            self.encryption_key,
            tuple(NewAccount(Address(one.address), powers_of(one.powers)) for one in self.accounts),
        )

    @property
    def member_role(self) -> Role:
        """As the contract counts it."""
        return Role[self.role.upper().replace("-", "_")]

    @property
    def encryption_key_digest(self) -> bytes:
        """What the contract stores of the encryption key."""
        return key_digest(self.encryption_key)


def powers_of(names: tuple[PowerName, ...]) -> Power:
    """Join powers by name. Raises `InvalidEncoding` for one named twice."""
    powers = Power(0)
    for name in names:
        if Power[name.upper()] in powers:
            raise InvalidEncoding(f"expected each power once, got {name} twice")
        powers |= Power[name.upper()]
    return powers


def read_institution(path: Path) -> Institution:
    """Read an institution's file. Raises `UsageError` and `InvalidEncoding`."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    found = Institution.from_json(parse(content))
    if len(found.encryption_key) != PUBLIC_KEY_SIZE:
        raise InvalidEncoding(
            f"{path}: expected an encryption key of {PUBLIC_KEY_SIZE} bytes, "
            f"got {len(found.encryption_key)}"
        )
    found.applicant()
    return found
