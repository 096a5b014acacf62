"""What goes in and out of `POST /v1/inferences`."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from xinglin.document import Count, DigestText, Document, Time, Uuid4
from xinglin_node import examples

LOGGED: dict[str, Any] = {
    "index": 45,
    "sequencedAt": examples.TIME,
    "receipt": examples.RECEIPT,
    "model": examples.MODEL,
    "output": "sha256:" + "0e" * 32,
    "result": examples.RESULT,
    "resultIndex": 46,
    "resultReceipt": examples.RECEIPT,
    "accessIndex": 44,
}
"""The example of an answer."""


class InferenceAsked(Document):
    """Which record to read, and with which model."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"record": examples.RECORD},
                {"record": examples.RECORD, "version": 1, "model": examples.MODEL},
            ]
        }
    )

    record: Uuid4
    version: Annotated[int, Field(ge=0, lt=2**32)] = 0
    """0 is the newest."""
    model: DigestText | None = None
    """Digest of the model's manifest; the one installed method where absent."""


class LoggedInference(Document):
    """An inference whose entries are on disk."""

    model_config = ConfigDict(json_schema_extra={"examples": [LOGGED]})

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
