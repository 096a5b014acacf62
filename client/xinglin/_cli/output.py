"""
What every command shares: `--json`, progress, and exit codes.

Exit codes: 0 done or verified, 1 refused, 2 wrong usage, 3 a service could not be reached.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from xinglin.canonical import JsonValue
from xinglin.errors import ServiceError, Unreachable, UsageError, XinglinError

DONE, REFUSED, WRONG_USAGE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit codes; the last is a shell's for Ctrl-C."""

JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document instead of text.")
]
"""The option that every command has."""

_SERVICE_UNAVAILABLE = 503

console = Console(highlight=False)
"""Standard output, for results."""

errors = Console(stderr=True, highlight=False)
"""Standard error, for progress and refusals."""


def exit_code(error: XinglinError) -> int:
    """The exit code that an error ends a command with."""
    if isinstance(error, UsageError):
        return WRONG_USAGE
    if isinstance(error, Unreachable):
        return UNREACHABLE
    if isinstance(error, ServiceError) and error.status == _SERVICE_UNAVAILABLE:
        return UNREACHABLE
    return REFUSED


def fail(error: XinglinError, *, as_json: bool) -> int:
    """Report an error on standard error, and return its exit code."""
    name = type(error).__name__
    if as_json:
        document = {"error": name, "message": str(error)}
        sys.stderr.write(json.dumps(document, ensure_ascii=False) + "\n")
    else:
        errors.print(f"{name}: {error}", style="red", markup=False, soft_wrap=True)
    return exit_code(error)


def result(value: JsonValue, lines: Iterable[str] | Table, *, as_json: bool) -> None:
    """Print a command's result: `value` as JSON, or `lines` (or a table) as text."""
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
    elif isinstance(lines, Table):
        console.print(lines)
    else:
        for line in lines:
            console.print(line, markup=False, soft_wrap=True)


@contextmanager
def progress(*, as_json: bool) -> Iterator[Progress]:
    """Show progress bars on standard error; silent with `--json` or without a terminal."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=errors,
        transient=True,
        disable=as_json or not errors.is_terminal,
    ) as shown:
        yield shown


def read_file(path: Path) -> bytes:
    """Read a file that a user named. Raises `UsageError` with the reason if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error


def write_file(path: Path, data: bytes, *, replace: bool = False) -> None:
    """Write a file that a user named. Raises `UsageError` if it exists or cannot be written."""
    try:
        with path.open("wb" if replace else "xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise UsageError(f"{path}: exists, and is not overwritten") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
