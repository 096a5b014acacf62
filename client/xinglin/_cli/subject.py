"""`xinglin subject`: enrol a data subject, and read who looked."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, cast

import typer
from rich.table import Table

from xinglin._cli import output
from xinglin._cli.caller import (
    Caller,
    IndexOption,
    KeysOption,
    NodeOption,
    PassphraseOption,
    PatientFile,
    TrustOption,
    connect,
    now,
    read_json,
    write_json,
)
from xinglin._cli.keys import open_person
from xinglin._cli.verify import find_trust
from xinglin.canonical import JsonValue
from xinglin.encoding import from_base64url
from xinglin.errors import UsageError
from xinglin.hashes import Digest
from xinglin.names import HistoryKey, Member, Origin, UnixTime
from xinglin.subject import number_in, read_history, sign_enrolment

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Enrol a data subject, and read who looked.

A file is opened at the desk. It gives a file number and a history key, which the patient
takes home; with a device, the patient's own account signs for it.

    xinglin subject register --out patient.json …          # the desk opens a file
    xinglin subject sign patient.json --keys alice.key --out signed.json   # the patient
    xinglin subject enrol patient.json --signed signed.json …              # the desk again
    xinglin subject history patient.json --keys alice.key …                # at home
""",
)

PatientArgument = Annotated[Path, typer.Argument(help="The patient's file, patient.json.")]
StaffAppointment = Annotated[
    Path,
    typer.Option("--appointment", envvar="XINGLIN_APPOINTMENT", help="Your appointment: desk."),
]


@app.command()
def register(
    node: NodeOption,
    keys: KeysOption,
    appointment: StaffAppointment,
    out: Annotated[Path, typer.Option(help="Where to write the patient's file.")],
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Open a file at the desk: a file number, and the key of the patient's own history.

    Nothing is logged yet. Give the file to the patient, and keep no copy of the history key.

    Example: xinglin subject register --node https://h.example --keys desk.key
    --appointment desk.json --out patient.json
    """
    caller = connect(
        node, keys, appointment=appointment, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    patient = _register(caller)
    write_json(out, patient.to_json())
    output.result(
        {"file": str(out), "subject": patient.subject},
        [f"file number {patient.subject}", f"wrote {out}: give it to the patient"],
        as_json=as_json,
    )


@app.command()
def sign(
    patient: PatientArgument,
    keys: KeysOption,
    out: Annotated[Path, typer.Option(help="Where to write what the desk needs.")],
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Sign, as the patient, for the account and the key to be enrolled at this institution.

    Example: xinglin subject sign patient.json --keys alice.key --out signed.json
    """
    file = PatientFile.read(patient)
    person = open_person(keys, passphrase_file)
    if file.history_key is None:
        raise UsageError("expected a patient's file with its history key")
    signed = sign_enrolment(
        file.member,
        file.history_key,
        person.enrolled_account(file.member, index),
        person.encryption_identity(file.member, index),
        find_trust(trust).consortium_domain(),
        issued_at=UnixTime(now()),
    )
    write_json(out, signed)
    output.result(
        {"file": str(out), "account": signed["account"]},
        [f"account {signed['account']}", f"wrote {out}: give it to the desk"],
        as_json=as_json,
    )


@app.command()
def enrol(
    node: NodeOption,
    keys: KeysOption,
    appointment: StaffAppointment,
    patient: Annotated[
        Path | None, typer.Argument(help="The patient's file; a new one is opened without it.")
    ] = None,
    signed: Annotated[
        Path | None,
        typer.Option(help="What the patient signed; without it, a patient without a device."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the new patient's file.")] = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Enrol a patient at the desk: log whose account stands for the file, or that none does.

    The commitment that is printed names the enrolment in records and grants; it is added to
    the patient's file.

    Example: xinglin subject enrol patient.json --signed signed.json --node https://h.example
    --keys desk.key --appointment desk.json
    """
    place = patient or out
    if place is None:
        raise UsageError("expected the patient's file, or --out FILE for a new one")
    caller = connect(
        node, keys, appointment=appointment, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    file = _register(caller) if patient is None else PatientFile.read(patient)
    if patient is None:
        # Before anything is logged: a history key that was not written down is lost.
        write_json(place, file.to_json())
    body = {} if signed is None else read_json(signed)
    answer = caller.node.post(f"/v1/subjects/{file.subject}/enrolment", body)
    enrolment = Digest.from_text(str(answer.get("enrolment")))
    write_json(place, replace(file, enrolment=enrolment).to_json(), replace=True)
    output.result(
        {"file": str(place), **answer},
        [
            f"enrolled file {file.subject} {'with an account' if signed else 'without a device'}",
            f"enrolment {enrolment.text}, entry {answer.get('index')} of the log",
            f"wrote {place}",
        ],
        as_json=as_json,
    )


@app.command()
def history(
    patient: PatientArgument,
    node: NodeOption,
    keys: KeysOption,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Read who looked at your records, and check that the list is whole.

    The list is held against every entry of the log, by the history key that only you and
    the institution have. Exit codes: 0 whole, 1 not whole.

    What this cannot show: an opening that was never logged, or logged as somebody else's.

    Example: xinglin subject history patient.json --node https://h.example --keys alice.key
    """
    caller = connect(
        node, keys, file=patient, index=index, trust=trust, passphrase_file=passphrase_file
    )
    file = PatientFile.read(patient)
    if file.history_key is None:
        raise UsageError("expected a patient's file with its history key")
    with output.progress(as_json=as_json) as shown:
        task = shown.add_task("reading the log", total=None)
        whole = read_history(
            caller.node,
            file.history_key,
            caller.about.origin,
            caller.about.log_key,
            progress=lambda count: shown.advance(task, count),
        )
    told, size = list(whole.told), whole.size
    table = Table("n", "entry", "when", "what", "by", "purpose", "state")
    for item in told:
        table.add_row(*_row(item))
    output.result(
        {"whole": True, "entries": cast(JsonValue, told), "upTo": size}, table, as_json=as_json
    )
    if not as_json:
        output.console.print(
            f"whole: {len(told)} entries are yours among the log's first {size}, none was dropped"
        )


def _register(caller: Caller) -> PatientFile:
    answer = caller.node.post("/v1/subjects", {})
    key = HistoryKey(from_base64url(str(answer.get("historyKey"))))
    return PatientFile(
        subject=str(answer.get("subject")),
        member=Member(caller.about.member),
        origin=Origin(str(answer.get("origin"))),
        history_key=key,
        enrolment=None,
    )


def _row(item: Mapping[str, JsonValue]) -> tuple[str, ...]:
    asker = item.get("asker")
    who, purpose = "", ""
    if isinstance(asker, Mapping):
        person = asker.get("person")
        name = f"{person['name']}, " if isinstance(person, Mapping) else ""
        project = f" ({asker['project']})" if asker.get("project") else ""
        who = f"{name}{asker['role']} of {asker['institution']}{project}"
        purpose = str(asker["purpose"])
    when = datetime.fromtimestamp(number_in(item, "sequencedAt"), UTC)
    return (
        str(item["n"]),
        str(item["index"]),
        f"{when:%Y-%m-%d %H:%M:%S}Z",
        str(item["kind"]),
        who,
        purpose,
        str(item["state"]),
    )
