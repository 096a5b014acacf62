"""`xinglin consent`: give, witness, show and revoke grants."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, cast
from uuid import UUID

import typer
from rich.table import Table

from xinglin import consent as consents
from xinglin._cli import output
from xinglin._cli.caller import (
    AppointmentOption,
    Caller,
    FileOption,
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
from xinglin._cli.terms import make_terms
from xinglin._http import NodeClient
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, from_base64url, from_hex0x, hex0x
from xinglin.errors import InvalidEncoding
from xinglin.grant import DAY, read_terms, sign_grant_account
from xinglin.names import GrantId, Signature, UnixTime

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Give, witness, show and revoke grants.

A grant says who may open which records, for what and until when. It is signed by a fresh
account, used for nothing else, that the enrolled account vouches for. The chain learns a
digest; what it says stays with the institution.

    xinglin consent grant --to 4 --role researcher --purpose HRESCH --research DUO:0000006 …
    xinglin consent show --file patient.json …
    xinglin consent revoke grant.json --node https://h.example
""",
)

GrantFile = Annotated[Path, typer.Argument(help="The file that `consent grant` wrote.")]
ToOption = Annotated[int, typer.Option("--to", min=1, help="Member that may open.")]
RoleOption = Annotated[
    str | None, typer.Option("--role", help="Role that the person must have; any where absent.")
]
AccountOption = Annotated[
    str | None, typer.Option("--account", help="The one account that may open.")
]
ProjectOption = Annotated[str | None, typer.Option("--project", help="Shown, not enforced.")]
PurposeOption = Annotated[
    list[str], typer.Option("--purpose", help="HL7 PurposeOfUse code; may be repeated.")
]
ResearchOption = Annotated[
    str | None,
    typer.Option("--research", help="DUO terms, separated by commas, with the purpose HRESCH."),
]
RecordOption = Annotated[
    list[UUID] | None, typer.Option("--record", help="A record; may be repeated.")
]
CategoryOption = Annotated[
    list[str] | None,
    typer.Option("--category", help="Every record of this category; may be repeated."),
]
DaysOption = Annotated[int, typer.Option("--days", min=1, help="For how many days.")]
ViewOption = Annotated[
    str, typer.Option("--view", help="whole, or entities: what models found, not the notes.")
]
SentenceOption = Annotated[
    str | None, typer.Option("--sentence", help="What is agreed to, in the patient's words.")
]


