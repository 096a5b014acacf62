"""
Commit a log's checkpoint to the chain, and fetch what proves it.

    sender = Sender(pool, anchor_account)
    anchored = anchor(checkpoint, sender=sender, proof=proof)     # waits until it is final
    found = fetch_anchor(pool, origin, index=7)                   # the first one above entry 7

The contract refuses a checkpoint that does not extend the last one, so that whoever trusts
the chain need not trust the log. A node carries checkpoints by an outbox of its own; this
is the verb for one of them, and for those who only read.
"""

from xinglin._chain.answers import View
from xinglin._chain.checkpoints import Anchor, Anchored, Checkpoints
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Phase, Sender
from xinglin.checkpoint import Checkpoint
from xinglin.errors import ChainError, UsageError
from xinglin.history import read_origin
from xinglin.merkle import ConsistencyProof
from xinglin.names import Generation, Member, NodeHash, Origin

__all__ = ["Anchor", "Anchored", "anchor", "fetch_anchor", "fetch_history"]


def anchor(
    checkpoint: Checkpoint,
    *,
    sender: Sender,
    proof: ConsistencyProof | None = None,
    timeout: float = 120.0,
) -> Anchored:
    """
    Anchor a checkpoint and return it with its block once that is final.

    `proof` shows that it extends the checkpoint anchored last; none for a log's first. It
    must be the sending account's own log. Raises `ContractError` with the contract's own
    refusal, such as `CheckpointInconsistent`.
    """
    member, generation = _own_log(sender.pool, checkpoint.origin)
    registry = Checkpoints(sender.pool)
    size, stored = registry.head_of(member, generation)
    previous = registry.known(member, generation, size, stored)
    if size != 0 and (proof is None or proof.old_size != size):
        raise UsageError(f"expected a proof that the tree of {size} entries is extended")
    path: tuple[NodeHash, ...] = tuple(proof.path) if proof is not None and size else ()
    call = registry.anchor(checkpoint.size, checkpoint.root, path, previous=previous)
    state = sender.send(call, final=True, timeout=timeout)
    if state.phase is not Phase.FINAL or state.block is None:
        raise ChainError("expected a final anchor")
    block = state.block
    return Anchored(checkpoint.size, Anchor(checkpoint.root, block.time, block.number))


def fetch_anchor(
    pool: RpcPool, origin: Origin, *, index: int, at: View | None = None
) -> Anchored | None:
    """
    Return the first checkpoint above `index` in a final block; none where there is none yet.

    What the node says is compared with contract storage, and is still its word: a bundle's
    proofs are what convinces others.
    """
    member, generation = _own_log(pool, origin)
    view = pool.final_view() if at is None else at
    return Checkpoints(pool).covering(member, generation, index, at=view)


def fetch_history(pool: RpcPool, origin: Origin, *, at: View | None = None) -> list[Anchored]:
    """Return every checkpoint of a log in final blocks, smallest first."""
    member, generation = _own_log(pool, origin)
    view = pool.final_view() if at is None else at
    return Checkpoints(pool).history(member, generation, at=view)


def _own_log(pool: RpcPool, origin: Origin) -> tuple[Member, Generation]:
    network, member, generation = read_origin(origin)
    if network != pool.profile.network_id:
        raise UsageError("expected a log of this network, got another network's")
    return member, generation
