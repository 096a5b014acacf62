"""`xinglin appointment`: vouch for a person, and withdraw it."""

import secrets
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from xinglin._chain.consortium import Consortium
from xinglin._cli import output
from xinglin._cli.caller import TrustOption, now, read_json, write_json
from xinglin._cli.keys import open_person
from xinglin._cli.signing import (
    KeyOption,
    NetworkOption,
    PassphraseOption,
    open_account,
    open_network,
    open_pool,
    send,
    transaction_result,
)
from xinglin._cli.verify import find_trust
from xinglin.appointment import MAX_DAYS, Appointment, Person, Role, SignedAppointment, appoint
from xinglin.canonical import JsonValue
from xinglin.encoding import from_hex0x, hex0x
from xinglin.errors import UsageError
from xinglin.keys import Account
from xinglin.names import Member
from xinglin.typed import Domain

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Vouch for a person, and withdraw it.

An appointment says that an account acts for an institution in a role, for a year at most. It
travels with the person's requests and is checked at every one, at any node of the network.

    xinglin appointment issue --member 1 --role physician --name 王敏 --licence 110… \\
        --account 0x98… --key-digest 0x1f… --key appoint.key --out wang.json
    xinglin appointment reissue staff/*.json --key appoint.key --to staff-2027
    xinglin appointment withdraw wang.json --key appoint.key
""",
)

DAY = 86_400

LEAD_SECONDS = 300
"""
An appointment begins this long before it is signed: beginnings are held against the earlier
of the clock and the final block, which is a little behind, and clocks differ.
"""

ROLES: tuple[str, ...] = get_args(Role)
"""Every role that an appointment may name."""


@app.command()
def issue(
    key: KeyOption,
    member: Annotated[int, typer.Option(min=1, help="Your institution's number.")],
    role: Annotated[str, typer.Option(help=f"One of {', '.join(ROLES)}.")],
    name: Annotated[str, typer.Option(help="The person's name; only its salted digest is signed.")],
    out: Annotated[Path, typer.Option(help="Where to write the appointment.")],
    licence: Annotated[str, typer.Option(help="The number of their licence, if any.")] = "",
    account: Annotated[str | None, typer.Option(help="The person's account.")] = None,
    key_digest: Annotated[
        str | None, typer.Option(help="Digest of the person's encryption key.")
    ] = None,
    person_keys: Annotated[
        Path | None,
        typer.Option(help="Instead of both: the person's key file, where it is at hand."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="For how many days.")] = MAX_DAYS,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Appoint a person, with an APPOINT account of the institution.

    The person gives account and key digest (`xinglin keys show`). The file that is written
    holds the name too: give it to the person, and to nobody else.

    Example: xinglin appointment issue --member 1 --role physician --name 王敏
    --account 0x98… --key-digest 0x1f… --key appoint.key --out wang.json
    """
    if role not in ROLES:
        raise UsageError(f"expected a role: {', '.join(ROLES)}")
    at = _person_keys(person_keys, Member(member), account, key_digest, passphrase_file)
    person = Person(name=name, licence=licence, salt=secrets.token_bytes(32))
    begins = now() - LEAD_SECONDS
    appointment = Appointment(
        id=secrets.token_bytes(32),
        member=member,
        account=at[0],
        key_digest=at[1],
        role=cast(Role, role),
        person_digest=person.digest(),
        not_before=begins,
        not_after=begins + days * DAY,
    )
    officer = open_account(key, passphrase_file)
    domain = find_trust(trust).consortium_domain()
    value = shown(appoint(appointment, officer, domain), person)
    write_json(out, value)
    output.result(
        {"file": str(out), "digest": hex0x(appointment.digest(domain)), "account": at[0]},
        [f"appointed {at[0]} as {role} of member {member}", f"wrote {out}"],
        as_json=as_json,
    )


@app.command()
def reissue(
    files: Annotated[list[Path], typer.Argument(help="Appointments to sign again.")],
    key: KeyOption,
    to: Annotated[Path, typer.Option(help="Folder for the new ones; made where absent.")],
    days: Annotated[int, typer.Option(min=1, max=MAX_DAYS, help="For how many days.")] = MAX_DAYS,
    trust: TrustOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Sign appointments again in one batch, after an APPOINT account ended or a year has passed.

    Person, account, key and role stay; id, dates and signature are new.

    Example: xinglin appointment reissue staff/*.json --key appoint.key --to staff-2027
    """
    officer = open_account(key, passphrase_file)
    domain = find_trust(trust).consortium_domain()
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{to}: {error.strerror}") from error
    written: list[str] = []
    with output.progress(as_json=as_json) as bar:
        task = bar.add_task("signing", total=len(files))
        for path in files:
            write_json(to / path.name, sign_again(read_json(path), officer, domain, days=days))
            written.append(str(to / path.name))
            bar.advance(task)
    output.result({"files": cast(JsonValue, written)}, written, as_json=as_json)


@app.command()
def withdraw(
    file: Annotated[Path, typer.Argument(help="The appointment.")],
    key: KeyOption,
    network: NetworkOption = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Withdraw an appointment on the chain, with a GOVERN or APPOINT account.

    It ends at every node as soon as that block is final there. The chain learns a digest.

    Example: xinglin appointment withdraw wang.json --key appoint.key
    """
    signed = read_signed(read_json(file))
    profile = open_network(network)
    domain = Domain(profile.chain_id, profile.deployed.consortium.address)
    digest = signed.appointment.digest(domain)
    account = open_account(key, passphrase_file)
    with open_pool(profile) as pool:
        call = Consortium(pool).withdraw_appointment(digest)
        state = send(pool, account, call, as_json=as_json)
    value, lines = transaction_result(state, "withdrawn", {"digest": hex0x(digest)})
    output.result(value, lines, as_json=as_json)


def shown(signed: SignedAppointment, person: Person | None) -> dict[str, JsonValue]:
    """The JSON in which an appointment travels."""
    return {**signed.to_json(), "person": None if person is None else person.to_json()}


def read_signed(value: dict[str, JsonValue]) -> SignedAppointment:
    """Read an appointment's file. Raises `InvalidEncoding`."""
    return SignedAppointment.from_json(
        {name: item for name, item in value.items() if name != "person"}
    )


def sign_again(
    value: dict[str, JsonValue], officer: Account, domain: Domain, *, days: int
) -> dict[str, JsonValue]:
    """Sign the same appointment with a new id and new dates."""
    old = read_signed(value).appointment
    begins = now() - LEAD_SECONDS
    renewed = old.model_copy(
        update={
            "id": secrets.token_bytes(32),
            "not_before": begins,
            "not_after": begins + days * DAY,
        }
    )
    person = value.get("person")
    return shown(
        appoint(renewed, officer, domain),
        None if person is None else Person.from_json(person),
    )


def _person_keys(
    file: Path | None,
    member: Member,
    account: str | None,
    key_digest: str | None,
    passphrase_file: Path | None,
) -> tuple[str, bytes]:
    if file is not None and account is None and key_digest is None:
        person = open_person(file, passphrase_file)
        identity = person.encryption_identity(member)
        return person.enrolled_account(member).address, identity.key_digest
    if file is None and account is not None and key_digest is not None:
        return account, from_hex0x(key_digest)
    raise UsageError("expected --account and --key-digest, or --person-keys")
