"""`xinglin access`: ask for records under a grant, and open what was released."""

import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, cast
from uuid import UUID

import typer
from rich.table import Table

from xinglin import access as accesses
from xinglin._cli import output
from xinglin._cli.caller import (
    Caller,
    IndexOption,
    KeysOption,
    NodeOption,
    PassphraseOption,
    TrustOption,
    connect,
    read_json,
    write_json,
)
from xinglin.access import Answer
from xinglin.canonical import JsonValue
from xinglin.encoding import from_hex0x
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.names import GrantId
from xinglin.purposes import PurposeOfUse
from xinglin.request import AccessRequest, Item

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Ask for records under a grant, and open what was released.

Your signed request becomes part of the entry that the institution logs before the key leaves;
the patient reads it, and so can an auditor.

    xinglin access list --appointment doctor.json …            # what was granted to you
    xinglin access request 0xc4… --purpose TREAT --out answer.json …
    xinglin access open answer.json --to opened …
""",
)

ANSWER_FORMAT = "xinglin.answer/1"
"""What a kept answer says it is."""

GrantArgument = Annotated[str, typer.Argument(help="The grant's id, 0x….")]
AppointmentRequired = Annotated[
    Path, typer.Option("--appointment", envvar="XINGLIN_APPOINTMENT", help="Your appointment.")
]


@app.command("list")
def list_(
    node: NodeOption,
    keys: KeysOption,
    appointment: AppointmentRequired,
    grant: Annotated[
        str | None, typer.Argument(help="One grant's records; all grants where absent.")
    ] = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    List the grants that name you, or the records in one grant's scope.

    Example: xinglin access list 0xc4… --node https://h.example --keys doctor.key
    --appointment doctor.json
    """
    caller = connect(
        node, keys, appointment=appointment, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    if grant is None:
        answer = caller.node.get("/v1/grants")
        table = Table("grant", "until", "stopped")
        for one in _listed(answer, "grants"):
            table.add_row(str(one["grantId"]), str(one["expiresAt"]), str(one["stopped"]))
    else:
        answer = caller.node.get(f"/v1/grants/{grant}/records")
        table = Table("record", "version", "category", "media type", "bytes")
        for one in _listed(answer, "records"):
            table.add_row(
                *(str(one[key]) for key in ("record", "version", "category", "mediaType", "size"))
            )
    output.result(answer, table, as_json=as_json)


@app.command()
def request(
    grant: GrantArgument,
    node: NodeOption,
    keys: KeysOption,
    appointment: AppointmentRequired,
    purpose: Annotated[str, typer.Option(help="HL7 PurposeOfUse code, such as TREAT.")],
    out: Annotated[Path, typer.Option(help="Where to write the answer, for `access open`.")],
    research: Annotated[str, typer.Option(help="DUO terms, with the purpose HRESCH.")] = "",
    record: Annotated[
        list[UUID] | None,
        typer.Option("--record", help="A record; may be repeated. All in scope where absent."),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why, in words that the patient will read.")
    ] = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Ask for records under a grant. Refusals name the term that refused.

    Exit codes: 0 something was released, 1 refused. The answer's keys open with your key
    file alone; it is answered again, the same, for five minutes.

    Example: xinglin access request 0xc4… --purpose TREAT --node https://h.example
    --keys doctor.key --appointment doctor.json --out answer.json
    """
    caller = connect(
        node, keys, appointment=appointment, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    items = [Item(record=one, version=0) for one in record or []] or _all_in_scope(caller, grant)
    answer = accesses.ask(
        caller.node,
        caller.asker,
        custodian=caller.about.member,
        ground="grant",
        purpose=cast(PurposeOfUse, purpose),
        items=items,
        grant=GrantId(from_hex0x(grant)),
        research=research,
        reason=reason,
    )
    kept: dict[str, JsonValue] = {
        "format": ANSWER_FORMAT,
        "node": node,
        "request": answer.asked.to_json(),
        "answer": dict(answer.raw),
    }
    write_json(out, kept)
    output.result(
        {
            "file": str(out),
            "released": [str(item.record) for item in answer.released],
            "refused": [
                {"record": str(item.item.record), "term": item.term} for item in answer.refused
            ],
            "accessEntry": answer.access_index,
        },
        _told(answer, out),
        as_json=as_json,
    )


@app.command("open")
def open_(
    answer: Annotated[Path, typer.Argument(help="The file that `access request` wrote.")],
    node: NodeOption,
    keys: KeysOption,
    appointment: AppointmentRequired,
    to: Annotated[Path, typer.Option(help="Folder for what is opened; made where absent.")],
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Fetch and open what was released, one file a record, named by its id.

    Every ciphertext is held against the digest in the record's signed statement.

    Example: xinglin access open answer.json --node https://h.example --keys doctor.key
    --appointment doctor.json --to opened
    """
    caller = connect(
        node, keys, appointment=appointment, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    read = read_kept(read_json(answer), caller)
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{to}: {error.strerror}") from error
    written: list[str] = []
    with output.progress(as_json=as_json) as shown:
        task = shown.add_task("opening", total=len(read.released))
        for item in read.released:
            target = to / f"{item.record}{_suffix(item.statement.media_type)}"
            accesses.open_item(caller.node, item, caller.identity, target)
            written.append(str(target))
            shown.advance(task)
    output.result({"files": cast(JsonValue, written)}, written, as_json=as_json)


def read_kept(value: Mapping[str, JsonValue], caller: Caller) -> Answer:
    """Read an answer that was kept, checking it again. Raises `InvalidEncoding` and as `ask`."""
    kept = value.get("answer")
    if value.get("format") != ANSWER_FORMAT or not isinstance(kept, Mapping):
        raise InvalidEncoding("expected a file that `xinglin access request` wrote")
    return accesses.read_answer(kept, AccessRequest.from_json(value.get("request")), caller.asker)


def _all_in_scope(caller: Caller, grant: str) -> list[Item]:
    listed = _listed(caller.node.get(f"/v1/grants/{grant}/records"), "records")
    ids = dict.fromkeys(str(one["record"]) for one in listed)
    if not ids:
        raise UsageError("expected records in the grant's scope, found none; name one")
    return [Item(record=UUID(one), version=0) for one in ids]


def _listed(answer: Mapping[str, JsonValue], name: str) -> list[Mapping[str, JsonValue]]:
    value = answer.get(name)
    if not isinstance(value, list):
        raise InvalidEncoding(f"expected {name} in the node's answer")
    return cast(list[Mapping[str, JsonValue]], value)


def _told(answer: Answer, out: Path) -> list[str]:
    lines = [f"released {item.record} version {item.version}" for item in answer.released]
    lines += [
        f"not released {item.item.record}: {item.term or 'not found'}" for item in answer.refused
    ]
    lines.append(f"the opening is entry {answer.access_index} of the institution's log")
    lines.append(f"wrote {out}: `xinglin access open` fetches and opens")
    return lines


def _suffix(media_type: str) -> str:
    kind = media_type.split(";")[0].strip()
    return ".txt" if kind == "text/plain" else mimetypes.guess_extension(kind) or ".bin"
