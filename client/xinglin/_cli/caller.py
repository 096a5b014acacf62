"""
What commands share that talk to a node: who calls, with which keys, and for which network.

The typed-data domain that a person signs under comes from their own trust root, never from
the node: a signature made for a network of somebody else's choosing could be used there.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from xinglin import typed
from xinglin._cli import output
from xinglin._cli.keys import open_person
from xinglin._cli.options import (
    AppointmentOption,
    FileOption,
    IndexOption,
    KeysOption,
    NodeOption,
    PassphraseOption,
    TrustOption,
)
from xinglin._cli.verify import find_trust
from xinglin._http import NodeClient, SignIn
from xinglin.access import Asker
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, from_base64url
from xinglin.errors import InvalidEncoding, TrustError, UsageError
from xinglin.hashes import Digest
from xinglin.keys import Account, HpkeIdentity, HpkeRecipient, PersonKeys
from xinglin.names import HistoryKey, Member, Origin
from xinglin.trust import TrustRoot

__all__ = [
    "About",
    "AppointmentOption",
    "Caller",
    "FileOption",
    "IndexOption",
    "KeysOption",
    "NodeOption",
    "PassphraseOption",
    "PatientFile",
    "TrustOption",
    "appointed_member",
    "connect",
    "fetch_about",
    "now",
    "read_json",
    "write_json",
]


@dataclass(frozen=True, slots=True)
class About:
    """What a node says of itself."""

    member: Member
    origin: Origin
    chain_id: int
    log_key: bytes
    institution: HpkeRecipient
    recovery: HpkeRecipient


@dataclass(frozen=True, slots=True)
class PatientFile:
    """What the desk gives a data subject: keep it like a key."""

    subject: str
    member: Member
    origin: Origin
    history_key: HistoryKey | None
    """None in the copy that care staff have, who may not follow the subject's tags."""
    enrolment: Digest | None
    """Commitment of the enrolment in force; none before the first."""

    def to_json(self) -> dict[str, JsonValue]:
        """Return the JSON that is written to disk."""
        return {
            "format": "xinglin.file/1",
            "subject": self.subject,
            "member": self.member,
            "origin": self.origin,
            "historyKey": None if self.history_key is None else base64url(self.history_key),
            "enrolment": None if self.enrolment is None else self.enrolment.text,
        }

    @classmethod
    def read(cls, path: Path) -> "PatientFile":
        """Read the file. Raises `InvalidEncoding`, `UsageError`."""
        value = read_json(path)
        if value.get("format") != "xinglin.file/1":
            raise InvalidEncoding(f"{path}: expected a patient's file (xinglin.file/1)")
        key, enrolment, member = value.get("historyKey"), value.get("enrolment"), value["member"]
        if not isinstance(member, int):
            raise InvalidEncoding(f"{path}: expected the member as a number")
        return cls(
            subject=str(value["subject"]),
            member=Member(member),
            origin=Origin(str(value["origin"])),
            history_key=HistoryKey(from_base64url(key)) if isinstance(key, str) else None,
            enrolment=Digest.from_text(enrolment) if isinstance(enrolment, str) else None,
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """A connection to one node, and who makes it."""

    node: NodeClient
    about: About
    trust: TrustRoot
    person: PersonKeys
    account: Account
    identity: HpkeIdentity
    appointment: dict[str, JsonValue] | None
    file: PatientFile | None

    @property
    def domain(self) -> typed.Domain:
        """Domain of everything but grants and revocations."""
        return self.trust.consortium_domain()

    @property
    def consents(self) -> typed.Domain:
        """Domain of grants and revocations."""
        return self.trust.consents_domain()

    @property
    def asker(self) -> Asker:
        """Who signs access requests."""
        return Asker(self.account, self.identity, self.domain, self.appointment)


def connect(
    node: str,
    keys: Path,
    *,
    appointment: Path | None = None,
    file: Path | None = None,
    index: int = 0,
    trust: Path | None = None,
    passphrase_file: Path | None = None,
) -> Caller:
    """
    Sign in at a node as the person whose keys these are.

    Raises `UsageError` unless exactly one of appointment and file is named, `TrustError`
    for a node of another network, `ServiceError` and `Unreachable`.
    """
    if (appointment is None) == (file is None):
        raise UsageError("expected --appointment (for staff) or --file (for a data subject)")
    root = find_trust(trust)
    client = NodeClient(node)
    about = fetch_about(client)
    if about.chain_id != root.chain_id or not about.origin.startswith(
        f"xinglin.network/{root.network_id.hex()}/"
    ):
        raise TrustError(f"{node} belongs to another network than the trust root")
    person = open_person(keys, passphrase_file)
    shown = None if appointment is None else read_json(appointment)
    patient = None if file is None else PatientFile.read(file)
    branch = about.member if shown is None else appointed_member(shown)
    account = person.enrolled_account(branch, index)
    client.sign_in(
        SignIn(
            account,
            root.chain_id,
            appointment=shown,
            subject=None if patient is None else patient.subject,
        )
    )
    identity = person.encryption_identity(branch, index)
    return Caller(client, about, root, person, account, identity, shown, patient)


def fetch_about(node: NodeClient) -> About:
    """Ask a node what it is. Raises `ServiceError`, `Unreachable`, `InvalidEncoding`."""
    value = node.get("/v1/about")
    keys = value.get("keys")
    member, chain_id = value.get("member"), value.get("chainId")
    if not isinstance(keys, dict) or not isinstance(member, int) or not isinstance(chain_id, int):
        raise InvalidEncoding("expected member, chain id and keys in /v1/about")
    return About(
        member=Member(member),
        origin=Origin(str(value.get("origin"))),
        chain_id=chain_id,
        log_key=from_base64url(str(keys.get("log"))),
        institution=HpkeRecipient(from_base64url(str(keys.get("institution")))),
        recovery=HpkeRecipient(from_base64url(str(keys.get("recovery")))),
    )


def appointed_member(shown: dict[str, JsonValue]) -> Member:
    """The member that an appointment speaks for; its keys hang below that number."""
    appointment = shown.get("appointment")
    member = appointment.get("member") if isinstance(appointment, dict) else None
    if not isinstance(member, int):
        raise InvalidEncoding("expected a signed appointment as `xinglin appointment issue` writes")
    return Member(member)


def read_json(path: Path) -> dict[str, JsonValue]:
    """Read a JSON object that a command wrote. Raises `InvalidEncoding`, `UsageError`."""
    try:
        value = json.loads(output.read_file(path))
    except ValueError as error:
        raise InvalidEncoding(f"{path}: expected JSON") from error
    if not isinstance(value, dict):
        raise InvalidEncoding(f"{path}: expected a JSON object")
    return cast(dict[str, JsonValue], value)


def write_json(path: Path, value: JsonValue, *, replace: bool = False) -> None:
    """Write JSON for people and programs. Raises `UsageError` if the file exists."""
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    output.write_file(path, text.encode(), replace=replace)


def now() -> int:
    """The wall clock, in whole seconds."""
    return int(time.time())
