"""
A submission as a form (RFC 7578), read as it comes.

    form = await read_form(request, house, file="blob", fields={"subject", "envelope", ...})

Text fields are small and come before the file; the file streams into a blob as it
arrives, hashed on the way, whatever its size. Unknown, repeated or missing fields are
refused, and so is anything after the file.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from fastapi import Request
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from xinglin_node.problems import Malformed, TooLarge, WrongMediaType

CHUNK = 1 << 20
"""Bytes gathered before they are parsed and written, away from the event loop."""

MEDIA_TYPE = b"multipart/form-data"


@dataclass(slots=True)
class _Reading:
    """What the parser's callbacks share."""

    file: str
    names: Collection[str]
    optional: Collection[str]
    limit: int
    feed: Callable[[bytes], None]
    fields: dict[str, bytearray] = field(default_factory=dict[str, bytearray])
    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    part: str | None = None
    done: bool = False
    ended: bool = False

    def on_part_begin(self) -> None:
        if self.done:
            raise Malformed(f"nothing after {self.file}", "another part")
        self.part = None

    def on_header_begin(self) -> None:
        self.header.clear()
        self.value.clear()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self.header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def on_header_end(self) -> None:
        if bytes(self.header).lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self.value))
            self.part = options.get(b"name", b"").decode("utf-8", "replace")

    def on_headers_finished(self) -> None:
        if self.part == self.file:
            missing = set(self.names) - set(self.fields)
            if missing:
                raise Malformed(f"the fields {', '.join(sorted(missing))} before the file", "none")
            return
        allowed = {*self.names, *self.optional}
        if self.part is None or self.part not in allowed:
            raise Malformed(f"the fields {', '.join(sorted(allowed))}", "another field")
        if self.part in self.fields:
            raise Malformed("each field once", "one twice")
        self.fields[self.part] = bytearray()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self.part == self.file:
            self.feed(data[start:end])
            return
        if self.part is None:
            raise Malformed("parts with a name", "one without")
        text = self.fields[self.part]
        if len(text) + end - start > self.limit:
            raise TooLarge(f"fields of at most {self.limit} bytes", "more")
        text += data[start:end]

    def on_part_end(self) -> None:
        self.done = self.done or self.part == self.file

    def on_end(self) -> None:
        self.ended = True


async def read_form(
    request: Request,
    *,
    file: str,
    fields: Collection[str],
    limit: int,
    feed: Callable[[bytes], None],
    optional: Collection[str] = (),
) -> Mapping[str, bytes]:
    """
    Read the request's form; return its text fields once the file is through `feed`.

    `fields` must all come, those of `optional` may.
    Raises `WrongMediaType`, `Malformed`, `TooLarge`, and what `feed` raises. A body that
    ends early is `Malformed`.
    """
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != MEDIA_TYPE or b"boundary" not in options:
        raise WrongMediaType("multipart/form-data with a boundary", "another Content-Type")
    reading = _Reading(file, fields, optional, limit, feed)
    parser = MultipartParser(
        options[b"boundary"],
        {
            "on_part_begin": reading.on_part_begin,
            "on_part_data": reading.on_part_data,
            "on_part_end": reading.on_part_end,
            "on_header_begin": reading.on_header_begin,
            "on_header_field": reading.on_header_field,
            "on_header_value": reading.on_header_value,
            "on_header_end": reading.on_header_end,
            "on_headers_finished": reading.on_headers_finished,
            "on_end": reading.on_end,
        },
    )
    try:
        gathered = bytearray()
        async for chunk in request.stream():
            gathered += chunk
            if len(gathered) >= CHUNK:
                await run_in_threadpool(parser.write, bytes(gathered))
                gathered.clear()
        await run_in_threadpool(parser.write, bytes(gathered))
    except MultipartParseError as error:
        raise Malformed("a form as RFC 7578 writes it", "another body") from error
    if not reading.ended or not reading.done:
        raise Malformed(f"a whole form that ends with {file}", "one that is cut short")
    return {name: bytes(text) for name, text in reading.fields.items()}
