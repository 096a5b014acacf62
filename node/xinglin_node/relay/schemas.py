"""What goes in and out of the relay."""

from typing import Literal

from pydantic import ConfigDict

from xinglin.document import Bytes32, Document, Signature65, Time
from xinglin_node import examples


class SignedRevocation(Document):
    """The tear-off of a grant."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"grantId": examples.GRANT, "signature": examples.SIGNATURE}]
        }
    )

    grant_id: Bytes32
    signature: Signature65
    """The grantor's, over the typed data `Revocation`."""


class Relayed(Document):
    """What became of a revocation."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"grantId": examples.GRANT, "state": "stopped", "revokedAt": None},
                {"grantId": examples.GRANT, "state": "revoked", "revokedAt": examples.TIME},
            ]
        }
    )

    grant_id: Bytes32
    state: Literal["stopped", "revoked"]
    """`stopped`: nothing is released from now on, and the transaction is on its way.
    `revoked`: the chain has it."""
    revoked_at: Time | None
