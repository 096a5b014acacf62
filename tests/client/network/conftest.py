"""A Besu node's management interface, as far as it is spoken to."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

SILENT = "http://127.0.0.1:9"
"""Where nobody answers."""


@dataclass(frozen=True, slots=True)
class Besu:
    """A node that does whatever it is asked."""

    url: str
    asked: list[tuple[str, list[object]]] = field(default_factory=list)
    """Each method with its parameters, in order."""


@pytest.fixture
def besu() -> Iterator[Besu]:
    asked: list[tuple[str, list[object]]] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((question["method"], question["params"]))
            body = b'{"jsonrpc":"2.0","id":1,"result":"Success"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield Besu(f"http://127.0.0.1:{server.server_port}", asked)
    server.shutdown()
    server.server_close()
