"""
ModelRegistry: which model is which digest, and whether the network stands by it.

    registry = Models(pool)
    call = registry.register(digest, predecessor=None)
"""

from dataclasses import dataclass
from enum import IntEnum

from xinglin._chain.answers import View
from xinglin._chain.contract import BoundContract, Call, Log
from xinglin._chain.rpc import RpcPool
from xinglin.hashes import Digest
from xinglin.names import Member, UnixTime

NO_DIGEST = bytes(32)
"""The contract's word for none."""


class ModelStatus(IntEnum):
    """What the network says of a model."""

    UNKNOWN = 0
    PROPOSED = 1
    APPROVED = 2
    RETIRED = 3
    WITHDRAWN = 4

    @property
    def text(self) -> str:
        """The word, as bundles and commands write it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One registered model, with its whole history."""

    digest: Digest
    predecessor: Digest | None
    reason: Digest | None
    """Digest of the reason for withdrawal."""

    registrar: Member
    status: ModelStatus
    history: tuple[tuple[ModelStatus, UnixTime], ...]
    """Each status and since when, oldest first."""


class Models:
    """The registry of the profile's deployment."""

    def __init__(self, pool: RpcPool) -> None:
        deployed = pool.profile.deployed.models
        self._contract = BoundContract(pool, deployed, "ModelRegistry")
        self.address = deployed.address

    def register(self, digest: Digest, *, predecessor: Digest | None = None) -> Call:
        """Encode a registration by the sending GOVERN account."""
        before = predecessor.value if predecessor else NO_DIGEST
        return self._contract.call("register", digest.value, before)

    def approve(self, digest: Digest) -> Call:
        """Encode the carrying out of an approval that was voted. Anyone may send it."""
        return self._contract.call("approve", digest.value)

    def retire(self, digest: Digest) -> Call:
        """Encode the retirement of the sender's own model."""
        return self._contract.call("retire", digest.value)

    def withdraw(self, digest: Digest, reason: Digest) -> Call:
        """Encode the carrying out of a withdrawal that was voted. Anyone may send it."""
        return self._contract.call("withdraw", digest.value, reason.value)

    def model(self, digest: Digest, *, at: View | None = None) -> ModelRecord | None:
        """Return what stands about a model, or none where it was never registered."""
        stored = self._contract.read("modelOf", digest.value, at=at)[0]
        predecessor, reason, registrar, status = stored
        if registrar == 0:
            return None
        changes = self._contract.read("statusesOf", digest.value, at=at)[0]
        return ModelRecord(
            digest,
            Digest(predecessor) if predecessor != NO_DIGEST else None,
            Digest(reason) if reason != NO_DIGEST else None,
            Member(registrar),
            ModelStatus(status),
            tuple((ModelStatus(what), UnixTime(since)) for since, what in changes),
        )

    def status_at(self, digest: Digest, time: UnixTime, *, at: View | None = None) -> ModelStatus:
        """Return a model's status at a time."""
        return ModelStatus(self._contract.read("statusAt", digest.value, time, at=at)[0])

    def all(self, *, at: View) -> list[ModelRecord]:
        """Return every model registered up to the view, oldest first."""
        logs = self._contract.logs("ModelRegistered", at=at)
        digests = [Digest(bytes(log.fields["digest"])) for log in logs]
        return [found for digest in digests if (found := self.model(digest, at=at)) is not None]

    def logs(self, *, first: int | None = None, at: View) -> list[Log]:
        """Return every event of the registry up to the view, for indexers."""
        return self._contract.all_logs(first=first, at=at)
