"""The two threads that follow the chain and send to it outlive whatever a step meets."""

import logging
import threading
from types import SimpleNamespace

import pytest

from xinglin.errors import Unreachable, XinglinError
from xinglin_node.anchoring.worker import Workers
from xinglin_node.reporting import ALLOWED


class TestSteps:
    @pytest.mark.parametrize("met", [Unreachable("silent"), XinglinError("odd"), ValueError("odd")])
    def test_a_step_that_fails_is_said_and_the_next_one_is_taken(
        self, met: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        # I3. A log line with a field that logging keeps for itself once ended the thread at the
        # first silence of the chain: nothing was anchored any more, and nobody was told.
        worker = object.__new__(Workers)
        worker._stopping = threading.Event()
        worker._house = SimpleNamespace(settings=SimpleNamespace(poll_seconds=0.0))  # type: ignore[assignment]
        steps = 0

        def step() -> bool:
            nonlocal steps
            steps += 1
            if steps == 1:
                raise met
            worker._stopping.set()
            return False

        with caplog.at_level(logging.WARNING):
            worker._run("indexer", step)
        assert steps == 2
        assert "chain step failed" in caplog.text

    def test_no_field_of_a_log_line_is_one_that_logging_keeps_for_itself(self) -> None:
        reserved = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
        assert not ALLOWED & reserved
