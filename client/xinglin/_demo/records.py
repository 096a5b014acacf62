"""
What the demo submits: forty notes written for it, or the user's own records.

A user's `.jsonl` has a `text` in each line; other fields are kept, for the whole line is the
record. A folder gives a record a file; any other file is one record. A field `subject` groups
lines under one subject, else each record has a subject of its own.
"""

import codecs
import json
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import cast

from xinglin.errors import UsageError

NOTE_CATEGORY = "outpatient-note"
FILE_CATEGORY = "document"

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
BINARY = "application/octet-stream"

_PROBE_BYTES = 1 << 16
"""Bytes read to tell whether a file is text: more than any header of a binary format."""

_CANARIES = ("name", "identity", "telephone")
"""Fields of the demo's notes that must be found nowhere."""


@dataclass(frozen=True, slots=True)
class DemoRecord:
    """One record to submit."""

    name: str
    subject: str
    """Whose: records with the same word are one subject's."""
    source: bytes | Path
    media_type: str
    category: str
    canaries: tuple[str, ...] = ()
    """Texts inside that nobody may find outside."""

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size


def own_notes() -> list[DemoRecord]:
    """The forty notes that ship with the demo."""
    text = files("xinglin._demo").joinpath("notes.jsonl").read_text("utf-8")
    notes: list[DemoRecord] = []
    for line in text.splitlines():
        note = cast(dict[str, str], json.loads(line))
        notes.append(
            DemoRecord(
                name=note["id"],
                subject=note["subject"],
                source=note["text"].encode(),
                media_type=TEXT,
                category=NOTE_CATEGORY,
                canaries=tuple(note[field] for field in _CANARIES),
            )
        )
    return notes


def read_records(path: Path) -> list[DemoRecord]:
    """
    Read a user's records. Raises `UsageError` naming the file and line that cannot be one.

    Large files are not read here, they are streamed when they are submitted.
    """
    if path.is_dir():
        found = sorted(one for one in path.rglob("*") if one.is_file())
        records = [_from_file(one, one.relative_to(path).as_posix()) for one in found]
    elif path.is_file():
        records = (
            list(_from_lines(path)) if path.suffix == ".jsonl" else [_from_file(path, path.name)]
        )
    else:
        raise UsageError(f"{path}: expected a file or a folder of records")
    if not records:
        raise UsageError(f"{path}: expected at least one record, got none")
    return records


def _from_lines(path: Path) -> Iterator[DemoRecord]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8"))
        except ValueError as error:
            raise UsageError(f"{path}, line {number}: expected JSON in UTF-8") from error
        if not isinstance(value, dict) or not isinstance(value.get("text"), str):
            raise UsageError(f"{path}, line {number}: expected an object with a text")
        yield DemoRecord(
            name=f"line {number}",
            subject=str(value.get("subject", f"line {number}")),
            source=line.strip(),
            media_type=JSON,
            category=NOTE_CATEGORY,
        )


def _from_file(path: Path, name: str) -> DemoRecord:
    try:
        if path.stat().st_size == 0:
            raise UsageError(f"{path}: expected a record, got an empty file")
        with path.open("rb") as file:
            beginning = file.read(_PROBE_BYTES)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    media_type = mimetypes.guess_type(path.name)[0] or BINARY
    if _is_text(beginning):
        media_type = TEXT
    elif media_type.startswith("text/"):
        media_type = BINARY
    return DemoRecord(name, name, path, media_type, FILE_CATEGORY)


def _is_text(beginning: bytes) -> bool:
    """Whether a file begins as UTF-8 text does; its last character may be cut."""
    if b"\x00" in beginning:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(beginning, final=False)
    except UnicodeDecodeError:
        return False
    return True
