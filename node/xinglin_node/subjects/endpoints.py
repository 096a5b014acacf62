"""The desk: new files, enrolments, new history keys."""

from fastapi import APIRouter, Response

from xinglin.document import Uuid4
from xinglin.names import SubjectId
from xinglin_node.authority import Author, Desk
from xinglin_node.house import House
from xinglin_node.subjects import service
from xinglin_node.subjects.schemas import (
    Enrolled,
    EnrolmentRequest,
    HistoryGoesOn,
    HistoryRequest,
    Registered,
)

router = APIRouter(prefix="/v1/subjects", tags=["subjects"])


@router.post("", status_code=201, summary="Open a file for a data subject")
def register(_: Desk, house: House) -> Registered:
    """Return a file number and the history key of its tags. Nothing is logged yet."""
    return service.register(house)


@router.post(
    "/{subject}/enrolment",
    status_code=201,
    summary="Enrol, or enrol again",
    responses={200: {"model": Enrolled, "description": "The same again: the first receipt."}},
)
def enrol(
    subject: Uuid4, asked: EnrolmentRequest, _: Desk, house: House, response: Response
) -> Enrolled:
    """
    Log whose account stands for the file, or that none does; answer with a receipt.

    The first enrolment is entry 0 of the subject's history. The enrolment in force, shown
    again, is answered 200 with the same receipt.
    """
    enrolled, fresh = service.enrol(house, SubjectId(subject), asked)
    response.status_code = 201 if fresh else 200
    return enrolled


@router.get("/{subject}/enrolment", summary="The enrolment in force")
def read_enrolment(subject: Uuid4, _: Author, house: House) -> Enrolled:
    """Return what a record statement about this subject must name."""
    return service.enrolment_in_force(house, SubjectId(subject))


@router.post("/{subject}/history", status_code=201, summary="Go on under a new history key")
def go_on(subject: Uuid4, asked: HistoryRequest, _: Desk, house: House) -> HistoryGoesOn:
    """Log that the list of tags ends here and where it goes on, which it does from 0."""
    return service.go_on(house, SubjectId(subject), asked)
