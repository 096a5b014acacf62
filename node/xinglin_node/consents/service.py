"""
Taking in a grant, so that what it says is known before the first release under it.

Steps, each with what it prevents:

1. The form is one the chain takes, and the grant is this custodian's: nothing is relayed
   that must revert.
2. The fresh account signed the grant (or the desk witnesses): terms cannot be made up.
3. The terms name the enrolment in force of one subject here, and the enrolled account, or
   a proxy alive today, signed for the fresh account: else anyone could grant.
4. That enrolment is anchored, in a final block, and by the time the grant was given: else
   an enrolment could be made for a grant that is there already.
5. The grant is neither stopped nor at its end.
6. The deposit, its entry in the subject's history, and the transaction that gives the
   grant where the chain does not have it yet, are written in one transaction.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from xinglin import typed
from xinglin.errors import ConsentError, GrantError, SignatureError
from xinglin.grant import (
    DAY,
    MAX_DAYS,
    Grant,
    GrantState,
    How,
    ItemFacts,
    Terms,
    check_grant_form,
    check_item,
    grant_id,
    read_terms,
    witnessed_id,
)
from xinglin.hashes import Digest
from xinglin.names import Address, GrantId, Member, Signature, SubjectId, UnixTime
from xinglin.statement import GrantDeposit, Statement, Subject, attest, new_salt
from xinglin_node.access.decision import Held
from xinglin_node.access.enrolments import Enrolled, enrolment_named, enrolments_of, facts_of
from xinglin_node.access.facts import Moment, moment_of
from xinglin_node.access.repository import (
    ended_term,
    held_of_subject,
    is_stopped,
    releases_within,
)
from xinglin_node.authority import Appointed, Person
from xinglin_node.chain.view import grant_of
from xinglin_node.consents.outgoing import (
    give_payload,
    queue_transaction,
    relay_at,
    witness_payload,
)
from xinglin_node.consents.repository import grant_for, grants_of
from xinglin_node.consents.schemas import (
    Deposit,
    DepositedGrant,
    GrantedRecord,
    GrantedRecords,
    GrantGiven,
    GrantList,
    GrantWitnessed,
)
from xinglin_node.consents.tables import GrantRow
from xinglin_node.house import NodeHouse
from xinglin_node.log.repository import read_entry
from xinglin_node.log.service import logged_receipt
from xinglin_node.log.unit import PendingEntry, Write
from xinglin_node.problems import GrantRefused, NotFound, RuleBroken


@dataclass(frozen=True, slots=True)
class _Transaction:
    """What must reach the chain for the grant to be given."""

    account: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class _Checked:
    """A grant that may be deposited."""

    id: GrantId
    how: How
    grantor: Address
    terms: bytes
    parsed: Terms
    not_before: UnixTime
    expires_at: UnixTime
    subject: SubjectId
    transaction: _Transaction | None


def deposit(house: NodeHouse, given: GrantGiven) -> tuple[Deposit, bool]:
    """
    Take in a signed grant; relay it where the chain does not have it.

    Returns the deposit and whether it is new. Raises `RuleBroken` for what can never be
    given, and `NotFound` for an enrolment that this node does not know.
    """
    grant = given.grant.grant()
    # 1. Form.
    check_grant_form(grant)
    if grant.custodian != house.member:
        raise RuleBroken(f"custodian {house.member}", str(grant.custodian))
    # 2. The fresh account.
    try:
        typed.verify(
            house.consents_domain,
            "Grant",
            grant.message(),
            Signature(given.signature),
            grant.grantor,
        )
    except SignatureError as error:
        raise RuleBroken("the grant signed by its grantor", "another signature") from error
    known = _deposited(house, grant_id(grant, house.consents_domain))
    if known is not None:
        return _again(house, known), False
    with house.database.reading() as session:
        checked = _check_signed(session, house, grant, Signature(given.signature))
    return _write(house, checked), True


def witness(house: NodeHouse, desk: Appointed, given: GrantWitnessed) -> tuple[Deposit, bool]:
    """
    Give a grant on the word of the desk, for a subject whose enrolment names no account.

    Raises `RuleBroken` where this node holds no WITNESS account or the subject signs for
    themselves, and `NotFound` for a subject that it does not know.
    """
    account = house.keys.witness
    if account is None:
        raise RuleBroken("a node with a WITNESS account", "none")
    terms = given.terms.encode()
    parsed = _read(terms)
    _check_days(UnixTime(given.not_before), UnixTime(given.expires_at), house.now())
    identity = witnessed_id(
        house.member,
        terms,
        not_before=UnixTime(given.not_before),
        expires_at=UnixTime(given.expires_at),
        consents=house.consents_domain,
    )
    if parsed.evidence is None:
        raise RuleBroken("the evidence of the form signed at the desk", "none")
    known = _deposited(house, identity)
    if known is not None:
        return _again(house, known), False
    with house.database.reading() as session:
        enrolled = _enrolment_in_force(session, parsed)
        if enrolled.subject != given.subject or desk.member != house.member:
            raise NotFound("a subject of this node", "another")
        if enrolled.statement.account is not None or parsed.subject.account is not None:
            raise RuleBroken("a subject whose enrolment names no account", "one who signs")
        _require_anchored(session, house, enrolled, moment_of(session, house.now()), None)
    payload = witness_payload(
        terms, not_before=UnixTime(given.not_before), expires_at=UnixTime(given.expires_at)
    )
    checked = _Checked(
        id=identity,
        how="witnessed",
        grantor=account.address,
        terms=terms,
        parsed=parsed,
        not_before=UnixTime(given.not_before),
        expires_at=UnixTime(given.expires_at),
        subject=enrolled.subject,
        transaction=_Transaction("witness", payload),
    )
    return _write(house, checked), True


def _deposited(house: NodeHouse, grant: GrantId) -> GrantRow | None:
    with house.database.reading() as session:
        return session.get(GrantRow, grant)


def list_grants(house: NodeHouse, person: Person) -> GrantList:
    """The grants that `person` gave, or that name `person`."""
    with house.database.reading() as session:
        rows = grants_of(session, person)
        return GrantList(grants=tuple(_shown(session, row) for row in rows))


def show_grant(house: NodeHouse, person: Person, grant: GrantId) -> DepositedGrant:
    """One grant of `person`'s. Raises `NotFound`."""
    with house.database.reading() as session:
        return _shown(session, grant_for(session, person, grant))


