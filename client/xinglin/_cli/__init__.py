"""
The command `xinglin`: one file per group of commands.

The node and the models add their groups through the entry point group
`xinglin.commands`; where they are not installed the command says which extra brings them.
"""

import importlib
import sys
from importlib.metadata import entry_points
from typing import cast

import click
import typer
from typer.exceptions import TyperException
from typer.main import get_command

from xinglin import __version__
from xinglin._cli import output
from xinglin.errors import UsageError, XinglinError

_GROUPS: dict[str, str] = {
    "keys": "Make, show and recover the keys of a person.",
    "network": "Start, stop, deploy and describe a chain.",
    "member": "Propose and vote on members, and change your own institution's entries.",
    "appointment": "Vouch for a person, and withdraw it.",
    "subject": "Enrol a data subject, and read who looked.",
    "record": "Submit, list, show and open records.",
    "consent": "Give, witness, show and revoke grants.",
    "access": "Ask for records, and open what was released.",
    "model": "Register models and vote on them.",
    "inference": "Run an inference again and compare.",
}
"""Groups of the library, each a module of this package with an `app`."""

_COMMANDS: dict[str, str] = {
    "verify": "Check a bundle against a trust root.",
    "demo": "Tell one record's whole life, on a chain of your own.",
}
"""Single commands, each a module of this package with a function of its name."""

_EXTRAS: dict[str, tuple[str, str]] = {
    "node": ("node", "Set up and run a hospital's node."),
    "ner": ("ml", "Read clinical Chinese: predict, show, train."),
    "terminology": ("ml", "Import terminology tables."),
}
"""Groups of the packages that stand on the library, and the extra that brings each."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are used, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_GROUPS, *_COMMANDS, *_EXTRAS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _GROUPS:
            module = importlib.import_module(f"xinglin._cli.{cmd_name}")
            command = _as_click(module.app)
        elif cmd_name in _COMMANDS:
            module = importlib.import_module(f"xinglin._cli.{cmd_name}")
            single = typer.Typer(add_completion=False)
            single.command(name=cmd_name)(getattr(module, cmd_name))
            command = _as_click(single)
        elif cmd_name in _EXTRAS:
            command = _from_extra(cmd_name)
        else:
            return None
        command.name = cmd_name
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        helps = _GROUPS | _COMMANDS | {name: text for name, (_, text) in _EXTRAS.items()}
        with formatter.section("Commands"):
            formatter.write_dl(list(helps.items()))


def _as_click(app: typer.Typer) -> click.Command:
    # typer builds on a copy of click that it carries; the two are alike where we use them.
    return cast(click.Command, get_command(app))


def _from_extra(name: str) -> click.Command:
    extra, _ = _EXTRAS[name]
    found = [point for point in entry_points(group="xinglin.commands") if point.name == name]
    try:
        return _as_click(found[0].load())
    except (IndexError, ModuleNotFoundError):
        pass

    def missing() -> None:
        raise UsageError(
            f"`xinglin {name}` is not installed: pip install 'xinglin[{extra}]' brings it"
        )

    return click.Command(
        name,
        callback=missing,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
        add_help_option=False,
    )


@click.group(
    cls=_Lazy,
    name="xinglin",
    help="Sealed medical records, consent and inferences that anyone concerned can verify.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="xinglin")
def _xinglin() -> None:
    pass


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with its code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        outcome = _xinglin.main(args=arguments, standalone_mode=False)
        sys.exit(outcome if isinstance(outcome, int) else output.DONE)
    except XinglinError as error:
        sys.exit(output.fail(error, as_json="--json" in arguments))
    except typer.Exit as ended:  # typer carries a click of its own, with exceptions of its own
        sys.exit(ended.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(output.WRONG_USAGE)
    except TyperException as error:
        output.errors.print(error.format_message(), markup=False, soft_wrap=True)
        sys.exit(output.WRONG_USAGE)
    except OSError as error:
        # A full disk, a file that vanished while it was read: not ours, and said all the same.
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(output.fail(UsageError(f"{where}{error.strerror}"), as_json="--json" in arguments))
    except (click.Abort, typer.Abort, KeyboardInterrupt):
        output.errors.print("interrupted")
        sys.exit(output.REFUSED)
