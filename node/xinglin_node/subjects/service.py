"""
Opening files, enrolling, and giving new history keys (DESIGN 3.6, 3.7).

What the node states here it signs with its system account; the institution's word is the
anchored checkpoint. An enrolment with an account also holds the subject's own signature
over exactly the account, the keys and this custodian.
"""

import secrets
from uuid import uuid4

from xinglin import canonical, typed
from xinglin.errors import InvalidEncoding
from xinglin.hashes import Digest
from xinglin.history import KEY_SIZE, history_digest
from xinglin.keys import HpkeRecipient
from xinglin.names import Address, HistoryKey, Origin, Signature, SubjectId, UnixTime
from xinglin.statement import (
    Enrolment,
    History,
    HistoryFrom,
    HistoryTo,
    Statement,
    Subject,
    attest,
    new_salt,
)
from xinglin_node.house import NodeHouse
from xinglin_node.log.repository import read_entry
from xinglin_node.log.service import logged_receipt, receipt_of
from xinglin_node.log.unit import PendingEntry, Sequenced, Write
from xinglin_node.problems import Malformed, RuleBroken
from xinglin_node.subjects.repository import (
    current_history,
    in_force,
    read_subject,
    require_in_force,
)
from xinglin_node.subjects.schemas import (
    Enrolled,
    EnrolmentRequest,
    HistoryGoesOn,
    HistoryRequest,
    Registered,
)
from xinglin_node.subjects.tables import EnrolmentRow, SubjectRow

CLOCK_SECONDS = 300
"""How far ahead of ours the clock of a subject's device may be."""

MAX_AGE_SECONDS = 86_400
"""Oldest signature that an enrolment takes: made on the day of the visit."""


def register(house: NodeHouse) -> Registered:
    """Open a file: a random number and a history key. Nothing is logged."""
    subject, key = SubjectId(uuid4()), HistoryKey(secrets.token_bytes(KEY_SIZE))

    def work(write: Write) -> Origin:
        write.session.add(SubjectRow(id=subject, created_at=write.now, enrolment=None))
        write.start_history(subject, key, write.origin)
        return write.origin

    origin = house.writer.submit(work).result()
    return Registered(
        subject=subject, history_key=key, origin=origin, history=Digest(history_digest(key))
    )


def enrol(house: NodeHouse, subject: SubjectId, asked: EnrolmentRequest) -> tuple[Enrolled, bool]:
    """
    Log an enrolment. Returns it, and whether it is new.

    Raises `NotFound`, `Malformed`, `RuleBroken`; `SignatureError` for a signature that is
    not the account's over these values.
    """
    with house.database.reading() as session:
        read_subject(session, subject)
        history = HistoryKey(current_history(session, subject).key)
    digest = history_digest(history)
    predicate, public_key = _predicate(house, asked, digest)
    request = Digest.of(canonical.encode([asked.to_json(), digest.hex()])).value
    attestation = attest(
        Statement((Subject(name="history", digest=Digest(digest)),), predicate),
        house.keys.system,
        house.domain,
    ).encode()
    salt = new_salt()
    proxies = canonical.encode([proxy.to_json() for proxy in asked.proxies])

    def work(write: Write) -> tuple[bytes, Sequenced | tuple[int, int]]:
        row = read_subject(write.session, subject)
        known = in_force(write.session, subject)
        if known is not None and known.request == request:
            return known.commitment, (known.generation, known.index)
        if current_history(write.session, subject).key != history:
            raise RuleBroken("the history key of a moment ago", "a new one; enrol again")
        sequenced = write.append(
            PendingEntry(attestation=attestation, salt=salt, kind="enrolment", subject=subject)
        )
        enrolment = EnrolmentRow(
            subject=subject,
            generation=write.generation,
            index=sequenced.index,
            commitment=sequenced.entry.commitment,
            account=asked.account,
            public_key=public_key,
            key_digest=predicate.key_digest,
            proxies=proxies,
            issued_at=predicate.issued_at,
            request=request,
        )
        write.session.add(enrolment)
        write.session.flush()
        row.enrolment = enrolment.id
        return sequenced.entry.commitment, sequenced

    commitment, where = house.writer.submit(work).result()
    if isinstance(where, tuple):
        return _enrolled(house, commitment, *where), False
    return Enrolled(
        enrolment=Digest(commitment),
        index=where.index,
        sequenced_at=where.sequenced_at,
        receipt=receipt_of(house, where),
    ), True


