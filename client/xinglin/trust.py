"""
The trust root: all that a verifier believes besides mathematics.

It comes from the user, never from a bundle or the working directory (I8). A bundle names
the digest of the root it was made for, which is a hint and no evidence.
"""

from typing import Annotated, Literal

from pydantic import Field

from xinglin import typed
from xinglin.canonical import parse
from xinglin.document import (
    AddressText,
    Bytes16,
    Bytes32,
    Count,
    DigestText,
    Document,
)
from xinglin.errors import InvalidEncoding
from xinglin.hashes import Digest
from xinglin.names import Address

ContractName = Literal["consortium", "checkpoints", "consents", "models"]
"""The four contracts of a deployment."""

Engine = Literal["anvil", "clique", "qbft"]
"""How blocks are sealed."""


class Genesis(Document):
    """Block 0, and the rules that its hash does not cover."""

    hash: Bytes32
    epoch_length: Count
    """Blocks after which pending votes are dropped; 0 where the engine has no votes."""
    block_period: Count
    """Least seconds between blocks."""


class KnownBlock(Document):
    """A later block to start from, with the validators who seal the next one."""

    number: Count
    hash: Bytes32
    validators: tuple[AddressText, ...]
    epoch_length: Count
    block_period: Count


class Finality(Document):
    """When a block cannot be undone any more."""

    rule: Literal["immediate", "depth"]
    depth: Count
    """Blocks on top; 0 with the rule `immediate`."""


class Contract(Document):
    """One contract of the deployment."""

    address: AddressText
    code_hash: Bytes32
    """keccak256 of the deployed code, immutable values included."""
    block: Count
    """Block that deployed it."""
    slots: dict[str, Annotated[int, Field(ge=0, lt=2**32)]]
    """Storage slot of each state variable that a proof reads (docs/spec/chain.md)."""


class Contracts(Document):
    """The four contracts."""

    consortium: Contract
    checkpoints: Contract
    consents: Contract
    models: Contract

    def named(self, name: ContractName) -> Contract:
        """The contract of that name."""
        return {
            "consortium": self.consortium,
            "checkpoints": self.checkpoints,
            "consents": self.consents,
            "models": self.models,
        }[name]


class TrustRoot(Document):
    """A network's chain, contracts and times."""

    format: Literal["xinglin.trust/1"]
    network_id: Bytes16
    chain_id: Annotated[int, Field(ge=1, le=2**53 - 1)]
    engine: Engine
    genesis: Genesis | None
    checkpoint: KnownBlock | None
    """Instead of `genesis`."""
    finality: Finality
    contracts: Contracts
    max_view_age: Count
    """Oldest final view, in seconds, that a release under a grant may be checked at (I4)."""
    max_late: Count
    """Longest time, in seconds, from the view to the entry's anchor (I5)."""
    predecessor: DigestText | None
    """Trust root of the deployment before."""

    @property
    def first_block(self) -> int:
        """Number of the block from which headers are followed."""
        return self.checkpoint.number if self.checkpoint is not None else 0

    @property
    def digest(self) -> Digest:
        """Digest of the canonical bytes."""
        return Digest.of(self.encode())

    def consortium_domain(self) -> typed.Domain:
        """Typed-data domain of everything but grants and revocations."""
        return typed.Domain(self.chain_id, Address(self.contracts.consortium.address))

    def consents_domain(self) -> typed.Domain:
        """Typed-data domain of grants and revocations."""
        return typed.Domain(self.chain_id, Address(self.contracts.consents.address))


def read_trust(data: bytes) -> TrustRoot:
    """
    Parse a trust root, in any JSON layout: a person may have laid it out to read it.

    Raises `InvalidEncoding`.
    """
    root = TrustRoot.from_json(parse(data))
    if (root.genesis is None) == (root.checkpoint is None):
        raise InvalidEncoding("TrustRoot: expected genesis or checkpoint")
    if (root.finality.depth == 0) != (root.finality.rule == "immediate"):
        raise InvalidEncoding("TrustRoot: expected a depth exactly with the rule depth")
    return root
