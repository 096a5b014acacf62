"""
The node's OpenAPI document: what every route is for, and what goes in and out of it.

An example is held to what it stands for: its model reads it, so do the readers of the texts
in it, and what a node really answers has its members, with its types.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

from siwe import SiweMessage

from xinglin import canonical, receipt
from xinglin._http import personal_digest, sign_in_message
from xinglin.document import Document
from xinglin.encoding import base64url, hex0x
from xinglin.envelope import Envelope
from xinglin.grant import read_terms
from xinglin.names import Origin
from xinglin.statement import Attestation, Reason, Statement, new_salt, reason_digest
from xinglin_node import examples, problems
from xinglin_node.records.schemas import BATCH_MEDIA_TYPE, Frame, join_batch, split_batch

from .inferences.conftest import Reading

NOT_ASKED = {"GET /v1/entries/{index}/bundle": "needs a chain; tests/node/bundles fetch from one"}
"""Routes whose examples no answer of this node is held against, and why."""

ALWAYS_NOTHING = {
    "seals": "no engine of today has any",
    "checkpoint": "a bundle has one where the anchored size was signed",
    "model": "an inference's bundle has one, and that of an access none",
}
"""Members of a bundle that its one example shows as null or empty, and why."""

_LONG = re.compile(r"base64url of ([0-9,]+) bytes")


def resolved(document: Any, part: Any) -> Any:
    """`part`, or what its reference leads to."""
    while "$ref" in part:
        found = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part


def operations(document: Any) -> Iterator[tuple[str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def shown(document: Any, media: Any) -> list[Any]:
    """The examples of one body."""
    named = [one["value"] for one in media.get("examples", {}).values()]
    return named or resolved(document, media["schema"]).get("examples", [])


def bodies(document: Any) -> dict[tuple[str, str], Any]:
    """What is sent, by route and media type."""
    return {
        (route, media_type): media
        for route, operation in operations(document)
        for media_type, media in operation.get("requestBody", {}).get("content", {}).items()
    }


def answers(document: Any) -> dict[tuple[str, str], list[Any]]:
    """The examples of every JSON answer, by route and status."""
    return {
        (route, status): shown(document, media)
        for route, operation in operations(document)
        for status, answer in operation["responses"].items()
        for media_type, media in resolved(document, answer).get("content", {}).items()
        if media_type.endswith("json")
    }


def every_example(document: Any) -> Iterator[Any]:
    """All that are JSON, of bodies and of answers."""
    for (_, media_type), media in bodies(document).items():
        if media_type.endswith("json"):
            yield from shown(document, media)
    for given in answers(document).values():
        yield from given


def parts(document: Any) -> Iterator[tuple[str, Any]]:
    """Name and examples of every part of a form."""
    for (_, media_type), media in bodies(document).items():
        if media_type == "multipart/form-data":
            for name, part in media["schema"]["properties"].items():
                yield name, part.get("examples", [])


def filled(text: str) -> str:
    """`text` with as many bytes as it says in the place of what it leaves out."""
    return _LONG.sub(lambda found: base64url(bytes(int(found[1].replace(",", "")))), text)


def models() -> dict[str, type[Document]]:
    """The node's documents, by the names that the API document has for them."""
    found: dict[str, type[Document]] = {}
    waiting = [Document]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        waiting += kinds
        found |= {kind.__name__: kind for kind in kinds if kind.__module__.endswith(".schemas")}
    return found


def members(value: Any) -> Iterator[tuple[frozenset[str], str, Any]]:
    """Every member within `value`: what stands beside it, its name, its value."""
    if isinstance(value, dict):
        for name, member in value.items():
            yield frozenset(value), name, member
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from members(inner)


def forms(value: Any, at: str = "") -> set[tuple[str, str]]:
    """What stands where: the members of each object, the type of everything else."""
    found = {(at, type(value).__name__)}
    if isinstance(value, dict):
        found = {(at, " ".join(sorted(value)))}
        found = found.union(*(forms(member, f"{at}.{name}") for name, member in value.items()))
    if isinstance(value, list):
        found = found.union(*(forms(item, f"{at}[]") for item in value))
    return found


class TestTheDescription:
    def test_every_route_says_what_it_is_for(self, scene: Any) -> None:
        for route, operation in operations(scene.client.app.openapi()):
            assert operation.get("summary"), route
            assert operation.get("description"), route

    def test_every_body_and_every_part_of_a_form_has_an_example(self, scene: Any) -> None:
        document = scene.client.app.openapi()
        kinds = [media_type for _, media_type in bodies(document)]
        assert {*kinds} == {"application/json", "multipart/form-data", BATCH_MEDIA_TYPE}
        assert kinds.count("multipart/form-data") == 2
        for (route, media_type), media in bodies(document).items():
            assert media_type == "multipart/form-data" or shown(document, media), route
        for name, given in parts(document):
            assert given, name

    def test_every_answer_has_an_example(self, scene: Any) -> None:
        document = scene.client.app.openapi()
        assert len(answers(document)) > 2 * len(document["paths"])
        for (route, status), given in answers(document).items():
            assert given, f"{route} {status}"

    def test_every_route_may_refuse_with_the_one_problem_document(self, scene: Any) -> None:
        document = scene.client.app.openapi()
        for route, operation in operations(document):
            for status in ("4XX", "5XX"):
                refused = operation["responses"][status]["$ref"]
                assert refused == "#/components/responses/Problem", route
            assert "422" not in operation["responses"], route
        ((media_type, media),) = document["components"]["responses"]["Problem"]["content"].items()
        assert media_type == "application/problem+json"
        shown_members = {name for one in shown(document, media) for name in one}
        assert shown_members == {*media["schema"]["properties"]}


