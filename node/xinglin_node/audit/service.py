"""Telling a subject their list, with what each entry opens to and who asked."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from xinglin.appointment import CARE_ROLES, Person
from xinglin.grant import read_terms
from xinglin.hashes import Digest
from xinglin.names import GrantId, Member, Salt
from xinglin.statement import Access, Attestation, Disclosure, Reason, Refusal
from xinglin_node.access.persons import names_of
from xinglin_node.access.repository import find_grant
from xinglin_node.audit.repository import histories_of, history_named, page_of
from xinglin_node.audit.schemas import Asker, HistoryItem, HistoryOf, HistoryPage
from xinglin_node.audit.tables import DisclosureRow, EntryRow
from xinglin_node.authority import DataSubject
from xinglin_node.chain.view import member_of
from xinglin_node.house import NodeHouse
from xinglin_node.log.service import entry_status

PAGE = 200
"""Entries in one page: some hundred kilobytes."""


def history_page(
    house: NodeHouse, person: DataSubject, history: Digest | None, start: int
) -> HistoryPage:
    """
    Return a page of the caller's own list.

    Raises `NotFound` for a history digest that is not theirs.
    """
    with house.database.reading() as session:
        histories = histories_of(session, person.subject)
        chosen = history_named(histories, history)
        rows = page_of(session, person.subject, chosen.id, start=start, count=PAGE + 1)
        shown = rows[:PAGE]
        names = _names(session, house, [row for row, _ in shown])
        items = tuple(_item(session, house, row, entry, names) for row, entry in shown)
    generation = shown[0][0].generation if shown else house.writer.head.generation
    return HistoryPage(
        histories=tuple(
            HistoryOf(
                history=Digest(row.digest), origin=row.origin, n=row.counter, current=row.current
            )
            for row in histories
        ),
        history=Digest(chosen.digest),
        generation=generation,
        entries=items,
        next=rows[PAGE][0].n if len(rows) > PAGE else None,
    )


def _item(
    session: Session,
    house: NodeHouse,
    row: DisclosureRow,
    entry: EntryRow,
    names: Mapping[bytes, Person],
) -> HistoryItem:
    attestation = Attestation.decode(row.attestation)
    reason = None
    if row.reason is not None and row.reason_salt is not None:
        reason = Reason(text=row.reason, salt=Salt(row.reason_salt))
    return HistoryItem(
        n=row.n or 0,
        index=row.index,
        kind=row.kind,
        sequenced_at=entry.sequenced_at,
        state=entry_status(session, row.generation, row.index).state.value,
        entry=entry.entry,
        disclosure=Disclosure(attestation=attestation, salt=row.salt, n=row.n, reason=reason),
        asker=_asker(session, house, attestation, names),
    )


def _names(session: Session, house: NodeHouse, rows: list[DisclosureRow]) -> Mapping[bytes, Person]:
    """The names of this institution's care staff among those who asked."""
    digests: set[bytes] = set()
    for row in rows:
        if row.kind not in ("access", "refusal"):
            continue
        predicate = Attestation.decode(row.attestation).read().predicate
        if isinstance(predicate, Access | Refusal) and predicate.appointment is not None:
            appointment = predicate.appointment
            if appointment.member == house.member and appointment.role in CARE_ROLES:
                digests.add(appointment.person_digest)
    return names_of(session, digests) if digests else {}


def _asker(
    session: Session, house: NodeHouse, attestation: Attestation, names: Mapping[bytes, Person]
) -> Asker | None:
    predicate = attestation.read().predicate
    if not isinstance(predicate, Access | Refusal):
        return None
    purpose, appointment = predicate.request.purpose, predicate.appointment
    if appointment is None:
        return Asker(
            member=house.member,
            institution=_institution(session, house.member),
            role="subject",
            project=None,
            purpose=purpose,
            person=None,
        )
    project = None
    if predicate.grant_id is not None:
        deposited = find_grant(session, GrantId(predicate.grant_id))
        project = None if deposited is None else read_terms(deposited.terms).grantee.project
    return Asker(
        member=appointment.member,
        institution=_institution(session, Member(appointment.member)),
        role=appointment.role,
        project=project,
        purpose=purpose,
        person=names.get(appointment.person_digest),
    )


def _institution(session: Session, member: Member) -> str:
    row = member_of(session, member)
    return "" if row is None else row.name
