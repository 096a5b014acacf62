"""
A grant: one machine-readable permission, given, expired or revoked.

The chain stores a digest of the terms, times and how it was given; grantee, scope and
purpose are inside the terms, off chain. `check_grant` and `check_item` are the only
implementation of the rules: the node asks them before a release, the grantee before a
request, the verifier afterwards. A refusal is a `ConsentError` that names its term.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from xinglin import purposes, typed
from xinglin.appointment import Appointment, Role
from xinglin.document import (
    AddressText,
    Bytes32,
    DigestText,
    Document,
    MemberNumber,
    Salt32,
    ShortText,
    Signature65,
    Time,
    Uuid4,
)
from xinglin.errors import ConsentError, GrantError, InvalidEncoding, SignatureError
from xinglin.hashes import Digest, keccak256
from xinglin.keys import Account
from xinglin.names import Address, GrantId, Member, RecordId, Signature, UnixTime
from xinglin.purposes import RESEARCH_PURPOSE, PurposeOfUse, Research
from xinglin.request import AccessRequest

TERMS = (
    "custodian",
    "terms",
    "enrolment",
    "account-signature",
    "revoked",
    "stopped",
    "expired",
    "not-yet",
    "grantee",
    "purpose",
    "research",
    "scope",
    "view",
    "frequency",
)
"""Every term that can refuse, in the order in which they are asked."""

DAY = 86_400
"""Seconds: `not_before` and `expires_at` are whole days, so that times do not join grants."""

HOUR = 3_600
"""Seconds: `deadline` is a whole hour, for the same reason."""

MAX_DAYS = 3_653
"""Days from giving to expiry at most: ten years."""

WITNESSED_LABEL = b"xinglin/witnessed/v1"

ENTITIES_CATEGORY = "inference"
"""Category of records that a grant with the view `entities` lets out."""

How = Literal["signed", "witnessed"]
"""Given by the grantor's signature, or at the desk before a witness."""

RevokedBy = Literal["nobody", "grantor", "witness", "govern"]
"""Who ended it: the grantor, or the custodian's WITNESS or GOVERN account."""


class TermsSubject(Document):
    """Whose records: the enrolment, and the enrolled account's word for the grantor."""

    enrolment: DigestText
    """Commitment of the enrolment."""
    account: AddressText | None
    """The enrolled account or a proxy; null when witnessed."""
    signature: Signature65 | None
    """Its signature over `GrantAccount(custodian, grantor)`; null when witnessed."""


class Grantee(Document):
    """Who may open. What is not null must match; `project` is shown, not matched."""

    member: MemberNumber
    role: Role | None
    account: AddressText | None
    project: Annotated[str, Field(max_length=500)] | None


class Scope(Document):
    """Which records: by id, or by category; and which of their versions and dates."""

    records: Annotated[tuple[Uuid4, ...], Field(min_length=1, max_length=1000)] | None
    categories: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=64)] | None
    from_: Annotated[Time | None, Field(alias="from")]
    """Records claimed at this time or later; null for no beginning."""
    to: Time | None
    """Records claimed before this time; null for no end."""
    versions: Literal["newest", "all"]


class ResearchTerms(Document):
    """What research is permitted, in DUO terms."""

    permission: ShortText
    modifiers: tuple[ShortText, ...]

    def parse(self) -> Research:
        """Read the terms. Raises `InvalidEncoding`."""
        return Research.parse(",".join(sorted({self.permission, *self.modifiers})))


class Frequency(Document):
    """How often a record may be released under the grant."""

    releases: Annotated[int, Field(ge=1, le=1000)]
    days: Annotated[int, Field(ge=1, le=MAX_DAYS)]


