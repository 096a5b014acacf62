"""
`xinglin keys`: make, show and recover the keys of a person.

Secrets come from prompts, files or the environment, never from the command line, where every
process of the machine could read them. Of a secret only `keys new` shows anything, once.
"""

import getpass
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from xinglin._cli import output
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, from_base64url, hex0x
from xinglin.errors import KeyFileError, UsageError
from xinglin.keys import (
    Account,
    HpkeIdentity,
    PersonKeys,
    combine_recovery,
    new_phrase,
    read_key_file,
    write_key_file,
)
from xinglin.names import Member
from xinglin.note import LogKey

PASSPHRASE_VARIABLE = "XINGLIN_PASSPHRASE"  # noqa: S105
"""Environment variable that holds a key file's passphrase, for programs without a terminal."""

WORDS_A_LINE = 4
"""Words of a phrase shown on one line, so that they can be copied without slipping."""

app = typer.Typer(
    no_args_is_help=True,
    help="Make, show and recover the keys of a person.",
    epilog="A key file is encrypted under a passphrase: typed when asked for, or from "
    f"--passphrase-file, or from ${PASSPHRASE_VARIABLE}.",
)

FileArgument = Annotated[Path, typer.Argument(help="The key file.")]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help=f"Read the passphrase from this file's first line. Else ${PASSPHRASE_VARIABLE}, "
        "else it is asked for.",
    ),
]
"""Option of every command that opens a key file; hand its value to `open_person`."""


