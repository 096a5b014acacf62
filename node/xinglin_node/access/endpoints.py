"""Ask for records, and get the keys that a ground lets out (docs/spec/access.md)."""

from fastapi import APIRouter

from xinglin_node.access import service
from xinglin_node.access.schemas import AccessAnswer, AccessAsked
from xinglin_node.house import House

router = APIRouter(prefix="/v1/access", tags=["access"])


@router.post("", summary="Open records")
def open_records(asked: AccessAsked, house: House) -> AccessAnswer:
    """
    Release the data keys of the items asked for, each wrapped to the requester's key.

    The request is signed by the person who asks, on the ground `subject`, `care` or
    `grant`. What is released, and what a grant refuses, is logged in the subject's history
    before any key is used. Items that the requester may not know of are not found.
    """
    return service.answer(house, asked)
