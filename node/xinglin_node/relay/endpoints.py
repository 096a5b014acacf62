"""Revoke a grant, from wherever one is."""

from fastapi import APIRouter

from xinglin_node.house import House
from xinglin_node.relay import service
from xinglin_node.relay.schemas import Relayed, SignedRevocation

router = APIRouter(prefix="/v1/relay", tags=["consents"])


@router.post("/revocation", summary="Relay a revocation", status_code=202)
def relay_revocation(shown: SignedRevocation, house: House) -> Relayed:
    """
    Stop every release under a grant at once, and carry its revocation to the chain.

    Anyone may bring it: the grantor's signature is the authority. Once this is answered,
    no key leaves under the grant, whatever the chain has seen.
    """
    return service.relay_revocation(house, shown)
