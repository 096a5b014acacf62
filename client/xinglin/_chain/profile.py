"""
What a client must know of one network, as values.

Everything in which engines differ (finality, fees, how blocks are sealed) is here, so
that no code above asks which engine runs. `xinglin._network.profile` reads and writes
the TOML form (docs/spec/network.md).
"""

from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Self

from xinglin.errors import UsageError
from xinglin.names import Address, Member, NetworkId

MAX_VIEW_AGE = 120
"""Seconds: a `grant` is checked at a final block at most this old (invariant I4)."""

MAX_LATE = 300
"""Seconds between the block of a release's view and its entry's anchor (invariant I5)."""

MAX_HEAD_AGE = 90
"""Seconds after which a node's head is old. Three of production's 30 s empty-block periods."""

MAX_LAG = 5
"""Blocks that a node may be behind the newest head before it is set aside."""


class FinalityRule(StrEnum):
    """How a block becomes final."""

    IMMEDIATE = "immediate"
    """What is in a block stays (QBFT: a quorum signed it)."""

    DEPTH = "depth"
    """What has `depth` blocks on top of it stays (Clique; declared, not proven, on Anvil)."""


class FeeRule(StrEnum):
    """What a transaction says about its price. One policy, three settings."""

    ZERO = "zero"
    """Gas is free, and the transaction says so: both maximum fees are 0."""

    FUNDED = "funded"
    """The network names one gas price and accounts hold coins."""

    BASE_FEE = "base-fee"
    """EIP-1559: twice the base fee of the head, and the tip that the node suggests."""


@dataclass(frozen=True, slots=True)
class Finality:
    """The rule by which this network's blocks are final."""

    rule: FinalityRule
    depth: int = 0
    """Blocks that must stand on top; 0 where finality is immediate."""

    def __post_init__(self) -> None:
        if (self.rule is FinalityRule.IMMEDIATE) != (self.depth == 0) or self.depth < 0:
            raise UsageError(
                "expected depth 0 with immediate finality and at least 1 with depth, "
                f"got {self.depth} with {self.rule}"
            )


@dataclass(frozen=True, slots=True)
class DeployedContract:
    """One contract of a deployment."""

    address: Address
    code_hash: bytes
    """keccak256 of the runtime code, 32 bytes: what every account proof must show."""

    block: int
    """Block that holds the deployment: events are looked for from here on."""


@dataclass(frozen=True, slots=True)
class Contracts:
    """The four contracts of one deployment."""

    consortium: DeployedContract
    checkpoints: DeployedContract
    consents: DeployedContract
    models: DeployedContract

    def items(self) -> tuple[tuple[str, DeployedContract], ...]:
        """Name and contract, in the order of deployment."""
        return (
            ("consortium", self.consortium),
            ("checkpoints", self.checkpoints),
            ("consents", self.consents),
            ("models", self.models),
        )


@dataclass(frozen=True, slots=True)
class ProfileMember:
    """A founding member, as the profile remembers it; Consortium is what counts."""

    number: Member
    name: str
    node_url: str


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """
    One network and, once deployed, the contracts on it.

    Two profiles of one network may differ in `rpc` only: each institution lists its own.
    """

    engine: str
    """`anvil`, `clique` or `qbft`; shown and recorded in bundles, never branched on here."""

    chain_id: int
    genesis: bytes
    """Hash of block 0, 32 bytes."""

    rpc: tuple[str, ...]
    """Addresses of JSON-RPC nodes, each once, the preferred one first."""

    block_period: int
    """Seconds between blocks when there is work."""

    finality: Finality
    fee: FeeRule
    network_id: NetworkId | None = None
    """16 random bytes fixed at founding; none before the contracts are deployed."""

    contracts: Contracts | None = None
    members: tuple[ProfileMember, ...] = ()
    epoch_length: int = 0
    """Blocks after which votes on validators lapse; 0 where blocks are not voted on."""

    validators: tuple[Address, ...] = ()
    """Who sealed from genesis on; none where blocks are not sealed by validators."""

    max_view_age: int = MAX_VIEW_AGE
    max_late: int = MAX_LATE
    max_head_age: int = MAX_HEAD_AGE
    """Seconds after which a node with this head is set aside, while another has a newer one."""

    max_lag: int = MAX_LAG
    """Blocks behind the newest head after which a node is set aside."""

    def __post_init__(self) -> None:
        if not self.rpc:
            raise UsageError("expected at least one RPC address in the profile, got none")
        # One node that is listed twice would agree with itself (I4, I5).
        written = Counter(url.rstrip("/").lower() for url in self.rpc)
        for url, times in written.items():
            if times > 1:
                raise UsageError(f"expected each RPC address once, got {url} {times} times")
        if len(self.genesis) != 32:
            raise UsageError(f"expected a genesis hash of 32 bytes, got {len(self.genesis)}")
        if self.network_id is not None and len(self.network_id) != 16:
            raise UsageError(f"expected a network id of 16 bytes, got {len(self.network_id)}")
        if self.block_period < 1:
            raise UsageError(f"expected a block period of 1 s or more, got {self.block_period}")

    @property
    def deployed(self) -> Contracts:
        """The contracts. Raises `UsageError` where none are deployed yet."""
        if self.contracts is None:
            raise UsageError(
                "expected a network with contracts, got one without: run `xinglin network deploy`"
            )
        return self.contracts

    def with_deployment(
        self,
        network_id: NetworkId,
        contracts: Contracts,
        *,
        members: tuple[ProfileMember, ...],
    ) -> Self:
        """Return this profile with the contracts of a deployment in it."""
        return replace(self, network_id=network_id, contracts=contracts, members=members)


def finalized_block(profile: NetworkProfile, head: int) -> int:
    """
    Return the newest block that is final when `head` is the newest block.

    This is the one place that answers "is it final?". The tags `safe` and `finalized`
    are never used: on Anvil they are fixed distances, on Clique they are errors. Block 0
    is final by definition.
    """
    if profile.finality.rule is FinalityRule.IMMEDIATE:
        return head
    return max(0, head - profile.finality.depth)


def safe_depth(validators: int) -> int:
    """
    Return how deep a block must lie where one of so many validators seals each (Clique).

    floor(n / 2) + 1: the sealers of as many blocks in a row are more than half, and a minority
    that is cut off seals one fewer and no more. A profile is made with the founders' number;
    validators who are voted in later may need more, which `network status` says, and below
    which a verifier does not go.
    """
    return validators // 2 + 1
