"""
Step 9, continued: the corrections of an output or a record.

A correction is believed of the two versions that it names and of no others. So the chain is
walked from the statement that the bundle is of, and every correction part must be the next
step on it; what is left over would be another record's.
"""

from collections.abc import Mapping

from xinglin.errors import EvidenceError, SignatureError
from xinglin.hashes import Digest
from xinglin.names import Address, RecordId, UnixTime
from xinglin.statement import Correction, Inference, Record, Subject, manifest_digest
from xinglin.verify.entry import Opened
from xinglin.verify.kinds import Around
from xinglin.verify.people import find_appointment
from xinglin.verify.verified import Corrected


def check_corrections(opened: Opened, around: Around) -> tuple[Corrected, ...]:
    """
    Check the corrections that the bundle brings, or that it is of. Returns them, oldest first.

    Raises `EvidenceError` for one of another output or record, `SignatureError` for one that
    the author of the new version did not sign.
    """
    records = _records(opened, around)
    brought = [one for part, one in around.parts if part.role == "correction"]
    if isinstance(opened.statement.predicate, Correction):
        if brought:
            raise EvidenceError("the bundle of a correction brings another one")
        return (_check(opened, records, around),)
    next_steps = _starts(opened)
    found: list[Corrected] = []
    for one in brought:
        corrected = _check(one, records, around)
        if not next_steps & {(corrected.of, corrected.by), (corrected.of, None)}:
            raise EvidenceError("the bundle brings a correction of another output or record")
        found.append(corrected)
        next_steps = {(corrected.by, None)}
    return tuple(found)


def _starts(opened: Opened) -> set[tuple[Digest, Digest | None]]:
    """Where a chain may start: what is corrected and, where that is settled, by what."""
    predicate = opened.statement.predicate
    if isinstance(predicate, Inference):
        return {(predicate.result, None)}
    if isinstance(predicate, Record):
        own = manifest_digest(opened.attestation.statement.encode())
        starts: set[tuple[Digest, Digest | None]] = {(own, None)}
        return starts if predicate.previous is None else starts | {(predicate.previous, own)}
    return set()


def _check(opened: Opened, records: Mapping[Digest, Opened], around: Around) -> Corrected:
    """One correction: of two versions of one record in this log, by the author of the new one."""
    correction = opened.statement.predicate
    if not isinstance(correction, Correction):
        raise EvidenceError("expected a correction statement")
    if opened.statement.subject != (Subject(name="manifest", digest=correction.of),):
        raise EvidenceError("a correction has what it corrects as its only subject")
    before, after = records.get(correction.of), records.get(correction.by)
    if before is None or after is None:
        raise EvidenceError("the bundle does not bring both records that the correction joins")
    old, new = before.statement.predicate, after.statement.predicate
    if not isinstance(old, Record) or not isinstance(new, Record):
        raise EvidenceError("expected record statements on both sides of a correction")
    kept_by = {before.member, after.member, old.custodian, new.custodian}
    if kept_by != {opened.member}:
        raise EvidenceError("the correction joins records of another log")
    if (new.record, new.version, new.previous) != (old.record, old.version + 1, correction.of):
        raise EvidenceError("what stands in place is not the next version of what was corrected")
    if (new.category, new.media_type) != (old.category, old.media_type):
        raise EvidenceError("what stands in place is of another category or media type")
    signer = Address(opened.attestation.signer)
    if signer != after.attestation.signer:
        raise SignatureError(
            f"the correction is signed by {signer}, the version that stands in place by "
            f"{after.attestation.signer}"
        )
    bundled = find_appointment(signer, opened.member, around.bundle.appointments)
    return Corrected(
        record=RecordId(new.record),
        version=new.version,
        of=correction.of,
        by=correction.by,
        signer=signer,
        role=bundled.appointment.role,
        claimed_at=UnixTime(correction.claimed_at),
        anchored_at=opened.anchored_at,
    )


def _records(opened: Opened, around: Around) -> dict[Digest, Opened]:
    """Every record entry of the bundle, its own included, by manifest digest."""
    return {
        manifest_digest(one.attestation.statement.encode()): one
        for one in (opened, *(part for _, part in around.parts))
        if isinstance(one.statement.predicate, Record)
    }
