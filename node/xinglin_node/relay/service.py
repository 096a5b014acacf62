"""
A revocation, from anybody's hand to the stop list and the chain.

The signature is the authority, so the hand may be anyone's. When the answer is given the
grant is on the stop list, on disk, and the transaction is in the outbox of the same write;
a grant that waits there to be given is taken back.
"""

from sqlalchemy.orm import Session

from xinglin.errors import SignatureError
from xinglin.grant import GrantState, verify_revocation
from xinglin.names import Address, GrantId, Signature
from xinglin_node.chain.view import grant_of
from xinglin_node.consents.outgoing import queue_revocation
from xinglin_node.consents.tables import GrantRow
from xinglin_node.house import NodeHouse
from xinglin_node.log.unit import Write
from xinglin_node.problems import NotFound, RuleBroken
from xinglin_node.relay.repository import stop
from xinglin_node.relay.schemas import Relayed, SignedRevocation


def relay_revocation(house: NodeHouse, shown: SignedRevocation) -> Relayed:
    """
    Stop a grant and send its revocation.

    Raises `NotFound` for a grant that neither this node nor the chain knows, and
    `RuleBroken` for a signature that is not the grantor's.
    """
    grant, signature = GrantId(shown.grant_id), Signature(shown.signature)
    with house.database.reading() as session:
        state = grant_of(session, grant)
        grantor = _grantor(session, grant, state)
    try:
        verify_revocation(grant, signature, grantor, house.consents_domain)
    except SignatureError as error:
        raise RuleBroken("the revocation signed by the grantor", "another") from error
    on_chain = state is not None and state.revoked_at != 0

    def work(write: Write) -> None:
        stop(write, grant, signature)
        if not on_chain:
            queue_revocation(write, house, grant, signature)

    house.writer.submit(work).result()
    return Relayed(
        grant_id=grant,
        state="revoked" if on_chain else "stopped",
        revoked_at=state.revoked_at if state is not None and on_chain else None,
    )


def _grantor(session: Session, grant: GrantId, state: GrantState | None) -> Address:
    deposited = session.get(GrantRow, grant)
    how = state.how if state is not None else (deposited.how if deposited is not None else None)
    if how is None:
        raise NotFound("a grant that is known here or on the chain", "none")
    if how == "witnessed":
        # Its grantor is the desk's own account, which revokes on the chain itself.
        raise RuleBroken("a grant that its grantor signed", "a witnessed one")
    if state is not None:
        return Address(state.grantor)
    if deposited is None:
        raise NotFound("a grant that is known here or on the chain", "none")
    return Address(deposited.grantor)
