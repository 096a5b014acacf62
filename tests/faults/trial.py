"""
One network under load, and what must hold of it after whatever was done to it.

Two hospital nodes submit to four go-ethereum validators. What a node acknowledged is kept
here, with its leaf; a physician asks again and again under a grant, and each release is
kept with the view that it was checked at. `checks.check` compares all of it with the chain.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from tests.faults.namespaces import Namespaces
from tests.faults.peer_links import PeerLinks

import xinglin._demo.world as stage
from xinglin import access
from xinglin._chain.answers import data, quantity
from xinglin._chain.profile import NetworkProfile
from xinglin._demo import consent, intake
from xinglin._demo.intake import Filed, Submitted
from xinglin._demo.records import DemoRecord
from xinglin._demo.telling import Telling
from xinglin._demo.world import World, built
from xinglin._network import clique, process
from xinglin._network.clique import Clique
from xinglin._network.probe import ask, ask_socket
from xinglin._network.topology import CliqueNode, read_topology
from xinglin.consent import SignedGrant
from xinglin.encoding import from_base64url
from xinglin.errors import ChainError, ConsentError, ServiceError, Unreachable, XinglinError
from xinglin.grant import Grantee, Scope
from xinglin.names import GrantId
from xinglin.receipt import read as read_receipt
from xinglin.request import Item

VIEW_AGE = 15
"""Seconds: `max_view_age` of this network, so that a halt of half a minute is a long one."""

CATCH_UP_SECONDS = 150.0

SUBMITTERS = 3
"""Threads that submit at each node: one alone would wait for answers instead of keeping pace."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """An entry that a node answered for."""

    node: int
    index: int
    leaf: bytes


@dataclass(frozen=True, slots=True)
class Release:
    """A key that left under a grant."""

    asked_at: float
    entered_at: int
    """When its access entry was sequenced, by the log's signed receipt."""

    answered_at: float
    grant: GrantId
    view_number: int
    view_hash: str
    view_time: int


class Cutter(Protocol):
    """A way to part validators, whose processes all go on."""

    def cut(self, group: set[int]) -> None:
        """Let nothing through between `group` and the others."""
        ...

    def heal(self) -> None:
        """Let everything through again."""
        ...


