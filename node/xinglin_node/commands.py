"""`xinglin node`: make a node's folder, and run it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from xinglin._cli import output
from xinglin._cli.signing import PassphraseOption, read_passphrase
from xinglin._network.institution import RoleName
from xinglin.canonical import JsonValue
from xinglin.document import base64url, hex0x
from xinglin.errors import InvalidEncoding, UsageError
from xinglin.keys import to_address
from xinglin.names import Address
from xinglin_node.settings import SETTINGS_FILE

app = typer.Typer(
    no_args_is_help=True,
    help="Set up and run a hospital's node.",
    epilog="`init` makes a folder with keys, settings and recovery shares; `serve` runs it.",
)

FolderArgument = Annotated[Path, typer.Argument(help="The node's folder.")]


@app.command()
def init(
    folder: FolderArgument,
    name: Annotated[str, typer.Option(help="The institution's name, as all members read it.")],
    url: Annotated[str, typer.Option(help="Where others reach this node.")],
    network: Annotated[
        Path, typer.Option("--network", envvar="XINGLIN_NETWORK", help="The network's profile.")
    ] = Path(".xinglin/network/network.toml"),
    role: Annotated[RoleName, typer.Option(help="What the institution is.")] = "hospital",
    member: Annotated[
        int | None, typer.Option(min=1, help="The institution's number, if it belongs already.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the routes.")] = 8100,
    metrics_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of /metrics, on the loopback address.")
    ] = 9100,
    govern: Annotated[
        list[str] | None, typer.Option(help="An officer's account that governs. Repeatable.")
    ] = None,
    appoint: Annotated[
        list[str] | None, typer.Option(help="An officer's account that appoints. Repeatable.")
    ] = None,
    officer: Annotated[
        bool,
        typer.Option("--officer", help="Make an account that governs and appoints, and its file."),
    ] = False,
    witness: Annotated[
        bool, typer.Option("--witness", help="Make an account for witnessed grants.")
    ] = False,
    shares: Annotated[int, typer.Option(min=2, max=16, help="Shares of the recovery key.")] = 5,
    threshold: Annotated[
        int, typer.Option(min=2, max=16, help="Shares that are needed together.")
    ] = 3,
    passphrase_file: PassphraseOption = None,
    as_json: output.JsonOption = False,
) -> None:
    """
    Make a node: log key, ANCHOR account, system account, encryption key, recovery shares.

    Every secret is in one file, encrypted under the passphrase. The recovery key leaves only
    as shares, one file for each officer: hand them over and delete them here. What the
    network needs to know of the institution is written to institution.json.

    Example: xinglin node init hospital-a --name 杏林第一中医院 --url https://a.example --officer
    """
    from xinglin_node import folder as folders

    plan = folders.Plan(
        name=name,
        role=role,
        url=url.rstrip("/"),
        port=port,
        metrics_port=metrics_port,
        network=network,
        member=member,
        threshold=threshold,
        shares=shares,
        witness=witness,
        officer=officer,
        govern=[_address(one) for one in govern or ()],
        appoint=[_address(one) for one in appoint or ()],
    )
    keys = folders.make(folder, plan, read_passphrase(passphrase_file))
    accounts: dict[str, JsonValue] = {
        "anchor": keys.anchor.address,
        "system": keys.system.address,
    }
    if keys.witness is not None:
        accounts["witness"] = keys.witness.address
    value: dict[str, JsonValue] = {
        "folder": str(folder),
        "settings": str(folder / SETTINGS_FILE),
        "institution": str(folder / folders.INSTITUTION_FILE),
        "logKey": base64url(keys.log.public),
        "systemKeyDigest": hex0x(keys.institution.key_digest),
        "accounts": accounts,
        "shares": shares,
        "threshold": threshold,
    }
    output.result(
        value,
        (
            f"made a node in {folder}",
            *(f"  {which:8} {address}" for which, address in accounts.items()),
            f"  {threshold} of {shares} officers recover: hand over {folder}/recovery-share-*.txt, "
            "then delete them here",
            f"  found or join a network with {folder / folders.INSTITUTION_FILE}",
            "  appoint the system account: xinglin appointment issue --role system, written to "
            f"{folder}/system.appointment.json",
            f"  then: xinglin node serve {folder}",
        ),
        as_json=as_json,
    )


@app.command()
def serve(
    folder: FolderArgument,
    member: Annotated[
        int | None, typer.Option(min=1, help="The institution's number, instead of the file's.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the routes.")] = None,
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of /metrics.")
    ] = None,
    ready: Annotated[
        Path | None,
        typer.Option(help="File to write the process id to, once requests are answered."),
    ] = None,
    passphrase_file: PassphraseOption = None,
) -> None:
    """
    Run a node until it is told to stop (SIGINT or SIGTERM).

    Settings come from the options here, then the environment (XINGLIN_...), then
    FOLDER/node.toml. It refuses to start on another chain, without its recovery recipient,
    or on a database that another node is using.

    Example: xinglin node serve hospital-a --passphrase-file passphrase
    """
    from xinglin_node.serving import serve as run
    from xinglin_node.settings import load

    given: dict[str, object] = {
        name: value
        for name, value in (("member", member), ("port", port), ("metrics_port", metrics_port))
        if value is not None
    }
    if passphrase_file is not None or "XINGLIN_PASSPHRASE" not in os.environ:
        given["passphrase"] = read_passphrase(passphrase_file)
    run(load(folder / SETTINGS_FILE, **given), ready=ready)


def _address(text: str) -> Address:
    try:
        return to_address(bytes.fromhex(text.removeprefix("0x")))
    except (ValueError, InvalidEncoding) as error:
        raise UsageError(f"expected an account's address, got {text!r:.50}") from error
