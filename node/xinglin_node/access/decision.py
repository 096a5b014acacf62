"""
Which items a ground lets out, and the term that keeps in each other one.

Values in, values out: no database, no clock, no network. What a grant says is judged by
`xinglin.grant`, the only implementation of its rules; here stands what only a node can
know, which is whose a record is and who may be told why it stays closed.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from xinglin import typed
from xinglin.appointment import CARE_ROLES, Appointment
from xinglin.errors import ConsentError
from xinglin.grant import (
    EnrolmentFacts,
    GrantState,
    ItemFacts,
    Terms,
    check_grant,
    check_grantee,
    check_item,
    read_terms,
)
from xinglin.hashes import Digest
from xinglin.names import Member, RecordId, SubjectId, UnixTime
from xinglin.purposes import PurposeOfUse
from xinglin.request import AccessRequest, Item
from xinglin_node.problems import NotAppointed, NotFound, RuleBroken

SUBJECT_PURPOSE: PurposeOfUse = "PATRQT"
"""For what a data subject opens their own records."""

CARE_PURPOSE: PurposeOfUse = "TREAT"
"""For what care staff open their institution's records without a grant."""


@dataclass(frozen=True, slots=True)
class Held:
    """A version of a record that this node keeps."""

    record: RecordId
    version: int
    newest: bool
    subject: SubjectId | None
    """Whose it is; None if it is about nobody."""
    manifest: Digest
    category: str
    media_type: str
    claimed_at: UnixTime
    size: int
    generation: int
    index: int
    """Where its record entry stands in the log."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """An item that is released."""

    position: int
    held: Held


@dataclass(frozen=True, slots=True)
class Kept:
    """An item that is not released, with the term that refused it."""

    position: int
    item: Item
    term: str
    told: bool
    """Whether the requester may read the term; else the item does not exist for them."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes of one request. Positions in neither tuple are not found, and leave no trace."""

    subject: SubjectId | None
    chosen: tuple[Chosen, ...] = ()
    kept: tuple[Kept, ...] = ()


@dataclass(frozen=True, slots=True)
class GrantCase:
    """Everything that is known of the grant a request names."""

    terms: bytes
    state: GrantState | None
    """As the chain stores it at the view; None if it was never given."""
    subject: SubjectId
    enrolment: EnrolmentFacts
    joined: Collection[Digest]
    """Commitments of the subject's enrolments here: one file, however often enrolled."""
    stopped: bool
    consortium: typed.Domain
    beginning: UnixTime
    end: UnixTime
    releases: Callable[[RecordId, int], int] = field(repr=False)
    """How often a record was released under the grant within that many days."""


Asked = Sequence[tuple[Item, Held | None]]
"""The items in order, each with what the node has for it."""


def decide_for_subject(request: AccessRequest, asked: Asked, subject: SubjectId) -> Decision:
    """Ground `subject`: all of one's own. Raises `RuleBroken` for another purpose."""
    _require_purpose(request, SUBJECT_PURPOSE)
    return Decision(
        subject,
        tuple(
            Chosen(position, held)
            for position, (_, held) in enumerate(asked)
            if held is not None and held.subject == subject
        ),
    )


def decide_for_care(
    request: AccessRequest, asked: Asked, appointment: Appointment, custodian: Member
) -> Decision:
    """
    Ground `care`: what the custodian's own care staff treat with.

    Raises `NotAppointed` for all others, `RuleBroken` for another purpose and for items
    of more than one subject.
    """
    if appointment.member != custodian or appointment.role not in CARE_ROLES:
        raise NotAppointed("a physician, nurse or pharmacist of this custodian", appointment.role)
    _require_purpose(request, CARE_PURPOSE)
    return _of_one_subject(asked)


def decide_for_system(asked: Asked) -> Decision:
    """Ground `system`: a method of the node itself. Raises `RuleBroken` for two subjects."""
    return _of_one_subject(asked)


def decide_for_grant(
    request: AccessRequest, asked: Asked, appointment: Appointment, case: GrantCase
) -> Decision:
    """
    Ground `grant`: what the terms and the chain let out at this view.

    Never raises for a refusal: each refused item of the grant's subject is kept with its
    term, so that it can be logged. Items of others are left out.
    """
    mine = [
        (position, item, held)
        for position, (item, held) in enumerate(asked)
        if held is not None and held.subject == case.subject
    ]
    refused_all: ConsentError | None = None
    terms: Terms | None
    try:
        terms = _check_whole(request, appointment, case)
    except ConsentError as error:
        refused_all = error
        terms = _terms_or_none(case.terms)

    told = terms is not None and _names(terms, appointment)
    chosen: list[Chosen] = []
    kept: list[Kept] = []
    for position, item, held in mine:
        of_item = ConsentError("terms", "unreadable") if terms is None else None
        if terms is not None:
            try:
                check_item(terms, _facts(held, terms, case))
            except ConsentError as error:
                of_item = error
        refused = refused_all or of_item
        if refused is None:
            chosen.append(Chosen(position, held))
            continue
        in_scope = of_item is None or of_item.term not in ("scope", "enrolment")
        kept.append(Kept(position, item, refused.term, told=told and in_scope))
    return Decision(case.subject, tuple(chosen), tuple(kept))


def _check_whole(request: AccessRequest, appointment: Appointment, case: GrantCase) -> Terms:
    if case.state is None:
        raise ConsentError("not-yet", "the grant has not been given on chain")
    return check_grant(
        case.terms,
        case.state,
        request=request,
        appointment=appointment,
        enrolment=case.enrolment,
        consortium=case.consortium,
        stopped=case.stopped,
        beginning=case.beginning,
        end=case.end,
    )


def _facts(held: Held, terms: Terms, case: GrantCase) -> ItemFacts:
    days = terms.frequency.days if terms.frequency is not None else 0
    return ItemFacts(
        record=held.record,
        category=held.category,
        claimed_at=held.claimed_at,
        newest=held.newest,
        enrolments=case.joined,
        recent_releases=case.releases(held.record, days) if days else 0,
    )


def _terms_or_none(terms: bytes) -> Terms | None:
    try:
        return read_terms(terms)
    except ConsentError:
        return None


def _names(terms: Terms, appointment: Appointment) -> bool:
    try:
        check_grantee(terms, appointment)
    except ConsentError:
        return False
    return True


def _of_one_subject(asked: Asked) -> Decision:
    chosen = tuple(
        Chosen(position, held) for position, (_, held) in enumerate(asked) if held is not None
    )
    subjects = {one.held.subject for one in chosen}
    if len(subjects) > 1:
        raise RuleBroken("items of one subject", f"items of {len(subjects)}")
    if not chosen:
        raise NotFound("a record of this node", "none")
    return Decision(subjects.pop(), chosen)


def _require_purpose(request: AccessRequest, purpose: PurposeOfUse) -> None:
    if request.purpose != purpose:
        raise RuleBroken(f"the purpose {purpose} on the ground {request.ground}", request.purpose)
