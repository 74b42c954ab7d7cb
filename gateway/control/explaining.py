"""Explains a call with what is in force now: registry, pack and consents as a worker has them, from Redis."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Final

from gateway.control.importer.problems import NO_PACK, NO_REGISTRY
from gateway.gate.engine import Engine
from gateway.gate.explain import Explanation, explain
from gateway.gate.pack import Pack
from gateway.gate.pack_set import Engines, engines, load_stored
from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.seal import Sealer
from gateway.keys import Keys
from gateway.registry.model import Snapshot
from gateway.registry.ranges import RangeTable
from gateway.registry.registry import Registry
from gateway.settings import Settings
from gateway.store.ports import Conflict
from gateway.store.redis.deployment import connect
from gateway.store.redis.lastgood import FILE_NAME, load_last_good
from gateway.store.redis.layout import key_check
from gateway.store.redis.snapshot import SnapshotWatcher

SNAPSHOT_WAIT_S: Final = 2.0
"""How long Redis has to hand over the registry before the last good one on disk is taken, as a worker does."""


class Explainer:
    """Holds the link and what it told; made once, asked often. A call is explained by the code that decides live ones;
    nothing is recorded."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        """`settings` names Redis. To be made inside the event loop."""
        self._state_dir = settings.state_dir
        self._pseudonymizer = Pseudonymizer(keys.pseudonym)
        self._sealer = Sealer(keys.seal_id, keys.seal)
        check = key_check(self._pseudonymizer.hash)
        self._link, self._lookup = connect(settings.redis.url, settings.gate.deadline_ms / 1000, key_check=check)
        self._known = asyncio.Event()
        self._epoch = asyncio.Event()
        self._published: tuple[Snapshot, RangeTable] | None = None
        self._ready: tuple[Registry, Engines] | None = None
        self._watcher = SnapshotWatcher(self._link, self._on_snapshot, self._on_epoch, key_check=check)
        self._running = asyncio.ensure_future(self._link.run())
        self._watcher.start()

    def close(self) -> None:
        """Drop the link."""
        self._watcher.stop()
        self._running.cancel()

    @property
    def key_reason(self) -> str:
        """Why the rules that need consents could not be asked; empty where they could."""
        return self._watcher.key_reason

    async def explain(
        self, trunk: str, caller: str, callee: str, at: float | None = None, pack: Pack | None = None
    ) -> Explanation:
        """What would happen to such a call now, or at a time (epoch seconds) as far as what is known now tells; by
        `pack` instead of the one in force. Raises ExplainError, and Conflict where there is no registry or no pack."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SNAPSHOT_WAIT_S):
                await self._known.wait()
                await self._epoch.wait()
        registry, judging = self._in_force()
        engine = Engine(pack) if pack is not None else judging.by_trunk.get(trunk, judging.default)
        return await explain(
            registry, engine, self._lookup, self._pseudonymizer, self._sealer, trunk, caller, callee,
            time.time() if at is None else at, time.monotonic,
        )  # fmt: skip

    def _in_force(self) -> tuple[Registry, Engines]:
        if self._ready is None:
            kept = None if self._published else load_last_good(self._state_dir / FILE_NAME)
            found = (kept.snapshot, kept.ranges) if kept else self._published
            if found is None:
                raise Conflict(f"{NO_REGISTRY} (or no gateway ran yet that brings it to Redis: callgate run)")
            snapshot, ranges = found
            if not snapshot.packs:
                raise Conflict(NO_PACK)
            registry = Registry(snapshot, ranges)
            self._ready = registry, engines(load_stored(snapshot.packs, "the registry"), registry)
        return self._ready

    def _on_epoch(self, number: int, buckets: int) -> None:
        self._lookup.set_epoch(number, buckets)
        self._epoch.set()

    def _on_snapshot(self, snapshot: Snapshot, ranges: RangeTable) -> None:
        self._published, self._ready = (snapshot, ranges), None
        self._known.set()
