"""Waiting for something that another machine does, with an end."""

import time
from collections.abc import Callable
from typing import TypeVar

from xinglin.errors import ChainError, Unreachable

Found = TypeVar("Found")

SHORTEST_PAUSE = 0.05
"""Seconds; blocks of a development chain come at once."""

LONGEST_PAUSE = 0.3


def wait_for(look: Callable[[], Found | None], *, timeout: float, what: str) -> Found:
    """
    Call `look` until it returns something, with growing pauses, and return that.

    Nodes that are silent or behind for a while are waited for. Raises `Unreachable` after `timeout`
    seconds, with what the last look met.
    """
    ends = time.monotonic() + timeout
    pause = SHORTEST_PAUSE
    met = ""
    while True:
        try:
            found = look()
            if found is not None:
                return found
        except (Unreachable, ChainError) as error:
            # Nodes on two sides of a fork refuse for a moment; what is more than that has a
            # class of its own and ends the waiting.
            if isinstance(error, ChainError) and type(error) is not ChainError:
                raise
            met = f": {error}"
        if time.monotonic() >= ends:
            raise Unreachable(f"expected {what} within {timeout:.0f} s{met}")
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)
