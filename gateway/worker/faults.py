"""Faults of our own: each counted, the first of a kind logged with its traceback, a flood of them not."""

from __future__ import annotations

from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import WorkerStats

MAX_LOGGED = 10
"""Faults of one kind logged one by one."""
LOGGED_EACH = 1_000
"""After that every so-many-th: a flood must not fill the disk."""

_log = get_logger(__name__)


class Faults:
    """What a worker does about exceptions that should not have been."""

    __slots__ = ("_stats",)

    def __init__(self, stats: WorkerStats) -> None:
        self._stats = stats

    def message(self, error: BaseException) -> None:
        """Handling a message, a timer or a verdict failed; the others go on."""
        self.task("message", error)

    def task(self, name: str, error: BaseException) -> None:
        """A background task died."""
        count = self._stats.errors[name] = self._stats.errors.get(name, 0) + 1
        self._say("fault", name, count, error)

    def rule(self, rule: str, error: Exception) -> None:
        """A rule raised; its call was refused."""
        count = self._stats.rule_errors[rule] = self._stats.rule_errors.get(rule, 0) + 1
        self._say("rule failed", rule, count, error)

    @staticmethod
    def _say(event: str, where: str, count: int, error: BaseException) -> None:
        if count <= MAX_LOGGED or count % LOGGED_EACH == 0:
            _log.error(event, where=where, count=count, exc_info=error)
