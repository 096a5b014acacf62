"""Files, enrolments and history keys at the desk."""

import pytest

from xinglin import history, typed
from xinglin.document import base64url, from_base64url
from xinglin.hashes import Digest
from xinglin.history import HistoryEntry, verify_whole
from xinglin.keys import Account, HpkeIdentity
from xinglin.names import HistoryKey
from xinglin.statement import Attestation, Disclosure, Entry
from xinglin_node.log.repository import read_disclosure, read_entries
from xinglin_node.log.tables import DisclosureRow


def with_account(scene, key: HistoryKey, account: Account, **changes: object) -> dict[str, object]:
    """An enrolment as a subject's device would sign it."""
    identity = HpkeIdentity.generate()
    issued_at = int(scene.clock())
    message = {
        "custodian": scene.house.member,
        "account": account.address,
        "keyDigest": identity.key_digest,
        "historyDigest": history.history_digest(key),
        "issuedAt": issued_at,
    } | changes
    signature = typed.sign(scene.house.domain, "Enrolment", message, account)
    return {
        "account": account.address,
        "publicKey": base64url(identity.recipient.public_key),
        "proxies": [],
        "issuedAt": issued_at,
        "signature": base64url(signature),
    }


def post(scene, subject, body):
    headers = scene.sign_in(scene.someone("desk"))
    return scene.client.post(f"/v1/subjects/{subject}/enrolment", json=body, headers=headers)


class TestRegister:
    def test_a_new_file_logs_nothing(self, scene) -> None:
        scene.register(scene.someone("desk"))
        assert scene.house.writer.head.size == 0

    @pytest.mark.parametrize("role", ["physician", "nurse", "researcher", "system"])
    def test_only_the_desk_opens_files(self, scene, role) -> None:
        someone = scene.someone(role)
        answer = scene.client.post("/v1/subjects", headers=scene.sign_in(someone))
        assert answer.status_code == 403

    def test_the_desk_of_another_institution_opens_none(self, scene) -> None:
        someone = scene.someone("desk", member=2)
        answer = scene.client.post("/v1/subjects", headers=scene.sign_in(someone))
        assert answer.status_code == 403


