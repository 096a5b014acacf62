"""Chapters one and two: subjects are enrolled, their records sealed, read and anchored."""

import io
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from uuid import UUID

from xinglin._demo.cast import Patient, Staff, with_phrase
from xinglin._demo.records import DemoRecord
from xinglin._demo.telling import Counter, Telling
from xinglin._demo.world import World
from xinglin._http import NodeClient
from xinglin.canonical import JsonValue
from xinglin.encoding import from_base64url
from xinglin.errors import InvalidEncoding, Unreachable
from xinglin.history import history_digest
from xinglin.names import HistoryKey, RecordId, SubjectId, UnixTime
from xinglin.subject import sign_enrolment

WITH_ACCOUNT = 2
"""Subjects who have a device; the others have none, as many patients do."""

ANCHOR_SECONDS = 120.0
"""Time given to the last checkpoint to become final."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """A record that a node took in."""

    source: DemoRecord
    patient: Patient
    node: int
    """0 or 1: which hospital keeps it."""
    record: RecordId
    index: int
    inference: int | None
    """Where its inference stands in the log."""
    skipped: str | None
    result: RecordId | None
    """The output record of the inference."""


@dataclass
class Filed:
    """Who is enrolled where, and what was submitted."""

    desks: list[Staff]
    physicians: list[Staff]
    patients: list[tuple[Patient, int]] = field(default_factory=list[tuple[Patient, int]])
    records: list[Submitted] = field(default_factory=list[Submitted])


def appoint_staff(world: World) -> Filed:
    """A desk and a physician at each of the two hospitals."""
    first, second, _ = world.hospitals
    return Filed(
        desks=[
            first.staff("前台甲", "desk", world.domain),
            second.staff("前台乙", "desk", world.domain),
        ],
        physicians=[
            first.staff("林若水", "physician", world.domain),
            second.staff("沈怀谷", "physician", world.domain),
        ],
    )


def enrol(
    world: World, filed: Filed, records: Sequence[DemoRecord], telling: Telling, *, wallets: bool
) -> None:
    """Open a file for each subject, and enrol it: two with an account, the others without."""
    words = list(dict.fromkeys(record.subject for record in records))
    with telling.counting("enrolling subjects", len(words)) as counter:
        clients = [node.client() for node in world.nodes]
        for client, desk in zip(clients, filed.desks, strict=True):
            desk.sign_in(client, world.trust.chain_id)
        for number, word in enumerate(words):
            patient = (
                with_phrase(word) if wallets and number < WITH_ACCOUNT else Patient(word, None)
            )
            at = 0 if number < WITH_ACCOUNT else number % 2
            _enrol_one(world, clients[at], patient, at)
            filed.patients.append((patient, at))
            counter.advance()
        for client in clients:
            client.close()
    accounts = sum(patient.keys is not None for patient, _ in filed.patients)
    telling.row(
        "subjects enrolled at the desk",
        f"{len(words)}: {accounts} with an account, {len(words) - accounts} without a device",
    )


def _enrol_one(world: World, client: NodeClient, patient: Patient, at: int) -> None:
    file = client.post("/v1/subjects", {})
    patient.subject = SubjectId(UUID(_text(file, "subject")))
    patient.history_key = HistoryKey(from_base64url(_text(file, "historyKey")))
    body: dict[str, JsonValue] = {}
    if patient.keys is not None:
        member = world.hospitals[at].member
        body = sign_enrolment(
            member,
            patient.history_key,
            patient.keys.enrolled_account(member),
            patient.keys.encryption_identity(member),
            world.domain,
            issued_at=UnixTime(int(time.time())),
        )
        if history_digest(patient.history_key).hex() not in _text(file, "history"):
            raise InvalidEncoding("the node told a history digest that is not of its key")
    answer = client.post(f"/v1/subjects/{patient.subject}/enrolment", body)
    patient.enrolment = _text(answer, "enrolment")


def submit(world: World, filed: Filed, records: Sequence[DemoRecord], telling: Telling) -> None:
    """Hand every record to its hospital's node, which seals it, reads it and logs both."""
    homes = {patient.word: (patient, at) for patient, at in filed.patients}
    shares: list[list[DemoRecord]] = [[], []]
    for record in records:
        shares[homes[record.subject][1]].append(record)
    with (
        telling.counting("sealing, reading and logging records", len(records)) as counter,
        ThreadPoolExecutor(2) as both,
    ):
        jobs = [
            both.submit(_submit_share, world, filed, homes, share, at, counter)
            for at, share in enumerate(shares)
        ]
        for job in jobs:
            filed.records += job.result()
    read = [one for one in filed.records if one.inference is not None]
    telling.row("records sealed and logged", f"{len(filed.records)}, {_bytes(records)} in all")
    telling.row("notes read by the model, each inference logged", f"{len(read)}")
    for reason in sorted({one.skipped for one in filed.records if one.skipped}):
        count = sum(one.skipped == reason for one in filed.records)
        telling.row("inference skipped", f"{count}: {reason}")


