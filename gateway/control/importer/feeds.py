"""Decline feeds (RULES B16): what others say who declined, taken over version by version.

A full version replaces all the feed said before, a delta changes it and must be the next number. Either touches the
feed's own rows only. A feed that is older than it may be is an alarm (`callgate_feed_stale`), and to the rule
`callee-refused` as good as a store that does not answer: its `on_unavailable` in the pack decides."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer.bulk import Bulk, Context, Progress, run_bulk
from gateway.control.importer.lists import checked_id, feed_list
from gateway.control.importer.problems import ImportRefused, ImportReport, Problem
from gateway.control.importer.refusal_rows import OPTIONAL, REQUIRED
from gateway.control.importer.values import AHEAD_FIX, latest_time
from gateway.keys import Keys
from gateway.store.sql import audit, feeds, outbox, registry_versions, versions
from gateway.store.sql import registry as sql
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.feeds import FeedState
from gateway.store.sql.merged import Merged

FULL, DELTA = "full", "delta"
MAX_AGE_S = 48 * 3_600
"""How old a feed may become, unless it is defined otherwise."""
MAX_SHRINK = 0.2
"""Share of its rows a full version may drop, unless it is defined otherwise."""


async def define_feed(
    engine: AsyncEngine,
    feed: str,
    principal: str,
    max_age_s: int = MAX_AGE_S,
    max_shrink: float = MAX_SHRINK,
) -> FeedState:
    """Make a feed known, or change its limits. `max_age_s`: seconds from the issue of its newest version on after which
    it is stale. `max_shrink`: share (0 to 1) of its rows a full version may drop. Raises ImportRefused, Unavailable."""
    checked_id("feed", feed)
    if max_age_s < 60:
        raise _refused("max_age", f"{max_age_s} s", "write a minute or more")
    if not 0 <= max_shrink <= 1:
        raise _refused("max_shrink", str(max_shrink), "write a share from 0 to 1")
    with mapped_errors():
        async with engine.begin() as connection:
            await feeds.define(connection, feed, max_age_s, max_shrink, principal)
            await tell_workers(connection)
            detail: dict[str, object] = {"max_age_s": max_age_s, "max_shrink": max_shrink}
            await audit.record(connection, principal, "feed.define", feed, detail)
            state = await feeds.load(connection, feed)
    assert state is not None
    return state


async def list_feeds(engine: AsyncEngine) -> list[FeedState]:
    """Every feed, by id. Raises Unavailable."""
    with mapped_errors():
        async with engine.connect() as connection:
            return await feeds.load_all(connection)


async def import_feed(
    engine: AsyncEngine,
    path: str | os.PathLike[str],
    keys: Keys,
    principal: str,
    feed: str,
    version: int,
    *,
    full: bool,
    issued_at: datetime | None = None,
    allow_shrink: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
    name: str = "",
) -> ImportReport:
    """Take over a version of a feed: CSV or JSON Lines with the columns of `refusal_rows`. `issued_at`: when its owner
    issued it (default now). `allow_shrink`: take a full version that drops more than the feed's share. `name`: as in
    `run_bulk`. Raises
    ImportRefused, Conflict, Unavailable, OSError."""
    issued = issued_at or datetime.now(UTC)
    if issued > latest_time():
        raise _refused("issued_at", issued.isoformat(), AHEAD_FIX)
    into = feed_list(feed)
    with mapped_errors():
        async with engine.connect() as connection:
            _check_next(await feeds.load(connection, feed), feed, version, full)

    async def merge(context: Context) -> Merged:
        return await _merge(context, feed, version, full, issued, allow_shrink)

    detail: dict[str, object] = {"feed": feed, "version": version, "kind": FULL if full else DELTA}
    bulk = Bulk(outbox.REFUSALS, REQUIRED, OPTIONAL, merge, "import.feed", into, detail)
    report = await run_bulk(engine, bulk, Path(path), keys, principal, progress, dry_run=dry_run, name=name)
    return replace(report, kind="feed", version=version)


async def _merge(
    context: Context, feed: str, version: int, full: bool, issued: datetime, allow_shrink: bool
) -> Merged:
    connection, source = context.connection, context.job.table
    state = _check_next(await feeds.load(connection, feed, lock=True), feed, version, full)
    if full:
        await _check_full(connection, state, source, allow_shrink)
    merged = await feeds.apply(connection, state.list, source, context.change, full=full, at=issued)
    rows = await feeds.standing(connection, state.list)
    await feeds.advance(connection, feed, version, issued, rows)
    await versions.record(
        connection, state.list, context.job.id, context.change, context.file, context.principal,
        merged.parts[state.list], kind=FULL if full else DELTA, version=version, rows=rows, issued_at=issued,
    )  # fmt: skip
    await tell_workers(connection)
    return merged


def _check_next(state: FeedState | None, feed: str, version: int, full: bool) -> FeedState:
    """The feed, if this version may follow the one in force."""
    if state is None:
        raise _refused("feed", feed, f"is not known: callgate feed define {feed}")
    if full and version <= state.version:
        raise _refused("version", str(version), f"write a version above {state.version}, which is in force")
    if not full and state.version == 0:
        raise _refused("version", str(version), "nothing was imported yet: import a full version first")
    if not full and version != state.version + 1:
        raise _refused("version", str(version), f"version {state.version + 1} is expected, or a full one")
    return state


async def _check_full(connection: AsyncConnection, state: FeedState, source: str, allow_shrink: bool) -> None:
    withdrawn = await connection.execute(text(f"SELECT min(id) FROM {source} WHERE withdraw"))
    line = withdrawn.scalar_one()
    if line is not None:
        fix = "a full version lists what stands: leave the row out, or import it as a delta"
        raise ImportRefused(f"feed {state.id}", [Problem(int(line), "event", "withdraw", fix)])
    standing = await feeds.standing(connection, state.list)
    dropped = await feeds.would_drop(connection, state.list, source)
    if dropped > standing * state.max_shrink and not allow_shrink:
        share = f"{dropped} of {standing} rows would go, more than {state.max_shrink:.0%}"
        raise _refused("rows", share, "if that is meant, import it with --allow-shrink")


async def tell_workers(connection: AsyncConnection) -> None:
    """A new registry version: workers know from it how old each feed is."""
    await sql.lock_registry(connection)
    stored = await sql.load_plan(connection)
    await sql.save_state(connection, replace(stored, version=stored.version + 1))
    await registry_versions.keep_untouched(connection, stored.version + 1, "feeds", "feed.age", "")
    await outbox.announce(connection, outbox.REGISTRY)


def _refused(field: str, value: str, fix: str) -> ImportRefused:
    return ImportRefused("feed", [Problem(0, field, value, fix)])