class TestEnrol:
    def test_the_first_enrolment_is_entry_0_of_the_history(self, scene) -> None:
        subject, key = scene.register(scene.someone("desk"))
        answer = post(scene, subject, {})
        assert answer.status_code == 201
        with scene.house.database.reading() as session:
            row = read_disclosure(session, 0, answer.json()["index"])
            entry = Entry.decode(read_entries(session, 0, answer.json()["index"], 1)[0])
        assert (row.n, row.kind) == (0, "enrolment")
        assert entry.tag == history.tag(key, scene.house.origin, 0)
        predicate = Attestation.decode(row.attestation).read().predicate
        assert (predicate.account, predicate.key_digest, predicate.proxies) == (None, None, ())
        assert Digest.from_text(answer.json()["enrolment"]).value == entry.commitment

    def test_an_account_signs_for_itself(self, scene) -> None:
        subject, key = scene.register(scene.someone("desk"))
        account = Account.generate()
        answer = post(scene, subject, with_account(scene, key, account))
        assert answer.status_code == 201
        signed_in = scene.sign_in_subject(account, subject)
        assert scene.client.get("/v1/records", headers=signed_in).json()["records"] == []

    def test_the_same_again_has_the_same_receipt(self, scene) -> None:
        scene = scene
        subject, key = scene.register(scene.someone("desk"))
        body = with_account(scene, key, Account.generate())
        first, again = post(scene, subject, body), post(scene, subject, body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert scene.house.writer.head.size == 1

    def test_a_re_enrolment_is_in_force_from_then_on(self, scene) -> None:
        scene = scene
        physician = scene.someone("physician")
        subject, key = scene.register(scene.someone("desk"))
        first = scene.enrol(scene.someone("desk"), subject)
        second = scene.enrol(
            scene.someone("desk"), subject, with_account(scene, key, Account.generate())
        )
        old = scene.seal(physician.account, subject, first)
        new = scene.seal(physician.account, subject, second)
        assert scene.submit(physician, old).status_code == 422
        assert scene.submit(physician, new).status_code == 201

    def test_another_accounts_signature_is_refused(self, scene) -> None:
        scene = scene
        subject, key = scene.register(scene.someone("desk"))
        body = with_account(scene, key, Account.generate())
        body["account"] = Account.generate().address
        assert post(scene, subject, body).status_code == 422

    @pytest.mark.parametrize(
        "changes", [{"custodian": 2}, {"historyDigest": bytes(32)}, {"keyDigest": bytes(32)}]
    )
    def test_a_signature_over_other_values_is_refused(self, scene, changes) -> None:
        scene = scene
        subject, key = scene.register(scene.someone("desk"))
        body = with_account(scene, key, Account.generate(), **changes)
        assert post(scene, subject, body).status_code == 422

    @pytest.mark.parametrize(
        "body",
        [
            {"account": "0x9858EfFD232B4033E47d90003D41EC34EcaEda94"},
            {"account": "0x9858effd232b4033e47d90003d41ec34ecaeda94"},
            {"publicKey": "AA", "unknown": 1},
            {"issuedAt": -1},
            [],
            "text",
        ],
    )
    def test_a_body_of_another_form_is_malformed(self, scene, body) -> None:
        scene = scene
        subject, _ = scene.register(scene.someone("desk"))
        answer = post(scene, subject, body)
        assert (answer.status_code, answer.json()["type"]) == (
            400,
            "urn:xinglin:problem:malformed",
        )

    def test_a_signature_of_last_week_is_refused(self, scene) -> None:
        scene = scene
        subject, key = scene.register(scene.someone("desk"))
        scene.clock.ahead = -7 * 86_400
        body = with_account(scene, key, Account.generate())
        scene.clock.ahead = 0
        assert post(scene, subject, body).status_code == 422

    def test_an_unknown_file_is_not_found(self, scene) -> None:
        from uuid import uuid4

        assert post(scene, uuid4(), {}).status_code == 404


class TestHistory:
    def test_a_new_key_begins_at_0_with_a_statement_that_joins_both_lists(self, scene) -> None:
        subject, key = scene.register(scene.someone("desk"))
        scene.enrol(scene.someone("desk"), subject)
        headers = scene.sign_in(scene.someone("desk"))
        answer = scene.client.post(
            f"/v1/subjects/{subject}/history", json={"kind": "rekeyed"}, headers=headers
        )
        assert answer.status_code == 201, answer.text
        body = answer.json()
        fresh = HistoryKey(from_base64url(body["historyKey"]))
        assert fresh != key
        house = scene.house
        with house.database.reading() as session:
            entries = [Entry.decode(one) for one in read_entries(session, 0, 0, 100)]
            joined = read_disclosure(session, 0, body["index"])
            old, new = (
                [_told(row) for row in _rows(session, history_id)]
                for history_id in (joined.history - 1, joined.history)
            )
        assert joined.n == 0
        predicate = Attestation.decode(joined.attestation).read().predicate
        assert (predicate.kind, predicate.from_.n) == ("rekeyed", 1)
        assert predicate.from_.history.value == history.history_digest(key)
        assert predicate.to.history.value == history.history_digest(fresh)
        verify_whole(key, house.origin, entries, old)
        verify_whole(fresh, house.origin, entries, new)

    def test_a_list_that_is_in_this_log_does_not_move(self, scene) -> None:
        scene = scene
        subject, _ = scene.enrolled()
        answer = scene.client.post(
            f"/v1/subjects/{subject}/history",
            json={"kind": "moved"},
            headers=scene.sign_in(scene.someone("desk")),
        )
        assert answer.status_code == 422

    def test_in_a_new_generation_a_list_moves_before_its_next_entry(
        self, tmp_path, run_node
    ) -> None:
        from dataclasses import replace

        from xinglin.names import Generation

        with run_node(tmp_path / "node") as scene:
            subject, key = scene.register(scene.someone("desk"))
            scene.enrol(scene.someone("desk"), subject)
            writer = scene.house.writer
            next_log = history.origin(scene.house.network_id, scene.house.member, Generation(1))
            writer._head = replace(writer.head, origin=next_log, generation=Generation(1))
            writer._reload()
            physician = scene.someone("physician")
            with scene.house.database.reading() as session:
                commitment = session.query(DisclosureRow).one().commitment
            sealed = scene.seal(physician.account, subject, Digest(commitment))
            assert scene.submit(physician, sealed).status_code == 201
            with scene.house.database.reading() as session:
                entries = [Entry.decode(one) for one in read_entries(session, 1, 0, 10)]
                first = read_disclosure(session, 1, 0)
            predicate = Attestation.decode(first.attestation).read().predicate
            assert (predicate.kind, predicate.from_.n) == ("moved", 1)
            assert [one.tag for one in entries] == [history.tag(key, next_log, n) for n in range(2)]


def _rows(session, history_id: int) -> list[DisclosureRow]:
    return list(
        session.query(DisclosureRow)
        .filter(DisclosureRow.history == history_id)
        .order_by(DisclosureRow.n)
    )


def _told(row: DisclosureRow) -> HistoryEntry:
    disclosure = Disclosure(attestation=Attestation.decode(row.attestation), salt=row.salt, n=row.n)
    return HistoryEntry(row.index, disclosure)
