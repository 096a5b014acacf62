"""
From a text to two entries: an inference, and the record of its output.

    prepared = prepare(house, method, text, read)      # runs, seals, signs: no database
    logged = append(write, house, prepared)            # within the caller's transaction

`append` writes the inference entry first and the output's record entry second. The
plaintext lives in memory for as long as `prepare` runs.
"""

import io
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from xinglin import seal
from xinglin.envelope import Envelope, unwrap
from xinglin.errors import InvalidEncoding, XinglinError
from xinglin.hashes import Digest
from xinglin.inference import (
    OUTPUT_CATEGORY,
    OUTPUT_MEDIA_TYPE,
    TEXT_MEDIA_TYPES,
    encode_output,
    is_read,
    output_digest,
    spans_of,
    text_of,
)
from xinglin.names import RecordId, SubjectId, UnixTime
from xinglin.purposes import PurposeOfUse
from xinglin.request import NO_GRANT, NO_REASON, AccessRequest, Item, sign_request
from xinglin.seal import SealedBlob
from xinglin.statement import (
    Attestation,
    Inference,
    Record,
    Statement,
    Subject,
    attest,
    manifest_digest,
    new_salt,
    record_statement,
)
from xinglin_node.access.facts import moment_of
from xinglin_node.access.persons import system_appointment
from xinglin_node.access.repository import custodian_wrap
from xinglin_node.access.schemas import AccessAsked
from xinglin_node.access.service import log_for_system
from xinglin_node.authority import Appointed
from xinglin_node.house import NodeHouse
from xinglin_node.inferences.repository import join_output, newest_version
from xinglin_node.inferences.schemas import InferenceAsked, LoggedInference
from xinglin_node.log.service import receipt_of
from xinglin_node.log.tables import DisclosureRow
from xinglin_node.log.unit import PendingEntry, Sequenced, Write
from xinglin_node.models.repository import keep_manifest, status_of
from xinglin_node.models.schemas import Status
from xinglin_node.models.service import Installed, installed
from xinglin_node.problems import Erased, NotFound, RuleBroken, ViewTooOld, WrongMediaType
from xinglin_node.records.checks import Submission
from xinglin_node.records.taking import take
from xinglin_node.sessions.schemas import ShownAppointment

_logger = logging.getLogger(__name__)

MAX_TEXT_BYTES = 4 * 2**20
"""Largest note that is read: far above any clinical note, far below what exhausts memory."""

SYSTEM_PURPOSE: PurposeOfUse = "HOPERAT"
"""For what the node's own methods use a key."""

SYSTEM_SECONDS = 300
"""How long the node's own request is alive."""


class MethodFailed(RuleBroken):
    """The method failed on the text, or gave what is no output. `got` is its error's type."""


@dataclass(frozen=True, slots=True)
class Read:
    """The record that a method reads."""

    statement: Record
    manifest: Digest
    subject: SubjectId


@dataclass(frozen=True, slots=True)
class Prepared:
    """An inference that has run; its entries are still to be written."""

    read: Read
    model: Digest
    manifest: bytes
    """Of the model."""
    output: Digest
    attestation: bytes
    """Of the inference statement."""
    result: Submission
    """The sealed output, as a record of its own."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where the two entries stand."""

    inference: Sequenced
    result: Sequenced


def method_for(house: NodeHouse, media_type: str, size: int) -> Installed | str:
    """
    The approved method that reads this media type, or why there is none, in words.

    For intake, which goes on without an inference and says so.
    """
    found = installed(house)
    if not found:
        return "no method is installed"
    if not is_read(media_type):
        return f"no method reads {media_type.split(';')[0].strip()}"
    if size > MAX_TEXT_BYTES:
        return f"methods read at most {MAX_TEXT_BYTES} bytes"
    try:
        statuses = _statuses(house, found)
    except ViewTooOld as error:
        return f"the model's status is not known: expected {error.expected}, got {error.got}"
    for one in found:
        if statuses[one.model] == "approved":
            return one
    return f"the model is {statuses[found[0].model]}, not approved"


