"""A real chain with one node that follows it, and one patient's life on both."""

import io
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import httpx
import pytest
from fastapi.testclient import TestClient
from tests.node.conftest import Databases

from xinglin import _cli, consent, seal, typed
from xinglin import grant as grants
from xinglin._chain.consortium import Applicant, Consortium, NewAccount, model_approval
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id, trust_root
from xinglin._chain.models import Models
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender
from xinglin._chain.words import Kind, Power
from xinglin._cli import caller
from xinglin._cli import consent as consent_commands
from xinglin._http import NodeClient, SignIn
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import NetworkOptions
from xinglin.access import Asker
from xinglin.appointment import Appointment, Person, Role, SignedAppointment, appoint
from xinglin.bundle import Bundle, read_bundle
from xinglin.encoding import base64url, from_base64url
from xinglin.errors import ServiceError, UsageError
from xinglin.hashes import Digest
from xinglin.history import history_digest
from xinglin.keys import Account, HpkeIdentity, new_phrase, write_key_file
from xinglin.names import HistoryKey, Member, RecordId, UnixTime
from xinglin.note import LogKey
from xinglin.seal import SealedBlob
from xinglin.statement import attest, record_statement
from xinglin.trust import TrustRoot
from xinglin_node.app import create_app, create_house
from xinglin_node.house import NodeHouse, NodeKeys
from xinglin_node.settings import NodeSettings

Found = TypeVar("Found")

Run = Callable[..., Any]
"""Runs a command and gives what it printed."""


class InProcess(httpx.BaseTransport):
    """Carries the library's requests into the node's application, without a network."""

    def __init__(self, client: TestClient) -> None:
        self._client = client

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._client.request(
            request.method,
            str(request.url),
            content=request.read(),
            headers=dict(request.headers),
        )
        headers = {
            name: value
            for name, value in answer.headers.items()
            if name.lower() in ("content-type", "retry-after")
        }
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)


@dataclass(frozen=True)
class Staff:
    """Somebody appointed, with everything that only a test may hold together."""

    account: Account
    identity: HpkeIdentity
    signed: SignedAppointment
    person: Person

    @property
    def shown(self) -> dict[str, object]:
        return {**self.signed.to_json(), "person": self.person.to_json()}


