"""
The entry, what opens it, and the parts that its statement leans on.

What each type of statement brings:

    record              its enrolment; the version before; the correction that brought it, and
                        those that followed with the records that they put in place
    inference           the record that was read, the record of the output; the corrections of
                        that, each with the record that it puts in place
    correction          what it corrects, and what stands in its place
    access              every record that was opened, their enrolments, the one that the
                        terms name, and the history statements that join them
    refusal, grant      the enrolment that the terms name
    enrolment, history  none
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from sqlalchemy.orm import Session

from xinglin import checkpoint
from xinglin._chain.deploy import trust_root
from xinglin.appointment import SignedAppointment
from xinglin.bundle import (
    AnchorOf,
    Bundle,
    BundledAppointment,
    BundledGrant,
    BundledModel,
    Evidence,
    Inclusion,
    Part,
)
from xinglin.checkpoint import Checkpoint
from xinglin.grant import read_terms
from xinglin.hashes import Digest
from xinglin.history import origin
from xinglin.names import Address, Generation, GrantId, Origin, RootHash, Salt, UnixTime
from xinglin.statement import (
    Access,
    Attestation,
    Correction,
    Disclosure,
    GrantDeposit,
    Inference,
    Predicate,
    Reason,
    Record,
    Refusal,
    manifest_digest,
)
from xinglin_node.access.enrolments import enrolment_named
from xinglin_node.access.persons import appointment_at
from xinglin_node.access.repository import find_grant
from xinglin_node.bundles.repository import of_kind, record_with_manifest
from xinglin_node.bundles.tables import DisclosureRow
from xinglin_node.chain.view import first_checkpoint_above, grant_of
from xinglin_node.house import NodeHouse
from xinglin_node.log.repository import read_disclosure, read_entry
from xinglin_node.log.service import logged_receipt, prove_inclusion
from xinglin_node.models.repository import manifest_of
from xinglin_node.problems import StorageRefused, ViewTooOld
from xinglin_node.records.repository import corrections_of

Role = Literal["enrolment", "record", "previous", "history", "succession", "correction"]


_NO_EVIDENCE = Evidence(engine="anvil", header=b"", headers=(), seals=(), view=None, proofs=())
"""Stands in a draft until `evidence.gather` has asked the chain, outside the session."""


@dataclass(slots=True)
class Draft:
    """A bundle as far as the node's own tables make it."""

    house: NodeHouse
    session: Session
    appointments: dict[bytes, SignedAppointment] = field(
        default_factory=dict[bytes, SignedAppointment]
    )
    places: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """Entries that are in the bundle already."""


def draft_bundle(
    house: NodeHouse, session: Session, generation: int, index: int, *, whole: bool
) -> Bundle:
    """
    Return the bundle of one entry without its evidence.

    `whole` adds what only the subject and who asked may read: the free text. Raises
    `ViewTooOld` while the entry, or one that it leans on, has no final anchor.
    """
    draft = Draft(house, session)
    row = read_disclosure(session, generation, index)
    predicate = _predicate(row)
    main = _part(draft, row, "record", whole=whole)
    parts = tuple(_parts(draft, row, predicate))
    return Bundle(
        format="xinglin.bundle/1",
        network_id=house.network_id,
        origin=main.origin,
        index=main.index,
        entry=main.entry,
        disclosure=main.disclosure,
        inclusion=main.inclusion,
        checkpoint=_checkpoint(house, main),
        anchor=main.anchor,
        evidence=_NO_EVIDENCE,
        trust=trust_root(house.profile).digest,
        appointments=_appointments(draft, predicate),
        grant=_grant(draft, predicate),
        model=_model(draft, predicate),
        receipt=logged_receipt(house, read_entry(session, generation, index)),
        parts=parts,
    )


def _part(draft: Draft, row: DisclosureRow, role: Role, *, whole: bool = False) -> Part:
    """One entry with its proof, and its signer's appointment beside it."""
    house, session = draft.house, draft.session
    draft.places.add((row.generation, row.index))
    anchored = first_checkpoint_above(session, house.member, row.generation, row.index)
    if anchored is None:
        raise ViewTooOld(
            "an entry whose anchor is final",
            "one that is not anchored yet",
            retry_after=house.settings.anchor_every_seconds,
        )
    generation = Generation(row.generation)
    path = prove_inclusion(session, row.generation, row.index, anchored.size).path
    attestation = Attestation.decode(row.attestation)
    _speaks(draft, Address(attestation.signer), _time_of(attestation))
    return Part(
        role=role,
        origin=origin(house.network_id, house.member, generation),
        index=row.index,
        entry=read_entry(session, row.generation, row.index).entry,
        disclosure=Disclosure(
            attestation=attestation, salt=row.salt, reason=_reason(row) if whole else None
        ),
        inclusion=Inclusion(size=anchored.size, path=tuple(Digest(node) for node in path)),
        anchor=AnchorOf(
            size=anchored.size,
            root=Digest(anchored.root),
            time=anchored.time,
            block=anchored.block,
        ),
    )


