"""What `GET /v1/history` answers."""

from typing import Any, Literal

from pydantic import ConfigDict

from xinglin.appointment import Person
from xinglin.document import (
    Blob64,
    Count,
    DigestText,
    Document,
    MemberNumber,
    ShortText,
    Time,
)
from xinglin.statement import Disclosure
from xinglin_node import examples

_RECORD: dict[str, Any] = {
    "n": 1,
    "index": examples.INDEX,
    "kind": "record",
    "sequencedAt": examples.TIME,
    "state": "final",
    "entry": "base64url of 64 bytes",
    "disclosure": {
        "attestation": examples.ATTESTATION,
        "salt": examples.SALT,
        "n": 1,
        "reason": None,
    },
    "asker": None,
}
_CARE: dict[str, Any] = _RECORD | {
    "n": 2,
    "index": 42,
    "kind": "access",
    "disclosure": {
        "attestation": examples.ATTESTATION | {"statement": examples.CARE_STATEMENT},
        "salt": examples.SALT,
        "n": 2,
        "reason": examples.REASON,
    },
    "asker": {
        "member": 1,
        "institution": "First Hospital",
        "role": "physician",
        "project": None,
        "purpose": "TREAT",
        "person": examples.PERSON,
    },
}
_UNDER_GRANT: dict[str, Any] = _CARE | {
    "n": 4,
    "index": 44,
    "disclosure": {
        "attestation": examples.ATTESTATION | {"statement": examples.ACCESS_STATEMENT},
        "salt": examples.SALT,
        "n": 4,
        "reason": None,
    },
    "asker": {
        "member": 2,
        "institution": "Second Hospital",
        "role": "physician",
        "project": examples.PROJECT,
        "purpose": "TREAT",
        "person": None,
    },
}
_PAGE: dict[str, Any] = {
    "histories": [
        {"history": examples.HISTORY, "origin": examples.ORIGIN, "n": 5, "current": True}
    ],
    "history": examples.HISTORY,
    "generation": 0,
    "entries": [_RECORD, _CARE, _UNDER_GRANT],
    "next": 200,
}


class HistoryOf(Document):
    """One list of tags: a key under an origin."""

    history: DigestText
    """Digest of the history key."""
    origin: ShortText
    n: Count
    """How many tags were taken; the list is whole if the tags 0 … n-1 are all there."""
    current: bool


class Asker(Document):
    """Who asked, as far as the subject is told without asking for more."""

    member: MemberNumber
    institution: str
    role: ShortText
    project: str | None
    """From the terms of the grant."""
    purpose: ShortText
    person: Person | None
    """Care staff of this institution who showed their name; never a researcher."""


class HistoryItem(Document):
    """One entry of the list."""

    n: Count
    index: Count
    kind: ShortText
    """Type of the statement."""
    sequenced_at: Time
    state: Literal["sequenced", "anchored", "final"]
    entry: Blob64
    """The 64 bytes, as they stand in the log."""
    disclosure: Disclosure | None
    """What opens the entry, with its counter; null once it was erased."""
    asker: Asker | None
    """For an access or a refusal."""


class HistoryPage(Document):
    """A page of one list, oldest first."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [_PAGE, _PAGE | {"entries": [], "next": None}]}
    )

    histories: tuple[HistoryOf, ...]
    """Every list of this subject here; an earlier one ends where its key was replaced."""
    history: DigestText
    """The list that this page is of."""
    generation: Count
    entries: tuple[HistoryItem, ...]
    next: Count | None
    """Pass it as `from` for the next page; null at the end."""
