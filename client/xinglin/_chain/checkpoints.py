"""
CheckpointRegistry: the checkpoints of every log.

    registry = Checkpoints(pool)
    size = registry.latest_size(member, generation, at=view)
    call = registry.anchor(12, root, proof, previous=NO_ANCHOR)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xinglin._chain.answers import View, view_of
from xinglin._chain.contract import BoundContract, Call, Log, word
from xinglin._chain.rpc import RpcPool
from xinglin.errors import ChainError
from xinglin.names import Generation, LeafHash, Member, NodeHash, RootHash, UnixTime
from xinglin.storage import anchored_word


@dataclass(frozen=True, slots=True)
class Anchor:
    """What was anchored at one size; the chain stores the digest of these three."""

    root: RootHash
    time: UnixTime
    """Timestamp of the block that anchored it."""

    block: int

    @property
    def stored(self) -> bytes:
        """keccak256(abi.encode(root, time, block)): what storage holds at that size."""
        return anchored_word(self.root, time=self.time, block=self.block)


NO_ANCHOR = Anchor(RootHash(bytes(32)), UnixTime(0), 0)
"""What a log's first anchor names as its previous one."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """One checkpoint of a log on the chain."""

    size: int
    anchor: Anchor


class Checkpoints:
    """The registry of the profile's deployment."""

    def __init__(self, pool: RpcPool) -> None:
        deployed = pool.profile.deployed.checkpoints
        self._contract = BoundContract(pool, deployed, "CheckpointRegistry")
        self._pool = pool
        self.address = deployed.address

    def anchor(
        self, size: int, root: RootHash, proof: Sequence[NodeHash], *, previous: Anchor
    ) -> Call:
        """Encode the anchoring of a checkpoint of the sending account's present log."""
        last = (previous.root, previous.time, previous.block)
        return self._contract.call("anchor", size, root, list(proof), last)

    def latest_size(self, member: Member, generation: Generation, *, at: View | None = None) -> int:
        """Return the size last anchored; 0 where nothing was."""
        return int(self._contract.read("latestSize", member, generation, at=at)[0])

    def anchored(
        self, member: Member, generation: Generation, size: int, *, at: View | None = None
    ) -> bytes:
        """Return what storage holds at that size, 32 bytes; zeros where it was not anchored."""
        return bytes(self._contract.read("anchored", member, generation, size, at=at)[0])

    def head_of(
        self, member: Member, generation: Generation, *, at: View | None = None
    ) -> tuple[int, bytes]:
        """
        Return the size that the next checkpoint must extend, and what is stored for it.

        Both are zero where nothing was anchored, here or in a predecessor deployment.
        """
        size, stored = self._contract.read("headOf", member, generation, at=at)
        return int(size), bytes(stored)

    def known(self, member: Member, generation: Generation, size: int, stored: bytes) -> Anchor:
        """
        Return the three values behind `stored`, from the event of that size.

        Raises `ChainError` where no event of this deployment has them, as for a size that
        only a predecessor has.
        """
        if size == 0:
            return NO_ANCHOR
        topics = (word(member), word(generation))
        head = self._pool.head()
        for log in self._contract.logs("CheckpointAnchored", at=head, topics=topics):
            if log.fields["size"] == size:
                anchor = self._anchor(log)
                if anchor.stored == stored:
                    return anchor
        raise ChainError(f"expected the event that anchored size {size}, found none that fits")

    def verify_inclusion(
        self,
        member: Member,
        generation: Generation,
        *,
        anchored: Anchored,
        index: int,
        leaf: LeafHash,
        path: Sequence[NodeHash],
        at: View | None = None,
    ) -> None:
        """Let the contract check an inclusion proof. Raises `ContractError` where it fails."""
        anchor = (anchored.anchor.root, anchored.anchor.time, anchored.anchor.block)
        arguments = (member, generation, anchored.size, anchor, index, leaf, list(path))
        self._contract.read("verifyInclusion", *arguments, at=at)

    def history(
        self,
        member: Member,
        generation: Generation,
        *,
        first: int | None = None,
        at: View,
    ) -> list[Anchored]:
        """
        Return a log's checkpoints, smallest first, up to the view, from events.

        Each is compared with what storage holds at the view, so that a node cannot invent one.
        """
        topics = (word(member), word(generation))
        logs = self._contract.logs("CheckpointAnchored", first=first, at=at, topics=topics)
        return [self._from_log(member, generation, log, at) for log in logs]

    def _from_log(self, member: Member, generation: Generation, log: Log, at: View) -> Anchored:
        size, anchor = int(log.fields["size"]), self._anchor(log)
        if self.anchored(member, generation, size, at=at) != anchor.stored:
            raise ChainError(f"the event that size {size} was anchored is not what storage holds")
        return Anchored(size, anchor)

    def _anchor(self, log: Log) -> Anchor:
        # By hash: another node may have another block of that number.
        block = view_of(self._pool.block(log.block_hash))
        return Anchor(RootHash(bytes(log.fields["root"])), block.time, block.number)

    def covering(
        self, member: Member, generation: Generation, index: int, *, at: View
    ) -> Anchored | None:
        """Return the first checkpoint above `index`, or none where it is not anchored yet."""
        topics = (word(member), word(generation))
        for log in self._contract.logs("CheckpointAnchored", at=at, topics=topics):
            if log.fields["size"] > index:
                return self._from_log(member, generation, log, at)
        return None

    def logs(self, *, first: int | None = None, at: View) -> list[Log]:
        """Return every event of the registry up to the view, for indexers."""
        return self._contract.all_logs(first=first, at=at)
