"""
A node's folder: made once by `xinglin node init`, opened at every start.

    node.toml               settings; no secret is in it
    node.keys.json          every secret of the node, encrypted under a passphrase
    recovery.json           the recovery recipient's public key; without it no node starts
    recovery-share-N.txt    one officer's share of its seed: hand over, then delete
    officer.keys.json       with `--officer`: an account that governs and appoints
    institution.json        what the network is founded or joined with; all of it public
    node.sqlite, blobs/     what the node keeps
"""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from xinglin import canonical
from xinglin._network.institution import Institution, InstitutionAccount, PowerName, RoleName
from xinglin.canonical import JsonValue
from xinglin.document import Blob64, Document
from xinglin.encoding import base64url
from xinglin.errors import InvalidEncoding, KeyFileError, UsageError
from xinglin.keys import (
    Account,
    HpkeIdentity,
    HpkeRecipient,
    read_key_file,
    split_recovery,
    write_key_file,
)
from xinglin.names import Address
from xinglin.note import LogKey
from xinglin_node.house import NodeKeys
from xinglin_node.settings import SETTINGS_FILE

KEYS_FILE = "node.keys.json"
OFFICER_FILE = "officer.keys.json"
RECOVERY_FILE = "recovery.json"
INSTITUTION_FILE = "institution.json"

SESSION_SECRET_SIZE = 32
"""Bytes of the secret under which the node makes its credentials."""

_OWNER_ONLY = 0o600


class RecoveryFile(Document):
    """The recovery recipient, by its public key."""

    format: Literal["xinglin.recovery/1"]
    public_key: Blob64


@dataclass(frozen=True, slots=True)
class Plan:
    """What `node init` was asked for."""

    name: str
    role: RoleName
    url: str
    port: int
    metrics_port: int
    network: Path
    member: int | None
    threshold: int
    shares: int
    witness: bool
    officer: bool
    govern: Sequence[Address] = ()
    appoint: Sequence[Address] = ()


def make(folder: Path, plan: Plan, passphrase: str) -> NodeKeys:
    """
    Make a node's folder. Raises `UsageError` where it cannot be written or holds a node.

    The recovery seed leaves this function only as shares, each in a file of its own.
    """
    if not plan.officer and not plan.govern:
        raise UsageError("expected a GOVERN account: --govern ADDRESS, or --officer makes one")
    _make_folder(folder)
    recovery = HpkeIdentity.generate()
    officer = Account.generate() if plan.officer else None
    keys = NodeKeys(
        log=LogKey.generate(),
        anchor=Account.generate(),
        witness=Account.generate() if plan.witness else None,
        system=Account.generate(),
        institution=HpkeIdentity.generate(),
        recovery=recovery.recipient,
        session=secrets.token_bytes(SESSION_SECRET_SIZE),
    )
    write_key_file(folder / KEYS_FILE, _secrets(keys), passphrase)
    if officer is not None:
        secret: dict[str, JsonValue] = {"kind": "account", "key": base64url(officer.key)}
        write_key_file(folder / OFFICER_FILE, secret, passphrase)
    shares = split_recovery(recovery.seed, plan.threshold, plan.shares)
    for number, share in enumerate(shares, start=1):
        _write(folder / f"recovery-share-{number}.txt", share.encode() + b"\n")
    recovery_file = RecoveryFile(
        format="xinglin.recovery/1", public_key=recovery.recipient.public_key
    )
    _write(folder / RECOVERY_FILE, recovery_file.encode() + b"\n")
    institution = _institution(plan, keys, officer)
    _write(folder / INSTITUTION_FILE, _readable(institution.to_json()))
    _write(folder / SETTINGS_FILE, _settings(plan, folder).encode())
    return keys


