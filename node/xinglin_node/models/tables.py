"""
The manifests of models that read here, and the chain's word for each model.

A manifest is kept for as long as a statement names it: the method may be replaced, the
inferences that it made stay provable.
"""

from sqlalchemy.orm import Mapped, mapped_column

from xinglin_node.chain.tables import ModelRow
from xinglin_node.database import Base


class ManifestRow(Base):
    """The manifest of a model that made an inference here."""

    __tablename__ = "model_manifests"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    """SHA-256 of the manifest, as the inference statement names it."""
    manifest: Mapped[bytes]
    """Canonical JSON."""


__all__ = ["ManifestRow", "ModelRow"]