@dataclass
class Trial:
    """The network, its load, and what was seen."""

    world: World
    filed: Filed
    grant: SignedGrant
    """What the physician asks under: the newest that the patient gave."""

    record: Submitted
    engine: Clique
    cutter: Cutter
    acknowledged: list[Acknowledged] = field(default_factory=list)
    releases: list[Release] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    revoked: list[GrantId] = field(default_factory=list)
    unanswered: int = 0
    loaded: float = 0.0
    """Seconds under load until now."""

    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def chain(self) -> Path:
        return (self.world.folder / stage.NETWORK).resolve()

    @property
    def validators(self) -> tuple[CliqueNode, ...]:
        return read_topology(self.chain)

    # -- what is done to it ----------------------------------------------------------

    def process_of(self, number: int) -> process.Process:
        found = process.find(self.chain / f"node{number}")
        if found is None:
            raise Unreachable(f"node{number} was never started")
        return found

    def kill(self, *numbers: int) -> None:
        for number in numbers:
            process.kill(self.process_of(number))

    def start(self, *numbers: int) -> None:
        for number in numbers:
            self.engine.start(self.chain, self.validators[number - 1], self.validators)

    def wipe(self, number: int) -> None:
        """Take a validator's blocks away, and leave it its keys."""
        import shutil

        process.stop(self.process_of(number))
        shutil.rmtree(self.chain / f"node{number}" / "geth")
        clique._init(clique.find_geth(), self.chain, self.validators[number - 1])

    def head(self, number: int) -> int:
        """The newest block of one validator."""
        return quantity(ask(self.validators[number - 1].url, "eth_blockNumber"))

    def heads(self) -> list[int]:
        found: list[int] = []
        for node in self.validators:
            with contextlib.suppress(Unreachable, ChainError):
                found.append(quantity(ask(node.url, "eth_blockNumber")))
        return found

    def wait_for_blocks(self, count: int = 3, seconds: float = CATCH_UP_SECONDS) -> None:
        """Wait until all four seal on one chain again; untangle them where they cannot."""
        began, last = time.monotonic(), max(self.heads(), default=0)
        tangled = time.monotonic()
        while time.monotonic() - began < seconds:
            heads = self.heads()
            if len(heads) == len(self.validators) and min(heads) >= last + count:
                return
            if heads and max(heads) > last and time.monotonic() - tangled > 20:
                tangled = time.monotonic()
            if time.monotonic() - tangled > 25:
                self.untangle()
                tangled = time.monotonic()
            time.sleep(0.5)
        raise Unreachable(f"expected blocks on all validators, got heads {self.heads()}")

    def untangle(self) -> None:
        """
        Set every validator back to the newest block that all have.

        Two halves of equal weight may each wait for the other's signers (a known fault of
        proof of authority, which QBFT has not); an operator then does this.
        """
        number = min(self.heads())
        while number > 0:
            hashes = {
                data(ask(node.url, "eth_getBlockByNumber", [hex(number), False])["hash"])  # type: ignore[index]
                for node in self.validators
            }
            if len(hashes) == 1:
                break
            number -= 1
        self.step_back(number)

    def step_back(self, number: int) -> None:
        """Take every block above `number` from every validator, as a fork does that was lost."""
        for node in self.validators:
            ask_socket(self.chain / node.name / clique.SOCKET, "debug_setHead", [hex(number)])

    # -- load ------------------------------------------------------------------------

    @contextlib.contextmanager
    def load(self, rate: float) -> Iterator[None]:
        """Submit `rate` records a second, and ask under the grant, while the block runs."""
        self._stop.clear()
        threads = [
            threading.Thread(target=self._submit, args=(node, rate / 2 / SUBMITTERS), daemon=True)
            for node in (0, 1)
            for _ in range(SUBMITTERS)
        ]
        threads.append(threading.Thread(target=self._ask, daemon=True))
        for thread in threads:
            thread.start()
        began = time.monotonic()
        try:
            yield
        finally:
            self._stop.set()
            self.loaded += time.monotonic() - began
            for thread in threads:
                thread.join(60)

    def submit_one(self, node: int) -> Acknowledged:
        """Submit one record and keep what was acknowledged."""
        patient = next(patient for patient, at in self.filed.patients if at == node)
        kind = "application/octet-stream"
        source = DemoRecord("x.bin", patient.word, os.urandom(300), kind, "note")
        with self.world.nodes[node].client() as client:
            self.filed.physicians[node].sign_in(client, self.world.trust.chain_id)
            return self._send(client, patient, source, node)

    def _send(self, client: Any, patient: Any, source: DemoRecord, node: int) -> Acknowledged:
        import io

        fields = {
            "subject": str(patient.subject),
            "category": source.category,
            "mediaType": source.media_type,
        }
        payload = source.source
        assert isinstance(payload, bytes)
        files = {"payload": ("record", io.BytesIO(payload), source.media_type)}
        answer = client.post_parts("/v1/intake", fields=fields, files=files)
        accepted = answer["accepted"]
        receipt = read_receipt(accepted["receipt"].encode(), *self._log_of(client, node))
        found = Acknowledged(node, accepted["index"], bytes(receipt.leaf))
        with self._lock:
            self.acknowledged.append(found)
        return found

    def _log_of(self, client: Any, node: int) -> tuple[Any, bytes]:
        known = self.__dict__.setdefault("_logs", {})
        if node not in known:
            about = client.get("/v1/about")
            known[node] = (about["origin"], from_base64url(about["keys"]["log"]))
        found: tuple[Any, bytes] = known[node]
        return found

    def _submit(self, node: int, rate: float) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self.submit_one(node)
            except XinglinError:
                with self._lock:
                    self.unanswered += 1
            self._stop.wait(max(0.0, 1 / rate - (time.monotonic() - began)))

    def _ask(self) -> None:
        physician = self.filed.physicians[1]
        while not self._stop.is_set():
            try:
                self.ask_once(physician)
            except ConsentError as error:
                self._count(error.term)
            except ServiceError as error:
                self._count(error.problem)
            except XinglinError as error:
                self._count(type(error).__name__)
            self._stop.wait(1.0)

    def ask_once(self, physician: Any) -> Release:
        """Open the record under the grant, and keep the view that the node checked it at."""
        asked_at, grant = time.time(), self.grant.id
        with self.world.nodes[0].client() as client:
            physician.sign_in(client, self.world.trust.chain_id)
            answer = access.ask(
                client,
                physician.asker(self.world.domain),
                custodian=self.world.hospitals[0].member,
                ground="grant",
                purpose="TREAT",
                items=[Item(record=self.record.record, version=0)],
                grant=grant,
            )
            answered_at = time.time()
            if not answer.released or answer.receipt is None:
                raise ConsentError(answer.refused[0].term or "unknown", "refused")
            receipt = read_receipt(answer.receipt.encode(), *self._log_of(client, 0))
        view: Any = answer.raw["view"]
        seen = (view["number"], view["hash"], view["time"])
        found = Release(asked_at, receipt.sequenced_at, answered_at, grant, *seen)
        with self._lock:
            self.releases.append(found)
        return found

    def _count(self, what: str) -> None:
        with self._lock:
            self.refusals[what] = self.refusals.get(what, 0) + 1

    def status(self, node: int) -> dict[str, Any]:
        with self.world.nodes[node].client() as client:
            return dict(client.get("/v1/status"))


