"""A real chain, logs written by hand on it, and bundles of their entries."""

import secrets
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from xinglin import grant as grants
from xinglin import history, merkle, statement, typed
from xinglin._chain.answers import View, block_parameter
from xinglin._chain.checkpoints import NO_ANCHOR, Anchor, Checkpoints
from xinglin._chain.consents import Consents
from xinglin._chain.consortium import Applicant, NewAccount
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id, trust_root
from xinglin._chain.evidence import header_at, state_proofs
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender
from xinglin._chain.words import Power
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import NetworkOptions
from xinglin.appointment import Appointment, Role, SignedAppointment, appoint
from xinglin.bundle import (
    AnchorOf,
    Bundle,
    BundledAppointment,
    BundledGrant,
    BundledModel,
    Evidence,
    Inclusion,
    Part,
)
from xinglin.errors import UsageError
from xinglin.grant import Grant, Grantee, Scope, Terms, TermsSubject
from xinglin.hashes import Digest
from xinglin.keys import Account
from xinglin.names import (
    Address,
    EntryTag,
    Generation,
    GrantId,
    HistoryKey,
    Member,
    NetworkId,
    RecordId,
    UnixTime,
)
from xinglin.request import NO_GRANT, AccessRequest, Ground, Item, sign_request
from xinglin.statement import Disclosure, Entry, Predicate, Statement, Subject
from xinglin.storage import Place
from xinglin.trust import TrustRoot
from xinglin.verify import places_read

GENERATION = Generation(0)


@dataclass
class Institution:
    """A hospital with every key that a test may hold together, and its log."""

    member: Member
    govern: Account = field(default_factory=Account.generate)
    anchor: Account = field(default_factory=Account.generate)
    appoint: Account = field(default_factory=Account.generate)
    system: Account = field(default_factory=Account.generate)
    physician: Account = field(default_factory=Account.generate)
    entries: list[Entry] = field(default_factory=list)
    disclosures: list[Disclosure] = field(default_factory=list)
    anchors: list[tuple[int, Anchor]] = field(default_factory=list)
    appointments: list[SignedAppointment] = field(default_factory=list)

    def applicant(self) -> Applicant:
        return Applicant(
            f"Hospital {self.member}",
            f"http://127.0.0.1/{self.member}",
            bytes([self.member]) * 32,
            None,
            bytes(1216),
            (
                NewAccount(self.govern.address, Power.GOVERN),
                NewAccount(self.anchor.address, Power.ANCHOR),
                NewAccount(self.appoint.address, Power.APPOINT),
            ),
        )


