"""
Step 9: what each type of statement asks beyond a true entry and a signer who may speak.

A check is a function from the opened entry and what surrounds it to the facts that the
verdict states. A type without one asks nothing more.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from xinglin import grant as grants
from xinglin import typed
from xinglin.appointment import CARE_ROLES
from xinglin.bundle import Bundle, Part
from xinglin.errors import EvidenceError, InferenceError, RequestError, SignatureError
from xinglin.grant import EnrolmentFacts, GrantState, ItemFacts
from xinglin.hashes import Digest
from xinglin.headers import header
from xinglin.names import Address, GrantId, Member, RecordId, Signature, UnixTime
from xinglin.request import SignedRequest, check_form, check_time, requester
from xinglin.statement import (
    Access,
    Emergency,
    Enrolment,
    GrantDeposit,
    History,
    Inference,
    Record,
    Refusal,
    manifest_digest,
)
from xinglin.trust import TrustRoot
from xinglin.verify.chain import ProvenChain
from xinglin.verify.entry import Opened
from xinglin.verify.people import SYSTEM_ROLES, check_appointed

_Kind = TypeVar("_Kind")

GrantEnd = Literal["none", "alive", "expired", "revoked"]
ModelStatus = Literal["none", "unregistered", "proposed", "approved", "retired", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds an opened entry."""

    bundle: Bundle
    trust: TrustRoot
    chain: ProvenChain
    parts: Sequence[tuple[Part, Opened]]
    """The bundle's parts, each opened and its signer judged."""
    consortium: typed.Domain
    consents: typed.Domain

    def records(self) -> dict[Digest, Record]:
        """The record parts, by manifest digest."""
        found: dict[Digest, Record] = {}
        for _, opened in self.parts:
            predicate = opened.statement.predicate
            if isinstance(predicate, Record):
                found[manifest_digest(opened.attestation.statement.encode())] = predicate
        return found

    def enrolment(self, commitment: Digest) -> tuple[Opened, Enrolment]:
        """The enrolment part whose commitment is this. Raises `EvidenceError`."""
        for _, opened in self.parts:
            predicate = opened.statement.predicate
            if opened.commitment == commitment.value and isinstance(predicate, Enrolment):
                return opened, predicate
        raise EvidenceError("the bundle does not bring the enrolment that the statement names")


@dataclass(frozen=True, slots=True)
class Found:
    """Facts for the verdict."""

    grant_end: GrantEnd = "none"
    model_status: ModelStatus = "none"
    notes: tuple[str, ...] = field(default=())


def check_kind(opened: Opened, around: Around) -> Found:
    """Run the check of the statement's type. Raises `VerificationError` or `ConsentError`."""
    check = _CHECKS.get(type(opened.statement.predicate))
    return check(opened, around) if check is not None else Found()


def check_record(opened: Opened, around: Around) -> Found:
    """A record is the log's own, and its enrolment, where it is brought, is the one it names."""
    predicate = _of(opened, Record)
    if predicate.custodian != opened.member:
        raise EvidenceError(
            f"expected a record kept by member {opened.member}, got one of {predicate.custodian}"
        )
    if predicate.enrolment is None:
        return Found(notes=("the record is about nobody",))
    enrolments = [part for part, _ in around.parts if part.role == "enrolment"]
    if enrolments:
        _, enrolment = around.enrolment(predicate.enrolment)
        return Found(notes=(_enrolled(enrolment),))
    return Found()


def check_enrolment(opened: Opened, around: Around) -> Found:
    """An enrolment is this custodian's, and its account signed for its keys."""
    predicate = _of(opened, Enrolment)
    if predicate.custodian != opened.member:
        raise EvidenceError(
            f"expected an enrolment by member {opened.member}, got one by {predicate.custodian}"
        )
    parts = (predicate.account, predicate.key_digest, predicate.signature)
    if all(part is None for part in parts):
        if predicate.proxies:
            raise EvidenceError("an enrolment without an account names proxies")
        return Found(notes=(_enrolled(predicate),))
    if predicate.account is None or predicate.key_digest is None or predicate.signature is None:
        raise EvidenceError("expected account, key digest and signature together, or none")
    message = {
        "custodian": predicate.custodian,
        "account": predicate.account,
        "keyDigest": predicate.key_digest,
        "historyDigest": predicate.history.value,
        "issuedAt": predicate.issued_at,
    }
    typed.verify(
        around.consortium,
        "Enrolment",
        message,
        Signature(predicate.signature),
        Address(predicate.account),
    )
    return Found(notes=(_enrolled(predicate),))


