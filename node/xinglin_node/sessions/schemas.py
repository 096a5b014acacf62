"""What goes in and out of the session endpoints."""

from typing import Annotated

from pydantic import ConfigDict, Field

from xinglin.appointment import Person, SignedAppointment
from xinglin.document import Document, Signature65, Time, Uuid4

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

    nonce: str


class SignInRequest(Document):
    """A signed EIP-4361 message, and what speaks for the account that signed it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "message": "hospital-a.example wants you to sign in with your Ethereum "
                    "account:\n0x9858EfFD232B4033E47d90003D41EC34EcaEda94\n\n…",
                    "signature": "base64url of 65 bytes",
                    "subject": "8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11",
                }
            ]
        }
    )

    message: Annotated[str, Field(max_length=MAX_MESSAGE)]
    signature: Signature65
    appointment: ShownAppointment | None = None
    subject: Uuid4 | None = None


class Session(Document):
    """A credential for the header `Authorization: Bearer`."""

    credential: str
    expires_at: Time
