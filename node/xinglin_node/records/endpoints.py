"""Sealed records: submitted one by one, in batches or for the node to seal; listed; fetched."""

import re
from collections.abc import Collection
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from xinglin import canonical
from xinglin.canonical import JsonValue
from xinglin.document import Uuid4
from xinglin.names import Address, RecordId, SubjectId
from xinglin_node import examples
from xinglin_node.authority import Author, DataSubject, ListReader, SignedIn
from xinglin_node.house import House, NodeHouse
from xinglin_node.problems import Malformed, TooLarge, WrongMediaType
from xinglin_node.records import intake, service
from xinglin_node.records.corrections import shown_correction
from xinglin_node.records.form import read_form
from xinglin_node.records.reading import require_blob_reader
from xinglin_node.records.schemas import (
    BATCH_MEDIA_TYPE,
    Accepted,
    BatchAnswer,
    Frame,
    IntakeAnswer,
    RecordList,
    join_batch,
    split_batch,
)

router = APIRouter(prefix="/v1", tags=["records"])

_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
"""One range (RFC 9110, section 14.1.2); several at once are answered with the whole."""

_BINARY = {"type": "string", "format": "binary"}
_SUBJECT = {"type": "string", "format": "uuid", "examples": [examples.SUBJECT]}


def _part(description: str, example: str) -> dict[str, Any]:
    return {"type": "string", "description": description, "examples": [example]}


def _canonical(description: str, example: JsonValue) -> dict[str, Any]:
    """A part of canonical JSON."""
    return _part(f"Canonical JSON: {description}", canonical.encode(example).decode())


def _body(media_type: str, content: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {media_type: content}}}


def _form(optional: Collection[str] = (), **parts: dict[str, Any]) -> dict[str, Any]:
    """A form of these parts, in their order."""
    required = [name for name in parts if name not in optional]
    schema = {"type": "object", "required": required, "properties": parts}
    return _body("multipart/form-data", {"schema": schema})


_ENVELOPE: JsonValue = {
    "format": "xinglin.envelope/1",
    "manifest": examples.MANIFEST,
    "wraps": [
        {"grant": None, "keyDigest": digest, "request": None, "wrap": examples.WRAP}
        for digest in (examples.KEY_DIGEST, "0x" + "2f" * 32)
    ],
}
_FORM = _form(
    optional=("correction", "reason"),
    subject=_SUBJECT,
    envelope=_canonical("the data key, wrapped to the two keys in `/v1/about`.", _ENVELOPE),
    attestation=_canonical("the signed record statement.", examples.ATTESTATION),
    correction=_canonical(
        "the signed correction of the version before.",
        examples.ATTESTATION | {"statement": examples.CORRECTION_STATEMENT},
    ),
    reason=_canonical(
        "what opens the correction's reason.", {"salt": examples.SALT, "text": "漏了一处"}
    ),
    blob=_BINARY | {"description": "The ciphertext.", "examples": ["4,384 bytes of ciphertext"]},
)
_BATCH = _body(
    BATCH_MEDIA_TYPE,
    {
        "schema": _BINARY
        | {
            "description": "`xinglin/batch/v1` 00, then to the end: subject[16] ‖ u32 size ‖ "
            "envelope ‖ u32 size ‖ attestation ‖ u64 size ‖ ciphertext; integers are big-endian."
        },
        "examples": {
            "one submission": {
                "summary": "Each character is a byte.",
                "value": join_batch(
                    [
                        Frame(
                            SubjectId(UUID(examples.SUBJECT)),
                            canonical.encode(_ENVELOPE),
                            canonical.encode(examples.ATTESTATION),
                            b"ciphertext",
                        )
                    ]
                ).decode("latin-1"),
            }
        },
    },
)
_INTAKE = _form(
    subject=_SUBJECT,
    category=_part("What kind of record it is.", "outpatient-note"),
    mediaType=_part("How to read the payload.", "text/plain; charset=utf-8"),
    payload=_BINARY | {"description": "The plaintext.", "examples": ["头痛三天，舌淡苔白，脉弦。"]},
)


@router.post(
    "/records",
    status_code=201,
    summary="Submit a sealed record",
    responses={200: {"model": Accepted, "description": "The same again: the first receipt."}},
    openapi_extra=_FORM,
)
async def submit(request: Request, author: Author, house: House, response: Response) -> Accepted:
    """
    Take a form of `subject`, `envelope`, `attestation` and, last, the ciphertext `blob`.

    With a version that corrects the one before it come also `correction`, the author's signed
    statement, and `reason`; both entries are written together. The version after the output
    of an inference is taken only so.

    The blob may be of any size up to the limit in `/v1/about`. Answered once all of it is
    on disk, with the log's receipt; the same again is answered 200 with the same receipt,
    the same record and version with other content 409.
    """
    receiving = house.blobs.receive()
    try:
        fields = await read_form(
            request,
            file="blob",
            fields=("subject", "envelope", "attestation"),
            optional=("correction", "reason"),
            limit=house.settings.max_json_bytes,
            feed=receiving.feed,
        )
        correction = shown_correction(fields.get("correction"), fields.get("reason"))
        blob = await run_in_threadpool(receiving.finish)
    except ClientDisconnect as error:
        receiving.abandon()
        raise Malformed("a whole body", "one that is cut short") from error
    except BaseException:
        receiving.abandon()
        raise
    accepted, fresh = await run_in_threadpool(
        service.submit,
        house,
        author,
        subject=_subject(fields["subject"]),
        envelope=fields["envelope"],
        attestation=fields["attestation"],
        blob=blob,
        correction=correction,
    )
    response.status_code = 201 if fresh else 200
    return accepted


