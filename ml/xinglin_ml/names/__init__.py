"""
Names that we compiled: of diseases, symptoms, herbs, formulas and so on, a list for each kind.

They tell the lexicon of terms that no training text has. Each list is a file of one name a
line, in simplified script, as the name is written in running text; `README.md` says how they
were made. A shipped model brings what it needs of them in its own `lexicon.json`.
"""

from pathlib import Path

from xinglin_ml.errors import ConfigurationError

FOLDER = Path(__file__).parent


def read_names(kind: str) -> tuple[str, ...]:
    """Return the names of one kind. Raises `ConfigurationError` for a kind without a list."""
    path = FOLDER / f"{kind}.txt"
    if not path.is_file():
        kinds = ", ".join(sorted(p.stem for p in FOLDER.glob("*.txt")))
        raise ConfigurationError(f"expected one of {kinds}, got {kind}")
    return tuple(path.read_text("utf-8").split())
