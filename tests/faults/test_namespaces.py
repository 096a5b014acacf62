"""A cut between network namespaces: packets go nowhere, and afterwards they arrive again."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from tests.faults.namespaces import Namespaces, namespaces, refusal

PORT = 9


@pytest.fixture
def ground() -> Iterator[Namespaces]:
    reason = refusal()
    if reason:
        pytest.skip(f"no network namespaces here: {reason}")
    with namespaces(3) as made:
        yield made


def heard(ground: Namespaces, source: int | None, target: int) -> bool:
    """Whether a connection reaches `target`: refused there, for nobody listens, is an answer."""
    program = (
        "import socket, sys\n"
        "try:\n"
        f"    socket.create_connection(({ground.host(target)!r}, {PORT}), timeout=1)\n"
        "except ConnectionRefusedError:\n"
        "    sys.exit(0)\n"
        "except OSError:\n"
        "    sys.exit(7)\n"
    )
    inside = ground.place(f"node{source}").prefix if source is not None else ()
    done = subprocess.run([*inside, sys.executable, "-c", program], check=False)
    assert done.returncode in (0, 7)
    return done.returncode == 0


class TestCut:
    def test_the_sides_do_not_hear_each_other_and_this_machine_hears_both(
        self, ground: Namespaces
    ) -> None:
        assert heard(ground, 1, 3)
        ground.cut({1, 2})
        assert not heard(ground, 1, 3)
        assert not heard(ground, 3, 2)
        assert heard(ground, 1, 2)
        assert all(heard(ground, None, number) for number in (1, 2, 3))
        ground.heal()
        assert heard(ground, 1, 3)
        assert heard(ground, 3, 2)

    def test_nothing_of_it_stays(self, ground: Namespaces) -> None:
        ground.remove()
        shown = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
        assert ground.name not in shown.stdout
        links = subprocess.run(["ip", "link"], capture_output=True, text=True, check=True)
        assert ground.name not in links.stdout
