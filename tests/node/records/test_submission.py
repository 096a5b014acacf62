"""Submitting sealed records: what is kept, what is refused, and what comes back."""

import io
from uuid import uuid4

import pytest

from xinglin import receipt, seal
from xinglin.envelope import Envelope, wrap_for
from xinglin.hashes import Digest
from xinglin.keys import HpkeIdentity, new_data_key
from xinglin.merkle import verify_inclusion
from xinglin.names import SubjectId
from xinglin_node.log.repository import read_disclosure, read_entry, tile_tree
from xinglin_node.records.schemas import BATCH_LABEL, BATCH_MEDIA_TYPE, Frame, join_batch


class TestSubmit:
    def test_an_accepted_record_is_logged_and_opens_with_the_institutions_key(self, scene) -> None:
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment)

        answer = scene.submit(physician, sealed)

        assert answer.status_code == 201, answer.text
        body = answer.json()
        house = scene.house
        promised = receipt.read(body["receipt"].encode(), house.origin, house.keys.log.public)
        with house.database.reading() as session:
            entry = read_entry(session, 0, body["index"])
            disclosure = read_disclosure(session, 0, body["index"])
            proof = tile_tree(session, 0).prove_inclusion(body["index"], house.writer.head.size)
        assert promised.index == body["index"]
        verify_inclusion(proof, promised.leaf, house.writer.head.root)
        assert (entry.sequenced_at, disclosure.n) == (promised.sequenced_at, 1)
        assert Digest.from_text(body["manifest"]) == sealed.manifest

        fetched = scene.client.get(
            f"/v1/records/{sealed.record}/1/blob", headers=scene.sign_in(physician)
        )
        opened = io.BytesIO()
        seal.open(
            io.BytesIO(fetched.content),
            opened,
            envelope=Envelope.decode(sealed.envelope),
            identity=house.keys.institution,
            record=sealed.record,
            version=1,
        )
        assert opened.getvalue() == sealed.payload

    def test_the_same_again_has_the_same_receipt(self, scene) -> None:
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment)
        first = scene.submit(physician, sealed)
        size = scene.house.writer.head.size

        again = scene.submit(physician, sealed)

        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        assert scene.house.writer.head.size == size

    def test_a_record_id_used_twice_is_a_conflict(self, scene) -> None:
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment)
        assert scene.submit(physician, sealed).status_code == 201
        other = scene.seal(physician.account, subject, enrolment, record=sealed.record)

        refused = scene.submit(physician, other)

        assert (refused.status_code, _name(refused)) == (409, "conflict")

    def test_a_record_id_of_another_subject_is_a_conflict(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        (one, first), (two, second) = scene.enrolled(), scene.enrolled()
        sealed = scene.seal(physician.account, one, first)
        assert scene.submit(physician, sealed).status_code == 201
        stolen = scene.seal(
            physician.account, two, second,
            record=sealed.record, version=2, previous=sealed.manifest,
        )  # fmt: skip

        assert _name(scene.submit(physician, stolen)) == "conflict"

    def test_a_new_version_follows_the_newest(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        first = scene.seal(physician.account, subject, enrolment)
        assert scene.submit(physician, first).status_code == 201
        wrong = scene.seal(
            physician.account, subject, enrolment,
            record=first.record, version=2, previous=Digest(bytes(32)),
        )  # fmt: skip
        third = scene.seal(
            physician.account, subject, enrolment,
            record=first.record, version=3, previous=first.manifest,
        )  # fmt: skip
        second = scene.seal(
            physician.account, subject, enrolment,
            record=first.record, version=2, previous=first.manifest,
        )  # fmt: skip

        assert _name(scene.submit(physician, wrong)) == "conflict"
        assert _name(scene.submit(physician, third)) == "conflict"
        assert scene.submit(physician, second).status_code == 201

    def test_a_subject_that_is_registered_only_is_refused(self, scene) -> None:
        physician = scene.someone("physician")
        subject, _ = scene.register(scene.someone("desk"))
        sealed = scene.seal(physician.account, subject, None)

        refused = scene.submit(physician, sealed)

        assert (refused.status_code, _name(refused)) == (422, "rule")
        assert "registered only" in refused.json()["got"]

    def test_an_enrolment_that_is_not_in_force_is_refused(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, _ = scene.enrolled()
        _, of_another = scene.enrolled()

        for enrolment in (None, of_another):
            sealed = scene.seal(physician.account, subject, enrolment)
            assert _name(scene.submit(physician, sealed)) == "rule"

    def test_an_unknown_subject_is_refused(self, scene) -> None:
        physician = scene.someone("physician")
        sealed = scene.seal(physician.account, SubjectId(uuid4()), Digest(bytes(32)))
        assert _name(scene.submit(physician, sealed)) == "rule"

    def test_nobody_submits_in_anothers_name(self, scene) -> None:
        scene = scene
        physician, other = scene.someone("physician"), scene.someone("nurse")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(other.account, subject, enrolment)

        refused = scene.submit(physician, sealed)

        assert (refused.status_code, _name(refused)) == (403, "not-appointed")

    @pytest.mark.parametrize("role", ["desk", "researcher", "auditor", "reviewer"])
    def test_only_authors_submit(self, scene, role) -> None:
        scene = scene
        someone = scene.someone(role)
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(someone.account, subject, enrolment)
        assert _name(scene.submit(someone, sealed)) == "not-appointed"

    def test_without_a_credential_nothing_is_read(self, scene) -> None:
        answer = scene.client.post("/v1/records", content=b"whatever")
        assert (answer.status_code, _name(answer)) == (401, "credential")


class TestWhatMustAgree:
    """I4: a third wrap would be a release without an entry; and bytes are what was attested."""

    def test_i4_an_envelope_wraps_to_custodian_and_recovery_and_to_nobody_else(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment)
        envelope = Envelope.decode(sealed.envelope)
        stranger = wrap_for(new_data_key(), HpkeIdentity.generate().recipient, envelope.manifest)
        three = Envelope(envelope.manifest, (*envelope.wraps, stranger)).encode()
        swapped = Envelope(envelope.manifest, (envelope.wraps[0], stranger)).encode()
        one = Envelope(envelope.manifest, envelope.wraps[:1]).encode()

        for changed in (three, swapped, one):
            refused = scene.submit(physician, sealed, envelope=changed)
            assert (refused.status_code, _name(refused)) == (422, "rule")
        assert scene.submit(physician, sealed).status_code == 201

    def test_an_envelope_of_another_record_is_refused(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed, other = (scene.seal(physician.account, subject, enrolment) for _ in range(2))
        assert _name(scene.submit(physician, sealed, envelope=other.envelope)) == "rule"

    def test_a_byte_flipped_in_the_blob_is_refused_and_leaves_nothing(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment, payload=bytes(200_000))
        flipped = bytearray(sealed.ciphertext)
        flipped[1000] ^= 1

        refused = scene.submit(physician, sealed, blob=bytes(flipped))

        assert (refused.status_code, _name(refused)) == (422, "rule")
        files = [path for path in scene.house.settings.blob_folder.rglob("*") if path.is_file()]
        assert files == []

    def test_an_attestation_with_a_changed_statement_is_refused(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment)
        changed = sealed.attestation.replace(b"outpatient-note", b"discharge-notes")
        refused = scene.submit(physician, sealed, attestation=changed)
        assert (refused.status_code, _name(refused)) == (422, "rule")

    def test_another_custodian_is_refused(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment, custodian=2)
        assert _name(scene.submit(physician, sealed)) == "rule"

    def test_a_clock_that_is_an_hour_ahead_is_refused(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        ahead = scene.seal(
            physician.account, subject, enrolment, claimed_at=int(scene.clock()) + 3600
        )
        refused = scene.submit(physician, ahead)
        assert _name(refused) == "rule"
        assert "ahead" in refused.json()["expected"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("envelope", b"{}"),
            ("envelope", b"not json"),
            ("envelope", b"\xff\xfe"),
            ("attestation", b'{"signature":""}'),
            ("subject", b"not-a-uuid"),
            ("subject", "F47AC10B-58CC-4372-A567-0E02B2C3D479"),
        ],
    )
    def test_a_part_that_does_not_parse_is_malformed(self, scene, field, value) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment)
        refused = scene.submit(physician, sealed, **{field: value})
        assert (refused.status_code, _name(refused)) == (400, "malformed")

    def test_an_empty_file_is_refused(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment)
        assert _name(scene.submit(physician, sealed, blob=b"")) == "rule"

    def test_a_body_over_the_limit_is_too_large_and_leaves_nothing(
        self, tmp_path, run_node
    ) -> None:
        with run_node(tmp_path / "node", max_record_bytes=100_000) as scene:
            physician = scene.someone("physician")
            subject, enrolment = scene.enrolled()
            sealed = scene.seal(physician.account, subject, enrolment, payload=bytes(150_000))
            refused = scene.submit(physician, sealed)
            assert (refused.status_code, _name(refused)) == (413, "too-large")
            files = [p for p in scene.house.settings.blob_folder.rglob("*") if p.is_file()]
            assert files == []

    def test_another_content_type_is_refused(self, scene) -> None:
        physician = scene.someone("physician")
        headers = scene.sign_in(physician) | {"Content-Type": "application/json"}
        answer = scene.client.post("/v1/records", content=b"{}", headers=headers)
        assert (answer.status_code, _name(answer)) == (415, "media-type")

    def test_a_form_that_is_cut_short_is_malformed(self, scene) -> None:
        physician = scene.someone("physician")
        headers = scene.sign_in(physician) | {"Content-Type": "multipart/form-data; boundary=b"}
        body = b'--b\r\nContent-Disposition: form-data; name="subject"\r\n\r\nabc'
        answer = scene.client.post("/v1/records", content=body, headers=headers)
        assert (answer.status_code, _name(answer)) == (400, "malformed")

    def test_i1_a_refusal_names_no_person(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, _ = scene.enrolled()
        sealed = scene.seal(physician.account, subject, None)
        refused = scene.submit(physician, sealed)
        for identifier in (str(subject), str(sealed.record), physician.account.address):
            assert identifier not in refused.text


class TestBatch:
    def test_each_submission_has_its_own_result_and_one_sync_keeps_all(self, scene) -> None:
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        good = [scene.seal(physician.account, subject, enrolment) for _ in range(3)]
        bad = scene.seal(physician.account, subject, None)
        batches = scene.house.writer.batches

        answer = _batch(scene, physician, [good[0], bad, good[1], good[2], good[0]])

        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        assert [item["status"] for item in results] == [201, 422, 201, 201, 201]
        assert results[4]["accepted"] == results[0]["accepted"]
        assert scene.house.writer.batches == batches + 1
        again = _batch(scene, physician, good).json()["results"]
        assert [item["status"] for item in again] == [200, 200, 200]
        assert [a["accepted"] for a in again] == [results[i]["accepted"] for i in (0, 2, 3)]

    def test_a_large_blob_in_a_batch_is_kept_as_a_file(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment, payload=bytes(100_000))
        assert _batch(scene, physician, [sealed]).json()["results"][0]["status"] == 201
        fetched = scene.client.get(
            f"/v1/records/{sealed.record}/1/blob", headers=scene.sign_in(physician)
        )
        assert fetched.content == sealed.ciphertext

    @pytest.mark.parametrize(
        "body",
        [b"", BATCH_LABEL, b"xinglin/batch/v2\x00", BATCH_LABEL + bytes(15)],
        ids=["empty", "no submissions", "another version", "cut short"],
    )
    def test_a_body_that_is_not_a_batch_is_malformed(self, scene, body) -> None:
        physician = scene.someone("physician")
        headers = scene.sign_in(physician) | {"Content-Type": BATCH_MEDIA_TYPE}
        answer = scene.client.post("/v1/records/batch", content=body, headers=headers)
        assert (answer.status_code, _name(answer)) == (400, "malformed")


class TestBlob:
    def test_a_range_is_answered_with_exactly_those_bytes(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment, payload=bytes(100_000))
        assert scene.submit(physician, sealed).status_code == 201
        url = f"/v1/records/{sealed.record}/1/blob"
        size = len(sealed.ciphertext)
        for asked, start, end in (
            ("bytes=10-19", 10, 20),
            ("bytes=99990-", 99_990, size),
            ("bytes=-7", size - 7, size),
        ):
            answer = scene.client.get(url, headers=scene.sign_in(physician) | {"Range": asked})
            assert answer.status_code == 206
            assert answer.content == sealed.ciphertext[start:end]
            assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"

    def test_what_a_caller_may_not_see_does_not_exist(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = scene.seal(physician.account, subject, enrolment)
        assert scene.submit(physician, sealed).status_code == 201
        stranger = scene.someone("researcher", member=2)

        hidden = scene.client.get(
            f"/v1/records/{sealed.record}/1/blob", headers=scene.sign_in(stranger)
        )
        absent = scene.client.get(f"/v1/records/{uuid4()}/1/blob", headers=scene.sign_in(stranger))

        assert hidden.status_code == absent.status_code == 404
        assert hidden.content == absent.content


class TestList:
    def test_care_staff_list_one_file(self, scene) -> None:
        physician = scene.someone("physician")
        subject, enrolment = scene.enrolled()
        sealed = [scene.seal(physician.account, subject, enrolment) for _ in range(2)]
        for one in sealed:
            assert scene.submit(physician, one).status_code == 201
        answer = scene.client.get(
            "/v1/records", params={"subject": str(subject)}, headers=scene.sign_in(physician)
        )
        listed = answer.json()["records"]
        assert [one["record"] for one in listed] == [str(one.record) for one in sealed]
        assert {one["state"] for one in listed} == {"sequenced"}


def _batch(scene, author, records):
    frames = [Frame(one.subject, one.envelope, one.attestation, one.ciphertext) for one in records]
    headers = scene.sign_in(author) | {"Content-Type": BATCH_MEDIA_TYPE}
    return scene.client.post("/v1/records/batch", content=join_batch(frames), headers=headers)


def _name(answer) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["type"].removeprefix("urn:xinglin:problem:")
