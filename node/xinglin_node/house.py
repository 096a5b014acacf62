"""
One node, as its parts see it.

`app.create_app` builds it once; an endpoint asks for it by type:

    async def submit(house: House, ...) -> ...:

Everything in it may be used from any thread.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from xinglin._chain.profile import NetworkProfile
from xinglin.errors import UsageError
from xinglin.keys import Account, HpkeIdentity, HpkeRecipient
from xinglin.names import Member, NetworkId, Origin, UnixTime
from xinglin.note import LogKey
from xinglin.typed import Domain
from xinglin_node.blobs.store import Blobs
from xinglin_node.database import Database
from xinglin_node.log.writer import LogWriter
from xinglin_node.settings import NodeSettings


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What the node signs and opens with. Read from its encrypted key files."""

    log: LogKey
    """Ed25519: checkpoints and receipts."""
    anchor: Account
    """Hot account with the power ANCHOR alone."""
    witness: Account | None
    """Account with the power WITNESS alone, where the node takes witnessed grants."""
    system: Account
    """The node's own account: signs statements of methods and of the node itself."""
    institution: HpkeIdentity
    """The custodian's key, to which every envelope wraps."""
    recovery: HpkeRecipient
    """The offline recovery recipient's public key; its seed is in officers' shares."""
    session: bytes
    """32 random bytes for the node's own credentials."""


@dataclass(frozen=True, slots=True)
class NodeHouse:
    """One node: settings, keys, network, database, the writer, the blobs."""

    settings: NodeSettings
    keys: NodeKeys
    profile: NetworkProfile
    member: Member
    database: Database
    writer: LogWriter
    blobs: Blobs
    clock: Callable[[], float] = time.time
    parts: dict[str, Any] = field(default_factory=dict[str, Any])
    """What other subjects hang on the node at its start (methods, rate limits)."""

    @property
    def network_id(self) -> NetworkId:
        """16 random bytes fixed at founding."""
        if self.profile.network_id is None:
            raise UsageError("expected a network with contracts, got one without")
        return self.profile.network_id

    @property
    def origin(self) -> Origin:
        """Name of the log that is being written."""
        return self.writer.head.origin

    @property
    def domain(self) -> Domain:
        """EIP-712 domain of Consortium: for all typed data but grants and revocations."""
        return Domain(self.profile.chain_id, self.profile.deployed.consortium.address)

    @property
    def consents_domain(self) -> Domain:
        """EIP-712 domain of ConsentRegistry: for Grant and Revocation."""
        return Domain(self.profile.chain_id, self.profile.deployed.consents.address)

    def now(self) -> UnixTime:
        """The wall clock, in whole seconds."""
        return UnixTime(int(self.clock()))


def _house_of(request: Request) -> NodeHouse:
    house: NodeHouse = request.app.state.house
    return house


House = Annotated[NodeHouse, Depends(_house_of)]
"""The node, as a parameter of an endpoint."""
