"""I1: nothing personal, and nothing that can be guessed and checked, is anywhere in public."""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from eth_utils.crypto import keccak

from xinglin._demo import consent
from xinglin._demo.consent import Granted
from xinglin._tiles import fetch_entries
from xinglin.consent import fetch

from .conftest import Stage


def forms(canary: str) -> Iterator[tuple[str, bytes]]:
    """Every form in which a text could stand somewhere, and every digest one could check."""
    raw = canary.encode()
    yield "UTF-8", raw
    yield "UTF-16 LE", canary.encode("utf-16-le")
    yield "UTF-16 BE", canary.encode("utf-16-be")
    yield "JSON", json.dumps(canary)[1:-1].encode()
    yield "hexadecimal", raw.hex().encode()
    yield "base64", base64.b64encode(raw).rstrip(b"=")[:-1]
    digests = {
        "SHA-256": hashlib.sha256(raw).digest(),
        "Keccak": keccak(raw),
        "SHA-1": hashlib.sha1(raw, usedforsecurity=False).digest(),
        "MD5": hashlib.md5(raw, usedforsecurity=False).digest(),
    }
    for name, digest in digests.items():
        yield name, digest
        yield f"{name} in hexadecimal", digest.hex().encode()
        yield f"{name} in base64", base64.b64encode(digest).rstrip(b"=")
        yield f"{name} in base64url", base64.urlsafe_b64encode(digest).rstrip(b"=")


def hits(data: bytes, wanted: list[tuple[str, bytes]]) -> list[str]:
    lower = data.lower()
    return [name for name, form in wanted if form in data or form.lower() in lower]


@pytest.fixture(scope="module")
def wanted(stage: Stage) -> list[tuple[str, bytes]]:
    canaries = {text for one in stage.filed.records for text in one.source.canaries}
    assert len(canaries) >= 12
    return [form for canary in sorted(canaries) for form in forms(canary)]


def unhex(text: str) -> bytes:
    """A value of JSON-RPC as bytes; a quantity may have an odd number of digits."""
    digits = text.removeprefix("0x")
    return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")


def chain_bytes(stage: Stage) -> Iterator[tuple[str, bytes]]:
    """Blocks and receipts as they are told; calldata, logs and storage as the bytes they are."""
    pool = stage.world.pool
    for number in range(pool.head().number + 1):
        block: Any = pool.request("eth_getBlockByNumber", [hex(number), True])
        yield f"block {number}", json.dumps(block).encode()
        for transaction in block["transactions"]:
            yield "calldata", bytes.fromhex(transaction["input"][2:])
            receipt = pool.request("eth_getTransactionReceipt", [transaction["hash"]])
            yield "receipt", json.dumps(receipt).encode()
            for log in receipt["logs"]:
                # As told, in hexadecimal, only one of the encodings could be found.
                yield "log", b"".join(unhex(topic) for topic in log["topics"]) + unhex(log["data"])
            # Anvil keeps no steps; what each transaction left in storage it tells this way.
            trace: Any = pool.request(
                "debug_traceTransaction",
                [
                    transaction["hash"],
                    {"tracer": "prestateTracer", "tracerConfig": {"diffMode": True}},
                ],
            )
            for account in trace["post"].values():
                words = {unhex(k): unhex(v) for k, v in account.get("storage", {}).items()}
                # In the order of their slots, so that a text over two of them is whole.
                yield "storage", b"".join(words[slot] for slot in sorted(words)) + b"".join(words)


