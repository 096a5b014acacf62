"""
Talking to a node: one connection, JSON both ways, problems turned into our errors.

    with NodeClient("https://hospital-a.example") as node:
        node.sign_in(SignIn(account, chain_id, appointment=signed))
        print(node.get("/v1/records"))

A node answers what it refuses with a problem (RFC 9457); that becomes `ServiceError`,
with the same words. What does not answer at all is `Unreachable`. Nothing else that
httpx raises leaves this module.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, BinaryIO, Self, cast
from urllib.parse import urlsplit

import h11
import httpx

from xinglin.canonical import JsonValue
from xinglin.document import base64url
from xinglin.errors import ConsentError, InvalidEncoding, ServiceError, Unreachable, UsageError
from xinglin.hashes import keccak256
from xinglin.keys import Account

TIMEOUT_SECONDS = 60.0
"""A release waits for a synced log entry, an intake for a model: seconds, never minutes."""

CHUNK_SIZE = 1 << 20
"""Bytes fetched or sent at a time: large enough to be fast, small beside any memory."""

SIGN_IN_SECONDS = 300
"""How long a signed EIP-4361 message may be shown: enough for a clock five minutes wrong."""

PROBLEM_PREFIX = "urn:xinglin:problem:"
"""What the type of every problem begins with."""

MAX_RETRIES = 5
"""How often a busy node (503 with `Retry-After`) is asked again before giving up."""

Progress = Callable[[int], None]
"""Called with the number of bytes that passed since the last call."""


@dataclass(frozen=True, slots=True)
class SignIn:
    """How a person shows a node who they are: an account, and what speaks for it."""

    account: Account
    """Signs the EIP-4361 message."""

    chain_id: int
    """The network's; a message for another chain is refused."""

    appointment: Mapping[str, JsonValue] | None = None
    """The signed appointment as JSON, for those who speak for a member."""

    subject: str | None = None
    """The file number that the desk gave, for a data subject or a proxy."""


class NodeClient:
    """
    A connection to one node. Use it as a context manager.

    `transport` takes the place of the network in tests.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"expected the URL of a node (http:// or https://), got {url!r}")
        self.url = url.rstrip("/")
        self._client = httpx.Client(base_url=self.url, timeout=timeout, transport=transport)
        self._sign_in: SignIn | None = None
        self._credential: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def sign_in(self, who: SignIn) -> None:
        """
        Obtain a credential, and obtain it again whenever it ends.

        Raises `ServiceError` if the node does not know the person.
        """
        self._sign_in = who
        nonce = _text(self._json("GET", "/v1/session/nonce", authorise=False), "nonce")
        message = sign_in_message(
            url=self.url,
            address=who.account.address,
            chain_id=who.chain_id,
            nonce=nonce,
            issued_at=int(time.time()),
        )
        signature = who.account.sign_digest(personal_digest(message.encode("utf-8")))
        body: dict[str, JsonValue] = {"message": message, "signature": base64url(signature)}
        if who.appointment is not None:
            body["appointment"] = dict(who.appointment)
        if who.subject is not None:
            body["subject"] = who.subject
        answer = self._json("POST", "/v1/session", body=body, authorise=False)
        self._credential = _text(answer, "credential")

    def get(self, path: str, params: Mapping[str, str | int] | None = None) -> dict[str, JsonValue]:
        """Return the JSON object at `path`. Raises `ServiceError` and `Unreachable`."""
        return self._json("GET", path, params=params)

    def post(self, path: str, body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """Post a JSON object, and return the answer's. Raises `ServiceError` and `Unreachable`."""
        return self._json("POST", path, body=body)

    def get_bytes(self, path: str) -> bytes:
        """Return what is at `path`: a checkpoint, a tile, a bundle."""
        return self._send("GET", path).content

    def post_parts(
        self,
        path: str,
        *,
        fields: Mapping[str, str],
        files: Mapping[str, tuple[str, BinaryIO, str]],
    ) -> dict[str, JsonValue]:
        """
        Post a form whose files are streamed from disk: a sealed record of any size.

        Each file is a name, an open stream and a media type; streams must be seekable,
        so that a busy node can be asked again.
        """

        def rewind() -> None:
            for _, stream, _ in files.values():
                stream.seek(0)

        response = self._send(
            "POST", path, data=dict(fields), files=dict(files), before_retry=rewind
        )
        return _object(response)

    def fetch(self, path: str, sink: BinaryIO, *, progress: Progress | None = None) -> None:
        """Stream what is at `path` into `sink`. Raises `ServiceError` and `Unreachable`."""
        with (
            _our_errors(self.url),
            self._client.stream("GET", path, headers=self._headers(True)) as response,
        ):
            if response.status_code >= 400:
                response.read()
                raise problem_of(response)
            for chunk in response.iter_bytes(CHUNK_SIZE):
                sink.write(chunk)
                if progress is not None:
                    progress(len(chunk))

    def _json(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, JsonValue] | None = None,
        authorise: bool = True,
    ) -> dict[str, JsonValue]:
        return _object(self._send(method, path, params=params, json=body, authorise=authorise))

    def _send(
        self,
        method: str,
        path: str,
        *,
        authorise: bool = True,
        before_retry: Callable[[], None] | None = None,
        **arguments: Any,
    ) -> httpx.Response:
        renewed = False
        for attempt in range(MAX_RETRIES + 1):
            with _our_errors(self.url):
                response = self._client.request(
                    method, path, headers=self._headers(authorise), **arguments
                )
            if response.status_code == 503 and attempt < MAX_RETRIES:
                wait = response.headers.get("Retry-After", "")
                if wait.isdecimal():
                    time.sleep(min(int(wait), 5))
                    if before_retry is not None:
                        before_retry()
                    continue
            expired = response.status_code == 401 and authorise and self._credential is not None
            if expired and not renewed and self._sign_in is not None:
                renewed = True
                self.sign_in(self._sign_in)
                if before_retry is not None:
                    before_retry()
                continue
            if response.status_code >= 400:
                raise problem_of(response)
            return response
        raise Unreachable(f"{self.url} stayed busy")

    def _headers(self, authorise: bool) -> dict[str, str]:
        if authorise and self._credential is not None:
            return {"Authorization": f"Bearer {self._credential}"}
        return {}


