"""Putting a grant on the stop list."""

from xinglin.names import GrantId, Signature
from xinglin_node.access.repository import forget_wraps_of
from xinglin_node.log.unit import Write
from xinglin_node.relay.tables import StopRow


def stop(write: Write, grant: GrantId, signature: Signature) -> None:
    """Stop a grant, and delete every wrap that was made under it. Nothing starts it again."""
    if write.session.get(StopRow, grant) is None:
        write.session.add(StopRow(grant_id=grant, signature=signature, shown_at=write.now))
    forget_wraps_of(write.session, grant)
