"""What goes in and out of the session endpoints."""

from typing import Annotated

from pydantic import ConfigDict, Field

from xinglin.appointment import Person, SignedAppointment
from xinglin.document import Document, Signature65, Time, Uuid4
from xinglin_node import examples

_NONCE = "6924f1980b7e2a5c4d9f1e3a" + "5c" * 16
_MESSAGE = f"""\
hospital-a.example wants you to sign in with your Ethereum account:
{examples.ACCOUNT}

Sign in to this Xinglin node.

URI: https://hospital-a.example/v1/session
Version: 1
Chain ID: 31337
Nonce: {_NONCE}
Issued At: 2025-11-25T00:00:00Z
Expiration Time: 2025-11-25T00:10:00Z"""

MAX_MESSAGE = 4096
"""Characters of an EIP-4361 message: its lines are short and their number is fixed."""

MAX_CREDENTIAL = 4096
"""Characters of a credential; a longer header is not read."""


class ShownAppointment(SignedAppointment):
    """An appointment as a person shows it: signed, and with the name where they wish."""

    person: Person | None = None
    """Opens `personDigest`; shown to patients for care staff, kept back for researchers."""

    def without_person(self) -> SignedAppointment:
        """What may travel on: the appointment and its signature."""
        return SignedAppointment(appointment=self.appointment, signature=self.signature)


class Nonce(Document):
    """What the next sign-in message must hold."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"nonce": _NONCE}]})

    nonce: str


class SignInRequest(Document):
    """A signed EIP-4361 message, and what speaks for the account that signed it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "message": _MESSAGE,
                    "signature": examples.SIGNATURE,
                    "appointment": examples.APPOINTMENT,
                },
                {
                    "message": _MESSAGE,
                    "signature": examples.SIGNATURE,
                    "subject": examples.SUBJECT,
                },
            ]
        }
    )

    message: Annotated[str, Field(max_length=MAX_MESSAGE)]
    signature: Signature65
    appointment: ShownAppointment | None = None
    subject: Uuid4 | None = None


class Session(Document):
    """A credential for the header `Authorization: Bearer`."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"credential": "header.claims.signature", "expiresAt": examples.TIME + 900}
            ]
        }
    )

    credential: str
    expires_at: Time
