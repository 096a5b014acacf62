"""
How fast headers are followed, on one core.

    python tests/benchmarks/headers_bench.py [--headers N] [--runs N] [--whole N] [--json]

Writes chains with test keys first, which is not timed, and follows each of them five
times or more; then one of `--whole` headers, put away half way, taken up again and followed
to its end. Numbers are of the processor time of this one process, so that a busy machine
does not count; the wall clock is printed beside it. The target is 100,000 headers in 60
seconds. The peer is the bare recovery of as many keys, which no follower can do without.
Nothing here fails on a time.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from coincurve import PublicKey
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "client"))

from headers.chains import CliqueChain, QbftChain, key_of, keys_of, signers_extra

from xinglin.headers import View, clique, follow, qbft, store

EPOCH_LENGTH = 30_000
"""What Besu and geth take by default."""

TARGET_HEADERS, TARGET_SECONDS = 100_000, 60

RECOVERIES = 2_000
"""Of one round of the peer."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A kind of chain: where following begins, how it goes on, and how many seals a header has."""

    name: str
    view: View
    headers: Iterator[bytes]
    seals: int


@dataclass(frozen=True, slots=True)
class Result:
    """Medians of one kind of chain."""

    chain: str
    headers: int
    runs: int
    headers_per_second: int
    seconds_per_100000: float
    wall_seconds_per_100000: float
    share_of_target: float
    times_bare_recovery: float


@dataclass(frozen=True, slots=True)
class Whole:
    """One chain followed once from end to end, put away half way and taken up again."""

    chain: str
    headers: int
    seconds: float
    wall_seconds: float
    share_of_target: float
    saved_view_bytes: int
    save_ms: float
    load_ms: float


def qbft_chain(validators: int) -> Chain:
    """A QBFT chain whose blocks carry exactly the quorum of seals, as Besu's do."""
    chain = QbftChain(keys_of(validators), tail=(0,))
    view = qbft.genesis(chain.genesis, rules=qbft.Rules(EPOCH_LENGTH, 1))

    def headers() -> Iterator[bytes]:
        while True:
            yield chain.next()

    seals = qbft.quorum(validators)
    return Chain(f"qbft, {validators} validators", view, headers(), seals)


def clique_chain(signers: int) -> Chain:
    """A Clique chain whose signers keep their turns."""
    chain = CliqueChain(keys_of(signers), tail=(0,))
    view = clique.genesis(chain.genesis, rules=clique.Rules(EPOCH_LENGTH, 1))

    def headers() -> Iterator[bytes]:
        while True:
            ends_epoch = (chain.number + 1) % EPOCH_LENGTH == 0
            yield chain.next(**({"extra": signers_extra(chain.keys)} if ends_epoch else {}))

    return Chain(f"clique, {signers} signers", view, headers(), 1)


def busy_seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of this process and of the clock."""
    busy, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - busy, time.perf_counter() - wall


def bare_recovery(runs: int) -> float:
    """Seconds in which coincurve recovers one key from a signature, and nothing else."""
    key, digest = key_of("validator 0"), bytes(range(32))
    seal = key.seal(digest)

    def recover() -> None:
        for _ in range(RECOVERIES):
            PublicKey.from_signature_and_message(seal, digest, hasher=None)

    return statistics.median(busy_seconds(recover)[0] for _ in range(runs)) / RECOVERIES


def measure(chain: Chain, count: int, runs: int, bare: float) -> Result:
    """Follow `count` headers from the beginning, `runs` times."""
    headers = list(islice(chain.headers, count))
    found = [busy_seconds(lambda: follow(chain.view, headers)) for _ in range(runs)]
    busy, wall = (statistics.median(one[n] for one in found) for n in (0, 1))
    scale = TARGET_HEADERS / count
    return Result(
        chain=chain.name,
        headers=count,
        runs=runs,
        headers_per_second=round(count / busy),
        seconds_per_100000=round(busy * scale, 1),
        wall_seconds_per_100000=round(wall * scale, 1),
        share_of_target=round(busy * scale / TARGET_SECONDS, 2),
        times_bare_recovery=round(busy / count / (bare * chain.seals), 2),
    )


def follow_whole(chain: Chain, count: int) -> Whole:
    """Follow `count` headers, with a saved view between the halves."""
    headers = list(islice(chain.headers, count))
    began, clock = time.process_time(), time.perf_counter()
    view = follow(chain.view, headers[: count // 2])
    at_half = time.process_time()
    saved = store.save(view)
    saved_at = time.process_time()
    view = store.load(saved)
    loaded_at = time.process_time()
    last = follow(view, headers[count // 2 :])
    busy, wall = time.process_time() - began, time.perf_counter() - clock
    if last.number != count:
        raise RuntimeError(f"expected to end at header {count}, ended at {last.number}")
    return Whole(
        chain=chain.name,
        headers=count,
        seconds=round(busy, 1),
        wall_seconds=round(wall, 1),
        share_of_target=round(busy * TARGET_HEADERS / count / TARGET_SECONDS, 2),
        saved_view_bytes=len(saved),
        save_ms=round((saved_at - at_half) * 1e3, 2),
        load_ms=round((loaded_at - saved_at) * 1e3, 2),
    )


def show(results: list[Result], wholes: list[Whole]) -> None:
    """Print both tables."""
    console = Console()
    columns = ("chain", "headers/s", "s / 100,000", "by the clock", "of 60 s", "of bare")
    table = Table(
        *columns,
        title="Headers followed on one core (medians)",
        caption="of bare: times the recovery of as many keys alone",
    )
    for one in results:
        table.add_row(
            one.chain, f"{one.headers_per_second:,}", f"{one.seconds_per_100000}",
            f"{one.wall_seconds_per_100000}", f"{one.share_of_target:.2f}",
            f"{one.times_bare_recovery:.2f} ×",
        )  # fmt: skip
    console.print(table)
    columns = ("chain", "headers", "s", "clock", "of 60 s", "saved view", "save, load")
    table = Table(
        *columns,
        title="One whole chain, put away half way and taken up again (once)",
        caption="of 60 s: for each 100,000 headers",
    )
    for whole in wholes:
        table.add_row(
            whole.chain, f"{whole.headers:,}", f"{whole.seconds}", f"{whole.wall_seconds}",
            f"{whole.share_of_target:.2f}", f"{whole.saved_view_bytes:,} B",
            f"{whole.save_ms:.1f}, {whole.load_ms:.1f} ms",
        )  # fmt: skip
    if wholes:
        console.print(table)


def main() -> None:
    """Measure, and print tables or JSON."""
    parser = argparse.ArgumentParser(description="How fast headers are followed, on one core")
    parser.add_argument("--headers", type=int, default=5000, help="headers in each chain")
    parser.add_argument("--runs", type=int, default=5, help="times each chain is followed")
    parser.add_argument(
        "--whole", type=int, default=TARGET_HEADERS, help="headers of the whole chains; 0: none"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()

    bare = bare_recovery(options.runs)
    chains = (qbft_chain(4), qbft_chain(7), clique_chain(4))
    results = [measure(chain, options.headers, options.runs, bare) for chain in chains]
    wholes: list[Whole] = []
    if options.whole:
        wholes = [follow_whole(chain, options.whole) for chain in (qbft_chain(4), clique_chain(4))]
    if options.json:
        shown = {"chains": [asdict(one) for one in results], "whole": [asdict(w) for w in wholes]}
        print(json.dumps(shown, indent=1))
        return
    show(results, wholes)


if __name__ == "__main__":
    main()