def granted_records(house: NodeHouse, person: Person, grant: GrantId) -> GrantedRecords:
    """The records in a grant's scope: to ask for, or to see what one has given."""
    with house.database.reading() as session:
        row = grant_for(session, person, grant)
        if isinstance(person, Appointed):
            # What a grantee may not ask for any more, they may not list either.
            term = ended_term(session, grant, end=moment_of(session, house.now()).end)
            if term is not None:
                raise GrantRefused(term, "a grant that is alive")
        terms = read_terms(row.terms)
        subject = SubjectId(row.subject)
        joined = tuple(one.commitment for one in enrolments_of(session, subject))
        now = house.now()
        found: list[GrantedRecord] = []
        for held in held_of_subject(session, subject):
            days = terms.frequency.days if terms.frequency is not None else 0
            recent = releases_within(session, grant, held.record, days=days, now=now)
            if _in_scope(terms, held, joined, recent if days else 0):
                found.append(_record(held))
    return GrantedRecords(records=tuple(found))


def _in_scope(terms: Terms, held: Held, joined: tuple[Digest, ...], recent: int) -> bool:
    try:
        check_item(
            terms,
            ItemFacts(
                record=held.record,
                category=held.category,
                claimed_at=held.claimed_at,
                newest=held.newest,
                enrolments=joined,
                recent_releases=recent,
            ),
        )
    except ConsentError:
        return False
    return True


def _record(held: Held) -> GrantedRecord:
    return GrantedRecord(
        record=held.record,
        version=held.version,
        category=held.category,
        media_type=held.media_type,
        claimed_at=held.claimed_at,
        size=held.size,
        manifest=held.manifest,
    )


