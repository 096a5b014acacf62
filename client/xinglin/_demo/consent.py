"""Chapters three to five: patients grant, people open or are refused, patients look."""

import filecmp
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xinglin import access, consent
from xinglin._demo.cast import Patient, Staff
from xinglin._demo.intake import Filed, Submitted, wait_until_final
from xinglin._demo.telling import Telling
from xinglin._demo.world import World
from xinglin._http import NodeClient, SignIn
from xinglin.access import Answer
from xinglin.consent import SignedGrant
from xinglin.encoding import from_base64url, hex0x
from xinglin.errors import (
    ConsentError,
    EvidenceError,
    InvalidEncoding,
    ServiceError,
    Unreachable,
    UsageError,
    XinglinError,
)
from xinglin.grant import Grantee, ResearchTerms, Scope, Terms, TermsSubject, sign_grant_account
from xinglin.hashes import Digest
from xinglin.keys import Account, PersonKeys
from xinglin.names import Address, HistoryKey, Origin, UnixTime
from xinglin.purposes import PurposeOfUse
from xinglin.request import Ground, Item
from xinglin.subject import read_history

RESEARCH = ("DUO:0000006", "DUO:0000046")
"""What the second patient permits: health research, not commercial."""

GRANT_DAYS = 30
GIVEN_SECONDS = 60.0
"""Time given to a grant to be final on the chain."""


@dataclass
class Granted:
    """Two grants, and who may open under them."""

    inside: list[Submitted]
    """Records that the grant for treatment names: all of the patient's but the last."""

    outside: Submitted
    treatment: SignedGrant
    research: SignedGrant
    physician: Staff
    researcher: Staff


@dataclass
class Openings:
    """What was opened, for the auditor."""

    physician: Answer
    researcher: Answer


def wallet(patient: Patient) -> PersonKeys:
    """The keys of a patient who has a device."""
    if patient.keys is None:
        raise UsageError("expected a patient with an account")
    return patient.keys


def sign_in_patient(world: World, client: NodeClient, patient: Patient) -> None:
    """A patient signs in at the hospital that keeps the file."""
    account = wallet(patient).enrolled_account(world.hospitals[0].member)
    client.sign_in(SignIn(account, world.trust.chain_id, subject=str(patient.subject)))


def give(world: World, filed: Filed, telling: Telling) -> Granted:
    """The two patients grant: one for treatment, one for research."""
    _, second, _ = world.hospitals
    (treated, _), (studied, _) = filed.patients[:2]
    physician = filed.physicians[1]
    researcher = world.institute.staff("顾青田", "researcher", world.domain)
    *inside, outside = [one for one in filed.records if one.patient is treated]
    treatment = sign_grant_of(
        world,
        treated,
        "为治疗，江畔中医院的医师可查阅我的前几份病历。",
        grantee=Grantee(
            member=second.member, role="physician", account=physician.account.address, project=None
        ),
        scope=Scope(
            records=tuple(sorted((one.record for one in inside), key=str)),
            categories=None,
            from_=None,
            to=None,
            versions="all",
        ),
        purposes=("TREAT",),
    )
    research = sign_grant_of(
        world,
        studied,
        "为医学研究（非商业），本草临床研究所可查阅我的门诊病历。",
        grantee=Grantee(
            member=world.institute.member,
            role="researcher",
            account=None,
            project="脾胃病证候研究",
        ),
        scope=Scope(
            records=None, categories=("outpatient-note",), from_=None, to=None, versions="all"
        ),
        purposes=("HRESCH",),
        research=ResearchTerms(permission=RESEARCH[0], modifiers=RESEARCH[1:]),
    )
    with world.nodes[0].client() as node:
        for patient, signed in ((treated, treatment), (studied, research)):
            sign_in_patient(world, node, patient)
            consent.give_through(node, signed)
            _wait_given(node, signed)
    telling.row("a patient grants a physician of another hospital", "given, for treatment")
    telling.row("a patient grants a researcher", "given, for health research, not commercial")
    return Granted(inside, outside, treatment, research, physician, researcher)


