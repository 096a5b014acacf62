"""Chapter six: an auditor verifies from bundles alone; chapter eight: nothing was leaked."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from xinglin._chain.answers import quantity
from xinglin._demo.consent import Granted, Openings, sign_in_patient
from xinglin._demo.intake import Filed, reached
from xinglin._demo.telling import Telling
from xinglin._demo.world import World
from xinglin._http import NodeClient
from xinglin._tiles import fetch_entries
from xinglin.access import Answer
from xinglin.bundle import Bundle, read_bundle
from xinglin.errors import EvidenceError

BUNDLES = "bundles"


def fetch_bundles(
    world: World, filed: Filed, granted: Granted, openings: Openings
) -> dict[str, Path]:
    """A patient and a physician hand over the bundles that they may have."""
    folder = world.folder / BUNDLES
    folder.mkdir()
    (treated, _) = filed.patients[0]
    theirs = next(one for one in filed.records if one.patient is treated)
    found: dict[str, Path] = {}
    with world.nodes[0].client() as node:
        sign_in_patient(world, node, treated)
        wanted = {"record": theirs.index}
        if theirs.inference is not None:
            wanted["inference"] = theirs.inference
        for kind, index in wanted.items():
            found[kind] = folder / f"{kind}.xinglin.json"
            found[kind].write_bytes(node.get_bytes(f"/v1/entries/{index}/bundle"))
        if openings.physician.access_index is None:
            raise EvidenceError("expected the index of the physician's opening")
        granted.physician.sign_in(node, world.trust.chain_id)
        found["access"] = folder / "access.xinglin.json"
        found["access"].write_bytes(
            node.get_bytes(f"/v1/entries/{openings.physician.access_index}/bundle")
        )
    return found


def fetch_care_bundles(world: World, filed: Filed, opened: Answer) -> dict[str, Path]:
    """A physician hands over the bundle of the opening that was made to treat."""
    if opened.access_index is None:
        raise EvidenceError("expected the index of the physician's opening")
    folder = world.folder / BUNDLES
    folder.mkdir()
    path = folder / "access.xinglin.json"
    with world.nodes[0].client() as node:
        filed.physicians[0].sign_in(node, world.trust.chain_id)
        path.write_bytes(node.get_bytes(f"/v1/entries/{opened.access_index}/bundle"))
    return {"access": path}


def verify_apart(world: World, bundles: dict[str, Path], telling: Telling) -> dict[str, Bundle]:
    """
    Verify each bundle as an auditor does: a process of its own, a trust root, a file.

    No address of a node or a chain is given to it.
    """
    read: dict[str, Bundle] = {}
    for kind, path in bundles.items():
        command = [
            *(sys.executable, "-m", "xinglin", "verify", str(path)),
            *("--trust", str(world.trust_file), "--type", kind, "--in-time", "--json"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise EvidenceError(f"the {kind} bundle did not verify: {done.stderr.strip()}")
        verdict = json.loads(done.stdout)
        size = path.stat().st_size / 1024
        telling.row(
            f"the auditor verifies the {kind} from its bundle",
            f"verified ({size:.0f} KiB): entry {verdict['index']}, {verdict['reach']}",
        )
        read[kind] = read_bundle(path.read_bytes())
    return read


def search_for_leaks(world: World, filed: Filed, telling: Telling) -> None:
    """Search everything public for every name, identity and telephone number (I1)."""
    canaries = sorted({text for one in filed.records for text in one.source.canaries})
    if not canaries:
        return
    forms = [form for canary in canaries for form in _forms(canary)]
    searched = 0
    for place, data in _public(world):
        searched += len(data)
        if any(form in data for form in forms):
            raise EvidenceError(f"a personal datum was found in {place}")
    telling.row(
        f"{len(canaries)} names, identity and telephone numbers are searched for",
        f"found nowhere in {searched / 2**20:.1f} MiB of blocks, tiles, logs, metrics and database",
    )


def _forms(canary: str) -> Iterator[bytes]:
    """A text as it could stand in a file, and in the hexadecimal of a chain's JSON."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
        yield canary.encode(encoding)
        yield canary.encode(encoding).hex().encode()


def _public(world: World) -> Iterator[tuple[str, bytes]]:
    head = world.pool.head().number
    for number in range(head + 1):
        block = world.pool.request("eth_getBlockByNumber", [hex(number), True])
        yield f"block {number}", json.dumps(block).encode()
        if isinstance(block, dict) and block.get("transactions"):
            receipts = [
                world.pool.request("eth_getTransactionReceipt", [one["hash"]])
                for one in block["transactions"]
            ]
            yield f"receipts of block {quantity(block['number'])}", json.dumps(receipts).encode()
    for node in world.nodes:
        with node.client() as client:
            size = reached(client.get("/v1/status"), "sequenced")
            for entry in fetch_entries(client, size):
                yield "the log", entry.encode()
        with NodeClient(f"http://127.0.0.1:{node.metrics_port}") as metrics:
            yield "the metrics", metrics.get_bytes("/metrics")
        for path in sorted(node.folder.rglob("*")):
            if path.is_file() and path.suffix in (".log", ".sqlite", ".sqlite-wal"):
                yield path.name, path.read_bytes()
