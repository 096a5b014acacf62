"""
A request to open records, from its signature to the wraps (docs/spec/access.md).

The steps have the numbers of that document; whatever does not hold stops the request:

1. its form                        7. who asks, at that view
2. it is for this custodian        8. the ground, and 9. the items
3. who signed                      10. written and synced, in one transaction
4. not asked before                11. the stop list once more
5. in time                         12. wrapped, and answered
6. one final view for all below

Between 9 and 10 nothing has left and nothing is known outside; after 10 the entry stands,
whatever happens to the answer. A key is unwrapped in step 12 and nowhere else.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from xinglin import typed
from xinglin.errors import AppointmentError, InvalidEncoding, SignatureError
from xinglin.grant import read_terms
from xinglin.keys import key_digest
from xinglin.names import Address, GrantId, RequestId, SubjectId, UnixTime
from xinglin.request import (
    NO_GRANT,
    NO_REASON,
    AccessRequest,
    SignedRequest,
    check_form,
    check_time,
    requester,
)
from xinglin.statement import reason_digest
from xinglin_node.access.decision import (
    Asked,
    Decision,
    GrantCase,
    decide_for_care,
    decide_for_grant,
    decide_for_subject,
    decide_for_system,
)
from xinglin_node.access.enrolments import enrolment_named, enrolments_of, facts_of
from xinglin_node.access.facts import Moment, moment_of, require_appointment
from xinglin_node.access.release import FrequencyReached, answer_logged, log
from xinglin_node.access.repository import (
    find_grant,
    find_request,
    held_items,
    is_stopped,
    releases_within,
)
from xinglin_node.access.schemas import AccessAnswer, AccessAsked
from xinglin_node.chain.view import grant_of
from xinglin_node.house import NodeHouse
from xinglin_node.problems import Conflict, CredentialRefused, NotFound, RuleBroken

MAX_ATTEMPTS = 3
"""How often a decision is made again because another request took the last release."""

CLOCK_SECONDS = 5
"""How far ahead of ours the clock may be that issued a request."""


@dataclass(frozen=True, slots=True)
class Requester:
    """Who signed a request, and for which key."""

    account: Address
    asked: AccessAsked
    digest: bytes
    """EIP-712 digest of the request."""

    @property
    def request(self) -> AccessRequest:
        """What was signed."""
        return self.asked.request


def answer(house: NodeHouse, asked: AccessAsked) -> AccessAnswer:
    """
    Release what `asked` may have. Raises the problem that stops it.

    The same request again gets the same answer, until its deadline or its grant's end.
    """
    if asked.request.ground == "system":
        # The node's own methods do not come over HTTP: `log_for_system` is their way.
        raise RuleBroken("the ground subject, care or grant", "system")
    if asked.request.ground in ("emergency", "law"):
        raise RuleBroken("the ground subject, care or grant", asked.request.ground)
    who = _identify(house, asked)
    for _ in range(MAX_ATTEMPTS):
        with house.database.reading() as session:
            known = find_request(session, RequestId(who.request.id))
            moment = moment_of(session, house.now())
            if known is not None:
                # 4. The id is a nonce. What was answered is answered again, while it may be.
                if known.digest != who.digest:
                    raise Conflict("the request that has this id", "another with the same id")
                _check_time(who.request, moment)
                _check_person(session, house, who, moment)
                return answer_logged(house, AccessAnswer.decode(known.answer.encode()), who.asked)
            _check_time(who.request, moment)
            decision = _decide(session, house, who, moment)
        if not decision.chosen and not decision.kept:
            raise NotFound("records that may be asked for", "none")
        try:
            answered = log(
                house,
                who.asked,
                account=who.account,
                digest=who.digest,
                decision=decision,
                moment=moment,
            )
        except FrequencyReached:
            continue
        return answer_logged(house, answered, who.asked)
    raise Conflict("a release that no other request takes at once", "many")


def log_for_system(house: NodeHouse, asked: AccessAsked) -> AccessAnswer:
    """
    Log that a method of the node uses the keys of these records; nothing leaves.

    The request is signed by the node's own account, whose appointment goes with it.
    Raises as `answer`; once it returns, the entry is durable.
    """
    who = _identify(house, asked)
    if asked.request.ground != "system" or who.account != house.keys.system.address:
        raise RuleBroken("the ground system, and the node's own account", "another")
    with house.database.reading() as session:
        moment = moment_of(session, house.now())
        _check_time(who.request, moment)
        decision = _decide(session, house, who, moment)
    return log(
        house,
        who.asked,
        account=who.account,
        digest=who.digest,
        decision=decision,
        moment=moment,
    )


def _identify(house: NodeHouse, asked: AccessAsked) -> Requester:
    """Steps 1 to 3: what needs neither a database nor the chain."""
    request = asked.request
    # 1. Form, first: what cannot be meant costs nothing.
    check_form(request)
    try:
        digest_of_key = key_digest(asked.public_key)
    except InvalidEncoding as error:
        raise RuleBroken("a public key of 1,216 bytes", "another") from error
    if digest_of_key != request.key_digest:
        raise RuleBroken("the public key that keyDigest names", "another")
    shown = reason_digest(asked.reason) if asked.reason is not None else NO_REASON
    if shown != request.reason_digest:
        raise RuleBroken("the reason that reasonDigest names", "another")
    if (asked.appointment is None) != (request.ground == "subject"):
        raise RuleBroken("an appointment on every ground but subject", "the opposite")
    # 2. A request for another hospital is not replayed here.
    if request.custodian != house.member:
        raise RuleBroken(f"custodian {house.member}", str(request.custodian))
    # 3. Who signed: nobody else's request can be made up, nor this one denied.
    try:
        account = requester(SignedRequest(request=request, signature=asked.signature), house.domain)
    except SignatureError as error:
        raise CredentialRefused("the signature of who asks", "another form of one") from error
    if asked.appointment is not None:
        appointment = asked.appointment.appointment
        if appointment.account != account:
            raise CredentialRefused("the signature of the person appointed", "another")
        if appointment.key_digest != request.key_digest:
            raise RuleBroken("the key of the appointment", "another")
    digest = typed.digest(house.domain, "AccessRequest", request.message())
    return Requester(account, asked, digest)


def _check_time(request: AccessRequest, moment: Moment) -> None:
    # 5. Ends: the later of both clocks. Issuing ahead of time would stretch the deadline.
    check_time(request, moment.end)
    if request.issued_at > moment.now + CLOCK_SECONDS:
        raise RuleBroken("a request issued by now", f"{request.issued_at - moment.now} s ahead")


def _decide(session: Session, house: NodeHouse, who: Requester, moment: Moment) -> Decision:
    """Steps 6 to 9, in one session: everything is from one view."""
    request = who.request
    # 6. A grant is judged on a fresh view alone (I4); the other grounds state an older one.
    if request.ground == "grant":
        moment.require_fresh(house.profile.max_view_age)
    # 7. The appointment, at this view.
    _check_person(session, house, who, moment)
    # 8. and 9. The ground, and what it lets out.
    asked = held_items(session, request.items)
    if request.ground == "subject":
        subject = _own_file(session, who, asked, moment)
        return decide_for_subject(request, asked, subject)
    if who.asked.appointment is None:
        raise AppointmentError("expected an appointment")
    appointment = who.asked.appointment.appointment
    if request.ground == "care":
        return decide_for_care(request, asked, appointment, house.member)
    if request.ground == "system":
        return decide_for_system(asked)
    case = grant_case(session, house, GrantId(request.grant_id), moment)
    return decide_for_grant(request, asked, appointment, case)


def _check_person(session: Session, house: NodeHouse, who: Requester, moment: Moment) -> None:
    if who.asked.appointment is None:
        return
    try:
        require_appointment(session, who.asked.appointment, moment, house.domain)
    except SignatureError as error:
        raise CredentialRefused("an appointment that an officer signed", "another") from error


def _own_file(session: Session, who: Requester, asked: Asked, moment: Moment) -> SubjectId:
    """The file whose enrolment in force names the account that signed. Raises `NotFound`."""
    subjects = {held.subject for _, held in asked if held is not None and held.subject is not None}
    for subject in subjects:
        enrolled = enrolments_of(session, subject)
        if enrolled and who.account in enrolled[-1].accounts_at(moment.end):
            statement = enrolled[-1].statement
            # A proxy has a key of their own, which their signature over the request names.
            own = who.account == statement.account
            if own and statement.key_digest != who.request.key_digest:
                raise RuleBroken("the key of the enrolment", "another")
            return subject
    raise NotFound("records of this account's file", "none")


def grant_case(session: Session, house: NodeHouse, grant: GrantId, moment: Moment) -> GrantCase:
    """
    Everything known of a deposited grant at this moment.

    Raises `NotFound` where no terms were deposited: a digest on chain opens nothing.
    """
    row = find_grant(session, grant)
    if row is None or grant == NO_GRANT:
        raise NotFound("a grant that was deposited here", "none")
    subject = SubjectId(row.subject)
    state = grant_of(session, grant)
    given_at = moment.view.time if state is None else UnixTime(state.given_at)
    enrolled = enrolment_named(session, read_terms(row.terms).subject.enrolment)
    if enrolled is None or enrolled.subject != subject:
        raise NotFound("a grant that was deposited here", "one whose enrolment is gone")
    return GrantCase(
        terms=row.terms,
        state=state,
        subject=subject,
        enrolment=facts_of(session, enrolled, custodian=house.member, given_at=given_at),
        joined=tuple(one.commitment for one in enrolments_of(session, subject)),
        # Once the chain has the revocation, that is the term, with its time.
        stopped=is_stopped(session, grant) and not (state is not None and state.revoked_at),
        consortium=house.domain,
        beginning=moment.beginning,
        end=moment.end,
        releases=lambda record, days: releases_within(
            session, grant, record, days=days, now=moment.now
        ),
    )
