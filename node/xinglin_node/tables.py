"""
Every table of the node in one import, so that `Base.metadata` is whole.

For migrations and tests; a subject imports its own tables where it needs them.
"""

import contextlib
import importlib

from sqlalchemy import MetaData

from xinglin_node.database import Base

SUBJECTS = (
    "log",
    "blobs",
    "chain",
    "subjects",
    "records",
    "sessions",
    "consents",
    "access",
    "relay",
    "models",
    "inferences",
)
"""Packages that have a `tables` module."""


def metadata() -> MetaData:
    """Import every table and return what describes them."""
    for subject in SUBJECTS:
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(f"xinglin_node.{subject}.tables")
    return Base.metadata
