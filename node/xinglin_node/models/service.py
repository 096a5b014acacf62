"""Finding the methods that are installed, and saying what the network says of each."""

import json
import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points

from xinglin.errors import XinglinError
from xinglin.hashes import Digest
from xinglin.methods import ENTRY_POINTS, Method, model_digest
from xinglin_node.house import NodeHouse
from xinglin_node.models.repository import known_models, status_named
from xinglin_node.models.schemas import ListedModel, ModelList

_logger = logging.getLogger(__name__)

_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class Installed:
    """A method, and the digest by which its model is known."""

    name: str
    model: Digest
    method: Method


def installed(house: NodeHouse) -> Sequence[Installed]:
    """
    The methods of this node, loaded once.

    A method that does not load is left out, and the log says so by its name: a node without
    methods keeps and releases records all the same.
    """
    with _loading:
        found: tuple[Installed, ...] | None = house.parts.get("methods")
        if found is None:
            found = tuple(_load())
            house.parts["methods"] = found
        return found


def describe(name: str, method: Method) -> Installed:
    """Put the digest of its model beside a method."""
    return Installed(name, model_digest(method), method)


def list_models(house: NodeHouse) -> ModelList:
    """Every model of the network, and every one installed here."""
    here = {one.model.value: one for one in installed(house)}
    with house.database.reading() as session:
        rows = {row.digest: row for row in known_models(session)}
    listed: list[ListedModel] = []
    for digest in [*rows, *(value for value in here if value not in rows)]:
        row, one = rows.get(digest), here.get(digest)
        listed.append(
            ListedModel(
                digest=Digest(digest),
                status="unregistered" if row is None else status_named(row),
                since=None if row is None else row.since,
                registrar=None if row is None else row.registrar,
                runs_here=one is not None,
                name=None if one is None else _name(one),
                runtime=None if one is None else one.method.runtime,
                code=None if one is None else one.method.code[:256],
            )
        )
    return ModelList(models=tuple(listed))


def _load() -> Sequence[Installed]:
    found: list[Installed] = []
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        try:
            found.append(describe(point.name, point.load()()))
        except Exception as error:
            # Ours say what is missing; they know of models, and of no patient.
            reason = str(error) if isinstance(error, XinglinError) else point.name
            _logger.warning(
                "method not loaded", extra={"error": type(error).__name__, "reason": reason}
            )
    return found


def _name(one: Installed) -> str:
    try:
        value = json.loads(one.method.manifest)
        return f"{value['name']} {value['version']}"[:256]
    except (ValueError, KeyError, TypeError):
        return one.name
