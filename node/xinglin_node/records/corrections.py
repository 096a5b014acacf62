"""
A correction that comes with the version that it puts in place of another.

    checked = check_correction(house, author, shown, record=record, manifest=manifest)
    logged = log_correction(write, submission)      # in the record's own unit of work

1. It comes with its reason, both canonical.
2. Its signature is its signer's, the signer is the caller, and the caller's role is one of
   care: a machine does not correct, and nobody corrects in another's name.
3. It is a *correction* statement whose only subject is what it corrects.
4. It joins the version before to this one, and to no other.
5. The reason opens its digest: what the patient reads is what was signed.
6. The time claimed is not ahead of the clock.
"""

from dataclasses import dataclass

from xinglin import canonical
from xinglin.appointment import CARE_ROLES
from xinglin.hashes import Digest
from xinglin.names import Salt, SubjectId
from xinglin.statement import (
    Attestation,
    Correction,
    Reason,
    Record,
    Subject,
    new_salt,
    reason_digest,
    verify_attestation,
)
from xinglin.statement.attestation import MAX_REASON
from xinglin_node.authority import Appointed
from xinglin_node.house import NodeHouse
from xinglin_node.log.service import logged_receipt, receipt_of
from xinglin_node.log.tables import EntryRow
from xinglin_node.log.unit import PendingEntry, Sequenced, Write
from xinglin_node.problems import Conflict, Malformed, NotAppointed, RuleBroken
from xinglin_node.records.repository import corrections_of
from xinglin_node.records.schemas import AcceptedCorrection

CLOCK_SECONDS = 300
"""How far ahead of ours the clock of an author may be."""


@dataclass(frozen=True, slots=True)
class ShownCorrection:
    """A correction as it came: two canonical documents."""

    attestation: bytes
    reason: bytes


@dataclass(frozen=True, slots=True)
class CheckedCorrection:
    """A correction whose form holds."""

    attestation: bytes
    reason: Reason
    salt: Salt


def shown_correction(attestation: bytes | None, reason: bytes | None) -> ShownCorrection | None:
    """Pair the two parts of a form. Raises `Malformed` for one without the other."""
    if attestation is None and reason is None:
        return None
    if attestation is None or reason is None:
        raise Malformed("correction and reason together", "one alone")
    return ShownCorrection(attestation, reason)


def check_correction(
    house: NodeHouse,
    author: Appointed,
    shown: ShownCorrection,
    *,
    record: Record,
    manifest: Digest,
) -> CheckedCorrection:
    """Check the steps above. Raises `InvalidEncoding`, `SignatureError`, or a problem."""
    # 1.
    parsed = Attestation.decode(shown.attestation)
    reason = Reason.from_json(canonical.decode(shown.reason))
    # 2.
    if parsed.signer != author.account:
        raise NotAppointed("a correction by the caller's own account", "another's")
    if author.role not in CARE_ROLES:
        raise NotAppointed("a correction by care staff", f"one by the role {author.role}")
    statement = verify_attestation(parsed, house.domain)
    # 3.
    correction = statement.predicate
    if not isinstance(correction, Correction):
        raise RuleBroken("a correction statement", correction.TYPE)
    if statement.subject != (Subject(name="manifest", digest=correction.of),):
        raise RuleBroken("a correction whose only subject is what it corrects", "other subjects")
    # 4.
    if correction.by != manifest:
        raise RuleBroken("a correction by the version that it comes with", "by another")
    if correction.of != record.previous:
        raise RuleBroken("a correction of the version before", "of another")
    # 5.
    if not 1 <= len(reason.text) <= MAX_REASON:
        raise RuleBroken(f"a reason of 1 to {MAX_REASON} characters", str(len(reason.text)))
    if reason_digest(reason) != correction.reason:
        raise RuleBroken("the reason whose digest was signed", "another")
    # 6.
    ahead = correction.claimed_at - house.now()
    if ahead > CLOCK_SECONDS:
        raise RuleBroken(f"claimedAt at most {CLOCK_SECONDS} s ahead", f"{ahead} s")
    return CheckedCorrection(shown.attestation, reason, new_salt())


def log_correction(
    write: Write, correction: CheckedCorrection, subject: SubjectId, *, fresh: bool
) -> Sequenced | EntryRow:
    """
    Log a correction right after its record, or find it where the record is known.

    Raises `Conflict` for a known record that came with another correction, or with none.
    """
    if fresh:
        return write.append(
            PendingEntry(
                attestation=correction.attestation,
                salt=correction.salt,
                kind=Correction.TYPE,
                subject=subject,
                reason=correction.reason,
            )
        )
    for row in corrections_of(write.session, subject):
        if row.attestation == correction.attestation:
            entry = write.session.get(EntryRow, (row.generation, row.index))
            if entry is not None:
                return entry
    raise Conflict("the correction that this version came with", "another")


def accepted_correction(house: NodeHouse, logged: Sequenced | EntryRow) -> AcceptedCorrection:
    """What is answered of a correction."""
    receipt = (
        receipt_of(house, logged)
        if isinstance(logged, Sequenced)
        else logged_receipt(house, logged)
    )
    return AcceptedCorrection(index=logged.index, receipt=receipt)