@router.post(
    "/records/batch",
    summary="Submit many sealed records",
    response_model=BatchAnswer,
    openapi_extra=_BATCH,
)
async def submit_batch(request: Request, author: Author, house: House) -> Response:
    """
    Take many submissions in one body; what is accepted becomes durable with one sync.

    Each submission has its own result, as the single route would answer it.
    """
    if request.headers.get("content-type", "").split(";")[0].strip() != BATCH_MEDIA_TYPE:
        raise WrongMediaType(BATCH_MEDIA_TYPE, "another Content-Type")
    body = await _whole(request, house.settings.max_batch_bytes)
    answer = await run_in_threadpool(_take_batch, house, author.account, body)
    return Response(answer.model_dump_json(by_alias=True), media_type="application/json")


@router.post(
    "/intake", status_code=201, summary="Let the node seal a record", openapi_extra=_INTAKE
)
async def take_in(request: Request, _: Author, house: House) -> IntakeAnswer:
    """
    Take a form of `subject`, `category`, `mediaType` and, last, the plaintext `payload`.

    The node seals the payload under a fresh key as it comes, attests it with its system
    account, and, where an approved method reads its media type, runs it and logs the
    inference beside the record. The plaintext is never written to disk.
    """
    sealing = intake.Sealing(house)
    try:
        fields = await read_form(
            request,
            file="payload",
            fields=("subject", "category", "mediaType"),
            limit=house.settings.max_json_bytes,
            feed=sealing.feed,
        )
        return await run_in_threadpool(
            sealing.finish,
            subject=_subject(fields["subject"]),
            category=_text(fields["category"]),
            media_type=_text(fields["mediaType"]),
        )
    except BaseException:
        await run_in_threadpool(sealing.abandon)
        raise


@router.get("/records", summary="List a subject's records")
def list_records(
    reader: ListReader,
    house: House,
    subject: Annotated[Uuid4 | None, Query(description="Care staff name the file.")] = None,
    start: Annotated[int, Query(alias="from", ge=0)] = 0,
) -> RecordList:
    """Return the records of one file, oldest first: all that is known without opening them."""
    if isinstance(reader, DataSubject):
        return service.list_for_subject(house, reader.subject, start)
    if subject is None:
        raise Malformed("the parameter subject", "none")
    return service.list_for_subject(house, SubjectId(subject), start)


@router.get(
    "/records/{record}/{version}/blob",
    summary="Fetch a sealed blob",
    response_class=StreamingResponse,
    responses={206: {"description": "A range of the ciphertext."}},
)
def fetch_blob(
    record: Uuid4,
    version: Annotated[int, Path(ge=1, lt=2**32)],
    person: SignedIn,
    house: House,
    wanted: Annotated[str | None, Header(alias="Range")] = None,
) -> StreamingResponse:
    """Return the ciphertext, or a range of it, to whoever has a ground to open it."""
    require_blob_reader(house, person, RecordId(record), version)
    blob = service.read_blob(house, RecordId(record), version, _range_asked(wanted))
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Length": str(blob.length),
        "ETag": f'"{blob.digest.text}"',
        "Cache-Control": "private, no-store",
    }
    partial = blob.length != blob.size
    if partial:
        end = blob.start + blob.length - 1
        headers["Content-Range"] = f"bytes {blob.start}-{end}/{blob.size}"
    return StreamingResponse(
        blob.pieces,
        status_code=206 if partial else 200,
        media_type="application/octet-stream",
        headers=headers,
    )


def _take_batch(house: NodeHouse, account: Address, body: bytes) -> BatchAnswer:
    frames = split_batch(body, limit=house.settings.max_batch_records)
    return service.submit_batch(house, account, frames)


async def _whole(request: Request, limit: int) -> bytes:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise TooLarge(f"a body of at most {limit} bytes", "more")
    except ClientDisconnect as error:
        raise Malformed("a whole body", "one that is cut short") from error
    return bytes(body)


def _range_asked(header: str | None) -> tuple[int | None, int | None] | None:
    match = _RANGE.fullmatch(header or "")
    if match is None or not (match[1] or match[2]):
        return None
    return (int(match[1]) if match[1] else None, int(match[2]) if match[2] else None)


def _subject(text: bytes) -> SubjectId:
    shown = _text(text)
    try:
        parsed = UUID(shown)
    except ValueError as error:
        raise Malformed("a subject: UUID in lower case", "another text") from error
    if str(parsed) != shown or parsed.version != 4:
        raise Malformed("a subject: UUIDv4 in lower case", "another text")
    return SubjectId(parsed)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("text in UTF-8", f"a bad byte at {error.start}") from error
