"""
Consortium: who belongs to the network, and what its hospitals decided.

    consortium = Consortium(pool)
    account = consortium.account(address, at=view)     # member, powers, from, until
    call = consortium.propose(Kind.ADMIT, None, admission(Role.AUDITOR, applicant))
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from xinglin._chain.answers import View
from xinglin._chain.contract import BoundContract, Call, Log
from xinglin._chain.rpc import RpcPool
from xinglin._chain.words import Change, ChangeState, Kind, Power, Role, Status
from xinglin.hashes import Digest, keccak256
from xinglin.names import Address, Generation, Member, NetworkId, UnixTime

NO_ADDRESS = Address("0x" + "0" * 40)
"""The contract's word for none."""

KEM_ID = 0x647A
"""MLKEM768-X25519 in the registry of HPKE (FORMATS 2, key digest)."""

_NEW_ACCOUNT = "(address,uint8)"
_FOUNDER = f"(string,string,bytes32,address,uint16,bytes,{_NEW_ACCOUNT}[])"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that is to act for a member."""

    address: Address
    powers: Power


@dataclass(frozen=True, slots=True)
class Applicant:
    """An institution as it founds or joins the network; all of it is public."""

    name: str
    url: str
    """Address of its node; empty for who runs none."""

    log_key: bytes
    """Ed25519 public key of its log, 32 bytes."""

    validator: Address | None
    encryption_key: bytes
    """HPKE public key, 1,216 bytes."""

    accounts: tuple[NewAccount, ...]

    def encoded(self) -> tuple[object, ...]:
        """The contract's struct `Founder`."""
        return (
            self.name,
            self.url,
            self.log_key,
            self.validator or NO_ADDRESS,
            KEM_ID,
            self.encryption_key,
            [(account.address, int(account.powers)) for account in self.accounts],
        )


@dataclass(frozen=True, slots=True)
class AccountRecord:
    """One account of one member. In force at t iff since ≤ t and (until = 0 or t < until)."""

    address: Address
    member: Member
    powers: Power
    since: UnixTime
    until: UnixTime
    """0 while it is in force."""

    def in_force(self, time: UnixTime) -> bool:
        """Whether it acted for its member at `time`."""
        return self.since <= time and (self.until == 0 or time < self.until)