def prepare(house: NodeHouse, method: Installed, text: str, read: Read) -> Prepared:
    """
    Run a method, seal what it found, and sign both statements. Touches no database.

    Raises `MethodFailed`, whatever it was that the method raised: it is code of somebody else.
    """
    now = house.now()
    salt = new_salt()
    try:
        spans = spans_of(method.method(text))
        output, payload = output_digest(spans, salt), encode_output(spans, salt)
    except Exception as error:
        # The type alone: the text of the error may quote the note.
        _logger.warning("method failed", extra={"error": type(error).__name__})
        raise MethodFailed("a method that reads the text", type(error).__name__) from None
    result = _seal_output(house, payload, read, now)
    statement = Statement(
        (Subject(name="manifest", digest=read.manifest),),
        Inference(
            record=read.statement.record,
            version=read.statement.version,
            manifest=read.manifest,
            model=method.model,
            parameters=dict(method.method.parameters),
            code=method.method.code,
            runtime=method.method.runtime,
            output=output,
            result=result.manifest,
            claimed_at=now,
        ),
    )
    attestation = attest(statement, house.keys.system, house.domain).encode()
    manifest = method.method.manifest
    return Prepared(read, method.model, manifest, output, attestation, result)


def append(write: Write, house: NodeHouse, prepared: Prepared) -> Appended:
    """
    Log the inference and its output within a unit of work; the record read stands before.

    Raises what the log or the rules of records refuse.
    """
    inference = write.append(
        PendingEntry(
            attestation=prepared.attestation,
            salt=new_salt(),
            kind="inference",
            subject=prepared.read.subject,
        )
    )
    outcome = take(write, house, [prepared.result])[0]
    if isinstance(outcome, XinglinError):
        raise outcome
    if not isinstance(outcome, Sequenced):
        raise RuleBroken("an output that is new", "one that is known")
    keep_manifest(write.session, prepared.model, prepared.manifest)
    join_output(
        write.session,
        RecordId(prepared.result.record.record),
        RecordId(prepared.read.statement.record),
    )
    return Appended(inference, outcome)


def infer(house: NodeHouse, author: Appointed, asked: InferenceAsked) -> LoggedInference:
    """
    Read a record that is kept here with an approved model.

    The use of its key is logged first, on the ground `system`. Raises `NotFound`,
    `RuleBroken` for a model that is not approved or a record that is no text, `ViewTooOld`
    where nobody can say whether the model still is, `Erased`, `MethodFailed`.
    """
    method = _approved(house, asked.model)
    with house.database.reading() as session:
        newest = newest_version(session, asked.record)
        if newest is None or asked.version > newest.version or author.member != house.member:
            raise NotFound("a record of this custodian", "none")
        version = asked.version or newest.version
        sealed = custodian_wrap(session, RecordId(asked.record), version)
        row = session.get(DisclosureRow, (newest.generation, newest.index))
        if version != newest.version or row is None:
            raise RuleBroken("the newest version of a record", "an earlier one")
        statement = Attestation.decode(row.attestation).read().predicate
    if not isinstance(statement, Record) or sealed is None:
        raise Erased("a record that is kept", "one that was erased")
    if not is_read(statement.media_type):
        raise WrongMediaType(" or ".join(TEXT_MEDIA_TYPES), statement.media_type)
    if newest.subject is None:
        raise RuleBroken("a record about a subject", "one about nobody")
    if statement.size > 2 * MAX_TEXT_BYTES:
        raise RuleBroken(f"a text of at most {MAX_TEXT_BYTES} bytes", "a larger one")
    wrap, manifest = sealed
    logged = log_for_system(house, _own_request(house, Item(record=asked.record, version=version)))
    payload = io.BytesIO()
    with house.database.reading() as session:
        pieces = b"".join(house.blobs.read(session, statement.blob, 0, None))
    seal.decrypt(
        io.BytesIO(pieces),
        payload,
        data_key=unwrap(wrap, house.keys.institution, manifest),
        record=RecordId(asked.record),
        version=version,
        blob=SealedBlob(statement.blob, statement.size),
    )
    read = Read(statement, manifest, SubjectId(newest.subject))
    text = text_of(payload.getvalue(), statement.media_type)
    if text is None:
        raise RuleBroken("a record with a text", "one without")
    prepared = prepare(house, method, text, read)
    house.blobs.keep(prepared.result.blob)
    try:
        appended = house.writer.submit(
            lambda write: append(write, house, prepared), weight=2
        ).result()
    finally:
        house.blobs.settle(prepared.result.blob)
    return shown(house, prepared, appended, access_index=logged.access_index)


