"""Is this node able to take calls? `/readyz` and the status page ask; each part is asked with a deadline.

Ready means: a registry and a rule pack are stored, every worker answers, has them in force, reaches Redis and can
write evidence; Redis answers this process. Where PostgreSQL alone does not, calls are unaffected: the node is ready,
and `degraded`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from gateway.telemetry.collector import WORKER, StatsHub

DATABASE = "database"
"""The part calls do without."""

NOT_WRITABLE = "evidence cannot be written: new calls are refused"
OTHER_KEY = "pseudonym key differs from the data set's: put back its key file"

CHECK_TIMEOUT_S = 1.0
"""Longer than any healthy answer by far, shorter than what a load balancer waits for a health check."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing the node needs, and how it is."""

    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """All parts at one moment."""

    parts: dict[str, Part]

    @property
    def ready(self) -> bool:
        """True when calls are taken: nothing is wrong but, at most, the database."""
        return all(part.ok for name, part in self.parts.items() if name != DATABASE)

    @property
    def status(self) -> str:
        """`ready`, `degraded` (calls are unaffected) or `not ready`."""
        if not self.ready:
            return "not ready"
        return "ready" if all(part.ok for part in self.parts.values()) else "degraded"

    def as_json(self) -> dict[str, object]:
        """For `/readyz`."""
        return {
            "ready": self.ready,
            "status": self.status,
            "parts": {name: {"ok": part.ok, "detail": part.detail} for name, part in self.parts.items()},
        }


class _NoAnswerError(Exception):
    """None came in time."""


def _look_at(asked: asyncio.Future[object]) -> None:
    """Take note of an error that came too late for anybody: asyncio would log it as never looked at."""
    if not asked.cancelled():
        asked.exception()


Ping = Callable[[], Awaitable[object]]
"""Asks a server something small; any exception means it is away."""


Missing = Callable[[], Awaitable[str]]
"""What has yet to be imported before calls can be decided, with the command; empty when nothing is missing."""


class Health:
    """`stores`: name to ping. `missing`: asks the database what has to be imported."""

    def __init__(
        self,
        hub: StatsHub,
        stores: Mapping[str, Ping],
        missing: Missing | None = None,
        timeout_s: float = CHECK_TIMEOUT_S,
    ) -> None:
        self._hub = hub
        self._stores = dict(stores)
        self._missing = missing
        self._timeout_s = timeout_s
        self._asked: dict[str, asyncio.Future[object]] = {}

    async def check(self) -> Report:
        """Ask everything at the same time; takes at most the timeout."""
        names = list(self._stores)
        *stores, missing, _ = await asyncio.gather(
            *(self._ping(name) for name in names), self._ask_missing(), self._hub.refresh()
        )
        workers = [name for name in self._hub.answering if name.startswith(WORKER)]
        parts = {name: self._worker(name) for name in workers}
        parts.update({name: part for name, part in zip(names, stores, strict=True) if isinstance(part, Part)})
        if missing:
            parts["imports"] = Part(False, str(missing))
        return Report(parts)

    async def _ask_missing(self) -> str:
        """Empty too while the database is away: that is told by its own part."""
        if self._missing is None:
            return ""
        try:
            return str(await self._ask("imports", self._missing))
        except Exception:  # as in `_ping`
            return ""

    async def _ping(self, name: str) -> Part:
        try:
            await self._ask(name, self._stores[name])
        except _NoAnswerError:
            return Part(False, f"no answer within {self._timeout_s:g} s")
        except Exception as error:  # drivers raise many kinds; each of them means "away"
            words = f": {error}".splitlines()[0][:200] if str(error) else ""
            return Part(False, type(error).__name__ + words)
        return Part(True, "answers")

    async def _ask(self, name: str, ask: Callable[[], Awaitable[object]]) -> object:
        """The answer, or _NoAnswerError after the timeout. A question without an answer is left to its own deadlines
        and not asked again meanwhile: to cancel it may take as long, where the server is frozen."""
        asked = self._asked.get(name)
        if asked is None or asked.done():
            asked = self._asked[name] = asyncio.ensure_future(ask())
            asked.add_done_callback(_look_at)
        done, _ = await asyncio.wait((asked,), timeout=self._timeout_s)
        if not done:
            raise _NoAnswerError
        return asked.result()

    def _worker(self, process: str) -> Part:
        if not self._hub.answering[process]:
            return Part(False, "does not answer")
        snapshot = self._hub.latest[process]
        if not snapshot.value("callgate_journal_writable", 1.0):
            return Part(False, NOT_WRITABLE)
        if not snapshot.value("callgate_keys_match", 1.0):
            return Part(False, OTHER_KEY)
        version = int(snapshot.value("callgate_registry_version"))
        if not version:
            linked = snapshot.value("callgate_redis_up")
            return Part(False, "has no registry yet" + ("" if linked else ", and no link to Redis to get it by"))
        if not snapshot.value("callgate_redis_up"):
            return Part(False, "has no link to Redis")
        if not snapshot.value("callgate_dataset_epoch"):
            return Part(False, "has seen no complete data set in Redis yet")
        if snapshot.value("callgate_draining"):
            return Part(False, "drains")
        return Part(True, f"registry version {version}")
