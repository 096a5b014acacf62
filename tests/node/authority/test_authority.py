"""Who may call what: checked anew at every request, by what the chain says now."""

import pytest

from xinglin.appointment import appoint
from xinglin_node.chain.tables import AccountRow, MemberStatusRow, WithdrawalRow
from xinglin_node.log.unit import Write


def change(scene, edit) -> None:
    """Change what the chain says."""

    def work(write: Write) -> None:
        edit(write.session)

    scene.house.writer.submit(work).result()


def opens_a_file(scene, headers) -> int:
    return scene.client.post("/v1/subjects", headers=headers).status_code


class TestAppointmentIsCheckedAtEveryRequest:
    """DESIGN 3.6: a credential is worth what it rests on, and no more."""

    def test_it_works_before_anything_ends(self, scene) -> None:
        assert opens_a_file(scene, scene.sign_in(scene.someone("desk"))) == 201

    def test_a_withdrawn_appointment_ends_at_once(self, scene) -> None:
        desk = scene.someone("desk")
        headers = scene.sign_in(desk)
        digest = desk.signed.appointment.digest(scene.house.domain)
        now = int(scene.clock())

        change(
            scene,
            lambda session: session.add(
                WithdrawalRow(member=scene.house.member, digest=digest, at=now - 5, block=9)
            ),
        )

        assert opens_a_file(scene, headers) == 403

    def test_ending_the_officers_account_ends_their_appointments(self, scene) -> None:
        headers = scene.sign_in(scene.someone("desk"))

        def edit(session) -> None:
            row = session.get(AccountRow, scene.officer.address)
            row.until = int(scene.clock()) - 5

        change(scene, edit)

        assert opens_a_file(scene, headers) == 403

    def test_an_account_without_the_power_appoint_appoints_nobody(self, scene) -> None:
        desk = scene.someone("desk")
        signed = appoint(desk.signed.appointment, scene.house.keys.anchor, scene.house.domain)
        forged = type(desk)(desk.account, desk.identity, signed)

        assert opens_a_file(scene, scene.sign_in(forged)) == 403

    def test_an_appointment_ends_at_its_date(self, scene) -> None:
        desk = scene.someone("desk")
        scene.clock.ahead = 31 * 86_400
        headers = scene.sign_in(desk)

        assert opens_a_file(scene, headers) == 401

    def test_an_appointment_that_was_altered_is_refused(self, scene) -> None:
        # A nurse who writes "desk" into the appointment.
        nurse = scene.someone("nurse")
        altered = nurse.signed.appointment.model_copy(update={"role": "desk"})
        forged = type(nurse)(
            nurse.account,
            nurse.identity,
            nurse.signed.model_copy(update={"appointment": altered}),
        )

        assert opens_a_file(scene, scene.sign_in(forged)) in (401, 403)


class TestI9MembersOnly:
    """I9: who speaks for a member speaks only while that member is active."""

    @pytest.mark.parametrize("status", [2, 3], ids=["suspended", "removed"])
    def test_staff_of_a_member_that_is_not_active_are_nobody(self, scene, status) -> None:
        headers = scene.sign_in(scene.someone("desk"))
        assert opens_a_file(scene, headers) == 201
        since = int(scene.clock()) - 5

        change(
            scene,
            lambda session: session.add(
                MemberStatusRow(member=scene.house.member, since=since, status=status, block=9)
            ),
        )

        assert opens_a_file(scene, headers) == 403

    def test_staff_of_nobodys_member_are_nobody(self, scene) -> None:
        stranger = scene.someone("physician", member=9)

        answer = scene.client.get("/v1/grants", headers=scene.sign_in(stranger))

        assert answer.status_code == 403


class TestRoles:
    @pytest.mark.parametrize("role", ["physician", "researcher", "auditor", "system"])
    def test_only_the_desk_opens_files(self, scene, role) -> None:
        assert opens_a_file(scene, scene.sign_in(scene.someone(role))) == 403

    def test_another_members_desk_is_not_ours(self, scene) -> None:
        other = scene.someone("desk", member=2)

        assert opens_a_file(scene, scene.sign_in(other)) == 403

    def test_without_a_credential_there_is_nothing(self, scene) -> None:
        for path in ("/v1/records", "/v1/history", "/v1/grants", "/v1/models",
                     "/v1/entries/0/bundle"):  # fmt: skip
            answer = scene.client.get(path)
            assert (answer.status_code, answer.json()["type"]) == (
                401,
                "urn:xinglin:problem:credential",
            ), path

    def test_a_data_subject_is_no_staff_and_staff_no_data_subject(self, consenting) -> None:
        scene, patient = consenting.scene, consenting.patient()
        own = scene.sign_in_subject(patient.account, patient.subject)
        doctor = scene.sign_in(scene.someone("physician"))

        assert opens_a_file(scene, own) == 403
        assert scene.client.get("/v1/history", headers=own).status_code == 200
        assert scene.client.get("/v1/history", headers=doctor).status_code == 403


class TestDataSubject:
    def test_a_new_enrolment_takes_the_old_account_its_leave(self, consenting) -> None:
        # A lost phrase: who found it must not go on reading after the desk enrolled anew.
        scene, patient = consenting.scene, consenting.patient()
        headers = scene.sign_in_subject(patient.account, patient.subject)
        assert scene.client.get("/v1/history", headers=headers).status_code == 200

        scene.enrol(scene.someone("desk"), patient.subject)

        assert scene.client.get("/v1/history", headers=headers).status_code == 401