@app.command()
def grant(
    node: NodeOption,
    keys: KeysOption,
    file: Annotated[Path, typer.Option("--file", help="The patient's file.")],
    to: ToOption,
    purpose: PurposeOption,
    out: Annotated[
        Path, typer.Option(help="Where to write the grant with its tear-off revocation.")
    ],
    role: RoleOption = None,
    account: AccountOption = None,
    project: ProjectOption = None,
    research: ResearchOption = None,
    record: RecordOption = None,
    category: CategoryOption = None,
    days: DaysOption = 30,
    view: ViewOption = "whole",
    newest: Annotated[
        bool, typer.Option("--newest", help="Only the newest version of each record.")
    ] = False,
    releases: Annotated[
        int | None, typer.Option(min=1, help="How often a record may be released…")
    ] = None,
    within: Annotated[int, typer.Option(min=1, help="…within this many days.")] = 30,
    onward: Annotated[
        bool, typer.Option("--onward", help="The grantee may pass on what was opened.")
    ] = False,
    sentence: SentenceOption = None,
    number: Annotated[
        int | None,
        typer.Option(
            "--number", min=0, help="Which of your grant accounts; a fresh one where absent."
        ),
    ] = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Give a grant about one's own records, and deposit it with the institution.

    The file that is written ends the grant with `xinglin consent revoke`: whoever has it can
    do that, and nothing else.

    Example: xinglin consent grant --node https://h.example --keys alice.key --file patient.json
    --to 2 --role physician --purpose TREAT --category outpatient-note --out grant.json
    """
    caller = connect(
        node, keys, file=file, index=index, trust=trust, passphrase_file=passphrase_file
    )
    patient = PatientFile.read(file)
    used = _next_account(caller) if number is None else number
    fresh = caller.person.grant_account(caller.about.member, used)
    word = sign_grant_account(caller.about.member, fresh.address, caller.account, caller.domain)
    terms = make_terms(
        patient=patient,
        subject_account=caller.account.address,
        subject_signature=word,
        to=to,
        role=role,
        account=account,
        project=project,
        purposes=purpose,
        research=research,
        records=record,
        categories=category,
        view=view,
        newest=newest,
        frequency=None if releases is None else (releases, within),
        onward=onward,
        sentence=sentence,
        evidence=None,
    )
    signed = consents.sign(
        terms,
        custodian=caller.about.member,
        account=fresh,
        days=days,
        now=UnixTime(now()),
        consents=caller.consents,
    )
    # The tear-off first: a grant that is given can then always be ended.
    write_json(
        out,
        {
            "format": "xinglin.grant/1",
            "grantId": hex0x(signed.id),
            "revocation": base64url(signed.revocation),
            "custodian": signed.grant.custodian,
            "terms": signed.grant.terms.decode(),
            "expiresAt": signed.grant.expires_at,
        },
    )
    answer = consents.give_through(caller.node, signed)
    output.result(
        {"file": str(out), "grantId": hex0x(signed.id), "deposit": answer},
        [
            f"granted {hex0x(signed.id)}",
            f"until {_day(signed.grant.expires_at)}; the institution carries it to the chain",
            f"wrote {out}: keep it, it ends the grant",
        ],
        as_json=as_json,
    )


@app.command()
def witness(
    node: NodeOption,
    keys: KeysOption,
    appointment: Annotated[
        Path,
        typer.Option("--appointment", envvar="XINGLIN_APPOINTMENT", help="Your appointment: desk."),
    ],
    file: Annotated[Path, typer.Option("--file", help="The patient's file.")],
    to: ToOption,
    purpose: PurposeOption,
    evidence: Annotated[
        str, typer.Option(help="Manifest digest of the sealed form that was signed on paper.")
    ],
    role: RoleOption = None,
    account: AccountOption = None,
    project: ProjectOption = None,
    research: ResearchOption = None,
    record: RecordOption = None,
    category: CategoryOption = None,
    days: DaysOption = 30,
    view: ViewOption = "whole",
    sentence: SentenceOption = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Witness at the desk what a patient without a device signed on paper.

    It is marked as witnessed for ever. Refused for a patient whose enrolment names an
    account: such a patient signs for themselves.

    Example: xinglin consent witness --node https://h.example --keys desk.key --appointment
    desk.json --file patient.json --to 2 --purpose TREAT --category outpatient-note
    --evidence sha256:5f…
    """
    caller = connect(
        node, keys, appointment=appointment, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    patient = PatientFile.read(file)
    terms = make_terms(
        patient=patient,
        subject_account=None,
        subject_signature=None,
        to=to,
        role=role,
        account=account,
        project=project,
        purposes=purpose,
        research=research,
        records=record,
        categories=category,
        view=view,
        newest=False,
        frequency=None,
        onward=False,
        sentence=sentence,
        evidence=evidence,
    )
    answer = caller.node.post(
        "/v1/grants/witnessed",
        {
            "subject": patient.subject,
            "terms": terms.encode().decode(),
            "notBefore": 0,
            "expiresAt": -(-(now() + days * DAY) // DAY) * DAY,
        },
    )
    shown = answer.get("grant")
    identity = shown.get("grantId") if isinstance(shown, Mapping) else None
    output.result(answer, [f"witnessed {identity}"], as_json=as_json)


@app.command()
def revoke(
    file: GrantFile,
    node: NodeOption,
    as_json: output.JsonOption = False,
) -> None:
    """
    End a grant with its tear-off. Anybody who has the file can; no keys are needed.

    The node releases nothing more from its answer on, and carries the revocation to the chain.

    Example: xinglin consent revoke grant.json --node https://h.example
    """
    value = read_json(file)
    identity, revocation = value.get("grantId"), value.get("revocation")
    if not isinstance(identity, str) or not isinstance(revocation, str):
        raise InvalidEncoding(f"{file}: expected a file that `xinglin consent grant` wrote")
    answer = consents.revoke_through(
        NodeClient(node), GrantId(from_hex0x(identity)), Signature(from_base64url(revocation))
    )
    output.result(answer, [f"{answer.get('state')}: {identity}"], as_json=as_json)


@app.command()
def show(
    node: NodeOption,
    keys: KeysOption,
    grant_id: Annotated[
        str | None, typer.Argument(help="One grant; all that concern you where absent.")
    ] = None,
    appointment: AppointmentOption = None,
    file: FileOption = None,
    index: IndexOption = 0,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Show the grants that you gave (--file), or that name you (--appointment).

    Example: xinglin consent show --node https://h.example --keys alice.key --file patient.json
    """
    caller = connect(
        node, keys, appointment=appointment, file=file, index=index, trust=trust,
        passphrase_file=passphrase_file,
    )  # fmt: skip
    if grant_id is not None:
        shown = caller.node.get(f"/v1/grants/{grant_id}")
        output.result(shown, _described(shown), as_json=as_json)
        return
    answer = caller.node.get("/v1/grants")
    grants = cast(list[Mapping[str, JsonValue]], answer.get("grants"))
    table = Table("grant", "to", "for", "until", "state", "what it says")
    for one in grants:
        table.add_row(*_row(one))
    output.result(answer, table, as_json=as_json)


def _next_account(caller: Caller) -> int:
    """How many grants were deposited: the next grant account is used for nothing yet."""
    grants = caller.node.get("/v1/grants").get("grants")
    return len(grants) if isinstance(grants, list) else 0


def _row(one: Mapping[str, JsonValue]) -> tuple[str, ...]:
    terms = read_terms(str(one["terms"]).encode())
    grantee = terms.grantee
    to = f"member {grantee.member}" + (f", {grantee.role}" if grantee.role else "")
    return (
        str(one["grantId"]),
        to,
        ", ".join(terms.purposes),
        _day(one.get("expiresAt")),
        _state(one),
        terms.sentence,
    )


def _described(one: Mapping[str, JsonValue]) -> list[str]:
    names = ("grant", "to", "for", "until", "state", "says")
    return [f"{name:<6} {value}" for name, value in zip(names, _row(one), strict=True)]


def _state(one: Mapping[str, JsonValue]) -> str:
    state = one.get("state")
    if one.get("stopped"):
        return "stopped"
    if not isinstance(state, Mapping):
        return "not yet on the chain"
    if state.get("revokedAt"):
        return "revoked"
    expires = state.get("expiresAt")
    return "expired" if isinstance(expires, int) and now() >= expires else "alive"


def _day(at: JsonValue) -> str:
    return str(datetime.fromtimestamp(at, UTC).date()) if isinstance(at, int) else str(date.min)
