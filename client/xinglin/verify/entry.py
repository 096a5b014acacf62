"""Steps 1, 4, 5 and 6: the log's name, its anchor, the entry under it, and what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from xinglin import checkpoint, merkle, receipt, storage, typed
from xinglin.bundle import AnchorOf, Bundle, Part, entry_of, inclusion_proof
from xinglin.errors import CheckpointError, EvidenceError, InvalidEncoding, TrustError
from xinglin.history import read_origin
from xinglin.names import Generation, LeafHash, Member, Origin, UnixTime
from xinglin.statement import Attestation, Statement, open_commitment, verify_attestation
from xinglin.trust import TrustRoot
from xinglin.verify.chain import ProvenChain

_Note = TypeVar("_Note")


@dataclass(frozen=True, slots=True)
class Opened:
    """An entry that is anchored, included, opened and signed; its signer is not yet judged."""

    member: Member
    generation: Generation
    index: int
    leaf: LeafHash
    anchored_at: UnixTime
    attestation: Attestation
    statement: Statement
    commitment: bytes


def log_of(text: str, trust: TrustRoot) -> tuple[Member, Generation]:
    """Step 1: the log's member and generation. Raises `TrustError` for another network."""
    try:
        network, member, generation = read_origin(text)
    except InvalidEncoding as error:
        raise TrustError(f"origin: {error}") from error
    if network != trust.network_id:
        raise TrustError(
            f"expected an origin of network {trust.network_id.hex()}, got {network.hex()}"
        )
    return member, generation


def open_entry(
    bundled: Bundle | Part, trust: TrustRoot, chain: ProvenChain, consortium: typed.Domain
) -> Opened:
    """Steps 1, 4, 5 and 6. Raises `VerificationError` of the kind that names the step."""
    member, generation = log_of(bundled.origin, trust)

    # 4. The chain has this size, with this root, at this time.
    check_anchor(member, generation, bundled.anchor, chain)

    # 5. The entry is under that root.
    if bundled.inclusion.size != bundled.anchor.size:
        raise EvidenceError(
            f"expected inclusion in the anchored size {bundled.anchor.size}, "
            f"got {bundled.inclusion.size}"
        )
    entry = entry_of(bundled)
    merkle.verify_inclusion(
        inclusion_proof(bundled.index, bundled.inclusion), entry.leaf, bundled.anchor.root_hash
    )

    # 6. This is what it says, and this account signed it.
    attestation = open_commitment(entry.commitment, bundled.disclosure)
    return Opened(
        member=member,
        generation=generation,
        index=bundled.index,
        leaf=entry.leaf,
        anchored_at=UnixTime(bundled.anchor.time),
        attestation=attestation,
        statement=verify_attestation(attestation, consortium),
        commitment=entry.commitment,
    )


def check_anchor(
    member: Member, generation: Generation, anchor: AnchorOf, chain: ProvenChain
) -> None:
    """Step 4: hold an anchor against the chain's word. Raises `EvidenceError`."""
    stored = chain.anchored(member, generation, anchor.size)
    claimed = storage.anchored_word(
        anchor.root_hash, time=UnixTime(anchor.time), block=anchor.block
    )
    if stored != claimed:
        raise EvidenceError(
            f"the chain anchored size {anchor.size} of member {member}'s log as {stored.hex()}, "
            f"the bundle claims {claimed.hex()}"
        )


def check_notes(bundle: Bundle, opened: Opened, chain: ProvenChain) -> tuple[str, ...]:
    """
    Check the signed checkpoint and the receipt, where the bundle has them.

    They add nothing to what the anchor proves; a false one is refused all the same, for a
    reader may keep it as evidence. Returns a sentence where the log anchored later than its
    receipt promised. Raises `CheckpointError`.
    """
    name = Origin(bundle.origin)
    if bundle.checkpoint is not None:
        data = bundle.checkpoint.encode()
        read = _by_one_of(opened.member, chain, lambda key: checkpoint.read(data, name, key))
        if (read.size, read.root) != (bundle.anchor.size, bundle.anchor.root_hash):
            raise CheckpointError("the signed checkpoint is of another size or root")
    if bundle.receipt is not None:
        data = bundle.receipt.encode()
        got = _by_one_of(opened.member, chain, lambda key: receipt.read(data, name, key))
        if (got.index, got.leaf) != (opened.index, opened.leaf):
            raise CheckpointError("the receipt is of another entry")
        if opened.anchored_at > got.anchor_by:
            late = opened.anchored_at - got.anchor_by
            return (f"anchored {late} s after the time that the log's receipt promised",)
    return ()


def _by_one_of(member: Member, chain: ProvenChain, read: Callable[[bytes], _Note]) -> _Note:
    for key in chain.log_keys(member):
        try:
            return read(key)
        except CheckpointError:
            continue
    raise CheckpointError(f"no log key of member {member} signed it")
