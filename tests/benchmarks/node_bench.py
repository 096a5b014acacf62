"""
How fast records become durable log entries: the tables of `make bench`.

    python tests/benchmarks/node_bench.py [--records 2000] [--rounds 5] [--json]

All of it runs in one go on one machine: 4 KiB records, each sealed for two recipients,
signed, and on disk before it counts. Beside our own ways stand what one would write first,
one signed transaction for each record on the same Anvil, and the bare primitives for the
same work. Medians of at least five rounds; nothing here fails on a time.
"""

import argparse
import hashlib
import io
import json
import os
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import httpx
from eth_account import Account as EthAccount
from rich.console import Console
from rich.table import Table
from web3 import Web3

from xinglin import seal
from xinglin._chain.checkpoints import Anchor, Checkpoints
from xinglin._chain.consortium import Applicant, NewAccount
from xinglin._chain.contract import Call
from xinglin._chain.deploy import DeploymentPlan, deploy, new_network_id
from xinglin._chain.profile import NetworkProfile
from xinglin._chain.rpc import RpcPool
from xinglin._chain.sender import Sender
from xinglin._chain.words import Power
from xinglin._network.anvil import Anvil
from xinglin._network.engine import Engine, NetworkOptions
from xinglin._network.process import free_ports
from xinglin._network.profile import save
from xinglin.appointment import Appointment, appoint
from xinglin.envelope import wrap_for
from xinglin.hashes import Digest
from xinglin.keys import Account, new_data_key
from xinglin.merkle import leaf_hash
from xinglin.names import Member, RecordId, SubjectId, UnixTime
from xinglin.statement import attest, commit, new_salt, record_statement
from xinglin_node import folder as folders
from xinglin_node.app import close_house, create_house, open_house
from xinglin_node.authority import credentials_of
from xinglin_node.house import NodeHouse, NodeKeys
from xinglin_node.records.schemas import BATCH_MEDIA_TYPE, Frame, join_batch
from xinglin_node.records.service import submit_batch
from xinglin_node.serving import settle_memory
from xinglin_node.sessions.credential import Holder
from xinglin_node.settings import NodeSettings
from xinglin_node.subjects import service as subjects
from xinglin_node.subjects.schemas import EnrolmentRequest

PAYLOAD = 4096
CLIENTS = 8
BATCH = 200
SUBJECTS = 50
POLL_SECONDS = 0.005
"""How often our sender asks for a receipt here: twenty times as often as web3 does."""

PASSPHRASE = "bench"


@dataclass
class Bench:
    """One node's folder, its network, and who submits."""

    folder: Path
    profile: NetworkProfile
    keys: NodeKeys
    member: Member
    officer: Account
    deployer: Account


@dataclass(frozen=True)
class Author:
    """Who seals for which subjects."""

    account: Account
    domain: object
    recipients: tuple[object, ...]
    custodian: Member
    subjects: Sequence[tuple[SubjectId, Digest]]


def sealed_frame(author: Author, number: int) -> Frame:
    """Seal, attest and frame one record: the author's work."""
    subject, enrolment = author.subjects[number % len(author.subjects)]
    record = RecordId(uuid4())
    statement = b""

    def state(blob: seal.SealedBlob) -> bytes:
        nonlocal statement
        statement = record_statement(
            record=record, version=1, custodian=author.custodian, blob=blob.digest,
            size=blob.size, claimed_at=UnixTime(int(time.time())), category="outpatient-note",
            media_type="text/plain", enrolment=enrolment,
        ).encode()  # fmt: skip
        return statement

    sink = io.BytesIO()
    _, envelope = seal.seal(
        io.BytesIO(os.urandom(PAYLOAD)), sink,
        recipients=author.recipients, record=record, version=1, statement=state,
    )  # fmt: skip
    attestation = attest(statement, author.account, author.domain).encode()
    return Frame(subject, envelope.encode(), attestation, sink.getvalue())


# -- the primitives ------------------------------------------------------------------------


