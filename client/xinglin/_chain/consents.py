"""
ConsentRegistry: grants given, witnessed, revoked.

    registry = Consents(pool)
    state = registry.grant(grant_id, at=view)      # GrantState, or None
    call = registry.give(grant, signature)
"""

from collections.abc import Sequence
from typing import Literal, cast

from eth_utils.address import to_checksum_address

from xinglin._chain.answers import View
from xinglin._chain.contract import BoundContract, Call, Log
from xinglin._chain.rpc import RpcPool
from xinglin.errors import ChainError
from xinglin.grant import Grant, GrantState, How, terms_digest
from xinglin.names import Address, GrantId, Signature, UnixTime

HOW: dict[int, How] = {1: "signed", 2: "witnessed"}
"""How a grant was given; 0 is no grant (FORMATS, contract signatures)."""

RevokedBy = Literal["nobody", "grantor", "witness", "govern"]

REVOKED_BY: dict[int, RevokedBy] = {0: "nobody", 1: "grantor", 2: "witness", 3: "govern"}


class Consents:
    """The registry of the profile's deployment."""

    def __init__(self, pool: RpcPool) -> None:
        deployed = pool.profile.deployed.consents
        self._contract = BoundContract(pool, deployed, "ConsentRegistry")
        self.address = deployed.address

    def give(self, grant: Grant, signature: Signature) -> Call:
        """Encode the registration of a signed grant. Anyone may send it."""
        return self._contract.call("give", _tuple(grant), signature)

    def witness(self, terms: bytes, *, not_before: UnixTime, expires_at: UnixTime) -> Call:
        """Encode a grant witnessed by the sending WITNESS account."""
        return self._contract.call("witness", terms_digest(terms), not_before, expires_at)

    def revoke(self, grant: GrantId, signature: Signature | None) -> Call:
        """
        Encode a revocation: with the grantor's signature anyone may send it.

        Without one the sending account must be a WITNESS or GOVERN account of the custodian.
        """
        return self._contract.call("revoke", grant, signature or b"")

    def revoke_many(self, grants: Sequence[GrantId]) -> Call:
        """Encode a custodian's revocation of several grants at once."""
        return self._contract.call("revokeMany", list(grants))

    def replace(
        self, old: GrantId, revocation: Signature, grant: Grant, signature: Signature
    ) -> Call:
        """Encode the end of one grant and the beginning of another. It joins the two on chain."""
        return self._contract.call("replace", old, revocation, _tuple(grant), signature)

    def grant(self, grant: GrantId, *, at: View | None = None) -> GrantState | None:
        """Return what the chain stores of a grant, or none where there is no such grant."""
        stored = self._contract.read("grantOf", grant, at=at)[0]
        terms, grantor, given_at, not_before, expires_at, revoked_at, custodian, how, by = stored
        if how == 0:
            return None
        if how not in HOW or by not in REVOKED_BY:
            raise ChainError(f"expected a grant as this version knows it, got how={how}, by={by}")
        return GrantState(
            custodian=custodian,
            grantor=_checksummed(grantor),
            terms_digest=bytes(terms),
            given_at=given_at,
            not_before=not_before,
            expires_at=expires_at,
            revoked_at=revoked_at,
            how=HOW[how],
            revoked_by=REVOKED_BY[by],
        )

    def logs(self, *, first: int | None = None, at: View) -> list[Log]:
        """Return every event of the registry up to the view, for indexers."""
        return self._contract.all_logs(first=first, at=at)


def _tuple(grant: Grant) -> tuple[object, ...]:
    return (
        grant.custodian,
        grant.grantor,
        terms_digest(grant.terms),
        grant.not_before,
        grant.expires_at,
        grant.deadline,
    )


def _checksummed(address: object) -> Address:
    return Address(to_checksum_address(cast(str, address)))