class TestI1Silence:
    """Nothing personal, in any form, anywhere in public."""

    def test_the_search_finds_what_is_there(self, stage: Stage) -> None:
        # A search that cannot find anything would pass every other test here.
        note = stage.filed.records[0].source
        assert isinstance(note.source, bytes)
        found = [form for canary in note.canaries for form in forms(canary)]
        assert hits(note.source, found)
        assert hits(hashlib.sha256(note.canaries[0].encode()).hexdigest().encode(), found)
        assert not hits(b"nothing of the kind", found)

    def test_the_chain_holds_nothing_personal(
        self, stage: Stage, granted: Granted, wanted: list[tuple[str, bytes]]
    ) -> None:
        # Grants too: without one the calldata that matters most would not be there.
        assert fetch(stage.world.pool, granted.treatment.id) is not None
        searched: Counter[str] = Counter()
        for place, data in chain_bytes(stage):
            assert hits(data, wanted) == [], place
            searched[place.split()[0]] += len(data)
        # A place that gives nothing was not searched.
        assert searched.keys() == {"block", "calldata", "receipt", "log", "storage"}
        assert all(length > 1_000 for length in searched.values()), searched

    def test_the_logs_tiles_hold_nothing_personal(
        self, stage: Stage, wanted: list[tuple[str, bytes]]
    ) -> None:
        for node in stage.world.nodes:
            with node.client() as client:
                status: Any = client.get("/v1/status")
                size = status["sequenced"]["size"]
                entries = b"".join(entry.encode() for entry in fetch_entries(client, size))
                hashes = client.get_bytes(f"/log/tile/0/000.p/{min(size, 255)}")
            assert len(entries) == 64 * size
            assert hits(entries + hashes, wanted) == []

    def test_the_nodes_own_logs_hold_nothing_personal(
        self, stage: Stage, wanted: list[tuple[str, bytes]]
    ) -> None:
        for node in stage.world.nodes:
            written = (node.folder / "process" / "output.log").read_bytes()
            assert written
            assert hits(written, wanted) == []

    def test_the_database_and_blobs_hold_nothing_personal(
        self, stage: Stage, wanted: list[tuple[str, bytes]]
    ) -> None:
        searched = 0
        for node in stage.world.nodes:
            for path in node.folder.rglob("*"):
                if path.is_file():
                    assert hits(path.read_bytes(), wanted) == [], path.name
                    searched += 1
        assert searched > 10

    def test_the_metrics_hold_nothing_personal(
        self, stage: Stage, wanted: list[tuple[str, bytes]]
    ) -> None:
        for node in stage.world.nodes:
            answer = httpx.get(f"http://127.0.0.1:{node.metrics_port}/metrics", timeout=10)
            assert answer.status_code == 200
            assert b"xinglin" in answer.content
            assert hits(answer.content, wanted) == []

    def test_error_bodies_repeat_nothing_that_was_sent(
        self, stage: Stage, wanted: list[tuple[str, bytes]]
    ) -> None:
        note = stage.filed.records[0].source
        text = note.source.decode() if isinstance(note.source, bytes) else ""
        node = stage.world.nodes[0]
        physician = stage.filed.physicians[0]
        with node.client() as client:
            physician.sign_in(client, stage.world.trust.chain_id)
            headers = client._headers(True)
        attempts: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "/v1/access", {"json": {"request": text}}),
            ("POST", "/v1/grants", {"json": {"grant": {"terms": text}, "signature": text}}),
            ("POST", "/v1/session", {"json": {"message": text, "signature": text}}),
            ("POST", "/v1/inferences", {"json": {"record": text}}),
            ("POST", "/v1/access", {"content": text.encode()}),
            ("POST", "/v1/access", {"content": b'{"request":"' + text.encode()}),
            ("POST", "/v1/intake", {"data": {"subject": text, "category": text}}),
            ("GET", "/v1/entries/" + note.canaries[1], {}),
            ("GET", "/v1/records/" + note.canaries[2] + "/1/blob", {}),
            ("GET", "/v1/grants/" + note.canaries[1], {}),
            ("GET", "/nothing/" + note.canaries[0], {}),
            ("GET", "/v1/records", {"params": {"subject": note.canaries[0]}}),
        ]
        for method, path, rest in attempts:
            answer = httpx.request(method, node.url + path, headers=headers, timeout=30, **rest)
            assert answer.status_code >= 400, path
            assert hits(answer.content, wanted) == [], (path, answer.text[:200])
            assert answer.headers["content-type"].startswith("application/problem+json"), path

    def test_the_opened_note_is_the_one_submitted(self, stage: Stage) -> None:
        # The notes are there, sealed: silence by losing them would prove nothing.
        import tempfile
        from pathlib import Path

        with tempfile.TemporaryDirectory() as folder:
            answer = consent.open_as_care(stage.world, stage.filed, Path(folder), stage.telling)
        assert len(answer.released) == 1