@dataclass(frozen=True, slots=True)
class MemberRecord:
    """What stands about a member, with every history it has."""

    number: Member
    name: str
    role: Role
    status: Status
    generation: Generation
    frozen_at: UnixTime
    """0 while its log is not frozen."""

    statuses: tuple[tuple[Status, UnixTime], ...]
    log_keys: tuple[tuple[bytes, UnixTime], ...]
    key_digests: tuple[tuple[bytes, UnixTime], ...]
    validators: tuple[tuple[Address, UnixTime], ...]
    urls: tuple[tuple[str, UnixTime], ...]
    accounts: tuple[AccountRecord, ...]

    @property
    def url(self) -> str:
        """Address of its node now; empty where it has none."""
        return self.urls[-1][0] if self.urls else ""

    @property
    def log_key(self) -> bytes:
        """Ed25519 public key of its log now."""
        return self.log_keys[-1][0]

    @property
    def validator(self) -> Address | None:
        """Its validator's address now."""
        address = self.validators[-1][0] if self.validators else NO_ADDRESS
        return None if address == NO_ADDRESS else address


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """One proposal, as it stands."""

    number: int
    kind: Kind
    concerned: Member | None
    proposer: Member
    votes: int
    deadline: UnixTime
    carried_at: UnixTime
    """0 while it is not carried."""

    version: int
    """Version of the membership under which it was made; another one ends it."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """One change that a member asked for about itself."""

    number: int
    member: Member
    what: Change
    state: ChangeState
    applies_from: UnixTime
    applies_until: UnixTime
    requester: Address
    payload: bytes


class Consortium:
    """The consortium of the profile's deployment."""

    def __init__(self, pool: RpcPool) -> None:
        deployed = pool.profile.deployed.consortium
        self._contract = BoundContract(pool, deployed, "Consortium")
        self.address = deployed.address

    # -- what is sent -------------------------------------------------------------------

    def propose(self, kind: Kind, concerned: Member | None, payload: bytes = b"") -> Call:
        """Encode a proposal by the sending GOVERN account of a hospital."""
        return self._contract.call("propose", int(kind), concerned or 0, payload)

    def vote(self, proposal: int) -> Call:
        """Encode a vote; the one that makes the quorum carries the proposal out."""
        return self._contract.call("vote", proposal)

    def request_change(self, what: Change, payload: bytes) -> Call:
        """Encode a change of one's own, which takes effect after a delay."""
        return self._contract.call("requestChange", int(what), payload)

    def apply_change(self, change: int) -> Call:
        """Encode the carrying out of a change whose delay is over."""
        return self._contract.call("applyChange", change)

    def end_account(self, account: Address) -> Call:
        """Encode the end of an account of one's own, at once."""
        return self._contract.call("endAccount", account)

    def freeze(self) -> Call:
        """Encode the stop of one's own log, at once; only a vote starts it again."""
        return self._contract.call("freeze")

    def withdraw_appointment(self, digest: bytes) -> Call:
        """Encode the withdrawal of an appointment by its EIP-712 digest."""
        return self._contract.call("withdrawAppointment", digest)

    # -- what is read -------------------------------------------------------------------

    def network_id(self, *, at: View | None = None) -> NetworkId:
        """Return the network's id, carried by every successor."""
        return NetworkId(bytes(self._read("networkId", at=at)))

    def predecessor(self, *, at: View | None = None) -> Address | None:
        """Return the deployment that this one continues."""
        return _address(self._read("predecessor", at=at))

    def successor(self, *, at: View | None = None) -> Address | None:
        """Return the deployment that continues this one; none while it is open."""
        return _address(self._read("successor", at=at))

    def ended_at(self, *, at: View | None = None) -> UnixTime:
        """Return when a successor was named; 0 before."""
        return UnixTime(self._read("endedAt", at=at))

    def quorum(self, concerned: Member | None, *, at: View | None = None) -> int:
        """Return how many votes a proposal about `concerned` needs."""
        return int(self._read("quorum", concerned or 0, at=at))

    def membership_version(self, *, at: View | None = None) -> int:
        """Return the version of the set of active hospitals."""
        return int(self._read("membershipVersion", at=at))

    def change_delay(self, *, at: View | None = None) -> int:
        """Return the seconds from a request of a change to its effect."""
        return int(self._read("changeDelay", at=at))

    def account(self, address: Address, *, at: View | None = None) -> AccountRecord | None:
        """Return an account, in force or ended; none where it was never a member's."""
        member, powers, since, until = self._contract.read("account", address, at=at)
        if member == 0:
            return None
        return AccountRecord(
            address, Member(member), Power(powers), UnixTime(since), UnixTime(until)
        )

    def status_at(self, member: Member, time: UnixTime, *, at: View | None = None) -> Status:
        """Return a member's status at a time; `NONE` before it joined."""
        return Status(self._read("statusAt", member, time, at=at))

    def log_of(self, member: Member, *, at: View | None = None) -> tuple[Generation, bool]:
        """Return the generation of a member's present log, and whether it is frozen."""
        generation, frozen = self._contract.read("logOf", member, at=at)
        return Generation(generation), bool(frozen)

    def withdrawn_at(self, member: Member, digest: bytes, *, at: View | None = None) -> UnixTime:
        """Return when the member withdrew an appointment; 0 where it did not."""
        return UnixTime(self._read("withdrawnAt", member, digest, at=at))

    def carried_at(
        self, kind: Kind, concerned: Member | None, payload: bytes, *, at: View | None = None
    ) -> UnixTime:
        """Return when such a proposal was first carried; 0 where none was."""
        types = ["uint8", "uint32", "bytes32"]
        key = keccak256(encode(types, [int(kind), concerned or 0, keccak256(payload)]))
        return UnixTime(self._read("carriedAt", key, at=at))

    def member_count(self, *, at: View | None = None) -> int:
        """Return the number of members there ever were: they are numbered from 1 to this."""
        return int(self._read("memberCount", at=at))

    def member(self, number: Member, *, at: View | None = None) -> MemberRecord | None:
        """Return a member with its histories; none where there is no such number."""
        role, status, _, generation, frozen_at, _ = self._read("memberOf", number, at=at)
        if role == 0:
            return None
        addresses = [to_checksum_address(one) for one in self._read("accountsOf", number, at=at)]
        accounts = [self.account(Address(address), at=at) for address in addresses]
        validators = self._read("validatorsOf", number, at=at)
        urls = self._read("urlsOf", number, at=at)
        return MemberRecord(
            number,
            str(self._read("nameOf", number, at=at)),
            Role(role),
            Status(status),
            Generation(generation),
            UnixTime(frozen_at),
            tuple(
                (Status(what), UnixTime(since))
                for since, what in self._read("statusesOf", number, at=at)
            ),
            _keys(self._read("logKeysOf", number, at=at)),
            _keys(self._read("keyDigestsOf", number, at=at)),
            tuple((Address(to_checksum_address(who)), UnixTime(s)) for s, who in validators),
            tuple((str(url), UnixTime(since)) for since, url in urls),
            tuple(account for account in accounts if account is not None),
        )

    def members(self, *, at: View | None = None) -> list[MemberRecord]:
        """Return every member there ever was, by number."""
        numbers = range(1, self.member_count(at=at) + 1)
        found = [self.member(Member(number), at=at) for number in numbers]
        return [member for member in found if member is not None]

    def member_accounts(self, *, at: View) -> list[AccountRecord]:
        """Return the accounts in force at the view, for an engine's list of who may send."""
        return [
            account
            for member in self.members(at=at)
            for account in member.accounts
            if account.in_force(at.time)
        ]

    def proposal(self, number: int, *, at: View | None = None) -> ProposalRecord | None:
        """Return a proposal; none where there is no such one."""
        stored = self._read("proposalOf", number, at=at)
        kind, concerned, proposer, votes, deadline, carried_at, _, version, payload = stored
        if kind == 0:
            return None
        return ProposalRecord(
            number,
            Kind(kind),
            Member(concerned) if concerned else None,
            Member(proposer),
            votes,
            UnixTime(deadline),
            UnixTime(carried_at),
            version,
            bytes(payload),
        )

    def proposals(self, *, at: View) -> list[ProposalRecord]:
        """Return every proposal made up to the view, oldest first."""
        logs = self._contract.logs("ProposalMade", at=at)
        found = [self.proposal(int(log.fields["proposal"]), at=at) for log in logs]
        return [proposal for proposal in found if proposal is not None]

    def has_voted(self, proposal: int, member: Member, *, at: View | None = None) -> bool:
        """Return whether a member has voted for a proposal."""
        return bool(self._read("hasVoted", proposal, member, at=at))

    def change(self, number: int, *, at: View | None = None) -> ChangeRecord | None:
        """Return a change by its number from 1; none where there is no such one."""
        stored = self._read("changeOf", number, at=at)
        member, what, state, applies_from, applies_until, requester, payload = stored
        if member == 0:
            return None
        return ChangeRecord(
            number,
            Member(member),
            Change(what),
            ChangeState(state),
            UnixTime(applies_from),
            UnixTime(applies_until),
            Address(to_checksum_address(requester)),
            bytes(payload),
        )

    def changes(self, *, at: View | None = None) -> list[ChangeRecord]:
        """Return every change ever requested, oldest first."""
        count = int(self._read("changeCount", at=at))
        found = [self.change(number, at=at) for number in range(1, count + 1)]
        return [change for change in found if change is not None]

    def encryption_key(self, member: Member, *, at: View) -> bytes | None:
        """Return the HPKE public key in force, from the event that its digest was set by."""
        logs = self._contract.logs(
            "EncryptionKeyChanged", at=at, topics=(member.to_bytes(32, "big"),)
        )
        return bytes(logs[-1].fields["encryptionKey"]) if logs else None

    def logs(self, *, first: int | None = None, at: View) -> list[Log]:
        """Return every event of the consortium up to the view, for indexers."""
        return self._contract.all_logs(first=first, at=at)

    def events(self, name: str, *, first: int | None = None, at: View) -> list[Log]:
        """Return one kind of event up to the view, oldest first."""
        return self._contract.logs(name, first=first, at=at)

    def _read(self, function: str, *arguments: object, at: View | None) -> Any:
        return self._contract.read(function, *arguments, at=at)[0]