class TestTheExamples:
    def test_their_models_read_them(self, scene: Any) -> None:
        document, known, read = scene.client.app.openapi(), models(), 0
        for name, schema in document["components"]["schemas"].items():
            for example in schema.get("examples", []):
                known[name].from_json(json.loads(filled(json.dumps(example))))
                read += 1
        assert read > 30

    def test_texts_in_them_are_read_by_those_who_will(self, scene: Any) -> None:
        readers: dict[str, Callable[[bytes], Any]] = {
            "terms": read_terms,
            "statement": Statement.decode,
            "receipt": lambda text: receipt.read(
                text, Origin(examples.ORIGIN), examples.LOG_KEY.public
            ),
            "message": lambda text: SiweMessage.from_message(text.decode()),
            "envelope": Envelope.decode,
            "attestation": lambda text: Attestation.decode(text).read(),
            "correction": lambda text: Attestation.decode(text).read(),
            "reason": Reason.decode,
        }
        document, read = scene.client.app.openapi(), set()
        shown_texts = [(name, text) for name, given in parts(document) for text in given] + [
            (name, text)
            for given in every_example(document)
            for _, name, text in members(given)
            if isinstance(text, str)
        ]
        for name, text in shown_texts:
            if name in readers:
                readers[name](filled(text).encode())
                read.add(name)
        assert read == {*readers}

    def test_the_batch_is_one_that_the_node_splits(self, scene: Any) -> None:
        document = scene.client.app.openapi()
        media = bodies(document)["POST /v1/records/batch", BATCH_MEDIA_TYPE]
        (batch,) = shown(document, media)
        (frame,) = split_batch(batch.encode("latin-1"), limit=1)
        assert str(frame.subject) == examples.SUBJECT
        Envelope.decode(filled(frame.envelope.decode()).encode())
        Attestation.decode(filled(frame.attestation.decode()).encode()).read()

    def test_what_is_null_or_empty_in_one_has_a_value_in_another(self, scene: Any) -> None:
        valued: dict[tuple[frozenset[str], str], bool] = {}
        for example in every_example(scene.client.app.openapi()):
            for beside, name, value in members(example):
                valued[beside, name] = valued.get((beside, name), False) or value not in (None, [])
        never = {name for (_, name), has in valued.items() if not has}
        assert never == {*ALWAYS_NOTHING}


class TestARealNode:
    def test_its_answers_have_the_members_of_the_examples(
        self, consenting: Any, run_node: Callable[..., AbstractContextManager[Any]], tmp_path: Path
    ) -> None:
        heard: list[Any] = []
        with run_node(tmp_path / "apart", seed=False) as apart:
            for scene in (apart, consenting.scene):
                scene.client.event_hooks["response"].append(heard.append)
            for path in ("/readyz", "/v1/status"):
                apart.client.get(path)
            live(Reading(consenting))

        document = consenting.scene.client.app.openapi()
        documented, asked = answers(document), set()
        for answer in heard:
            if not answer.headers["Content-Type"].endswith("json"):
                continue
            route = route_of(document, answer)
            status = str(answer.status_code)
            if (route, status) not in documented:
                status = status[0] + "XX"
            asked.add((route, status))
            allowed = set().union(*map(forms, documented[route, status]))
            assert forms(answer.json()) <= allowed, (route, status, forms(answer.json()) - allowed)

        succeed = {one for one in documented if one[1][0] == "2" and one[0] not in NOT_ASKED}
        assert succeed <= asked, succeed - asked
        assert ("GET /readyz", "503") in asked
        refused = [one for one in heard if one.headers["Content-Type"] == problems.MEDIA_TYPE]
        assert {"term" in one.json() for one in refused} == {True, False}

    def test_its_forms_take_the_parts_of_the_examples(self, consenting: Any) -> None:
        heard: list[Any] = []
        consenting.scene.client.event_hooks["response"].append(heard.append)
        reading: Any = Reading(consenting)
        output = reading.output()
        assert reading.correct(output, clinician(reading)).submit().status_code == 201
        assert reading.take_in(output.patient.subject, b"note").status_code == 201

        document = consenting.scene.client.app.openapi()
        for (route, media_type), media in bodies(document).items():
            if media_type == "multipart/form-data":
                sent = [one.request.content for one in heard if route_of(document, one) == route]
                names = re.findall(rb'form-data; name="(\w+)"', sent[-1])
                assert [name.decode() for name in names] == [*media["schema"]["properties"]]


