"""
One TOML file for one experiment, read strictly, its digest part of the provenance.

A field that is missing or unknown is an error: an experiment whose spelling mistake
fell back to a default is not the experiment that the file describes.
"""

import dataclasses
import os
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

from xinglin.hashes import Digest
from xinglin_ml.errors import ConfigurationError

T = TypeVar("T")

SHARED_VARIABLE = "XINGLIN_SHARED"
"""Environment variable that names the folder whose `data` holds the corpora."""


def load(path: Path, kind: type[T]) -> tuple[T, Digest]:
    """Read `path` into the dataclass `kind`; return it and the file's digest."""
    try:
        data = path.read_bytes()
        value = tomllib.loads(data.decode())
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot read {path.name}: {error}") from error
    return _build(value, kind, where=path.name), Digest.of(data)


def _build(value: dict[str, Any], kind: type[T], *, where: str) -> T:
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, kind))}
    if unknown := set(value) - set(fields):
        raise ConfigurationError(f"{where}: unknown {', '.join(sorted(unknown))}")
    arguments: dict[str, Any] = {}
    for name, one in fields.items():
        if name not in value:
            if one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
                raise ConfigurationError(f"{where}: {name} is missing")
            continue
        arguments[name] = _convert(value[name], hints[name], where=f"{where}: {name}")
    try:
        return kind(**arguments)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _convert(value: Any, hint: Any, *, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _build(typing.cast(dict[str, Any], value), typing.cast(type, hint), where=where)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(v, inner[0], where=where) for v in value)
    if origin is dict and isinstance(value, dict):
        pairs = typing.cast(dict[str, Any], value)
        return {k: _convert(v, inner[1], where=where) for k, v in pairs.items()}
    if hint is float and type(value) is int:
        return float(value)
    if isinstance(hint, type) and type(value) is not hint:
        raise ConfigurationError(f"{where}: expected {hint.__name__}, got {value!r}")
    return value


def data_folder(given: Path | None) -> Path:
    """
    Return the folder of the corpora: `given`, else `data` below `XINGLIN_SHARED`, else
    below `shared` beside the project. Raises `ConfigurationError` if there is none.
    """
    shared = os.environ.get(SHARED_VARIABLE)
    beside = Path(__file__).resolve().parents[3] / "shared"
    folder = given or (Path(shared) if shared else beside) / "data"
    if not folder.is_dir():
        raise ConfigurationError(f"no folder of corpora: set {SHARED_VARIABLE} or give --data")
    return folder


def cache_folder(given: Path | None) -> Path:
    """Return where runs keep their states: `given`, else `.cache/ml` of the project."""
    folder = given or Path(__file__).resolve().parents[2] / ".cache" / "ml"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
