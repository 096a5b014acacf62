"""
Steps 2 and 3: the header, and the contract state proven against it.

Nothing here asks an RPC endpoint. What a bundle does not prove is `EvidenceError`.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Self

from xinglin import headers, storage
from xinglin._chain.profile import safe_depth
from xinglin.bundle import Evidence, StateProof
from xinglin.document import hex0x
from xinglin.errors import EvidenceError, StateProofError, TrustError
from xinglin.grant import GrantState
from xinglin.headers import header, state
from xinglin.names import Address, Generation, GrantId, Member, UnixTime
from xinglin.storage import AccountWord, Place
from xinglin.trust import ContractName, KnownBlock, TrustRoot
from xinglin.verify.verified import Reach

MAX_CHANGES = 1000
"""Status changes or keys of one member that a verifier reads; no institution has as many."""


class ProvenChain:
    """
    Contract state that was proven against one header.

    `read` gives the word at a place. `prove` makes one that knows only what was proven;
    who collects a bundle's evidence passes one that asks a node, and notes what was read.
    """

    def __init__(
        self,
        block: header.Header,
        reach: Reach,
        read: Callable[[Place], bytes],
    ) -> None:
        self._read = read
        self.block = block
        self.reach = reach

    @classmethod
    def prove(
        cls, trust: TrustRoot, evidence: Evidence, followed: Iterable[bytes] | None = None
    ) -> Self:
        """
        Check the header and every proof of `evidence`.

        `followed` are headers from elsewhere, to follow in place of the evidence's. Raises
        `HeaderError`, `StateProofError`, `EvidenceError` or `TrustError`.
        """
        if evidence.engine != trust.engine:
            raise TrustError(f"expected the engine {trust.engine}, got {evidence.engine}")
        block = header.parse(evidence.header)
        reach = _follow(trust, evidence, followed)
        words = _prove_words(trust, block, evidence.proofs)

        def read(place: Place) -> bytes:
            slot = place.slot(trust.contracts.named(place.contract).slots)
            if (place.contract, slot) not in words:
                raise EvidenceError(
                    f"expected a proof of {place.contract}.{place.variable}, "
                    f"got none for {hex0x(slot)}"
                )
            return words[place.contract, slot]

        return cls(block, reach, read)

    def word(self, place: Place) -> bytes:
        """The proven word at `place`. Raises `EvidenceError` if the bundle does not prove it."""
        return self._read(place)

    def anchored(self, member: Member, generation: Generation, size: int) -> bytes:
        """Hash of an anchored size; zeros if it was never anchored."""
        return self.word(storage.anchored_place(member, generation, size))

    def account(self, address: Address) -> AccountWord:
        """An account of a member; member 0 if there is none."""
        return storage.read_account(self.word(storage.account_place(address)))

    def status_at(self, member: Member, time: UnixTime) -> tuple[int, UnixTime]:
        """Status of a member at `time`, and since when; 0 before it joined."""
        status, since = 0, UnixTime(0)
        for index in range(self._length(storage.statuses_length_place(member))):
            begun, value = storage.read_status(self.word(storage.status_place(member, index)))
            if begun <= time:
                status, since = value, begun
        return status, since

    def withdrawn_at(self, member: Member, digest: bytes) -> UnixTime:
        """When the member withdrew an appointment; 0 if it did not."""
        return UnixTime(int.from_bytes(self.word(storage.withdrawn_place(member, digest))))

    def log_keys(self, member: Member) -> Iterable[bytes]:
        """Every key that ever signed the member's checkpoints."""
        for index in range(self._length(storage.log_keys_length_place(member))):
            yield self.word(storage.log_key_place(member, index, offset=1))

    def grant(self, grant: GrantId) -> GrantState | None:
        """A grant as stored; None if it does not exist."""
        one, two, three = (self.word(storage.grant_place(grant, offset)) for offset in range(3))
        return storage.read_grant((one, two, three))

    def model_history(self, digest: bytes) -> list[tuple[UnixTime, int]]:
        """Status changes of a model, oldest first; empty if it was never registered."""
        length = self._length(storage.model_statuses_length_place(digest))
        return [
            storage.read_status(self.word(storage.model_status_place(digest, index)))
            for index in range(length)
        ]

    def _length(self, place: Place) -> int:
        length = int.from_bytes(self.word(place))
        if length > MAX_CHANGES:
            raise EvidenceError(f"expected at most {MAX_CHANGES} changes, got {length}")
        return length