def check_inference(opened: Opened, around: Around) -> Found:
    """
    An inference names a record and an output of this log, and a model that the chain knows.

    Raises `InferenceError` for a manifest that is not the model's.
    """
    predicate = _of(opened, Inference)
    records = around.records()
    read = records.get(predicate.manifest)
    if read is None or (read.record, read.version) != (predicate.record, predicate.version):
        raise EvidenceError("the bundle does not bring the record that the inference read")
    if predicate.result not in records:
        raise EvidenceError("the bundle does not bring the output record of the inference")
    model = around.bundle.model
    if model is None:
        raise EvidenceError("the bundle does not bring the manifest of the model")
    if Digest.of(model.manifest.encode()) != predicate.model:
        raise InferenceError("the model manifest is not the one that the inference names")
    history = around.chain.model_history(predicate.model.value)
    status: ModelStatus = "unregistered"
    notes: list[str] = []
    for since, number in history:
        name = _model_status(number)
        if since <= predicate.claimed_at:
            status = name
        elif name in ("retired", "withdrawn"):
            notes.append(f"the model was {name} at {since}, after this inference")
    if status != "approved":
        notes.append(f"the model was {status} when it ran")
    return Found(model_status=status, notes=tuple(notes))


def check_grant_deposit(opened: Opened, around: Around) -> Found:
    """Deposited terms are those whose digest the chain has."""
    predicate = _of(opened, GrantDeposit)
    state = _state(around.chain, GrantId(predicate.grant_id))
    if grants.terms_digest(predicate.terms.encode()) != state.terms_digest:
        raise EvidenceError("the deposited terms are not those whose digest the chain has")
    if (state.how, state.custodian) != (predicate.how, opened.member):
        raise EvidenceError("the grant was given in another way, or for another custodian")
    return Found(grant_end=_end(state, around.chain))


def check_access(opened: Opened, around: Around) -> Found:
    """An opening: asked and signed, at a true block, of these records, with leave."""
    predicate = _of(opened, Access)
    asker = _check_asked(predicate, opened, around)
    records = around.records()
    items: list[Record] = []
    for manifest in predicate.manifests:
        record = records.get(manifest)
        if record is None:
            raise EvidenceError("the bundle does not bring every record that was opened")
        items.append(record)
    _check_items(predicate, items, opened.member)
    if predicate.ground == "subject":
        _check_subject(predicate, asker, items, around)
        return Found()
    if predicate.ground == "grant":
        return _check_grant_release(predicate, items, opened, around)
    if predicate.ground not in ("care", "system"):
        # Law needs two persons and a reference, an emergency is a statement of its own.
        raise EvidenceError(f"no rule of this version allows an access on {predicate.ground}")
    if predicate.appointment is None or predicate.appointment.member != opened.member:
        raise EvidenceError(f"the ground {predicate.ground} is for the custodian's own staff")
    expected = CARE_ROLES if predicate.ground == "care" else SYSTEM_ROLES
    if predicate.appointment.role not in expected:
        raise EvidenceError(
            f"the ground {predicate.ground} is for {', '.join(sorted(expected))}, "
            f"asked by one who is {predicate.appointment.role}"
        )
    return Found()


def check_emergency(opened: Opened, around: Around) -> Found:
    """An emergency: asked and signed by care staff, at a true block, of these records."""
    predicate = _of(opened, Emergency)
    _check_asked(predicate, opened, around)
    if predicate.ground != "emergency":
        raise EvidenceError(f"expected the ground emergency, got {predicate.ground}")
    if predicate.appointment is None or predicate.appointment.role not in CARE_ROLES:
        raise EvidenceError("an emergency is for care staff")
    records = around.records()
    if any(manifest not in records for manifest in predicate.manifests):
        raise EvidenceError("the bundle does not bring every record that was opened")
    items = [records[manifest] for manifest in predicate.manifests]
    _check_items(predicate, items, opened.member)
    return Found(notes=("an emergency is judged afterwards: look for its confirmation",))