def open_keys(folder: Path, passphrase: str) -> NodeKeys:
    """
    Open a node's keys.

    Raises `KeyFileError` for a wrong passphrase or a damaged file, `UsageError` without the
    recovery recipient: a node whose only key is lost would take every record with it.
    """
    recovery = folder / RECOVERY_FILE
    try:
        public = RecoveryFile.decode(recovery.read_bytes().strip())
        recipient = HpkeRecipient(public.public_key)
    except FileNotFoundError as error:
        raise UsageError(
            f"expected the recovery recipient's public key at {recovery}, got none; "
            "a node does not start without one"
        ) from error
    except OSError as error:
        raise UsageError(f"{recovery}: {error.strerror}") from error
    secret = read_key_file(folder / KEYS_FILE, passphrase)
    try:
        return NodeKeys(
            log=LogKey.from_seed(_bytes(secret, "log")),
            anchor=Account.from_key(_bytes(secret, "anchor")),
            witness=Account.from_key(_bytes(secret, "witness")) if "witness" in secret else None,
            system=Account.from_key(_bytes(secret, "system")),
            institution=HpkeIdentity.from_seed(_bytes(secret, "institution")),
            recovery=recipient,
            session=_bytes(secret, "session"),
        )
    except (InvalidEncoding, UsageError, ValueError) as error:
        raise KeyFileError(f"{folder / KEYS_FILE}: expected the keys of a node") from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error
    if (folder / KEYS_FILE).exists() or (folder / SETTINGS_FILE).exists():
        raise UsageError(f"{folder} holds a node already; nothing is overwritten")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: expected a folder that can be written")


def _secrets(keys: NodeKeys) -> dict[str, JsonValue]:
    secret: dict[str, JsonValue] = {
        "kind": "node",
        "log": keys.log.seed.hex(),
        "anchor": keys.anchor.key.hex(),
        "system": keys.system.key.hex(),
        "institution": keys.institution.seed.hex(),
        "session": keys.session.hex(),
    }
    if keys.witness is not None:
        secret["witness"] = keys.witness.key.hex()
    return secret


def _bytes(secret: dict[str, JsonValue], name: str) -> bytes:
    value = secret.get(name)
    if not isinstance(value, str):
        raise InvalidEncoding(f"expected {name} in the key file")
    return bytes.fromhex(value)


def _institution(plan: Plan, keys: NodeKeys, officer: Account | None) -> Institution:
    powers: dict[Address, list[PowerName]] = {keys.anchor.address: ["anchor"]}
    if keys.witness is not None:
        powers[keys.witness.address] = ["witness"]
    if officer is not None:
        powers[officer.address] = ["govern", "appoint"]
    for address in plan.govern:
        powers.setdefault(address, []).append("govern")
    for address in plan.appoint:
        powers.setdefault(address, []).append("appoint")
    return Institution(
        format="xinglin.institution/1",
        name=plan.name,
        role=plan.role,
        url=plan.url,
        log_key=keys.log.public,
        encryption_key=keys.institution.recipient.public_key,
        validator=None,
        accounts=tuple(
            InstitutionAccount(address=address, powers=tuple(names))
            for address, names in powers.items()
        ),
    )


def _settings(plan: Plan, folder: Path) -> str:
    member = f"member = {plan.member}" if plan.member else "# member = 1"
    return "\n".join(
        (
            "# A Xinglin node. Every setting can also be given as XINGLIN_<NAME>.",
            "# The passphrase of node.keys.json is given as XINGLIN_PASSPHRASE alone.",
            "",
            f"folder = {json.dumps(str(folder.absolute()))}",
            f"network = {json.dumps(str(plan.network.absolute()))}",
            "# The institution's number in the consortium; known once it belongs.",
            member,
            f"public_url = {json.dumps(plan.url)}",
            f"port = {plan.port}",
            f"metrics_port = {plan.metrics_port}",
            "",
        )
    )


def _readable(value: JsonValue) -> bytes:
    canonical.encode(value)
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def _write(path: Path, data: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise UsageError(f"{path} exists; nothing is overwritten") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
