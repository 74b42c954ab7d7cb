"""What routers are given: the stores, the keys, the settings, the clock."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.health import Health
from gateway.first_keys import ensure_keys
from gateway.key_ring import KeyFile
from gateway.keys import Keys, KeysError
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
    _key_file: KeyFile | None = field(default=None, repr=False)

    async def close(self) -> None:
        """Close links and engines."""
        for close in self.closers:
            close()
        await self.engine.dispose()
        await self.patient.dispose()

    @property
    def keys(self) -> Keys:
        """The deployment's, read at first use and when they changed: HTTP answers before the database and the keys are
        there. Raises KeysError, which is a 503."""
        if self._key_file is None:
            self._key_file = KeyFile(self.settings.keys_file, ensure_keys(self.settings))
        try:
            return self._key_file.keys()
        except OSError as error:
            raise KeysError(f"key file {self.settings.keys_file}: {error.strerror}: put its copy back") from error
