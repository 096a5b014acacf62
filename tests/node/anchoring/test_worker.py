"""The two threads that follow the chain and send to it outlive whatever a step meets."""

import logging
import threading
from types import SimpleNamespace

import pytest

from xinglin.errors import ChainError, Unreachable, XinglinError
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

    @pytest.mark.parametrize("met", [ChainError("no"), Unreachable("silent"), ValueError("odd")])
    def test_i3_the_log_is_anchored_whatever_the_outbox_meets(self, met: Exception) -> None:
        # One revocation that no node could judge once kept every checkpoint back.
        anchored = []

        def fail() -> None:
            raise met

        worker = object.__new__(Workers)
        worker._checked = threading.Event()
        worker._checked.set()
        worker.outbox = SimpleNamespace(step=fail)  # type: ignore[assignment]
        worker.anchors = SimpleNamespace(step=lambda: anchored.append(1))  # type: ignore[assignment]
        with pytest.raises(type(met)):
            worker._send()
        assert anchored == [1]

    def test_no_field_of_a_log_line_is_one_that_logging_keeps_for_itself(self) -> None:
        reserved = set(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
        assert not ALLOWED & reserved
