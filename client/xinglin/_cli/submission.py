"""What `xinglin record submit` sends: a first version, the next one, or a note to take in."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast
from uuid import UUID, uuid4

from xinglin import seal
from xinglin._cli.caller import Caller, now
from xinglin.canonical import JsonValue
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.hashes import Digest
from xinglin.names import RecordId, UnixTime
from xinglin.seal import SealedBlob
from xinglin.statement import (
    Reason,
    attest,
    correction_statement,
    manifest_digest,
    new_salt,
    reason_digest,
    record_statement,
)


@dataclass(frozen=True, slots=True)
class Previous:
    """The version that a new one follows."""

    record: RecordId
    version: int
    manifest: Digest
    category: str
    media_type: str


def newest(caller: Caller, subject: str, record: UUID) -> Previous:
    """Find the newest version of a record of one patient. Raises `UsageError` for none."""
    versions = [
        one for one in fetch_list(caller, UUID(subject)) if one.get("record") == str(record)
    ]
    if not versions:
        raise UsageError(
            f"expected a record in the patient's list, found none with the id {record}"
        )
    last = max(versions, key=lambda one: cast(int, one["version"]))
    return Previous(
        RecordId(record),
        cast(int, last["version"]),
        Digest.from_text(str(last["manifest"])),
        str(last["category"]),
        str(last["mediaType"]),
    )


def seal_and_submit(
    caller: Caller,
    source: Path,
    subject: str,
    *,
    category: str,
    media_type: str,
    previous: Previous | None = None,
    reason: str | None = None,
) -> dict[str, JsonValue]:
    """
    Seal a file for the institution, attest it as the caller, and submit it.

    It is a record of its own, or the version after `previous`, whose manifest it then names;
    with a `reason` it also states that it stands in place of that version.
    """
    enrolment = enrolment_in_force(caller, subject)
    record = RecordId(uuid4()) if previous is None else previous.record
    version = 1 if previous is None else previous.version + 1
    statement = b""

    def state(blob: SealedBlob) -> bytes:
        nonlocal statement
        statement = record_statement(
            record=record,
            version=version,
            custodian=caller.about.member,
            blob=blob.digest,
            size=blob.size,
            claimed_at=UnixTime(now()),
            category=category,
            media_type=media_type,
            enrolment=enrolment,
            previous=None if previous is None else previous.manifest,
        ).encode()
        return statement

    with tempfile.TemporaryFile() as spool, source.open("rb") as plain:
        sealed = cast(BinaryIO, spool)
        _, envelope = seal.seal(
            plain,
            sealed,
            recipients=[caller.about.institution, caller.about.recovery],
            record=record,
            version=version,
            statement=state,
        )
        fields = {
            "subject": subject,
            "envelope": envelope.encode().decode(),
            "attestation": attest(statement, caller.account, caller.domain).encode().decode(),
        }
        if previous is not None and reason is not None:
            fields |= _correction(caller, previous.manifest, manifest_digest(statement), reason)
        sealed.seek(0)
        answer = caller.node.post_parts(
            "/v1/records",
            fields=fields,
            files={"blob": ("blob", sealed, "application/octet-stream")},
        )
    return {"record": str(record), "version": version, **answer}


def _correction(caller: Caller, of: Digest, by: Digest, reason: str) -> dict[str, str]:
    """The parts of the form that say what the new version corrects, and why."""
    told = Reason(text=reason, salt=new_salt())
    stated = correction_statement(
        of=of, by=by, reason=reason_digest(told), claimed_at=UnixTime(now())
    )
    return {
        "correction": attest(stated, caller.account, caller.domain).encode().decode(),
        "reason": told.encode().decode(),
    }


def enrolment_in_force(caller: Caller, subject: str) -> Digest:
    """Ask which enrolment a record statement must name: a re-enrolment changes it."""
    answer = caller.node.get(f"/v1/subjects/{subject}/enrolment")
    return Digest.from_text(str(answer.get("enrolment")))


def take_in(
    caller: Caller, source: Path, subject: str, *, category: str, media_type: str
) -> dict[str, JsonValue]:
    """Hand a file to the node, which seals it under its own system account."""
    with source.open("rb") as plain:
        return caller.node.post_parts(
            "/v1/intake",
            fields={
                "subject": subject,
                "category": category,
                "mediaType": media_type,
            },
            files={"payload": ("payload", plain, "application/octet-stream")},
        )


def fetch_list(caller: Caller, subject: UUID | None = None) -> list[Mapping[str, JsonValue]]:
    """Fetch the whole list of one file's records."""
    found: list[Mapping[str, JsonValue]] = []
    start: int | None = 0
    while start is not None:
        params: dict[str, str | int] = {"from": start}
        if subject is not None:
            params["subject"] = str(subject)
        page = caller.node.get("/v1/records", params)
        records, following = page.get("records"), page.get("next")
        if not isinstance(records, list):
            raise InvalidEncoding("expected records in the node's answer")
        found += cast(list[Mapping[str, JsonValue]], records)
        start = following if isinstance(following, int) else None
    return found
