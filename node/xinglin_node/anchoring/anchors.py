"""
One checkpoint at a time, from the decision to its block.

A step:

1. See which of our checkpoints the newest block has, and write that down. Rows whose block
   was lost go back to unsent.
2. Judge whether the log may sequence; say so to the writer.
3. Follow the checkpoint on its way, if there is one: lost, or pending for long, the same
   bytes are sent again; overtaken or reverted, it is signed anew over what the chain has.
4. Else decide on the next: after a time or a count, padded where the settings say so.
"""

import logging

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from xinglin._chain.answers import View
from xinglin._chain.checkpoints import Anchored, Checkpoints
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender, SignedTransaction
from xinglin.errors import ChainError, ContractError
from xinglin.names import RootHash, UnixTime
from xinglin_node.anchoring.delivery import Delivery
from xinglin_node.anchoring.state import OnChain, check_root, newest_mined, reason_to_halt
from xinglin_node.chain.tables import AnchorRow
from xinglin_node.health import metrics
from xinglin_node.house import NodeHouse
from xinglin_node.log.repository import tile_tree
from xinglin_node.log.tables import EntryRow
from xinglin_node.log.unit import Write
from xinglin_node.log.writer import Head
from xinglin_node.problems import StorageRefused

_logger = logging.getLogger(__name__)

MAX_GROWTH = 1 << 24
"""Entries that one anchor may add (CheckpointRegistry)."""

PAD_TO = 64
"""Padded checkpoints are a multiple of this (DESIGN 3.8)."""

RETRY_SECONDS = 5
"""Pause after the contract refused an anchor: a frozen log is not asked for every second."""


