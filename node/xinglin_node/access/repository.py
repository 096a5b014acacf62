"""Requests, releases, and the records they are about."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from xinglin.envelope import Wrap
from xinglin.grant import DAY
from xinglin.hashes import Digest
from xinglin.names import Address, GrantId, RecordId, RequestId, SubjectId, UnixTime
from xinglin.request import MAX_WAIT, Item
from xinglin_node.access.decision import Held
from xinglin_node.access.tables import ReleaseRow, RequestRow
from xinglin_node.chain.view import final_view, grant_of
from xinglin_node.consents.tables import GrantRow, StopRow
from xinglin_node.log.tables import DisclosureRow
from xinglin_node.records.tables import RecordRow

_IN_ONE_STATEMENT = 500
"""Values in one IN list: below the limit of every database we use."""


def find_request(session: Session, request: RequestId) -> RequestRow | None:
    """A request that was answered before."""
    return session.get(RequestRow, request)


def releases_of(session: Session, request: RequestId) -> Sequence[ReleaseRow]:
    """What was released to one request, in order."""
    return session.scalars(
        select(ReleaseRow).where(ReleaseRow.request == request).order_by(ReleaseRow.position)
    ).all()


def held_items(session: Session, items: Sequence[Item]) -> list[tuple[Item, Held | None]]:
    """What this node keeps for each item, whoever may see it; version 0 is the newest."""
    newest: dict[UUID, int] = {}
    rows: dict[tuple[UUID, int], RecordRow] = {}
    records = list({item.record for item in items})
    for start in range(0, len(records), _IN_ONE_STATEMENT):
        some = records[start : start + _IN_ONE_STATEMENT]
        for row in session.scalars(select(RecordRow).where(RecordRow.record.in_(some))):
            rows[row.record, row.version] = row
            newest[row.record] = max(row.version, newest.get(row.record, 0))
    found: list[tuple[Item, Held | None]] = []
    for item in items:
        latest = newest.get(item.record, 0)
        kept = rows.get((item.record, item.version or latest))
        found.append((item, None if kept is None else _held(kept, latest)))
    return found


def held_of_subject(session: Session, subject: SubjectId) -> Sequence[Held]:
    """Every version of every record of one subject, in the order of the log."""
    rows = session.scalars(
        select(RecordRow)
        .where(RecordRow.subject == subject)
        .order_by(RecordRow.generation, RecordRow.index)
    ).all()
    newest: dict[UUID, int] = {}
    for row in rows:
        newest[row.record] = max(row.version, newest.get(row.record, 0))
    return [_held(row, newest[row.record]) for row in rows]


def custodian_wrap(session: Session, record: RecordId, version: int) -> tuple[Wrap, Digest] | None:
    """The custodian's wrap of a version's data key, with its manifest; None if it is gone."""
    row = session.get(RecordRow, (record, version))
    if row is None:
        return None
    return Wrap(row.custodian_digest, row.custodian_wrap), Digest(row.manifest)


def disclosures_at(
    session: Session, places: Collection[tuple[int, int]]
) -> Mapping[tuple[int, int], DisclosureRow]:
    """The disclosures at these (generation, index)."""
    found: dict[tuple[int, int], DisclosureRow] = {}
    for generation in {generation for generation, _ in places}:
        indices = [index for g, index in places if g == generation]
        for start in range(0, len(indices), _IN_ONE_STATEMENT):
            rows = session.scalars(
                select(DisclosureRow).where(
                    DisclosureRow.generation == generation,
                    DisclosureRow.index.in_(indices[start : start + _IN_ONE_STATEMENT]),
                )
            )
            found.update({(row.generation, row.index): row for row in rows})
    return found


def find_grant(session: Session, grant: GrantId) -> GrantRow | None:
    """A grant whose terms were deposited here."""
    return session.get(GrantRow, grant)


def is_stopped(session: Session, grant: GrantId) -> bool:
    """Whether a signed revocation of the grant was shown here (I5)."""
    return session.get(StopRow, grant) is not None


def releases_within(
    session: Session, grant: GrantId, record: RecordId, *, days: int, now: UnixTime
) -> int:
    """How often a record was released under a grant within the last `days`."""
    count = session.scalar(
        select(func.count())
        .select_from(ReleaseRow)
        .where(
            ReleaseRow.grant_id == grant,
            ReleaseRow.record == record,
            ReleaseRow.released_at > now - days * DAY,
        )
    )
    return count or 0


def ended_term(session: Session, grant: GrantId, *, end: UnixTime) -> str | None:
    """Why nothing is released under a grant any more, or None while it is alive."""
    state = grant_of(session, grant)
    if state is None:
        return "not-yet"
    if state.revoked_at and end >= state.revoked_at:
        return "revoked"
    if is_stopped(session, grant):
        return "stopped"
    return "expired" if end >= state.expires_at else None


def was_released(session: Session, account: Address, record: RecordId, version: int) -> bool:
    """
    Whether this version was released to this account, by a leave that has not ended.

    Who was given a key and has not fetched the ciphertext gets it no more once the grant
    ended: else the opening would come after the revocation.
    """
    grants = session.scalars(
        select(ReleaseRow.grant_id)
        .where(
            ReleaseRow.record == record,
            ReleaseRow.version == version,
            ReleaseRow.account == account,
        )
        .distinct()
    ).all()
    end = final_view(session).time
    return any(
        grant is None or ended_term(session, GrantId(grant), end=end) is None for grant in grants
    )


def ever_released(session: Session, account: Address, record: RecordId, version: int) -> bool:
    """Whether this version was released to this account at any time: it may prove its entry."""
    found = session.scalar(
        select(ReleaseRow.position)
        .where(
            ReleaseRow.record == record,
            ReleaseRow.version == version,
            ReleaseRow.account == account,
        )
        .limit(1)
    )
    return found is not None


def store_wraps(
    session: Session, request: RequestId, made: Mapping[int, bytes]
) -> Mapping[int, bytes]:
    """
    Keep the wraps of a request, so that the same request has the same answer.

    Returns the wraps that are kept: where two copies of a request came at once, the first's.
    """
    kept: dict[int, bytes] = {}
    for row in releases_of(session, request):
        if row.wrap is None:
            row.wrap = made.get(row.position)
        if row.wrap is not None:
            kept[row.position] = row.wrap
    return kept


def forget_wraps_of(session: Session, grant: GrantId) -> None:
    """Delete every wrap made under a grant: it was revoked (I5)."""
    session.execute(
        update(ReleaseRow)
        .where(ReleaseRow.grant_id == grant, ReleaseRow.wrap.is_not(None))
        .values(wrap=None)
    )


def forget_old_wraps(session: Session, now: UnixTime) -> None:
    """Delete the wraps of requests whose deadline has passed: they are answered no more."""
    session.execute(
        update(ReleaseRow)
        .where(ReleaseRow.wrap.is_not(None), ReleaseRow.released_at < now - MAX_WAIT)
        .values(wrap=None)
    )


def _held(row: RecordRow, newest: int) -> Held:
    return Held(
        record=RecordId(row.record),
        version=row.version,
        newest=row.version == newest,
        subject=None if row.subject is None else SubjectId(row.subject),
        manifest=Digest(row.manifest),
        category=row.category,
        media_type=row.media_type,
        claimed_at=UnixTime(row.claimed_at),
        size=row.size,
        generation=row.generation,
        index=row.index,
    )
