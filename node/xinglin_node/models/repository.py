"""The models that the chain knows at the final view, and the manifests of those that read here."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin.hashes import Digest
from xinglin_node.models.schemas import Status
from xinglin_node.models.tables import ManifestRow, ModelRow

_STATUSES: dict[int, Status] = {
    1: "proposed",
    2: "approved",
    3: "retired",
    4: "withdrawn",
}
"""Numbers of IModelRegistry."""


def known_models(session: Session) -> Sequence[ModelRow]:
    """Every registered model."""
    return session.scalars(select(ModelRow).order_by(ModelRow.since, ModelRow.digest)).all()


def status_of(session: Session, model: Digest) -> Status:
    """What the network says of a model at the final view."""
    row = session.get(ModelRow, model.value)
    return "unregistered" if row is None else status_named(row)


def status_named(row: ModelRow) -> Status:
    """The word for a row's status."""
    return _STATUSES.get(row.status, "unregistered")


def keep_manifest(session: Session, model: Digest, manifest: bytes) -> None:
    """Keep the manifest of a model that reads here, once."""
    if session.get(ManifestRow, model.value) is None:
        session.add(ManifestRow(digest=model.value, manifest=manifest))


def manifest_of(session: Session, model: Digest) -> bytes | None:
    """The manifest of a model that once read here."""
    row = session.get(ManifestRow, model.value)
    return None if row is None else row.manifest
