"""Fetch all that is needed to verify one entry offline."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from xinglin_node.authority import SignedIn
from xinglin_node.bundles import service
from xinglin_node.bundles.schemas import BUNDLE_MEDIA_TYPE, BundleFile, BundleResponse
from xinglin_node.house import House

router = APIRouter(prefix="/v1/entries", tags=["access"])


@router.get(
    "/{index}/bundle",
    summary="Fetch a bundle",
    response_class=BundleResponse,
    response_model=BundleFile,
)
def bundle(
    index: Annotated[int, Path(ge=0, lt=2**40)],
    person: SignedIn,
    house: House,
    generation: Annotated[int | None, Query(ge=0, lt=2**32)] = None,
) -> Response:
    """
    Return the entry, what opens it, its proofs and the chain's word, as one file.

    For the subject, the author, who asked, and whoever was released what the entry is
    about. An entry whose anchor is not final yet is answered 503 with Retry-After.
    """
    wanted = service.current_generation(house) if generation is None else generation
    found = service.bundle_of(house, person, wanted, index)
    return Response(found.encode(), media_type=BUNDLE_MEDIA_TYPE)
