"""`xinglin network node`: say which nodes may connect to the others."""

from typing import Annotated

import typer

from xinglin._cli import output
from xinglin._cli.options import NetworkFolderOption
from xinglin._cli.output import JsonOption
from xinglin._cli.signing import DEFAULT_FOLDER, steps
from xinglin.canonical import JsonValue
from xinglin.errors import UsageError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="""Admit nodes to the peer network. Without that, a node finds no peers.""",
)

ReloadOption = Annotated[
    list[str] | None,
    typer.Option("--reload", help="RPC address of a Besu node of yours that reads it again."),
]


@app.command("add")
def add_node(
    data: NetworkFolderOption = DEFAULT_FOLDER,
    enode: Annotated[
        str | None,
        typer.Option(help="Address of a node that exists; without this, one is made and started."),
    ] = None,
    reload: ReloadOption = None,
    json: JsonOption = False,
) -> None:
    """
    Admit a node to the peer network, and start it where none is named.

    It seals nothing until it is voted in as a validator. In a network of Besu nodes each
    institution does this for its own nodes, and names the address.
    """
    from xinglin._network import peers
    from xinglin._network.votes import admit_node

    if peers.has_lists(data):
        if enode is None:
            raise UsageError("expected --enode: nodes of this network are started elsewhere")
        peers.admit(data, enode, reload=reload or [])
        output.result({"enode": enode}, [f"admitted: {enode}"], as_json=json)
        return
    with steps(as_json=json) as say:
        node = admit_node(data.resolve(), enode, say)
    value: dict[str, JsonValue] = {"name": node.name, "enode": node.enode, "rpc": node.url}
    output.result(value, [f"{node.name} is admitted: {node.enode}"], as_json=json)


@app.command("remove")
def remove_node(
    enode: Annotated[str, typer.Option(help="Address of the node, as it was added.")],
    data: NetworkFolderOption = DEFAULT_FOLDER,
    reload: ReloadOption = None,
    json: JsonOption = False,
) -> None:
    """Let a node of a Besu network connect no more. A validator is voted out before."""
    from xinglin._network import peers

    if not peers.has_lists(data):
        raise UsageError(f"expected a folder that `xinglin network genesis` wrote, got {data}")
    peers.dismiss(data, enode, reload=reload or [])
    output.result({"enode": enode}, [f"dismissed: {enode}"], as_json=json)
