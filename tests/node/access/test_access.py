"""Releases: what is written before a key leaves (I4), and what keeps it in (I5, I10)."""

import secrets
from uuid import uuid4

import pytest
from sqlalchemy import select

from xinglin.access import Asker, read_answer
from xinglin.encoding import base64url, hex0x
from xinglin.envelope import Wrap, unwrap
from xinglin.errors import UnwrapError
from xinglin.hashes import Digest
from xinglin.keys import Account, HpkeIdentity
from xinglin.names import GrantId, RequestId
from xinglin.request import AccessRequest
from xinglin.statement import Access, Proxy, Refusal
from xinglin_node.access.tables import ReleaseRow
from xinglin_node.chain.tables import ViewRow
from xinglin_node.log.tables import DisclosureRow
from xinglin_node.log.unit import Write


def read(consenting, body, answer, asker):
    """The answer, checked as a client checks it."""
    known = Asker(asker.account, asker.identity, consenting.scene.house.domain)
    return read_answer(answer.json(), AccessRequest.from_json(body["request"]), known)


def term(answer) -> str:
    assert answer.status_code == 403, answer.text
    assert answer.json()["type"] == "urn:xinglin:problem:grant-refused"
    return answer.json()["term"]


def problem(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit(":", 1)[1]


class TestGrounds:
    def test_a_subject_opens_their_own_record(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        body = consenting.request(patient, record, ground="subject", purpose="PATRQT")

        answer = consenting.scene.client.post("/v1/access", json=body)

        assert answer.status_code == 200, answer.text
        assert read(consenting, body, answer, patient).released[0].record == record

    def test_a_proxy_opens_for_the_subject_until_their_time_is_up(self, consenting) -> None:
        parent = Account.generate()
        until = int(consenting.scene.clock()) + 3600
        patient = consenting.patient(proxies=(Proxy(account=parent.address, until=until),))
        record = consenting.record(patient)
        proxy = type(patient)(
            patient.subject, patient.history_key, parent, HpkeIdentity.generate(),
            patient.enrolment,
        )  # fmt: skip
        asked = {"ground": "subject", "purpose": "PATRQT"}

        assert consenting.ask(proxy, record, **asked).status_code == 200
        consenting.scene.clock.ahead = 3600
        assert consenting.ask(proxy, record, **asked).status_code == 404

    def test_care_staff_open_their_own_institutions_records_to_treat(self, consenting) -> None:
        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")

        answer = consenting.ask(nurse, record, ground="care")

        assert answer.status_code == 200, answer.text

    @pytest.mark.parametrize(
        ("role", "member", "purpose", "expected"),
        [
            ("desk", 1, "TREAT", (403, "not-appointed")),
            ("researcher", 1, "TREAT", (403, "not-appointed")),
            ("physician", 2, "TREAT", (403, "not-appointed")),
            ("physician", 1, "HRESCH", (422, "rule")),
        ],
    )
    def test_care_is_for_care_staff_of_the_custodian_and_to_treat(
        self, consenting, role, member, purpose, expected
    ) -> None:
        record = consenting.record(consenting.patient())
        someone = consenting.scene.someone(role, member=member)
        research = {"research": "DUO:0000042"} if purpose == "HRESCH" else {}

        answer = consenting.ask(someone, record, ground="care", purpose=purpose, **research)

        assert problem(answer) == expected

    def test_a_grantee_opens_what_was_granted(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        body = consenting.request(doctor, record, grant=grant.id)

        answer = consenting.scene.client.post("/v1/access", json=body)

        assert answer.status_code == 200, answer.text
        item = read(consenting, body, answer, doctor).released[0]
        assert (item.record, item.version) == (record, 1)

    @pytest.mark.parametrize("ground", ["system", "emergency", "law"])
    def test_other_grounds_are_not_asked_for_over_http(self, consenting, ground) -> None:
        record = consenting.record(consenting.patient())
        someone = consenting.scene.someone("physician")

        assert problem(consenting.ask(someone, record, ground=ground)) == (422, "rule")


class TestI4NoKeyWithoutLeave:
    """I4: a key leaves on a named ground, in an access entry that is durable first."""

    def test_the_entry_names_request_ground_view_and_records(self, consenting) -> None:
        patient = consenting.patient()
        records = [consenting.record(patient) for _ in range(3)]
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        body = consenting.request(doctor, *records, grant=grant.id)

        consenting.scene.client.post("/v1/access", json=body)

        (statement,) = consenting.entries("access")
        predicate = statement.predicate
        assert isinstance(predicate, Access)
        assert predicate.request == AccessRequest.from_json(body["request"])
        assert (predicate.ground, predicate.grant_id) == ("grant", grant.id)
        assert len(predicate.manifests) == 3
        with consenting.scene.house.database.reading() as session:
            view = session.get(ViewRow, 1)
            assert (predicate.view.number, predicate.view.time) == (view.number, view.time)

    def test_no_wrap_is_made_where_the_entry_cannot_be_written(
        self, consenting, monkeypatch
    ) -> None:
        # The order is the invariant: a log that refuses must keep the key in.
        from xinglin_node.access import release
        from xinglin_node.problems import StorageRefused

        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        unwrapped: list[object] = []
        true_unwrap = release.unwrap
        monkeypatch.setattr(
            release, "unwrap", lambda *given: unwrapped.append(given) or true_unwrap(*given)
        )
        consenting.scene.house.writer.halt(StorageRefused("a whole log", "a short one"))

        answer = consenting.ask(nurse, record, ground="care")

        assert problem(answer) == (503, "storage")
        assert unwrapped == []
        assert consenting.entries("access") == []

    def test_when_the_key_is_unwrapped_the_entry_is_on_disk(self, consenting, monkeypatch) -> None:
        from xinglin_node.access import release

        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        seen: list[int] = []
        true_unwrap = release.unwrap

        def looking(*given):
            seen.append(len(consenting.entries("access")))
            return true_unwrap(*given)

        monkeypatch.setattr(release, "unwrap", looking)
        consenting.ask(nurse, record, ground="care")

        assert seen == [1]

    def test_a_grant_is_not_judged_on_an_old_view(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        consenting.view(age=121)

        answer = consenting.ask(doctor, record, grant=grant.id)

        assert problem(answer) == (503, "view-stale")
        assert "Retry-After" in answer.headers

    def test_care_goes_on_with_an_old_view_and_states_it(self, consenting) -> None:
        # A halted chain must not keep a physician from the patient.
        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        consenting.view(age=3600)

        answer = consenting.ask(nurse, record, ground="care")

        assert answer.status_code == 200, answer.text
        behind = consenting.scene.clock() - answer.json()["view"]["time"]
        assert behind >= 3599

    def test_a_clock_behind_the_newest_block_releases_nothing_under_grants(
        self, consenting
    ) -> None:
        # On a clock that is slow, an expired grant would still look alive.
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)

        consenting.view(head_ahead=6)
        assert problem(consenting.ask(doctor, record, grant=grant.id)) == (
            503,
            "view-stale",
        )
        consenting.view(head_ahead=3)
        assert consenting.ask(doctor, record, grant=grant.id).status_code == 200

    def test_one_access_entry_and_one_refusal_entry_for_one_request(self, consenting) -> None:
        patient = consenting.patient()
        notes = [consenting.record(patient) for _ in range(2)]
        other = consenting.record(patient, category="laboratory")
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)

        answer = consenting.ask(doctor, notes[0], other, notes[1], grant=grant.id)

        items = answer.json()["items"]
        assert [item["released"] is not None for item in items] == [True, False, True]
        assert [item["term"] for item in items] == [None, None, None]
        assert len(consenting.entries("access")) == 1
        (refusal,) = consenting.entries("refusal")
        assert isinstance(refusal.predicate, Refusal)
        assert [item.term for item in refusal.predicate.items] == ["scope"]


class TestOnce:
    def test_the_same_request_has_the_same_answer_and_one_entry(self, consenting) -> None:
        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        body = consenting.request(nurse, record, ground="care")

        first = consenting.scene.client.post("/v1/access", json=body)
        again = consenting.scene.client.post("/v1/access", json=body)

        assert first.status_code == again.status_code == 200
        assert first.json() == again.json()
        assert len(consenting.entries("access")) == 1

    def test_copies_at_once_have_one_entry_and_the_same_wraps(self, consenting) -> None:
        from concurrent.futures import ThreadPoolExecutor

        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        body = consenting.request(nurse, record, ground="care")

        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(lambda _: consenting.scene.client.post("/v1/access", json=body), range(4))
            )

        assert {answer.status_code for answer in answers} == {200}
        assert len({answer.text for answer in answers}) == 1
        assert len(consenting.entries("access")) == 1

    def test_the_same_id_with_other_content_is_a_conflict(self, consenting) -> None:
        patient = consenting.patient()
        one, two = consenting.record(patient), consenting.record(patient)
        nurse = consenting.scene.someone("nurse")
        body = consenting.request(nurse, one, ground="care")
        consenting.scene.client.post("/v1/access", json=body)

        other = consenting.request(nurse, two, ground="care", id=body["request"]["id"])

        assert problem(consenting.scene.client.post("/v1/access", json=other)) == (409, "conflict")

    def test_a_refused_request_is_refused_again_the_same(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        body = consenting.request(doctor, record, grant=grant.id, purpose="HPAYMT")
        client = consenting.scene.client

        assert [term(client.post("/v1/access", json=body)) for _ in range(2)] == ["purpose"] * 2
        assert len(consenting.entries("refusal")) == 1

    def test_a_request_is_answered_until_its_deadline(self, consenting) -> None:
        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        body = consenting.request(nurse, record, ground="care")
        client = consenting.scene.client
        assert client.post("/v1/access", json=body).status_code == 200

        consenting.scene.clock.ahead = 301

        assert problem(client.post("/v1/access", json=body)) == (422, "rule")

    def test_a_crash_between_entry_and_wrap_loses_nothing(self, consenting, monkeypatch) -> None:
        from xinglin_node.access import release

        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        body = consenting.request(nurse, record, ground="care")
        client = consenting.scene.client

        def crash(*_):
            raise UnwrapError("crashed")

        monkeypatch.setattr(release, "unwrap", crash)
        assert client.post("/v1/access", json=body).status_code != 200
        monkeypatch.undo()
        answer = client.post("/v1/access", json=body)

        assert answer.status_code == 200
        assert len(consenting.entries("access")) == 1


class TestI10FailClosed:
    """I10: what is malformed, ambiguous or late is refused, and leaves no trace."""

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"custodian": 2}, (422, "rule")),
            ({"deadline": 0}, (422, "rule")),
            ({"grantId": "0x" + "11" * 32}, (422, "rule")),
            ({"research": "DUO:0000042"}, (422, "rule")),
            ({"purpose": "PATRQT"}, (422, "rule")),
            ({"keyDigest": "0x" + "11" * 32}, (422, "rule")),
            ({"reasonDigest": "0x" + "11" * 32}, (422, "rule")),
        ],
        ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
    )
    def test_a_broken_rule_is_named(self, consenting, change, expected) -> None:
        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")

        answer = consenting.ask(nurse, record, **({"ground": "care"} | change))

        assert problem(answer) == expected
        assert consenting.entries("access") == []

    def test_an_item_twice_is_refused(self, consenting) -> None:
        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")

        assert problem(consenting.ask(nurse, record, record, ground="care")) == (
            422,
            "rule",
        )

    def test_a_request_from_tomorrow_is_refused(self, consenting) -> None:
        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        at = int(consenting.scene.clock()) + 60

        answer = consenting.ask(nurse, record, ground="care", issuedAt=at, deadline=at + 300)

        assert problem(answer) == (422, "rule")

    def test_items_of_two_subjects_are_refused(self, consenting) -> None:
        one = consenting.record(consenting.patient())
        two = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")

        assert problem(consenting.ask(nurse, one, two, ground="care")) == (422, "rule")

    @pytest.mark.parametrize("form", ["high-s", "64-bytes", "v-0", "another-account"])
    def test_a_signature_in_another_form_is_refused(self, consenting, form) -> None:
        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        body = consenting.request(nurse, record, ground="care")
        body["signature"] = base64url(bent(body["signature"], form))

        answer = consenting.scene.client.post("/v1/access", json=body)

        assert answer.status_code in (400, 401)
        assert consenting.entries("access") == []


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def bent(text: str, form: str) -> bytes:
    """The same signature in a form that is refused."""
    from xinglin.encoding import from_base64url

    signature = from_base64url(text)
    r, s, v = signature[:32], int.from_bytes(signature[32:64]), signature[64]
    if form == "high-s":
        return r + (ORDER - s).to_bytes(32) + bytes([55 - v])
    if form == "64-bytes":
        return signature[:64]
    if form == "v-0":
        return signature[:64] + bytes([v - 27])
    return Account.generate().sign_digest(secrets.token_bytes(32))


