"""
Everything about a submission that needs no database.

1. The envelope and the attestation are canonical.
2. The attestation's signature is its signer's, and the signer is the caller: nobody
   submits in another's name.
3. It attests a *record* statement of this custodian, whose only subject is its blob.
4. Versions begin at 1 without a previous one.
5. The blob that came is the one the statement names, in digest and in size.
6. The envelope is of this manifest, and wraps to the custodian's key and the recovery
   recipient and to nobody else: a third wrap would be a release without an entry (I4).
7. The time claimed is not ahead of the clock.
"""

from dataclasses import dataclass

from xinglin import canonical
from xinglin.envelope import Envelope
from xinglin.hashes import Digest
from xinglin.names import Address, Salt, SubjectId
from xinglin.statement import Attestation, Record, new_salt, verify_attestation
from xinglin_node.blobs.store import ReceivedBlob
from xinglin_node.house import NodeHouse
from xinglin_node.problems import NotAppointed, RuleBroken
from xinglin_node.records.corrections import CLOCK_SECONDS, CheckedCorrection


@dataclass(frozen=True, slots=True)
class Submission:
    """A submission whose form holds; what the database must say is still open."""

    subject: SubjectId
    record: Record
    manifest: Digest
    attestation: bytes
    author: Address
    custodian_wrap: bytes
    recovery_wrap: bytes
    blob: ReceivedBlob
    salt: Salt
    correction: CheckedCorrection | None = None
    """What the author says of the version before."""


def check_submission(
    house: NodeHouse,
    caller: Address,
    *,
    subject: SubjectId,
    envelope: bytes,
    attestation: bytes,
    blob: ReceivedBlob,
) -> Submission:
    """Check the steps above. Raises `InvalidEncoding`, `SignatureError`, or a problem."""
    # 1.
    parsed_envelope = Envelope.from_json(canonical.decode(envelope))
    parsed = Attestation.decode(attestation)
    # 2.
    if parsed.signer != caller:
        raise NotAppointed("an attestation by the caller's own account", "another's")
    predicate = verify_attestation(parsed, house.domain)
    # 3.
    record = predicate.predicate
    if not isinstance(record, Record):
        raise RuleBroken("a record statement", record.TYPE)
    if record.custodian != house.member:
        raise RuleBroken(f"custodian {house.member}", str(record.custodian))
    subjects = [(one.name, one.digest) for one in predicate.subject]
    if subjects != [("blob", record.blob)]:
        raise RuleBroken("a statement about its blob alone", "other subjects")
    # 4.
    if (record.version == 1) != (record.previous is None):
        raise RuleBroken("a previous manifest exactly from version 2 on", "the opposite")
    # 5.
    if blob.digest != record.blob or blob.size != record.size:
        raise RuleBroken(
            f"a ciphertext of {record.size} bytes with the digest stated",
            f"{blob.size} bytes" if blob.size != record.size else "another digest",
        )
    # 6.
    manifest = Digest.of(parsed.statement.encode())
    if parsed_envelope.manifest != manifest:
        raise RuleBroken("an envelope of this manifest", "one of another")
    custodian_wrap, recovery_wrap = check_wraps(house, parsed_envelope)
    # 7.
    ahead = record.claimed_at - house.now()
    if ahead > CLOCK_SECONDS:
        raise RuleBroken(f"claimedAt at most {CLOCK_SECONDS} s ahead", f"{ahead} s")
    return Submission(
        subject,
        record,
        manifest,
        attestation,
        caller,
        custodian_wrap,
        recovery_wrap,
        blob,
        new_salt(),
    )


def check_wraps(house: NodeHouse, envelope: Envelope) -> tuple[bytes, bytes]:
    """The custodian's and the recovery recipient's wrap, and no other. Raises `RuleBroken`."""
    custodian = house.keys.institution.key_digest
    recovery = house.keys.recovery.key_digest
    wraps = {wrap.key_digest: wrap for wrap in envelope.wraps}
    if len(envelope.wraps) != 2 or set(wraps) != {custodian, recovery}:
        raise RuleBroken(
            "wraps to the custodian's key and the recovery recipient, both in /v1/about",
            f"{len(envelope.wraps)} wraps to other keys or too many",
        )
    if any(wrap.grant is not None or wrap.request is not None for wrap in envelope.wraps):
        raise RuleBroken("wraps without grant and request", "one with")
    return wraps[custodian].wrap, wraps[recovery].wrap
