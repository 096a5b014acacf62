"""
Make the project's environment: `.venv` with pinned dependencies, and Node's packages.

    python3 scripts/setup.py demo      what the demo needs: no torch
    python3 scripts/setup.py test      everything

Runs on any Python from 3.11 with nothing installed, and does nothing when nothing changed.
`TORCH_INDEX` may name a package index that has torch's smaller build for CPUs.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / "bin"
OLDEST = (3, 11)


def main() -> None:
    """Install what the argument names."""
    if len(sys.argv) != 2 or sys.argv[1] not in ("demo", "test"):
        sys.exit("usage: python3 scripts/setup.py demo|test")
    if sys.version_info < OLDEST:
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
    try:
        make_venv()
        install(sys.argv[1])
        install_node_packages()
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"setup stopped: `{' '.join(map(str, error.cmd[:6]))} …` ended with {error.returncode}"
        )
    except OSError as error:
        sys.exit(f"setup stopped: {error}")


def make_venv() -> None:
    """Create `.venv`, or make it anew when it belongs to another Python or is broken."""
    if VENV.exists() and not usable():
        print(f"{VENV.name} belongs to another Python, or is broken: making it anew", flush=True)
        shutil.rmtree(VENV)
    if not VENV.exists():
        print(f"creating {VENV.name}", flush=True)
        try:
            venv.create(VENV, with_pip=True)
        except subprocess.CalledProcessError:
            shutil.rmtree(VENV, ignore_errors=True)
            sys.exit("Python's venv could not set up pip (on Debian: the package python3-venv)")
    if not (BIN / "uv").exists():
        pip = [BIN / "python", "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        run(*pip, "--require-hashes", "-r", "requirements/uv.txt")


def usable() -> bool:
    """Whether `.venv` runs, and its Python is new enough."""
    try:
        shown = subprocess.run(
            [BIN / "python", "-c", "import sys; print(*sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return False
    major, minor = shown.stdout.split()
    return (int(major), int(minor)) >= OLDEST


def install(which: str) -> None:
    """Install the pinned packages, and the project itself so that edits show at once."""
    files = [ROOT / "requirements" / f"{which}.txt", ROOT / "pyproject.toml"]
    stamp, wanted = VENV / f".installed-{which}", digest(*files)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"installing the packages of requirements/{which}.txt", flush=True)
    # The system's certificates: behind a hospital's own proxy no others are accepted.
    uv = [BIN / "uv", "pip", "install", "--quiet", "--system-certs", "--python", BIN / "python"]
    index = os.environ.get("TORCH_INDEX")
    extra = ["--extra-index-url", index, "--index-strategy", "unsafe-best-match"] if index else []
    run(*uv, "--require-hashes", *extra, "-r", files[0])
    run(*uv, "--no-deps", "--no-build-isolation", "-e", ".")
    stamp.write_text(wanted)


def install_node_packages() -> None:
    """Install the contracts' tools with the Node that the Python environment brings."""
    lock = ROOT / "package-lock.json"
    stamp, wanted = ROOT / "node_modules" / ".installed", digest(lock)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    print("installing the packages of package-lock.json", flush=True)
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    run(BIN / "npm", "ci", "--silent", "--no-fund", "--no-audit", env=os.environ | {"PATH": path})
    stamp.write_text(wanted)


def digest(*files: Path) -> str:
    """Digest of the contents of `files`."""
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def run(*command: object, env: dict[str, str] | None = None) -> None:
    """Run a command in the project's folder, and stop when it fails."""
    subprocess.run([str(part) for part in command], cwd=ROOT, check=True, env=env)


if __name__ == "__main__":
    main()
