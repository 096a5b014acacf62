"""A node with a method of one word, whose notes are read and whose outputs are corrected."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from xinglin import canonical, seal
from xinglin.appointment import Appointment, appoint
from xinglin.encoding import base64url
from xinglin.envelope import Envelope, Wrap
from xinglin.hashes import Digest
from xinglin.inference import OUTPUT_CATEGORY, OUTPUT_MEDIA_TYPE, OutputSpan, encode_output
from xinglin.keys import Account
from xinglin.statement import (
    Correction,
    Reason,
    Statement,
    Subject,
    attest,
    new_salt,
    reason_digest,
)
from xinglin_node.chain.tables import ModelRow
from xinglin_node.log.unit import Write
from xinglin_node.models.service import describe
from xinglin_node.records.tables import RecordRow


@dataclass
class Found:
    start: int
    end: int
    label: str
    score: float = 0.9


@dataclass
class Method:
    """A model that knows one word, and remembers what it was shown."""

    manifest: bytes = b'{"name":"one word","version":1}'
    parameters: Mapping[str, str | int] = field(default_factory=lambda: {"window": 2})
    code: str = "test sha256:00"
    runtime: str = "python 3"
    shown: list[str] = field(default_factory=list)

    def __call__(self, text: str) -> Sequence[Found]:
        self.shown.append(text)
        at = text.find("头痛")
        return [] if at < 0 else [Found(at, at + 2, "symptom")]


@pytest.fixture
def reading(consenting):
    return Reading(consenting)


class Reading:
    """A scene whose node has a method, and whose system account is appointed."""

    def __init__(self, consenting) -> None:
        self.it = consenting
        self.scene = consenting.scene
        self.method = Method()
        house = self.scene.house
        house.parts["methods"] = (describe("test", self.method),)
        now = int(self.scene.clock())
        signed = appoint(
            Appointment(
                id=bytes(32), member=house.member, account=house.keys.system.address,
                key_digest=house.keys.institution.key_digest, role="system",
                person_digest=bytes(32), not_before=now - 3600, not_after=now + 86_400,
            ),
            self.scene.officer,
            house.domain,
        )  # fmt: skip
        path = house.settings.folder / "system.appointment.json"
        path.write_text(json.dumps(signed.to_json()))
        self.status(2)

    def status(self, status: int) -> None:
        """Say what the network says of the model."""
        digest = Digest.of(self.method.manifest).value

        def work(write: Write) -> None:
            write.session.merge(
                ModelRow(
                    digest=digest, predecessor=bytes(32), registrar=1, status=status,
                    since=1_700_000_000, block=3,
                )
            )  # fmt: skip

        self.scene.house.writer.submit(work).result()

    def infer(self, record, role: str = "physician", **asked: object):
        headers = self.scene.sign_in(self.scene.someone(role))
        return self.scene.client.post(
            "/v1/inferences", json={"record": str(record), **asked}, headers=headers
        )

    def take_in(self, subject, payload: bytes, media_type: str = "text/plain; charset=utf-8"):
        headers = self.scene.sign_in(self.scene.someone("physician"))
        return self.scene.client.post(
            "/v1/intake",
            data={
                "subject": str(subject), "category": "outpatient-note", "mediaType": media_type
            },
            files={"payload": ("payload", io.BytesIO(payload), "application/octet-stream")},
            headers=headers,
        )  # fmt: skip

    def opened(self, record) -> bytes:
        """The payload of a record, by the institution's own key."""
        house = self.scene.house
        with house.database.reading() as session:
            row = session.get(RecordRow, (record, 1))
            blob = b"".join(house.blobs.read(session, Digest(row.blob)))
        sink = io.BytesIO()
        seal.open(
            io.BytesIO(blob), sink, record=row.record, version=1,
            envelope=Envelope(
                Digest(row.manifest), (Wrap(row.custodian_digest, row.custodian_wrap),)
            ),
            identity=house.keys.institution,
        )  # fmt: skip
        return sink.getvalue()

    def output(self, patient=None) -> "Output":
        """A note of somebody, read; the output that stands."""
        patient = patient or self.it.patient()
        record = self.it.record(patient, payload="头痛三天，舌淡苔白，脉弦。".encode())
        answer = self.infer(record)
        assert answer.status_code == 201, answer.text
        with self.scene.house.database.reading() as session:
            row = session.get(RecordRow, (type(record)(answer.json()["result"]), 1))
        return Output(patient, record, row.record, 1, Digest(row.manifest))

    def correct(self, output: "Output", clinician, **changes: object) -> "Corrected":
        """Seal corrected spans as the next version, and state what they correct."""
        made = self.scene.seal(
            clinician.account, output.patient.subject, output.patient.enrolment,
            payload=encode_output((OutputSpan(0, 2, "symptom"),), new_salt()),
            **{
                "record": output.record, "version": output.version + 1,
                "previous": output.manifest, "category": OUTPUT_CATEGORY,
                "media_type": OUTPUT_MEDIA_TYPE, **changes,
            },
        )  # fmt: skip
        return Corrected(self, clinician, output, made)


@dataclass
class Output:
    """A version of an output, and what it was read from."""

    patient: object
    note: object
    record: object
    version: int
    manifest: Digest


@dataclass
class Corrected:
    """A sealed next version, with the statement that it stands in place of the one before."""

    reading: Reading
    clinician: object
    output: Output
    sealed: object
    reason: Reason = field(default_factory=lambda: Reason(text="漏了一处", salt=bytes(32)))

    def statement(
        self, *, signer: Account | None = None, subject: Digest | None = None, **changes: object
    ) -> str:
        """The attested correction; `changes` replace members of it."""
        given: dict[str, object] = {
            "of": self.output.manifest, "by": self.sealed.manifest,
            "reason": reason_digest(self.reason),
            "claimed_at": int(self.reading.scene.clock()), **changes,
        }  # fmt: skip
        made = Correction(**given)
        about = Subject(name="manifest", digest=subject or made.of)
        return self.attested(Statement((about,), made), signer)

    def attested(self, statement: Statement, signer: Account | None = None) -> str:
        domain = self.reading.scene.house.domain
        return attest(statement, signer or self.clinician.account, domain).encode().decode()

    def told(self, **changes: object) -> str:
        """The reason as it is shown."""
        salt = base64url(self.reason.salt)
        return canonical.encode({"salt": salt, "text": self.reason.text, **changes}).decode()

    def submit(self, **changes: object):
        """Post it; `changes` replace parts of the form, None leaves one out."""
        parts = {"correction": self.statement(), "reason": self.told()} | changes
        shown = {name: value for name, value in parts.items() if value is not None}
        return self.reading.scene.submit(self.clinician, self.sealed, **shown)

    def becomes(self) -> Output:
        """The output that stands once it was taken."""
        return Output(
            self.output.patient, self.output.note, self.sealed.record, self.sealed.version,
            self.sealed.manifest,
        )  # fmt: skip
