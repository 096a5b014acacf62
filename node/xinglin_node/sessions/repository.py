"""Used nonces: written once, forgotten at their end."""

from sqlalchemy import delete

from xinglin_node.log.unit import Write
from xinglin_node.problems import CredentialRefused
from xinglin_node.sessions.tables import UsedNonceRow


def use_nonce(write: Write, nonce: str, *, ends_at: int) -> None:
    """Mark `nonce` as used. Raises `CredentialRefused` if it was used before."""
    session = write.session
    session.execute(delete(UsedNonceRow).where(UsedNonceRow.ends_at <= write.now))
    if session.get(UsedNonceRow, nonce) is not None:
        raise CredentialRefused("a message that was not shown before", "one that was")
    session.add(UsedNonceRow(nonce=nonce, ends_at=ends_at))
