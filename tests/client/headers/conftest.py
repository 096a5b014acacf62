"""The published QBFT vectors: a real network's headers, and forged ones."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

_SHARED = Path(os.environ.get("XINGLIN_SHARED") or Path(__file__).parents[4] / "shared")

VECTORS = _SHARED / "vectors" / "qbft" / "qbft-headers.json"


@pytest.fixture(scope="package")
def vectors() -> dict[str, Any]:
    if not VECTORS.is_file():
        pytest.skip(f"the published QBFT vectors are not at {VECTORS}")
    return json.loads(VECTORS.read_text())
