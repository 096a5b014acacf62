"""Processes that are started apart from the terminal, and none that nobody knows of."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from xinglin._cli.interruption import terminated_as_interrupted
from xinglin._network import process
from xinglin.errors import Unreachable

SLEEPER = (sys.executable, "-c", "import time; time.sleep(120)")


class TestCtrlC:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_between_the_start_and_its_note_it_waits(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
    ) -> None:
        # Else the process ran on, and no folder told of it.
        started = subprocess.Popen

        def interrupted(*arguments, **named):
            child = started(*arguments, **named)
            signal.raise_signal(number)
            return child

        monkeypatch.setattr(subprocess, "Popen", interrupted)
        # What a shell starts in the background ignores Ctrl-C.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            with terminated_as_interrupted(), pytest.raises(KeyboardInterrupt):
                process.start(tmp_path, SLEEPER)
        finally:
            signal.signal(signal.SIGINT, before)

        found = process.find(tmp_path)
        assert found is not None
        assert found.alive
        process.stop(found)
        assert not found.alive

    def test_what_was_started_still_hears_it(self, tmp_path: Path) -> None:
        found = process.start(tmp_path, SLEEPER)
        time.sleep(0.5)
        process._signal(found.pid, signal.SIGINT)

        assert process._gone(found, 20)
        process.stop(found)


class TestTheReason:
    def test_of_a_crash_the_beginning_is_shown_and_not_the_end_of_its_stack(
        self, tmp_path: Path
    ) -> None:
        words = "INFO starting\\nfatal error: all goroutines are asleep\\n" + "main.go:1\\n" * 200
        command = (sys.executable, "-c", f"print('{words}'); raise SystemExit(2)")
        found = process.start(tmp_path, command)
        assert process._gone(found, 20)
        with pytest.raises(Unreachable, match="ended at once: fatal error: all goroutines"):
            process.require_alive(found, "node1")
