"""Which models there are."""

from fastapi import APIRouter

from xinglin_node.authority import SignedIn
from xinglin_node.house import House
from xinglin_node.models import service
from xinglin_node.models.schemas import ModelList

router = APIRouter(prefix="/v1/models", tags=["models"])


@router.get("", summary="List models")
def list_models(person: SignedIn, house: House) -> ModelList:  # noqa: ARG001
    """Return every model that the chain knows or this node runs, with its status."""
    return service.list_models(house)
