"""Prepares the database and keeps Redis in step with it, for as long as the control process lives.

Whatever is away is logged once and tried again. What trying again cannot mend (an example that is wrong,
another key file than the one the stored hashes were made with) ends the start with a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from gateway.control.importer import ImportRefused, bootstrap
from gateway.control.projector import Projector
from gateway.first_keys import ensure_keys
from gateway.gate.pack import PackError
from gateway.key_ring import KeyFile
from gateway.keys import KeysError
from gateway.settings import Settings
from gateway.store.ports import Conflict, StoreError
from gateway.store.redis.client import UnsuitableServer
from gateway.store.redis.deployment import connect
from gateway.store.sql.engine import make_engine, mapped_errors
from gateway.store.sql.migrate import migrate
from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import Samples

RETRY_S = 0.5
"""Between two tries to reach a store."""

COMMAND_S = 30.0
"""Of the projector's own statements: what an import changed is counted, ten million rows in a few seconds."""

POOL = 32
"""Connections kept for the projector, opened where they are needed: one, and one for each Redis it fills. A cluster of
more masters opens and closes up to as many besides."""

_log = get_logger(__name__)


class StartRefused(Exception):
    """The database cannot be prepared or projected, and trying again would not help; the text says why."""


class Projection:
    """One run: migrate, bootstrap, project."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._engine = make_engine(settings.database.url, pool_size=POOL, command_s=COMMAND_S)
        self._patient = make_engine(settings.database.url, pool_size=2)
        self._away = ""
        self._projector: Projector | None = None

    async def prepare(self) -> None:
        """The newest schema, and the example if the database is empty. Raises StoreError while it is away."""
        await self._refuse_unsuitable()
        with mapped_errors():
            await migrate(self._settings.database.url)
        directory = self._settings.example.directory
        if directory:
            keys = ensure_keys(self._settings)
            for report in await bootstrap(self._patient, keys, directory):
                _log.info("example loaded", file=report.name, rows=report.rows)

    async def _refuse_unsuitable(self) -> None:
        """A Redis that might forget a refusal, or is too old, ends the start; one that is away does not."""
        link, _ = connect(self._settings.redis.url, 1.0)
        try:
            await link.probe()
        except UnsuitableServer as error:
            raise StartRefused(f"{error}; fix: change the server, or redis.url") from None
        except StoreError:
            pass  # its projector says so, again and again

    async def run(self, stop: asyncio.Event) -> None:
        """Prepare, then project until `stop`. Raises StartRefused where trying again would not help."""
        try:
            if await self._until_done(self.prepare, stop):
                await self._until_done(lambda: self._project(stop), stop)
        finally:
            await self._engine.dispose()
            await self._patient.dispose()

    async def _project(self, stop: asyncio.Event) -> None:
        keys = ensure_keys(self._settings)
        file = KeyFile(self._settings.keys_file, keys)
        url = self._settings.redis.url
        self._projector = Projector(self._engine, url, keys, patient=self._patient, reread=file.keys)
        await self._projector.run(stop)

    async def _until_done(self, work: Callable[[], Awaitable[None]], stop: asyncio.Event) -> bool:
        """Try until it returns; False when `stop` came first."""
        while not stop.is_set():
            try:
                await work()
                self._told("")
                return True
            except (ImportRefused, PackError, KeysError, Conflict) as error:
                raise StartRefused(str(error)) from None
            except (StoreError, OSError) as error:
                self._told(str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), RETRY_S)
        return False

    def _told(self, reason: str) -> None:
        """Log a change of state once."""
        if reason and reason != self._away:
            _log.warning("projection waits", reason=reason)
        elif self._away and not reason:
            _log.info("projection goes on")
        self._away = reason

    def samples(self) -> Mapping[str, Samples]:
        """For /metrics. Empty until the database is prepared."""
        if self._projector is None:
            return {}
        status = self._projector.status
        return {
            "callgate_projection_lag_seconds": [((), status.lag_seconds)],
            "callgate_projection_shard_lag_seconds": [
                ((name,), one.lag_seconds) for name, one in status.shards.items()
            ],
            "callgate_projection_shard_in_step": [
                ((name,), float(one.in_step)) for name, one in status.shards.items()
            ],
            "callgate_projection_active": [((), float(status.holds_lock))],
            "callgate_projection_rebuilds_total": [((), float(status.rebuilds))],
            "callgate_projection_repairs_total": [((), float(status.repairs))],
            "callgate_projection_failures_total": [((), float(status.failures))],
        }
