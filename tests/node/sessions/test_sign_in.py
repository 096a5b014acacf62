"""Signing in: what is believed of a message, once, and for how long."""

import time
from collections.abc import Callable

import pytest

from xinglin._http import personal_digest, sign_in_message
from xinglin.encoding import base64url
from xinglin.errors import InvalidEncoding
from xinglin.keys import Account
from xinglin.names import Address, UnixTime
from xinglin_node.problems import CredentialRefused
from xinglin_node.sessions.credential import Credentials, Holder

URL = "http://testserver"


def body(scene, account, *, url=URL, chain_id=31337, nonce=None, at=None, **speaks):
    """A signed message, with what speaks for the account."""
    given = nonce or scene.client.get("/v1/session/nonce").json()["nonce"]
    issued_at = int(scene.clock()) if at is None else at
    message = sign_in_message(
        url=url, address=account.address, chain_id=chain_id, nonce=given, issued_at=issued_at
    )
    signature = account.sign_digest(personal_digest(message.encode()))
    return {"message": message, "signature": base64url(signature), **speaks}


def sign_in(scene, **posted):
    return scene.client.post("/v1/session", json=posted)


class TestSignIn:
    def test_an_appointed_person_gets_a_credential_that_the_node_takes(self, scene) -> None:
        desk = scene.someone("desk")

        answer = sign_in(scene, **body(scene, desk.account, appointment=desk.signed.to_json()))

        assert answer.status_code == 201, answer.text
        headers = {"Authorization": f"Bearer {answer.json()['credential']}"}
        assert scene.client.post("/v1/subjects", headers=headers).status_code == 201

    def test_a_data_subject_signs_in_with_the_file_number(self, consenting) -> None:
        patient, scene = consenting.patient(), consenting.scene

        answer = sign_in(scene, **body(scene, patient.account, subject=str(patient.subject)))

        assert answer.status_code == 201, answer.text
        headers = {"Authorization": f"Bearer {answer.json()['credential']}"}
        assert scene.client.get("/v1/history", headers=headers).status_code == 200

    def test_a_message_is_taken_once(self, scene) -> None:
        # Whoever overheard a sign-in must not be able to repeat it.
        desk = scene.someone("desk")
        posted = body(scene, desk.account, appointment=desk.signed.to_json())

        assert sign_in(scene, **posted).status_code == 201
        again = sign_in(scene, **posted)

        assert (again.status_code, again.json()["type"]) == (401, "urn:xinglin:problem:credential")

    @pytest.mark.parametrize(
        "change",
        [
            {"url": "http://elsewhere.example"},
            {"chain_id": 1},
            {"nonce": "00" * 28},
            {"at": 1_000_000_000},
        ],
        ids=["another-site", "another-chain", "a-nonce-we-never-gave", "long-ago"],
    )
    def test_a_message_for_elsewhere_or_another_time_is_refused(self, scene, change) -> None:
        desk = scene.someone("desk")
        posted = body(scene, desk.account, appointment=desk.signed.to_json(), **change)

        assert sign_in(scene, **posted).status_code == 401

    def test_a_message_from_a_clock_an_hour_ahead_is_refused(self, scene) -> None:
        desk = scene.someone("desk")
        ahead = int(time.time()) + 3600
        posted = body(scene, desk.account, at=ahead, appointment=desk.signed.to_json())

        assert sign_in(scene, **posted).status_code == 401

    def test_another_account_cannot_show_somebodys_appointment(self, scene) -> None:
        desk, thief = scene.someone("desk"), Account.generate()
        posted = body(scene, thief, appointment=desk.signed.to_json())

        assert sign_in(scene, **posted).status_code == 401

    def test_a_signature_by_another_account_is_refused(self, scene) -> None:
        desk, thief = scene.someone("desk"), Account.generate()
        posted = body(scene, desk.account, appointment=desk.signed.to_json())
        forged = thief.sign_digest(personal_digest(posted["message"].encode()))

        answer = sign_in(scene, **(posted | {"signature": base64url(forged)}))

        assert answer.status_code == 401

    def test_an_account_that_nobody_speaks_for_is_nobody(self, scene) -> None:
        assert sign_in(scene, **body(scene, Account.generate())).status_code == 400

    def test_an_unknown_file_looks_like_a_wrong_account(self, scene) -> None:
        # Else anyone could ask which file numbers exist.
        posted = body(scene, Account.generate(), subject="8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11")
        subject, _ = scene.enrolled()
        other = body(scene, Account.generate(), subject=str(subject))

        first, second = sign_in(scene, **posted), sign_in(scene, **other)

        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert first.status_code == 401


NOW = UnixTime(1_790_000_000)


@pytest.fixture
def credentials() -> Credentials:
    return Credentials(secret=b"s" * 32, issuer=URL, lifetime_seconds=900)


class TestCredentials:
    holder = Holder(
        Address("0x9858EfFD232B4033E47d90003D41EC34EcaEda94"),
        subject="8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11",  # type: ignore[arg-type]
    )

    def test_what_was_issued_is_read_back(self, credentials) -> None:
        text, ends = credentials.issue(self.holder, NOW)

        read = credentials.read(text, NOW)

        assert (read.account, str(read.subject)) == (self.holder.account, self.holder.subject)
        assert ends == NOW + 900

    def test_it_ends_at_its_second(self, credentials) -> None:
        text, ends = credentials.issue(self.holder, NOW)

        credentials.read(text, UnixTime(ends - 1))
        with pytest.raises(CredentialRefused, match="expired"):
            credentials.read(text, ends)

    @pytest.mark.parametrize(
        "change",
        [
            lambda text: text[:-2] + ("AA" if text[-2:] != "AA" else "BB"),
            lambda text: "eyJhbGciOiJub25lIn0." + text.split(".")[1] + ".",
            lambda text: text.split(".")[0],
            lambda text: "",
            lambda text: "x" * 5000,
        ],
        ids=["altered", "algorithm-none", "cut-short", "empty", "too-long"],
    )
    def test_what_was_not_issued_is_refused(
        self, credentials: Credentials, change: Callable[[str], str]
    ) -> None:
        text, _ = credentials.issue(self.holder, NOW)

        with pytest.raises(CredentialRefused):
            credentials.read(change(text), NOW)

    def test_another_nodes_credential_is_refused_even_under_the_same_secret(
        self, credentials
    ) -> None:
        other = Credentials(secret=b"s" * 32, issuer="http://other", lifetime_seconds=900)
        text, _ = other.issue(self.holder, NOW)

        with pytest.raises(CredentialRefused, match="another"):
            credentials.read(text, NOW)

    def test_a_nonce_is_the_nodes_own_and_ends(self, credentials) -> None:
        nonce = credentials.new_nonce(NOW)

        ends = credentials.check_nonce(nonce, NOW)

        with pytest.raises(CredentialRefused):
            credentials.check_nonce(nonce, ends)
        with pytest.raises(CredentialRefused):
            credentials.check_nonce(nonce[:-1] + ("0" if nonce[-1] != "0" else "1"), NOW)

    def test_a_short_secret_is_refused(self) -> None:
        with pytest.raises(InvalidEncoding, match="32 bytes"):
            Credentials(secret=b"short", issuer=URL, lifetime_seconds=900)
