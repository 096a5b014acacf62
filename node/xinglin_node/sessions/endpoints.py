"""Sign in with an account of the chain, and an appointment or a file (docs/spec/sessions.md)."""

from fastapi import APIRouter

from xinglin_node.house import House
from xinglin_node.sessions import service
from xinglin_node.sessions.schemas import Nonce, Session, SignInRequest

router = APIRouter(prefix="/v1/session", tags=["session"])


@router.get("/nonce", summary="Ask for a nonce")
def nonce(house: House) -> Nonce:
    """Return what the next sign-in message must hold. It may be used once, for ten minutes."""
    return service.new_nonce(house)


@router.post("", summary="Sign in", status_code=201)
def sign_in(asked: SignInRequest, house: House) -> Session:
    """
    Return a credential for the account that signed the EIP-4361 message.

    With `appointment`, the account acts for the member that vouches for it; with `subject`,
    it acts for that file, as its data subject or a proxy. A credential holds for minutes,
    and what it rests on is checked again at every request.
    """
    return service.sign_in(house, asked)
