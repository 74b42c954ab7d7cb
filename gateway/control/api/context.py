"""What routers are given: the stores, the keys, the settings, the clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.health import Health
from gateway.control.importer.subscriber import Subscribers
from gateway.first_keys import ensure_keys
from gateway.keys import Keys
from gateway.settings import Settings
from gateway.telemetry.collector import StatsHub


@dataclass(slots=True)
class Context:
    """One per control process."""

    settings: Settings
    hub: StatsHub
    health: Health
    engine: AsyncEngine
    """For what a person waits for: statements are short, and given up after seconds."""
    patient: AsyncEngine
    """For bulk imports: a statement may take minutes."""
    clock: Callable[[], float] = time.time
    """Epoch seconds."""
    ticks: Callable[[], float] = time.monotonic
    """Seconds that only grow."""
    answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """API requests by method and status, for /metrics."""
    closers: list[Callable[[], None]] = field(default_factory=list)
    """What routers opened, to be closed with the process."""
    _keys: Keys | None = field(default=None, repr=False)
    _subscribers: Subscribers | None = field(default=None, repr=False)

    async def close(self) -> None:
        """Close links and engines."""
        for close in self.closers:
            close()
        await self.engine.dispose()
        await self.patient.dispose()

    @property
    def keys(self) -> Keys:
        """The deployment's, read at first use: HTTP answers before the database and the keys are there. Raises
        KeysError, which is a 503."""
        if self._keys is None:
            self._keys = ensure_keys(self.settings)
        return self._keys

    @property
    def subscribers(self) -> Subscribers:
        """Hashes and seals numbers. Raises KeysError."""
        if self._subscribers is None:
            self._subscribers = Subscribers(self.keys)
        return self._subscribers
