"""`xinglin network validator`: vote on who seals, and compare the record with who does."""

from pathlib import Path
from typing import Annotated

import typer

from xinglin._cli import output
from xinglin._cli.options import NetworkFolderOption
from xinglin._cli.output import JsonOption
from xinglin._cli.signing import (
    DEFAULT_FOLDER,
    NetworkOption,
    PassphraseOption,
    checksummed,
    open_network,
    open_pool,
    read_passphrase,
)
from xinglin._cli.standing import look_at_validators
from xinglin.canonical import JsonValue
from xinglin.errors import ChainError, UsageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Vote on validators, and compare who is on record with who seals.

Each institution casts its vote on its own node. More than half of the validators must agree;
votes that do not get there lapse at the end of the epoch.
""",
)


@app.command("propose")
def propose_validator(
    address: Annotated[str, typer.Argument(help="The validator's account.")],
    data: NetworkFolderOption = DEFAULT_FOLDER,
    node: Annotated[
        str,
        typer.Option(help="Your own node: its name in the folder, or a Besu node's RPC address."),
    ] = "node1",
    remove: Annotated[
        bool, typer.Option("--remove", help="Vote it out; without this, in.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """
    Cast your institution's vote on a validator, on your own node.

    The vote goes into the blocks that the node proposes. More than half of the validators
    must cast it; `network validator list` shows who seals since.
    """
    from xinglin._network.votes import cast_vote

    cast_vote(data.resolve(), node, checksummed(address), admit=not remove)
    what = "out" if remove else "in"
    value: dict[str, JsonValue] = {"address": address, "admit": not remove, "node": node}
    output.result(value, [f"{node} votes {address} {what}"], as_json=json)


@app.command("list")
def list_validators(
    network: NetworkOption = None,
    data: NetworkFolderOption = DEFAULT_FOLDER,
    json: JsonOption = False,
) -> None:
    """
    Show who is on record as a validator, who may seal, and who sealed the last blocks.

    The second and third come from the headers, followed from genesis, and from nobody's word.
    Exits 1 where record and reality differ.
    """
    path = network or data / "network.toml"
    profile = open_network(path)
    with open_pool(profile, contracts=False) as pool:
        found = look_at_validators(pool, path.parent, as_json=json)
    if found is None:
        raise UsageError(f"expected a network with validators, got {profile.engine}")
    output.result(found.to_json(), found.lines(), as_json=json)
    if found.difference:
        raise ChainError(f"record and reality differ; {found.difference}")


@app.command("new")
def new_validator(
    out: Annotated[Path, typer.Option("--out", help="A new folder for the key.")],
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """
    Make the key of one more validator: key.json (encrypted), address and node-id.

    For an institution that joins, and for one whose key is lost or to be rotated. It seals
    nothing until the others voted for the address (`network validator propose`).
    """
    from xinglin._network.besu import write_key

    address = write_key(out, read_passphrase(passphrase_file, confirm=True))
    output.result(
        {"address": address, "folder": str(out)},
        [f"{address}: encrypted key in {out}"],
        as_json=json,
    )
