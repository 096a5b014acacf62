"""
Processes that outlive the command that started them, and are stopped by id and nothing else.

Each has a folder with `pid` (its id and the moment it started, so that an id which the
system gave to another program is never signalled) and `output.log`.
"""

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xinglin.errors import Unreachable, UsageError

PID_FILE = "pid"
LOG_FILE = "output.log"

PATIENCE = 10.0
"""Seconds between asking a process to stop and making it."""

_CRASH = re.compile(r"^(panic:|fatal error:|unexpected fault|SIG[A-Z]+:)", re.MULTILINE)
"""How Go begins to say why it ends; pages of other things follow."""

LOG_TAIL = 600
"""Characters of the log that an error message shows."""


@dataclass(frozen=True, slots=True)
class Process:
    """One process that was started here, as its folder remembers it."""

    folder: Path
    pid: int
    started: str
    """The moment of its start, in the system's own words; empty where it tells none."""

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return _started(self.pid) == self.started and _running(self.pid)

    @property
    def log_tail(self) -> str:
        """The end of what it wrote, or where a program in Go crashed the beginning of that."""
        try:
            text = (self.folder / LOG_FILE).read_text("utf-8", "replace")
        except OSError:
            return ""
        crash = _CRASH.search(text)
        if crash is not None:
            return text[crash.start() :][:LOG_TAIL].strip()
        return text[-LOG_TAIL:].strip()


def start(
    folder: Path, command: Sequence[str], *, environment: Mapping[str, str] | None = None
) -> Process:
    """
    Start `command` in `folder`, apart from this terminal, and write its id down.

    Raises `UsageError` where one of this folder still runs or the program is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    running = find(folder)
    if running is not None:
        require_stopped(running)
    with _undisturbed(), (folder / LOG_FILE).open("ab") as log:
        try:
            child = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment} if environment else None,
                # Ctrl-C in the terminal is for the command, which then stops what it started.
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(f"expected a program at {command[0]}: {error.strerror}") from error
        process = Process(folder, child.pid, _started(child.pid))
        (folder / PID_FILE).write_text(f"{process.pid}\n{process.started}\n", "ascii")
        _children[child.pid] = child
    return process


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """
    Let Ctrl-C and SIGTERM wait until a process that was started is written down.

    Between the two they would leave a process that nobody knows of. The handlers are ours for
    the moment, rather than the signals blocked: a child inherits what is blocked.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, lambda got, _: came.append(got)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
    for got in came:
        signal.raise_signal(got)


def find(folder: Path) -> Process | None:
    """Return the process of a folder, running or not; none where none was started."""
    try:
        lines = (folder / PID_FILE).read_text("ascii").splitlines()
        return Process(folder, int(lines[0]), lines[1] if len(lines) > 1 else "")
    except (OSError, ValueError, IndexError):
        return None


def stop(process: Process, *, patience: float = PATIENCE) -> None:
    """Ask a process to stop, wait, and make it. Does nothing to one that no longer runs."""
    if process.alive:
        _signal(process.pid, signal.SIGTERM)
        # A process that was paused hears nothing before it is resumed.
        _signal(process.pid, signal.SIGCONT)
        if not _gone(process, patience):
            _signal(process.pid, signal.SIGKILL)
            _gone(process, patience)
    _wait(process.pid)
    (process.folder / PID_FILE).unlink(missing_ok=True)


def kill(process: Process) -> None:
    """Kill a process at once, as a power cut would; for tests of what survives it."""
    if process.alive:
        _signal(process.pid, signal.SIGKILL)
        _gone(process, PATIENCE)
    _wait(process.pid)


def pause(process: Process) -> None:
    """Stop a process from running without ending it: it holds its ports and answers nothing."""
    _signal(process.pid, signal.SIGSTOP)


def resume(process: Process) -> None:
    """Let a paused process run on."""
    _signal(process.pid, signal.SIGCONT)


def require_stopped(process: Process) -> None:
    """Raise `UsageError` where a process still runs."""
    if process.alive:
        raise UsageError(
            f"already running as process {process.pid} in {process.folder}; stop it first"
        )


def require_alive(process: Process, name: str) -> None:
    """Raise `Unreachable` with the end of its log where a process has ended by itself."""
    _reap(process.pid)
    if not process.alive:
        raise Unreachable(f"{name} ended at once: {process.log_tail or 'it wrote nothing'}")


_PORTS = range(10_240, 32_768)
"""Neither well known nor, on Linux, given to outgoing connections."""

_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """
    Return ports that are free now, none of which this program was given before.

    They lie below those that the kernel gives to outgoing connections, which would take one
    of its own choice before a server that was told of it has begun to listen.
    """
    found: list[int] = []
    while len(found) < count:
        port = secrets.choice(_PORTS)
        if port not in _given and is_free(port):
            _given.add(port)
            found.append(port)
    return found


def is_free(port: int) -> bool:
    """Whether nothing listens on `port` of this machine now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def require_free(port: int) -> None:
    """Raise `UsageError` where something listens on `port` already."""
    if not is_free(port):
        raise UsageError(f"expected port {port} to be free, it is taken")


_children: dict[int, subprocess.Popen[bytes]] = {}
"""Children of this very program, which must be waited for or stay behind as zombies."""


def _reap(pid: int) -> None:
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]


def _wait(pid: int) -> None:
    """Take leave of a child that has ended, so that it does not stay as a zombie."""
    if _running(pid):
        return
    child = _children.pop(pid, None)
    if child is not None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _gone(process: Process, patience: float) -> bool:
    ends = time.monotonic() + patience
    while time.monotonic() < ends:
        _reap(process.pid)
        if not process.alive:
            return True
        time.sleep(0.02)
    return False


def _running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    fields = _stat(pid)
    if not fields:
        # Without /proc the answer to the signal is all there is.
        return not Path("/proc/self/stat").exists()
    # The first thread of a process may end before the others, which still hold its ports.
    return not (fields[0] == "Z" and fields[17] in ("0", "1"))


def _started(pid: int) -> str:
    """The start time in clock ticks since boot (proc(5), field 22 of stat); empty elsewhere."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else ""


def _stat(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat after the program's name, which may hold blanks."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()
