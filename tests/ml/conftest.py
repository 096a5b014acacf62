"""Fixtures of the models' tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared folder of corpora and tables; tests that need it are skipped without it."""
    given = os.environ.get("XINGLIN_SHARED")
    folder = Path(given) if given else Path(__file__).parents[3] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the shared folder of corpora (XINGLIN_SHARED)")
    return folder