def sign_in_message(*, url: str, address: str, chain_id: int, nonce: str, issued_at: int) -> str:
    """
    Return the EIP-4361 message by which `address` signs in at the node at `url`.

    The order of the lines and the blank ones are those of the standard's ABNF.
    """
    domain = urlsplit(url).netloc
    return (
        f"{domain} wants you to sign in with your Ethereum account:\n"
        f"{address}\n"
        "\n"
        "Sign in to this Xinglin node.\n"
        "\n"
        f"URI: {url}/v1/session\n"
        "Version: 1\n"
        f"Chain ID: {chain_id}\n"
        f"Nonce: {nonce}\n"
        f"Issued At: {_iso(issued_at)}\n"
        f"Expiration Time: {_iso(issued_at + SIGN_IN_SECONDS)}"
    )


def personal_digest(message: bytes) -> bytes:
    """
    Return what an account signs for a personal message (EIP-191, version 0x45).

    The prefix keeps a sign-in from ever being taken for a transaction or typed data.
    """
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(message)).encode() + message)


def problem_of(response: httpx.Response) -> ServiceError | ConsentError:
    """
    Read a problem (RFC 9457); an answer of any other kind keeps only its status.

    A refusal by a term of a grant is the `ConsentError` that the library itself would raise.
    """
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return ServiceError(response.status_code, "unknown")
    fields = cast(dict[str, object], body)
    kind = str(fields.get("type", ""))
    name = kind.removeprefix(PROBLEM_PREFIX) if kind.startswith(PROBLEM_PREFIX) else "unknown"
    if name == "grant-refused" and isinstance(fields.get("term"), str):
        return ConsentError(str(fields["term"]), "the node refused the release")
    return ServiceError(
        response.status_code,
        name,
        expected=str(fields.get("expected") or ""),
        got=str(fields.get("got") or ""),
    )


def _iso(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _object(response: httpx.Response) -> dict[str, JsonValue]:
    if response.status_code == 204 or not response.content:
        return {}
    try:
        value = json.loads(response.content)
    except ValueError as error:
        raise InvalidEncoding("expected JSON from the node, got something else") from error
    if not isinstance(value, dict):
        raise InvalidEncoding(f"expected a JSON object, got {type(value).__name__}")
    return cast(dict[str, JsonValue], value)


def _text(answer: Mapping[str, JsonValue], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str):
        raise InvalidEncoding(f"expected text as {name} in the node's answer")
    return value


@contextmanager
def _our_errors(url: str) -> Iterator[None]:
    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL) as error:
        raise Unreachable(f"{url} did not answer ({type(error).__name__})") from error
    except h11.LocalProtocolError as error:
        # httpx lets this one through: a body that is not as long as was announced.
        raise UsageError("expected a file that stays as it is, it changed while sent") from error
