"""Structured logs: one line per event, key=value or JSON, on stderr.

No subscriber number ever goes into a log; the hot path does not log at all, it counts (`metrics`).
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from gateway.settings import Log


def configure_logs(log: Log, process: str) -> None:
    """Set up structlog and the standard library's logging for this process (`worker-0`, `control`, …)."""
    renderer: Any
    if log.format == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.processors.KeyValueRenderer(
            key_order=["timestamp", "level", "process", "event"], drop_missing=True
        )
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_process(process),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, renderer],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(shared, renderer))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(log.level.upper())
    for chatty in ("uvicorn", "asyncio", "alembic", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; `configure_logs` may run later."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _name_process(process: str) -> Any:
    def add(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event["process"] = process
        return event

    return add


class _Formatter(logging.Formatter):
    """Lines of other libraries in the same shape; our own arrive rendered."""

    def __init__(self, shared: list[Any], renderer: Any) -> None:
        super().__init__()
        self._shared = shared
        self._renderer = renderer

    def format(self, record: logging.LogRecord) -> str:
        if record.name.startswith("gateway.") and record.exc_info is None:
            return record.getMessage()
        event: Any = {"event": record.getMessage(), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        for step in self._shared:
            event = step(logging.getLogger(record.name), record.levelname.lower(), event)
        return str(self._renderer(None, record.levelname.lower(), event))
