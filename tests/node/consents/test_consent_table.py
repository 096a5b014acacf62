"""
The table of docs/spec/consent-table.md, tried cell by cell.

The contract's column is asked of ConsentRegistry on a real chain; the node's of a running
node; the verifier's of `xinglin.verify`, over a bundle whose every word of chain state is
what the case says. Each column has one function a case, found by the case's name.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

import pytest

from xinglin import canonical, consent, merkle, storage, typed
from xinglin import grant as grants
from xinglin._chain.answers import View
from xinglin._chain.consents import Consents
from xinglin._chain.consortium import Applicant, NewAccount
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id, trust_root
from xinglin._chain.evidence import header_at
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender
from xinglin._chain.words import Power
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import NetworkOptions
from xinglin.appointment import Appointment, appoint
from xinglin.bundle import (
    AnchorOf,
    Bundle,
    BundledAppointment,
    BundledGrant,
    Evidence,
    Inclusion,
    Part,
)
from xinglin.encoding import base64url
from xinglin.errors import ConsentError, ContractError, UsageError, XinglinError
from xinglin.grant import Grant, GrantState
from xinglin.hashes import Digest
from xinglin.history import origin
from xinglin.keys import Account
from xinglin.names import (
    Address,
    EntryTag,
    Generation,
    Member,
    NetworkId,
    RootHash,
    Signature,
    UnixTime,
)
from xinglin.request import AccessRequest
from xinglin.statement import (
    Access,
    Attestation,
    Disclosure,
    Enrolment,
    Entry,
    Predicate,
    Record,
    Statement,
    Subject,
    ViewOfChain,
    attest,
    commit,
    new_salt,
)
from xinglin.storage import Place
from xinglin.trust import TrustRoot
from xinglin.verify import places_read

TABLE = Path(__file__).parents[3] / "docs" / "spec" / "consent-table.md"
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ONE, TWO = Member(1), Member(2)


def rows() -> dict[str, dict[str, str]]:
    """The table: what each column says for each case."""
    found: dict[str, dict[str, str]] = {}
    for line in TABLE.read_text().splitlines():
        match = re.fullmatch(r"\| `([a-z0-9-]+)` \| .* \| (.+) \| (.+) \| (.+) \|", line)
        if match:
            found[match[1]] = {"contract": match[2], "node": match[3], "verifier": match[4]}
    return found


ROWS = rows()
UNSEEN = "—"


def cases(column: str) -> list[tuple[str, str]]:
    return [
        (case, cells[column].replace("`", ""))
        for case, cells in ROWS.items()
        if cells[column] != UNSEEN
    ]


def bent(signature: Signature, form: str) -> Signature:
    """The same signature in a form that is refused."""
    r, s, v = signature[:32], int.from_bytes(signature[32:64]), signature[64]
    if form == "high-s":
        return Signature(r + (ORDER - s).to_bytes(32) + bytes([55 - v]))
    if form == "64-bytes":
        # ERC-2098: v in the top bit of s.
        return Signature(r + (s | (v - 27) << 255).to_bytes(32))
    return Signature(signature[:64] + bytes([v - 27]))


class TestTable:
    def test_it_has_every_case(self) -> None:
        assert len(ROWS) == 15

    @pytest.mark.parametrize("column", ["contract", "node", "verifier"])
    def test_each_cell_has_its_trial_and_each_trial_its_cell(self, column) -> None:
        trials = {"contract": ContractTrials, "node": NodeTrials, "verifier": VerifierTrials}
        tried = {
            name.replace("_", "-") for name in vars(trials[column]) if not name.startswith("_")
        }
        assert {trial.removeprefix("try-") for trial in tried} == {
            case for case, _ in cases(column)
        }


# -- the contract ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Deployed:
    """Three hospitals on a chain."""

    pool: RpcPool
    trust: TrustRoot
    sender: Sender

    @property
    def domain(self) -> typed.Domain:
        return self.trust.consents_domain()


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("consents")
    engine = Anvil()
    plain = RpcPool(engine.up(folder, NetworkOptions()))
    founders = tuple(
        Applicant(
            f"Hospital {n}", "", bytes([n]) * 32, None, bytes(1216),
            (NewAccount(Account.generate().address, Power.GOVERN),),
        )
        for n in (1, 2, 3)
    )  # fmt: skip
    try:
        profile = deploy(plain, Account.generate(), DeploymentPlan(new_network_id(), founders))
        pool = RpcPool(profile)
        yield Deployed(pool, trust_root(profile), Sender(pool, Account.generate()))
        pool.close()
    finally:
        plain.close()
        engine.down(folder)


def new_grant(account: Account, **changes: object) -> Grant:
    now = int(time.time())
    given = Grant(
        custodian=ONE,
        grantor=account.address,
        terms=canonical.encode({"salt": secrets.token_hex(32)}),
        not_before=UnixTime(0),
        expires_at=UnixTime((now // 86_400 + 30) * 86_400),
        deadline=UnixTime((now // 3_600 + 2) * 3_600),
    )
    return replace(given, **changes)  # type: ignore[arg-type]


def sign(grant: Grant, account: Account, domain: typed.Domain) -> Signature:
    return typed.sign(domain, "Grant", grant.message(), account)


class ContractTrials:
    """What is sent to ConsentRegistry."""

    def try_swapped_terms(self, chain: Deployed) -> None:
        account = Account.generate()
        signed = new_grant(account)
        _give(chain, new_grant(account), sign(signed, account, chain.domain))

    def try_replayed(self, chain: Deployed) -> None:
        account = Account.generate()
        grant = new_grant(account)
        signature = sign(grant, account, chain.domain)
        chain.sender.send(Consents(chain.pool).give(grant, signature), final=True)
        _give(chain, grant, signature)

    def try_revoked(self, chain: Deployed) -> None:
        account = Account.generate()
        grant = new_grant(account)
        signature = sign(grant, account, chain.domain)
        identity = grants.grant_id(grant, chain.domain)
        registry = Consents(chain.pool)
        chain.sender.send(registry.give(grant, signature), final=True)
        revocation = grants.sign_revocation(identity, account, chain.domain)
        chain.sender.send(registry.revoke(identity, revocation), final=True)
        _give(chain, grant, signature)

    def try_back_dated(self, chain: Deployed) -> None:
        past = UnixTime((int(time.time()) // 3_600 - 1) * 3_600)
        _sign_and_give(chain, deadline=past)

    def try_expired(self, chain: Deployed) -> None:
        past = UnixTime((int(time.time()) // 86_400 - 1) * 86_400)
        _sign_and_give(chain, expires_at=past)

    def try_other_registry(self, chain: Deployed) -> None:
        elsewhere = typed.Domain(chain.domain.chain_id, Account.generate().address)
        _sign_and_give(chain, domain=elsewhere)

    def try_other_chain(self, chain: Deployed) -> None:
        elsewhere = typed.Domain(
            chain.domain.chain_id + 1, Address(chain.domain.verifying_contract)
        )
        _sign_and_give(chain, domain=elsewhere)

    def try_high_s(self, chain: Deployed) -> None:
        _sign_and_give(chain, form="high-s")

    def try_64_bytes(self, chain: Deployed) -> None:
        _sign_and_give(chain, form="64-bytes")

    def try_v_0_or_1(self, chain: Deployed) -> None:
        _sign_and_give(chain, form="v-0-or-1")


def _sign_and_give(
    chain: Deployed, *, domain: typed.Domain | None = None, form: str | None = None, **changes
) -> None:
    account = Account.generate()
    grant = new_grant(account, **changes)
    signature = sign(grant, account, domain or chain.domain)
    _give(chain, grant, signature if form is None else bent(signature, form))


def _give(chain: Deployed, grant: Grant, signature: Signature) -> None:
    """Raises `ContractError` where the contract refuses."""
    call = Consents(chain.pool).give(grant, signature)
    assert call.to is not None
    chain.pool.call(call.to, call.data)


class TestContract:
    def test_what_is_in_order_is_taken(self, deployed) -> None:
        _sign_and_give(deployed)

    @pytest.mark.parametrize(("case", "expected"), cases("contract"))
    def test_the_contract_refuses(self, deployed, case, expected) -> None:
        trial: Callable[[Deployed], None] = getattr(
            ContractTrials(), f"try_{case.replace('-', '_')}"
        )

        with pytest.raises(ContractError) as refused:
            trial(deployed)

        assert refused.value.name == expected


# -- the node -------------------------------------------------------------------------------


class NodeTrials:
    """What is brought to a node; each returns where it was refused, and how."""

    def try_no_enrolled_signature(self, it) -> str:
        patient = it.patient()
        thief = replace(patient, account=Account.generate())
        return _deposited(it, it.sign(thief))

    def try_enrolment_after_grant(self, it) -> str:
        patient = it.patient(anchored=False)
        signed = it.sign(patient)
        now = int(it.scene.clock())
        it.on_chain(signed, given_at=now - 50)
        it.anchor(at=now - 10)
        return _deposited(it, signed)

    def try_swapped_terms(self, it) -> str:
        patient = it.patient()
        other = it.sign(patient).grant.terms.decode()
        return _deposited(it, it.sign(patient), terms=other)

    def try_back_dated(self, it) -> str:
        past = UnixTime((int(time.time()) // 3_600 - 1) * 3_600)
        return _deposited(it, _signed(it, deadline=past))

    def try_expired(self, it) -> str:
        return _released(it, expires_at=int(time.time()) // 86_400 * 86_400)

    def try_not_yet(self, it) -> str:
        return _released(it, not_before=int(time.time()) + 86_400)

    def try_revoked(self, it) -> str:
        return _released(it, revoked_at=int(time.time()) - 1, revoked_by=1)

    def try_other_custodian(self, it) -> str:
        return _deposited(it, _signed(it, custodian=Member(3)))

    def try_other_registry(self, it) -> str:
        home = it.scene.house.consents_domain
        return _deposited(
            it, _signed(it, domain=typed.Domain(home.chain_id, Account.generate().address))
        )

    def try_other_chain(self, it) -> str:
        home = it.scene.house.consents_domain
        elsewhere = typed.Domain(home.chain_id + 1, Address(home.verifying_contract))
        return _deposited(it, _signed(it, domain=elsewhere))

    def try_high_s(self, it) -> str:
        signed = it.sign(it.patient())
        return _deposited(it, signed, signature=bent(signed.signature, "high-s"))

    def try_64_bytes(self, it) -> str:
        signed = it.sign(it.patient())
        return _deposited(it, signed, signature=bent(signed.signature, "64-bytes"))

    def try_v_0_or_1(self, it) -> str:
        signed = it.sign(it.patient())
        return _deposited(it, signed, signature=bent(signed.signature, "v-0-or-1"))

    def try_other_subject(self, it) -> str:
        grant, foreign = it.given(it.patient()), it.record(it.patient())
        doctor = it.scene.someone("physician", member=TWO)
        return f"release {_name(it.ask(doctor, foreign, grant=grant.id))}"


def _signed(it, *, domain: typed.Domain | None = None, **changes) -> consent.SignedGrant:
    account, patient = Account.generate(), it.patient()
    signed = it.sign(patient, grantor=account)
    grant = replace(signed.grant, **changes)
    home = it.scene.house.consents_domain
    return replace(
        signed,
        grant=grant,
        id=grants.grant_id(grant, home),
        signature=sign(grant, account, domain or home),
    )


def _deposited(it, signed: consent.SignedGrant, **changes) -> str:
    return f"deposit {_name(it.deposit(signed, **changes))}"


def _released(it, **state) -> str:
    patient = it.patient()
    record = it.record(patient)
    grant = it.given(patient)
    it.on_chain(grant, **state)
    doctor = it.scene.someone("physician", member=TWO)
    return f"release {_name(it.ask(doctor, record, grant=grant.id))}"


def _name(answer) -> str:
    assert answer.status_code >= 400, answer.text
    body = answer.json()
    return body.get("term") or body["type"].rsplit(":", 1)[1]


class TestNode:
    @pytest.mark.parametrize(("case", "expected"), cases("node"))
    def test_the_node_refuses(self, consenting, case, expected) -> None:
        trial: Callable[[object], str] = getattr(NodeTrials(), f"try_{case.replace('-', '_')}")

        assert trial(consenting) == expected

        assert consenting.entries("access") == []

    def test_what_is_in_order_is_taken_and_released(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=TWO)

        assert consenting.ask(doctor, record, grant=grant.id).status_code == 200


# -- the verifier ---------------------------------------------------------------------------


@dataclass
class Claim:
    """A release under a grant as a bundle tells it, and the chain's words behind it."""

    chain: Deployed
    view: View
    officers: tuple[Account, Account] = field(
        default_factory=lambda: (Account.generate(), Account.generate())
    )
    system: Account = field(default_factory=Account.generate)
    author: Account = field(default_factory=Account.generate)
    doctor: Account = field(default_factory=Account.generate)
    patient: Account = field(default_factory=Account.generate)
    fresh: Account = field(default_factory=Account.generate)
    voucher: Account | None = None
    """Who signs GrantAccount; the patient unless a case says otherwise."""
    form: str | None = None
    """In which refused form that signature stands."""
    registry: typed.Domain | None = None
    """For which registry the grant was signed."""
    enrolment_anchored: int = -3000
    """Seconds from the view; the other entries are anchored 10 s after it."""
    of_another: bool = False
    """Whether the record belongs to another subject's enrolment."""
    state: dict[str, object] = field(default_factory=dict)
    words: dict[Place, bytes] = field(default_factory=dict)

    def verify(self) -> None:
        bundle = self.bundle()
        places_read(
            bundle, trust=self.chain.trust, read=lambda place: self.words.get(place, bytes(32))
        )

    def bundle(self) -> Bundle:
        trust, at = self.chain.trust, self.view.time
        domain = trust.consortium_domain()
        appointments = self._appoint(domain)
        # The log: the patient's enrolment, another's, a record, the access.
        mine = self._enrolment(domain, self.patient)
        other = self._enrolment(domain, Account.generate())
        enrolments = [self._entry(one, self.system, domain) for one in (mine, other)]
        named = Digest(enrolments[1 if self.of_another else 0][0].commitment)
        record = Record(
            record=RECORD, version=1, previous=None, custodian=ONE, enrolment=named,
            blob=Digest(bytes(32)), size=300, seal="xinglin.seal/1",
            category="outpatient-note", media_type="text/plain", claimed_at=at - 100,
        )  # fmt: skip
        record_entry = self._entry(record, self.author, domain)
        manifest = Digest.of(record_entry[1].attestation.statement.encode())
        terms = self._terms(Digest(enrolments[0][0].commitment), domain)
        grant = Grant(
            custodian=ONE, grantor=self.fresh.address, terms=terms, not_before=UnixTime(0),
            expires_at=UnixTime((at // 86_400 + 30) * 86_400),
            deadline=UnixTime((at // 3_600 + 2) * 3_600),
        )  # fmt: skip
        identity = grants.grant_id(grant, self.registry or trust.consents_domain())
        state = self._store(grant)
        access = self._access(domain, identity, manifest, appointments[2])
        entries = [*enrolments, record_entry, self._entry(access, self.system, domain)]
        return self._assemble(
            entries, appointments, BundledGrant(id=identity, terms=terms.decode(), state=state)
        )

    def _appoint(self, domain: typed.Domain) -> list[BundledAppointment]:
        made: list[BundledAppointment] = []
        people = ((ONE, self.system, "system"), (ONE, self.author, "physician"),
                  (TWO, self.doctor, "physician"))  # fmt: skip
        for member, account, role in people:
            officer = self.officers[member - 1]
            signed = appoint(
                Appointment(
                    id=secrets.token_bytes(32), member=member, account=account.address,
                    key_digest=KEY, role=role, person_digest=bytes(32),
                    not_before=self.view.time - 86_400, not_after=self.view.time + 86_400,
                ),
                officer,
                domain,
            )  # fmt: skip
            made.append(
                BundledAppointment(
                    appointment=signed.appointment, signature=signed.signature, person=None
                )
            )
            self.words[storage.account_place(officer.address)] = (
                member | storage.APPOINT << 32 | 1 << 40
            ).to_bytes(32)
            self.words[storage.statuses_length_place(member)] = (1).to_bytes(32)
            self.words[storage.status_place(member, 0)] = (1 | storage.ACTIVE << 48).to_bytes(32)
        return made

    def _enrolment(self, domain: typed.Domain, account: Account) -> Enrolment:
        issued, history = self.view.time - 4000, secrets.token_bytes(32)
        message = {
            "custodian": ONE, "account": account.address, "keyDigest": KEY,
            "historyDigest": history, "issuedAt": issued,
        }  # fmt: skip
        return Enrolment(
            custodian=ONE, account=account.address, key_digest=KEY, history=Digest(history),
            issued_at=issued, how="in-person", proxies=(), claimed_at=issued,
            signature=typed.sign(domain, "Enrolment", message, account),
        )  # fmt: skip

    def _terms(self, enrolment: Digest, domain: typed.Domain) -> bytes:
        word = grants.sign_grant_account(
            ONE, self.fresh.address, self.voucher or self.patient, domain
        )
        return canonical.encode(
            {
                "type": "urn:xinglin:terms:1",
                "sentence": "我同意。",
                "salt": base64url(bytes(32)),
                "subject": {
                    "enrolment": enrolment.text,
                    "account": self.patient.address,
                    "signature": base64url(word if self.form is None else bent(word, self.form)),
                },
                "grantee": {"member": TWO, "role": None, "account": None, "project": None},
                "scope": {
                    "records": [str(RECORD)],
                    "categories": None,
                    "from": None,
                    "to": None,
                    "versions": "all",
                },
                "purposes": ["TREAT"],
                "research": None,
                "view": "whole",
                "frequency": None,
                "onward": False,
                "evidence": None,
            }
        )

    def _store(self, grant: Grant) -> GrantState:
        given: dict[str, object] = {
            "custodian": ONE,
            "grantor": grant.grantor,
            "terms_digest": grants.terms_digest(grant.terms),
            "given_at": self.view.time - 1000,
            "not_before": 0,
            "expires_at": grant.expires_at,
            "revoked_at": 0,
            "how": "signed",
            "revoked_by": "nobody",
        }
        state = GrantState.model_validate(given | self.state, by_name=True)
        words = (
            state.terms_digest,
            (int(state.grantor, 16) | state.given_at << 160 | state.not_before << 208).to_bytes(32),
            (
                state.expires_at | state.revoked_at << 48 | state.custodian << 96 | 1 << 128
                | (1 if state.revoked_at else 0) << 136
            ).to_bytes(32),
        )  # fmt: skip
        # Stored under the id that this chain's registry gives it, whatever was signed.
        home = grants.grant_id(grant, self.chain.domain)
        for offset, word in enumerate(words):
            self.words[storage.grant_place(home, offset)] = word
        return state

    def _access(
        self, domain: typed.Domain, grant: bytes, manifest: Digest, by: BundledAppointment
    ) -> Access:
        request = AccessRequest(
            id=secrets.token_bytes(32), custodian=ONE, ground="grant", grant_id=grant,
            purpose="TREAT", research="", reason_digest=bytes(32),
            items=({"record": str(RECORD), "version": 0},), key_digest=KEY,
            issued_at=self.view.time, deadline=self.view.time + 300,
        )  # fmt: skip
        return Access(
            request=request,
            request_signature=typed.sign(domain, "AccessRequest", request.message(), self.doctor),
            appointment=by.appointment,
            appointment_signature=by.signature,
            ground="grant",
            view=ViewOfChain(number=self.view.number, hash=self.view.hash, time=self.view.time),
            grant_id=grant,
            manifests=(manifest,),
            second=None,
        )

    def _entry(
        self, predicate: Predicate, signer: Account, domain: typed.Domain
    ) -> tuple[Entry, Disclosure]:
        statement = Statement((Subject(name="leaf", digest=Digest(bytes(32))),), predicate)
        attestation: Attestation = attest(statement, signer, domain)
        salt = new_salt()
        entry = Entry(EntryTag(secrets.token_bytes(32)), commit(attestation.encode(), salt))
        return entry, Disclosure(attestation=attestation, salt=salt)

    def _assemble(
        self,
        entries: list[tuple[Entry, Disclosure]],
        appointments: list[BundledAppointment],
        grant: BundledGrant,
    ) -> Bundle:
        trust, at = self.chain.trust, self.view.time
        name = origin(NetworkId(trust.network_id), ONE, Generation(0))
        leaves = [entry.leaf for entry, _ in entries]

        def part(index: int, role: str, size: int, anchored: int) -> Part:
            root = merkle.root_of(leaves[:size])
            self.words[storage.anchored_place(ONE, Generation(0), size)] = storage.anchored_word(
                RootHash(root), time=UnixTime(anchored), block=7
            )
            path = merkle.prove_inclusion(leaves[:size], index).path
            return Part.model_validate(
                {
                    "role": role, "origin": name, "index": index,
                    "entry": entries[index][0].encode(), "disclosure": entries[index][1],
                    "inclusion": Inclusion(size=size, path=tuple(Digest(p) for p in path)),
                    "anchor": AnchorOf(size=size, root=Digest(root), time=anchored, block=7),
                },
                by_name=True,
            )  # fmt: skip

        enrolled = part(0, "enrolment", 1, at + self.enrolment_anchored)
        second = part(1, "enrolment", 4, at + 10)
        opened = part(2, "record", 4, at + 10)
        main = part(3, "record", 4, at + 10)
        return Bundle(
            format="xinglin.bundle/1", network_id=trust.network_id, origin=name, index=3,
            entry=main.entry, disclosure=main.disclosure, inclusion=main.inclusion,
            checkpoint=None, anchor=main.anchor,
            evidence=Evidence(
                engine="anvil", header=header_at(self.chain.pool, self.view), headers=(),
                seals=(), view=header_at(self.chain.pool, self.view), proofs=(),
            ),
            trust=trust.digest, appointments=tuple(appointments), grant=grant, model=None,
            receipt=None, parts=(enrolled, second, opened),
        )  # fmt: skip


RECORD = UUID("8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11")
KEY = b"\x1f" * 32


class VerifierTrials:
    """What a bundle claims."""

    def try_no_enrolled_signature(self, claim: Claim) -> None:
        claim.voucher = Account.generate()

    def try_enrolment_after_grant(self, claim: Claim) -> None:
        claim.enrolment_anchored = -999

    def try_swapped_terms(self, claim: Claim) -> None:
        claim.state["terms_digest"] = secrets.token_bytes(32)

    def try_expired(self, claim: Claim) -> None:
        claim.state["expires_at"] = claim.view.time

    def try_not_yet(self, claim: Claim) -> None:
        claim.state["not_before"] = claim.view.time + 1

    def try_revoked(self, claim: Claim) -> None:
        claim.state |= {"revoked_at": claim.view.time, "revoked_by": "grantor"}

    def try_other_custodian(self, claim: Claim) -> None:
        claim.state["custodian"] = 3

    def try_other_registry(self, claim: Claim) -> None:
        claim.registry = typed.Domain(claim.chain.domain.chain_id, Account.generate().address)

    def try_other_chain(self, claim: Claim) -> None:
        home = claim.chain.domain
        claim.registry = typed.Domain(home.chain_id + 1, Address(home.verifying_contract))

    def try_high_s(self, claim: Claim) -> None:
        claim.form = "high-s"

    def try_64_bytes(self, claim: Claim) -> None:
        claim.form = "64-bytes"

    def try_v_0_or_1(self, claim: Claim) -> None:
        claim.form = "v-0-or-1"

    def try_other_subject(self, claim: Claim) -> None:
        claim.of_another = True


class TestVerifier:
    def test_what_is_in_order_is_verified(self, deployed) -> None:
        Claim(deployed, deployed.pool.final_view()).verify()

    @pytest.mark.parametrize(("case", "expected"), cases("verifier"))
    def test_the_verifier_refuses(self, deployed, case, expected) -> None:
        claim = Claim(deployed, deployed.pool.final_view())
        getattr(VerifierTrials(), f"try_{case.replace('-', '_')}")(claim)

        with pytest.raises(XinglinError) as refused:
            claim.verify()

        error = refused.value
        got = error.term if isinstance(error, ConsentError) else type(error).__name__
        assert got == expected
