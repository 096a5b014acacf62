"""What `GET /v1/models` answers."""

from typing import Any, Literal

from pydantic import ConfigDict

from xinglin.document import DigestText, Document, MemberNumber, ShortText, Time
from xinglin_node import examples

_APPROVED: dict[str, Any] = {
    "digest": examples.MODEL,
    "status": "approved",
    "since": examples.TIME,
    "registrar": 4,
    "runsHere": True,
    "name": "xinglin-ner 4",
    "runtime": "onnxruntime 1.23",
    "code": "xinglin_ml 0.1.0",
}
_ELSEWHERE = _APPROVED | {
    "digest": "sha256:" + "3e" * 32,
    "status": "proposed",
    "runsHere": False,
    "name": None,
    "runtime": None,
    "code": None,
}
_UNREGISTERED = _APPROVED | {
    "digest": "sha256:" + "3f" * 32,
    "status": "unregistered",
    "since": None,
    "registrar": None,
}

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

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"models": [_APPROVED, _ELSEWHERE, _UNREGISTERED]}]}
    )

    models: tuple[ListedModel, ...]
