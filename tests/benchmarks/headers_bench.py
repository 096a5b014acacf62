"""
How fast headers are followed, on one core.

    python tests/benchmarks/headers_bench.py [--headers N] [--runs N] [--json]

Writes chains with test keys first, which is not timed, and follows each of them five
times or more. The target is 100,000 headers in less than 60 seconds. Numbers are of the
processor time of this one process, so that a busy machine does not count; the wall clock
is printed beside it.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "client"))

from headers.chains import CliqueChain, QbftChain, keys_of, signers_extra

from xinglin.headers import clique, follow, qbft, store

EPOCH_LENGTH = 30_000
"""What Besu and geth take by default."""

TARGET_HEADERS, TARGET_SECONDS = 100_000, 60


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of one kind of chain."""

    chain: str
    headers: int
    runs: int
    headers_per_second: int
    seconds_per_100000: float
    wall_seconds_per_100000: float
    saved_view_bytes: int


def qbft_headers(validators: int, count: int) -> tuple[qbft.View, list[bytes]]:
    """A QBFT chain whose blocks carry exactly the quorum of seals, as Besu's do."""
    chain = QbftChain(keys_of(validators), tail=(0,))
    rules = qbft.Rules(EPOCH_LENGTH, 1)
    return qbft.genesis(chain.genesis, rules=rules), [chain.next() for _ in range(count)]


def clique_headers(signers: int, count: int) -> tuple[clique.View, list[bytes]]:
    """A Clique chain whose signers keep their turns."""
    chain = CliqueChain(keys_of(signers), tail=(0,))
    headers = [
        chain.next(**({"extra": signers_extra(chain.keys)} if n % EPOCH_LENGTH == 0 else {}))
        for n in range(1, count + 1)
    ]
    rules = clique.Rules(EPOCH_LENGTH, 1)
    return clique.genesis(chain.genesis, rules=rules), headers


def measure(name: str, view: qbft.View | clique.View, headers: list[bytes], runs: int) -> Result:
    """Follow `headers` from `view`, `runs` times."""
    busy: list[float] = []
    wall: list[float] = []
    last = view
    for _ in range(runs):
        started, clock = time.process_time(), time.perf_counter()
        last = follow(view, headers)
        busy.append(time.process_time() - started)
        wall.append(time.perf_counter() - clock)
    scale = TARGET_HEADERS / len(headers)
    return Result(
        chain=name,
        headers=len(headers),
        runs=runs,
        headers_per_second=round(len(headers) / statistics.median(busy)),
        seconds_per_100000=round(statistics.median(busy) * scale, 1),
        wall_seconds_per_100000=round(statistics.median(wall) * scale, 1),
        saved_view_bytes=len(store.save(last)),
    )


def main() -> int:
    """Print one line a chain; 1 if four validators miss the target."""
    parser = argparse.ArgumentParser(description="How fast headers are followed, on one core")
    parser.add_argument("--headers", type=int, default=5000, help="headers in each chain")
    parser.add_argument("--runs", type=int, default=5, help="times each chain is followed")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()

    results: list[Result] = []
    for validators in (4, 7):
        name = f"qbft, {validators} validators, {qbft.quorum(validators)} seals"
        view, headers = qbft_headers(validators, options.headers)
        results.append(measure(name, view, headers, options.runs))
    clique_view, headers = clique_headers(4, options.headers)
    results.append(measure("clique, 4 signers", clique_view, headers, options.runs))

    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=1))
    else:
        print(f"headers followed on one core, medians of {options.runs} runs")
        for r in results:
            print(
                f"  {r.chain:<32} {r.headers_per_second:>6} headers/s  "
                f"{r.seconds_per_100000:>5.1f} s per {TARGET_HEADERS:,} "
                f"({r.wall_seconds_per_100000:.1f} s by the clock), "
                f"saved view {r.saved_view_bytes} bytes"
            )
    return 0 if results[0].seconds_per_100000 < TARGET_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
