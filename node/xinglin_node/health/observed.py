"""
What a node says of itself at each scrape, beside what it counts as it goes.

    observe(house)                          # once, before /metrics is served
    count_decision(request.ground, decision)

Ages and sizes are read when Prometheus asks, so that a thread that stopped cannot leave an
old number behind that looks like health. What cannot be read is `NaN`, which no alarm's
comparison takes for a good value. Terms and grounds are words of the specification; nothing
here is about a person.
"""

import math
from collections.abc import Callable

from prometheus_client import Counter, Gauge
from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin_node.access.decision import Decision
from xinglin_node.chain.tables import AnchorRow, ViewRow
from xinglin_node.health import metrics
from xinglin_node.house import NodeHouse
from xinglin_node.log.tables import EntryRow
from xinglin_node.log.writer import Head
from xinglin_node.problems import NodeProblem

RELEASES = Counter("xinglin_releases_total", "Items released, by ground.", ["ground"])
REFUSALS = Counter(
    "xinglin_refusals_total", "Items asked for and kept in, by ground and term.", ["ground", "term"]
)
ANCHORING_LAG = Gauge(
    "xinglin_anchoring_lag_seconds", "How long the oldest entry without an anchor has waited."
)
HALTED = Gauge("xinglin_sequencing_halted", "1 while nothing is sequenced, else 0.")


def count_decision(ground: str, decision: Decision) -> None:
    """Count what one logged request let out and kept in."""
    if decision.chosen:
        RELEASES.labels(ground).inc(len(decision.chosen))
    for kept in decision.kept:
        REFUSALS.labels(ground, kept.term).inc()


def observe(house: NodeHouse) -> None:
    """Let the gauges read `house` at each scrape, and count its entries from now on."""
    metrics.LOG_SIZE.set_function(lambda: house.writer.head.size)
    metrics.QUEUE.set_function(lambda: house.writer.waiting)
    HALTED.set_function(lambda: house.writer.halted is not None)
    metrics.FINAL.set_function(_reading(house, _final_size))
    metrics.VIEW_AGE.set_function(_reading(house, _view_age))
    ANCHORING_LAG.set_function(_reading(house, _lag))
    counted = house.writer.head.size

    def grew(head: Head) -> None:
        nonlocal counted
        metrics.ENTRIES.inc(max(0, head.size - counted))
        counted = head.size

    house.writer.on_growth(grew)


def _reading(
    house: NodeHouse, question: Callable[[NodeHouse, Session], float]
) -> Callable[[], float]:
    def read() -> float:
        try:
            with house.database.reading() as session:
                return question(house, session)
        except NodeProblem:
            return math.nan

    return read


def _newest(house: NodeHouse, session: Session, *, final: bool) -> int:
    reached = AnchorRow.final_at if final else AnchorRow.block
    size = session.scalar(
        select(AnchorRow.size)
        .where(
            AnchorRow.generation == house.writer.head.generation,
            reached.is_not(None),
        )
        .order_by(AnchorRow.size.desc())
        .limit(1)
    )
    return size or 0


def _final_size(house: NodeHouse, session: Session) -> float:
    return _newest(house, session, final=True)


def _view_age(house: NodeHouse, session: Session) -> float:
    view = session.get(ViewRow, 1)
    return math.nan if view is None else house.now() - view.time


def _lag(house: NodeHouse, session: Session) -> float:
    """Age of the first entry that no mined checkpoint covers; 0 where there is none."""
    anchored = _newest(house, session, final=False)
    head = house.writer.head
    if anchored >= head.size:
        return 0
    oldest = session.get(EntryRow, (head.generation, anchored))
    return math.nan if oldest is None else max(0, house.now() - oldest.sequenced_at)
