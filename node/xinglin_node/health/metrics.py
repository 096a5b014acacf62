"""
Prometheus metrics. No label ever holds an identifier: routes are templates, not paths.
"""

import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from prometheus_client import Counter, Gauge, Histogram

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


def count_requests(app: FastAPI) -> None:
    """Count and time every request of `app` by its route's template."""

    async def count(
        request: Request, call_next: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        started = time.perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "unmatched")
        REQUESTS.labels(request.method, route, str(response.status_code)).inc()
        SECONDS.labels(request.method, route).observe(time.perf_counter() - started)
        return response

    app.middleware("http")(count)
