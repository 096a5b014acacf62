"""
Prometheus metrics. No label ever holds an identifier: routes are templates, not paths.
"""

import time

from prometheus_client import Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUESTS = Counter("xinglin_requests_total", "Requests answered.", ["method", "route", "status"])
SECONDS = Histogram(
    "xinglin_request_seconds",
    "Time to an answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
ENTRIES = Counter("xinglin_entries_total", "Entries sequenced since the start.")
LOG_SIZE = Gauge("xinglin_log_size", "Entries in the log.")
QUEUE = Gauge("xinglin_queue_weight", "Entries waiting to be sequenced.")
ANCHORED = Gauge("xinglin_anchored_size", "Size of the newest checkpoint mined.")
FINAL = Gauge("xinglin_final_size", "Size of the newest checkpoint in a final block.")
VIEW_AGE = Gauge("xinglin_view_age_seconds", "Age of the final view.")
ANCHOR_FAILURES = Counter("xinglin_anchor_failures_total", "Anchors not sent or refused.")


class CountRequests:
    """
    Counts and times every request by its route's template.

    Plain ASGI: bodies pass untouched, however large they are.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            REQUESTS.labels(scope["method"], route, str(status)).inc()
            SECONDS.labels(scope["method"], route).observe(time.perf_counter() - started)
