"""States of runs on disk: written whole or not at all, and gone on from by the same run alone."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from xinglin_ml.errors import ConfigurationError

MADE_FROM = "made_from"
"""The member of a state that says what its run was made from; older states lack it."""


def save_whole(value: Any, path: Path) -> None:
    """Write with `torch.save` so that a kill leaves the old file or the new one."""
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as sink:
        torch.save(value, sink)
        sink.flush()
        os.fsync(sink.fileno())
    temporary.replace(path)


def require_same(kept: Mapping[str, Any] | None, now: Mapping[str, Any], run: str) -> None:
    """
    Raise `ConfigurationError` where a run was begun from something else than it is given now.

    `kept` is what the run's state says of its inputs; None, from a state older than that member,
    is let through.
    """
    if kept is None or kept == now:
        return
    changed = ", ".join(sorted(k for k in {*kept, *now} if kept.get(k) != now.get(k)))
    raise ConfigurationError(
        f"{run} holds the state of another experiment ({changed} changed): remove it or rename"
    )


def cut_curve(path: Path, step: int) -> None:
    """Take the lines after `step` off a curve: a run that goes on from there writes them again."""
    if not path.exists():
        return
    kept: list[str] = []
    for line in path.read_text().splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(f"{line}\n")
        except ValueError:
            continue  # A kill tore it.
    path.write_text("".join(kept))