def _follow(trust: TrustRoot, evidence: Evidence, given: Iterable[bytes] | None) -> Reach:
    """
    Step 2: from the trust root's block to the evidence's header, by its seals.

    Of the evidence's own headers every one is followed, of those that are given only as many
    as it takes. Blocks are compared by their hashes, which cover state and time: on QBFT one
    block has several good headers, with other seals.
    """
    if trust.engine == "anvil":
        return Reach(False, headers.DEVELOPMENT)
    if given is None and not evidence.headers:
        return Reach(False, "the bundle brings no headers: who sealed its block is not evidenced")
    block = header.parse(evidence.header)
    block_hash = block.block_hash
    view_hash = header.parse(evidence.view).block_hash if evidence.view is not None else None
    seen = view_hash is None
    at: headers.View | None = None
    above: list[headers.View] = []
    for newest in _views(trust, evidence.headers if given is None else given):
        seen = seen or newest.block_hash == view_hash
        if at is not None:
            above.append(newest)
        elif newest.block_hash == block_hash:
            at = newest
        elif newest.number >= block.number:
            break
        if given is not None and at is not None and len(above) >= _depth(trust, at):
            break
    if at is None:
        raise EvidenceError("the headers do not lead to the block whose state is proven")
    if len(above) < _depth(trust, at):
        raise EvidenceError(
            f"expected {_depth(trust, at)} blocks on block {at.number}, sealed by one of "
            f"{len(at.sealers)} validators, got {len(above)}: it is not final"
        )
    if not seen:
        raise EvidenceError("the view's block is not among those followed from the trust root")
    return Reach(True, headers.describe(at, above))


def _depth(trust: TrustRoot, at: headers.View) -> int:
    """Blocks that must stand on `at`: the trust root's word, and more where the set has grown."""
    if trust.finality.rule == "immediate":
        return 0
    # The block's own seal counts as well.
    return max(trust.finality.depth, safe_depth(len(at.sealers)) - 1)


def _views(trust: TrustRoot, chain: Iterable[bytes]) -> Iterator[headers.View]:
    """Every view from the trust root's block on; headers of blocks before it are passed over."""
    begins = trust.first_block
    view: headers.View | None = None
    for rlp in chain:
        if view is not None:
            view = view.follow(rlp)
        elif begins and header.parse(rlp).number < begins:
            continue
        else:
            view = _start(trust, rlp)
        yield view


def _start(trust: TrustRoot, first: bytes) -> headers.View:
    known = trust.genesis or trust.checkpoint
    if known is None:
        raise TrustError("expected a trust root with a genesis or a checkpoint")
    rules = headers.rules_of(
        trust.engine, epoch_length=known.epoch_length, block_period=known.block_period
    )
    block_hash = header.BlockHash(known.hash)
    if isinstance(known, KnownBlock):
        return headers.resume(
            first,
            block_hash=block_hash,
            validators=[Address(one) for one in known.validators],
            rules=rules,
        )
    return headers.begin(first, block_hash=block_hash, rules=rules)


def _prove_words(
    trust: TrustRoot, block: header.Header, proofs: tuple[StateProof, ...]
) -> dict[tuple[ContractName, bytes], bytes]:
    """Step 3: every proof against the header's state root, code hashes against the trust root."""
    storage_roots: dict[ContractName, state.StorageRoot] = {}
    for proof in proofs:
        if proof.slot is not None:
            continue
        contract = trust.contracts.named(proof.contract)
        account = state.verify_account(block.state_root, Address(contract.address), proof.proof)
        if account.code_hash != contract.code_hash:
            raise TrustError(
                f"expected {proof.contract} with code {hex0x(contract.code_hash)}, "
                f"got {hex0x(account.code_hash)}"
            )
        storage_roots[proof.contract] = account.storage_hash
    words: dict[tuple[ContractName, bytes], bytes] = {}
    for proof in proofs:
        if proof.slot is None:
            continue
        root = storage_roots.get(proof.contract)
        if root is None:
            raise StateProofError(f"expected an account proof of {proof.contract}, got none")
        value = state.verify_storage(root, proof.slot, proof.proof)
        words[proof.contract, proof.slot] = value.to_bytes(storage.WORD)
    return words