@dataclass
class Life:
    """A node on a real chain, and those around it."""

    house: NodeHouse
    client: TestClient
    trust: TrustRoot
    officers: dict[int, Account]
    governors: dict[int, Account]
    patient: Account = field(default_factory=Account.generate)
    identity: HpkeIdentity = field(default_factory=HpkeIdentity.generate)
    subject: str = ""
    history_key: HistoryKey = field(init=False)
    enrolment: Digest = field(init=False)

    def staff(self, role: Role, *, member: int = 1, name: str = "王敏") -> Staff:
        account, identity = Account.generate(), HpkeIdentity.generate()
        return self.appoint(role, account, identity, member=member, name=name)

    def appoint(
        self, role: Role, account: Account, identity: HpkeIdentity, *, member: int, name: str
    ) -> Staff:
        person = Person(name=name, licence="110", salt=secrets.token_bytes(32))
        now = int(time.time())
        appointment = Appointment(
            id=secrets.token_bytes(32), member=member, account=account.address,
            key_digest=identity.key_digest, role=role, person_digest=person.digest(),
            not_before=now - 3600, not_after=now + 86_400,
        )  # fmt: skip
        signed = appoint(appointment, self.officers[member], self.trust.consortium_domain())
        return Staff(account, identity, signed, person)

    def node(self, who: Staff | None = None, *, subject: bool = False) -> NodeClient:
        """A connection as somebody."""
        node = NodeClient("http://testserver", transport=InProcess(self.client))
        chain_id = self.trust.chain_id
        if who is not None:
            node.sign_in(SignIn(who.account, chain_id, appointment=who.shown))
        elif subject:
            node.sign_in(SignIn(self.patient, chain_id, subject=self.subject))
        return node

    def asker(self, who: Staff | None = None) -> Asker:
        domain = self.trust.consortium_domain()
        if who is None:
            return Asker(self.patient, self.identity, domain)
        return Asker(who.account, who.identity, domain, who.shown)

    def enrol(self, desk: NodeClient) -> None:
        """Register and enrol the patient."""
        answer = desk.post("/v1/subjects", {})
        self.subject = str(answer["subject"])
        self.history_key = HistoryKey(from_base64url(str(answer["historyKey"])))
        now = int(time.time())
        message: dict[str, object] = {
            "custodian": 1,
            "account": self.patient.address,
            "keyDigest": self.identity.key_digest,
            "historyDigest": history_digest(self.history_key),
            "issuedAt": now,
        }
        signature = typed.sign(self.trust.consortium_domain(), "Enrolment", message, self.patient)
        enrolled = desk.post(
            f"/v1/subjects/{self.subject}/enrolment",
            {
                "account": self.patient.address,
                "publicKey": base64url(self.identity.recipient.public_key),
                "proxies": [],
                "issuedAt": now,
                "signature": base64url(signature),
            },
        )
        self.enrolment = Digest.from_text(str(enrolled["enrolment"]))

    def submit(self, author: Staff, text: str) -> tuple[RecordId, int]:
        """Seal and submit a note; return its id and its entry."""
        record, statement = RecordId(uuid4()), b""

        def state(blob: SealedBlob) -> bytes:
            nonlocal statement
            statement = record_statement(
                record=record, version=1, custodian=Member(1), blob=blob.digest,
                size=blob.size, claimed_at=UnixTime(int(time.time())),
                category="outpatient-note", media_type="text/plain; charset=utf-8",
                enrolment=self.enrolment,
            ).encode()  # fmt: skip
            return statement

        sink, keys = io.BytesIO(), self.house.keys
        _, envelope = seal.seal(
            io.BytesIO(text.encode()), sink,
            recipients=[keys.institution.recipient, keys.recovery],
            record=record, version=1, statement=state,
        )  # fmt: skip
        sink.seek(0)
        answer = self.node(author).post_parts(
            "/v1/records",
            fields={
                "subject": self.subject,
                "envelope": envelope.encode().decode(),
                "attestation": attest(statement, author.account, self.house.domain)
                .encode()
                .decode(),
            },
            files={"blob": ("blob", sink, "application/octet-stream")},
        )
        return record, int(str(answer["index"]))

    def grant(self, *, to: int) -> consent.SignedGrant:
        """A grant for physicians of a member, signed and deposited."""
        fresh = Account.generate()
        word = grants.sign_grant_account(
            Member(1), fresh.address, self.patient, self.trust.consortium_domain()
        )
        terms = grants.Terms.from_json(
            {
                "type": "urn:xinglin:terms:1", "sentence": "我同意。",
                "salt": base64url(secrets.token_bytes(32)),
                "subject": {
                    "enrolment": self.enrolment.text, "account": self.patient.address,
                    "signature": base64url(word),
                },
                "grantee": {
                    "member": to, "role": "physician", "account": None, "project": None,
                },
                "scope": {
                    "records": None, "categories": ["outpatient-note"],
                    "from": None, "to": None, "versions": "all",
                },
                "purposes": ["TREAT"], "research": None, "view": "whole",
                "frequency": None, "onward": False, "evidence": None,
            }
        )  # fmt: skip
        signed = consent.sign(
            terms, custodian=Member(1), account=fresh, days=30,
            now=UnixTime(int(time.time())), consents=self.trust.consents_domain(),
        )  # fmt: skip

        def deposited() -> bool:
            try:
                consent.give_through(self.node(), signed)
            except ServiceError as error:
                # Until the enrolment's anchor is final.
                if error.problem != "rule":
                    raise
                return False
            return True

        wait_for(deposited)
        return signed

    def approve(self, model: Digest) -> None:
        """Have a model registered and approved by the hospitals' votes, and the node see it."""
        with closing(RpcPool(self.house.profile)) as pool:
            models, consortium = Models(pool), Consortium(pool)
            first = Sender(pool, self.governors[1])
            first.send(models.register(model), final=True)
            payload = model_approval(model, None, Member(1))
            first.send(consortium.propose(Kind.APPROVE_MODEL, None, payload), final=True)
            number = consortium.proposals(at=pool.final_view())[-1].number
            for governor in list(self.governors.values())[: consortium.quorum(None)]:
                Sender(pool, governor).send(consortium.vote(number), final=True)
            first.send(models.approve(model), final=True)
        self.wait_for(lambda: self.status_of(model) == "approved")

    def retire(self, model: Digest) -> None:
        """Have member 1 retire its model, and the node see it."""
        with closing(RpcPool(self.house.profile)) as pool:
            Sender(pool, self.governors[1]).send(Models(pool).retire(model), final=True)
        self.wait_for(lambda: self.status_of(model) == "retired")

    def status_of(self, model: Digest) -> str:
        """What the node says of a model."""
        node = self.node(self.staff("physician"))
        listed = {one["digest"]: one["status"] for one in node.get("/v1/models")["models"]}
        return listed.get(model.text, "unregistered")

    def wait_for(self, look: Callable[[], Found]) -> Found:
        """Look again until there is something."""
        return wait_for(look)

    def bundle(self, node: NodeClient, index: int) -> Bundle:
        """Fetch a bundle, once its anchor is final."""

        def fetched() -> bytes | None:
            try:
                return node.get_bytes(f"/v1/entries/{index}/bundle")
            except ServiceError as error:
                if error.problem != "view-stale":
                    raise
                return None

        return read_bundle(wait_for(fetched))


