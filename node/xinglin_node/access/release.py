"""
What was decided becomes entries, and then wraps: steps 10 to 12 of a request.

`log` writes one access entry for what is released and one refusal entry for the rest,
with the request's row, in one transaction with the tag's counter. `answer_logged`
comes after its sync: only it uses a key.
"""

from collections.abc import Mapping

from sqlalchemy import select

from xinglin.envelope import unwrap, wrap_for
from xinglin.grant import read_terms
from xinglin.hashes import Digest
from xinglin.keys import HpkeRecipient
from xinglin.names import Address, GrantId, RecordId, RequestId, UnixTime
from xinglin.request import NO_GRANT
from xinglin.statement import (
    Access,
    Attestation,
    Refusal,
    RefusedItem,
    Statement,
    Subject,
    attest,
    new_salt,
)
from xinglin_node.access.decision import Chosen, Decision
from xinglin_node.access.facts import Moment, moment_of
from xinglin_node.access.persons import keep_appointment
from xinglin_node.access.repository import (
    custodian_wrap,
    disclosures_at,
    ended_term,
    find_grant,
    find_request,
    forget_old_wraps,
    forget_wraps_of,
    releases_of,
    releases_within,
    store_wraps,
)
from xinglin_node.access.schemas import (
    AccessAnswer,
    AccessAsked,
    AnswerItem,
    Receipts,
    Released,
)
from xinglin_node.access.tables import ReleaseRow, RequestRow
from xinglin_node.health.observed import count_decision
from xinglin_node.house import NodeHouse
from xinglin_node.log.service import receipt_of
from xinglin_node.log.tables import HistoryRow
from xinglin_node.log.unit import PendingEntry, Sequenced, Write
from xinglin_node.problems import Conflict, Erased, GrantRefused, NotFound


class FrequencyReached(Exception):
    """Another request took the last release meanwhile; the decision is made again."""


def log(
    house: NodeHouse,
    asked: AccessAsked,
    *,
    account: Address,
    digest: bytes,
    decision: Decision,
    moment: Moment,
) -> AccessAnswer:
    """
    Step 10: write the access entry, the refusal entry and the request, and sync them.

    Returns the answer without its wraps. Raises `FrequencyReached` if the decision rests on
    a count that has moved, and `Conflict` if the id was taken by another request meanwhile.
    """
    statements = _Statements(house, asked, decision, moment)
    grant = GrantId(asked.request.grant_id) if asked.request.grant_id != NO_GRANT else None

    def work(write: Write) -> AccessAnswer:
        known = find_request(write.session, RequestId(asked.request.id))
        if known is not None:
            # Two copies of one request at once: the first to be written is the answer.
            if known.digest != digest:
                raise Conflict("the request that has this id", "another with the same id")
            return AccessAnswer.decode(known.answer.encode())
        _recount(write, decision, grant, moment)
        access = statements.append_access(write)
        refusal = statements.append_refusal(write)
        answer = _answer_of(house, asked, decision, moment, write, access, refusal)
        write.session.add(
            RequestRow(
                id=asked.request.id,
                digest=digest,
                account=account,
                subject=decision.subject,
                grant_id=grant,
                deadline=asked.request.deadline,
                generation=write.generation,
                access_index=None if access is None else access.index,
                refusal_index=None if refusal is None else refusal.index,
                answer=answer.encode().decode(),
            )
        )
        for chosen in decision.chosen:
            write.session.add(_release_row(asked, account, grant, chosen, write.now))
        if asked.appointment is not None:
            keep_appointment(write, house, asked.appointment)
        return answer

    answer = house.writer.submit(work, weight=2).result()
    count_decision(asked.request.ground, decision)
    return answer


def answer_logged(house: NodeHouse, answer: AccessAnswer, asked: AccessAsked) -> AccessAnswer:
    """
    Steps 11 and 12, for a request whose entries are synced; its wraps may be there or not.

    Raises `GrantRefused` with the term where nothing is released and it may be told, else
    `NotFound`.
    """
    if all(item.released is None for item in answer.items):
        for item in answer.items:
            if item.term is not None:
                raise GrantRefused(item.term, "an item that the grant lets out")
        raise NotFound("records that may be asked for", "none")
    return _wrap(house, answer, asked)


def _wrap(house: NodeHouse, answer: AccessAnswer, asked: AccessAsked) -> AccessAnswer:
    request = RequestId(answer.request)
    grant = GrantId(asked.request.grant_id) if asked.request.grant_id != NO_GRANT else None
    # 11. What was shown or seen since the decision keeps the key in, although the entry
    #     stands: it says more than happened, never less.
    if grant is not None:
        _require_alive(house, grant)
    with house.database.reading() as session:
        rows = {row.position: row for row in releases_of(session, request)}
        wraps = {p: row.wrap for p, row in rows.items() if row.wrap is not None}
        sealed = {
            p: custodian_wrap(session, RecordId(row.record), row.version)
            for p, row in rows.items()
            if p not in wraps
        }
    # 12. Unwrapped and wrapped again, bound to this manifest, grant and request.
    made: dict[int, bytes] = {}
    recipient = HpkeRecipient(asked.public_key)
    for position, found in sealed.items():
        if found is None:
            raise Erased("a record that is kept", "one that was erased")
        wrap, manifest = found
        data_key = unwrap(wrap, house.keys.institution, manifest)
        made[position] = wrap_for(data_key, recipient, manifest, grant=grant, request=request).wrap
    if made:

        def work(write: Write) -> Mapping[int, bytes]:
            forget_old_wraps(write.session, write.now)
            return store_wraps(write.session, request, made)

        wraps = dict(house.writer.submit(work).result())
    return _with_wraps(answer, wraps)


