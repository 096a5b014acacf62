"""One question to one node, over HTTP or over its own socket, while a network is coming up."""

import json
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from xinglin._chain.reverts import refusal
from xinglin.errors import Unreachable

SECONDS = 5.0
"""Time given to one answer."""

MAX_ANSWER = 16 * 2**20
"""Bytes of the longest answer that is read."""


def ask(url: str, method: str, params: Sequence[object] = ()) -> object:
    """Ask over HTTP. Raises `Unreachable` for silence and `ChainError` for a refusal."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
    request = urllib.request.Request(
        url, body.encode(), headers={"Content-Type": "application/json"}
    )
    # The address is a node's own; a proxy of the environment would not know it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=SECONDS) as answer:
            return _result(method, answer.read(MAX_ANSWER))
    except (urllib.error.URLError, OSError, ValueError) as error:
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
