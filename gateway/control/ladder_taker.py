"""Takes what the ladder closed into PostgreSQL, and opens in Redis what was lifted there (RULES A32).

The workers close a step in Redis, at once; here it becomes a row of `restrictions`, with its registry version and audit
row, as if a person had made it. Redis keeps what it closed until it is lifted, so nothing is lost while PostgreSQL or
every control process is away, and each restriction is taken once: its row names the decision that was one too many.
Any number of control processes may do this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, cast

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.failures import FAILURES
from gateway.control.importer.commit import Change, put_in_force
from gateway.registry.standing import SubjectKind
from gateway.store.ports import LiveRestriction, Unavailable
from gateway.store.redis import ladder
from gateway.store.redis.address import command
from gateway.store.redis.client import question
from gateway.store.redis.deployment import AnyLink, link_to
from gateway.store.sql import registry as sql
from gateway.store.sql import restrictions
from gateway.store.sql.engine import mapped_errors
from gateway.telemetry.logs import get_logger
from gateway.telemetry.metrics import Samples

LOOK_S: Final = 0.5
"""Between two looks at what is closed."""

PRINCIPAL: Final = "callgate"
"""Who made a restriction that nobody made."""

_log = get_logger(__name__)


class LadderTaker:
    """One run."""

    def __init__(self, engine: AsyncEngine, link: AnyLink) -> None:
        self._engine = engine
        self._link = link
        self._failure = ""
        self.taken = 0
        self.live = 0
        """Restrictions of the ladder that Redis holds."""

    def samples(self) -> Mapping[str, Samples]:
        """For /metrics."""
        return {
            "callgate_restrictions_live": [((), float(self.live))],
            "callgate_restrictions_taken_total": [((), float(self.taken))],
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; what is away is logged once and tried again."""
        while not stop.is_set():
            try:
                await self.step()
                self._failure = ""
            except FAILURES as error:
                said = f"{type(error).__name__}: {error}".splitlines()[0]
                if said != self._failure:
                    _log.warning("restrictions cannot be taken over now", reason=said)
                self._failure = said
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await stop.wait()

    async def step(self) -> None:
        """One look. Raises Unavailable, OSError."""
        entries, _ = ladder.read_state(await self._ask(ladder.ask_state()))
        self.live = len(entries)
        if not entries:
            return
        origins = {origin_of(key, one): key for key, one in entries.items()}
        with mapped_errors():
            async with self._engine.begin() as connection:
                there, ended = await restrictions.ended_origins(connection, list(origins))
                new = [key for origin, key in origins.items() if origin not in there]
                if new:
                    await self._take(connection, {key: entries[key] for key in new})
        if ended:
            await self._ask(command(*ladder.lift({origins[origin]: entries[origins[origin]] for origin in ended})))

    async def _take(self, connection: AsyncConnection, new: Mapping[ladder.Key, LiveRestriction]) -> None:
        await sql.lock_registry(connection)
        made: list[int] = []
        for key, one in new.items():
            kind, subject = key
            row = await restrictions.add_restriction(
                connection, cast(SubjectKind, kind), subject, one.reason, one.at, 0.0, PRINCIPAL, origin_of(key, one)
            )
            if row:  # else another control process was quicker
                made.append(row)
                _log.warning("restricted after violations", kind=kind, id=row, reason=one.reason)
        if made:
            snapshot = await sql.load_snapshot(connection)
            detail = {"ids": made, "decisions": [one.uid for one in new.values()]}
            subjects = ", ".join(f"{kind} {subject}" for kind, subject in new)[:200]
            change = Change(PRINCIPAL, "restriction.ladder", subjects, "violations", detail=detail)
            await put_in_force(connection, snapshot, snapshot, change, also=len(made))
            self.taken += len(made)

    async def _ask(self, words: bytes) -> Any:
        link = link_to(self._link, ladder.HOME)
        if link is None:
            raise Unavailable("redis: no master for the ladder's place")
        reply = (await question(link, [words], asyncio.get_running_loop()))[0]
        if isinstance(reply, Exception):
            raise Unavailable(f"redis: {reply}")
        return reply


def origin_of(key: ladder.Key, one: LiveRestriction) -> str:
    """What a row says it came from."""
    return f"{one.uid} {key[0]}:{key[1]}"