# -- payloads of proposals and changes; `IConsortium.sol` lists them ---------------------


def admission(role: Role, applicant: Applicant) -> bytes:
    """Payload of `Kind.ADMIT`."""
    return encode(["uint8", _FOUNDER], [int(role), applicant.encoded()])


def replaced_accounts(accounts: Sequence[NewAccount]) -> bytes:
    """Payload of `Kind.REPLACE_ACCOUNTS`."""
    encoded = [(account.address, int(account.powers)) for account in accounts]
    return encode([f"{_NEW_ACCOUNT}[]"], [encoded])


def unfreezing(frozen_at: UnixTime) -> bytes:
    """Payload of `Kind.UNFREEZE`: the freeze that is meant, so that a later one stands."""
    return encode(["uint48"], [frozen_at])


def retirement(generation: Generation) -> bytes:
    """Payload of `Kind.RETIRE`: the generation that is meant."""
    return encode(["uint32"], [generation])


def stopped_change(change: int) -> bytes:
    """Payload of `Kind.STOP_CHANGE`."""
    return encode(["uint256"], [change])


def model_approval(digest: Digest, predecessor: Digest | None, registrar: Member) -> bytes:
    """Payload of `Kind.APPROVE_MODEL`."""
    before = predecessor.value if predecessor else bytes(32)
    return encode(["bytes32", "bytes32", "uint32"], [digest.value, before, registrar])


