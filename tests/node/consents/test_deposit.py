"""Depositing grants: what a node believes before it logs one."""

import pytest
from sqlalchemy import select

from xinglin import consent
from xinglin import grant as grants
from xinglin.encoding import base64url, hex0x
from xinglin.keys import Account
from xinglin.names import UnixTime
from xinglin.statement import GrantDeposit
from xinglin_node.chain.tables import OutboxRow


def problem(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rsplit(":", 1)[1]


def queued(consenting) -> list[str]:
    with consenting.scene.house.database.reading() as session:
        return list(session.scalars(select(OutboxRow.key).order_by(OutboxRow.id)))


class TestDeposit:
    def test_the_terms_are_logged_in_the_subjects_history(self, consenting) -> None:
        patient = consenting.patient()
        signed = consenting.sign(patient)

        answer = consenting.deposit(signed)

        assert answer.status_code == 201, answer.text
        (statement,) = consenting.entries("grant")
        predicate = statement.predicate
        assert isinstance(predicate, GrantDeposit)
        assert (predicate.grant_id, predicate.how) == (signed.id, "signed")
        assert predicate.terms.encode() == signed.grant.terms
        body = answer.json()["grant"]
        assert (body["grantId"], body["state"]) == (hex0x(signed.id), None)

    def test_a_grant_that_the_chain_lacks_is_carried_there_once(self, consenting) -> None:
        signed = consenting.sign(consenting.patient())

        assert consenting.deposit(signed).status_code == 201
        assert consenting.deposit(signed).status_code == 200

        assert queued(consenting) == [f"give:{signed.id.hex()}"]
        assert len(consenting.entries("grant")) == 1

    def test_a_grant_that_the_chain_has_is_not_sent_again(self, consenting) -> None:
        signed = consenting.sign(consenting.patient())
        consenting.on_chain(signed)

        assert consenting.deposit(signed).status_code == 201

        assert queued(consenting) == []

    def test_anyone_may_bring_it(self, consenting) -> None:
        # The signatures are the authority; the patient may have no way to the node.
        signed = consenting.sign(consenting.patient())

        assert consenting.deposit(signed).status_code == 201


class TestI1GrantsOfOneDecisionAreRelayedApart:
    """DESIGN 3.8: neighbouring blocks do not say that two grants are one patient's."""

    def due(self, consenting) -> list[int]:
        with consenting.scene.house.database.reading() as session:
            rows = session.scalars(select(OutboxRow).order_by(OutboxRow.id)).all()
        return [row.not_before - row.created_at for row in rows]

    def test_the_first_at_once_and_the_others_within_the_time(self, consenting) -> None:
        house = consenting.scene.house
        spread = house.settings.model_copy(update={"relay_spread_seconds": 600})
        object.__setattr__(house, "settings", spread)
        patient, other = consenting.patient(), consenting.patient()

        for who in (patient, patient, patient, patient, other):
            assert consenting.deposit(consenting.sign(who)).status_code == 201

        due = self.due(consenting)
        assert (due[0], due[4]) == (0, 0)
        assert all(0 <= wait < 600 for wait in due)
        assert sum(due[1:4]) > 0

    def test_without_the_setting_all_at_once(self, consenting) -> None:
        patient = consenting.patient()

        for _ in range(2):
            consenting.deposit(consenting.sign(patient))

        assert self.due(consenting) == [0, 0]


class TestRefused:
    def test_a_grant_that_another_account_signed(self, consenting) -> None:
        patient = consenting.patient()
        signed, other = consenting.sign(patient), consenting.sign(patient)

        answer = consenting.deposit(signed, signature=other.signature)

        assert problem(answer) == (422, "rule")

    def test_terms_that_were_swapped(self, consenting) -> None:
        patient = consenting.patient()
        signed, wider = consenting.sign(patient), consenting.sign(patient, to=3)

        answer = consenting.deposit(signed, terms=wider.grant.terms.decode())

        assert problem(answer) == (422, "rule")

    def test_an_account_that_the_enrolled_one_did_not_vouch_for(self, consenting) -> None:
        # Without this anyone could grant a patient's records with a fresh account.
        patient = consenting.patient()
        thief = type(patient)(
            patient.subject, patient.history_key, Account.generate(), patient.identity,
            patient.enrolment,
        )  # fmt: skip

        assert problem(consenting.deposit(consenting.sign(thief))) == (422, "rule")

    def test_the_enrolled_accounts_word_for_another_grantor(self, consenting) -> None:
        patient, vouched = consenting.patient(), Account.generate()
        terms = consenting.terms(patient, vouched)
        house = consenting.scene.house
        signed = consent.sign(
            terms,
            custodian=house.member,
            account=Account.generate(),
            days=30,
            now=UnixTime(int(consenting.scene.clock())),
            consents=house.consents_domain,
        )

        assert problem(consenting.deposit(signed)) == (422, "rule")

    def test_an_enrolment_that_is_not_anchored(self, consenting) -> None:
        patient = consenting.patient(anchored=False)

        assert problem(consenting.deposit(consenting.sign(patient))) == (422, "rule")

    def test_an_enrolment_anchored_after_the_grant_was_given(self, consenting) -> None:
        # Else a hospital could enrol somebody to fit a grant that is there already.
        patient = consenting.patient(anchored=False)
        signed = consenting.sign(patient)
        now = int(consenting.scene.clock())
        consenting.on_chain(signed, given_at=now - 50)
        consenting.anchor(at=now - 10)

        assert problem(consenting.deposit(signed)) == (422, "rule")

    def test_an_enrolment_that_is_no_longer_in_force(self, consenting) -> None:
        patient, scene = consenting.patient(), consenting.scene
        signed = consenting.sign(patient)
        scene.enrol(scene.someone("desk"), patient.subject)

        assert problem(consenting.deposit(signed)) == (422, "rule")

    def test_a_grant_for_another_custodian(self, consenting) -> None:
        patient, account = consenting.patient(), Account.generate()
        house = consenting.scene.house
        signed = consent.sign(
            consenting.terms(patient, account),
            custodian=3,  # type: ignore[arg-type]
            account=account,
            days=30,
            now=UnixTime(int(consenting.scene.clock())),
            consents=house.consents_domain,
        )

        assert problem(consenting.deposit(signed)) == (422, "rule")

    def test_a_revoked_grant(self, consenting) -> None:
        signed = consenting.sign(consenting.patient())
        now = int(consenting.scene.clock())
        consenting.on_chain(signed, revoked_at=now - 1, revoked_by=1)

        assert problem(consenting.deposit(signed)) == (422, "rule")

    def test_an_enrolment_of_nobody_here(self, consenting) -> None:
        patient = consenting.patient()
        signed = consenting.sign(
            patient,
            subject={
                "enrolment": "sha256:" + "0" * 64,
                "account": patient.account.address,
                "signature": base64url(bytes(65)),
            },
        )

        assert problem(consenting.deposit(signed)) == (404, "not-found")

    def test_nothing_of_a_refused_grant_is_logged_or_sent(self, consenting) -> None:
        patient = consenting.patient(anchored=False)
        consenting.deposit(consenting.sign(patient))

        assert (consenting.entries("grant"), queued(consenting)) == ([], [])


class TestReading:
    def test_grantor_and_grantee_see_a_grant_and_nobody_else(self, consenting) -> None:
        patient, scene = consenting.patient(), consenting.scene
        signed = consenting.given(patient)
        path = f"/v1/grants/{hex0x(signed.id)}"
        readers = {
            "patient": scene.sign_in_subject(patient.account, patient.subject),
            "grantee": scene.sign_in(scene.someone("physician", member=2)),
            "nurse": scene.sign_in(scene.someone("nurse", member=2)),
            "own physician": scene.sign_in(scene.someone("physician")),
        }

        seen = {
            name: scene.client.get(path, headers=headers).status_code
            for name, headers in readers.items()
        }

        assert seen == {"patient": 200, "grantee": 200, "nurse": 404, "own physician": 404}

    def test_another_patient_sees_none_of_it(self, consenting) -> None:
        signed = consenting.given(consenting.patient())
        other, scene = consenting.patient(), consenting.scene
        headers = scene.sign_in_subject(other.account, other.subject)

        listed = scene.client.get("/v1/grants", headers=headers).json()
        one = scene.client.get(f"/v1/grants/{hex0x(signed.id)}", headers=headers)

        assert (listed["grants"], one.status_code) == ([], 404)

    def test_records_in_scope_are_listed(self, consenting) -> None:
        patient, scene = consenting.patient(), consenting.scene
        note = consenting.record(patient)
        consenting.record(patient, category="laboratory")
        consenting.record(consenting.patient())
        signed = consenting.given(patient)

        answer = scene.client.get(
            f"/v1/grants/{hex0x(signed.id)}/records",
            headers=scene.sign_in(scene.someone("physician", member=2)),
        )

        assert [one["record"] for one in answer.json()["records"]] == [str(note)]


class TestWitnessed:
    def body(self, consenting, subject, enrolment, **changes):
        account = Account.generate()
        patient = type("Nobody", (), {"enrolment": enrolment, "account": account})
        terms = consenting.terms(
            patient,
            account,
            subject={"enrolment": enrolment.text, "account": None, "signature": None},
            evidence="sha256:" + "e" * 64,
            **changes,
        )
        expires = (int(consenting.scene.clock()) // 86_400 + 30) * 86_400
        return {
            "subject": str(subject), "terms": terms.decode(), "notBefore": 0,
            "expiresAt": expires,
        }  # fmt: skip

    def post(self, consenting, body, role="desk"):
        scene = consenting.scene
        headers = scene.sign_in(scene.someone(role))
        return scene.client.post("/v1/grants/witnessed", json=body, headers=headers)

    def test_the_desk_witnesses_for_a_subject_without_a_device(self, consenting) -> None:
        scene = consenting.scene
        subject, enrolment = scene.enrolled()
        consenting.anchor(at=int(scene.clock()) - 60)
        body = self.body(consenting, subject, enrolment)

        answer = self.post(consenting, body)

        assert answer.status_code == 201, answer.text
        identity = grants.witnessed_id(
            scene.house.member,
            body["terms"].encode(),
            not_before=UnixTime(0),
            expires_at=UnixTime(body["expiresAt"]),
            consents=scene.house.consents_domain,
        )
        assert answer.json()["grant"]["grantId"] == hex0x(identity)
        assert queued(consenting) == [f"give:{identity.hex()}"]
        (statement,) = consenting.entries("grant")
        assert statement.predicate.how == "witnessed"

    def test_who_has_an_account_signs_for_themselves(self, consenting) -> None:
        patient = consenting.patient()
        body = self.body(consenting, patient.subject, patient.enrolment)

        assert problem(self.post(consenting, body)) == (422, "rule")

    def test_without_evidence_it_is_refused(self, consenting) -> None:
        subject, enrolment = consenting.scene.enrolled()
        consenting.anchor(at=int(consenting.scene.clock()) - 60)
        body = self.body(consenting, subject, enrolment)
        body["terms"] = body["terms"].replace('"evidence":"sha256:' + "e" * 64 + '"',
                                              '"evidence":null')  # fmt: skip

        assert problem(self.post(consenting, body)) == (422, "rule")

    @pytest.mark.parametrize("role", ["physician", "system"])
    def test_only_the_desk_witnesses(self, consenting, role) -> None:
        subject, enrolment = consenting.scene.enrolled()
        body = self.body(consenting, subject, enrolment)

        assert problem(self.post(consenting, body, role)) == (403, "not-appointed")

    def test_a_witnessed_grant_is_not_revoked_by_relay(self, consenting) -> None:
        scene = consenting.scene
        subject, enrolment = scene.enrolled()
        consenting.anchor(at=int(scene.clock()) - 60)
        answer = self.post(consenting, self.body(consenting, subject, enrolment))

        shown = scene.client.post(
            "/v1/relay/revocation",
            json={
                "grantId": answer.json()["grant"]["grantId"],
                "signature": base64url(Account.generate().sign_digest(bytes(32))),
            },
        )

        assert problem(shown) == (422, "rule")