class Terms(Document):
    """What the grantor signed: shown by the wallet, kept off chain, bound by its digest."""

    type: Literal["urn:xinglin:terms:1"]
    sentence: Annotated[str, Field(min_length=1, max_length=2000)]
    """What the patient reads, in their language."""
    salt: Salt32
    subject: TermsSubject
    grantee: Grantee
    scope: Scope
    purposes: Annotated[tuple[PurposeOfUse, ...], Field(min_length=1, max_length=8)]
    research: ResearchTerms | None
    """Not null exactly when research is among the purposes."""
    view: Literal["whole", "deidentified", "entities"]
    frequency: Frequency | None
    onward: bool
    """Whether the grantee may pass on what was opened. Shown, and not enforceable."""
    evidence: DigestText | None
    """Witnessed: manifest digest of the sealed form that was signed at the desk."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What the grantor signs as typed data and the chain registers."""

    custodian: Member
    grantor: Address
    """A fresh account, used for this grant alone."""
    terms: bytes
    """Canonical terms."""
    not_before: UnixTime
    """0, or a whole day."""
    expires_at: UnixTime
    """A whole day."""
    deadline: UnixTime
    """A whole hour: after it the chain refuses to register the grant."""

    def message(self) -> dict[str, object]:
        """The typed data's message."""
        return {
            "custodian": self.custodian,
            "grantor": self.grantor,
            "terms": self.terms.decode(),
            "notBefore": self.not_before,
            "expiresAt": self.expires_at,
            "deadline": self.deadline,
        }


class GrantState(Document):
    """A grant as the chain stores it, readable for ever."""

    custodian: MemberNumber
    grantor: AddressText
    """The WITNESS account when witnessed."""
    terms_digest: Bytes32
    given_at: Time
    not_before: Time
    expires_at: Time
    revoked_at: Time
    """0 if not revoked."""
    how: How
    revoked_by: RevokedBy


@dataclass(frozen=True, slots=True)
class EnrolmentFacts:
    """What is known of the enrolment that the terms name."""

    commitment: Digest
    accounts: Collection[Address]
    """The enrolled account, and proxies alive when the grant was given; empty without a device."""
    anchored_at: UnixTime | None
    """Time of its anchor; None while it has none."""


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What is known of a record that is asked for."""

    record: RecordId
    category: str
    claimed_at: UnixTime
    newest: bool
    """Whether the version asked for is the newest."""
    enrolments: Collection[Digest]
    """Commitments of the record's enrolment, and of those that history joins to it."""
    recent_releases: int
    """Releases of this record under this grant within the grant's period, before this one."""


def grant_id(grant: Grant, consents: typed.Domain) -> GrantId:
    """EIP-712 digest of the whole grant. `consents` is the domain of ConsentRegistry."""
    return GrantId(typed.digest(consents, "Grant", grant.message()))


def witnessed_id(
    custodian: Member,
    terms: bytes,
    *,
    not_before: UnixTime,
    expires_at: UnixTime,
    consents: typed.Domain,
) -> GrantId:
    """Id of a witnessed grant (FORMATS 3): as the contract computes it."""
    words = (
        keccak256(WITNESSED_LABEL),
        typed.separator(consents),
        custodian.to_bytes(32),
        terms_digest(terms),
        not_before.to_bytes(32),
        expires_at.to_bytes(32),
    )
    return GrantId(keccak256(b"".join(words)))


def terms_digest(terms: bytes) -> bytes:
    """keccak256 of canonical terms: what the contract receives, 32 bytes."""
    return keccak256(terms)


def sign_grant(grant: Grant, account: Account, consents: typed.Domain) -> Signature:
    """Sign a grant with the grantor's account. Raises `GrantError` for a form the chain refuses."""
    check_grant_form(grant)
    return typed.sign(consents, "Grant", grant.message(), account)


def sign_revocation(grant: GrantId, account: Account, consents: typed.Domain) -> Signature:
    """Sign the tear-off that ends `grant`; it has no deadline."""
    return typed.sign(consents, "Revocation", {"grantId": grant}, account)


def verify_revocation(
    grant: GrantId, signature: Signature, grantor: Address, consents: typed.Domain
) -> None:
    """Check a revocation. Raises `SignatureError`."""
    typed.verify(consents, "Revocation", {"grantId": grant}, signature, grantor)


