"""
Signed statements, the entries that commit to them, and the disclosures that open those.

>>> entry = Entry(EntryTag(bytes(32)), Commitment(bytes(32)))
>>> Entry.decode(entry.encode()) == entry
True
"""

import secrets
from dataclasses import dataclass
from typing import Self

from xinglin import merkle, typed
from xinglin.document import AddressText, Count, Document, Salt32, Signature65
from xinglin.errors import CommitmentError, InvalidEncoding
from xinglin.hashes import SALT_SIZE, salted
from xinglin.keys import Account
from xinglin.names import Address, Commitment, EntryTag, LeafHash, Salt, Signature
from xinglin.statement.statement import Statement

COMMITMENT_LABEL = b"xinglin/commitment/v1"
REASON_LABEL = b"xinglin/reason/v1"

ENTRY_SIZE = 64
"""Bytes of a log entry. Another length would be another version of the format."""

MAX_REASON = 2000
"""Characters of a free-text reason: a paragraph, not a document."""


class Attestation(Document):
    """A statement signed by someone who answers for it."""

    signature: Signature65
    """The signer's, over the typed data `Attestation(string statement)`."""

    signer: AddressText

    statement: str
    """The canonical statement, as one JSON string: the very string that was signed."""

    def read(self) -> Statement:
        """Parse the statement. Raises `InvalidEncoding`. Says nothing about the signature."""
        return Statement.decode(self.statement.encode())


class Reason(Document):
    """A free text, kept outside the commitment so that it can go."""

    text: str
    salt: Salt32


class Disclosure(Document):
    """What opens a commitment, for those whom the statement concerns."""

    attestation: Attestation
    salt: Salt32
    n: Count | None = None
    """Counter of the entry's tag in the subject's history; only the subject is given it."""
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a log: 64 bytes that say nothing by themselves."""

    tag: EntryTag
    """Noise to all who lack the subject's history key."""

    commitment: Commitment
    """Binds to the attestation, and hides it."""

    def __post_init__(self) -> None:
        if len(self.tag) + len(self.commitment) != ENTRY_SIZE or len(self.tag) != ENTRY_SIZE // 2:
            raise InvalidEncoding("expected a tag and a commitment of 32 bytes each")

    def encode(self) -> bytes:
        """Return the 64 bytes."""
        return self.tag + self.commitment

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse 64 bytes. Raises `InvalidEncoding` for any other length."""
        if len(data) != ENTRY_SIZE:
            raise InvalidEncoding(f"expected an entry of {ENTRY_SIZE} bytes, got {len(data)}")
        half = ENTRY_SIZE // 2
        return cls(EntryTag(data[:half]), Commitment(data[half:]))

    @property
    def leaf(self) -> LeafHash:
        """The entry's leaf hash."""
        return merkle.leaf_hash(self.encode())


def attest(statement: Statement | bytes, account: Account, domain: typed.Domain) -> Attestation:
    """Sign a statement, or its canonical bytes."""
    text = (statement if isinstance(statement, bytes) else statement.encode()).decode()
    signature = typed.sign(domain, "Attestation", {"statement": text}, account)
    return Attestation(signature=signature, signer=account.address, statement=text)


def verify_attestation(attestation: Attestation, domain: typed.Domain) -> Statement:
    """
    Check that the signer signed the statement, and parse it.

    Raises `SignatureError` or `InvalidEncoding`. Whether the signer may speak is a
    question of appointment, asked elsewhere.
    """
    typed.verify(
        domain,
        "Attestation",
        {"statement": attestation.statement},
        Signature(attestation.signature),
        Address(attestation.signer),
    )
    return attestation.read()


def commit(attestation: bytes, salt: Salt) -> Commitment:
    """Commit to canonical attestation bytes."""
    return Commitment(salted(COMMITMENT_LABEL, salt, attestation))


def new_salt() -> Salt:
    """Draw a fresh salt."""
    return Salt(secrets.token_bytes(SALT_SIZE))


def open_commitment(commitment: Commitment, disclosure: Disclosure) -> Attestation:
    """Check that `disclosure` opens `commitment`. Raises `CommitmentError` if it does not."""
    computed = commit(disclosure.attestation.encode(), Salt(disclosure.salt))
    if computed != commitment:
        raise CommitmentError(
            f"the disclosure commits to {computed.hex()}, expected {commitment.hex()}"
        )
    return disclosure.attestation


def reason_digest(reason: Reason) -> bytes:
    """Digest of a free text: what a request or a correction binds to, 32 bytes."""
    return salted(REASON_LABEL, Salt(reason.salt), reason.text.encode())
