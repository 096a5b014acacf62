"""
What goes to ConsentRegistry: its calldata, and when it is sent.

The node's outbox carries it; here it is queued, in the transaction of what asked for it.
"""

import secrets

from sqlalchemy import select, update

from xinglin._chain import abi
from xinglin.grant import Grant, terms_digest
from xinglin.names import GrantId, Signature, SubjectId, UnixTime
from xinglin_node.chain.tables import OutboxRow
from xinglin_node.consents.tables import GrantRow
from xinglin_node.house import NodeHouse
from xinglin_node.log.unit import Write

_REGISTRY = abi.interface("ConsentRegistry").functions


def give_payload(grant: Grant, signature: Signature) -> bytes:
    """Calldata that gives a signed grant."""
    stored = (
        grant.custodian,
        grant.grantor,
        terms_digest(grant.terms),
        grant.not_before,
        grant.expires_at,
        grant.deadline,
    )
    return _REGISTRY["give"].encode(stored, signature)


def witness_payload(terms: bytes, *, not_before: UnixTime, expires_at: UnixTime) -> bytes:
    """Calldata by which the WITNESS account gives a grant."""
    return _REGISTRY["witness"].encode(terms_digest(terms), not_before, expires_at)


def revoke_payload(grant: GrantId, signature: Signature) -> bytes:
    """Calldata that ends a grant by its grantor's signature."""
    return _REGISTRY["revoke"].encode(grant, signature)


def queue_revocation(write: Write, house: NodeHouse, grant: GrantId, signature: Signature) -> None:
    """
    Queue the revocation of a grant, and take the grant back where it has not left (I5).

    Shown again it is due at once, even where it was refused or done before: the chain as this
    node knows it does not have it. One whose grant is not on the chain waits, for until its
    deadline anyone may yet give it.
    """
    write.session.execute(
        update(OutboxRow)
        .where(OutboxRow.key == f"give:{grant.hex()}", OutboxRow.state == "waiting")
        .values(state="refused", error="Revoked")
    )
    key = f"revoke:{grant.hex()}"
    payload = revoke_payload(grant, signature)
    queue_transaction(write, house, key=key, account="anchor", payload=payload)
    write.session.execute(
        update(OutboxRow)
        .where(OutboxRow.key == key, OutboxRow.state != "sent")
        .values(state="waiting", not_before=write.now, error=None, block=None)
    )


def relay_at(write: Write, house: NodeHouse, subject: SubjectId) -> UnixTime:
    """
    When a grant is carried to the chain: the first of a subject's at once, others of the
    same decision at a random moment, so that neighbouring blocks do not join them.
    """
    spread = house.settings.relay_spread_seconds
    keys = [
        f"give:{identity.hex()}"
        for identity in write.session.scalars(
            select(GrantRow.id).where(GrantRow.subject == subject)
        )
    ]
    recent = write.session.scalars(
        select(OutboxRow.id)
        .where(OutboxRow.key.in_(keys), OutboxRow.created_at > write.now - spread)
        .limit(1)
    ).one_or_none()
    if spread == 0 or recent is None:
        return write.now
    return UnixTime(write.now + secrets.randbelow(spread))


def queue_transaction(
    write: Write,
    house: NodeHouse,
    *,
    key: str,
    account: str,
    payload: bytes,
    not_before: UnixTime | None = None,
) -> None:
    """Queue a transaction for ConsentRegistry, once for each `key`; at once by default."""
    known = write.session.scalars(select(OutboxRow.id).where(OutboxRow.key == key)).one_or_none()
    if known is None:
        write.session.add(
            OutboxRow(
                key=key,
                account=account,
                to=house.profile.deployed.consents.address,
                payload=payload,
                not_before=write.now if not_before is None else not_before,
                state="waiting",
                created_at=write.now,
            )
        )
