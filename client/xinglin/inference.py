"""
The output of an inference, as bytes: what is sealed, and the digest that stands in the log.

>>> spans = (OutputSpan(0, 2, "symptom"),)
>>> payload = encode_output(spans, Salt(bytes(32)))
>>> decode_output(payload) == (spans, bytes(32))
True
>>> output_digest(spans, Salt(bytes(32))).text[:14]
'sha256:f5a1fbe'

The digest is salted, for the spans of a note are few enough to be guessed. Scores are left
out: they differ between machines, and the digest must not (FORMATS: output of an inference).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from xinglin import canonical
from xinglin.canonical import JsonValue
from xinglin.encoding import base64url, from_base64url
from xinglin.errors import InvalidEncoding
from xinglin.hashes import SALT_SIZE, Digest, salted
from xinglin.names import Salt

OUTPUT_LABEL = b"xinglin/output/v1"

MANIFEST_FORMAT = "xinglin.model/1"
"""What a model's manifest says that it is; `docs/spec/inference.md` has its members."""

OUTPUT_CATEGORY = "inference"
"""Category of the record that an output is sealed as."""

OUTPUT_MEDIA_TYPE = "application/json"


TEXT_MEDIA_TYPES = ("text/plain", "application/json")
"""What a method reads: a text, or a JSON object that has one under `text`."""


class FoundSpan(Protocol):
    """What a method gives: half-open offsets in code points, and a label."""

    @property
    def start(self) -> int:
        """First character."""
        ...

    @property
    def end(self) -> int:
        """The character after the last."""
        ...

    @property
    def label(self) -> str:
        """What was found there."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class OutputSpan:
    """One span of an output; they are sorted by start, end and label."""

    start: int
    end: int
    label: str


def is_read(media_type: str) -> bool:
    """Whether methods read records of this media type; its parameters do not matter."""
    return media_type.split(";")[0].strip().lower() in TEXT_MEDIA_TYPES


def text_of(payload: bytes, media_type: str) -> str | None:
    """
    The text of a record, to which every offset of an inference refers.

    None where there is no text to read: another media type, or JSON without a `text`.
    Raises `InvalidEncoding` for what claims to be text or JSON and is neither.
    """
    if not is_read(media_type):
        return None
    try:
        decoded = payload.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidEncoding(f"expected UTF-8, got a bad byte at {error.start}") from error
    if media_type.lower().startswith("text/"):
        return decoded
    try:
        value: object = json.loads(decoded)
    except (ValueError, RecursionError) as error:
        raise InvalidEncoding("expected JSON, as the media type says") from error
    text = value.get("text") if isinstance(value, dict) else None
    return text if isinstance(text, str) else None


def spans_of(found: Iterable[FoundSpan]) -> tuple[OutputSpan, ...]:
    """Return what a method found in the one order, each span once, without scores."""
    return tuple(sorted({OutputSpan(span.start, span.end, span.label) for span in found}))


def output_digest(spans: Sequence[OutputSpan], salt: Salt) -> Digest:
    """Salted digest of the spans: what an inference statement holds."""
    return Digest(salted(OUTPUT_LABEL, salt, canonical.encode(_listed(spans))))


def encode_output(spans: Sequence[OutputSpan], salt: Salt) -> bytes:
    """Write the payload that is sealed: canonical `{"salt","spans"}`."""
    return canonical.encode({"salt": base64url(salt), "spans": _listed(spans)})


def decode_output(payload: bytes) -> tuple[tuple[OutputSpan, ...], Salt]:
    """Parse a payload. Raises `InvalidEncoding` for anything that `encode_output` did not write."""
    value = canonical.decode_object(payload)
    if set(value) != {"salt", "spans"}:
        raise InvalidEncoding("expected an output with salt and spans")
    salt, listed = value["salt"], value["spans"]
    if not isinstance(salt, str) or not isinstance(listed, list):
        raise InvalidEncoding("expected salt as text and spans as a list")
    spans = tuple(_span(item) for item in listed)
    if list(spans) != sorted(set(spans)):
        raise InvalidEncoding("expected spans sorted and each once")
    raw = from_base64url(salt)
    if len(raw) != SALT_SIZE:
        raise InvalidEncoding(f"expected a salt of {SALT_SIZE} bytes, got {len(raw)}")
    return spans, Salt(raw)


def _listed(spans: Sequence[OutputSpan]) -> list[JsonValue]:
    return [[span.start, span.end, span.label] for span in spans]


def _span(item: JsonValue) -> OutputSpan:
    if not isinstance(item, list) or len(item) != 3:
        raise InvalidEncoding("expected a span as [start, end, label]")
    start, end, label = item
    if not isinstance(start, int) or not isinstance(end, int) or bool in (type(start), type(end)):
        raise InvalidEncoding("expected offsets as integers")
    if not isinstance(label, str) or not start < end:
        raise InvalidEncoding("expected a span that is not empty, with a label")
    return OutputSpan(start, end, label)