def sign_grant_account(
    custodian: Member, grantor: Address, enrolled: Account, consortium: typed.Domain
) -> Signature:
    """Vouch, as the enrolled account, for the fresh account of one grant."""
    message = {"custodian": custodian, "grantor": grantor}
    return typed.sign(consortium, "GrantAccount", message, enrolled)


def check_grant_form(grant: Grant) -> None:
    """Check what the chain will check, and that the terms parse. Raises `GrantError`."""
    try:
        read_terms(grant.terms)
    except ConsentError as error:
        raise GrantError(str(error)) from error
    if grant.not_before % DAY or grant.expires_at % DAY:
        raise GrantError("expected not_before and expires_at at whole days")
    if grant.deadline % HOUR:
        raise GrantError("expected a deadline at a whole hour")
    if grant.expires_at <= grant.not_before:
        raise GrantError("expected expires_at after not_before")


def read_terms(terms: bytes) -> Terms:
    """
    Parse canonical terms and check what the types cannot say.

    Raises `ConsentError` (term `terms`) for terms that do not parse, name neither or both
    of records and categories, repeat or disorder a list, or permit research without saying
    which.
    """
    try:
        parsed = Terms.decode(terms)
        if parsed.research is not None:
            parsed.research.parse()
    except InvalidEncoding as error:
        raise ConsentError("terms", str(error)) from error
    scope = parsed.scope
    if (scope.records is None) == (scope.categories is None):
        raise ConsentError("terms", "expected records or categories")
    for values in (scope.records or (), scope.categories or (), parsed.purposes):
        texts = [str(value) for value in values]
        if texts != sorted(set(texts)):
            raise ConsentError("terms", "expected lists sorted and each value once")
    if (parsed.research is not None) != (RESEARCH_PURPOSE in parsed.purposes):
        raise ConsentError("terms", f"expected research terms exactly with {RESEARCH_PURPOSE}")
    if (parsed.subject.account is None) != (parsed.subject.signature is None):
        raise ConsentError("terms", "expected the subject's account and signature, or neither")
    return parsed


def check_grant(
    terms: bytes,
    state: GrantState,
    *,
    request: AccessRequest,
    appointment: Appointment,
    enrolment: EnrolmentFacts,
    consortium: typed.Domain,
    stopped: bool,
    beginning: UnixTime,
    end: UnixTime,
) -> Terms:
    """
    Check everything about a grant that does not depend on the item asked for.

    `beginning` and `end` are the times for beginnings and ends (DESIGN: clocks); for a past
    release both are the time of its view. Raises `ConsentError`; returns the terms.
    """
    # 1. The grant is the custodian's, and these are its terms: else terms could be swapped
    #    behind the digest, or a grant for one hospital opened at another.
    if not state.custodian == request.custodian:
        raise ConsentError(
            "custodian", f"given for member {state.custodian}, asked of {request.custodian}"
        )
    if terms_digest(terms) != state.terms_digest:
        raise ConsentError("terms", "the terms are not those whose digest the chain has")
    parsed = read_terms(terms)

    # 2. The data subject gave it: else anyone could grant with a fresh account.
    _check_subject(parsed, state, enrolment, consortium)

    # 3. It is alive.
    check_alive(state, stopped=stopped, beginning=beginning, end=end)

    # 4. It was given to this person.
    check_grantee(parsed, appointment)

    # 5. For this purpose.
    if request.purpose not in parsed.purposes:
        raise ConsentError(
            "purpose", f"given for {', '.join(parsed.purposes)}, asked for {request.purpose}"
        )
    if request.purpose == RESEARCH_PURPOSE:
        _check_research(parsed, request)
    return parsed


def check_grantee(terms: Terms, appointment: Appointment) -> None:
    """
    Check that the terms name the person appointed. Raises `ConsentError` (term `grantee`).

    A node asks this alone to decide whether the term that refused may be told.
    """
    grantee = terms.grantee
    if grantee.member != appointment.member:
        raise ConsentError(
            "grantee", f"given to member {grantee.member}, asked by one of {appointment.member}"
        )
    if grantee.role is not None and grantee.role != appointment.role:
        raise ConsentError("grantee", f"given to a {grantee.role}, asked by a {appointment.role}")
    if grantee.account is not None and grantee.account != appointment.account:
        raise ConsentError("grantee", "given to another account")


