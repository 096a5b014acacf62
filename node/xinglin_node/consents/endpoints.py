"""Deposit grants, and read those that concern one."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response

from xinglin.encoding import from_hex0x
from xinglin.names import GrantId
from xinglin_node.authority import Desk, SignedIn
from xinglin_node.consents import service
from xinglin_node.consents.schemas import (
    Deposit,
    DepositedGrant,
    GrantedRecords,
    GrantGiven,
    GrantList,
    GrantWitnessed,
)
from xinglin_node.house import House

router = APIRouter(prefix="/v1/grants", tags=["consents"])

_AGAIN: dict[int | str, dict[str, Any]] = {
    200: {"model": Deposit, "description": "The same again: the first receipt."}
}

GrantInPath = Annotated[str, Path(pattern="^0x[0-9a-f]{64}$", examples=["0x" + "c4" * 32])]


@router.post("", summary="Deposit a grant", status_code=201, responses=_AGAIN)
def deposit(given: GrantGiven, house: House, response: Response) -> Deposit:
    """
    Take in a signed grant with its terms, and relay it to the chain where it is not there.

    Anyone may bring it: the signatures of the grant's fresh account and of the enrolled
    account are the authority. Nothing is released under a grant before its deposit is
    logged in the subject's history. The same again is answered 200.
    """
    answer, new = service.deposit(house, given)
    response.status_code = 201 if new else 200
    return answer


@router.post("/witnessed", summary="Witness a grant at the desk", status_code=201, responses=_AGAIN)
def witness(given: GrantWitnessed, desk: Desk, house: House, response: Response) -> Deposit:
    """
    Give a grant for a subject without a device, on the word of this institution.

    It is marked as witnessed for ever, and names the sealed form that was signed on paper.
    """
    answer, new = service.witness(house, desk, given)
    response.status_code = 201 if new else 200
    return answer


@router.get("", summary="List grants")
def list_grants(person: SignedIn, house: House) -> GrantList:
    """Return the grants that the caller gave, or that name the caller."""
    return service.list_grants(house, person)


@router.get("/{grant}", summary="Show a grant")
def show_grant(grant: GrantInPath, person: SignedIn, house: House) -> DepositedGrant:
    """Return one grant with its terms and its state at the final view."""
    return service.show_grant(house, person, GrantId(from_hex0x(grant)))


@router.get("/{grant}/records", summary="List what a grant covers")
def granted_records(grant: GrantInPath, person: SignedIn, house: House) -> GrantedRecords:
    """Return the records in the grant's scope, which its grantee may ask for."""
    return service.granted_records(house, person, GrantId(from_hex0x(grant)))
