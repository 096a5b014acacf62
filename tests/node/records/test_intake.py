"""Plaintext that the node seals as it comes: kept sealed, logged, and never on disk as it was."""

import io
import os
from uuid import UUID

import pytest

from xinglin import seal
from xinglin.envelope import Wrap, unwrap
from xinglin.hashes import Digest
from xinglin.names import RecordId
from xinglin_node.log.repository import read_disclosure
from xinglin_node.records.repository import read_record


def take_in(scene, author, subject, payload: bytes, media_type: str = "text/plain"):
    return scene.client.post(
        "/v1/intake",
        data={"subject": str(subject), "category": "outpatient-note", "mediaType": media_type},
        files={"payload": ("p", io.BytesIO(payload), "application/octet-stream")},
        headers=scene.sign_in(author),
    )


def opened(scene, body) -> bytes:
    """Open a record with the institution's own key, as a release would."""
    house, sink = scene.house, io.BytesIO()
    record = RecordId(UUID(body["record"]))
    with house.database.reading() as session:
        row = read_record(session, record, 1)
        sealed = b"".join(house.blobs.read(session, Digest(row.blob)))
    wrap = Wrap(row.custodian_digest, row.custodian_wrap)
    data_key = unwrap(wrap, house.keys.institution, Digest(row.manifest))
    seal.decrypt(io.BytesIO(sealed), sink, data_key=data_key, record=record, version=1)
    return sink.getvalue()


class TestIntake:
    @pytest.mark.parametrize("size", [1, 4_096, 70_000, 3_000_001])
    def test_any_size_is_sealed_and_opens_to_what_came(self, scene, size) -> None:
        scene = scene
        subject, _ = scene.enrolled()
        payload = os.urandom(size)
        answer = take_in(scene, scene.someone("physician"), subject, payload, "image/png")
        assert answer.status_code == 201, answer.text
        assert opened(scene, answer.json()) == payload
        assert answer.json()["inference"] is None
        assert answer.json()["skipped"]

    def test_the_system_account_attests_in_the_subjects_history(self, scene) -> None:
        subject, enrolment = scene.enrolled()
        answer = take_in(scene, scene.someone("nurse"), subject, "舌红".encode())
        index = answer.json()["accepted"]["index"]
        with scene.house.database.reading() as session:
            row = read_disclosure(session, 0, index)
        from xinglin.statement import Attestation

        attestation = Attestation.decode(row.attestation)
        assert attestation.signer == scene.house.keys.system.address
        assert attestation.read().predicate.enrolment == enrolment
        assert (row.subject, row.n) == (subject, 1)

    def test_i1_the_plaintext_is_nowhere_on_disk(self, scene) -> None:
        scene = scene
        subject, _ = scene.enrolled()
        canary = "欧阳明月 13800138000 主诉头痛".encode()
        small = take_in(scene, scene.someone("physician"), subject, canary)
        large = take_in(scene, scene.someone("physician"), subject, canary + os.urandom(500_000))
        assert (small.status_code, large.status_code) == (201, 201)
        for path in scene.house.settings.folder.rglob("*"):
            if path.is_file():
                assert canary not in path.read_bytes(), path

    def test_an_empty_payload_is_malformed_and_leaves_nothing(self, scene) -> None:
        scene = scene
        subject, _ = scene.enrolled()
        size = scene.house.writer.head.size
        answer = take_in(scene, scene.someone("physician"), subject, b"")
        assert answer.status_code == 400
        assert scene.house.writer.head.size == size

    def test_a_subject_that_is_registered_only_is_refused_and_nothing_is_kept(self, scene) -> None:
        scene = scene
        subject, _ = scene.register(scene.someone("desk"))
        answer = take_in(scene, scene.someone("physician"), subject, os.urandom(200_000))
        assert answer.status_code == 422
        files = [p for p in scene.house.settings.blob_folder.rglob("*") if p.is_file()]
        assert files == []

    def test_over_the_limit_is_too_large_and_leaves_nothing(self, tmp_path, run_node) -> None:
        with run_node(tmp_path / "node", max_record_bytes=100_000) as scene:
            subject, _ = scene.enrolled()
            answer = take_in(scene, scene.someone("physician"), subject, os.urandom(5_000_000))
            assert answer.status_code == 413
            files = [p for p in scene.house.settings.blob_folder.rglob("*") if p.is_file()]
            assert files == []
