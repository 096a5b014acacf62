"""
What the node says of itself, as JSON lines on standard error.

No line ever holds personal data: only fields that are listed here are written, paths and
parameters of requests are not logged at all, and errors appear by their type, because the
text of a database's error quotes the row.
"""

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

ALLOWED = frozenset(
    {"error", "from", "to", "worker", "size", "seconds", "block", "port", "reason", "swept"}
)
"""Fields that a log line may have beside its event."""

_EVENTS_ALLOWED_FROM = ("xinglin_node", "xinglin", "uvicorn.error", "alembic")
"""Loggers whose messages are written by us, or hold nothing of a request."""


def configure(level: str) -> None:
    """Send all logging through one formatter."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(allow=ALLOWED), *shared],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_exceptions,
            structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=True),
        ],
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    handler.addFilter(_is_ours)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _is_ours(record: logging.LogRecord) -> bool:
    if record.name.startswith(_EVENTS_ALLOWED_FROM):
        return True
    if record.levelno < logging.ERROR:
        return False
    # Somebody else's error: that there was one, and where, and nothing of its text.
    record.msg, record.args, record.exc_info = f"error in {record.name}", (), None
    return True


def _without_exceptions(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    for name in ("exc_info", "exception", "stack_info", "stack"):
        event.pop(name, None)
    return event
