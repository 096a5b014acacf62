"""Answering for the node as a whole."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from xinglin import __version__
from xinglin.document import base64url
from xinglin_node.chain.tables import AnchorRow, ViewRow
from xinglin_node.health import metrics
from xinglin_node.health.schemas import (
    About,
    ContractsAbout,
    Health,
    Limits,
    PublicKeys,
    Reached,
    Status,
    ViewStatus,
)
from xinglin_node.house import NodeHouse
from xinglin_node.log.tables import EntryRow
from xinglin_node.problems import NodeProblem

FORMATS = (
    "xinglin.bundle/1",
    "xinglin.envelope/1",
    "xinglin.seal/1",
    "xinglin.trust/1",
    "urn:xinglin:statement:*:1",
    "urn:xinglin:terms:1",
)
"""Every format of this version; the first of each, so read and written are the same."""


def readiness(house: NodeHouse) -> Health:
    """Whether entries are taken, and why not."""
    reasons: list[str] = []
    halted = house.writer.halted
    if halted is not None:
        reasons.append(f"expected {halted.expected}, got {halted.got}")
    try:
        with house.database.reading() as session:
            seen = session.get(ViewRow, 1)
        if seen is None:
            reasons.append("the chain has not been seen yet")
    except NodeProblem as error:
        reasons.append(f"expected {error.expected}, got {error.got}")
    return Health(ok=not reasons, reasons=tuple(reasons))


def about(house: NodeHouse) -> About:
    """What this node is."""
    contracts = house.profile.deployed
    settings = house.settings
    return About(
        software="xinglin",
        version=__version__,
        member=house.member,
        origin=house.origin,
        network_id=house.network_id,
        chain_id=house.profile.chain_id,
        engine=house.profile.engine,
        contracts=ContractsAbout(
            consortium=contracts.consortium.address,
            checkpoints=contracts.checkpoints.address,
            consents=contracts.consents.address,
            models=contracts.models.address,
        ),
        keys=PublicKeys(
            log=base64url(house.keys.log.public),
            institution=base64url(house.keys.institution.recipient.public_key),
            recovery=base64url(house.keys.recovery.public_key),
            system=house.keys.system.address,
        ),
        reads=FORMATS,
        writes=FORMATS,
        limits=Limits(
            record_bytes=settings.max_record_bytes,
            batch_bytes=settings.max_batch_bytes,
            batch_records=settings.max_batch_records,
            json_bytes=settings.max_json_bytes,
        ),
        anchor_promise_seconds=settings.anchor_promise_seconds,
    )


def status(house: NodeHouse) -> Status:
    """Sizes and times of the three states."""
    head = house.writer.head
    with house.database.reading() as session:
        sequenced_at = session.scalar(
            select(EntryRow.sequenced_at).where(
                EntryRow.generation == head.generation, EntryRow.index == head.size - 1
            )
        )
        anchored = _newest_anchor(session, head.generation, final=False)
        final = _newest_anchor(session, head.generation, final=True)
        view = session.get(ViewRow, 1)
    halted = house.writer.halted
    now = house.now()
    metrics.LOG_SIZE.set(head.size)
    metrics.QUEUE.set(house.writer.waiting)
    return Status(
        sequenced=Reached(size=head.size, at=sequenced_at),
        anchored=Reached(
            size=anchored.size if anchored else 0, at=anchored.anchored_at if anchored else None
        ),
        final=Reached(size=final.size if final else 0, at=final.final_at if final else None),
        waiting=house.writer.waiting,
        sequencing=halted is None,
        halted=f"expected {halted.expected}, got {halted.got}" if halted else None,
        view=None
        if view is None
        else ViewStatus(number=view.number, hash=view.hash, time=view.time, age=now - view.time),
    )


def _newest_anchor(session: Session, generation: int, *, final: bool) -> AnchorRow | None:
    reached = AnchorRow.final_at if final else AnchorRow.block
    newest = session.scalar(
        select(func.max(AnchorRow.size)).where(
            AnchorRow.generation == generation, reached.is_not(None)
        )
    )
    return None if newest is None else session.get(AnchorRow, (generation, newest))