def _submit_share(
    world: World,
    filed: Filed,
    homes: dict[str, tuple[Patient, int]],
    share: Sequence[DemoRecord],
    at: int,
    counter: Counter,
) -> list[Submitted]:
    done: list[Submitted] = []
    with world.nodes[at].client() as client:
        filed.physicians[at].sign_in(client, world.trust.chain_id)
        for record in share:
            done.append(_submit_one(client, record, homes[record.subject][0], at))
            counter.advance()
    return done


def _submit_one(client: NodeClient, record: DemoRecord, patient: Patient, at: int) -> Submitted:
    fields = {
        "subject": str(patient.subject),
        "category": record.category,
        "mediaType": record.media_type,
    }
    if isinstance(record.source, bytes):
        file = ("record", io.BytesIO(record.source), record.media_type)
        answer = client.post_parts("/v1/intake", fields=fields, files={"payload": file})
    else:
        with record.source.open("rb") as stream:
            answer = client.post_parts(
                "/v1/intake",
                fields=fields,
                files={"payload": ("record", stream, record.media_type)},
            )
    accepted, inference = answer.get("accepted"), answer.get("inference")
    if not isinstance(accepted, dict):
        raise InvalidEncoding("expected an accepted record")
    read = inference if isinstance(inference, dict) else {}
    index, logged, result = accepted.get("index"), read.get("index"), read.get("result")
    if not isinstance(index, int):
        raise InvalidEncoding("expected the index of an entry")
    skipped = answer.get("skipped")
    return Submitted(
        source=record,
        patient=patient,
        node=at,
        record=RecordId(UUID(_text(answer, "record"))),
        index=index,
        inference=logged if isinstance(logged, int) else None,
        skipped=skipped if isinstance(skipped, str) else None,
        result=RecordId(UUID(result)) if isinstance(result, str) else None,
    )


def wait_until_final(world: World, telling: Telling, *, row: bool = True) -> None:
    """Wait until the last entry of both logs is under a final checkpoint."""
    for hospital, node in zip(world.hospitals, world.nodes, strict=False):
        with node.client() as client:
            size = reached(client.get("/v1/status"), "sequenced")
            ends = time.monotonic() + ANCHOR_SECONDS
            while reached(client.get("/v1/status"), "final") < size:
                if time.monotonic() > ends:
                    raise Unreachable(f"the log of {hospital.name} was not anchored in time")
                time.sleep(0.2)
        if row:
            telling.row(f"log of {hospital.name} anchored", f"{size} entries, final on the chain")


def reached(status: dict[str, JsonValue], state: str) -> int:
    """Size of a log in one of its three states."""
    value = status.get(state)
    size = value.get("size") if isinstance(value, dict) else None
    if not isinstance(size, int):
        raise InvalidEncoding(f"expected the size of {state} in the status")
    return size


def _text(answer: dict[str, JsonValue], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        raise InvalidEncoding(f"expected {name} as text in the answer")
    return value


def _bytes(records: Sequence[DemoRecord]) -> str:
    total = float(sum(record.size for record in records))
    for unit in ("bytes", "KiB", "MiB"):
        if total < 1024:
            return f"{total:.0f} {unit}"
        total /= 1024
    return f"{total:.1f} GiB"
