"""
The stage: a chain, three founding hospitals, two nodes, and who was voted in.

Everything runs as it does for users: Anvil (or four validators) and `xinglin node serve`
are processes of their own with real ports, and what is asked of them goes over HTTP.
"""

import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xinglin import typed
from xinglin._chain.consortium import Consortium, admission, model_approval
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id, trust_root
from xinglin._chain.models import Models
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender
from xinglin._chain.words import Kind, Role
from xinglin._demo.cast import Institution
from xinglin._http import NodeClient
from xinglin._network import process
from xinglin._network.engine import NetworkOptions, find_engine
from xinglin._network.institution import read_institution
from xinglin._network.process import Process
from xinglin._network.profile import PROFILE_FILE, save
from xinglin.errors import ChainError, ServiceError, Unreachable, UsageError
from xinglin.hashes import Digest
from xinglin.keys import Account, read_key_file
from xinglin.methods import installed, model_digest
from xinglin.names import Address, Member
from xinglin.trust import TrustRoot

CHANGE_DELAY = 2
"""Seconds: a development chain does not wait 72 hours for a change of keys."""

READY_SECONDS = 120.0
"""Time given to a node to answer: 5 s on two idle cores, 60 s were seen on a crowded machine."""

TRUST_FILE = "trust.json"
PASSPHRASE_FILE = "passphrase"  # noqa: S105  (the name of a file)
NETWORK = "chain"
MARKER = "xinglin-demo"
"""A file that marks the folder of a demo, so that no other is ever removed."""


@dataclass
class Node:
    """One hospital's node: its folder, its process and its address."""

    folder: Path
    url: str
    port: int
    metrics_port: int
    passphrase: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    running: Process | None = None

    def client(self) -> NodeClient:
        """A connection to it."""
        return NodeClient(self.url)

    def system_account(self) -> Address:
        """The account under which the node attests what it does."""
        secret = read_key_file(self.folder / "node.keys.json", self.passphrase)
        return Account.from_key(bytes.fromhex(str(secret["system"]))).address


@dataclass
class World:
    """Everything that is running, and who holds which keys."""

    folder: Path
    engine: str
    profile: NetworkProfile
    pool: RpcPool
    trust: TrustRoot
    hospitals: tuple[Institution, Institution, Institution]
    institute: Institution
    auditor: Institution
    nodes: tuple[Node, Node]

    @property
    def domain(self) -> typed.Domain:
        """Typed data of everything but grants and revocations."""
        return self.trust.consortium_domain()

    @property
    def consents(self) -> typed.Domain:
        """Typed data of grants and revocations."""
        return self.trust.consents_domain()

    @property
    def trust_file(self) -> Path:
        """Where the trust root is, for an auditor."""
        return self.folder / TRUST_FILE


Report = Callable[[str], None]
"""Told what was done, in a sentence."""


@contextmanager
def built(folder: Path, engine: str, *, keep: bool, report: Report) -> Iterator[World]:
    """
    Build the stage, and take it down again unless `keep` says otherwise.

    Whatever happens in between, Ctrl-C too, no process stays that was not to be kept.
    """
    # Nodes run in folders of their own: a relative path would mean another place to them.
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    finished = False
    try:
        yield _build(folder, engine, report)
        finished = True
    finally:
        if not (keep and finished):
            stop_all(folder)


def stop_all(folder: Path) -> int:
    """Stop every process that a demo started in `folder`; return how many ran."""
    stopped = 0
    for pid_file in sorted(folder.rglob(process.PID_FILE)):
        found = process.find(pid_file.parent)
        if found is None:
            continue
        stopped += found.alive
        process.stop(found)
    return stopped


def _build(folder: Path, engine: str, report: Report) -> World:
    hospitals = (
        Institution("杏林第一中医院"),
        Institution("江畔中医院"),
        Institution("云山中医院"),
    )
    institute, auditor = Institution("本草临床研究所"), Institution("清源审计所")
    nodes = _make_nodes(folder, hospitals[:2])
    report(f"made the keys of two nodes: {nodes[0].url} and {nodes[1].url}")

    options = NetworkOptions(validators=4 if engine == "clique" else 0)
    profile = find_engine(engine).up(folder / NETWORK, options)
    pool = RpcPool(profile)
    report(f"started {engine}, chain {profile.chain_id}, at {profile.rpc[0]}")

    founders = (
        *(read_institution(node.folder / "institution.json").applicant() for node in nodes),
        hospitals[2].applicant(),
    )
    payer = Account.generate()
    plan = DeploymentPlan(new_network_id(), founders, change_delay=CHANGE_DELAY)
    profile = deploy(pool, payer, plan)
    pool.close()
    save(profile, folder / NETWORK / PROFILE_FILE)
    pool = RpcPool(profile)
    trust = trust_root(profile)
    (folder / TRUST_FILE).write_bytes(trust.encode())
    for number, hospital in enumerate(hospitals, start=1):
        hospital.member = Member(number)
    report("deployed four contracts; three hospitals founded the network")

    world = World(folder, engine, profile, pool, trust, hospitals, institute, auditor, nodes)
    for role, newcomer in ((Role.RESEARCH_INSTITUTE, institute), (Role.AUDITOR, auditor)):
        admit(world, role, newcomer)
    report("admitted a research institute and an auditor, each by two votes of three")
    for digest in approve_models(world):
        report(f"approved the model {digest.text[:23]}… by two votes")
    for hospital, node in zip(hospitals, nodes, strict=False):
        serve(world, hospital, node)
    for node in nodes:
        wait_ready(node)
    report("started the nodes of two hospitals")
    return world


