"""
One node for a test, on SQLite and on PostgreSQL, with people who may speak to it.

    def test_something(scene): ...          # runs twice, once on each database

A scene has a member, its officer's appointments and a chain as the indexer would have left
it in the tables; nothing of the node is replaced. Tests that need a real chain start one.
"""

import io
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import create_engine, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from xinglin import canonical, consent, seal, typed
from xinglin import grant as grants
from xinglin._chain.profile import (
    Contracts,
    DeployedContract,
    FeeRule,
    Finality,
    FinalityRule,
    NetworkProfile,
)
from xinglin.appointment import Appointment, Role, SignedAppointment, appoint
from xinglin.encoding import base64url
from xinglin.hashes import Digest
from xinglin.history import history_digest
from xinglin.keys import Account, HpkeIdentity
from xinglin.names import (
    Address,
    GrantId,
    HistoryKey,
    Member,
    NetworkId,
    RecordId,
    SubjectId,
    UnixTime,
)
from xinglin.note import LogKey
from xinglin.request import AccessRequest
from xinglin.seal import SealedBlob
from xinglin.statement import Attestation, Proxy, Statement, attest, record_statement
from xinglin_node.app import create_app, create_house
from xinglin_node.authority import credentials_of
from xinglin_node.chain.tables import (
    AccountRow,
    CheckpointRow,
    MemberRow,
    MemberStatusRow,
    ViewRow,
)
from xinglin_node.chain.tables import GrantRow as ChainGrantRow
from xinglin_node.chain.view import POWER_ANCHOR, POWER_APPOINT, POWER_WITNESS
from xinglin_node.house import NodeHouse, NodeKeys
from xinglin_node.log.tables import DisclosureRow
from xinglin_node.log.unit import Write
from xinglin_node.sessions.credential import Holder
from xinglin_node.settings import NodeSettings

PASSPHRASE = "correct horse battery staple"

KEYS = NodeKeys(
    log=LogKey.generate(),
    anchor=Account.generate(),
    witness=Account.generate(),
    system=Account.generate(),
    institution=HpkeIdentity.generate(),
    recovery=HpkeIdentity.generate().recipient,
    session=secrets.token_bytes(32),
)
"""One set of keys for the whole run: making them is slow and no test depends on which."""

OTHER_MEMBER = Member(2)
NETWORK = NetworkId(bytes(range(16)))


def _contract(number: int) -> DeployedContract:
    return DeployedContract(Account.from_key(bytes([number]) * 32).address, bytes(32), 1)


PROFILE = NetworkProfile(
    engine="anvil",
    chain_id=31337,
    genesis=bytes(32),
    rpc=("http://127.0.0.1:1",),
    block_period=1,
    finality=Finality(FinalityRule.DEPTH, 1),
    fee=FeeRule.ZERO,
    network_id=NETWORK,
    contracts=Contracts(*(_contract(number) for number in (1, 2, 3, 4))),
)


