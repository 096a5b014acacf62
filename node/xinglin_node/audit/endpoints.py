"""Read who looked, and check that the list is whole."""

from typing import Annotated

from fastapi import APIRouter, Query

from xinglin.hashes import Digest
from xinglin_node.audit import service
from xinglin_node.audit.schemas import HistoryPage
from xinglin_node.authority import SubjectCaller
from xinglin_node.house import House

router = APIRouter(prefix="/v1/history", tags=["access"])


@router.get("", summary="Read one's history")
def history(
    subject: SubjectCaller,
    house: House,
    start: Annotated[int, Query(alias="from", ge=0, lt=2**53)] = 0,
    history: Annotated[
        str | None,
        Query(pattern="^sha256:[0-9a-f]{64}$", description="An earlier list of one's own."),
    ] = None,
) -> HistoryPage:
    """
    Return the caller's entries from tag `from` on, each with what opens it and its counter.

    With the history key and the log's entries, `xinglin subject history` checks that none
    was dropped. An institution's care staff are named, researchers are not.
    """
    wanted = None if history is None else Digest.from_text(history)
    return service.history_page(house, subject, wanted, start)
