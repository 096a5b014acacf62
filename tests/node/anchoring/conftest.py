"""A real chain with sixteen founding hospitals, so that each test has a log of its own."""

import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from xinglin._chain.consortium import Applicant, NewAccount
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.words import Power
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import NetworkOptions
from xinglin.errors import UsageError
from xinglin.keys import Account, HpkeIdentity
from xinglin.names import Member, Salt
from xinglin.note import LogKey
from xinglin_node.anchoring.worker import Workers
from xinglin_node.app import close_house, create_house, open_house
from xinglin_node.house import NodeHouse, NodeKeys
from xinglin_node.log.writer import PendingEntry, Sequenced
from xinglin_node.settings import NodeSettings

HOSPITALS = 16


def new_keys() -> NodeKeys:
    return NodeKeys(
        log=LogKey.generate(),
        anchor=Account.generate(),
        witness=Account.generate(),
        system=Account.generate(),
        institution=HpkeIdentity.generate(),
        recovery=HpkeIdentity.generate().recipient,
        session=secrets.token_bytes(32),
    )


@dataclass
class Chain:
    """An Anvil with the contracts, and hospitals that no test has used yet."""

    profile: NetworkProfile
    folder: Path
    keys: list[NodeKeys]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def hospital(self) -> tuple[Member, NodeKeys]:
        number = next(self.numbers)
        return Member(number), self.keys[number - 1]


@contextmanager
def running_chain(folder: Path, hospitals: int) -> Iterator[Chain]:
    """Start Anvil and deploy; stop it at the end."""
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))
    engine = Anvil()
    profile = engine.up(folder, NetworkOptions())
    try:
        keys = [new_keys() for _ in range(hospitals)]
        founders = tuple(
            Applicant(
                f"Hospital {number}",
                "",
                one.log.public,
                None,
                one.institution.recipient.public_key,
                (
                    NewAccount(Account.generate().address, Power.GOVERN),
                    NewAccount(one.anchor.address, Power.ANCHOR),
                    NewAccount(one.witness.address, Power.WITNESS),
                ),
            )
            for number, one in enumerate(keys, start=1)
        )
        pool = RpcPool(profile)
        plan = DeploymentPlan(new_network_id(), founders, change_delay=2)
        profile = deploy(pool, Account.generate(), plan)
        pool.close()
        yield Chain(profile, folder, keys)
    finally:
        engine.down(folder)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with running_chain(tmp_path_factory.mktemp("chain"), HOSPITALS) as made:
        yield made


@dataclass
class Walk:
    """One node whose steps a test takes itself."""

    house: NodeHouse
    workers: Workers

    def append(self, count: int = 1) -> list[Sequenced]:
        salt = Salt(secrets.token_bytes(32))
        pending = PendingEntry(attestation=b"{}", salt=salt, kind="access", subject=None)
        return self.house.writer.submit(
            lambda write: [write.append(pending) for _ in range(count)]
        ).result()

    def follow(self) -> None:
        while self.workers.indexer.step():
            pass

    def step(self) -> None:
        self.follow()
        self.workers.outbox.step()
        self.workers.anchors.step()


@contextmanager
def walking(
    folder: Path, profile: NetworkProfile, member: Member, keys: NodeKeys, **changes: object
) -> Iterator[Walk]:
    """Open a node over `folder` that does only what the test tells it to."""
    folder.mkdir(parents=True, exist_ok=True)
    given: dict[str, object] = {
        "folder": folder,
        "passphrase": "x",
        "network": folder / "network.toml",
        "member": member,
        "public_url": "http://testserver",
        "anchor_every_seconds": 1,
        "anchor_every_entries": 1,
    }
    house = create_house(NodeSettings(**(given | changes)), keys, profile)
    open_house(house)
    workers = Workers(house)
    try:
        yield Walk(house, workers)
    finally:
        workers.stop()
        close_house(house)


class Between(ThreadingHTTPServer):
    """Stands before a real RPC node and loses the replies it is told to lose."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.lose: set[str] = set()
        """Methods that are done, and whose reply never comes."""
        self.refuse: set[str] = set()
        """Methods that never arrive."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Between

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["method"] in self.server.refuse:
            self.close_connection = True
            return
        answer = httpx.post(self.server.upstream, json=body, trust_env=False)
        if body["method"] in self.server.lose:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def between(chain: Chain) -> Iterator[Between]:
    server = Between(chain.profile.rpc[0])
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def through(chain: Chain, between: Between) -> NetworkProfile:
    """The chain's profile, with everything going through `between`."""
    return replace(chain.profile, rpc=(between.url,))


@pytest.fixture
def walk() -> Callable[..., object]:
    return walking


@pytest.fixture
def own_chain() -> Callable[..., object]:
    return running_chain