def _require_alive(house: NodeHouse, grant: GrantId) -> None:
    with house.database.reading() as session:
        moment = moment_of(session, house.now())
        moment.require_fresh(house.profile.max_view_age)
        term = ended_term(session, grant, end=moment.end)
    if term is not None:
        house.writer.submit(lambda write: forget_wraps_of(write.session, grant)).result()
        raise GrantRefused(term, "a grant that is alive")


def _with_wraps(answer: AccessAnswer, wraps: Mapping[int, bytes]) -> AccessAnswer:
    items = [
        item
        if item.released is None
        else item.model_copy(
            update={"released": item.released.model_copy(update={"wrap": wraps[position]})}
        )
        for position, item in enumerate(answer.items)
    ]
    return answer.model_copy(update={"items": tuple(items)})


def _recount(write: Write, decision: Decision, grant: GrantId | None, moment: Moment) -> None:
    """Count releases again where the terms limit them, now that nobody else can write."""
    if grant is None or not decision.chosen:
        return
    row = find_grant(write.session, grant)
    frequency = None if row is None else read_terms(row.terms).frequency
    if frequency is None:
        return
    for chosen in decision.chosen:
        count = releases_within(
            write.session, grant, chosen.held.record, days=frequency.days, now=moment.now
        )
        if count >= frequency.releases:
            raise FrequencyReached


def _release_row(
    asked: AccessAsked, account: Address, grant: GrantId | None, chosen: Chosen, now: UnixTime
) -> ReleaseRow:
    return ReleaseRow(
        request=asked.request.id,
        position=chosen.position,
        record=chosen.held.record,
        version=chosen.held.version,
        account=account,
        grant_id=grant,
        released_at=now,
        wrap=None,
    )


class _Statements:
    """The two statements of one request, signed before the writer is asked for anything."""

    def __init__(
        self, house: NodeHouse, asked: AccessAsked, decision: Decision, moment: Moment
    ) -> None:
        self._house = house
        self._asked = asked
        self._decision = decision
        request = asked.request
        shown = asked.appointment
        self._common = {
            "request": request,
            "request_signature": asked.signature,
            "appointment": None if shown is None else shown.appointment,
            "appointment_signature": None if shown is None else shown.signature,
            "ground": request.ground,
            "view": moment.stated,
            "grant_id": None if request.grant_id == NO_GRANT else request.grant_id,
        }
        self._access = self._attest_access() if decision.chosen else None

    def append_access(self, write: Write) -> Sequenced | None:
        """Log what is released."""
        return None if self._access is None else self._append(write, self._access, "access")

    def append_refusal(self, write: Write) -> Sequenced | None:
        """Log what is not, with its terms."""
        if not self._decision.kept:
            return None
        return self._append(write, self._attest_refusal(write), "refusal")

    def _append(self, write: Write, attestation: Attestation, kind: str) -> Sequenced:
        return write.append(
            PendingEntry(
                attestation=attestation.encode(),
                salt=new_salt(),
                kind=kind,
                subject=self._decision.subject,
                reason=self._asked.reason,
            )
        )

    def _attest_access(self) -> Attestation:
        manifests = tuple(chosen.held.manifest for chosen in self._decision.chosen)
        distinct = dict.fromkeys(manifests)
        statement = Statement(
            tuple(Subject(name="manifest", digest=manifest) for manifest in distinct),
            Access.model_validate({**self._common, "manifests": manifests, "second": None}),
        )
        return attest(statement, self._house.keys.system, self._house.domain)

    def _attest_refusal(self, write: Write) -> Attestation:
        items = tuple(
            RefusedItem.model_validate(
                {"record": kept.item.record, "version": kept.item.version, "term": kept.term}
            )
            for kept in self._decision.kept
        )
        digest = write.session.scalars(
            select(HistoryRow.digest).where(
                HistoryRow.subject == self._decision.subject, HistoryRow.current.is_(True)
            )
        ).one()
        statement = Statement(
            (Subject(name="history", digest=Digest(digest)),),
            Refusal.model_validate({**self._common, "items": items}),
        )
        return attest(statement, self._house.keys.system, self._house.domain)


def _answer_of(
    house: NodeHouse,
    asked: AccessAsked,
    decision: Decision,
    moment: Moment,
    write: Write,
    access: Sequenced | None,
    refusal: Sequenced | None,
) -> AccessAnswer:
    chosen = {one.position: one for one in decision.chosen}
    told = {kept.position: kept.term for kept in decision.kept if kept.told}
    places = [(one.held.generation, one.held.index) for one in decision.chosen]
    disclosures = disclosures_at(write.session, places)
    items: list[AnswerItem] = []
    for position, item in enumerate(asked.request.items):
        released = None
        if position in chosen:
            held = chosen[position].held
            row = disclosures.get((held.generation, held.index))
            if row is None:
                raise Erased("a record that is kept", "one that was erased")
            released = Released(
                version=held.version,
                manifest=held.manifest,
                attestation=Attestation.decode(row.attestation),
                salt=row.salt,
                size=held.size,
                media_type=held.media_type,
                category=held.category,
                generation=held.generation,
                index=held.index,
                wrap=None,
            )
        items.append(
            AnswerItem(
                record=item.record,
                version=item.version,
                released=released,
                term=told.get(position),
            )
        )
    return AccessAnswer(
        request=asked.request.id,
        view=moment.stated,
        access_index=None if access is None else access.index,
        refusal_index=None if refusal is None else refusal.index,
        receipts=Receipts(
            access=None if access is None else receipt_of(house, access),
            refusal=None if refusal is None else receipt_of(house, refusal),
        ),
        items=tuple(items),
    )