def sign_grant_of(
    world: World,
    patient: Patient,
    sentence: str,
    *,
    grantee: Grantee,
    scope: Scope,
    purposes: tuple[PurposeOfUse, ...],
    research: ResearchTerms | None = None,
    voucher: Account | None = None,
) -> SignedGrant:
    """Sign a grant with a fresh account, which the enrolled account (or `voucher`) vouches for."""
    custodian, keys = world.hospitals[0].member, wallet(patient)
    fresh = keys.grant_account(custodian, secrets.randbelow(2**30))
    enrolled = keys.enrolled_account(custodian)
    vouched = sign_grant_account(
        custodian, Address(fresh.address), voucher or enrolled, world.domain
    )
    terms = Terms(
        type="urn:xinglin:terms:1",
        sentence=sentence,
        salt=secrets.token_bytes(32),
        subject=TermsSubject(
            enrolment=Digest.from_text(patient.enrolment),
            account=enrolled.address,
            signature=vouched,
        ),
        grantee=grantee,
        scope=scope,
        purposes=purposes,
        research=research,
        view="whole",
        frequency=None,
        onward=False,
        evidence=None,
    )
    return consent.sign(
        terms,
        custodian=custodian,
        account=fresh,
        days=GRANT_DAYS,
        now=UnixTime(int(time.time())),
        consents=world.consents,
    )


def _wait_given(node: NodeClient, signed: SignedGrant) -> None:
    ends = time.monotonic() + GIVEN_SECONDS
    while node.get(f"/v1/grants/{hex0x(signed.id)}").get("state") is None:
        if time.monotonic() > ends:
            raise Unreachable("the grant did not become final in time")
        time.sleep(0.2)


def open_granted(
    world: World, filed: Filed, granted: Granted, folder: Path, telling: Telling
) -> Openings:
    """Each opens what was granted, and is refused what was not, with the term that refused."""
    _, (studied, _) = filed.patients[:2]
    inside = granted.inside
    notes = [one for one in filed.records if one.patient is studied]
    with world.nodes[0].client() as node:
        granted.physician.sign_in(node, world.trust.chain_id)
        by_physician = _ask(world, node, granted.physician, granted.treatment, inside, "TREAT")
        read = _open_all(node, granted.physician, by_physician, inside, folder)
        telling.row("the physician opens what was granted", f"{read} notes, equal to the originals")
        telling.row(
            "the physician asks for a note that was not granted",
            refused(
                lambda: _ask(
                    world, node, granted.physician, granted.treatment, [granted.outside], "TREAT"
                )
            ),
        )
        telling.row(
            "the physician asks for another purpose",
            refused(
                lambda: _ask(world, node, granted.physician, granted.treatment, inside, "HOPERAT")
            ),
        )
        telling.row(
            "the physician asks for another patient's note under the grant",
            refused(
                lambda: _ask(world, node, granted.physician, granted.treatment, notes[:1], "TREAT")
            ),
        )
        granted.researcher.sign_in(node, world.trust.chain_id)
        duo = ",".join(RESEARCH)
        by_researcher = _ask(
            world, node, granted.researcher, granted.research, notes, "HRESCH", duo
        )
        read = _open_all(node, granted.researcher, by_researcher, notes, folder)
        telling.row(
            "the researcher opens what was granted", f"{read} notes, equal to the originals"
        )
        telling.row(
            "the researcher asks for commercial research",
            refused(
                lambda: _ask(
                    world, node, granted.researcher, granted.research, notes, "HRESCH", RESEARCH[0]
                )
            ),
        )
        telling.row(
            "the researcher asks under the physician's grant",
            refused(
                lambda: _ask(
                    world, node, granted.researcher, granted.treatment, inside, "HRESCH", duo
                )
            ),
        )
    return Openings(by_physician, by_researcher)


def open_as_care(world: World, filed: Filed, folder: Path, telling: Telling) -> Answer:
    """The custodian's own physician opens a record to treat."""
    record = next(one for one in filed.records if one.node == 0)
    physician = filed.physicians[0]
    with world.nodes[0].client() as node:
        physician.sign_in(node, world.trust.chain_id)
        answer = access.ask(
            node,
            physician.asker(world.domain),
            custodian=world.hospitals[0].member,
            ground="care",
            purpose="TREAT",
            items=[Item(record=record.record, version=0)],
        )
        read = _open_all(node, physician, answer, [record], folder)
        telling.row(
            "the custodian's physician opens to treat", f"{read} record, equal to the original"
        )
        stranger = filed.physicians[1]
        stranger.sign_in(node, world.trust.chain_id)
        telling.row(
            "another hospital's physician asks to treat",
            refused(
                lambda: access.ask(
                    node,
                    stranger.asker(world.domain),
                    custodian=world.hospitals[0].member,
                    ground="care",
                    purpose="TREAT",
                    items=[Item(record=record.record, version=0)],
                )
            ),
        )
    return answer


