"""
Where imported tables are kept: the user's data folder, beside nothing that ships.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import platformdirs

from xinglin_ml.normalise import Terminology, import_table, shipped_table

FILE = "terminology.json"


def store(folder: Path | None = None) -> Path:
    """Return the file of imported tables; `folder` replaces the user's data folder."""
    return (folder or Path(platformdirs.user_data_dir("xinglin"))) / FILE


def import_files(tables: Sequence[Path], folder: Path | None = None) -> tuple[Path, int]:
    """
    Read tables and keep them in place of what was kept; return the file and the number of terms.

    Raises `CorpusError` for a table of a strange layout; nothing is kept then.
    """
    table = Terminology.of(term for path in tables for term in import_table(path))
    path = store(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_bytes(table.to_json())
    temporary.replace(path)
    return path, len(table.terms)


def current(folder: Path | None = None) -> Terminology:
    """Return the table that ships together with what the user imported."""
    path = store(folder)
    if not path.exists():
        return shipped_table()
    return _joined(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=2)
def _joined(path: Path, _changed: int) -> Terminology:
    # `_changed` is part of the key alone: an import while a program runs is seen.
    imported = Terminology.from_json(path.read_bytes())
    return Terminology.of([*shipped_table().terms, *imported.terms])
