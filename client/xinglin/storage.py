"""
Where the contracts store what a proof reads, and how the words are packed.

Solidity's rules: the value of `mapping[key]` stands at keccak256(key ‖ slot), the items of a
dynamic array at keccak256(slot) onwards, and small fields share a word from its low end
(docs.soliditylang.org, "Layout of State Variables in Storage and Transient Storage"). Slot
numbers come from the trust root, by the names of the state variables; `docs/spec/chain.md`
lists them, and a test compares that list with the compiler's.

>>> anchored_word(RootHash(bytes(32)), time=1, block=2).hex()[:8]
'e682b7c4'
"""

from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from xinglin.errors import EvidenceError
from xinglin.grant import GrantState, How, RevokedBy
from xinglin.hashes import keccak256
from xinglin.names import Address, Generation, GrantId, Member, RootHash, UnixTime
from xinglin.trust import ContractName

WORD = 32
"""Bytes of a storage word."""

GOVERN, ANCHOR, APPOINT, WITNESS = 1, 2, 4, 8
"""Powers of an account."""

ACTIVE, SUSPENDED, REMOVED = 1, 2, 3
"""Statuses of a member; 0 before it joined."""

_HOW: dict[int, How] = {1: "signed", 2: "witnessed"}
_REVOKED_BY: dict[int, RevokedBy] = {0: "nobody", 1: "grantor", 2: "witness", 3: "govern"}


@dataclass(frozen=True, slots=True)
class Place:
    """One storage word of one contract."""

    contract: ContractName
    variable: str
    """Name of the state variable, a key of the trust root's `slots`."""
    keys: tuple[bytes, ...] = ()
    """Mapping keys from the outermost inwards, each padded to a word."""
    offset: int = 0
    """Words from there: a later slot of a struct."""
    item: int | None = None
    """Index in a dynamic array, whose items each take `item_words`; None for its length."""
    item_words: int = 1

    def slot(self, slots: dict[str, int]) -> bytes:
        """The word's place, 32 bytes. Raises `EvidenceError` for a variable not in `slots`."""
        if self.variable not in slots:
            raise EvidenceError(f"the trust root has no slot for {self.contract}.{self.variable}")
        at = slots[self.variable].to_bytes(WORD)
        for key in self.keys:
            at = keccak256(key + at)
        if self.item is not None:
            start = int.from_bytes(keccak256(at)) + self.item * self.item_words
            return ((start + self.offset) % 2**256).to_bytes(WORD)
        return ((int.from_bytes(at) + self.offset) % 2**256).to_bytes(WORD)


@dataclass(frozen=True, slots=True)
class AccountWord:
    """An account of a member, as stored."""

    member: Member
    powers: int
    since: UnixTime
    until: UnixTime

    def may(self, power: int, time: UnixTime) -> bool:
        """Whether the account had `power` at `time`."""
        alive = self.since <= time and (self.until == 0 or time < self.until)
        return self.member != 0 and alive and self.powers & power == power


def number(value: int) -> bytes:
    """A number as a mapping key."""
    return value.to_bytes(WORD)


def address_key(address: Address) -> bytes:
    """An address as a mapping key."""
    return bytes(WORD - 20) + bytes.fromhex(address[2:])


def anchored_place(member: Member, generation: Generation, size: int) -> Place:
    """Where the hash of an anchored size stands."""
    return Place("checkpoints", "_anchored", (number(member), number(generation), number(size)))


def anchored_word(root: RootHash, *, time: UnixTime, block: int) -> bytes:
    """keccak256(abi.encode(bytes32 root, uint64 time, uint64 blockNumber))."""
    return keccak256(root + number(time) + number(block))


def account_place(address: Address) -> Place:
    """Where an account stands."""
    return Place("consortium", "_accounts", (address_key(address),))


def read_account(word: bytes) -> AccountWord:
    """Unpack member32, powers8, from48, until48."""
    return AccountWord(
        Member(_field(word, 0, 32)),
        _field(word, 32, 8),
        UnixTime(_field(word, 40, 48)),
        UnixTime(_field(word, 88, 48)),
    )


def statuses_length_place(member: Member) -> Place:
    """Where the number of a member's status changes stands."""
    return Place("consortium", "_statuses", (number(member),))


def status_place(member: Member, index: int) -> Place:
    """Where one status change of a member stands."""
    return Place("consortium", "_statuses", (number(member),), item=index)


def read_status(word: bytes) -> tuple[UnixTime, int]:
    """Unpack since48, status8."""
    return UnixTime(_field(word, 0, 48)), _field(word, 48, 8)


def withdrawn_place(member: Member, digest: bytes) -> Place:
    """Where the time of an appointment's withdrawal stands; zero if there was none."""
    return Place("consortium", "_withdrawnAt", (number(member), digest))


def log_keys_length_place(member: Member) -> Place:
    """Where the number of a member's log keys stands."""
    return Place("consortium", "_logKeys", (number(member),))


def log_key_place(member: Member, index: int, offset: int) -> Place:
    """Where one log key stands: offset 0 its time, 1 the key."""
    return Place(
        "consortium", "_logKeys", (number(member),), offset=offset, item=index, item_words=2
    )


def grant_place(grant: GrantId, offset: int) -> Place:
    """Where one of the three words of a grant stands."""
    return Place("consents", "_grants", (grant,), offset=offset)


def read_grant(words: tuple[bytes, bytes, bytes]) -> GrantState | None:
    """Unpack a grant (FORMATS 3); None if it does not exist."""
    terms, given, ends = words
    how, revoked_by = _field(ends, 128, 8), _field(ends, 136, 8)
    if how == 0:
        return None
    if how not in _HOW or revoked_by not in _REVOKED_BY:
        raise EvidenceError(f"expected a grant of a known form, got how {how} by {revoked_by}")
    return GrantState(
        custodian=_field(ends, 96, 32),
        grantor=_address(given, 0),
        terms_digest=terms,
        given_at=_field(given, 160, 48),
        not_before=_field(given, 208, 48),
        expires_at=_field(ends, 0, 48),
        revoked_at=_field(ends, 48, 48),
        how=_HOW[how],
        revoked_by=_REVOKED_BY[revoked_by],
    )


def model_statuses_length_place(digest: bytes) -> Place:
    """Where the number of a model's status changes stands."""
    return Place("models", "_statuses", (digest,))


def model_status_place(digest: bytes, index: int) -> Place:
    """Where one status change of a model stands."""
    return Place("models", "_statuses", (digest,), item=index)


def _field(word: bytes, shift: int, bits: int) -> int:
    return int.from_bytes(word) >> shift & (1 << bits) - 1


def _address(word: bytes, shift: int) -> Address:
    return Address(to_checksum_address(_field(word, shift, 160).to_bytes(20)))