class Anchors:
    """Carries our log's checkpoints. One thread steps it."""

    def __init__(self, house: NodeHouse, pool: RpcPool, sender: Sender) -> None:
        self._house = house
        self._pool = pool
        self._sender = sender
        self._delivery = Delivery(house.clock)
        self._registry = Checkpoints(pool)
        self._compared: tuple[int, StorageRefused | None] | None = None
        self._not_before = 0.0

    def step(self) -> None:
        """Do what can be done now. Raises `ChainError` and `Unreachable`; then ask again."""
        head = self._pool.head()
        # 1.
        size = self._registry.latest_size(
            self._house.member, self._house.writer.head.generation, at=head
        )
        mined = self._reconcile(head, size)
        # 2.
        halted = reason_to_halt(self._house, size) or self._difference(mined)
        self._house.writer.halt(halted)
        metrics.ANCHORED.set(mined.size)
        if halted is not None or self._house.clock() < self._not_before:
            return
        # 3.
        pending = self._pending(mined)
        # 4.
        if pending is None:
            pending = self._decide(mined)
        if pending is not None:
            self._carry(pending, mined)

    def _reconcile(self, head: View, size: int) -> OnChain:
        log = self._house.writer.head
        with self._house.database.reading() as session:
            mined = newest_mined(session, log.generation)
            open_rows = session.scalars(
                select(AnchorRow).where(
                    AnchorRow.generation == log.generation,
                    AnchorRow.final_at.is_(None),
                    AnchorRow.block.is_not(None),
                )
            ).all()
            settled = session.scalar(
                select(func.max(AnchorRow.block)).where(
                    AnchorRow.generation == log.generation, AnchorRow.final_at.is_not(None)
                )
            )
        if mined.size == size and all(
            self._pool.stands(row.block or 0, row.block_hash or b"", on=head) for row in open_rows
        ):
            return mined
        # From our own last final one, not from the view: what was missed below it is found too.
        first = None if settled is None else settled + 1
        seen = self._registry.history(self._house.member, log.generation, first=first, at=head)
        blocks = {one.size: self._pool.view_at(one.anchor.block, on=head).hash for one in seen}
        open_sizes = [row.size for row in open_rows]

        def work(write: Write) -> OnChain:
            _write_seen(write, log, seen, blocks, open_sizes)
            write.session.flush()
            return newest_mined(write.session, log.generation)

        return self._house.writer.submit(work).result()

    def _difference(self, mined: OnChain) -> StorageRefused | None:
        """Hold the chain's newest checkpoint against our own tree, once for each."""
        if self._compared is None or self._compared[0] != mined.size:
            log = self._house.writer.head
            with self._house.database.reading() as session:
                self._compared = (mined.size, check_root(session, log, mined))
        return self._compared[1]

    def _pending(self, mined: OnChain) -> AnchorRow | None:
        """The checkpoint on its way; of several that were lost at once the smallest."""
        generation = self._house.writer.head.generation
        with self._house.database.reading() as session:
            rows = session.scalars(
                select(AnchorRow)
                .where(AnchorRow.generation == generation, AnchorRow.block.is_(None))
                .order_by(AnchorRow.size)
            ).all()
        alive = [row for row in rows if row.size > mined.size]
        keep = alive[0] if alive else None
        dropped = [row.size for row in rows if row is not keep]
        if dropped:
            # Never in a block that stands; the next checkpoint covers their entries.
            def work(write: Write) -> None:
                write.session.execute(
                    delete(AnchorRow).where(
                        AnchorRow.generation == generation,
                        AnchorRow.size.in_(dropped),
                        AnchorRow.block.is_(None),
                    )
                )

            self._house.writer.submit(work).result()
        return keep

    def _decide(self, mined: OnChain) -> AnchorRow | None:
        log = self._house.writer.head
        settings = self._house.settings
        waiting = log.size - mined.size
        if waiting <= 0:
            return None
        with self._house.database.reading() as session:
            oldest = session.get(EntryRow, (log.generation, mined.size))
        age = self._house.now() - (oldest.sequenced_at if oldest else 0)
        if waiting < settings.anchor_every_entries and age < settings.anchor_every_seconds:
            return None
        if settings.pad_checkpoints and log.size % PAD_TO:
            self._pad()
            log = self._house.writer.head
        size = min(log.size, mined.size + MAX_GROWTH)

        def work(write: Write) -> AnchorRow:
            root = tile_tree(write.session, log.generation).root(size)
            row = AnchorRow(generation=log.generation, size=size, root=root, decided_at=write.now)
            write.session.add(row)
            write.session.flush()
            write.session.expunge(row)
            return row

        return self._house.writer.submit(work).result()

    def _pad(self) -> None:
        def work(write: Write) -> None:
            while write.next_index() % PAD_TO:
                write.append_padding()

        self._house.writer.submit(work, weight=PAD_TO).result()

    def _carry(self, row: AnchorRow, mined: OnChain) -> None:
        if row.raw is not None:
            state = self._delivery.follow(self._sender, row.raw)
            if state is not None and state.succeeded:
                return
        with self._house.database.reading() as session:
            tree = tile_tree(session, self._house.writer.head.generation)
            path = tree.prove_consistency(mined.size, row.size).path if mined.size else ()
        call = self._registry.anchor(row.size, _root(row), path, previous=mined.anchor)
        try:
            signed = self._sender.build_and_sign(call)
        except ContractError as error:
            metrics.ANCHOR_FAILURES.inc()
            _logger.warning("anchor refused", extra={"error": error.name})
            self._not_before = self._house.clock() + RETRY_SECONDS
            return
        self._write_signed(row, signed)
        try:
            self._delivery.send(self._sender, signed)
        except ChainError as error:
            metrics.ANCHOR_FAILURES.inc()
            _logger.warning("anchor not sent", extra={"error": type(error).__name__})

    def _write_signed(self, row: AnchorRow, signed: SignedTransaction) -> None:
        key = (row.generation, row.size)

        def work(write: Write) -> None:
            kept = write.session.get(AnchorRow, key)
            if kept is not None:
                kept.raw, kept.transaction, kept.nonce = signed.raw, signed.hash, signed.nonce
                kept.sent_at = write.now

        self._house.writer.submit(work).result()


def _write_seen(
    write: Write,
    log: Head,
    seen: list[Anchored],
    blocks: dict[int, bytes],
    open_sizes: list[int],
) -> None:
    session: Session = write.session
    for size in set(open_sizes) - set(blocks):
        row = session.get(AnchorRow, (log.generation, size))
        if row is not None and row.final_at is None:
            row.block = row.block_hash = row.time = row.anchored_at = None
    for one in seen:
        row = session.get(AnchorRow, (log.generation, one.size))
        if row is None:
            row = AnchorRow(
                generation=log.generation,
                size=one.size,
                root=one.anchor.root,
                decided_at=write.now,
            )
            session.add(row)
        row.root = one.anchor.root
        row.block, row.block_hash = one.anchor.block, blocks[one.size]
        row.time = one.anchor.time
        row.anchored_at = row.anchored_at or UnixTime(write.now)


def _root(row: AnchorRow) -> RootHash:
    return RootHash(row.root)
