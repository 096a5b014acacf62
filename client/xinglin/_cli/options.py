"""
Options that many commands share.

They import nothing of what the commands do, so that a group whose help is asked for, or
whose other commands need neither node nor chain, does not wait for that.
"""

from pathlib import Path
from typing import Annotated

import typer

NodeOption = Annotated[
    str, typer.Option("--node", envvar="XINGLIN_NODE", help="URL of the institution's node.")
]
KeysOption = Annotated[
    Path,
    typer.Option(
        "--keys", envvar="XINGLIN_KEYS", help="Your key file; `xinglin keys new` makes one."
    ),
]
AppointmentOption = Annotated[
    Path | None,
    typer.Option(
        "--appointment",
        envvar="XINGLIN_APPOINTMENT",
        help="Your signed appointment, for who speaks for an institution.",
    ),
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", help="The file that the desk gave you, for a data subject."),
]
IndexOption = Annotated[
    int,
    typer.Option("--index", min=0, help="Which of your enrolments or appointments, from 0."),
]
TrustOption = Annotated[
    Path | None,
    typer.Option("--trust", help="The network's trust root; else as `xinglin verify` finds it."),
]
PassphraseOption = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File whose first line opens the key file."),
]
NetworkOption = Annotated[
    Path | None,
    typer.Option(
        "--network",
        envvar="XINGLIN_NETWORK",
        help="The network's profile, a TOML file. By default the one of .xinglin/network.",
    ),
]
NetworkFolderOption = Annotated[
    Path, typer.Option("--data", help="Folder of the network: keys, blocks, profile.")
]
