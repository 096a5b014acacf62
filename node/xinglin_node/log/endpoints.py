"""The log for everyone to read (C2SP tlog-tiles), entries included."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from xinglin._tiles import tile_path
from xinglin_node.authority import signed_in
from xinglin_node.house import House, NodeHouse
from xinglin_node.log.repository import read_entries, read_tile
from xinglin_node.log.service import CheckpointSigner
from xinglin_node.log.tree import TILE_HEIGHT, TILE_WIDTH
from xinglin_node.problems import NotFound

router = APIRouter(prefix="/log", tags=["log"])

_bearer = HTTPBearer(auto_error=False)


def _log_reader(
    house: House, shown: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)]
) -> None:
    """Everyone; or, by a setting, those who can sign in (FORMATS 2)."""
    if not house.settings.public_log:
        signed_in(house, shown)


LogReader = Annotated[None, Depends(_log_reader)]
"""Who may read the log."""

IMMUTABLE = "public, max-age=31536000, immutable"
"""A tile of a given width never changes."""

MAX_LEVEL = 5
"""Tile levels of a log of 2^40 entries, which is the largest the contract takes."""

ENTRY_LENGTH = (64).to_bytes(2)
"""Each entry of a bundle is preceded by its length, u16 (C2SP tlog-tiles)."""

_NUMBER = re.compile(r"((?:x[0-9]{3}/)*)([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
"""N in groups of three digits, all but the last with `x`; `.p/W` for an incomplete tile."""


@router.get("/checkpoint", response_class=Response, summary="The signed tree head")
def read_checkpoint(house: House, _: LogReader) -> Response:
    """Return the newest checkpoint. Its signature alone proves nothing; anchoring does."""
    signer: CheckpointSigner = house.parts["checkpoint_signer"]
    return Response(
        signer.sign(house.writer.head),
        media_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-cache"},
    )


@router.get("/tile/entries/{number:path}", response_class=Response, summary="Up to 256 entries")
def read_entry_bundle(house: House, number: Annotated[str, Path()], _: LogReader) -> Response:
    """Return a bundle of entries: 64 bytes each, which say nothing by themselves."""
    index, width = _tile_asked(house, 0, number)
    with house.database.reading() as session:
        entries = read_entries(session, house.writer.head.generation, index * TILE_WIDTH, width)
    if len(entries) < width:
        raise NotFound("entries of this log", "a range beyond it")
    body = b"".join(ENTRY_LENGTH + entry for entry in entries)
    return Response(
        body, media_type="application/octet-stream", headers={"Cache-Control": IMMUTABLE}
    )


@router.get("/tile/{level}/{number:path}", response_class=Response, summary="Up to 256 hashes")
def read_hash_tile(
    house: House,
    level: Annotated[int, Path(ge=0, le=MAX_LEVEL)],
    number: Annotated[str, Path()],
    _: LogReader,
) -> Response:
    """Return a tile of hashes of one level of the tree."""
    index, width = _tile_asked(house, level, number)
    with house.database.reading() as session:
        hashes = read_tile(session, house.writer.head.generation, level, index, width)
    return Response(
        hashes[: width * 32],
        media_type="application/octet-stream",
        headers={"Cache-Control": IMMUTABLE},
    )


def _tile_asked(house: NodeHouse, level: int, text: str) -> tuple[int, int]:
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise NotFound("a tile number", "another form")
    index = int(match[1].replace("x", "").replace("/", "") + match[2])
    width = int(match[3]) if match[3] else TILE_WIDTH
    if tile_path(index) != text.split(".p/")[0] or (match[3] and width >= TILE_WIDTH):
        raise NotFound("a tile number", "another form")
    hashes = house.writer.head.size >> TILE_HEIGHT * level
    if index * TILE_WIDTH + width > hashes:
        raise NotFound("a tile of this log", "one beyond it")
    return index, width