class Clock:
    """A wall clock that a test can move."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Someone:
    """A person with an account, an encryption key and an appointment."""

    account: Account
    identity: HpkeIdentity
    signed: SignedAppointment


@dataclass
class Sealed:
    """A record as an author would submit it."""

    subject: SubjectId
    record: RecordId
    version: int
    payload: bytes
    ciphertext: bytes
    envelope: bytes
    attestation: bytes
    statement: bytes

    @property
    def manifest(self) -> Digest:
        return Digest.of(self.statement)


@dataclass
class Scene:
    """One running node and those around it."""

    house: NodeHouse
    client: TestClient
    clock: Clock
    officer: Account = field(default_factory=Account.generate)
    other_officer: Account = field(default_factory=Account.generate)

    def seed_chain(self) -> None:
        """Leave in the tables what the indexer would have read."""
        now = int(self.clock())
        house = self.house
        accounts = [
            (self.officer.address, house.member, POWER_APPOINT),
            (house.keys.anchor.address, house.member, POWER_ANCHOR),
            (self.other_officer.address, OTHER_MEMBER, POWER_APPOINT),
        ]
        if house.keys.witness is not None:
            accounts.append((house.keys.witness.address, house.member, POWER_WITNESS))

        def work(write: Write) -> None:
            session = write.session
            session.add(
                ViewRow(
                    id=1, number=10, hash=bytes(32), time=now - 1,
                    head_number=11, head_time=now, seen_at=now,
                )
            )  # fmt: skip
            for member, role in ((house.member, 1), (OTHER_MEMBER, 2), (Member(3), 1)):
                session.add(
                    MemberRow(
                        member=member, role=role, name=f"Member {member}", url="",
                        log_key=house.keys.log.public, key_digest=bytes(32), generation=0,
                        frozen=False, block=1,
                    )
                )  # fmt: skip
                session.add(MemberStatusRow(member=member, since=now - 86_400, status=1, block=1))
            for address, member, powers in accounts:
                session.add(
                    AccountRow(
                        address=address, member=member, powers=powers,
                        since=now - 86_400, until=0, block=1,
                    )
                )  # fmt: skip

        house.writer.submit(work).result()

    def someone(self, role: Role, *, member: Member | None = None) -> Someone:
        """Appoint a new person."""
        member = self.house.member if member is None else member
        account, identity = Account.generate(), HpkeIdentity.generate()
        now = int(self.clock())
        appointment = Appointment(
            id=secrets.token_bytes(32),
            member=member,
            account=account.address,
            key_digest=identity.key_digest,
            role=role,
            person_digest=secrets.token_bytes(32),
            not_before=now - 3600,
            not_after=now + 30 * 86_400,
        )
        officer = self.officer if member == self.house.member else self.other_officer
        return Someone(account, identity, appoint(appointment, officer, self.house.domain))

    def sign_in(self, person: Someone) -> dict[str, str]:
        """Headers with a credential for an appointed person."""
        return self._headers(Holder(person.account.address, appointment=person.signed))

    def sign_in_subject(self, account: Account, subject: SubjectId) -> dict[str, str]:
        """Headers with a credential for a data subject."""
        return self._headers(Holder(account.address, subject=subject))

    def _headers(self, holder: Holder) -> dict[str, str]:
        now = UnixTime(int(self.clock()))
        credential, _ = credentials_of(self.house).issue(holder, now)
        return {"Authorization": f"Bearer {credential}"}

    def register(self, desk: Someone) -> tuple[SubjectId, HistoryKey]:
        """Open a file at the desk."""
        answer = self.client.post("/v1/subjects", headers=self.sign_in(desk))
        assert answer.status_code == 201, answer.text
        from xinglin.document import from_base64url

        body = answer.json()
        return SubjectId(UUID(body["subject"])), HistoryKey(from_base64url(body["historyKey"]))

    def enrol(self, desk: Someone, subject: SubjectId, body: object = None) -> Digest:
        """Enrol, by default without a device; return the enrolment's commitment."""
        answer = self.client.post(
            f"/v1/subjects/{subject}/enrolment", json=body or {}, headers=self.sign_in(desk)
        )
        assert answer.status_code == 201, answer.text
        return Digest.from_text(answer.json()["enrolment"])

    def enrolled(self) -> tuple[SubjectId, Digest]:
        """A new subject without a device, and their enrolment."""
        desk = self.someone("desk")
        subject, _ = self.register(desk)
        return subject, self.enrol(desk, subject)

    def seal(
        self,
        author: Account,
        subject: SubjectId,
        enrolment: Digest | None,
        *,
        payload: bytes = "头痛三天，舌淡苔白，脉弦。".encode(),
        record: UUID | None = None,
        version: int = 1,
        previous: Digest | None = None,
        **changes: object,
    ) -> Sealed:
        """Seal a record as an author would; `changes` replace members of its statement."""
        record_id = RecordId(record or uuid4())
        statement = b""

        def state(blob: SealedBlob) -> bytes:
            nonlocal statement
            given: dict[str, object] = {
                "record": record_id,
                "version": version,
                "custodian": self.house.member,
                "blob": blob.digest,
                "size": blob.size,
                "claimed_at": UnixTime(int(self.clock())),
                "category": "outpatient-note",
                "media_type": "text/plain; charset=utf-8",
                "enrolment": enrolment,
                "previous": previous,
            }
            statement = record_statement(**(given | changes)).encode()
            return statement

        sink = io.BytesIO()
        _, envelope = seal.seal(
            io.BytesIO(payload),
            sink,
            recipients=[self.house.keys.institution.recipient, self.house.keys.recovery],
            record=record_id,
            version=version,
            statement=state,
        )
        return Sealed(
            subject, record_id, version, payload, sink.getvalue(), envelope.encode(),
            attest(statement, author, self.house.domain).encode(), statement,
        )  # fmt: skip

    def submit(self, author: Someone, sealed: Sealed, **changes: object) -> object:
        """Post a sealed record; `changes` replace parts of the form."""
        data = {
            "subject": str(sealed.subject),
            "envelope": sealed.envelope,
            "attestation": sealed.attestation,
        } | {key: value for key, value in changes.items() if key != "blob"}
        blob = changes.get("blob", sealed.ciphertext)
        return self.client.post(
            "/v1/records",
            data=data,
            files={"blob": ("blob", io.BytesIO(blob), "application/octet-stream")},
            headers=self.sign_in(author),
        )


