"""Health, readiness, what the node is, and how far it has come. For everyone."""

from fastapi import APIRouter, Response

from xinglin_node.health.schemas import About, Health, Status
from xinglin_node.health.service import about, readiness, status
from xinglin_node.house import House

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive?")
def healthz() -> Health:
    """Answer as long as the process runs."""
    return Health(ok=True, reasons=())


@router.get(
    "/readyz",
    summary="Does the node take new entries?",
    responses={503: {"model": Health, "description": "It does not, and why."}},
)
def readyz(house: House, response: Response) -> Health:
    """Answer 200 while entries are taken, else 503 and why."""
    health = readiness(house)
    response.status_code = 200 if health.ok else 503
    return health


@router.get("/v1/about", summary="What this node is")
def read_about(house: House) -> About:
    """Return the institution, its public keys, the network and the formats it speaks."""
    return about(house)


@router.get("/v1/status", summary="How far the log and the chain have come")
def read_status(house: House) -> Status:
    """Return sizes and times of the three states, and the view's age."""
    return status(house)
