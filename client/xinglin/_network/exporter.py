"""
What the chain looks like from here, as numbers that Prometheus reads.

    with serve(pool, port=9200) as exporter:
        exporter.look()

Age of head and final view, nodes that can be asked, validators and how many of the last
blocks each sealed. The last come from the headers and from nobody's word. A validator is
named by its account, which is public; nothing here is about a person.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from xinglin._chain.nodes import NodeCondition
from xinglin._chain.rpc import RpcPool
from xinglin._network.watching import watch
from xinglin.errors import ChainError, HeaderError, Unreachable

GAUGES = {
    "xinglin_chain_head_number": "Newest block of the best RPC node.",
    "xinglin_chain_head_age_seconds": "Age of that block.",
    "xinglin_chain_view_age_seconds": "Age of the final view on which the nodes agree.",
    "xinglin_chain_rpc_nodes": "RPC nodes by what they are worth.",
    "xinglin_chain_validators": "Validators that may seal the next block.",
    "xinglin_chain_validators_missing": "Of these, how many sealed none of the last blocks.",
    "xinglin_chain_sealed_recently": "Of the last blocks, how many each validator sealed.",
    "xinglin_chain_headers_valid": "1 while every header was sealed by its validators, else 0.",
}
"""Every metric, with its meaning."""

LOOK_SECONDS = 10.0

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format."""


class Exporter:
    """The newest numbers, and the page that shows them."""

    def __init__(self, pool: RpcPool, saved: Path | None = None) -> None:
        self._pool = pool
        self._saved = saved
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], float] = {}

    def look(self) -> None:
        """Measure once. What cannot be measured keeps no old number: its absence is the alarm."""
        found: dict[tuple[str, str], float] = {}
        states = self._pool.states(fresh=True)
        for condition in NodeCondition:
            label = f'condition="{condition.value}"'
            count = sum(state.condition is condition for state in states)
            found["xinglin_chain_rpc_nodes", label] = count
        try:
            head = self._pool.head()
            found["xinglin_chain_head_number", ""] = head.number
            found["xinglin_chain_head_age_seconds", ""] = max(0.0, time.time() - head.time)
            view = self._pool.final_view()
            found["xinglin_chain_view_age_seconds", ""] = max(0.0, time.time() - view.time)
            self._look_at_validators(found)
        except (ChainError, Unreachable):
            pass
        with self._lock:
            self._values = found

    def _look_at_validators(self, found: dict[tuple[str, str], float]) -> None:
        try:
            sealing = watch(self._pool, saved=self._saved)
        except HeaderError:
            found["xinglin_chain_headers_valid", ""] = 0
            return
        if sealing is None:
            return
        found["xinglin_chain_headers_valid", ""] = 1
        found["xinglin_chain_validators", ""] = len(sealing.validators)
        found["xinglin_chain_validators_missing", ""] = len(sealing.missing)
        for validator in sealing.validators:
            label = f'validator="{validator}"'
            found["xinglin_chain_sealed_recently", label] = sealing.recent.get(validator, 0)

    def page(self) -> bytes:
        """Return the numbers in Prometheus' text format."""
        with self._lock:
            values = dict(self._values)
        lines: list[str] = []
        for name, meaning in GAUGES.items():
            lines += [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
            for (metric, label), value in values.items():
                if metric == name:
                    lines.append(f"{name}{{{label}}} {value:g}" if label else f"{name} {value:g}")
        return ("\n".join(lines) + "\n").encode()


@contextmanager
def serve(
    pool: RpcPool, *, host: str = "127.0.0.1", port: int, saved: Path | None = None
) -> Iterator[Exporter]:
    """Show an exporter's page at /metrics while the block runs; the caller lets it look."""
    exporter = Exporter(pool, saved)

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = exporter.page() if self.path == "/metrics" else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: a scrape every few seconds is no news."""

    server = ThreadingHTTPServer((host, port), Page)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield exporter
    finally:
        server.shutdown()
        server.server_close()
