"""A real chain with forty founding hospitals, so that each test has a log of its own."""

import itertools
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from tests.node.conftest import Databases

from xinglin._chain.consortium import Applicant, NewAccount
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.words import Power
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import NetworkOptions
from xinglin._network.process import free_ports
from xinglin._network.profile import save
from xinglin.errors import UsageError
from xinglin.keys import Account, HpkeIdentity, write_key_file
from xinglin.names import Member, Salt
from xinglin.note import LogKey
from xinglin_node.anchoring.worker import Workers
from xinglin_node.app import close_house, create_house, open_house
from xinglin_node.folder import KEYS_FILE, RECOVERY_FILE, RecoveryFile, _secrets
from xinglin_node.house import NodeHouse, NodeKeys
from xinglin_node.log.unit import PendingEntry, Sequenced
from xinglin_node.settings import SETTINGS_FILE, NodeSettings

HOSPITALS = 40
PASSPHRASE = "correct horse"


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
    officers: list[Account]
    """An account with GOVERN and APPOINT for each hospital."""
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
        officers = [Account.generate() for _ in keys]
        founders = tuple(
            Applicant(
                f"Hospital {number}",
                "",
                one.log.public,
                None,
                one.institution.recipient.public_key,
                (
                    NewAccount(officers[number - 1].address, Power.GOVERN | Power.APPOINT),
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
        yield Chain(profile, folder, keys, officers)
    finally:
        engine.down(folder)


@pytest.fixture(scope="package")
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


def write_folder(folder: Path, keys: NodeKeys, profile: NetworkProfile, **settings: object) -> None:
    """A node's folder as `xinglin node init` makes it, with keys that the chain knows."""
    folder.mkdir(parents=True, exist_ok=True)
    write_key_file(folder / KEYS_FILE, _secrets(keys), PASSPHRASE)
    recovery = RecoveryFile(format="xinglin.recovery/1", public_key=keys.recovery.public_key)
    (folder / RECOVERY_FILE).write_bytes(recovery.encode())
    save(profile, folder / "network.toml")
    given: dict[str, object] = {
        "folder": str(folder), "network": str(folder / "network.toml"),
        "public_url": "http://127.0.0.1:1", "anchor_every_seconds": 1,
    }  # fmt: skip
    lines = [f"{key} = {json.dumps(value)}" for key, value in (given | settings).items()]
    (folder / SETTINGS_FILE).write_text("\n".join(lines))


@dataclass
class Server:
    """A node in a process of its own."""

    process: subprocess.Popen[bytes]
    url: str

    def wait_until(self, done: Callable[[dict[str, Any]], object], seconds: float = 40) -> Any:
        ends = time.monotonic() + seconds
        while True:
            status = httpx.get(f"{self.url}/v1/status", trust_env=False, timeout=20).json()
            if done(status):
                return status
            if time.monotonic() > ends:
                raise TimeoutError(str(status))
            time.sleep(0.1)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=20)


START_SECONDS = 180
"""A node starts in 5 s on two idle cores; on a crowded machine a minute was too little."""


def start_server(folder: Path, *, ports: tuple[int, int], **environment: str) -> subprocess.Popen:
    """Start `xinglin node serve`; it may refuse."""
    (folder / "ready").unlink(missing_ok=True)
    given = {key: value for key, value in os.environ.items() if not key.startswith("XINGLIN_")}
    return subprocess.Popen(
        [
            sys.executable, "-m", "xinglin", "node", "serve", str(folder),
            "--port", str(ports[0]), "--metrics-port", str(ports[1]),
            "--ready", str(folder / "ready"),
        ],
        env={**given, "XINGLIN_PASSPHRASE": PASSPHRASE, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@contextmanager
def serving(folder: Path, *, ports: tuple[int, int] | None = None) -> Iterator[Server]:
    """Run a node in a process of its own until the end of the block."""
    chosen = ports or tuple(free_ports(2))
    process = start_server(folder, ports=(chosen[0], chosen[1]))
    try:
        ends = time.monotonic() + START_SECONDS
        while not (folder / "ready").exists():
            if process.poll() is not None or time.monotonic() > ends:
                process.kill()
                raise RuntimeError(process.communicate()[1].decode()[-3000:])
            time.sleep(0.05)
        yield Server(process, f"http://127.0.0.1:{chosen[0]}")
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


@pytest.fixture
def walk(databases: Databases) -> Callable[..., object]:
    def run(folder: Path, *arguments: Any, **changes: object) -> object:
        return walking(folder, *arguments, database_url=databases.of(folder), **changes)

    return run


@pytest.fixture
def server() -> Callable[..., object]:
    return serving


@pytest.fixture
def refused() -> Callable[..., tuple[int, str]]:
    """Start a node that should not start; its exit code and what it said."""

    def run(folder: Path, **environment: str) -> tuple[int, str]:
        one, two = environment.pop("ports", None) or free_ports(2)
        process = start_server(folder, ports=(one, two), **environment)
        try:
            _, said = process.communicate(timeout=START_SECONDS)
        finally:
            process.kill()
        return process.returncode, said.decode()

    return run


@pytest.fixture
def make_folder(databases: Databases) -> Callable[..., None]:
    def run(folder: Path, *arguments: Any, **settings: object) -> None:
        write_folder(folder, *arguments, database_url=databases.of(folder), **settings)

    return run


@pytest.fixture
def own_chain() -> Callable[..., object]:
    return running_chain
