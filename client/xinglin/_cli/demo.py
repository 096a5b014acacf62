"""`xinglin demo`: one record's whole life, on a chain of your own."""

import json
import shutil
import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from xinglin._cli import output
from xinglin._cli.interruption import terminated_as_interrupted
from xinglin._demo import world as stage
from xinglin._demo.records import own_notes, read_records
from xinglin._demo.story import told
from xinglin._demo.telling import Telling
from xinglin._demo.world import World
from xinglin.canonical import JsonValue
from xinglin.errors import UsageError

FOLDER = Path(".demo")
"""Where a demo keeps its chain and nodes."""


def demo(
    records: Annotated[
        Path | None,
        typer.Option(
            help="Your own records instead of the forty notes: a .jsonl with a text in each "
            "line, a folder of files, or one file of any kind."
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running, until the next demo.")
    ] = False,
    engine: Annotated[
        Literal["anvil", "clique"],
        typer.Option(help="One development chain, or four validators on this machine."),
    ] = "anvil",
    folder: Annotated[
        Path, typer.Option(help="Where the chain and the nodes are kept; made anew each time.")
    ] = FOLDER,
    as_json: output.JsonOption = False,
) -> None:
    """
    Tell one record's whole life: sealed, read, logged, anchored, consented, opened, attacked.

    Starts a chain and two hospitals' nodes, and stops them at the end. Ctrl-C stops them too.

    Example: xinglin demo --records notes.jsonl
    """
    chosen = own_notes() if records is None else read_records(records)
    telling = Telling(output.errors, quiet=as_json)
    _clear(folder, telling)
    with (
        terminated_as_interrupted(),
        told(folder, chosen, telling, engine=engine, wallets=records is None, keep=keep) as world,
    ):
        seconds = time.monotonic() - telling.started
        value: dict[str, JsonValue] = {
            "seconds": round(seconds),
            "rows": telling.to_json(),
            "kept": keep,
        }
        if keep:
            value["nodes"] = [node.url for node in world.nodes]
        output.result(value, telling.table(), as_json=as_json)
        if not as_json:
            output.console.print(f"told in {seconds:.0f} s")
            for line in _kept(world) if keep else ():
                output.console.print(line, markup=False, soft_wrap=True)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


def _clear(folder: Path, telling: Telling) -> None:
    """Stop what an earlier demo left running, say so, and make the folder anew."""
    try:
        if folder.exists():
            # Before anything is stopped: another folder's processes are not a demo's.
            if any(folder.iterdir()) and not (folder / stage.MARKER).exists():
                raise UsageError(f"{folder}: expected the folder of a demo, or none")
            stopped = stage.stop_all(folder)
            if stopped:
                telling.say(f"stopped {stopped} processes that an earlier demo had kept")
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        (folder / stage.MARKER).touch()
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}") from error


def _kept(world: World) -> list[str]:
    node = world.nodes[0]
    return [
        "",
        f"still running in {world.folder}; the next demo stops it",
        f"  chain      {world.profile.rpc[0]} (chain id {world.profile.chain_id})",
        *(f"  {one.folder.name}     {one.url}  docs {one.url}/docs" for one in world.nodes),
        f"  contracts  {json.dumps({k: c.address for k, c in world.profile.deployed.items()})}",
        f"  hospitals  {', '.join(f'{h.name} ({h.govern.address})' for h in world.hospitals)}",
        "",
        "try:",
        f"  xinglin verify {world.folder}/bundles/access.xinglin.json --trust {world.trust_file}",
        f"  curl {node.url}/v1/status",
        f"  xinglin member list --network {world.folder}/chain/network.toml",
    ]