def enrolment_in_force(house: NodeHouse, subject: SubjectId) -> Enrolled:
    """What record statements must name. Raises `NotFound`, and `RuleBroken` before the first."""
    with house.database.reading() as session:
        row = require_in_force(session, subject)
    return _enrolled(house, row.commitment, row.generation, row.index)


def go_on(house: NodeHouse, subject: SubjectId, asked: HistoryRequest) -> HistoryGoesOn:
    """
    End a list of tags and go on with another, from 0 (DESIGN 3.7).

    `rekeyed` draws a new key, for who lost theirs or gave it away. `moved` keeps the key and
    goes to the log's present generation; it also happens by itself before the next entry.
    Raises `NotFound`, `RuleBroken`.
    """
    fresh = HistoryKey(secrets.token_bytes(KEY_SIZE)) if asked.kind == "rekeyed" else None

    def work(write: Write) -> tuple[HistoryKey, Sequenced]:
        require_in_force(write.session, subject)
        known = current_history(write.session, subject)
        if fresh is None and known.origin == write.origin:
            raise RuleBroken("a list of tags in an earlier generation", "one in this log")
        key = fresh or HistoryKey(known.key)
        sequenced = write.go_on(subject, key, asked.kind)
        return key, sequenced

    key, sequenced = house.writer.submit(work).result()
    return HistoryGoesOn(
        kind=asked.kind,
        origin=house.origin,
        history_key=key,
        index=sequenced.index,
        sequenced_at=sequenced.sequenced_at,
        receipt=receipt_of(house, sequenced),
    )


def history_statement(house: NodeHouse, kind: str, old: HistoryFrom, new: HistoryTo) -> bytes:
    """Attest that a list of tags goes on elsewhere. The writer asks for it within a unit."""
    predicate = History.model_validate(
        {"kind": kind, "from_": old, "to": new, "claimed_at": house.now()}
    )
    subjects = (Subject(name="history", digest=new.history),)
    return attest(Statement(subjects, predicate), house.keys.system, house.domain).encode()


def _predicate(
    house: NodeHouse, asked: EnrolmentRequest, history: bytes
) -> tuple[Enrolment, bytes | None]:
    given = (asked.account, asked.public_key, asked.issued_at, asked.signature)
    if all(value is None for value in given):
        if asked.proxies:
            raise RuleBroken("no proxies without an account", "some")
        return _enrolment(house, asked, history, None, house.now()), None
    account, public_key, issued_at, signature = given
    if account is None or public_key is None or issued_at is None or signature is None:
        raise Malformed("account, publicKey, issuedAt and signature, or none of them", "some")
    try:
        key_digest = HpkeRecipient(public_key).key_digest
    except InvalidEncoding as error:
        raise Malformed("an ML-KEM-768 and an X25519 key, 1,216 bytes", "other bytes") from error
    now = house.now()
    if issued_at > now + CLOCK_SECONDS or issued_at < now - MAX_AGE_SECONDS:
        raise RuleBroken("issuedAt of today", f"{issued_at} at {now}")
    if any(proxy.until <= now for proxy in asked.proxies):
        raise RuleBroken("proxies who may act from now on", "one whose time is over")
    typed.verify(
        house.domain,
        "Enrolment",
        {
            "custodian": house.member,
            "account": account,
            "keyDigest": key_digest,
            "historyDigest": history,
            "issuedAt": issued_at,
        },
        Signature(signature),
        Address(account),
    )
    return _enrolment(house, asked, history, key_digest, UnixTime(issued_at)), public_key


def _enrolment(
    house: NodeHouse,
    asked: EnrolmentRequest,
    history: bytes,
    key_digest: bytes | None,
    issued_at: UnixTime,
) -> Enrolment:
    return Enrolment(
        custodian=house.member,
        account=asked.account,
        key_digest=key_digest,
        history=Digest(history),
        issued_at=issued_at,
        how="in-person",
        signature=asked.signature,
        proxies=asked.proxies,
        claimed_at=house.now(),
    )


def _enrolled(house: NodeHouse, commitment: bytes, generation: int, index: int) -> Enrolled:
    with house.database.reading() as session:
        entry = read_entry(session, generation, index)
    return Enrolled(
        enrolment=Digest(commitment),
        index=index,
        sequenced_at=entry.sequenced_at,
        receipt=logged_receipt(house, entry),
    )
