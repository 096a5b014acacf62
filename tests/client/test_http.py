"""Talking to a node: problems become our errors, and nothing else leaves."""

import io
import json

import httpx
import pytest

from xinglin import _http
from xinglin._http import NodeClient, SignIn, personal_digest, sign_in_message
from xinglin.errors import ConsentError, InvalidEncoding, ServiceError, Unreachable, UsageError
from xinglin.keys import Account, recover_digest
from xinglin.names import Signature

URL = "https://node.example"


def client(handler) -> NodeClient:
    return NodeClient(URL, transport=httpx.MockTransport(handler))


def problem(status: int, name: str, **members: object) -> httpx.Response:
    return httpx.Response(
        status,
        json={"type": f"urn:xinglin:problem:{name}", "status": status, **members},
        headers={"Content-Type": "application/problem+json"},
    )


class TestProblems:
    def test_a_problem_keeps_its_words(self) -> None:
        node = client(lambda _: problem(422, "rule", expected="one", got="two"))

        with pytest.raises(ServiceError, match="expected one; got two") as refused:
            node.get("/v1/records")

        assert (refused.value.status, refused.value.problem) == (422, "rule")

    def test_a_refusing_term_is_the_error_that_the_library_raises_itself(self) -> None:
        node = client(lambda _: problem(403, "grant-refused", term="revoked"))

        with pytest.raises(ConsentError) as refused:
            node.get("/v1/records")

        assert refused.value.term == "revoked"

    def test_an_answer_of_another_kind_keeps_its_status(self) -> None:
        # A proxy's page must not be taken for a node's word.
        node = client(lambda _: httpx.Response(502, html="<h1>Bad gateway</h1>"))

        with pytest.raises(ServiceError) as refused:
            node.get("/v1/records")

        assert (refused.value.status, refused.value.problem) == (502, "unknown")

    def test_silence_is_unreachable(self) -> None:
        def silent(_: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no route")

        with pytest.raises(Unreachable, match="did not answer"):
            client(silent).get("/v1/records")

    def test_an_answer_that_is_no_object_is_refused(self) -> None:
        for content in (b"[]", b"nonsense"):
            node = client(lambda _, content=content: httpx.Response(200, content=content))
            with pytest.raises(InvalidEncoding):
                node.get("/v1/records")

    @pytest.mark.parametrize("url", ["node.example", "ftp://node.example", "", "https://"])
    def test_what_is_no_address_of_a_node_is_refused(self, url) -> None:
        with pytest.raises(UsageError, match="URL of a node"):
            NodeClient(url)


class TestBusy:
    def test_a_busy_node_is_asked_again_and_files_start_anew(self, monkeypatch) -> None:
        monkeypatch.setattr(_http.time, "sleep", lambda _: None)
        bodies: list[bytes] = []

        def busy_once(request: httpx.Request) -> httpx.Response:
            bodies.append(request.read())
            if len(bodies) == 1:
                answer = problem(503, "queue-full")
                answer.headers["Retry-After"] = "1"
                return answer
            return httpx.Response(201, json={"index": 7})

        answer = client(busy_once).post_parts(
            "/v1/records",
            fields={"subject": "x"},
            files={"blob": ("blob", io.BytesIO(b"ciphertext"), "application/octet-stream")},
        )

        assert answer == {"index": 7}
        assert all(b"ciphertext" in body for body in bodies)

    def test_it_gives_up(self, monkeypatch) -> None:
        monkeypatch.setattr(_http.time, "sleep", lambda _: None)
        asked: list[int] = []

        def busy(_: httpx.Request) -> httpx.Response:
            asked.append(1)
            answer = problem(503, "queue-full")
            answer.headers["Retry-After"] = "1"
            return answer

        with pytest.raises(ServiceError) as refused:
            client(busy).get("/v1/records")

        assert (refused.value.status, len(asked)) == (503, _http.MAX_RETRIES + 1)


class TestSignIn:
    account = Account.from_key(b"\x01" * 32)

    def test_the_message_is_signed_and_the_credential_carried(self) -> None:
        seen: list[httpx.Request] = []

        def node(request: httpx.Request) -> httpx.Response:
            seen.append(request)
            if request.url.path.endswith("/nonce"):
                return httpx.Response(200, json={"nonce": "ab" * 28})
            if request.url.path == "/v1/session":
                return httpx.Response(201, json={"credential": "secret", "expiresAt": 1})
            return httpx.Response(200, json={})

        connection = client(node)
        connection.sign_in(SignIn(self.account, 31337, subject="file"))
        connection.get("/v1/records")

        posted = json.loads(seen[1].content)
        signature = _http_signature(posted["signature"])
        assert recover_digest(personal_digest(posted["message"].encode()), signature) == (
            self.account.address
        )
        assert posted["subject"] == "file"
        assert seen[2].headers["Authorization"] == "Bearer secret"

    def test_an_expired_credential_is_renewed_once(self) -> None:
        sessions: list[int] = []

        def node(request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/nonce"):
                return httpx.Response(200, json={"nonce": "ab" * 28})
            if request.url.path == "/v1/session":
                sessions.append(1)
                return httpx.Response(201, json={"credential": f"c{len(sessions)}"})
            if request.headers["Authorization"] != "Bearer c2":
                return problem(401, "credential")
            return httpx.Response(200, json={"records": []})

        connection = client(node)
        connection.sign_in(SignIn(self.account, 1, subject="file"))

        assert connection.get("/v1/records") == {"records": []}
        assert len(sessions) == 2

    def test_the_message_has_the_lines_of_eip_4361(self) -> None:
        from siwe import SiweMessage

        text = sign_in_message(
            url=URL, address=self.account.address, chain_id=31337, nonce="ab" * 28,
            issued_at=1_790_000_000,
        )  # fmt: skip

        read = SiweMessage.from_message(text)

        assert (read.domain, read.uri, read.chain_id) == (
            "node.example", f"{URL}/v1/session", 31337,
        )  # fmt: skip
        assert read.prepare_message() == text

    def test_a_personal_message_hashes_as_eip_191_says(self) -> None:
        from eth_account.messages import _hash_eip191_message, encode_defunct

        text = "头痛".encode()
        assert personal_digest(text) == _hash_eip191_message(encode_defunct(text))


def _http_signature(text: str) -> Signature:
    from xinglin.encoding import from_base64url

    return Signature(from_base64url(text))