def wait_for(look: Callable[[], Found], *, seconds: float = 60) -> Found:
    """Look again until there is something."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = look()
        if found:
            return found
        time.sleep(0.3)
    raise TimeoutError("it did not come about")


def _founders(
    keys: NodeKeys, officers: dict[int, Account], governors: dict[int, Account]
) -> tuple[Applicant, ...]:
    witness = keys.witness
    assert witness is not None
    made: list[Applicant] = []
    for number in (1, 2, 3):
        own = number == 1
        accounts = [
            NewAccount(governors[number].address, Power.GOVERN),
            NewAccount(officers[number].address, Power.APPOINT),
            NewAccount((keys.anchor if own else Account.generate()).address, Power.ANCHOR),
        ]
        if own:
            accounts.append(NewAccount(witness.address, Power.WITNESS))
        made.append(
            Applicant(
                f"Hospital {number}", "", keys.log.public if own else bytes([number]) * 32,
                None, keys.institution.recipient.public_key, tuple(accounts),
            )
        )  # fmt: skip
    return tuple(made)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory, database_server: str | None) -> Iterator[Life]:
    """One node on a chain of its own, on each database, with the patient enrolled."""
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))
    folder: Path = tmp_path_factory.mktemp("life")
    databases = Databases(database_server)
    engine = Anvil()
    base = engine.up(folder / "chain", NetworkOptions())
    try:
        keys = NodeKeys(
            log=LogKey.generate(), anchor=Account.generate(), witness=Account.generate(),
            system=Account.generate(), institution=HpkeIdentity.generate(),
            recovery=HpkeIdentity.generate().recipient, session=secrets.token_bytes(32),
        )  # fmt: skip
        officers = {number: Account.generate() for number in (1, 2, 3)}
        governors = {number: Account.generate() for number in (1, 2, 3)}
        pool = RpcPool(base)
        plan = DeploymentPlan(
            new_network_id(), _founders(keys, officers, governors), change_delay=2
        )
        profile: NetworkProfile = deploy(pool, Account.generate(), plan)
        pool.close()
        at = folder / "node"
        at.mkdir()
        settings = NodeSettings(
            folder=at, passphrase="x", network=at / "network.toml", member=1,
            public_url="http://testserver", anchor_every_seconds=1, poll_seconds=0.2,
            database_url=databases.of(at),
        )  # fmt: skip
        house = create_house(settings, keys, profile)
        with TestClient(create_app(house)) as client:
            made = Life(house, client, trust_root(profile), officers, governors)
            system = made.appoint("system", keys.system, keys.institution, member=1, name="node")
            (at / "system.appointment.json").write_text(json.dumps(system.signed.to_json()))
            wait_for(lambda: client.get("/readyz").status_code == 200)
            made.enrol(made.node(made.staff("desk")))
            yield made
    finally:
        engine.down(folder / "chain")
        databases.drop()


@pytest.fixture
def run(life, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> Run:
    """Run a command in an empty folder; return what it printed, as JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XINGLIN_PASSPHRASE", "correct horse")
    monkeypatch.setenv("XINGLIN_TRUST", str(tmp_path / "trust.json"))
    monkeypatch.setenv("XINGLIN_NODE", "http://testserver")
    (tmp_path / "trust.json").write_bytes(life.trust.encode())

    def connect(url: str) -> NodeClient:
        assert url == "http://testserver"
        return life.node()

    monkeypatch.setattr(caller, "NodeClient", connect)
    monkeypatch.setattr(consent_commands, "NodeClient", connect)

    def command(*arguments: object, code: int = 0) -> Any:
        with pytest.raises(SystemExit) as ended:
            _cli.main([*map(str, arguments), "--json"])
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed.err
        return json.loads(printed.out or printed.err)

    return command


@pytest.fixture
def people(life, run: Run, tmp_path: Path) -> None:
    """Key files and appointments: a desk, a physician at two hospitals each, a researcher."""
    secrets = {
        f"officer{number}": {"kind": "account", "key": base64url(life.officers[number].key)}
        for number in (1, 2)
    } | {
        name: {"kind": "person", "phrase": new_phrase()}
        for name in ("desk", "doctor", "outside", "scholar", "alice")
    }
    for name, secret in secrets.items():
        # The least cost that a reader takes: these commands open a file each time.
        write_key_file(tmp_path / f"{name}.key", secret, "correct horse", log2_cost=14)
    for name, member, role in (("desk", 1, "desk"), ("doctor", 1, "physician"),
                               ("outside", 2, "physician"),
                               ("scholar", 2, "researcher")):  # fmt: skip
        run(
            "appointment", "issue", "--key", f"officer{member}.key", "--member", member,
            "--role", role, "--name", "王敏", "--person-keys", f"{name}.key",
            "--out", f"{name}.json",
        )  # fmt: skip
