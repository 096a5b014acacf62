"""
The two threads that talk to the chain: one follows it, one sends.

Each does one step after another with a pause between them; an error of the chain or the
network ends the step and not the thread. Nothing is lost by it: all state is in rows.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from xinglin._chain.rpc import RpcPool, check_contracts
from xinglin._chain.sender import Sender
from xinglin.errors import WrongChain, XinglinError
from xinglin_node.anchoring.anchors import Anchors
from xinglin_node.anchoring.outbox import Outbox
from xinglin_node.anchoring.state import NOT_SEEN
from xinglin_node.chain.indexer import Indexer
from xinglin_node.health import metrics
from xinglin_node.house import NodeHouse
from xinglin_node.problems import StorageRefused

_logger = logging.getLogger(__name__)


class Workers:
    """Starts and stops what follows the chain and what sends to it."""

    def __init__(self, house: NodeHouse, pool: RpcPool | None = None) -> None:
        self._house = house
        self.pool = pool or pool_of(house)
        anchor = Sender(self.pool, house.keys.anchor)
        senders = {"anchor": anchor}
        if house.keys.witness is not None:
            senders["witness"] = Sender(self.pool, house.keys.witness)
        self.indexer = Indexer(house, self.pool)
        self.anchors = Anchors(house, self.pool, anchor)
        self.outbox = Outbox(house, self.pool, senders)
        self._stopping = threading.Event()
        self._checked = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Halt sequencing until the chain was looked at once, and begin to look."""
        self._house.writer.halt(NOT_SEEN)
        self._house.writer.on_growth(lambda head: metrics.LOG_SIZE.set(head.size))
        for name, step in (("indexer", self._follow), ("sender", self._send)):
            thread = threading.Thread(
                target=self._run, args=(name, step), name=f"chain-{name}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let both threads finish their step, and wait for them."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=30)
        self.pool.close()

    def _run(self, name: str, step: Callable[[], bool]) -> None:
        while not self._stopping.is_set():
            again = False
            try:
                again = step()
            except WrongChain as error:
                self._house.writer.halt(StorageRefused("the chain of this network", str(error)))
                _logger.error("wrong chain", extra={"worker": name})  # noqa: TRY400
            except XinglinError as error:
                _logger.warning(
                    "chain step failed", extra={"worker": name, "error": type(error).__name__}
                )
            except Exception as error:
                _logger.error(  # noqa: TRY400 - a traceback would quote rows
                    "chain step failed", extra={"worker": name, "error": type(error).__name__}
                )
            if not again:
                self._stopping.wait(self._house.settings.poll_seconds)

    def _follow(self) -> bool:
        if not self._checked.is_set():
            # Other code at our addresses would make every reading of it meaningless.
            check_contracts(self.pool)
            self._checked.set()
        return self.indexer.step()

    def _send(self) -> bool:
        if self._checked.is_set():
            try:
                self.outbox.step()
            finally:
                # Whatever a revocation or a grant met: the log is anchored in time (I3).
                self.anchors.step()
        return False


def pool_of(house: NodeHouse) -> RpcPool:
    """The RPC nodes of the profile, or those that the settings name instead."""
    profile = house.profile
    if house.settings.rpc_urls:
        profile = replace(profile, rpc=house.settings.rpc_urls)
    return RpcPool(profile)
