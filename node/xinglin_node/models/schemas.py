"""What `GET /v1/models` answers."""

from typing import Literal

from xinglin.document import DigestText, Document, MemberNumber, ShortText, Time

Status = Literal["unregistered", "proposed", "approved", "retired", "withdrawn"]
"""What ModelRegistry says of a model."""


class ListedModel(Document):
    """A model that the chain knows, that this node can run, or both."""

    digest: DigestText
    """SHA-256 of the canonical model manifest."""
    status: Status
    since: Time | None
    registrar: MemberNumber | None
    runs_here: bool
    """Whether a method with this model is installed."""
    name: ShortText | None
    """From the manifest of an installed method."""
    runtime: ShortText | None
    code: ShortText | None


class ModelList(Document):
    """Every model of the network, and every one installed here."""

    models: tuple[ListedModel, ...]