@contextlib.contextmanager
def trial(
    folder: Path, say: Callable[[str], None], ground: Namespaces | None = None
) -> Iterator[Trial]:
    """
    Build everything, with one patient's grant to a physician, and take it down again.

    On a `ground` each validator is in a namespace of its own, and cuts are made there.
    """
    deploy, find_engine = stage.deploy, stage.find_engine
    engine = Clique(ground.place) if ground is not None else Clique()

    def deploy_strict(*given: Any, **named: Any) -> NetworkProfile:
        return replace(deploy(*given, **named), max_view_age=VIEW_AGE)

    stage.deploy = deploy_strict  # type: ignore[assignment]
    stage.find_engine = lambda _: engine
    stage.READY_SECONDS = 180.0
    folder.mkdir(parents=True, exist_ok=True)
    telling = Telling(Console(stderr=True), quiet=True)
    records = [
        DemoRecord(f"{n}.txt", f"patient {n}", b"x" * 300, "application/octet-stream", "note")
        for n in range(4)
    ]
    try:
        with built(folder.resolve(), "clique", keep=False, report=say) as world:
            filed = intake.appoint_staff(world)
            intake.enrol(world, filed, records, telling, wallets=True)
            intake.submit(world, filed, records, telling)
            intake.wait_until_final(world, telling, row=False)
            record, grant = _granted(world, filed)
            cutter = ground or PeerLinks((world.folder / stage.NETWORK).resolve())
            yield Trial(world, filed, grant, record, engine, cutter)
    finally:
        stage.deploy, stage.find_engine = deploy, find_engine


def _granted(world: World, filed: Filed) -> tuple[Submitted, SignedGrant]:
    (patient, _) = filed.patients[0]
    record = next(one for one in filed.records if one.patient is patient)
    signed = give(world, filed, record)
    with world.nodes[0].client() as node:
        consent.sign_in_patient(world, node, patient)
        consent._wait_given(node, signed)
    return record, signed


def give(world: World, filed: Filed, record: Submitted) -> SignedGrant:
    """Let the patient grant the record to the other hospital's physician; wait for nothing."""
    (patient, _) = filed.patients[0]
    physician = filed.physicians[1]
    signed = consent.sign_grant_of(
        world,
        patient,
        "x",
        grantee=Grantee(
            member=physician.member,
            role="physician",
            account=physician.account.address,
            project=None,
        ),
        scope=Scope(records=(record.record,), categories=None, from_=None, to=None, versions="all"),
        purposes=("TREAT",),
    )
    with world.nodes[0].client() as node:
        consent.sign_in_patient(world, node, patient)
        consent.consent.give_through(node, signed)
    return signed