def primitives(bench: Bench, count: int, folder: Path) -> float:
    """Encrypt, wrap twice, sign once, hash, write, one sync a batch: and nothing else."""
    identities = (bench.keys.institution.recipient, bench.keys.recovery)
    account = Account.generate()
    path = folder / f"primitives-{secrets.token_hex(4)}"
    started = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        written: list[bytes] = []
        for number in range(count):
            data_key, record = new_data_key(), RecordId(uuid4())
            sink = io.BytesIO()
            blob = seal.encrypt(
                io.BytesIO(os.urandom(PAYLOAD)), sink, data_key=data_key, record=record, version=1
            )
            wraps = [wrap_for(data_key, one, blob.digest) for one in identities]
            digest = hashlib.sha256(blob.digest.value).digest()
            signature = account.sign_digest(digest)
            leaf = leaf_hash(commit(signature, new_salt()) + digest)
            written += [sink.getvalue(), signature, leaf, *(wrap.wrap for wrap in wraps)]
            if (number + 1) % BATCH == 0 or number + 1 == count:
                file.write(b"".join(written))
                os.fsync(file.fileno())
                written.clear()
    took = time.perf_counter() - started
    path.unlink()
    return count / took


# -- through the library into store and log -------------------------------------------------


def through_library(house: NodeHouse, author: Author, count: int) -> float:
    """(a) Seal and submit in one process, in batches, with one sync each."""
    started = time.perf_counter()
    # The next batch is sealed while the one before it is written.
    with ThreadPoolExecutor(1) as pool:
        pending = None
        for start in range(0, count, BATCH):
            frames = [sealed_frame(author, n) for n in range(start, min(count, start + BATCH))]
            if pending is not None:
                _all_new(pending.result())
            pending = pool.submit(submit_batch, house, author.account.address, frames)
        if pending is not None:
            _all_new(pending.result())
    return count / (time.perf_counter() - started)


def _all_new(answer: object) -> None:
    refused = [item for item in answer.results if item.status != 201]
    if refused:
        raise RuntimeError(f"refused: {refused[0]}")


# -- through HTTP ----------------------------------------------------------------------------


@contextmanager
def served(bench: Bench, port: int, metrics_port: int):
    """A real server process over the bench's folder."""
    ready = bench.folder / "ready"
    environment = {**os.environ, "XINGLIN_PASSPHRASE": PASSPHRASE}
    process = subprocess.Popen(
        [
            sys.executable, "-m", "xinglin", "node", "serve", str(bench.folder),
            "--member", str(bench.member), "--port", str(port),
            "--metrics-port", str(metrics_port), "--ready", str(ready),
        ],
        env=environment, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        for _ in range(2400):
            if ready.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        if not ready.exists():
            process.terminate()  # what it wrote has no end before
            raise RuntimeError(process.stderr.read().decode()[-2000:])
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def one_by_one(url: str, headers: dict[str, str], author: Author, count: int) -> tuple[float, list]:
    """(b) Eight clients, each sealing and posting one record after the other."""
    latencies: list[float] = []
    guard = threading.Lock()

    def run(share: range) -> None:
        mine: list[float] = []
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            for number in share:
                frame = sealed_frame(author, number)
                began = time.perf_counter()
                answer = client.post(
                    "/v1/records",
                    data={
                        "subject": str(frame.subject),
                        "envelope": frame.envelope,
                        "attestation": frame.attestation,
                    },
                    files={"blob": ("b", frame.ciphertext, "application/octet-stream")},
                )
                mine.append(time.perf_counter() - began)
                if answer.status_code != 201:
                    raise RuntimeError(answer.text)
        with guard:
            latencies.extend(mine)

    started = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(run, [range(n, count, CLIENTS) for n in range(CLIENTS)]))
    return count / (time.perf_counter() - started), latencies


