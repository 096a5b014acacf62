"""Receipts, checkpoints, inclusion and the state of an entry."""

import threading
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin import checkpoint, history, receipt
from xinglin.checkpoint import Checkpoint
from xinglin.merkle import ConsistencyProof, InclusionProof, leaf_hash
from xinglin.names import Generation, LeafHash, Origin, UnixTime
from xinglin.note import LogKey
from xinglin.receipt import Receipt
from xinglin_node.chain.tables import AnchorRow
from xinglin_node.house import NodeHouse
from xinglin_node.log.repository import tile_tree
from xinglin_node.log.tables import EntryRow
from xinglin_node.log.unit import Sequenced
from xinglin_node.log.writer import Head


class EntryState(StrEnum):
    """How far an entry has come."""

    SEQUENCED = "sequenced"
    ANCHORED = "anchored"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class EntryStatus:
    """State of an entry, with its times; those not reached are None."""

    state: EntryState
    anchored_size: int | None
    """The checkpoint that covers it."""
    anchored_at: UnixTime | None
    final_at: UnixTime | None


class CheckpointSigner:
    """Signs the head once for each size, whoever asks."""

    def __init__(self, key: LogKey) -> None:
        self._key = key
        self._guard = threading.Lock()
        self._signed: tuple[Origin, int, bytes] | None = None

    def sign(self, head: Head) -> bytes:
        """The head as a C2SP checkpoint."""
        with self._guard:
            if self._signed is None or self._signed[:2] != (head.origin, head.size):
                note = checkpoint.write(Checkpoint(head.origin, head.size, head.root), self._key)
                self._signed = (head.origin, head.size, note)
            return self._signed[2]


def receipt_of(house: NodeHouse, sequenced: Sequenced) -> str:
    """The log's signed promise to anchor this entry. The same entry, the same receipt."""
    log = house.writer.head.origin
    return _receipt(house, log, sequenced.index, sequenced.leaf, sequenced.sequenced_at)


def logged_receipt(house: NodeHouse, row: EntryRow) -> str:
    """The receipt of an entry that was logged earlier: byte for byte the first one."""
    log = history.origin(house.network_id, house.member, Generation(row.generation))
    return _receipt(house, log, row.index, leaf_hash(row.entry), UnixTime(row.sequenced_at))


def _receipt(
    house: NodeHouse, log: Origin, index: int, leaf: LeafHash, sequenced_at: UnixTime
) -> str:
    anchor_by = UnixTime(sequenced_at + house.settings.anchor_promise_seconds)
    promise = Receipt(log, index, leaf, sequenced_at, anchor_by)
    return receipt.write(promise, house.keys.log).decode()


def entry_status(session: Session, generation: int, index: int) -> EntryStatus:
    """How far the entry has come: one look-up, however large the log is."""
    row = session.scalars(
        select(AnchorRow)
        .where(
            AnchorRow.generation == generation,
            AnchorRow.size > index,
            AnchorRow.block.is_not(None),
        )
        .order_by(AnchorRow.size)
        .limit(1)
    ).one_or_none()
    if row is None:
        return EntryStatus(EntryState.SEQUENCED, None, None, None)
    final_at = UnixTime(row.final_at) if row.final_at is not None else None
    anchored_at = UnixTime(row.anchored_at) if row.anchored_at is not None else None
    state = EntryState.ANCHORED if final_at is None else EntryState.FINAL
    return EntryStatus(state, row.size, anchored_at, final_at)


def prove_inclusion(session: Session, generation: int, index: int, size: int) -> InclusionProof:
    """Prove one entry in the tree of `size`."""
    return tile_tree(session, generation).prove_inclusion(index, size)


def prove_consistency(session: Session, generation: int, old: int, new: int) -> ConsistencyProof:
    """Prove that the tree of `new` begins with that of `old`."""
    return tile_tree(session, generation).prove_consistency(old, new)
