"""
The one protocol that every engine follows, and how one is found by name.

An engine starts and stops validators and writes the profile. It is never asked anything
once the profile is there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from xinglin._chain.profile import FeeRule, NetworkProfile
from xinglin._network.process import Process
from xinglin.errors import UsageError
from xinglin.names import Address

Progress = Callable[[str], None]
"""Told in a few words what is being done."""

ENGINES = ("anvil", "clique", "qbft")

FUNDED_WEI = 10**24
"""What each account holds that is named at the beginning, where a price is asked for."""


def silent(_: str) -> None:
    """Progress for nobody."""


@dataclass(frozen=True, slots=True)
class NetworkOptions:
    """What may be chosen when a network is made. Zero means: the engine's own choice."""

    validators: int = 0
    chain_id: int = 0
    port: int = 0
    """First RPC port; free ports are found where it is 0."""

    block_period: int = 0
    fee: FeeRule = FeeRule.ZERO
    funded: tuple[Address, ...] = ()
    """Accounts that hold coins from the beginning, where a price is asked for."""


class Engine(Protocol):
    """
    A way to run a chain.

    Implementers promise: `up` returns when blocks come, or raises and leaves no process;
    a network that was stopped goes on from its data; `down` returns when no process of the
    folder runs; nothing outside the folder is written.
    """

    @property
    def name(self) -> str:
        """`anvil`, `clique` or `qbft`."""
        ...

    def up(
        self, folder: Path, options: NetworkOptions, progress: Progress = silent
    ) -> NetworkProfile:
        """Make a network in `folder`, or start the one that is there, and wait for blocks."""
        ...

    def down(self, folder: Path, progress: Progress = silent) -> int:
        """Stop what runs in `folder`; return how many processes that were."""
        ...

    def processes(self, folder: Path) -> tuple[Process, ...]:
        """The validators of `folder`, running or not, in their order."""
        ...


def find_engine(name: str) -> Engine:
    """Return the engine of that name. Raises `UsageError` for one that cannot be run here."""
    if name == "anvil":
        from xinglin._network.anvil import Anvil

        return Anvil()
    if name == "clique":
        from xinglin._network.clique import Clique

        return Clique()
    if name == "qbft":
        raise UsageError(
            "qbft runs in containers: `xinglin network genesis --engine qbft --out DIR` writes "
            "what docker-compose.yml mounts"
        )
    raise UsageError(f"expected an engine of {', '.join(ENGINES)}, got {name}")
