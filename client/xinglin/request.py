"""
An access request: what a person asks to open, signed by that person.

It becomes part of the access statement, so that the institution cannot invent an opening
and the person cannot deny one. Its id is its nonce.
"""

from typing import Annotated, Literal

from pydantic import Field

from xinglin import typed
from xinglin.document import (
    Bytes32,
    Document,
    MemberNumber,
    Signature65,
    Time,
    Uuid4,
)
from xinglin.errors import InvalidEncoding, RequestError
from xinglin.keys import Account
from xinglin.names import Address, Signature
from xinglin.purposes import RESEARCH_PURPOSE, PurposeOfUse, Research

Ground = Literal["subject", "care", "grant", "emergency", "law", "system"]
"""Why a data key may be used or leave (I4)."""

MAX_ITEMS = 1000
"""Items of one request; what an answer can hold and a statement can list."""

MAX_WAIT = 600
"""Seconds from `issued_at` to `deadline` at most, so that an old request is never replayed."""

NO_GRANT = bytes(32)
"""`grant_id` of a request on any ground but `grant`."""

NO_REASON = bytes(32)
"""`reason_digest` of a request without a free text."""


class Item(Document):
    """One record to open, in one version."""

    record: Uuid4
    version: Annotated[int, Field(ge=0, lt=2**32)]
    """0 asks for the newest."""


class AccessRequest(Document):
    """What is asked, on which ground, for what, and for which key."""

    id: Bytes32
    custodian: MemberNumber
    ground: Ground
    grant_id: Bytes32
    purpose: PurposeOfUse
    research: Annotated[str, Field(max_length=1024)]
    """DUO terms, sorted and joined by commas, for the purpose HRESCH; else empty."""
    reason_digest: Bytes32
    items: Annotated[tuple[Item, ...], Field(min_length=1, max_length=MAX_ITEMS)]
    key_digest: Bytes32
    """The key to wrap for: the appointment's, or the enrolment's."""
    issued_at: Time
    deadline: Time

    def message(self) -> dict[str, object]:
        """The typed data's message."""
        return {
            "id": self.id,
            "custodian": self.custodian,
            "ground": self.ground,
            "grantId": self.grant_id,
            "purpose": self.purpose,
            "research": self.research,
            "reasonDigest": self.reason_digest,
            "items": [
                {"record": item.record.bytes, "version": item.version} for item in self.items
            ],
            "keyDigest": self.key_digest,
            "issuedAt": self.issued_at,
            "deadline": self.deadline,
        }


class SignedRequest(Document):
    """An access request and its author's signature."""

    request: AccessRequest
    signature: Signature65


def sign_request(request: AccessRequest, account: Account, domain: typed.Domain) -> SignedRequest:
    """Sign `request`, after checking its form. Raises `RequestError`."""
    check_form(request)
    signature = typed.sign(domain, "AccessRequest", request.message(), account)
    return SignedRequest(request=request, signature=signature)


def requester(signed: SignedRequest, domain: typed.Domain) -> Address:
    """Recover who signed. Raises `SignatureError` for a signature in any but its one form."""
    return typed.recover(
        domain, "AccessRequest", signed.request.message(), Signature(signed.signature)
    )


def check_form(request: AccessRequest) -> None:
    """
    Check the rules that need no one else's word. Raises `RequestError`.

    What the type cannot say: a grant is named iff the ground is `grant`; research terms
    stand iff the purpose is research; no item twice; a deadline soon after issuing.
    """
    if (request.grant_id != NO_GRANT) != (request.ground == "grant"):
        raise RequestError("expected a grant exactly on the ground grant")
    if (request.research != "") != (request.purpose == RESEARCH_PURPOSE):
        raise RequestError(f"expected research terms exactly for the purpose {RESEARCH_PURPOSE}")
    if request.research:
        try:
            Research.parse(request.research)
        except InvalidEncoding as error:
            raise RequestError(f"research: {error}") from error
    if len({(item.record, item.version) for item in request.items}) != len(request.items):
        raise RequestError("expected each item once")
    if not request.issued_at < request.deadline <= request.issued_at + MAX_WAIT:
        raise RequestError(
            f"expected a deadline at most {MAX_WAIT} s after issuing, "
            f"got {request.deadline - request.issued_at} s"
        )


def check_time(request: AccessRequest, now: int) -> None:
    """
    Check that a request is alive at `now`. Raises `RequestError`.

    `now` is the later of the wall clock and the final block's time, as for every end; the
    same limit keeps a request from being made far ahead of time.
    """
    if now >= request.deadline:
        raise RequestError(f"the deadline {request.deadline} has passed at {now}")
    if request.issued_at > now + MAX_WAIT:
        raise RequestError(f"issued at {request.issued_at}, which lies ahead of {now}")