def admit(world: World, role: Role, newcomer: Institution) -> None:
    """Vote an institution in: one hospital proposes, two vote."""
    carry(world, Kind.ADMIT, None, admission(role, newcomer.applicant()))
    newcomer.member = Member(Consortium(world.pool).member_count())


def carry(world: World, kind: Kind, concerned: Member | None, payload: bytes) -> None:
    """Propose something, and vote for it with two hospitals, which is their quorum."""
    consortium = Consortium(world.pool)
    first, second, _ = world.hospitals
    sender = Sender(world.pool, first.govern)
    before = {one.number for one in consortium.proposals(at=world.pool.head())}
    sender.send(consortium.propose(kind, concerned, payload))
    made = [one for one in consortium.proposals(at=world.pool.head()) if one.number not in before]
    if len(made) != 1:
        raise ChainError(f"expected one new proposal, found {len(made)}")
    for voter in (first, second):
        Sender(world.pool, voter.govern).send(
            consortium.vote(made[0].number), final=voter is second
        )


def approve_models(world: World) -> list[Digest]:
    """Register the models that are installed here, and approve them by vote."""
    models, first = Models(world.pool), world.hospitals[0]
    approved: list[Digest] = []
    for method in installed().values():
        digest = model_digest(method)
        Sender(world.pool, first.govern).send(models.register(digest))
        carry(world, Kind.APPROVE_MODEL, None, model_approval(digest, None, first.member))
        Sender(world.pool, first.govern).send(models.approve(digest), final=True)
        approved.append(digest)
    return approved


def _make_nodes(folder: Path, hospitals: Sequence[Institution]) -> tuple[Node, Node]:
    ports = process.free_ports(4)
    nodes = (
        Node(folder / "node-a", f"http://127.0.0.1:{ports[0]}", ports[0], ports[1]),
        Node(folder / "node-b", f"http://127.0.0.1:{ports[2]}", ports[2], ports[3]),
    )
    for node, hospital in zip(nodes, hospitals, strict=True):
        passphrase = folder / f"{node.folder.name}.{PASSPHRASE_FILE}"
        passphrase.touch(mode=0o600)
        passphrase.write_text(node.passphrase)
        _xinglin(
            *("node", "init", str(node.folder), "--name", hospital.name, "--url", node.url),
            *("--network", str(folder / NETWORK / PROFILE_FILE), "--witness"),
            *("--port", str(node.port), "--metrics-port", str(node.metrics_port)),
            *("--govern", hospital.govern.address, "--appoint", hospital.appoint.address),
            *("--passphrase-file", str(passphrase)),
        )
    return nodes


def _xinglin(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "xinglin", *arguments, "--json"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        raise UsageError(f"`xinglin {' '.join(arguments[:2])}` refused: {made.stderr.strip()}")
    answer: dict[str, Any] = json.loads(made.stdout)
    return answer


def serve(world: World, hospital: Institution, node: Node) -> None:
    """Appoint the node's system account, and start the node."""
    described = read_institution(node.folder / "institution.json")
    signed = hospital.vouch(
        node.system_account(),
        described.encryption_key_digest,
        "system",
        bytes(32),
        world.domain,
    )
    (node.folder / "system.appointment.json").write_bytes(signed.encode())
    node.running = process.start(
        node.folder / "process",
        [
            *(sys.executable, "-m", "xinglin", "node", "serve", str(node.folder)),
            *("--member", str(hospital.member)),
        ],
        environment={
            "XINGLIN_PASSPHRASE": node.passphrase,
            "XINGLIN_ANCHOR_EVERY_SECONDS": "2",
        },
    )


def wait_ready(node: Node) -> None:
    ends = time.monotonic() + READY_SECONDS
    with node.client() as client:
        while not _answers(client):
            if node.running is not None:
                process.require_alive(node.running, f"the node at {node.url}")
            if time.monotonic() >= ends:
                tail = node.running.log_tail if node.running is not None else ""
                raise Unreachable(f"the node at {node.url} did not become ready: {tail}")
            time.sleep(0.2)


def _answers(client: NodeClient) -> bool:
    try:
        client.get("/readyz")
    except (Unreachable, ServiceError):
        return False
    return True