def check_item(terms: Terms, item: ItemFacts) -> None:
    """
    Check one item against terms that `check_grant` accepted. Raises `ConsentError`.

    The caller treats an item that belongs to another subject (term `enrolment`) as not
    existing, for the grantee must not learn that it does.
    """
    if terms.subject.enrolment not in item.enrolments:
        raise ConsentError("enrolment", "the record belongs to another enrolment")
    scope = terms.scope
    if scope.records is not None and item.record not in scope.records:
        raise ConsentError("scope", "the record is not among those granted")
    if scope.categories is not None and item.category not in scope.categories:
        raise ConsentError("scope", "the record's category is not among those granted")
    if scope.from_ is not None and item.claimed_at < scope.from_:
        raise ConsentError("scope", "the record is older than the grant's range")
    if scope.to is not None and item.claimed_at >= scope.to:
        raise ConsentError("scope", "the record is newer than the grant's range")
    if scope.versions == "newest" and not item.newest:
        raise ConsentError("scope", "granted is the newest version alone")
    if terms.view == "entities" and item.category != ENTITIES_CATEGORY:
        raise ConsentError("view", "granted are the entities found, not the record itself")
    if terms.view == "deidentified":
        raise ConsentError("view", "granted is a de-identified view, and the item is not one")
    if terms.frequency is not None and item.recent_releases >= terms.frequency.releases:
        raise ConsentError(
            "frequency",
            f"granted {terms.frequency.releases} releases in {terms.frequency.days} days",
        )


def _check_subject(
    terms: Terms, state: GrantState, enrolment: EnrolmentFacts, consortium: typed.Domain
) -> None:
    subject = terms.subject
    if subject.enrolment != enrolment.commitment:
        raise ConsentError("enrolment", "the terms name another enrolment")
    if enrolment.anchored_at is None or enrolment.anchored_at > state.given_at:
        raise ConsentError(
            "enrolment",
            f"expected an enrolment anchored by {state.given_at}, got {enrolment.anchored_at}",
        )
    if state.how == "witnessed":
        if subject.account is not None or enrolment.accounts:
            raise ConsentError("account-signature", "an enrolled account signs for itself")
        if terms.evidence is None:
            raise ConsentError("terms", "a witnessed grant needs the evidence of its form")
        return
    if subject.account is None or subject.signature is None:
        raise ConsentError("account-signature", "expected the enrolled account's signature")
    if subject.account not in enrolment.accounts:
        raise ConsentError("account-signature", "signed by an account that was not enrolled")
    message = {"custodian": state.custodian, "grantor": state.grantor}
    try:
        typed.verify(
            consortium,
            "GrantAccount",
            message,
            Signature(subject.signature),
            Address(subject.account),
        )
    except SignatureError as error:
        raise ConsentError("account-signature", str(error)) from error


def check_alive(state: GrantState, *, stopped: bool, beginning: UnixTime, end: UnixTime) -> None:
    """
    Check that a grant was neither ended at `end` nor still to begin at `beginning`.

    Raises `ConsentError` (terms `revoked`, `stopped`, `expired`, `not-yet`, in this order).
    """
    if state.revoked_at != 0 and end >= state.revoked_at:
        raise ConsentError("revoked", f"revoked at {state.revoked_at}, asked at {end}")
    if stopped:
        raise ConsentError("stopped", "a signed revocation was shown")
    if end >= state.expires_at:
        raise ConsentError("expired", f"expired at {state.expires_at}, asked at {end}")
    begins = max(state.given_at, state.not_before)
    if beginning < begins:
        raise ConsentError("not-yet", f"begins at {begins}, asked at {beginning}")


def _check_research(terms: Terms, request: AccessRequest) -> None:
    if terms.research is None:
        raise ConsentError("research", "no research was granted")
    try:
        intended = Research.parse(request.research)
    except InvalidEncoding as error:
        raise ConsentError("research", str(error)) from error
    purposes.covers(terms.research.parse(), intended)