@dataclass
class World:
    """A deployment, two hospitals that log, and a patient."""

    pool: RpcPool
    trust: TrustRoot
    hospitals: tuple[Institution, ...]
    patient: Account = field(default_factory=Account.generate)
    history_key: HistoryKey = field(default_factory=lambda: HistoryKey(secrets.token_bytes(32)))

    @property
    def consortium(self) -> typed.Domain:
        return self.trust.consortium_domain()

    @property
    def consents(self) -> typed.Domain:
        return self.trust.consents_domain()

    def now(self) -> UnixTime:
        return self.pool.final_view().time

    def appoint(self, by: Institution, account: Account, role: Role) -> SignedAppointment:
        start = int(time.time()) - 86_400
        signed = appoint(
            Appointment(
                id=secrets.token_bytes(32),
                member=by.member,
                account=account.address,
                key_digest=b"\x03" * 32,
                role=role,
                person_digest=bytes(32),
                not_before=start,
                not_after=start + 30 * 86_400,
            ),
            by.appoint,
            self.consortium,
        )
        by.appointments.append(signed)
        return signed

    def log(self, at: Institution, predicate: Predicate, digest: Digest, signer: Account) -> int:
        made = Statement((Subject(name="manifest", digest=digest),), predicate)
        attested = statement.attest(made, signer, self.consortium)
        salt = statement.new_salt()
        commitment = statement.commit(attested.encode(), salt)
        at.entries.append(Entry(EntryTag(secrets.token_bytes(32)), commitment))
        at.disclosures.append(Disclosure(attestation=attested, salt=salt))
        return len(at.entries) - 1

    def anchor(self, at: Institution) -> None:
        leaves = [entry.leaf for entry in at.entries]
        old, previous = at.anchors[-1] if at.anchors else (0, NO_ANCHOR)
        proof = merkle.prove_consistency(leaves, old).path if old else ()
        call = Checkpoints(self.pool).anchor(
            len(leaves), merkle.root_of(leaves), proof, previous=previous
        )
        state = Sender(self.pool, at.anchor).send(call, final=True)
        assert state.block is not None
        anchored = Anchor(merkle.root_of(leaves), state.block.time, state.block.number)
        at.anchors.append((len(leaves), anchored))

    def part(self, at: Institution, index: int, role: str) -> Part:
        size, anchor = next(pair for pair in at.anchors if pair[0] > index)
        proof = merkle.prove_inclusion([entry.leaf for entry in at.entries[:size]], index)
        return Part(
            role=role,  # type: ignore[arg-type]
            origin=history.origin(NetworkId(self.trust.network_id), at.member, GENERATION),
            index=index,
            entry=at.entries[index].encode(),
            disclosure=at.disclosures[index],
            inclusion=Inclusion(size=size, path=tuple(Digest(node) for node in proof.path)),
            anchor=AnchorOf(
                size=size, root=Digest(anchor.root), time=anchor.time, block=anchor.block
            ),
        )

    def bundle(
        self,
        at: Institution,
        index: int,
        *,
        parts: tuple[Part, ...] = (),
        grant: BundledGrant | None = None,
        model: BundledModel | None = None,
        view: View | None = None,
        others: tuple[SignedAppointment, ...] = (),
    ) -> Bundle:
        main = self.part(at, index, "record")
        now = self.pool.final_view()
        unproven = Bundle(
            format="xinglin.bundle/1",
            network_id=self.trust.network_id,
            origin=main.origin,
            index=index,
            entry=main.entry,
            disclosure=main.disclosure,
            inclusion=main.inclusion,
            checkpoint=None,
            anchor=main.anchor,
            evidence=Evidence(
                engine="anvil",
                header=header_at(self.pool, now),
                headers=(),
                seals=(),
                view=header_at(self.pool, view) if view else None,
                proofs=(),
            ),
            trust=self.trust.digest,
            appointments=tuple(
                BundledAppointment(
                    appointment=one.appointment, signature=one.signature, person=None
                )
                for one in (*at.appointments, *others)
            ),
            grant=grant,
            model=model,
            receipt=None,
            parts=parts,
        )

        def read(place: Place) -> bytes:
            contract = self.trust.contracts.named(place.contract)
            slot = "0x" + place.slot(contract.slots).hex()
            asked = [contract.address, slot, block_parameter(now)]
            return bytes.fromhex(str(self.pool.request("eth_getStorageAt", asked))[2:])

        places = places_read(unproven, trust=self.trust, read=read)
        proofs = state_proofs(self.pool, places, at=now)
        evidence = unproven.evidence.model_copy(update={"proofs": proofs})
        return unproven.model_copy(update={"evidence": evidence})

    def record(self, at: Institution, enrolment: Digest | None) -> tuple[int, statement.Record]:
        made = statement.record_statement(
            record=RecordId(uuid.uuid4()),
            version=1,
            custodian=at.member,
            blob=Digest.of(secrets.token_bytes(8)),
            size=300,
            claimed_at=self.now(),
            category="outpatient-note",
            media_type="text/plain",
            enrolment=enrolment,
        )
        predicate = made.predicate
        assert isinstance(predicate, statement.Record)
        return self.log(at, predicate, predicate.blob, at.physician), predicate

    def enrol(self, at: Institution) -> int:
        issued, digest = self.now(), history.history_digest(self.history_key)
        message = {
            "custodian": at.member,
            "account": self.patient.address,
            "keyDigest": b"\x09" * 32,
            "historyDigest": digest,
            "issuedAt": issued,
        }
        enrolment = statement.Enrolment(
            custodian=at.member,
            account=self.patient.address,
            key_digest=b"\x09" * 32,
            history=Digest(digest),
            issued_at=issued,
            how="in-person",
            signature=typed.sign(self.consortium, "Enrolment", message, self.patient),
            proxies=(),
            claimed_at=issued,
        )
        return self.log(at, enrolment, Digest(digest), at.system)

    def commitment(self, at: Institution, index: int) -> Digest:
        return Digest(at.entries[index].commitment)

    def give(
        self, custodian: Institution, grantee: Institution, enrolment: Digest, record: uuid.UUID
    ) -> tuple[GrantId, bytes, Account]:
        fresh, day = Account.generate(), int(time.time()) // 86_400
        vouched = grants.sign_grant_account(
            custodian.member, Address(fresh.address), self.patient, self.consortium
        )
        terms = Terms(
            type="urn:xinglin:terms:1",
            sentence="为治疗，乙医院的医师可查阅这份病历。",
            salt=secrets.token_bytes(32),
            subject=TermsSubject(
                enrolment=enrolment, account=self.patient.address, signature=vouched
            ),
            grantee=Grantee(member=grantee.member, role="physician", account=None, project=None),
            scope=Scope(records=(record,), categories=None, from_=None, to=None, versions="all"),
            purposes=("TREAT",),
            research=None,
            view="whole",
            frequency=None,
            onward=False,
            evidence=None,
        ).encode()
        made = Grant(
            custodian=custodian.member,
            grantor=Address(fresh.address),
            terms=terms,
            not_before=UnixTime(0),
            expires_at=UnixTime((day + 30) * 86_400),
            deadline=UnixTime((int(time.time()) // 3_600 + 2) * 3_600),
        )
        signature = grants.sign_grant(made, fresh, self.consents)
        call = Consents(self.pool).give(made, signature)
        Sender(self.pool, custodian.anchor).send(call, final=True)
        return grants.grant_id(made, self.consents), terms, fresh

    def access(
        self,
        at: Institution,
        by: SignedAppointment,
        account: Account,
        record: statement.Record,
        manifest: Digest,
        grant: GrantId | None,
        view: View,
        ground: Ground | None = None,
    ) -> int:
        request = AccessRequest(
            id=secrets.token_bytes(32),
            custodian=at.member,
            ground=ground or ("grant" if grant else "care"),
            grant_id=grant or NO_GRANT,
            purpose="TREAT",
            research="",
            reason_digest=bytes(32),
            items=(Item(record=record.record, version=0),),
            key_digest=by.appointment.key_digest,
            issued_at=view.time,
            deadline=view.time + 300,
        )
        signed = sign_request(request, account, self.consortium)
        access = statement.Access(
            request=request,
            request_signature=signed.signature,
            appointment=by.appointment,
            appointment_signature=by.signature,
            ground=request.ground,
            view=statement.ViewOfChain(number=view.number, hash=view.hash, time=view.time),
            grant_id=grant,
            manifests=(manifest,),
            second=None,
        )
        return self.log(at, access, manifest, at.system)

    def manifest(self, at: Institution, index: int) -> Digest:
        return statement.manifest_digest(at.disclosures[index].attestation.statement.encode())

    def bundled_grant(self, grant: GrantId, terms: bytes) -> BundledGrant:
        state = Consents(self.pool).grant(grant)
        assert state is not None
        return BundledGrant(id=grant, terms=terms.decode(), state=state)


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three founding hospitals on an Anvil of their own."""
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))
    folder: Path = tmp_path_factory.mktemp("verify")
    engine = Anvil()
    pool = RpcPool(engine.up(folder, NetworkOptions()))
    try:
        hospitals = tuple(Institution(Member(number)) for number in (1, 2, 3))
        plan = DeploymentPlan(
            new_network_id(), tuple(one.applicant() for one in hospitals), change_delay=1
        )
        profile = deploy(pool, Account.generate(), plan)
        pool.close()
        pool = RpcPool(profile)
        made = World(pool, trust_root(profile), hospitals)
        for hospital in hospitals:
            made.appoint(hospital, hospital.system, "system")
            made.appoint(hospital, hospital.physician, "physician")
        yield made
    finally:
        pool.close()
        engine.down(folder)
