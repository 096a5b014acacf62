"""Questions to single nodes, over HTTP or over their own sockets; a pool is not needed for them."""

import json
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import httpx

from xinglin._chain.reverts import refusal
from xinglin.errors import ChainError, Unreachable

SECONDS = 5.0
"""Time given to one answer."""

MAX_ANSWER = 16 * 2**20
"""Bytes of the longest answer that is read."""


def ask(url: str, method: str, params: Sequence[object] = ()) -> object:
    """Ask over HTTP. Raises `Unreachable` for silence and `ChainError` for a refusal."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
    try:
        # The address is a node's own; a proxy of the environment would not know it.
        answer = httpx.post(url, json=body, timeout=SECONDS, trust_env=False)
        return _result(method, answer.content)
    except (httpx.HTTPError, ValueError) as error:
        raise Unreachable(f"{url} did not answer {method}: {error}") from error


def ask_socket(path: Path, method: str, params: Sequence[object] = ()) -> object:
    """
    Ask over a node's own socket, which serves what is not for others: peers, votes.

    Raises `Unreachable` and `ChainError` as `ask`.
    """
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            _connect(connection, path)
            connection.sendall(body.encode())
            return _result(method, _read_value(connection))
    except (OSError, ValueError) as error:
        raise Unreachable(f"{path} did not answer {method}: {error}") from error


def ask_all(questions: Mapping[str, Callable[[], object]]) -> None:
    """
    Ask each node, by its name here, for what needs no answer. One that fails stops no other.

    Raises once all were asked, naming those that failed: `Unreachable` where one of them was
    silent, else `ChainError`.
    """
    failed: dict[str, ChainError | Unreachable] = {}
    for name, question in questions.items():
        try:
            question()
        except (ChainError, Unreachable) as error:
            failed[name] = error
    if not failed:
        return
    silent = any(isinstance(error, Unreachable) for error in failed.values())
    named = "; ".join(f"{name}: {error}" for name, error in failed.items())
    kind = Unreachable if silent else ChainError
    raise kind(f"{len(failed)} of {len(questions)} nodes were not told: {named}")


def _connect(connection: socket.socket, path: Path) -> None:
    """Connect by way of the folder: a socket's address holds 107 bytes (unix(7))."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


def _read_value(connection: socket.socket) -> bytes:
    """Read until what came is one whole JSON value: the socket has no other end mark."""
    received = b""
    while len(received) < MAX_ANSWER:
        part = connection.recv(65_536)
        received += part
        if not part:
            break
        if received.rstrip().endswith(b"}"):
            try:
                json.loads(received)
                break
            except ValueError:
                continue
    return received


def _result(method: str, body: bytes) -> object:
    answer = cast(dict[str, Any], json.loads(body))
    if "error" in answer:
        raise refusal(method, answer["error"])
    return cast(object, answer.get("result"))
