"""
So many requests a minute from one caller, then 429 with Retry-After.

A caller is a credential of ours that holds, else a network address: a made-up header
does not make another caller. What is counted is forgotten at the end of its minute and
never leaves memory.
"""

import hashlib
import time
from collections.abc import Callable

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from xinglin_node.problems import RateExceeded, respond


class LimitRate:
    """Refuses what comes too often. Plain ASGI: bodies pass untouched."""

    def __init__(self, app: ASGIApp, *, per_minute: int, is_ours: Callable[[str], bool]) -> None:
        self._app = app
        self._is_ours = is_ours
        self._limit = RateLimitItemPerMinute(per_minute)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it."""
        if scope["type"] == "http":
            caller = self._caller(scope)
            if not self._limiter.hit(self._limit, caller):
                resets_at = self._limiter.get_window_stats(self._limit, caller).reset_time
                problem = RateExceeded(
                    f"at most {self._limit.amount} requests a minute",
                    "more",
                    retry_after=max(1, int(resets_at - time.time()) + 1),
                )
                await respond(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"authorization":
                scheme, _, credential = value.decode("latin-1").partition(" ")
                if scheme.lower() == "bearer" and self._is_ours(credential):
                    # Hashed: a credential is nothing to keep, not even for a minute.
                    return hashlib.sha256(value).hexdigest()
        client = scope.get("client")
        return client[0] if client else "unknown"
