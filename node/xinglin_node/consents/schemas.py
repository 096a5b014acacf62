"""What goes in and out of the consent endpoints."""

from typing import Annotated, Any, Literal

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
from xinglin_node import examples

_TIMES = {"notBefore": 0, "expiresAt": examples.GRANT_STATE["expiresAt"]}
_DEPOSITED: dict[str, Any] = {
    "grantId": examples.GRANT,
    "how": "signed",
    "terms": examples.TERMS,
    **_TIMES,
    "index": 43,
    "state": examples.GRANT_STATE,
    "stopped": False,
}
_WAITING = _DEPOSITED | {"state": None}

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
                        "grantor": examples.GRANTOR,
                        "terms": examples.TERMS,
                        **_TIMES,
                        "deadline": 1764032400,
                    },
                    "signature": examples.SIGNATURE,
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
            "examples": [{"subject": examples.SUBJECT, "terms": examples.WITNESSED_TERMS, **_TIMES}]
        }
    )

    subject: Uuid4
    terms: TermsText
    not_before: Time
    expires_at: Time


class DepositedGrant(Document):
    """A grant whose terms this node has."""

    model_config = ConfigDict(json_schema_extra={"examples": [_DEPOSITED, _WAITING]})

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

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"grant": grant, "receipt": examples.RECEIPT} for grant in (_WAITING, _DEPOSITED)
            ]
        }
    )

    grant: DepositedGrant
    receipt: str


class GrantList(Document):
    """Deposited grants."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"grants": [_DEPOSITED, _WAITING]}]})

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

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "records": [
                        {
                            "record": examples.RECORD,
                            "version": 1,
                            "category": "outpatient-note",
                            "mediaType": "text/plain; charset=utf-8",
                            "claimedAt": examples.TIME,
                            "size": 4384,
                            "manifest": examples.MANIFEST,
                        }
                    ]
                }
            ]
        }
    )

    records: tuple[GrantedRecord, ...]