@app.command()
def new(
    file: Annotated[Path, typer.Argument(help="Where to write; nothing is overwritten.")],
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Make a fresh phrase of 24 words, and an encrypted key file that holds it.

    The phrase is shown once. Write it on paper: it gives back every key if the file is lost,
    and nothing else does. Whoever reads it has your keys.

    Example: xinglin keys new alice.key
    """
    phrase = new_phrase()
    passphrase = read_passphrase(passphrase_file, confirm=True)
    write_key_file(file, {"kind": "person", "phrase": phrase}, passphrase)
    words = phrase.split(" ")
    lines = [
        "  ".join(
            f"{at + 1:2}. {words[at]:<9}" for at in range(start, start + WORDS_A_LINE)
        ).rstrip()
        for start in range(0, len(words), WORDS_A_LINE)
    ]
    output.result(
        {"file": str(file), "phrase": phrase},
        ["Write these words on paper; they are not shown again.", "", *lines, "", f"wrote {file}"],
        as_json=as_json,
    )


@app.command()
def show(
    file: FileArgument,
    member: Annotated[
        list[int] | None,
        typer.Option(help="Show the keys for this institution; may be repeated."),
    ] = None,
    index: Annotated[int, typer.Option(help="Which enrolment: 0 is the first.")] = 0,
    grants: Annotated[int, typer.Option(help="Show this many grant accounts, from 0.")] = 0,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Show addresses, public keys and key digests; never a secret.

    A person has other keys at each institution, so say which: its member number is in the
    institution's papers and under /v1/about of its node.

    Example: xinglin keys show alice.key --member 1 --grants 2
    """
    secret = read_key_file(file, read_passphrase(passphrase_file))
    if secret.get("kind") == "person":
        if not member:
            raise UsageError("expected --member N: a person has other keys at each institution")
        person = _person(secret)
        shown: dict[str, JsonValue] = {
            "kind": "person",
            "members": [_at_member(person, Member(number), index, grants) for number in member],
        }
    else:
        shown = _single(secret)
    output.result(shown, _lines(shown), as_json=as_json)


@app.command()
def recover(
    file: Annotated[Path, typer.Argument(help="Where to write; nothing is overwritten.")],
    phrase_file: Annotated[
        Path | None, typer.Option(help="Read the 24 words from this file; else they are asked for.")
    ] = None,
    shares: Annotated[
        bool, typer.Option("--shares", help="Recover an institution's seed from SLIP-39 shares.")
    ] = False,
    share_file: Annotated[
        list[Path] | None,
        typer.Option(help="A file with shares, one a line; may be repeated. Implies --shares."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Make a key file again, from the 24 words or from recovery shares.

    Shares (SLIP-39) are those of an institution's recovery recipient, which its officers
    hold: bring as many as are needed, and no more.

    Examples: xinglin keys recover alice.key, or xinglin keys recover recovery.key
    --share-file one.txt --share-file two.txt
    """
    if (shares or share_file) and phrase_file is not None:
        raise UsageError("expected words or shares, got both")
    if shares or share_file:
        seed = combine_recovery(_read_shares(share_file or []))
        identity = HpkeIdentity.from_seed(seed)
        secret: dict[str, JsonValue] = {"kind": "encryption", "seed": base64url(seed)}
        result: dict[str, JsonValue] = {"file": str(file), "keyDigest": hex0x(identity.key_digest)}
    else:
        phrase = " ".join(_secret_text(phrase_file, "The 24 words, with spaces between").split())
        PersonKeys.from_phrase(phrase)
        secret = {"kind": "person", "phrase": phrase}
        result = {"file": str(file)}
    write_key_file(file, secret, read_passphrase(passphrase_file, confirm=True))
    output.result(result, [f"wrote {file}"], as_json=as_json)


def open_person(file: Path, passphrase_file: Path | None) -> PersonKeys:
    """Open a person's key file, for the other groups of commands. Raises `KeyFileError`."""
    return _person(read_key_file(file, read_passphrase(passphrase_file)))


def read_passphrase(passphrase_file: Path | None, *, confirm: bool = False) -> str:
    """
    Read a passphrase: from the file if named, else the environment, else the terminal.

    `confirm` asks twice. Raises `UsageError` where there is none to be had.
    """
    if passphrase_file is not None:
        return _first_line(passphrase_file)
    from_environment = os.environ.get(PASSPHRASE_VARIABLE)
    if from_environment:
        return from_environment
    passphrase = _ask("Passphrase of the key file")
    if confirm and _ask("The same again") != passphrase:
        raise UsageError("the two passphrases differ")
    return passphrase


def _ask(question: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError(f"no terminal to ask on: use a file option or set {PASSPHRASE_VARIABLE}")
    return getpass.getpass(f"{question}: ")


def _first_line(path: Path) -> str:
    try:
        text = output.read_file(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected text in UTF-8") from error
    line = text.split("\n", 1)[0].removesuffix("\r")
    if not line:
        raise UsageError(f"{path}: expected a first line that is not empty")
    return line


def _secret_text(path: Path | None, question: str) -> str:
    return _ask(question) if path is None else _first_line(path)


def _read_shares(files: Sequence[Path]) -> list[str]:
    if not files:
        asked: list[str] = []
        while share := _ask(f"Share {len(asked) + 1}, or nothing to end").strip():
            asked.append(share)
        return asked
    try:
        lines = [line for path in files for line in output.read_file(path).decode().split("\n")]
    except UnicodeDecodeError as error:
        raise UsageError("expected shares as text in UTF-8") from error
    return [" ".join(line.split()) for line in lines if line.strip()]


def _person(secret: Mapping[str, JsonValue]) -> PersonKeys:
    phrase = secret.get("phrase")
    if secret.get("kind") != "person" or not isinstance(phrase, str):
        raise KeyFileError("expected the key file of a person")
    return PersonKeys.from_phrase(phrase)


def _at_member(person: PersonKeys, member: Member, index: int, grants: int) -> dict[str, JsonValue]:
    identity = person.encryption_identity(member, index)
    return {
        "member": member,
        "account": person.enrolled_account(member, index).address,
        "keyDigest": hex0x(identity.key_digest),
        "publicKey": base64url(identity.recipient.public_key),
        "grantAccounts": [person.grant_account(member, k).address for k in range(grants)],
    }


def _single(secret: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What may be shown of a file with one key: an account, an identity, or a log's key."""
    kind = secret.get("kind")
    key = secret.get("key" if kind == "account" else "seed")
    if not isinstance(key, str):
        raise KeyFileError("expected a key file of a person, an account, an identity or a log")
    raw = from_base64url(key)
    if kind == "account":
        return {"kind": kind, "account": Account.from_key(raw).address}
    if kind == "encryption":
        identity = HpkeIdentity.from_seed(raw)
        return {
            "kind": kind,
            "keyDigest": hex0x(identity.key_digest),
            "publicKey": base64url(identity.recipient.public_key),
        }
    if kind == "log":
        return {"kind": kind, "logKey": hex0x(LogKey.from_seed(raw).public)}
    raise KeyFileError("expected a key file of a person, an account, an identity or a log")


_TITLES = {
    "member": "member",
    "account": "account",
    "keyDigest": "key digest",
    "publicKey": "public key",
    "logKey": "log key",
    "grantAccounts": "grant account",
}


def _lines(shown: Mapping[str, JsonValue]) -> list[str]:
    members = shown.get("members")
    groups = members if isinstance(members, list) else [shown]
    lines: list[str] = []
    for group in groups:
        for name, title in _TITLES.items():
            value = group.get(name) if isinstance(group, Mapping) else None
            values = value if isinstance(value, list) else [] if value is None else [value]
            lines.extend(f"{title:<14} {item}" for item in values)
    return lines
