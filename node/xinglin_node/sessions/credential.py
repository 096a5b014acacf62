"""
The nonce and the credential, as bytes (docs/spec/sessions.md).

Both are made and checked with one secret of the node; nothing here touches a database, a
chain or a clock of its own.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any, Self, cast

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from xinglin.appointment import SignedAppointment
from xinglin.document import Document, Uuid4
from xinglin.errors import InvalidEncoding
from xinglin.hashes import labelled
from xinglin.names import Address, SubjectId, UnixTime
from xinglin_node.problems import CredentialRefused
from xinglin_node.sessions.schemas import MAX_CREDENTIAL

NONCE_LABEL = b"xinglin/nonce/v1"
NONCE_SECONDS = 600
"""How long a nonce may be used: time to find a phone and sign."""

CREDENTIAL_LABEL = b"xinglin/credential/v1"
CREDENTIAL_TYPE = "xinglin-session+jwt"
"""Header `typ`, so that no other token under the same key is ever taken for a session."""

_ALGORITHM = "HS256"
_HEADER = {"alg": _ALGORITHM, "typ": CREDENTIAL_TYPE}
_MAC_SIZE = 16
_CLAIMS = {"iss", "aud", "sub", "iat", "exp", "jti"}


class _Claims(Document):
    """What a credential says of its holder, beside the registered claims."""

    apt: SignedAppointment | None = None
    file: Uuid4 | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a credential was given to. What it says is checked again at every request."""

    account: Address
    """Whose signature was seen."""

    appointment: SignedAppointment | None = None
    """For those who speak for a member."""

    subject: SubjectId | None = None
    """For a data subject or a proxy: the file."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Makes and checks nonces and credentials under one secret."""

    secret: bytes
    """32 random bytes that never leave the node."""

    issuer: str
    """The node's public URL: a credential of another node is refused."""

    lifetime_seconds: int

    def __post_init__(self) -> None:
        if len(self.secret) < 32:
            raise InvalidEncoding(f"expected a secret of 32 bytes, got {len(self.secret)}")

    @classmethod
    def derive(cls, root: bytes, *, issuer: str, lifetime_seconds: int) -> Self:
        """Derive the session secret from a secret that the node holds for other uses too."""
        return cls(labelled(CREDENTIAL_LABEL, root), issuer, lifetime_seconds)

    def new_nonce(self, now: UnixTime) -> str:
        """Make a nonce. Nothing is stored until it is used."""
        body = (now + NONCE_SECONDS).to_bytes(4) + secrets.token_bytes(8)
        return (body + self._nonce_mac(body)).hex()

    def check_nonce(self, nonce: str, now: UnixTime) -> UnixTime:
        """Check that this node made `nonce`, lately; return its end. Raises `CredentialRefused`."""
        try:
            raw = bytes.fromhex(nonce)
        except ValueError:
            raw = b""
        body, mac = raw[:12], raw[12:]
        if len(mac) != _MAC_SIZE or not hmac.compare_digest(self._nonce_mac(body), mac):
            raise CredentialRefused("a nonce that this node gave", "another")
        ends_at = UnixTime(int.from_bytes(body[:4]))
        if now >= ends_at:
            raise CredentialRefused(f"a nonce used within {NONCE_SECONDS} s", "an older one")
        return ends_at

    def issue(self, holder: Holder, now: UnixTime) -> tuple[str, UnixTime]:
        """Return a credential and its end."""
        expires_at = UnixTime(now + self.lifetime_seconds)
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "aud": self.issuer,
            "sub": holder.account,
            "iat": now,
            "exp": expires_at,
            "jti": secrets.token_hex(16),
        }
        if holder.appointment is not None:
            claims["apt"] = holder.appointment.to_json()
        if holder.subject is not None:
            claims["file"] = str(holder.subject)
        return jwt.encode(_HEADER, claims, self._key(), algorithms=[_ALGORITHM]), expires_at

    def holds(self, credential: str, now: UnixTime) -> bool:
        """Whether `read` would accept `credential`; for counting requests, never for letting in."""
        try:
            self.read(credential, now)
        except CredentialRefused:
            return False
        return True

    def read(self, credential: str, now: UnixTime) -> Holder:
        """
        Return who `credential` was given to.

        Raises `CredentialRefused` for anything that `issue` did not write, and after its
        end. The end is exclusive.
        """
        if len(credential) > MAX_CREDENTIAL:
            raise CredentialRefused("a credential of this node", "a longer text")
        try:
            token = jwt.decode(credential, self._key(), algorithms=[_ALGORITHM])
            if token.header != _HEADER:
                raise CredentialRefused("a session credential", "a token of another type")
            claims = cast(dict[str, Any], json.loads(json.dumps(token.claims)))
            extra = _Claims.from_json({k: v for k, v in claims.items() if k not in _CLAIMS})
            account, expires_at = str(claims["sub"]), int(claims["exp"])
            issuers = {claims["iss"], claims["aud"]}
        except (JoseError, ValueError, KeyError, TypeError, InvalidEncoding) as error:
            raise CredentialRefused("a credential of this node", "another text") from error
        if issuers != {self.issuer}:
            raise CredentialRefused("a credential of this node", "one of another")
        if now >= expires_at:
            raise CredentialRefused("a credential that has not expired", "an expired one")
        if (extra.apt is None) == (extra.file is None):
            raise CredentialRefused("an appointment or a file", "both or neither")
        subject = None if extra.file is None else SubjectId(extra.file)
        return Holder(Address(account), extra.apt, subject)

    def _key(self) -> OctKey:
        return OctKey.import_key(self.secret)

    def _nonce_mac(self, body: bytes) -> bytes:
        return hmac.digest(self.secret, NONCE_LABEL + b"\x00" + body, "sha256")[:_MAC_SIZE]


__all__ = ["CREDENTIAL_TYPE", "NONCE_SECONDS", "Credentials", "Holder"]
