"""Log lines: one shape for ours and for other libraries', as text or JSON, on stderr."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway.settings import Log
from gateway.telemetry.logs import configure_logs, get_logger


@pytest.fixture(autouse=True)
def restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Log(), "worker-0")
    get_logger("gateway.test").warning("journal recovered", torn_bytes=3)
    line = capsys.readouterr().err.strip()
    assert line.startswith("timestamp='20")
    assert line.endswith("level='warning' process='worker-0' event='journal recovered' torn_bytes=3")


def test_json_and_levels(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Log(level="warning", format="json"), "control")
    get_logger("gateway.test").info("not shown")
    get_logger("gateway.test").error("shown", child="worker-0")
    logging.getLogger("sqlalchemy").info("not shown")
    logging.getLogger("somebody.else").warning("also %s", "shown")
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["level"], ours["child"], ours["process"]) == ("shown", "error", "worker-0", "control")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("also shown", "warning", "somebody.else")


def test_a_traceback_stays_in_its_line_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(Log(format="json"), "worker-0")
    try:
        raise RuntimeError("broken")
    except RuntimeError as error:
        get_logger("gateway.test").error("message failed", exc_info=error)
        logging.getLogger("somebody.else").exception("theirs")
    for line in capsys.readouterr().err.splitlines():
        assert "RuntimeError: broken" in json.loads(line)["exception"]
