"""
Give, witness and revoke grants, through the chain or by way of a node.

    signed = sign(terms, custodian=custodian, account=fresh, days=365, now=now, consents=domain)
    give(signed, sender=sender)                     # or give_through(node, signed)
    ...
    revoke(signed.id, signed.revocation, sender=sender)

A grant is signed by a fresh account used for nothing else, and its revocation is signed in
the same breath and kept as a tear-off: it works even when the phrase is lost. Patients hold
no coins; whoever sends the transaction adds nothing to its authority. The signature alone
lets a node stop at once (`revoke_through`), before the chain has the revocation (I5).

What is personal stays in the terms, which the chain never sees: it gets their digest.
"""

from dataclasses import dataclass

from xinglin._chain.answers import View
from xinglin._chain.consents import Consents
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender, TransactionState
from xinglin._http import NodeClient
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, hex0x
from xinglin.errors import UsageError
from xinglin.grant import (
    DAY,
    HOUR,
    MAX_DAYS,
    Grant,
    GrantState,
    Terms,
    grant_id,
    read_terms,
    sign_grant,
    sign_revocation,
    witnessed_id,
)
from xinglin.keys import Account
from xinglin.names import Address, GrantId, Member, Signature, UnixTime
from xinglin.typed import Domain

__all__ = [
    "SignedGrant",
    "domain_of",
    "fetch",
    "give",
    "give_through",
    "replace",
    "revoke",
    "revoke_as_custodian",
    "revoke_through",
    "sign",
    "witness",
]

GIVE_WITHIN_HOURS = 24
"""Whole hours in which a signed grant may be registered: time for a relayer that waits."""

AT_ONCE = UnixTime(0)
"""Beginning of a grant that begins when it is given."""

FINAL_SECONDS = 120.0
"""Time given to a transaction to become final."""


@dataclass(frozen=True, slots=True)
class SignedGrant:
    """A grant, and the two signatures that its account ever makes."""

    grant: Grant
    id: GrantId
    signature: Signature
    revocation: Signature
    """The tear-off: whoever shows it ends the grant. Keep it as safe as the phrase."""


def sign(
    terms: Terms | bytes,
    *,
    custodian: Member,
    account: Account,
    days: int,
    now: UnixTime,
    consents: Domain,
    not_before: UnixTime | None = None,
) -> SignedGrant:
    """
    Sign a grant of `days` whole days with its fresh account, and its revocation with it.

    Times are rounded so that they do not join two grants: the end to the next midnight
    (UTC), the deadline to a whole hour. Raises `UsageError` for a period that the chain
    refuses, `GrantError` for terms that break a rule.
    """
    if not 1 <= days <= MAX_DAYS:
        raise UsageError(f"expected 1 to {MAX_DAYS} days, got {days}")
    begin = not_before or AT_ONCE
    start = max(begin, now)
    # Ten years are the most: a day less than asked, where rounding up would go beyond.
    end = min(_up(start + days * DAY, DAY), _down(now + MAX_DAYS * DAY, DAY))
    grant = Grant(
        custodian=custodian,
        grantor=account.address,
        terms=terms if isinstance(terms, bytes) else terms.encode(),
        not_before=UnixTime(begin),
        expires_at=UnixTime(end),
        deadline=UnixTime(_up(now + GIVE_WITHIN_HOURS * HOUR, HOUR)),
    )
    signature = sign_grant(grant, account, consents)
    identifier = grant_id(grant, consents)
    return SignedGrant(grant, identifier, signature, sign_revocation(identifier, account, consents))


def give(signed: SignedGrant, *, sender: Sender, timeout: float = FINAL_SECONDS) -> GrantId:
    """Register a signed grant, and return its id once that is final. Raises `ContractError`."""
    call = Consents(sender.pool).give(signed.grant, signed.signature)
    sender.send(call, final=True, timeout=timeout)
    return signed.id


def give_through(node: NodeClient, signed: SignedGrant) -> dict[str, JsonValue]:
    """
    Deposit a signed grant with its custodian's node, which relays it and logs the deposit.

    Returns the node's answer with its receipt. Raises `ServiceError` where it is refused.
    """
    grant = signed.grant
    message: dict[str, JsonValue] = {
        "custodian": grant.custodian,
        "grantor": grant.grantor,
        "terms": grant.terms.decode(),
        "notBefore": grant.not_before,
        "expiresAt": grant.expires_at,
        "deadline": grant.deadline,
    }
    return node.post("/v1/grants", {"grant": message, "signature": base64url(signed.signature)})


def witness(
    terms: Terms | bytes,
    *,
    custodian: Member,
    expires_at: UnixTime,
    sender: Sender,
    not_before: UnixTime = AT_ONCE,
    timeout: float = FINAL_SECONDS,
) -> GrantId:
    """
    Register a grant on the word of the custodian, whose WITNESS account sends it.

    For people without a device; it is marked as witnessed for ever. Raises `ConsentError`
    for terms that do not parse, and `ContractError`.
    """
    encoded = terms if isinstance(terms, bytes) else terms.encode()
    read_terms(encoded)
    registry = Consents(sender.pool)
    call = registry.witness(encoded, not_before=not_before, expires_at=expires_at)
    sender.send(call, final=True, timeout=timeout)
    domain = Domain(sender.pool.profile.chain_id, registry.address)
    return witnessed_id(
        custodian, encoded, not_before=not_before, expires_at=expires_at, consents=domain
    )


def revoke(
    grant: GrantId, revocation: Signature, *, sender: Sender, timeout: float = FINAL_SECONDS
) -> TransactionState:
    """End a grant by its grantor's signature; anyone may send it. Raises `ContractError`."""
    call = Consents(sender.pool).revoke(grant, revocation)
    return sender.send(call, final=True, timeout=timeout)


def revoke_through(node: NodeClient, grant: GrantId, revocation: Signature) -> dict[str, JsonValue]:
    """
    Show a node a signed revocation: it releases nothing more from its answer on, and relays.

    Needs no credential, for the signature is the authority. Raises `ServiceError`.
    """
    body: dict[str, JsonValue] = {"grantId": hex0x(grant), "signature": base64url(revocation)}
    return node.post("/v1/relay/revocation", body)


def revoke_as_custodian(
    grants: list[GrantId], *, sender: Sender, timeout: float = FINAL_SECONDS
) -> TransactionState:
    """End grants as their custodian, whose WITNESS or GOVERN account sends it."""
    call = Consents(sender.pool).revoke_many(grants)
    return sender.send(call, final=True, timeout=timeout)


def replace(
    old: GrantId,
    revocation: Signature,
    new: SignedGrant,
    *,
    sender: Sender,
    timeout: float = FINAL_SECONDS,
) -> GrantId:
    """
    End one grant and give another in one transaction.

    It joins the two on chain, for ever and for everyone; giving first and revoking later,
    apart, does not. Raises `ContractError`.
    """
    call = Consents(sender.pool).replace(old, revocation, new.grant, new.signature)
    sender.send(call, final=True, timeout=timeout)
    return new.id


def fetch(pool: RpcPool, grant: GrantId, *, at: View | None = None) -> GrantState | None:
    """Return what the chain stores of a grant at a final view; none where it was never given."""
    view = pool.final_view() if at is None else at
    return Consents(pool).grant(grant, at=view)


def domain_of(pool: RpcPool) -> Domain:
    """Return the typed-data domain of grants and revocations on this network."""
    return Domain(pool.profile.chain_id, Address(pool.profile.deployed.consents.address))


def _up(value: int, step: int) -> int:
    return -(-value // step) * step


def _down(value: int, step: int) -> int:
    return value // step * step
