"""What goes in and out of the consent endpoints."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from xinglin.document import (
    AddressText,
    Bytes32,
    Count,
    DigestText,
    Document,
    MemberNumber,
    ShortText,
    Signature65,
    Time,
    Uuid4,
)
from xinglin.grant import Grant, GrantState
from xinglin.names import Address, Member, UnixTime

TermsText = Annotated[str, Field(min_length=2, max_length=65536)]
"""Canonical JSON of the terms, as one string: the very bytes that were signed."""


class GrantMessage(Document):
    """The typed data `Grant`, with the terms whole."""

    custodian: MemberNumber
    grantor: AddressText
    terms: TermsText
    not_before: Time
    expires_at: Time
    deadline: Time

    def grant(self) -> Grant:
        """As the library has it."""
        return Grant(
            custodian=Member(self.custodian),
            grantor=Address(self.grantor),
            terms=self.terms.encode(),
            not_before=UnixTime(self.not_before),
            expires_at=UnixTime(self.expires_at),
            deadline=UnixTime(self.deadline),
        )


class GrantGiven(Document):
    """A grant with the signature of its fresh account."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "grant": {
                        "custodian": 1,
                        "grantor": "0x9858EfFD232B4033E47d90003D41EC34EcaEda94",
                        "terms": '{"evidence":null,"frequency":null,…}',
                        "notBefore": 0,
                        "expiresAt": 1790208000,
                        "deadline": 1764032400,
                    },
                    "signature": "base64url of 65 bytes",
                }
            ]
        }
    )

    grant: GrantMessage
    signature: Signature65
    """The grantor's, over the typed data `Grant`."""


class GrantWitnessed(Document):
    """A grant given at the desk, for a subject without a device."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "subject": "0b9f6a0e-8f8c-4b3e-9a57-3f8f6d3c1a52",
                    "terms": '{"evidence":{"sha256":"5f…"},"frequency":null,…}',
                    "notBefore": 0,
                    "expiresAt": 1790208000,
                }
            ]
        }
    )

    subject: Uuid4
    terms: TermsText
    not_before: Time
    expires_at: Time


class DepositedGrant(Document):
    """A grant whose terms this node has."""

    grant_id: Bytes32
    how: Literal["signed", "witnessed"]
    terms: TermsText
    not_before: Time
    expires_at: Time
    index: Count
    """Where the deposit stands in the log."""
    state: GrantState | None
    """As the chain stores it at the final view; null until it was given."""
    stopped: bool
    """Whether this node was shown a signed revocation."""


class Deposit(Document):
    """The answer to a deposit: the grant, and the log's promise for its entry."""

    grant: DepositedGrant
    receipt: str


class GrantList(Document):
    """Deposited grants."""

    grants: tuple[DepositedGrant, ...]


class GrantedRecord(Document):
    """A record in a grant's scope."""

    record: Uuid4
    version: Annotated[int, Field(ge=1)]
    category: ShortText
    media_type: ShortText
    claimed_at: Time
    size: Count
    manifest: DigestText


class GrantedRecords(Document):
    """What a grant lets out today."""

    records: tuple[GrantedRecord, ...]