def check_refusal(opened: Opened, around: Around) -> Found:
    """A refusal: asked and signed, at a true block."""
    predicate = _of(opened, Refusal)
    _check_asked(predicate, opened, around)
    asked = {(item.record, item.version) for item in predicate.request.items}
    if not asked.issuperset((item.record, item.version) for item in predicate.items):
        raise EvidenceError("refused are items that were not asked for")
    return Found()


_CHECKS: dict[type, Callable[[Opened, Around], Found]] = {
    Record: check_record,
    Enrolment: check_enrolment,
    Inference: check_inference,
    GrantDeposit: check_grant_deposit,
    Access: check_access,
    Refusal: check_refusal,
    Emergency: check_emergency,
}


def _check_asked(
    predicate: Access | Refusal | Emergency, opened: Opened, around: Around
) -> Address:
    """The request is well formed, of this custodian and ground, signed, and in time."""
    request = predicate.request
    view_time = UnixTime(predicate.view.time)
    check_form(request)
    check_time(request, view_time)
    if request.custodian != opened.member:
        raise RequestError(
            f"expected a request to member {opened.member}, got one to {request.custodian}"
        )
    if request.ground != predicate.ground:
        raise RequestError(f"asked on the ground {request.ground}, opened on {predicate.ground}")
    if (predicate.grant_id or bytes(32)) != request.grant_id:
        raise RequestError("the statement names another grant than the request")
    _check_view(predicate, around)
    signed = SignedRequest(request=request, signature=predicate.request_signature)
    asker = requester(signed, around.consortium)
    if predicate.appointment is None:
        if predicate.ground != "subject":
            raise EvidenceError(f"the ground {predicate.ground} needs an appointment")
        return asker
    if predicate.appointment.account != asker:
        raise SignatureError("the request is signed by another account than the one appointed")
    if predicate.appointment.key_digest != request.key_digest:
        raise RequestError("asked to wrap for another key than the appointment's")
    for bundled in around.bundle.appointments:
        if (
            bundled.appointment == predicate.appointment
            and bundled.signature == predicate.appointment_signature
        ):
            check_appointed(bundled, view_time, around.chain, around.consortium)
            return asker
    raise EvidenceError("the bundle does not bring the appointment of the requester")


def _check_view(predicate: Access | Refusal | Emergency, around: Around) -> None:
    """The view is a block: its header hashes to what is named, with that number and time."""
    if around.bundle.evidence.view is None:
        raise EvidenceError("the bundle does not bring the header of the view")
    block = header.parse(around.bundle.evidence.view)
    view = predicate.view
    got = (block.number, block.block_hash, block.timestamp)
    if got != (view.number, view.hash, view.time):
        raise EvidenceError(
            f"the statement's view is block {view.number} at {view.time}, "
            f"the header brought is block {block.number} at {block.timestamp}"
        )


def _check_items(predicate: Access | Emergency, items: Sequence[Record], member: Member) -> None:
    """What was opened was asked for, in the order asked, and kept by this custodian."""
    asked = iter(predicate.request.items)
    for record in items:
        if record.custodian != member:
            raise EvidenceError("opened is a record that another member keeps")
        for item in asked:
            if item.record == record.record and item.version in (0, record.version):
                break
        else:
            raise EvidenceError("opened is a record that was not asked for, or out of order")


def _check_subject(
    predicate: Access, asker: Address, items: Sequence[Record], around: Around
) -> None:
    """The asker is the enrolled account, or a proxy, of the enrolment of every item."""
    for record in items:
        if record.enrolment is None:
            raise EvidenceError("a record about nobody has no subject")
        _, enrolment = around.enrolment(record.enrolment)
        if asker not in _accounts(enrolment, UnixTime(predicate.view.time)):
            raise SignatureError("asked by an account that is not the subject's")
        if asker == enrolment.account and enrolment.key_digest != predicate.request.key_digest:
            raise RequestError("asked to wrap for another key than the enrolment's")