def make_settings(folder: Path, database_url: str | None, **changes: object) -> NodeSettings:
    """Settings for a test node."""
    given: dict[str, object] = {
        "folder": folder,
        "passphrase": PASSPHRASE,
        "network": folder / "network.toml",
        "member": 1,
        "public_url": "http://testserver",
        "database_url": database_url,
    }
    return NodeSettings(**(given | changes))


@contextmanager
def running(
    folder: Path,
    database_url: str | None = None,
    *,
    keys: NodeKeys = KEYS,
    profile: NetworkProfile = PROFILE,
    seed: bool = True,
    **changes: object,
) -> Iterator[Scene]:
    """Run a node in this process, without a chain to follow."""
    folder.mkdir(parents=True, exist_ok=True)
    clock = Clock()
    house = create_house(make_settings(folder, database_url, **changes), keys, profile, clock=clock)
    app = create_app(house, follow_chain=False)
    with TestClient(app) as client:
        scene = Scene(house, client, clock)
        if seed:
            scene.seed_chain()
        yield scene


MakeScene = Callable[..., "contextmanager[Scene]"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of our own, as a user that is not root; URL of its `postgres`."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL's programs are not installed")
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL refuses root, and setpriv is not installed")
    programs_at = programs[-1].parent
    as_nobody = (
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        if os.geteuid() == 0
        else []
    )
    folder = Path(tempfile.mkdtemp(prefix="xinglin-pg-"))
    if as_nobody:
        shutil.chown(folder, "nobody", "nogroup")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    environment = {**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    subprocess.run(
        [*as_nobody, programs_at / "initdb", "-D", data, "-A", "trust", "-U", "xinglin", "-N"],
        check=True, capture_output=True, cwd=folder, env=environment, timeout=60,
    )  # fmt: skip
    server = subprocess.Popen(
        [
            *as_nobody, programs_at / "postgres", "-D", data, "-p", str(port),
            "-k", folder, "-h", "127.0.0.1",
        ],
        cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"postgresql+psycopg://xinglin@127.0.0.1:{port}/postgres"
    try:
        _wait_for(url)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    for _ in range(200):
        try:
            with engine.connect():
                return
        except OperationalError:
            time.sleep(0.1)
    raise TimeoutError("PostgreSQL did not start")


class Databases:
    """
    Databases of one kind. A node's folder has one: fresh at first, the same when it comes back.
    """

    def __init__(self, server: str | None) -> None:
        self._server = server
        """Where PostgreSQL runs, or nothing for files of SQLite."""
        self._names: dict[Path, str] = {}

    def of(self, folder: Path) -> str:
        """URL of the database of the node in `folder`."""
        if self._server is None:
            return f"sqlite:///{folder}/node.sqlite"
        if folder not in self._names:
            self._names[folder] = f"t{uuid4().hex}"
            self._say(f"CREATE DATABASE {self._names[folder]}")
        return self._server.rsplit("/", 1)[0] + f"/{self._names[folder]}"

    def drop(self) -> None:
        """Forget them all."""
        for name in self._names.values():
            self._say(f"DROP DATABASE {name} WITH (FORCE)")
        self._names.clear()

    def _say(self, command: str) -> None:
        assert self._server is not None
        engine = create_engine(self._server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.execute(text(command))


@pytest.fixture(params=["sqlite", "postgresql"], scope="session")
def database_server(request: pytest.FixtureRequest) -> str | None:
    """The two kinds of database: nothing for SQLite, else where PostgreSQL runs."""
    if request.param == "sqlite":
        return None
    server: str = request.getfixturevalue("postgresql")
    return server


@pytest.fixture
def databases(database_server: str | None) -> Iterator[Databases]:
    """For tests that start several nodes."""
    made = Databases(database_server)
    yield made
    made.drop()


@pytest.fixture
def database_url(databases: Databases, tmp_path: Path) -> str:
    """A fresh, empty database of each kind."""
    return databases.of(tmp_path)


@pytest.fixture
def scene(tmp_path: Path, database_url: str) -> Iterator[Scene]:
    """A running node on each database."""
    with running(tmp_path / "node", database_url) as made:
        yield made


@pytest.fixture
def run_node(databases: Databases) -> Callable[..., object]:
    """`with run_node(folder, **settings) as scene:` for tests that start several nodes."""

    def run(folder: Path, **changes: object) -> object:
        folder.mkdir(parents=True, exist_ok=True)
        return running(folder, databases.of(folder), **changes)

    return run


def as_address(text_: str) -> Address:
    """For tests that read addresses from JSON."""
    return Address(text_)


@dataclass
class Patient:
    """A data subject with a device."""

    subject: SubjectId
    history_key: HistoryKey
    account: Account
    identity: HpkeIdentity
    enrolment: Digest


@dataclass
class Consenting:
    """A scene in which patients grant: the chain's tables are what a test says they are."""

    scene: Scene

    def patient(self, *, anchored: bool = True, proxies: tuple[Proxy, ...] = ()) -> Patient:
        """Enrol somebody with an account; `anchored` before anything else happens."""
        scene, desk = self.scene, self.scene.someone("desk")
        subject, key = scene.register(desk)
        account, identity = Account.generate(), HpkeIdentity.generate()
        now = int(scene.clock())
        message: dict[str, object] = {
            "custodian": scene.house.member,
            "account": account.address,
            "keyDigest": identity.key_digest,
            "historyDigest": history_digest(key),
            "issuedAt": now,
        }
        body = {
            "account": account.address,
            "publicKey": base64url(identity.recipient.public_key),
            "proxies": [proxy.to_json() for proxy in proxies],
            "issuedAt": now,
            "signature": base64url(typed.sign(scene.house.domain, "Enrolment", message, account)),
        }
        enrolment = scene.enrol(desk, subject, body)
        if anchored:
            self.anchor(at=now - 3600)
        return Patient(subject, key, account, identity, enrolment)

    def anchor(self, *, at: int) -> None:
        """Say that the chain has a final checkpoint of the whole log, from time `at`."""
        house, head = self.scene.house, self.scene.house.writer.head

        def work(write: Write) -> None:
            write.session.merge(
                CheckpointRow(
                    member=house.member, generation=head.generation, size=head.size,
                    root=head.root, time=at, block=5,
                )
            )  # fmt: skip

        house.writer.submit(work).result()

    def record(
        self, patient: Patient, author: Someone | None = None, **changes: object
    ) -> RecordId:
        """Submit a record of the patient's."""
        author = author or self.scene.someone("physician")
        sealed = self.scene.seal(author.account, patient.subject, patient.enrolment, **changes)
        answer = self.scene.submit(author, sealed)
        assert answer.status_code == 201, answer.text
        return sealed.record

    def terms(
        self, patient: Patient, grantor: Account, *, to: int = OTHER_MEMBER, **changes: object
    ) -> bytes:
        """Terms that let a physician of `to` treat; `changes` replace members of them."""
        word = grants.sign_grant_account(
            self.scene.house.member, grantor.address, patient.account, self.scene.house.domain
        )
        given: dict[str, object] = {
            "type": "urn:xinglin:terms:1",
            "sentence": "我同意。",
            "salt": base64url(secrets.token_bytes(32)),
            "subject": {
                "enrolment": patient.enrolment.text,
                "account": patient.account.address,
                "signature": base64url(word),
            },
            "grantee": {"member": to, "role": "physician", "account": None, "project": None},
            "scope": {
                "records": None, "categories": ["outpatient-note"],
                "from": None, "to": None, "versions": "all",
            },
            "purposes": ["TREAT"],
            "research": None,
            "view": "whole",
            "frequency": None,
            "onward": False,
            "evidence": None,
        }  # fmt: skip
        return canonical.encode(given | changes)

    def sign(
        self, patient: Patient, *, grantor: Account | None = None, **changes: object
    ) -> consent.SignedGrant:
        """A grant of thirty days, signed by a fresh account."""
        account = grantor or Account.generate()
        return consent.sign(
            self.terms(patient, account, **changes),
            custodian=self.scene.house.member,
            account=account,
            days=30,
            now=UnixTime(int(self.scene.clock())),
            consents=self.scene.house.consents_domain,
        )

    def deposit(self, signed: consent.SignedGrant, **changes: object) -> Response:
        """Bring a grant to the node."""
        grant = signed.grant
        signature = changes.pop("signature", signed.signature)
        message: dict[str, object] = {
            "custodian": grant.custodian,
            "grantor": grant.grantor,
            "terms": grant.terms.decode(),
            "notBefore": grant.not_before,
            "expiresAt": grant.expires_at,
            "deadline": grant.deadline,
        }
        return self.scene.client.post(
            "/v1/grants",
            json={
                "grant": message | changes,
                "signature": base64url(signature),
            },
        )

    def on_chain(self, signed: consent.SignedGrant, **changes: object) -> None:
        """Say that the chain has the grant, given a moment ago; `changes` replace its state."""
        now = int(self.scene.clock())
        given: dict[str, object] = {
            "grant_id": signed.id,
            "custodian": signed.grant.custodian,
            "grantor": signed.grant.grantor,
            "terms_digest": grants.terms_digest(signed.grant.terms),
            "how": 1,
            "given_at": now - 40,
            "not_before": signed.grant.not_before,
            "expires_at": signed.grant.expires_at,
            "revoked_at": 0,
            "revoked_by": 0,
            "block": 9,
        }

        def work(write: Write) -> None:
            write.session.merge(ChainGrantRow(**(given | changes)))

        self.scene.house.writer.submit(work).result()

    def given(self, patient: Patient, **changes: object) -> consent.SignedGrant:
        """A grant that is deposited, and that the chain has."""
        signed = self.sign(patient, **changes)
        answer = self.deposit(signed)
        assert answer.status_code == 201, answer.text
        self.on_chain(signed)
        return signed

    def view(self, *, age: int = 0, head_ahead: int = 0) -> None:
        """Move the final view `age` seconds back, and the newest block ahead of the clock."""
        now = int(self.scene.clock())

        def work(write: Write) -> None:
            row = write.session.get(ViewRow, 1)
            assert row is not None
            row.time, row.head_time = now - age, now + head_ahead

        self.scene.house.writer.submit(work).result()

    def request(
        self,
        asker: Someone | Patient,
        *records: RecordId,
        ground: str = "grant",
        purpose: str = "TREAT",
        grant: GrantId | None = None,
        **changes: object,
    ) -> dict[str, object]:
        """The body of a signed access request; `changes` replace members of the request."""
        now = int(self.scene.clock())
        given: dict[str, object] = {
            "id": "0x" + secrets.token_hex(32),
            "custodian": self.scene.house.member,
            "ground": ground,
            "grantId": "0x" + (grant or bytes(32)).hex(),
            "purpose": purpose,
            "research": "",
            "reasonDigest": "0x" + "00" * 32,
            "items": [{"record": str(record), "version": 0} for record in records],
            "keyDigest": "0x" + asker.identity.key_digest.hex(),
            "issuedAt": now,
            "deadline": now + 300,
        }
        request = AccessRequest.from_json(given | changes)
        signature = typed.sign(
            self.scene.house.domain, "AccessRequest", request.message(), asker.account
        )
        return {
            "request": request.to_json(),
            "signature": base64url(signature),
            "appointment": asker.signed.to_json() if isinstance(asker, Someone) else None,
            "publicKey": base64url(asker.identity.recipient.public_key),
            "reason": None,
        }

    def ask(self, asker: Someone | Patient, *records: RecordId, **asked: object) -> Response:
        """Ask for records."""
        return self.scene.client.post("/v1/access", json=self.request(asker, *records, **asked))

    def entries(self, kind: str) -> list[Statement]:
        """Every logged statement of one type, in order."""
        with self.scene.house.database.reading() as session:
            rows = session.scalars(
                select(DisclosureRow)
                .where(DisclosureRow.kind == kind)
                .order_by(DisclosureRow.index)
            )
            return [Attestation.decode(row.attestation).read() for row in rows]


@pytest.fixture
def consenting(scene: Scene) -> Consenting:
    """Patients who grant, on each database."""
    return Consenting(scene)