class TestWhatACallerMayNotSeeDoesNotExist:
    def test_absent_foreign_and_out_of_scope_look_alike(self, consenting) -> None:
        patient, stranger = consenting.patient(), consenting.patient()
        grant = consenting.given(patient)
        foreign = consenting.record(stranger)
        hidden = consenting.record(patient, category="laboratory")
        doctor = consenting.scene.someone("physician", member=2)

        answers = [
            consenting.ask(doctor, record, grant=grant.id) for record in (uuid4(), foreign, hidden)
        ]

        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.text for answer in answers}) == 1
        # The stranger's history does not fill with what was never granted.
        assert [len(statement.predicate.items) for statement in consenting.entries("refusal")] == [
            1
        ]

    def test_an_unknown_grant_looks_like_one_of_others(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        nurse = consenting.scene.someone("nurse", member=2)

        unknown = consenting.ask(nurse, record, grant=GrantId(secrets.token_bytes(32)))
        of_others = consenting.ask(nurse, record, grant=grant.id)

        assert unknown.status_code == of_others.status_code == 404
        assert unknown.json()["type"] == of_others.json()["type"]

    def test_who_tried_under_anothers_grant_is_in_the_patients_list(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        nurse = consenting.scene.someone("nurse", member=2)
        consenting.ask(nurse, record, grant=grant.id)
        scene = consenting.scene

        page = scene.client.get(
            "/v1/history", headers=scene.sign_in_subject(patient.account, patient.subject)
        ).json()

        assert [entry["kind"] for entry in page["entries"]] == [
            "enrolment", "record", "grant", "refusal",
        ]  # fmt: skip
        asker = page["entries"][-1]["asker"]
        assert (asker["institution"], asker["role"]) == ("Member 2", "nurse")

    def test_a_released_record_may_be_fetched_and_no_other(self, consenting) -> None:
        patient = consenting.patient()
        released, other = consenting.record(patient), consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        consenting.ask(doctor, released, grant=grant.id)
        scene = consenting.scene
        headers = scene.sign_in(doctor)

        def fetched(record) -> int:
            return scene.client.get(f"/v1/records/{record}/1/blob", headers=headers).status_code

        assert (fetched(released), fetched(other)) == (200, 404)


class TestI5RevocationBites:
    """I5: what was shown or seen keeps the key in, from then on."""

    def test_a_shown_revocation_stops_before_the_chain_has_it(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        assert consenting.ask(doctor, record, grant=grant.id).status_code == 200

        shown = consenting.scene.client.post(
            "/v1/relay/revocation",
            json={"grantId": hex0x(grant.id), "signature": base64url(grant.revocation)},
        )

        assert (shown.status_code, shown.json()["state"]) == (202, "stopped")
        assert term(consenting.ask(doctor, record, grant=grant.id)) == "stopped"

    def test_wraps_are_deleted_and_the_same_request_is_answered_no_more(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        body = consenting.request(doctor, record, grant=grant.id)
        client = consenting.scene.client
        assert client.post("/v1/access", json=body).status_code == 200

        client.post(
            "/v1/relay/revocation",
            json={"grantId": hex0x(grant.id), "signature": base64url(grant.revocation)},
        )

        assert term(client.post("/v1/access", json=body)) == "stopped"
        with consenting.scene.house.database.reading() as session:
            assert session.scalars(select(ReleaseRow.wrap)).all() == [None]

    def test_a_revocation_that_arrives_between_decision_and_wrap_keeps_the_key_in(
        self, consenting, monkeypatch
    ) -> None:
        from xinglin_node.access import service
        from xinglin_node.consents.tables import StopRow

        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        true_log = service.log

        def revoked_meanwhile(house, *given, **named):
            logged = true_log(house, *given, **named)

            def work(write: Write) -> None:
                write.session.add(
                    StopRow(grant_id=grant.id, signature=grant.revocation, shown_at=write.now)
                )

            house.writer.submit(work).result()
            return logged

        monkeypatch.setattr(service, "log", revoked_meanwhile)

        assert term(consenting.ask(doctor, record, grant=grant.id)) == "stopped"

    def test_the_chains_revocation_is_the_term_once_it_is_seen(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        now = int(consenting.scene.clock())

        consenting.on_chain(grant, given_at=now - 9, revoked_at=now - 1, revoked_by=1)

        assert term(consenting.ask(doctor, record, grant=grant.id)) == "revoked"

    def test_a_ciphertext_not_yet_fetched_is_not_served_after_it(self, consenting) -> None:
        # Whoever holds the key and waits would otherwise open after the revocation.
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor, scene = consenting.scene.someone("physician", member=2), consenting.scene
        consenting.ask(doctor, record, grant=grant.id)
        paths = (f"/v1/records/{record}/1/blob", f"/v1/grants/{hex0x(grant.id)}/records")

        def fetched() -> list[int]:
            headers = scene.sign_in(doctor)
            return [scene.client.get(path, headers=headers).status_code for path in paths]

        assert fetched() == [200, 200]
        scene.client.post(
            "/v1/relay/revocation",
            json={"grantId": hex0x(grant.id), "signature": base64url(grant.revocation)},
        )
        assert fetched() == [404, 403]

    def test_a_withdrawn_person_gets_not_even_the_same_answer(self, consenting) -> None:
        from xinglin_node.chain.tables import WithdrawalRow

        record = consenting.record(consenting.patient())
        nurse, scene = consenting.scene.someone("nurse"), consenting.scene
        body = consenting.request(nurse, record, ground="care")
        assert scene.client.post("/v1/access", json=body).status_code == 200
        digest = nurse.signed.appointment.digest(scene.house.domain)

        def work(write: Write) -> None:
            write.session.add(WithdrawalRow(member=1, digest=digest, at=write.now - 1, block=9))

        scene.house.writer.submit(work).result()

        assert problem(scene.client.post("/v1/access", json=body)) == (403, "withdrawn")

    def test_a_false_revocation_stops_nothing(self, consenting) -> None:
        # Else anyone could cut a patient off from their physician.
        patient = consenting.patient()
        record = consenting.record(patient)
        grant, other = consenting.given(patient), consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)

        shown = consenting.scene.client.post(
            "/v1/relay/revocation",
            json={"grantId": hex0x(grant.id), "signature": base64url(other.revocation)},
        )

        assert problem(shown) == (422, "rule")
        assert consenting.ask(doctor, record, grant=grant.id).status_code == 200


class TestTerms:
    """Each term that a node can see, in one request each."""

    @pytest.mark.parametrize(
        ("expected", "terms", "asked", "state"),
        [
            ("purpose", {}, {"purpose": "HPAYMT"}, {}),
            ("view", {"view": "entities"}, {}, {}),
            ("view", {"view": "deidentified"}, {}, {}),
            ("frequency", {"frequency": {"releases": 1, "days": 30}}, {}, {}),
            ("not-yet", {}, {}, {"not_before": 4_000_000_000}),
            ("expired", {}, {}, {"expires_at": 1_700_000_000}),
            ("custodian", {}, {}, {"custodian": 3}),
            ("terms", {}, {}, {"terms_digest": bytes(32)}),
            ("enrolment", {}, {}, {"given_at": 1_000_000_000}),
            (
                "research",
                {
                    "purposes": ["HRESCH"],
                    "research": {"permission": "DUO:0000006", "modifiers": []},
                },
                {"purpose": "HRESCH", "research": "DUO:0000042"},
                {},
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else None,
    )
    def test_the_term_that_refused_is_told_to_the_grantee(
        self, consenting, expected, terms, asked, state
    ) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient, **terms)
        if state:
            consenting.on_chain(grant, **state)
        doctor = consenting.scene.someone("physician", member=2)
        if expected == "frequency":
            assert consenting.ask(doctor, record, grant=grant.id).status_code == 200

        answer = consenting.ask(doctor, record, grant=grant.id, **asked)

        assert term(answer) == expected
        refusals = consenting.entries("refusal")
        assert [item.term for item in refusals[-1].predicate.items] == [expected]

    def test_before_the_chain_has_it_a_grant_opens_nothing(self, consenting) -> None:
        patient = consenting.patient()
        record = consenting.record(patient)
        signed = consenting.sign(patient)
        assert consenting.deposit(signed).status_code == 201
        doctor = consenting.scene.someone("physician", member=2)

        assert term(consenting.ask(doctor, record, grant=signed.id)) == "not-yet"


class TestWrap:
    def test_it_opens_for_this_grant_and_request_alone(self, consenting) -> None:
        # A swapped data key: the wrap of one release shown for another.
        patient = consenting.patient()
        record = consenting.record(patient)
        grant = consenting.given(patient)
        doctor = consenting.scene.someone("physician", member=2)
        body = consenting.request(doctor, record, grant=grant.id)
        answer = consenting.scene.client.post("/v1/access", json=body)
        item = read(consenting, body, answer, doctor).released[0]

        for wrap in (
            Wrap(item.wrap.key_digest, item.wrap.wrap, GrantId(b"\1" * 32), item.wrap.request),
            Wrap(item.wrap.key_digest, item.wrap.wrap, item.wrap.grant, RequestId(b"\1" * 32)),
            Wrap(item.wrap.key_digest, item.wrap.wrap),
        ):
            with pytest.raises(UnwrapError):
                unwrap(wrap, doctor.identity, item.manifest)
        with pytest.raises(UnwrapError):
            unwrap(item.wrap, doctor.identity, Digest(bytes(32)))

    def test_no_wrap_and_no_key_is_in_the_log(self, consenting) -> None:
        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")

        answer = consenting.ask(nurse, record, ground="care")

        wrap = answer.json()["items"][0]["released"]["wrap"]
        with consenting.scene.house.database.reading() as session:
            for attestation in session.scalars(select(DisclosureRow.attestation)):
                assert wrap.encode() not in attestation


class TestAnswer:
    def test_the_receipt_promises_the_entry(self, consenting) -> None:
        from xinglin import receipt

        record = consenting.record(consenting.patient())
        nurse = consenting.scene.someone("nurse")
        house = consenting.scene.house

        body = consenting.ask(nurse, record, ground="care").json()

        promised = receipt.read(
            body["receipts"]["access"].encode(), house.origin, house.keys.log.public
        )
        assert promised.index == body["accessIndex"]
