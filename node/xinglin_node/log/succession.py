"""
Going on after a vote retired the log (DESIGN 3.1).

The member's next generation begins with a `succession` entry that names the retired log, its
anchored size and that root. Entries that were never anchored follow right after it, in their
order: the same statements under the same salts, so that their commitments stay, with new tags
of the new origin. What refers to them by index is moved along, all in one transaction.
"""

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from xinglin._chain.checkpoints import Checkpoints
from xinglin._chain.consortium import Consortium
from xinglin._chain.rpc import RpcPool
from xinglin.hashes import Digest
from xinglin.history import origin
from xinglin.names import Generation, Member, Salt, SubjectId
from xinglin.statement import Reason, Statement, Subject, Succession, attest, new_salt
from xinglin_node.access.tables import RequestRow
from xinglin_node.consents.tables import GrantRow
from xinglin_node.house import NodeHouse
from xinglin_node.log.repository import log_size, tile_tree
from xinglin_node.log.tables import DisclosureRow, EntryRow, HistoryRow
from xinglin_node.log.unit import PendingEntry, Write
from xinglin_node.problems import StorageRefused
from xinglin_node.records.tables import RecordRow
from xinglin_node.subjects.tables import EnrolmentRow

_logger = logging.getLogger(__name__)


def generation_on_chain(pool: RpcPool, member: Member) -> Generation:
    """Which log of the member is the present one. Raises `Unreachable`, `ChainError`."""
    return Consortium(pool).log_of(member, at=pool.final_view())[0]


def newest_generation(session: Session) -> Generation:
    """Which log was written last here; 0 before anything was."""
    return Generation(session.scalar(select(func.max(EntryRow.generation))) or 0)


def succeed(house: NodeHouse, pool: RpcPool) -> None:
    """
    Begin the present generation, if it has no entry yet and an earlier one has.

    The writer must be running. Raises `StorageRefused` where the retired log here is shorter
    than what the chain has of it: bring its entries back first.
    """
    head = house.writer.head
    if head.generation == 0 or head.size:
        return
    with house.database.reading() as session:
        before = newest_generation(session)
        size = log_size(session, before)
    anchored = Checkpoints(pool).latest_size(house.member, before, at=pool.final_view())
    if anchored > size:
        raise StorageRefused(f"the {anchored} entries that the chain has", f"a log of {size}")
    if not size:
        return
    house.writer.submit(lambda write: _begin(write, house, before, anchored), weight=size).result()
    _logger.warning("the log goes on in a new generation", extra={"size": anchored})


def _begin(write: Write, house: NodeHouse, before: Generation, anchored: int) -> None:
    session = write.session
    root = Digest(tile_tree(session, before).root(anchored))
    statement = Statement(
        (Subject(name="leaf", digest=root),),
        Succession(
            origin=origin(house.network_id, house.member, before),
            size=anchored,
            root=root,
            claimed_at=write.now,
        ),
    )
    attestation = attest(statement, house.keys.system, house.domain).encode()
    write.append(
        PendingEntry(attestation=attestation, salt=new_salt(), kind="succession", subject=None)
    )
    rows = session.scalars(
        select(DisclosureRow)
        .where(DisclosureRow.generation == before, DisclosureRow.index >= anchored)
        .order_by(DisclosureRow.index)
    ).all()
    _take_back_tags(session, rows)
    moved = {row.index: write.append(_again(row)).index for row in rows}
    _move(session, before, moved, write.generation)


def _again(row: DisclosureRow) -> PendingEntry:
    reason = None
    if row.reason is not None and row.reason_salt is not None:
        reason = Reason(text=row.reason, salt=row.reason_salt)
    return PendingEntry(
        attestation=row.attestation,
        salt=Salt(row.salt),
        kind=row.kind,
        subject=None if row.subject is None else SubjectId(row.subject),
        reason=reason,
    )


def _take_back_tags(session: Session, rows: Sequence[DisclosureRow]) -> None:
    """End each list in the retired log where its anchored part ends."""
    first: dict[int, int] = {}
    for row in rows:
        if row.history is not None and row.n is not None:
            first[row.history] = min(row.n, first.get(row.history, row.n))
    for history, n in first.items():
        session.execute(update(HistoryRow).where(HistoryRow.id == history).values(counter=n))


def _move(
    session: Session, before: Generation, moved: Mapping[int, int], generation: Generation
) -> None:
    """Let what refers to an entry refer to where it stands now."""
    for old, new in moved.items():
        for table in (RecordRow, EnrolmentRow, GrantRow):
            session.execute(
                update(table)
                .where(table.generation == before, table.index == old)
                .values({table.generation: generation, table.index: new})
            )
        # The entry in the retired log was never anchored: nobody can be shown it.
        session.execute(
            delete(DisclosureRow).where(
                DisclosureRow.generation == before, DisclosureRow.index == old
            )
        )
    # An access and its refusal are of one unit of work, so no checkpoint parts them.
    for request in session.scalars(select(RequestRow).where(RequestRow.generation == before)):
        if request.access_index in moved or request.refusal_index in moved:
            request.generation = generation
            request.access_index = moved.get(request.access_index or -1)
            request.refusal_index = moved.get(request.refusal_index or -1)
