"""`xinglin record`: submit, list, show and open records."""

import mimetypes
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, cast
from uuid import UUID

import typer
from rich.table import Table

from xinglin import access
from xinglin._cli import output
from xinglin._cli.caller import (
    AppointmentOption,
    FileOption,
    IndexOption,
    KeysOption,
    NodeOption,
    PassphraseOption,
    PatientFile,
    TrustOption,
    connect,
)
from xinglin._cli.submission import fetch_list, newest, seal_and_submit, take_in
from xinglin.canonical import JsonValue
from xinglin.errors import UsageError
from xinglin.request import Item

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Submit, list, show and open records.

A record is sealed before it leaves: for the institution's key and its offline recovery key,
and nobody else. Others get its key by asking (`xinglin access request`).

    xinglin record submit note.txt --subject 8c5f1c1e-… --appointment doctor.json …
    xinglin record list --file patient.json …
    xinglin record open 8c5f1c1e-… --file patient.json --out note.txt …
    xinglin record show 8c5f1c1e-… --file patient.json --bundle entry.xinglin.json …
""",
)

DEFAULT_CATEGORY = "outpatient-note"
"""What most documents are."""

RecordArgument = Annotated[UUID, typer.Argument(help="The record's id.")]
SubjectOption = Annotated[
    UUID | None, typer.Option("--subject", help="File number, where care staff ask.")
]


@app.command()
def submit(
    source: Annotated[Path, typer.Argument(help="What to seal: a file of any kind and size.")],
    node: NodeOption,
    keys: KeysOption,
    appointment: Annotated[
        Path,
        typer.Option("--appointment", envvar="XINGLIN_APPOINTMENT", help="Your appointment."),
    ],
    file: FileOption = None,
    subject: SubjectOption = None,
    category: Annotated[
        str,
        typer.Option(
            help="What kind of document it is; that of the version before, else outpatient-note."
        ),
    ] = "",
    media_type: Annotated[
        str,
        typer.Option(
            help="Its media type; where absent that of what it corrects, else guessed by its name."
        ),
    ] = "",
    intake: Annotated[
        bool,
        typer.Option("--intake", help="Let the node seal it, and run its method over a note."),
    ] = False,
    follows: Annotated[
        UUID | None,
        typer.Option(help="Submit it as the next version of this record, in place of the newest."),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(help="With --follows: state that it corrects the newest version, and why."),
    ] = None,
    receipt: Annotated[
        Path | None,
        typer.Option(help="Keep the log's receipt here, for `xinglin verify --receipt`."),
    ] = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Seal a file, attest it with your account, and submit it to your institution's node.

    Returns once the node has it on disk and in its log; the receipt is its promise to
    anchor it. Keep it with --receipt: `xinglin verify --receipt` holds the log to it.

    With --follows and --reason a signed correction is logged beside the new version; the
    output of an inference is followed only so. The patient reads the reason.

    Example: xinglin record submit note.txt --node https://h.example --keys doctor.key
    --appointment doctor.json --subject 8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11
    """
    if not source.is_file():
        raise UsageError(f"{source}: expected a file")
    if (file is None) == (subject is None):
        raise UsageError("expected the patient: --subject NUMBER, or --file patient.json")
    if intake and follows is not None:
        raise UsageError("a next version is sealed by its author: --follows without --intake")
    if reason is not None and follows is None:
        raise UsageError("a correction names what it corrects: --reason with --follows RECORD")
    if receipt is not None and receipt.exists():
        raise UsageError(f"{receipt}: exists, and is not overwritten")
    caller = connect(
        node, keys, appointment=appointment, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    number = str(subject) if file is None else PatientFile.read(file).subject
    previous = None if follows is None else newest(caller, number, follows)
    what = category or (DEFAULT_CATEGORY if previous is None else previous.category)
    corrected = None if reason is None or previous is None else previous.media_type
    kind = media_type or corrected or guess_media_type(source)
    with output.progress(as_json=as_json) as shown:
        shown.add_task(f"{'sending' if intake else 'sealing and sending'} {source.name}")
        answer = (
            take_in(caller, source, number, category=what, media_type=kind)
            if intake
            else seal_and_submit(
                caller,
                source,
                number,
                category=what,
                media_type=kind,
                previous=previous,
                reason=reason,
            )
        )
    if receipt is not None:
        output.write_file(receipt, str(answer["receipt"]).encode())
    output.result(answer, [f"{key}: {value}" for key, value in _flat(answer)], as_json=as_json)


@app.command("list")
def list_(
    node: NodeOption,
    keys: KeysOption,
    appointment: AppointmentOption = None,
    file: FileOption = None,
    subject: SubjectOption = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    List records: one's own (--file), or a patient's for care staff (--subject).

    Shows what is known without opening anything.

    Example: xinglin record list --node https://h.example --keys alice.key --file patient.json
    """
    caller = connect(
        node, keys, appointment=appointment, file=file, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    records = fetch_list(caller, subject)
    table = Table("record", "version", "category", "media type", "when", "bytes", "entry", "state")
    for one in records:
        table.add_row(*_row(one))
    output.result({"records": cast(JsonValue, records)}, table, as_json=as_json)


@app.command()
def show(
    record: RecordArgument,
    node: NodeOption,
    keys: KeysOption,
    appointment: AppointmentOption = None,
    file: FileOption = None,
    subject: SubjectOption = None,
    bundle: Annotated[
        Path | None, typer.Option(help="Write the newest version's bundle to this file.")
    ] = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Show what is known of a record without opening it, and fetch what proves its entry.

    `xinglin verify` checks the bundle offline, and believes neither the node nor this command.

    Example: xinglin record show 8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11 --node https://h.example
    --keys alice.key --file patient.json --bundle entry.xinglin.json
    """
    caller = connect(
        node, keys, appointment=appointment, file=file, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    versions = [one for one in fetch_list(caller, subject) if one.get("record") == str(record)]
    if not versions:
        raise UsageError(f"expected a record in the list, found none with the id {record}")
    newest = versions[-1]
    shown: dict[str, JsonValue] = {"versions": cast(JsonValue, versions)}
    lines = [f"version {one['version']}: {', '.join(_row(one)[2:])}" for one in versions]
    if bundle is not None:
        output.write_file(bundle, caller.node.get_bytes(f"/v1/entries/{newest['index']}/bundle"))
        shown["bundle"] = str(bundle)
        lines.append(f"wrote {bundle}: `xinglin verify {bundle}` checks it")
    output.result(shown, lines, as_json=as_json)


@app.command("open")
def open_(
    record: RecordArgument,
    node: NodeOption,
    keys: KeysOption,
    out: Annotated[Path, typer.Option(help="Where to write the payload.")],
    version: Annotated[int, typer.Option(min=0, help="0 is the newest.")] = 0,
    reason: Annotated[
        str | None, typer.Option(help="Why, in words that the patient will read.")
    ] = None,
    appointment: AppointmentOption = None,
    file: FileOption = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Open a record of one's own (--file), or of one's own institution to treat (--appointment).

    The opening is logged in the patient's history before the key leaves. Under a grant ask
    with `xinglin access request`.

    Example: xinglin record open 8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11 --node https://h.example
    --keys alice.key --file patient.json --out note.txt
    """
    caller = connect(
        node, keys, appointment=appointment, file=file, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    answer = access.ask(
        caller.node,
        caller.asker,
        custodian=caller.about.member,
        ground="subject" if caller.file is not None else "care",
        purpose="PATRQT" if caller.file is not None else "TREAT",
        items=[Item(record=record, version=version)],
        reason=reason,
    )
    item = answer.released[0]
    with output.progress(as_json=as_json) as shown:
        task = shown.add_task("opening", total=item.statement.size)
        access.open_item(
            caller.node, item, caller.identity, out,
            progress=lambda count: shown.advance(task, count),
        )  # fmt: skip
    output.result(
        {
            "file": str(out),
            "record": str(item.record),
            "version": item.version,
            "accessEntry": answer.access_index,
        },
        [
            f"opened version {item.version} to {out}",
            f"the opening is entry {answer.access_index} of the log",
        ],
        as_json=as_json,
    )


def guess_media_type(source: Path) -> str:
    """Guess a media type from a file's name; text is said to be UTF-8."""
    guessed, _ = mimetypes.guess_type(source.name)
    if guessed is None:
        return "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed


def _row(one: Mapping[str, JsonValue]) -> tuple[str, ...]:
    claimed = one.get("claimedAt")
    when = datetime.fromtimestamp(claimed if isinstance(claimed, int) else 0, UTC)
    return (
        str(one.get("record")),
        str(one.get("version")),
        str(one.get("category")),
        str(one.get("mediaType")),
        f"{when:%Y-%m-%d %H:%M}Z",
        str(one.get("size")),
        str(one.get("index")),
        str(one.get("state")),
    )


def _flat(value: Mapping[str, JsonValue], prefix: str = "") -> list[tuple[str, str]]:
    """Name and value of each member, without receipts, which are for programs."""
    lines: list[tuple[str, str]] = []
    for key, item in value.items():
        if isinstance(item, Mapping):
            lines += _flat(item, f"{prefix}{key}.")
        elif key != "receipt" and item is not None:
            lines.append((f"{prefix}{key}", str(item)))
    return lines
