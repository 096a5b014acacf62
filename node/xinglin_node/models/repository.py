"""Reading the models that the chain knows, at the final view."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from xinglin.hashes import Digest
from xinglin_node.models.schemas import Status
from xinglin_node.models.tables import ModelRow

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
