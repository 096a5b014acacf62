"""
Each validator in a network namespace of its own, so that a cut is one that packets feel.

    with namespaces(4) as ground:
        Clique(ground.place).up(...)
        ground.cut({1, 2})
        ground.heal()

A bridge joins them and this machine, which reaches all of them whatever is cut. A cut drops
what goes from one side to the other: nobody is told, and connections hang, as when a cable
is pulled. It takes root and Debian's iproute2; `refusal` says what is missing.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

from xinglin._network.topology import Place

NETWORK = "198.18"
"""Set aside for tests of network devices (RFC 2544), so that it is nobody's."""

HERE = 254
"""Last number of this machine's own address."""


@dataclass
class Namespaces:
    """What was made, and which validators do not hear each other."""

    name: str
    """Of the bridge; the namespaces' names begin with it."""

    prefix: str
    """First three numbers of the addresses."""

    count: int
    _cut: list[tuple[int, int]] = field(default_factory=list)

    def namespace(self, number: int) -> str:
        """Name of a validator's namespace."""
        return f"{self.name}-{number}"

    def host(self, number: int) -> str:
        """Address of a validator."""
        return f"{self.prefix}.{number}"

    def place(self, name: str) -> Place:
        """Where `node1`, `node2`, … run."""
        number = int(name.removeprefix("node"))
        command = ("ip", "netns", "exec", self.namespace(number))
        return Place(self.host(number), command)

    def cut(self, group: set[int]) -> None:
        """Drop what goes between `group` and the others, both ways."""
        others = set(range(1, self.count + 1)) - group
        for one, other in [(a, b) for a in sorted(group) for b in sorted(others)]:
            for source, target in ((one, other), (other, one)):
                route = ("route", "add", "blackhole", self.host(target))
                _ip("-netns", self.namespace(source), *route)
                self._cut.append((source, target))

    def heal(self) -> None:
        """Let everybody hear everybody again."""
        for source, target in self._cut:
            route = ("route", "del", "blackhole", self.host(target))
            _ip("-netns", self.namespace(source), *route)
        self._cut.clear()

    def make(self) -> None:
        """Make the bridge, and a namespace and a cable to it for each validator."""
        _ip("link", "add", self.name, "type", "bridge")
        _ip("address", "add", f"{self.prefix}.{HERE}/24", "dev", self.name)
        _ip("link", "set", self.name, "up")
        for number in range(1, self.count + 1):
            inside, cable = self.namespace(number), f"{self.name}v{number}"
            _ip("netns", "add", inside)
            end = ("peer", "name", "eth0", "netns", inside)
            _ip("link", "add", cable, "type", "veth", *end)
            _ip("link", "set", cable, "master", self.name, "up")
            _ip("-netns", inside, "address", "add", f"{self.host(number)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-netns", inside, "link", "set", device, "up")

    def remove(self) -> None:
        """Take everything down; what was never made is passed over."""
        for number in range(1, self.count + 1):
            # The cable first: with the namespace it would go only some time later.
            with contextlib.suppress(OSError):
                _ip("link", "delete", f"{self.name}v{number}")
            with contextlib.suppress(OSError):
                _ip("netns", "delete", self.namespace(number))
        with contextlib.suppress(OSError):
            _ip("link", "delete", self.name)


@contextlib.contextmanager
def namespaces(count: int) -> Iterator[Namespaces]:
    """Make namespaces for `count` validators, and take them away. Raises `OSError`."""
    ground = Namespaces(f"xl{secrets.token_hex(3)}", f"{NETWORK}.{os.getpid() % 256}", count)
    try:
        ground.make()
        yield ground
    finally:
        ground.remove()


def refusal() -> str:
    """Return why namespaces cannot be had on this machine; nothing where they can."""
    if os.geteuid() != 0:
        return "it takes root"
    if shutil.which("ip") is None:
        return "it takes `ip` (Debian: iproute2)"
    try:
        with namespaces(1):
            return ""
    except OSError as error:
        return str(error)


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"`ip {' '.join(words)}` ended with {done.returncode}: {done.stderr.strip()}")
