"""Read a record with a model, and log it."""

from fastapi import APIRouter

from xinglin_node.authority import Author
from xinglin_node.house import House
from xinglin_node.inferences import service
from xinglin_node.inferences.schemas import InferenceAsked, LoggedInference

router = APIRouter(prefix="/v1/inferences", tags=["models"])


@router.post("", summary="Run an inference", status_code=201)
def infer(asked: InferenceAsked, author: Author, house: House) -> LoggedInference:
    """
    Read a record that is kept here with a model that hospitals approved.

    The use of its key is logged first; then the inference, with model, parameters, runtime
    and the digest of what was found, which is sealed like a record.
    """
    return service.infer(house, author, asked)
