"""
Deploying the four contracts, and the trust root that follows from it.

    plan = DeploymentPlan(new_network_id(), founders, change_delay=60)
    profile = deploy(pool, account, plan)
    root = trust_root(profile)

Once deployed nothing is upgraded: addresses and code hashes are what everyone trusts.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass

import rlp
from eth_utils.address import to_canonical_address, to_checksum_address

from xinglin._chain import abi
from xinglin._chain.consortium import NO_ADDRESS, Applicant
from xinglin._chain.contract import Call
from xinglin._chain.profile import (
    Contracts,
    DeployedContract,
    NetworkProfile,
    ProfileMember,
)
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender, SignedTransaction, Signer
from xinglin.errors import ChainError, UsageError
from xinglin.hashes import Digest, keccak256
from xinglin.names import Address, Member, NetworkId
from xinglin.trust import Contract, Finality, Genesis, TrustRoot
from xinglin.trust import Contracts as TrustedContracts

LEAST_FOUNDERS = 3
"""Fewer hospitals could not outvote one of them."""

CHANGE_DELAY = 72 * 3600
"""Seconds in which a vote can stop what a member changes about itself."""

VOTE_TIME = 14 * 86_400
"""Seconds for which a proposal may be voted on."""

DEPLOY_SECONDS = 180.0
"""Time given to one contract to become final; Clique needs a few blocks on top."""

_NAMES = {
    "consortium": "Consortium",
    "checkpoints": "CheckpointRegistry",
    "consents": "ConsentRegistry",
    "models": "ModelRegistry",
}
"""The profile's words for the contracts, in the order of deployment."""


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """What is fixed for ever when a network is founded, or continued."""

    network_id: NetworkId
    founders: tuple[Applicant, ...]
    """Three hospitals or more; none for a successor, which copies its predecessor's members."""

    change_delay: int = CHANGE_DELAY
    vote_time: int = VOTE_TIME
    predecessor: Contracts | None = None
    """The deployment that this one continues."""

    def __post_init__(self) -> None:
        if self.predecessor is None and len(self.founders) < LEAST_FOUNDERS:
            raise UsageError(
                f"expected {LEAST_FOUNDERS} founding hospitals or more, got {len(self.founders)}"
            )
        if self.predecessor is not None and self.founders:
            raise UsageError("a successor copies its members; expected no founders")


def new_network_id() -> NetworkId:
    """Return a fresh id for a network: 16 random bytes."""
    return NetworkId(secrets.token_bytes(16))


def deploy(
    pool: RpcPool,
    account: Signer,
    plan: DeploymentPlan,
    progress: Callable[[str], None] = lambda _: None,
) -> NetworkProfile:
    """
    Deploy the four contracts and return the profile with them in it.

    `account` pays and gets no power over anything. Returns when the last is final, and so all:
    an account's transactions keep their order, whatever is reorganised. Raises
    `ContractError` where a constructor refuses, such as for founders without accounts.
    """
    sender = Sender(pool, account)
    before = plan.predecessor
    none = NO_ADDRESS
    sent: list[SignedTransaction] = []

    def send(name: str, *arguments: object) -> Address:
        progress(f"deploying {_NAMES[name]}")
        creation = abi.interface(_NAMES[name]).deployment(*arguments)
        signed = sender.build_and_sign(Call(None, creation))
        sender.deliver(signed, timeout=DEPLOY_SECONDS)
        sent.append(signed)
        return contract_address(signed.sender, signed.nonce)

    consortium = send(
        "consortium",
        plan.network_id,
        before.consortium.address if before else none,
        [founder.encoded() for founder in plan.founders],
        plan.change_delay,
        plan.vote_time,
    )
    send("checkpoints", consortium, before.checkpoints.address if before else none)
    send("consents", consortium)
    send("models", consortium, before.models.address if before else none)
    progress("waiting until the deployment is final")
    contracts = Contracts(*(_final(sender, signed) for signed in sent))
    members = tuple(
        ProfileMember(Member(number), founder.name, founder.url)
        for number, founder in enumerate(plan.founders, start=1)
    )
    return pool.profile.with_deployment(
        plan.network_id,
        contracts,
        members=members or pool.profile.members,
    )


def _final(sender: Sender, signed: SignedTransaction) -> DeployedContract:
    state = sender.deliver(signed, final=True, timeout=DEPLOY_SECONDS)
    address = contract_address(signed.sender, signed.nonce)
    code = sender.pool.code(address, at=state.block)
    if not code or state.block is None:
        raise ChainError(f"expected a contract at {address} after its deployment, found none")
    return DeployedContract(address, keccak256(code), state.block.number)


def contract_address(creator: Address, nonce: int) -> Address:
    """Return where a contract stands that `creator` deploys with `nonce` (Yellow Paper, 7)."""
    encoded = rlp.encode([to_canonical_address(creator), nonce])
    return Address(to_checksum_address(keccak256(encoded)[12:]))


def trust_root(profile: NetworkProfile, *, predecessor: Digest | None = None) -> TrustRoot:
    """
    Return what a verifier of this network believes.

    Whoever publishes it vouches for it; verifiers get it from a person, not from a bundle.
    """
    if profile.network_id is None:
        raise UsageError("expected a deployed network; run `xinglin network deploy` first")
    contracts = {name: _trusted(name, one) for name, one in profile.deployed.items()}
    return TrustRoot.model_validate(
        {
            "format": "xinglin.trust/1",
            "network_id": profile.network_id,
            "chain_id": profile.chain_id,
            "engine": profile.engine,
            "genesis": Genesis(
                hash=profile.genesis,
                epoch_length=profile.epoch_length,
                block_period=profile.block_period,
            ),
            "checkpoint": None,
            "finality": Finality(rule=profile.finality.rule.value, depth=profile.finality.depth),
            "contracts": TrustedContracts(**contracts),
            "max_view_age": profile.max_view_age,
            "max_late": profile.max_late,
            "predecessor": predecessor,
        },
        by_name=True,
    )


def slots_of(name: str) -> dict[str, int]:
    """Return the storage slot of each state variable of a contract, from the compiler."""
    return dict(abi.interface(_NAMES[name]).slots)


def _trusted(name: str, contract: DeployedContract) -> Contract:
    return Contract(
        address=contract.address,
        code_hash=contract.code_hash,
        block=contract.block,
        slots=slots_of(name),
    )
