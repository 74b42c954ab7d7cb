"""A breaker, and the probes sent while it is open: a server that answers one in time is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from gateway.store.redis.address import command
from gateway.store.redis.breaker import PROBE_EVERY_S, Breaker
from gateway.store.redis.client import RedisLink
from gateway.store.redis.connection import Replies

_PING: Final = command(b"PING")


class ProbedBreaker:
    """Of one link."""

    __slots__ = ("_deadline", "_link", "_loop", "_on_change", "_timer", "breaker")

    def __init__(
        self,
        link: RedisLink,
        deadline_s: float,
        loop: asyncio.AbstractEventLoop,
        on_change: list[Callable[[bool], None]],
    ) -> None:
        """`deadline_s`: within which a probe must be answered. `on_change`: called with True when it opens and with
        False when it closes, once per change."""
        self._link = link
        self._deadline = deadline_s
        self._loop = loop
        self._on_change = on_change
        self._timer: asyncio.TimerHandle | None = None
        self.breaker = Breaker(self._changed)
        link.on_up.append(self._probe)

    def failed(self) -> None:
        """An ask met its deadline."""
        if self.breaker.failed():
            self._probe()

    def close(self) -> None:
        """Probe no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None

    def _probe(self) -> None:
        """While the breaker is open: ask for a sign of life, now and every `PROBE_EVERY_S`."""
        self.close()
        if not self.breaker.open:
            return
        self._timer = self._loop.call_later(PROBE_EVERY_S, self._probe)
        sent = self._loop.time()

        def answered(replies: Replies | None) -> None:
            if replies == [b"PONG"] and self._loop.time() - sent <= self._deadline:
                self.breaker.succeeded()

        self._link.send(_PING, 1, answered)

    def _changed(self, is_open: bool) -> None:
        for callback in self._on_change:
            try:
                callback(is_open)
            except Exception as error:  # whoever is told must not keep the asks from their answers
                self._loop.call_exception_handler({"message": "breaker callback failed", "exception": error})