def _check_grant_release(
    predicate: Access, items: Sequence[Record], opened: Opened, around: Around
) -> Found:
    """A release under a grant: the rules of `xinglin.grant`, at the view's time (I5)."""
    bundled = around.bundle.grant
    if bundled is None or predicate.grant_id is None or bundled.id != predicate.grant_id:
        raise EvidenceError("the bundle does not bring the grant that the statement names")
    if predicate.appointment is None:
        raise EvidenceError("a release under a grant needs the grantee's appointment")
    state = _state(around.chain, GrantId(bundled.id))
    view_time = UnixTime(predicate.view.time)
    terms_bytes = bundled.terms.encode()
    named = grants.read_terms(terms_bytes).subject.enrolment
    enrolled, enrolment = around.enrolment(named)
    terms = grants.check_grant(
        terms_bytes,
        state,
        request=predicate.request,
        appointment=predicate.appointment,
        enrolment=EnrolmentFacts(
            named, _accounts(enrolment, UnixTime(state.given_at)), enrolled.anchored_at
        ),
        consortium=around.consortium,
        stopped=False,
        beginning=view_time,
        end=view_time,
    )
    newest = {item.record for item in predicate.request.items if item.version == 0}
    for record in items:
        grants.check_item(
            terms,
            ItemFacts(
                record=RecordId(record.record),
                category=record.category,
                claimed_at=UnixTime(record.claimed_at),
                newest=record.record in newest,
                enrolments=_joined(record, named, around),
                recent_releases=0,
            ),
        )
    late = opened.anchored_at - view_time - around.trust.max_late
    if late > 0:
        raise EvidenceError(f"released at a view of {view_time}, and late by {late} s")
    notes: tuple[str, ...] = ()
    if terms.frequency is not None:
        notes = ("how often the grant was used before is not shown by one bundle",)
    return Found(grant_end=_end(state, around.chain), notes=notes)


def _joined(record: Record, named: Digest, around: Around) -> Collection[Digest]:
    """
    The record's enrolment, and the one named if they are enrolments of one history.

    Two enrolments of one subject at one institution share the history digest, or are joined
    by a `history` statement from one digest to the other.
    """
    if record.enrolment is None:
        return ()
    if record.enrolment == named:
        return (named,)
    _, mine = around.enrolment(record.enrolment)
    _, theirs = around.enrolment(named)
    reached = {mine.history}
    for _ in around.parts:
        for _, opened in around.parts:
            predicate = opened.statement.predicate
            if not isinstance(predicate, History) or predicate.to is None:
                continue
            if predicate.from_.history in reached:
                reached.add(predicate.to.history)
    return (record.enrolment, named) if theirs.history in reached else (record.enrolment,)


def _accounts(enrolment: Enrolment, at: UnixTime) -> set[Address]:
    found = {Address(proxy.account) for proxy in enrolment.proxies if at < proxy.until}
    if enrolment.account is not None:
        found.add(Address(enrolment.account))
    return found


def _state(chain: ProvenChain, grant: GrantId) -> GrantState:
    state = chain.grant(grant)
    if state is None:
        raise EvidenceError("the chain knows no such grant")
    return state


def _end(state: GrantState, chain: ProvenChain) -> GrantEnd:
    if state.revoked_at:
        return "revoked"
    return "expired" if chain.block.timestamp >= state.expires_at else "alive"


def _model_status(number: int) -> ModelStatus:
    names: tuple[ModelStatus, ...] = (
        "unregistered",
        "proposed",
        "approved",
        "retired",
        "withdrawn",
    )
    if number >= len(names):
        raise EvidenceError(f"the chain gives a model the unknown status {number}")
    return names[number]


def _enrolled(enrolment: Enrolment) -> str:
    what = "an account" if enrolment.account is not None else "no account"
    return f"enrolled with {what} by member {enrolment.custodian} at {enrolment.issued_at}"


def _of(opened: Opened, kind: type[_Kind]) -> _Kind:
    predicate = opened.statement.predicate
    if not isinstance(predicate, kind):
        raise EvidenceError(f"expected a {kind.__name__} statement")
    return predicate