def shown(
    house: NodeHouse, prepared: Prepared, appended: Appended, *, access_index: int | None
) -> LoggedInference:
    """What is answered of an inference."""
    return LoggedInference(
        index=appended.inference.index,
        sequenced_at=appended.inference.sequenced_at,
        receipt=receipt_of(house, appended.inference),
        model=prepared.model,
        output=prepared.output,
        result=prepared.result.record.record,
        result_index=appended.result.index,
        result_receipt=receipt_of(house, appended.result),
        access_index=access_index,
    )


def _approved(house: NodeHouse, model: Digest | None) -> Installed:
    found = [one for one in installed(house) if model is None or one.model == model]
    if not found:
        raise NotFound("a model that this node runs", "none")
    status = _statuses(house, found[:1])[found[0].model]
    if status != "approved":
        raise RuleBroken("a model that hospitals approved", status)
    return found[0]


def _statuses(house: NodeHouse, found: Sequence[Installed]) -> Mapping[Digest, Status]:
    """
    What the network says of each model today (I7, I10).

    The ground `system` lets a key be used on an older view (I4). That a model is approved is
    another matter: who is cut off from the chain does not hear that it was withdrawn. Raises
    `ViewTooOld` where no grant could be judged either.
    """
    with house.database.reading() as session:
        moment_of(session, house.now()).require_fresh(house.profile.max_view_age)
        return {one.model: status_of(session, one.model) for one in found}


def _seal_output(house: NodeHouse, payload: bytes, read: Read, now: UnixTime) -> Submission:
    record = RecordId(uuid4())
    sink = io.BytesIO()
    encoded = b""

    def state(blob: SealedBlob) -> bytes:
        nonlocal encoded
        encoded = record_statement(
            record=record,
            version=1,
            custodian=house.member,
            blob=blob.digest,
            size=blob.size,
            claimed_at=now,
            category=OUTPUT_CATEGORY,
            media_type=OUTPUT_MEDIA_TYPE,
            enrolment=read.statement.enrolment,
        ).encode()
        return encoded

    _, envelope = seal.seal(
        io.BytesIO(payload),
        sink,
        recipients=[house.keys.institution.recipient, house.keys.recovery],
        record=record,
        version=1,
        statement=state,
    )
    predicate = Statement.decode(encoded).predicate
    if not isinstance(predicate, Record):
        raise InvalidEncoding("expected a record statement")
    return Submission(
        subject=read.subject,
        record=predicate,
        manifest=manifest_digest(encoded),
        attestation=attest(encoded, house.keys.system, house.domain).encode(),
        author=house.keys.system.address,
        custodian_wrap=_wrap_for(envelope, house.keys.institution.key_digest),
        recovery_wrap=_wrap_for(envelope, house.keys.recovery.key_digest),
        blob=house.blobs.received(sink.getvalue()),
        salt=new_salt(),
    )


def _wrap_for(envelope: Envelope, key_digest: bytes) -> bytes:
    return next(wrap.wrap for wrap in envelope.wraps if wrap.key_digest == key_digest)


def _own_request(house: NodeHouse, item: Item) -> AccessAsked:
    """The node's own request, signed by its system account (ground `system`)."""
    appointment = system_appointment(house)
    if appointment is None:
        raise RuleBroken("a node whose system account is appointed", "one without an appointment")
    now = house.now()
    request = AccessRequest(
        id=secrets.token_bytes(32),
        custodian=house.member,
        ground="system",
        grant_id=NO_GRANT,
        purpose=SYSTEM_PURPOSE,
        research="",
        reason_digest=NO_REASON,
        items=(item,),
        key_digest=appointment.appointment.key_digest,
        issued_at=now,
        deadline=now + SYSTEM_SECONDS,
    )
    signed = sign_request(request, house.keys.system, house.domain)
    return AccessAsked(
        request=signed.request,
        signature=signed.signature,
        appointment=ShownAppointment(
            appointment=appointment.appointment, signature=appointment.signature
        ),
        public_key=house.keys.institution.recipient.public_key,
        reason=None,
    )
