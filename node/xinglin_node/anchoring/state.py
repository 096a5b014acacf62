"""What the chain has of our log, and whether the log may go on."""

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from xinglin._chain.checkpoints import NO_ANCHOR, Anchor
from xinglin.names import Generation, RootHash, UnixTime
from xinglin_node.chain.tables import AnchorRow, MemberRow
from xinglin_node.house import NodeHouse
from xinglin_node.log.repository import tile_tree
from xinglin_node.log.writer import Head
from xinglin_node.problems import StorageRefused


@dataclass(frozen=True, slots=True)
class OnChain:
    """The newest checkpoint of our log in the newest block."""

    size: int
    anchor: Anchor


NOTHING = OnChain(0, NO_ANCHOR)
"""Before the first anchor."""

NOT_SEEN = StorageRefused("a first look at the chain since the start", "none yet", retry_after=5)
"""A node that was restored from an old backup must not sequence before it knows."""


def newest_mined(session: Session, generation: Generation) -> OnChain:
    """The newest checkpoint that was seen mined."""
    size = session.scalar(
        select(func.max(AnchorRow.size)).where(
            AnchorRow.generation == generation, AnchorRow.block.is_not(None)
        )
    )
    row = None if size is None else session.get(AnchorRow, (generation, size))
    if row is None or row.block is None or row.time is None:
        return NOTHING
    return OnChain(row.size, Anchor(RootHash(row.root), UnixTime(row.time), row.block))


def reason_to_halt(house: NodeHouse, chain_size: int) -> StorageRefused | None:
    """
    Why nothing may be sequenced, or None (I3).

    A log that is shorter than the chain's would give positions twice; a generation or a
    key that the chain does not have would make entries that nobody can verify.
    """
    head = house.writer.head
    if chain_size > head.size:
        return StorageRefused(
            f"the {chain_size} entries that the chain has", f"a log of {head.size}"
        )
    with house.database.reading() as session:
        member = session.get(MemberRow, house.member)
    if member is None:
        return StorageRefused(f"member {house.member} of the consortium", "no such member")
    if member.generation != head.generation:
        return StorageRefused(
            f"a log of generation {member.generation}", f"generation {head.generation}"
        )
    if member.log_key != house.keys.log.public:
        return StorageRefused("the log key that the chain has", "another")
    return None


def check_root(session: Session, log: Head, mined: OnChain) -> StorageRefused | None:
    """Hold a checkpoint that the chain has against our own tree; shorter is another matter."""
    if not 0 < mined.size <= log.size:
        return None
    if tile_tree(session, log.generation).root(mined.size) != mined.anchor.root:
        return StorageRefused(
            f"the checkpoint that the chain has at {mined.size} entries", "a log that differs"
        )
    return None
