"""
Signing in (docs/spec/sessions.md). Whatever does not hold is refused, in this order:

1. the message is an EIP-4361 message for this node, this chain, and now;
2. its nonce is one that this node gave lately;
3. the account signed it: low s, v 27 or 28, no contract's word;
4. the account is somebody: its appointment holds, or its enrolment is in force;
5. the nonce was not used before; from here on it is.
"""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from pydantic import ValidationError
from siwe import SiweMessage

from xinglin._http import personal_digest
from xinglin.errors import SignatureError
from xinglin.keys import verify_digest
from xinglin.names import Address, Signature, SubjectId, UnixTime
from xinglin_node.access.facts import moment_of
from xinglin_node.access.persons import keep_appointment
from xinglin_node.authority import credentials_of, person_of
from xinglin_node.house import NodeHouse
from xinglin_node.log.unit import Write
from xinglin_node.problems import CredentialRefused, Malformed
from xinglin_node.sessions.credential import Holder
from xinglin_node.sessions.repository import use_nonce
from xinglin_node.sessions.schemas import Nonce, Session, SignInRequest

MAX_MESSAGE_SECONDS = 3_600
"""Longest time between issuing and expiration of a message."""

CLOCK_SECONDS = 300
"""How far ahead of ours the clock that issued a message may be."""


def new_nonce(house: NodeHouse) -> Nonce:
    """Make a nonce; nothing is kept until it is used."""
    return Nonce(nonce=credentials_of(house).new_nonce(house.now()))


def sign_in(house: NodeHouse, asked: SignInRequest) -> Session:
    """Return a credential for who signed `asked`. Raises `CredentialRefused`, `Malformed`."""
    now = house.now()
    credentials = credentials_of(house)
    # 1. A message for another site, chain or hour is not meant for us.
    message = _read(asked.message)
    _check_message(message, house, now)
    # 2. Ours, and young: so a signature is worth nothing later.
    ends_at = credentials.check_nonce(message.nonce, now)
    # 3. The whole text as it came is what was signed, not our reading of it.
    account = Address(message.address)
    try:
        verify_digest(personal_digest(asked.message.encode()), Signature(asked.signature), account)
    except SignatureError as error:
        raise CredentialRefused("the signature of the account named", "another") from error
    # 4. Without an appointment or a file an account is nobody.
    holder = _holder(account, asked)
    with house.database.reading() as session:
        person_of(session, house, holder, moment_of(session, now))

    # 5. Once. The same transaction keeps what this institution's bundles must hold.
    def work(write: Write) -> None:
        use_nonce(write, message.nonce, ends_at=ends_at)
        if asked.appointment is not None:
            keep_appointment(write, house, asked.appointment)

    house.writer.submit(work).result()
    credential, expires_at = credentials.issue(holder, now)
    return Session(credential=credential, expires_at=expires_at)


def _holder(account: Address, asked: SignInRequest) -> Holder:
    if asked.appointment is not None and asked.subject is None:
        return Holder(account, appointment=asked.appointment.without_person())
    if asked.subject is not None and asked.appointment is None:
        return Holder(account, subject=SubjectId(asked.subject))
    raise Malformed("an appointment or a subject", "both or neither")


def _read(text: str) -> SiweMessage:
    try:
        return SiweMessage.from_message(text)
    except (ValueError, ValidationError) as error:
        raise Malformed("a message as EIP-4361 writes it", type(error).__name__) from error


def _check_message(message: SiweMessage, house: NodeHouse, now: UnixTime) -> None:
    url = str(house.settings.public_url).rstrip("/")
    if message.domain != urlsplit(url).netloc or message.uri != f"{url}/v1/session":
        raise CredentialRefused(f"a message for {url}", "one for another site")
    if message.chain_id != house.profile.chain_id:
        raise CredentialRefused(f"chain id {house.profile.chain_id}", str(message.chain_id))
    if message.expiration_time is None:
        raise CredentialRefused("an expiration time", "none")
    issued, ends = _time(message.issued_at), _time(message.expiration_time)
    begins = _time(message.not_before) if message.not_before is not None else issued
    if not 0 < ends - issued <= MAX_MESSAGE_SECONDS:
        raise CredentialRefused(f"a message of at most {MAX_MESSAGE_SECONDS} s", "a longer one")
    if now >= ends:
        raise CredentialRefused("a message that has not expired", "an expired one")
    if max(issued, begins) > now + CLOCK_SECONDS:
        raise CredentialRefused("a message that has begun", "one from the future")


def _time(text: str) -> int:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed("a time as ISO 8601 writes it", "another text") from error
    if parsed.tzinfo is None:
        raise Malformed("a time with its zone", "one without")
    return int(parsed.astimezone(UTC).timestamp())
