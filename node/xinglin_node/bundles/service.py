"""Who may have which entry's bundle; and the whole of it."""

from sqlalchemy.orm import Session

from xinglin.bundle import Bundle
from xinglin.hashes import Digest
from xinglin.names import GrantId, RecordId
from xinglin.statement import Attestation, Correction, GrantDeposit, Inference
from xinglin_node.access.repository import ever_released
from xinglin_node.authority import DataSubject, Person
from xinglin_node.bundles.contents import draft_bundle
from xinglin_node.bundles.evidence import gather, model_state
from xinglin_node.bundles.repository import (
    any_released,
    asked_by,
    record_at,
    record_with_manifest,
)
from xinglin_node.bundles.tables import DisclosureRow
from xinglin_node.consents.repository import grant_for
from xinglin_node.house import NodeHouse
from xinglin_node.log.repository import read_disclosure
from xinglin_node.problems import NotFound


def bundle_of(house: NodeHouse, person: Person, generation: int, index: int) -> Bundle:
    """
    Return the bundle of one entry, for its subject, its author, who asked, or who was
    released what it is about.

    Raises `NotFound` for all others, and `ViewTooOld` until the anchor is final.
    """
    with house.database.reading() as session:
        row = read_disclosure(session, generation, index)
        whole = _may_read_all(session, row, person)
        if not whole and not _concerned(session, row, person):
            raise NotFound("an entry of yours", "none")
        draft = draft_bundle(house, session, generation, index, whole=whole)
    update: dict[str, object] = {"evidence": gather(house, draft)}
    if draft.model is not None:
        state = model_state(house, Digest.of(draft.model.manifest.encode()))
        update["model"] = draft.model.model_copy(update={"state": state})
    return draft.model_copy(update=update)


def _may_read_all(session: Session, row: DisclosureRow, person: Person) -> bool:
    """The subject, and who made the request, read the free text too."""
    if isinstance(person, DataSubject):
        return row.subject == person.subject
    return asked_by(session, row.generation, row.index, person.account)


def _concerned(session: Session, row: DisclosureRow, person: Person) -> bool:
    if isinstance(person, DataSubject):
        return False
    attestation = Attestation.decode(row.attestation)
    if attestation.signer == person.account:
        return True
    predicate = attestation.read().predicate
    if row.kind == "record":
        record = record_at(session, row.generation, row.index)
        return record is not None and ever_released(
            session, person.account, RecordId(record.record), record.version
        )
    if isinstance(predicate, Inference):
        # Who holds what was read, or what was found, may check how the one became the other.
        result = record_with_manifest(session, predicate.result)
        return any_released(session, person.account, predicate.record) or (
            result is not None and any_released(session, person.account, result.record)
        )
    if isinstance(predicate, Correction):
        corrected = record_with_manifest(session, predicate.by)
        return corrected is not None and any_released(session, person.account, corrected.record)
    if isinstance(predicate, GrantDeposit):
        return _is_grantee(session, person, GrantId(predicate.grant_id))
    return False


def _is_grantee(session: Session, person: Person, grant: GrantId) -> bool:
    try:
        grant_for(session, person, grant)
    except NotFound:
        return False
    return True


def current_generation(house: NodeHouse) -> int:
    """Which log is meant where none is named."""
    return house.writer.head.generation
