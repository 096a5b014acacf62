"""
Who may connect to a network of Besu nodes, in the files that `network genesis` wrote.

    admit(Path("network"), "enode://…@10.0.0.7:30303", reload=["http://validator1:8545"])

Two files say it: `permissions/nodes.toml` whom a node lets in, `static-nodes.json` whom it
dials at its start. Each institution changes its own copy and lets its own nodes read the
first again; the second is read when a node starts, and a newcomer dials the others anyway.
"""

import json
import os
import re
import tomllib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from xinglin._network.besu import NODES_FILE, STATIC_NODES_FILE, nodes_permissions
from xinglin._network.probe import ask, ask_all
from xinglin.errors import UsageError

_ENODE = re.compile(r"enode://([0-9a-f]{128})@((?:[0-9]{1,3}\.){3}[0-9]{1,3}):([0-9]{1,5})")
"""A node's address as Besu's permissions take it: public key, IPv4 address, port."""

MAX_PORT = 65_535


_Change = Callable[[list[str]], list[str]]


def has_lists(folder: Path) -> bool:
    """Whether `folder` is that of a network of Besu nodes."""
    return (folder / NODES_FILE).is_file()


def admit(folder: Path, enode: str, *, reload: Sequence[str] = ()) -> None:
    """
    Let a node connect. One with the same public key is replaced: it has moved.

    Raises `UsageError` for another form of address or files that cannot be read or written,
    and as `read_again` where a node of `reload` does not; the files stand then.
    """
    identity = _identity(enode)
    _change(folder, lambda nodes: [*_without(nodes, identity), enode], reload)


def dismiss(folder: Path, enode: str, *, reload: Sequence[str] = ()) -> None:
    """Let a node connect no more. Raises as `admit`, and `UsageError` for one not listed."""
    identity = _identity(enode)
    if not any(_identity(one) == identity for one in listed(folder)):
        raise UsageError("expected a node that is listed, got one that is not")
    _change(folder, lambda nodes: _without(nodes, identity), reload)


def read_again(nodes: Sequence[str]) -> None:
    """
    Let nodes, by their RPC addresses, read both lists again: who may connect, and who may send.

    Raises once all were asked, as `ask_all`: one that is down reads them when it starts.
    """
    ask_all({url: partial(ask, url, "perm_reloadPermissionsFromFile") for url in nodes})


def listed(folder: Path) -> list[str]:
    """Return the nodes that may connect. Raises `UsageError`."""
    path = folder / NODES_FILE
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: expected TOML: {error}") from error
    return _texts(found.get("nodes-allowlist"), path)


def _dialled(folder: Path) -> list[str]:
    path = folder / STATIC_NODES_FILE
    try:
        return _texts(json.loads(path.read_text("utf-8")), path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{path}: expected JSON") from error


def _change(folder: Path, change: _Change, reload: Sequence[str]) -> None:
    allowed, dialled = change(listed(folder)), change(_dialled(folder))
    _replace(folder / NODES_FILE, nodes_permissions(allowed))
    _replace(folder / STATIC_NODES_FILE, json.dumps(dialled, indent=2) + "\n")
    read_again(reload)


def _identity(enode: str) -> str:
    match = _ENODE.fullmatch(enode)
    if match is None or int(match[3]) > MAX_PORT:
        raise UsageError("expected enode://<128 hexadecimal digits>@<IPv4 address>:<port>")
    return match[1]


def _without(nodes: list[str], identity: str) -> list[str]:
    return [one for one in nodes if _identity(one) != identity]


def _texts(value: object, path: Path) -> list[str]:
    items = cast(list[object], value) if isinstance(value, list) else [None]
    if not all(isinstance(item, str) for item in items):
        raise UsageError(f"{path}: expected a list of nodes' addresses")
    return cast(list[str], items)


def _replace(path: Path, text: str) -> None:
    """Write whole or not at all: a node may read it at any moment."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise UsageError(f"cannot write {path}: {error.strerror}") from error
