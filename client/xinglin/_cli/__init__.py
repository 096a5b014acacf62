"""
The command `xinglin`: one file per group of commands.

The node and the models add their groups through the entry point group
`xinglin.commands`; where they are not installed the command says which extra brings them.
"""

import importlib
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup
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
    "inference": "Fetch what proves an inference; run it again and compare.",
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

_BROUGHT = {"node": "fastapi", "ml": "onnxruntime"}
"""A package that each extra brings: without it the extra is not installed."""


class _Lazy(TyperGroup):
    """A group whose commands are imported when they are used, so that `--help` is quick."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [*_GROUPS, *_COMMANDS, *_EXTRAS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in _GROUPS:
            app: typer.Typer = importlib.import_module(f"xinglin._cli.{cmd_name}").app
        elif cmd_name in _COMMANDS:
            module = importlib.import_module(f"xinglin._cli.{cmd_name}")
            app = typer.Typer(add_completion=False)
            app.command(name=cmd_name)(getattr(module, cmd_name))
        elif cmd_name in _EXTRAS:
            app = _from_extra(cmd_name)
        else:
            return None
        command = get_command(app)
        command.name = cmd_name
        return command

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        helps = _GROUPS | _COMMANDS | {name: text for name, (_, text) in _EXTRAS.items()}
        with formatter.section("Commands"):
            formatter.write_dl(list(helps.items()))


def _from_extra(name: str) -> typer.Typer:
    extra, _ = _EXTRAS[name]
    found = [point for point in entry_points(group="xinglin.commands") if point.name == name]
    if found and find_spec(_BROUGHT[extra]) is not None:
        return cast(typer.Typer, found[0].load())
    missing = typer.Typer(add_completion=False)

    @missing.command(
        name=name,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def say_so() -> None:
        raise UsageError(
            f"`xinglin {name}` is not installed: pip install 'xinglin[{extra}]' brings it"
        )

    return missing


def _show_version(asked: bool) -> None:
    if asked:
        output.console.print(f"xinglin {__version__}")
        raise typer.Exit


_app = typer.Typer(
    cls=_Lazy,
    name="xinglin",
    help="Sealed medical records, consent and inferences that anyone concerned can verify.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
)


@_app.callback()
def _root(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    pass


root = get_command(_app)
"""The whole command, for those who look through it."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit with its code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        outcome = root.main(args=arguments, prog_name="xinglin", standalone_mode=False)
        if outcome == output.INTERRUPTED:  # which is what Ctrl-C becomes
            output.errors.print("interrupted")
        sys.exit(outcome if isinstance(outcome, int) else output.DONE)
    except XinglinError as error:
        sys.exit(output.fail(error, as_json="--json" in arguments))
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    except TyperException as error:
        output.errors.print(error.format_message(), markup=False, soft_wrap=True)
        sys.exit(output.WRONG_USAGE)
    except OSError as error:
        # A full disk, a file that vanished while it was read: not ours, and said all the same.
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(output.fail(UsageError(f"{where}{error.strerror}"), as_json="--json" in arguments))
    except typer.Abort:  # a question that was left unanswered
        output.errors.print("interrupted")
        sys.exit(output.INTERRUPTED)
