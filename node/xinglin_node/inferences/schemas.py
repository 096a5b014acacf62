"""What goes in and out of `POST /v1/inferences`."""

from typing import Annotated

from pydantic import ConfigDict, Field

from xinglin.document import Count, DigestText, Document, Time, Uuid4


class InferenceAsked(Document):
    """Which record to read, and with which model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"record": "8c5f1c1e-6d0a-4b6e-9d59-0d2f6f6b2f11", "version": 1}]
        }
    )

    record: Uuid4
    version: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """0 is the newest."""
    model: DigestText | None = None
    """Digest of the model's manifest; the one installed method where absent."""


class LoggedInference(Document):
    """An inference whose entries are on disk."""

    index: Count
    """Where the inference stands in the log."""
    sequenced_at: Time
    receipt: str
    model: DigestText
    output: DigestText
    """Salted digest of the spans."""
    result: Uuid4
    """The record that holds the output."""
    result_index: Count
    result_receipt: str
    access_index: Count | None
    """Where the use of the key was logged first; null at intake."""