def _parts(draft: Draft, row: DisclosureRow, predicate: Predicate) -> Iterator[Part]:
    if isinstance(predicate, Record):
        yield from _enrolment(draft, predicate.enrolment)
        if predicate.previous is not None:
            yield from _record(draft, predicate.previous, "previous")
        manifest = manifest_digest(Attestation.decode(row.attestation).statement.encode())
        yield from _corrections(draft, row.subject, manifest, previous=predicate.previous)
    elif isinstance(predicate, Inference):
        yield from _record(draft, predicate.manifest)
        yield from _record(draft, predicate.result)
        yield from _corrections(draft, row.subject, predicate.result)
    elif isinstance(predicate, Correction):
        yield from _record(draft, predicate.of, "previous")
        yield from _record(draft, predicate.by)
    elif isinstance(predicate, Access):
        yield from _opened(draft, row.subject, predicate)
    elif isinstance(predicate, GrantDeposit):
        yield from _enrolment(draft, read_terms(predicate.terms.encode()).subject.enrolment)
    elif isinstance(predicate, Refusal) and predicate.grant_id is not None:
        deposited = find_grant(draft.session, GrantId(predicate.grant_id))
        if deposited is not None:
            yield from _enrolment(draft, read_terms(deposited.terms).subject.enrolment)


def _opened(draft: Draft, subject: UUID | None, predicate: Access) -> Iterator[Part]:
    for manifest in dict.fromkeys(predicate.manifests):
        found = record_with_manifest(draft.session, manifest)
        if found is None:
            raise StorageRefused("every record that was opened", "one that was erased")
        yield from _record(draft, manifest)
        if found.enrolment is not None:
            yield from _enrolment(draft, Digest(found.enrolment))
    if predicate.grant_id is not None:
        deposited = find_grant(draft.session, GrantId(predicate.grant_id))
        if deposited is not None:
            yield from _enrolment(draft, read_terms(deposited.terms).subject.enrolment)
    if subject is not None:
        for row in of_kind(draft.session, subject, "history"):
            yield _part(draft, row, "history")


def _corrections(
    draft: Draft, subject: UUID | None, manifest: Digest, *, previous: Digest | None = None
) -> Iterator[Part]:
    """
    The correction that joins `previous` to this version, and every one from this version on.

    Ends where an anchor is not final yet: a fresh correction does not keep back the bundle of
    what it corrects. And where what stands in place was erased.
    """
    if subject is None:
        return
    logged = {
        predicate.of: (row, predicate.by)
        for row in corrections_of(draft.session, subject)
        if isinstance(predicate := _predicate(row), Correction)
    }
    if previous in logged and logged[previous][1] == manifest:
        yield _part(draft, logged[previous][0], "correction")
    house = draft.house
    while manifest in logged:
        row, by = logged[manifest]
        anchored = first_checkpoint_above(draft.session, house.member, row.generation, row.index)
        if anchored is None or record_with_manifest(draft.session, by) is None:
            return
        yield _part(draft, row, "correction")
        yield from _record(draft, by)
        manifest = by


def _record(draft: Draft, manifest: Digest, role: Role = "record") -> Iterator[Part]:
    found = record_with_manifest(draft.session, manifest)
    if found is not None and (found.generation, found.index) not in draft.places:
        row = read_disclosure(draft.session, found.generation, found.index)
        yield _part(draft, row, role)


def _enrolment(draft: Draft, commitment: Digest | None) -> Iterator[Part]:
    found = None if commitment is None else enrolment_named(draft.session, commitment)
    if found is not None and (found.generation, found.index) not in draft.places:
        row = read_disclosure(draft.session, found.generation, found.index)
        yield _part(draft, row, "enrolment")


def _speaks(draft: Draft, signer: Address, time: UnixTime) -> None:
    """Note the appointment of a signer by this institution."""
    signed = appointment_at(draft.session, draft.house, signer, time)
    if signed is not None:
        _appointed(draft, signed)


def _appointed(draft: Draft, signed: SignedAppointment) -> None:
    draft.appointments[signed.appointment.digest(draft.house.domain)] = signed


def _appointments(draft: Draft, predicate: Predicate) -> tuple[BundledAppointment, ...]:
    if isinstance(predicate, Access | Refusal):
        appointment, signature = predicate.appointment, predicate.appointment_signature
        if appointment is not None and signature is not None:
            _appointed(draft, SignedAppointment(appointment=appointment, signature=signature))
    return tuple(
        BundledAppointment(appointment=signed.appointment, signature=signed.signature, person=None)
        for signed in draft.appointments.values()
    )


def _grant(draft: Draft, predicate: Predicate) -> BundledGrant | None:
    if not isinstance(predicate, Access | Refusal | GrantDeposit) or predicate.grant_id is None:
        return None
    identity = GrantId(predicate.grant_id)
    deposited, state = find_grant(draft.session, identity), grant_of(draft.session, identity)
    if deposited is None or state is None:
        return None
    return BundledGrant(id=identity, terms=deposited.terms.decode(), state=state)


def _model(draft: Draft, predicate: Predicate) -> BundledModel | None:
    if not isinstance(predicate, Inference):
        return None
    manifest = manifest_of(draft.session, predicate.model)
    if manifest is None:
        raise StorageRefused("the manifest of the model that ran", "none")
    return BundledModel(manifest=manifest.decode(), state=None)


def _checkpoint(house: NodeHouse, main: Part) -> str:
    head = Checkpoint(Origin(main.origin), main.anchor.size, RootHash(main.anchor.root.value))
    return checkpoint.write(head, house.keys.log).decode()


def _reason(row: DisclosureRow) -> Reason | None:
    if row.reason is None or row.reason_salt is None:
        return None
    return Reason(text=row.reason, salt=Salt(row.reason_salt))


def _predicate(row: DisclosureRow) -> Predicate:
    return Attestation.decode(row.attestation).read().predicate


def _time_of(attestation: Attestation) -> UnixTime:
    predicate = attestation.read().predicate
    if isinstance(predicate, Access | Refusal):
        return UnixTime(predicate.view.time)
    return UnixTime(getattr(predicate, "claimed_at", 0))