def in_batches(url: str, headers: dict[str, str], author: Author, count: int) -> float:
    """(c) One client: the next batch is sealed while the last one is written."""
    headers = headers | {"Content-Type": BATCH_MEDIA_TYPE}
    started = time.perf_counter()
    with (
        httpx.Client(base_url=url, headers=headers, timeout=120) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        pending = None
        for start in range(0, count, BATCH):
            frames = [sealed_frame(author, n) for n in range(start, min(count, start + BATCH))]
            body = join_batch(frames)
            if pending is not None:
                _accepted(pending.result())
            pending = pool.submit(client.post, "/v1/records/batch", content=body)
        if pending is not None:
            _accepted(pending.result())
    return count / (time.perf_counter() - started)


def _accepted(answer: httpx.Response) -> None:
    results = answer.json().get("results") or [answer.json()]
    if any(item.get("status") != 201 for item in results):
        raise RuntimeError(str(results[0])[:500])


def to_the_anchor(url: str, headers: dict[str, str], author: Author, rounds: int) -> list[float]:
    """Seconds from a submission to the state `anchored` of its entry."""
    times: list[float] = []
    with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
        for number in range(rounds):
            frame = sealed_frame(author, number)
            began = time.perf_counter()
            answer = client.post(
                "/v1/records",
                data={
                    "subject": str(frame.subject),
                    "envelope": frame.envelope,
                    "attestation": frame.attestation,
                },
                files={"blob": ("b", frame.ciphertext, "application/octet-stream")},
            )
            index = answer.json()["index"]
            while client.get("/v1/status").json()["anchored"]["size"] <= index:
                time.sleep(0.02)
            times.append(time.perf_counter() - began)
    return times


# -- what one would write first ---------------------------------------------------------------


def one_transaction_each(bench: Bench, author: Author, count: int) -> float:
    """
    What one would write first: each record's digest in a signed transaction by web3.py.

    As web3's own guide has it: ask for nonce and price, sign, send, wait for the receipt. No
    contract is called, so it is cheaper than any registry would be.
    """
    chain = Web3(Web3.HTTPProvider(bench.profile.rpc[0]))
    account, target = EthAccount.create(), Account.generate().address
    started = time.perf_counter()
    for number in range(count):
        frame = sealed_frame(author, number)
        signed = account.sign_transaction(
            {
                "to": target,
                "data": hashlib.sha256(frame.attestation).digest(),
                "nonce": chain.eth.get_transaction_count(account.address),
                "gas": 60_000,
                "gasPrice": chain.eth.gas_price,
                "chainId": bench.profile.chain_id,
            }
        )
        sent = chain.eth.send_raw_transaction(signed.raw_transaction)
        receipt = chain.eth.wait_for_transaction_receipt(sent)
        if receipt["status"] != 1:
            raise RuntimeError(f"transaction {number} failed")
    return count / (time.perf_counter() - started)


def tuned_transactions(bench: Bench, author: Author, count: int, *, wait: bool) -> float:
    """
    The same by our own sender, which counts nonces itself and polls twenty times as often.

    Without `wait` only the last one is awaited, which says less than it seems: a record
    counts once it is in a block.
    """
    pool = RpcPool(bench.profile)
    sender = Sender(pool, Account.generate())
    target = Account.generate().address
    fee, gas = sender.fee(), 60_000
    started = time.perf_counter()
    last = None
    for number in range(count):
        frame = sealed_frame(author, number)
        call = Call(target, hashlib.sha256(frame.attestation).digest())
        last = sender.build_and_sign(call, nonce=number, gas=gas, fee=fee)
        pool.request("eth_sendRawTransaction", ["0x" + last.raw.hex()])
        while wait and not pool.request("eth_getTransactionReceipt", ["0x" + last.hash.hex()]):
            time.sleep(POLL_SECONDS)
    sender.deliver(last, timeout=120)
    took = time.perf_counter() - started
    pool.close()
    return count / took


def gas_of_anchors(bench: Bench, keys: NodeKeys, member: Member) -> dict[int, float]:
    """Gas for each record at 1, 100 and 1,000 records in a checkpoint."""
    from xinglin.merkle import prove_consistency, root_of

    pool = RpcPool(bench.profile)
    sender, registry = Sender(pool, keys.anchor), Checkpoints(pool)
    leaves = [leaf_hash(os.urandom(64)) for _ in range(2200)]
    size, previous = 1, None
    gas: dict[int, float] = {}
    from xinglin._chain.checkpoints import NO_ANCHOR

    state = sender.send(registry.anchor(1, root_of(leaves[:1]), (), previous=NO_ANCHOR))
    previous = Anchor(root_of(leaves[:1]), state.block.time, state.block.number)
    for records in (1, 100, 1000):
        proof = prove_consistency(leaves[: size + records], size).path
        root = root_of(leaves[: size + records])
        state = sender.send(registry.anchor(size + records, root, proof, previous=previous))
        size += records
        previous = Anchor(root, state.block.time, state.block.number)
        gas[records] = state.gas_used / records
    pool.close()
    return gas


# -- setting the stage -------------------------------------------------------------------------


@contextmanager
def stage(work: Path, engine: Engine | None = None, validators: int = 0):
    """A chain (Anvil), contracts, three hospitals' folders; the first one's node is measured."""
    engine = engine or Anvil()
    profile = engine.up(work / "network", NetworkOptions(validators=validators))
    try:
        officers, all_keys = [], []
        applicants = []
        for number in (1, 2, 3):
            officer = Account.generate()
            plan = folders.Plan(
                name=f"Hospital {number}", role="hospital", url="http://127.0.0.1:1",
                port=8100, metrics_port=9100, network=work / "network" / "network.toml",
                member=number, threshold=2, shares=3, witness=False, officer=False,
                govern=[officer.address],
            )  # fmt: skip
            keys = folders.make(work / f"node{number}", plan, PASSPHRASE)
            officers.append(officer)
            all_keys.append(keys)
            applicants.append(
                Applicant(
                    f"Hospital {number}",
                    "",
                    keys.log.public,
                    None,
                    keys.institution.recipient.public_key,
                    (
                        NewAccount(officer.address, Power.GOVERN | Power.APPOINT),
                        NewAccount(keys.anchor.address, Power.ANCHOR),
                    ),
                )
            )
        deployer = Account.generate()
        pool = RpcPool(profile)
        plan = DeploymentPlan(new_network_id(), tuple(applicants), change_delay=2)
        profile = deploy(pool, deployer, plan)
        pool.close()
        save(profile, work / "network" / "network.toml")
        yield (
            Bench(work / "node1", profile, all_keys[0], Member(1), officers[0], deployer),
            all_keys[1],
        )
    finally:
        engine.down(work / "network")


def settings_of(bench: Bench, **changes: object) -> NodeSettings:
    given = {
        "folder": bench.folder, "passphrase": PASSPHRASE, "network": bench.folder / "none",
        "member": bench.member, "public_url": "http://127.0.0.1:1",
    }  # fmt: skip
    return NodeSettings(**(given | changes))


def make_author(house: NodeHouse, bench: Bench) -> Author:
    """Register and enrol the subjects that the records are about."""
    account = Account.generate()
    enrolled = []
    for _ in range(SUBJECTS):
        subject = SubjectId(subjects.register(house).subject)
        done, _ = subjects.enrol(house, subject, EnrolmentRequest())
        enrolled.append((subject, done.enrolment))
    return Author(
        account, house.domain, (bench.keys.institution.recipient, bench.keys.recovery),
        bench.member, enrolled,
    )  # fmt: skip


def credential(house: NodeHouse, bench: Bench, author: Author) -> dict[str, str]:
    now = int(time.time())
    appointment = Appointment(
        id=secrets.token_bytes(32), member=bench.member, account=author.account.address,
        key_digest=bytes(32), role="physician", person_digest=bytes(32),
        not_before=now - 60, not_after=now + 86_400,
    )  # fmt: skip
    signed = appoint(appointment, bench.officer, house.domain)
    text, _ = credentials_of(house).issue(
        Holder(author.account.address, appointment=signed), UnixTime(now)
    )
    return {"Authorization": f"Bearer {text}"}


def median_of(rounds: int, measure: Callable[[], float]) -> tuple[float, list[float]]:
    found = [measure() for _ in range(rounds)]
    return statistics.median(found), found


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def memory_of(pid: int) -> float:
    """Peak resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    return 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=2000, help="records in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    say = Console(stderr=True)
    settle_memory()  # as the node does; it is the same for every way
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory(prefix="xinglin-bench-") as temporary:
        work = Path(temporary)
        say.print("starting Anvil, deploying, making three nodes")
        with stage(work) as (bench, other_keys):
            house = create_house(settings_of(bench), bench.keys, bench.profile)
            open_house(house)
            author = make_author(house, bench)
            headers = credential(house, bench, author)
            # Round by round, so that a noisy minute falls on all ways alike.
            rates: dict[str, list[float]] = {
                "primitives": [],
                "library": [],
                "naive": [],
                "tuned": [],
                "unawaited": [],
            }
            for number in range(asked.rounds):
                say.print(f"round {number + 1}: primitives, library, one transaction each")
                rates["primitives"].append(primitives(bench, asked.records, work))
                rates["library"].append(through_library(house, author, asked.records))
                rates["naive"].append(one_transaction_each(bench, author, asked.records // 4))
                for name, wait in (("tuned", True), ("unawaited", False)):
                    rates[name].append(
                        tuned_transactions(bench, author, asked.records // 4, wait=wait)
                    )
            close_house(house)
            port, metrics_port = free_ports(2)
            url = f"http://127.0.0.1:{port}"
            headers = credential_for(url, bench, author, house)
            latencies: list[float] = []
            rates |= {"single": [], "batch": []}
            os.environ["XINGLIN_PUBLIC_URL"] = url
            os.environ["XINGLIN_ANCHOR_EVERY_SECONDS"] = "1"
            with served(bench, port, metrics_port) as process:
                _wait_sequencing(url)
                for number in range(asked.rounds):
                    say.print(f"round {number + 1}: HTTP one by one, HTTP in batches")
                    rate, seen = one_by_one(url, headers, author, asked.records // 4)
                    rates["single"].append(rate)
                    latencies += seen
                    rates["batch"].append(in_batches(url, headers, author, asked.records))
                say.print("to the anchor")
                anchors = to_the_anchor(url, headers, author, max(asked.rounds, 5))
                memory = memory_of(process.pid)
            say.print("gas")
            gas = gas_of_anchors(bench, other_keys, Member(2))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    results = {
        "medians": medians,
        "rounds": rates,
        "receipt": {"p50": percentile(latencies, 0.5), "p95": percentile(latencies, 0.95)},
        "anchor": {"p50": percentile(anchors, 0.5), "p95": percentile(anchors, 0.95)},
        "gas": gas,
        "memoryMB": {
            "node": memory,
            "bench": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        },
    }
    if asked.json:
        print(json.dumps(results, indent=2))
        return
    show(results, medians)


def credential_for(url: str, bench: Bench, author: Author, house: NodeHouse) -> dict[str, str]:
    """A credential of the server that is about to start: same keys, its public URL."""
    settings = settings_of(bench, public_url=url)
    from dataclasses import replace

    return credential(replace(house, settings=settings), bench, author)


def _wait_sequencing(url: str) -> None:
    for _ in range(600):
        if httpx.get(f"{url}/v1/status").json()["sequencing"]:
            return
        time.sleep(0.1)
    raise RuntimeError(httpx.get(f"{url}/v1/status").text)


def show(results: dict, medians: dict[str, float]) -> None:
    console = Console()
    table = Table(title="Records a second: 4 KiB, two recipients, signed, durable (medians)")
    for column in ("way", "records/s", "rounds", "beside"):
        table.add_column(column, justify="right" if column != "way" else "left")
    naive, bare = medians["naive"], medians["primitives"]
    rows = (
        ("the primitives alone", "primitives", ""),
        (
            "(a) library into store and log",
            "library",
            f"primitives / {bare / medians['library']:.2f}",
        ),
        ("(b) HTTP one by one, 8 clients", "single", f"{medians['single'] / naive:.1f} × naive"),
        ("(c) HTTP in batches", "batch", f"{medians['batch'] / naive:.1f} × naive"),
        ("one transaction each, by web3.py", "naive", "1.0 × naive"),
        (
            "one each, our sender, nonces kept",
            "tuned",
            f"{medians['tuned'] / naive:.1f} × naive",
        ),
        (
            "the same, awaiting only the last",
            "unawaited",
            f"{medians['unawaited'] / naive:.1f} × naive",
        ),
    )
    for title, name, beside in rows:
        shown = " ".join(f"{value:,.0f}" for value in results["rounds"][name])
        table.add_row(title, f"{medians[name]:,.0f}", shown, beside)
    console.print(table)
    table = Table(title="Waiting, gas, memory")
    for column in ("what", "value"):
        table.add_column(column)
    receipt_, anchor = results["receipt"], results["anchor"]
    table.add_row(
        "to the receipt, p50 / p95", f"{receipt_['p50'] * 1e3:.0f} / {receipt_['p95'] * 1e3:.0f} ms"
    )
    table.add_row("to the anchor, p50 / p95", f"{anchor['p50']:.2f} / {anchor['p95']:.2f} s")
    for records, gas in results["gas"].items():
        table.add_row(f"gas for each record, {records:,} in a checkpoint", f"{gas:,.0f}")
    table.add_row("memory of the node, peak", f"{results['memoryMB']['node']:.0f} MB")
    console.print(table)


if __name__ == "__main__":
    main()
