"""A real chain for these tests: Anvil, with the four contracts and three founding hospitals."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from xinglin._chain.consortium import Applicant, NewAccount
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender
from xinglin._chain.words import Power
from xinglin._network.anvil import Anvil, find_anvil
from xinglin._network.engine import NetworkOptions
from xinglin.errors import UsageError
from xinglin.keys import Account


@dataclass(frozen=True, slots=True)
class Hospital:
    """One founder, with the keys that only a test may hold together."""

    govern: Account
    anchor: Account
    appoint: Account
    witness: Account

    def applicant(self, number: int) -> Applicant:
        return Applicant(
            f"Hospital {number}",
            f"http://127.0.0.1/{number}",
            bytes([number]) * 32,
            None,
            bytes(1216),
            (
                NewAccount(self.govern.address, Power.GOVERN),
                NewAccount(self.anchor.address, Power.ANCHOR),
                NewAccount(self.appoint.address, Power.APPOINT),
                NewAccount(self.witness.address, Power.WITNESS),
            ),
        )


def new_hospital() -> Hospital:
    return Hospital(*(Account.generate() for _ in range(4)))


@dataclass(frozen=True, slots=True)
class Deployment:
    """A chain with the contracts on it."""

    profile: NetworkProfile
    pool: RpcPool
    hospitals: tuple[Hospital, ...]

    def sender(self, account: Account) -> Sender:
        return Sender(self.pool, account)


def require_anvil() -> None:
    try:
        find_anvil()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="package")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NetworkProfile]:
    """One Anvil for the session, without contracts."""
    require_anvil()
    folder: Path = tmp_path_factory.mktemp("anvil")
    engine = Anvil()
    profile = engine.up(folder, NetworkOptions())
    try:
        yield profile
    finally:
        engine.down(folder)


@pytest.fixture(scope="package")
def deployed(chain: NetworkProfile) -> Iterator[Deployment]:
    """The contracts on that chain. Tests share it: each logs and grants under its own hospital."""
    hospitals = tuple(new_hospital() for _ in range(3))
    pool = RpcPool(chain)
    founders = tuple(one.applicant(number) for number, one in enumerate(hospitals, start=1))
    plan = DeploymentPlan(new_network_id(), founders, change_delay=5)
    profile = deploy(pool, Account.generate(), plan)
    pool.close()
    with_contracts = RpcPool(profile)
    try:
        yield Deployment(profile, with_contracts, hospitals)
    finally:
        with_contracts.close()


class Between(ThreadingHTTPServer):
    """A node that misbehaves as told: it stands before a real one and changes its answers."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.asked: list[str] = []
        self.replace: dict[str, Callable[[Any, Any], Any]] = {}
        """Per method: a function of the request's parameters and the true result."""
        self.silent = False
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def cut_off(self, head: int) -> None:
        """Know nothing after block `head`, and, as geth does, not say so when asked for events."""

        def block(params: Any, result: Any) -> Any:
            if params[0] == "latest":
                body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getBlockByNumber"}
                asked = body | {"params": [hex(head), False]}
                return httpx.post(self.upstream, json=asked, trust_env=False).json()["result"]
            return result if int(params[0], 16) <= head else None

        def events(_: Any, result: Any) -> Any:
            return [one for one in result if int(one["blockNumber"], 16) <= head]

        self.replace |= {"eth_getBlockByNumber": block, "eth_getLogs": events}


class _Handler(BaseHTTPRequestHandler):
    server: Between

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        method = body["method"]
        self.server.asked.append(method)
        if self.server.silent:
            self.close_connection = True
            return
        answer = httpx.post(self.server.upstream, json=body, trust_env=False).json()
        change = self.server.replace.get(method)
        if change is not None:
            changed = change(body["params"], answer.get("result"))
            answer = {"jsonrpc": "2.0", "id": body["id"]} | (
                changed if isinstance(changed, dict) and "error" in changed else {"result": changed}
            )
        content = json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def between(chain: NetworkProfile) -> Iterator[Callable[[], Between]]:
    """Make nodes that misbehave, in front of the session's chain."""
    servers: list[Between] = []

    def make() -> Between:
        server = Between(chain.rpc[0])
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    yield make
    for server in servers:
        server.shutdown()
        server.server_close()