def route_of(document: Any, answer: Any) -> str:
    asked = f"{answer.request.method} {answer.request.url.path}"
    (route,) = (
        route
        for route, _ in operations(document)
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", route), asked)
    )
    return route


def clinician(reading: Any) -> Any:
    return reading.scene.someone("physician")


def live(reading: Any) -> None:
    """Ask every route for every answer that it has."""
    at_the_desk(reading)
    for path in ("/healthz", "/readyz", "/v1/about", "/v1/status"):
        reading.scene.client.get(path)
    sign_in(reading.scene)
    patient = reading.it.patient()
    note = write_records(reading, patient)
    open_records(reading, patient, note)
    headers = reading.scene.sign_in_subject(patient.account, patient.subject)
    for path in ("/v1/records", "/v1/history", "/v1/grants"):
        reading.scene.client.get(path, headers=headers)
    reading.scene.client.get("/v1/models", headers=headers)


def at_the_desk(reading: Any) -> None:
    scene, it = reading.scene, reading.it
    desk = scene.someone("desk")
    headers = scene.sign_in(desk)
    subject, _ = scene.register(desk)
    enrolment = scene.enrol(desk, subject)
    scene.client.post(f"/v1/subjects/{subject}/enrolment", json={}, headers=headers)
    author = scene.sign_in(clinician(reading))
    scene.client.get(f"/v1/subjects/{subject}/enrolment", headers=author)

    it.anchor(at=int(scene.clock()) - 60)
    terms = json.loads(filled(examples.WITNESSED_TERMS))
    terms["subject"]["enrolment"] = enrolment.text
    witnessed = {
        "subject": str(subject), "terms": canonical.encode(terms).decode(), "notBefore": 0,
        "expiresAt": (int(scene.clock()) // 86_400 + 30) * 86_400,
    }  # fmt: skip
    for _ in range(2):
        scene.client.post("/v1/grants/witnessed", json=witnessed, headers=headers)
    scene.client.post(f"/v1/subjects/{subject}/history", json={"kind": "rekeyed"}, headers=headers)


def sign_in(scene: Any) -> None:
    desk = scene.someone("desk")
    message = sign_in_message(
        url="http://testserver",
        address=desk.account.address,
        chain_id=scene.house.profile.chain_id,
        nonce=scene.client.get("/v1/session/nonce").json()["nonce"],
        issued_at=int(scene.clock()),
    )
    signature = base64url(desk.account.sign_digest(personal_digest(message.encode())))
    body = {"message": message, "signature": signature, "appointment": desk.signed.to_json()}
    scene.client.post("/v1/session", json=body)


def write_records(reading: Any, patient: Any) -> Any:
    """Records in every way; returns the id of one."""
    scene, author = reading.scene, clinician(reading)
    one, two = (scene.seal(author.account, patient.subject, patient.enrolment) for _ in range(2))
    for _ in range(2):
        scene.submit(author, one)
    reading.correct(reading.output(patient), author).submit()
    frames = [
        Frame(two.subject, two.envelope, two.attestation, ciphertext)
        for ciphertext in (two.ciphertext, two.ciphertext + b"more")
    ]
    scene.client.post(
        "/v1/records/batch",
        content=join_batch(frames),
        headers={"Content-Type": BATCH_MEDIA_TYPE, **scene.sign_in(author)},
    )
    reading.take_in(patient.subject, "头痛三天".encode())
    reading.take_in(patient.subject, b"\x89PNG", "image/png")
    return one.record


def open_records(reading: Any, patient: Any, note: Any) -> None:
    """On each ground, in part, in vain, and no more."""
    it, scene = reading.it, reading.scene
    outside = it.record(patient, category="laboratory-report")
    grant = it.given(patient)
    it.deposit(grant)
    doctor = scene.someone("physician", member=2)
    headers = scene.sign_in(doctor)
    for path in ("", f"/{hex0x(grant.id)}", f"/{hex0x(grant.id)}/records"):
        scene.client.get(f"/v1/grants{path}", headers=headers)
    it.ask(doctor, note, outside, grant=grant.id)
    it.ask(doctor, note, grant=grant.id, purpose="HPAYMT")
    it.ask(patient, note, ground="subject", purpose="PATRQT")

    reason = Reason(text="复诊", salt=new_salt())
    body = it.request(
        scene.someone("nurse"), note, ground="care",
        reasonDigest=hex0x(reason_digest(reason)),
    )  # fmt: skip
    scene.client.post("/v1/access", json=body | {"reason": reason.to_json()})
    scene.client.get(f"/v1/records/{uuid4()}/1/blob", headers=headers)

    revocation = {"grantId": hex0x(grant.id), "signature": base64url(grant.revocation)}
    scene.client.post("/v1/relay/revocation", json=revocation)
    it.on_chain(grant, revoked_at=int(scene.clock()), revoked_by=1)
    scene.client.post("/v1/relay/revocation", json=revocation)