def revoke(world: World, granted: Granted, telling: Telling) -> None:
    """The patient shows the tear-off; the next opening is refused, before the chain has it."""
    asked = granted.inside[:1]
    with world.nodes[0].client() as node:
        consent.revoke_through(node, granted.treatment.id, granted.treatment.revocation)
        telling.row("the patient revokes", "the node was shown the signed revocation")
        granted.physician.sign_in(node, world.trust.chain_id)
        telling.row(
            "the physician asks once more, at once",
            refused(
                lambda: _ask(world, node, granted.physician, granted.treatment, asked, "TREAT")
            ),
        )
        ends = time.monotonic() + GIVEN_SECONDS
        while True:
            state = consent.fetch(world.pool, granted.treatment.id)
            if state is not None and state.revoked_at:
                break
            if time.monotonic() > ends:
                raise Unreachable("the revocation did not become final in time")
            time.sleep(0.2)
        telling.row(
            "the physician asks when the chain has it",
            refused(
                lambda: _ask(world, node, granted.physician, granted.treatment, asked, "TREAT")
            ),
        )


def look(world: World, filed: Filed, telling: Telling) -> None:
    """The patient reads who looked, and checks that the list is whole."""
    wait_until_final(world, telling, row=False)
    (treated, _) = filed.patients[0]
    with world.nodes[0].client() as node:
        about = node.get("/v1/about")
        keys = about.get("keys")
        if not isinstance(keys, dict) or treated.history_key is None:
            raise InvalidEncoding("expected the node's keys in /v1/about")
        sign_in_patient(world, node, treated)
        whole = read_history(
            node,
            HistoryKey(treated.history_key),
            Origin(str(about["origin"])),
            from_base64url(str(keys["log"])),
        )
    kinds = [str(one["kind"]) for one in whole.told]
    looked = [one for one in whole.told if one["kind"] in ("access", "refusal")]
    for one in looked:
        asker = one.get("asker")
        if isinstance(asker, dict):
            telling.say(
                f"{one['kind']}: {asker['role']} of {asker['institution']}, {asker['purpose']}"
            )
    telling.row(
        "the patient reads who looked",
        f"{kinds.count('access')} openings and {kinds.count('refusal')} refusals, "
        f"among {len(kinds)} entries",
    )
    telling.row(
        "the patient checks that the list is whole",
        f"whole: no entry of theirs was dropped from the log's first {whole.size}",
    )


def _ask(
    world: World,
    node: NodeClient,
    who: Staff,
    signed: SignedGrant,
    records: list[Submitted],
    purpose: PurposeOfUse,
    research: str = "",
) -> Answer:
    ground: Ground = "grant"
    answer = access.ask(
        node,
        who.asker(world.domain),
        custodian=world.hospitals[0].member,
        ground=ground,
        purpose=purpose,
        items=[Item(record=one.record, version=0) for one in records],
        grant=signed.id,
        research=research,
    )
    for item in answer.refused:
        if item.term is None:
            raise ServiceError(404, "not-found", got="nothing is told")
        raise ConsentError(item.term, "refused by the node")
    return answer


def _open_all(
    node: NodeClient, who: Staff, answer: Answer, records: list[Submitted], folder: Path
) -> int:
    originals = {one.record: one.source.source for one in records}
    for item in answer.released:
        target = folder / f"{item.record}.txt"
        access.open_item(node, item, who.identity, target)
        original = originals[item.record]
        same = (
            filecmp.cmp(target, original, shallow=False)
            if isinstance(original, Path)
            else target.read_bytes() == original
        )
        target.unlink()
        if not same:
            raise EvidenceError("what was opened is not what was submitted")
    return len(answer.released)


def refused(attempt: Callable[[], object]) -> str:
    """Make an attempt that must be refused, and say by what; else raises `EvidenceError`."""
    try:
        attempt()
    except ConsentError as error:
        return f"refused: {error.term}"
    except XinglinError as error:
        return f"refused: {error}"
    raise EvidenceError("expected a refusal, got none")
