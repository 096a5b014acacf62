"""
Plaintext that the node seals under its system account, as it comes (DESIGN, ground `system`).

    sealing = Sealing(house)
    sealing.feed(chunk)                     # any number of times
    answer = sealing.finish(subject=..., category=..., media_type=...)

The plaintext goes through the encryptor and is gone; a text small enough to be read by a
method stays in memory until the method has read it. Record and inference are logged in
one transaction, and the inference's own entry is the record of that use of the text.
"""

import threading
from queue import SimpleQueue
from typing import BinaryIO, cast
from uuid import uuid4

from xinglin import seal
from xinglin.envelope import wrap_for
from xinglin.errors import XinglinError
from xinglin.hashes import Digest
from xinglin.inference import text_of
from xinglin.keys import new_data_key
from xinglin.names import RecordId, SubjectId
from xinglin.seal import SealedBlob
from xinglin.statement import Record, Statement, attest, manifest_digest, new_salt, record_statement
from xinglin_node.house import NodeHouse
from xinglin_node.inferences.service import (
    MAX_TEXT_BYTES,
    Appended,
    MethodFailed,
    Prepared,
    Read,
    append,
    method_for,
    prepare,
    shown,
)
from xinglin_node.log.service import receipt_of
from xinglin_node.log.unit import Sequenced, Write
from xinglin_node.problems import Conflict, Malformed
from xinglin_node.records.checks import Submission
from xinglin_node.records.schemas import Accepted, IntakeAnswer
from xinglin_node.records.taking import take
from xinglin_node.subjects.repository import require_in_force

QUEUED_CHUNKS = 8
"""Chunks between the network and the encryptor: bounds memory, keeps both busy."""


class _Incoming:
    """The reading end of what `feed` brings: a stream for the encryptor."""

    def __init__(self) -> None:
        self._chunks: SimpleQueue[bytes | None] = SimpleQueue()
        self._room = threading.Semaphore(QUEUED_CHUNKS)
        self._rest = b""
        self._ended = False
        self._closed = False

    def put(self, chunk: bytes | None) -> None:
        """Hand over a chunk, waiting for room; None is the end."""
        while not self._room.acquire(timeout=1):
            if self._closed:
                return
        self._chunks.put(chunk)

    def close(self) -> None:
        """Read no more; whoever waits for room goes on."""
        self._closed = True

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; nothing at the end."""
        while not self._rest and not self._ended:
            chunk = self._chunks.get()
            self._room.release()
            if chunk is None:
                self._ended = True
            else:
                self._rest = chunk
        if size < 0:
            size = len(self._rest)
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


class _Sink:
    """The writing end of the encryptor: a blob on its way in."""

    def __init__(self, house: NodeHouse) -> None:
        self.receiving = house.blobs.receive()

    def write(self, data: bytes) -> int:
        """Take ciphertext."""
        self.receiving.feed(bytes(data))
        return len(data)


class Sealing:
    """One payload being sealed. `finish` or `abandon` it."""

    def __init__(self, house: NodeHouse) -> None:
        self._house = house
        self._record = RecordId(uuid4())
        self._data_key = new_data_key()
        self._incoming = _Incoming()
        self._sink = _Sink(house)
        self._text: bytearray | None = bytearray()
        self._size = 0
        self._sealed: SealedBlob | None = None
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._encrypt, name="intake", daemon=True)
        self._thread.start()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the payload. Raises what the store refused meanwhile."""
        if self._failure is not None:
            raise self._failure
        self._size += len(chunk)
        if self._text is not None:
            self._text += chunk
            if len(self._text) > MAX_TEXT_BYTES:
                self._text = None
        self._incoming.put(chunk)

    def abandon(self) -> None:
        """Throw everything away."""
        self._incoming.put(None)
        self._incoming.close()
        self._thread.join()
        self._sink.receiving.abandon()
        self._text = None

    def finish(self, *, subject: SubjectId, category: str, media_type: str) -> IntakeAnswer:
        """
        Seal, attest, infer and log. The caller has seen to it that an author asks.

        Raises `Malformed` for an empty payload, `RuleBroken` before the first enrolment,
        `InvalidEncoding` for a text that is not UTF-8. A method that fails costs the inference,
        not the record.
        """
        self._incoming.put(None)
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        if self._size == 0:
            raise Malformed("a payload", "an empty one")
        house = self._house
        submission = self._submission(subject, category, media_type)
        method = method_for(house, media_type, self._size)
        prepared: Prepared | None = None
        if not isinstance(method, str) and self._text is not None:
            text = text_of(bytes(self._text), media_type)
            read = Read(submission.record, submission.manifest, subject)
            if text is None:
                method = "the record has no text"
            else:
                try:
                    prepared = prepare(house, method, text, read)
                except MethodFailed as error:
                    method = f"the method failed: {error.got}"
        self._text = None
        kept = [submission] if prepared is None else [submission, prepared.result]
        try:
            for one in kept:
                house.blobs.keep(one.blob)
            logged, appended = house.writer.submit(
                lambda write: _log(write, house, submission, prepared), weight=3
            ).result()
        finally:
            for one in kept:
                house.blobs.settle(one.blob)
        return IntakeAnswer(
            record=self._record,
            version=1,
            accepted=Accepted(
                index=logged.index,
                sequenced_at=logged.sequenced_at,
                manifest=submission.manifest,
                receipt=receipt_of(house, logged),
            ),
            inference=None
            if prepared is None or appended is None
            else shown(house, prepared, appended, access_index=None),
            skipped=method if isinstance(method, str) else None,
        )

    def _encrypt(self) -> None:
        try:
            self._sealed = seal.encrypt(
                cast(BinaryIO, self._incoming),
                cast(BinaryIO, self._sink),
                data_key=self._data_key,
                record=self._record,
                version=1,
            )
        except BaseException as error:
            self._failure = error
            self._incoming.close()

    def _submission(self, subject: SubjectId, category: str, media_type: str) -> Submission:
        house = self._house
        blob = self._sink.receiving.finish()
        with house.database.reading() as session:
            enrolment = require_in_force(session, subject).commitment
        statement = record_statement(
            record=self._record,
            version=1,
            custodian=house.member,
            blob=blob.digest,
            size=blob.size,
            claimed_at=house.now(),
            category=category,
            media_type=media_type,
            enrolment=Digest(enrolment),
        )
        encoded = statement.encode()
        predicate = Statement.decode(encoded).predicate
        if not isinstance(predicate, Record):
            raise Malformed("a record statement", predicate.TYPE)
        manifest = manifest_digest(encoded)
        return Submission(
            subject=subject,
            record=predicate,
            manifest=manifest,
            attestation=attest(encoded, house.keys.system, house.domain).encode(),
            author=house.keys.system.address,
            custodian_wrap=wrap_for(
                self._data_key, house.keys.institution.recipient, manifest
            ).wrap,
            recovery_wrap=wrap_for(self._data_key, house.keys.recovery, manifest).wrap,
            blob=blob,
            salt=new_salt(),
        )


def _log(
    write: Write, house: NodeHouse, submission: Submission, prepared: Prepared | None
) -> tuple[Sequenced, Appended | None]:
    outcome = take(write, house, [submission])[0]
    if isinstance(outcome, XinglinError):
        raise outcome
    if not isinstance(outcome, Sequenced):
        raise Conflict("a record that is new", "one that is known")
    return outcome, None if prepared is None else append(write, house, prepared)