def model_withdrawal(digest: Digest, reason: Digest) -> bytes:
    """Payload of `Kind.WITHDRAW_MODEL`."""
    return encode(["bytes32", "bytes32"], [digest.value, reason.value])


def succession(successor: Address) -> bytes:
    """Payload of `Kind.SUCCEED`."""
    return encode(["address"], [successor])


def mandate(digest: bytes) -> bytes:
    """Payload of `Kind.MANDATE`: the EIP-712 digest of the mandate."""
    return encode(["bytes32"], [digest])


def new_account(account: NewAccount) -> bytes:
    """Payload of `Change.ADD_ACCOUNT`."""
    return encode(["address", "uint8"], [account.address, int(account.powers)])


def new_log_key(log_key: bytes) -> bytes:
    """Payload of `Change.LOG_KEY`."""
    return encode(["bytes32"], [log_key])


def new_encryption_key(encryption_key: bytes) -> bytes:
    """Payload of `Change.ENCRYPTION_KEY`."""
    return encode(["uint16", "bytes"], [KEM_ID, encryption_key])


def new_url(url: str) -> bytes:
    """Payload of `Change.URL`."""
    return encode(["string"], [url])


def new_validator(validator: Address) -> bytes:
    """Payload of `Change.VALIDATOR`."""
    return encode(["address"], [validator])


def _keys(changes: object) -> tuple[tuple[bytes, UnixTime], ...]:
    pairs = cast(list[tuple[int, bytes]], changes)
    return tuple((bytes(key), UnixTime(since)) for since, key in pairs)


def _address(value: object) -> Address | None:
    address = Address(to_checksum_address(cast(str, value)))
    return None if address == NO_ADDRESS else address