def _check_signed(
    session: Session, house: NodeHouse, grant: Grant, signature: Signature
) -> _Checked:
    """Steps 3 to 5 of a signed grant."""
    moment = moment_of(session, house.now())
    parsed = _read(grant.terms)
    # 3. The enrolment in force, and its account's word for the fresh one.
    enrolled = _enrolment_in_force(session, parsed)
    account, word = parsed.subject.account, parsed.subject.signature
    if account is None or word is None or account not in enrolled.accounts_at(moment.end):
        raise RuleBroken("the signature of the enrolled account", "none, or another's")
    try:
        typed.verify(
            house.domain,
            "GrantAccount",
            {"custodian": grant.custodian, "grantor": grant.grantor},
            Signature(word),
            Address(account),
        )
    except SignatureError as error:
        raise RuleBroken("the enrolled account's word for the grantor", "another") from error
    # 4. Anchored, and before the grant was given.
    identity = grant_id(grant, house.consents_domain)
    state = grant_of(session, identity)
    _require_anchored(session, house, enrolled, moment, state)
    # 5. Not at its end.
    if is_stopped(session, identity) or (state is not None and state.revoked_at):
        raise RuleBroken("a grant that was not revoked", "a revoked one")
    _check_days(grant.not_before, grant.expires_at, moment.end)
    transaction = None
    if state is None:
        if moment.end >= grant.deadline:
            raise RuleBroken("a grant whose deadline has not passed", "a later one")
        transaction = _Transaction("anchor", give_payload(grant, signature))
    return _Checked(
        id=identity,
        how="signed",
        grantor=grant.grantor,
        terms=grant.terms,
        parsed=parsed,
        not_before=grant.not_before,
        expires_at=grant.expires_at,
        subject=enrolled.subject,
        transaction=transaction,
    )


def _enrolment_in_force(session: Session, terms: Terms) -> Enrolled:
    named = enrolment_named(session, terms.subject.enrolment)
    if named is None:
        raise NotFound("an enrolment of this node", "another")
    in_force = enrolments_of(session, named.subject)[-1]
    if in_force.commitment != named.commitment:
        raise RuleBroken("the enrolment in force", "an earlier one")
    return named


def _require_anchored(
    session: Session,
    house: NodeHouse,
    enrolled: Enrolled,
    moment: Moment,
    state: GrantState | None,
) -> None:
    given_at = moment.view.time if state is None else UnixTime(state.given_at)
    facts = facts_of(session, enrolled, custodian=Member(house.member), given_at=given_at)
    if facts.anchored_at is None or facts.anchored_at > given_at:
        raise RuleBroken("an enrolment anchored before the grant is given", "a later one")


def _check_days(not_before: UnixTime, expires_at: UnixTime, now: UnixTime) -> None:
    if not_before % DAY or expires_at % DAY:
        raise RuleBroken("notBefore and expiresAt at whole days", "other times")
    if expires_at <= max(now, not_before):
        raise RuleBroken("an end after now and after the beginning", "an earlier one")
    if expires_at > now + MAX_DAYS * DAY:
        raise RuleBroken(f"an end within {MAX_DAYS} days", "a later one")


def _read(terms: bytes) -> Terms:
    try:
        return read_terms(terms)
    except ConsentError as error:
        raise GrantError(str(error)) from error


def _write(house: NodeHouse, checked: _Checked) -> Deposit:
    """Step 6."""
    statement = Statement(
        (Subject(name="grant", digest=Digest.of(checked.terms)),),
        GrantDeposit(
            grant_id=checked.id,
            terms=checked.terms.decode(),
            how=checked.how,
            claimed_at=house.now(),
        ),
    )
    attestation = attest(statement, house.keys.system, house.domain)

    def work(write: Write) -> GrantRow:
        known = write.session.get(GrantRow, checked.id)
        if known is not None:
            return known
        sequenced = write.append(
            PendingEntry(
                attestation=attestation.encode(),
                salt=new_salt(),
                kind="grant",
                subject=checked.subject,
            )
        )
        row = GrantRow(
            id=checked.id,
            subject=checked.subject,
            grantor=checked.grantor,
            how=checked.how,
            terms=checked.terms,
            not_before=checked.not_before,
            expires_at=checked.expires_at,
            grantee_member=checked.parsed.grantee.member,
            generation=write.generation,
            index=sequenced.index,
        )
        if checked.transaction is not None:
            queue_transaction(
                write,
                house,
                key=f"give:{checked.id.hex()}",
                account=checked.transaction.account,
                payload=checked.transaction.payload,
                not_before=relay_at(write, house, checked.subject),
            )
        write.session.add(row)
        return row

    return _again(house, house.writer.submit(work).result())


def _again(house: NodeHouse, row: GrantRow) -> Deposit:
    with house.database.reading() as session:
        shown = _shown(session, row)
        entry = read_entry(session, row.generation, row.index)
    return Deposit(grant=shown, receipt=logged_receipt(house, entry))


def _shown(session: Session, row: GrantRow) -> DepositedGrant:
    return DepositedGrant(
        grant_id=row.id,
        how="signed" if row.how == "signed" else "witnessed",
        terms=row.terms.decode(),
        not_before=row.not_before,
        expires_at=row.expires_at,
        index=row.index,
        state=grant_of(session, GrantId(row.id)),
        stopped=is_stopped(session, GrantId(row.id)),
    )
