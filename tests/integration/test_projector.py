"""The projector on real servers: in step, in order, switched at once."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.control.importer import (
    add_refusal,
    grant_consent,
    import_consents,
    import_registry,
    withdraw_refusal,
)
from gateway.store.ports import ScopedRefusal
from gateway.store.redis import layout
from gateway.store.redis.publication import Published, decode_page, decode_published, table_of
from gateway.store.sql import outbox
from tests.support.database import ALICE, BOB, KEYS, engine_on, hash_of
from tests.support.projecting import projecting
from tests.support.redis_view import View, grant, revoke, until

RANGE = """
[[range]]
id = "alpha-new"
first = "+8657188760000"
last = "+8657188769999"
operator = "alpha"
trunks = ["cc-alpha"]
"""


async def test_changes_reach_redis_at_once(migrated_url: str, redis_url: str, view: View) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        assert await view.consent(ALICE) == "none"
        began = time.monotonic()
        await grant(engine)
        await until(lambda: view.is_consent(ALICE, "live"))
        await revoke(engine)
        await until(lambda: view.is_consent(ALICE, "revoked"))
        assert time.monotonic() - began < 1.0
        expires = datetime(2090, 1, 1, tzinfo=UTC)
        await grant_consent(engine, KEYS, BOB, "alpha", "consultation", expires, principal="test")
        await until(lambda: view.is_consent(BOB, "live"))
        for scope, value in (("all", ""), ("category", "consultation")):
            await add_refusal(engine, KEYS, ALICE, scope, value, principal="test")
        await add_refusal(engine, KEYS, ALICE, "caller_prefix", "+86571", principal="test")
        await add_refusal(engine, KEYS, ALICE, "operator", "alpha", principal="test")
        await until(lambda: view.refuses(ALICE, 1))
        both = (ScopedRefusal("caller_prefix", "+86571"), ScopedRefusal("operator", "alpha"))
        await until(lambda: view.has_scoped(ALICE, both))
        await withdraw_refusal(engine, KEYS, ALICE, "all", principal="test")
        await withdraw_refusal(engine, KEYS, ALICE, "operator", "alpha", principal="test")
        await until(lambda: view.has_scoped(ALICE, both[:1]))
        assert not await view.refuses(ALICE)
        await withdraw_refusal(engine, KEYS, ALICE, "caller_prefix", "+86571", principal="test")
        await until(lambda: view.has_scoped(ALICE, ()))
        assert (projector.status.rebuilds, projector.status.repairs, projector.status.failures) == (1, 0, 0)


async def test_nothing_is_done_while_nothing_changes(migrated_url: str, redis_url: str, view: View) -> None:
    """Looks are cheap, cycles are not: one that comes without a cause would come for ever. The heartbeat goes on."""
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await grant(engine)
        await until(lambda: view.is_consent(ALICE, "live"))
        await until(lambda: projector.status.in_step)
        cycles, updated = projector.status.cycles, (await view.head())[layout.HEAD_UPDATED]
        await asyncio.sleep(2.5)
        assert projector.status.cycles == cycles
        assert (await view.head())[layout.HEAD_UPDATED] > updated
        assert (projector.status.lag_seconds, projector.status.failures) == (0.0, 0)


async def test_a_notification_that_is_lost_costs_a_second(migrated_url: str, redis_url: str, view: View) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        async with engine.begin() as connection:
            await connection.execute(text("INSERT INTO outbox (kind) VALUES ('registry')"))  # and no NOTIFY
        await until(lambda: projector.status.applied == 1, 2.0)


async def test_registry_versions_are_published(migrated_url: str, redis_url: str, view: View) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url):
        assert (await view.head())[layout.HEAD_REGISTRY] == 1
        await import_registry(engine, RANGE, "new.toml", "test")
        await until(lambda: _version(view, 2))
        blob = await view.client.get(layout.registry_key(2))
        assert isinstance(blob, bytes)
        assert "alpha-new" in await ids_published(view, decode_published(blob))
        await view.client.delete(layout.registry_key(2))
        await until(lambda: view.client.exists(layout.registry_key(2)))


async def ids_published(view: View, published: Published) -> set[str]:
    blobs = [await view.client.get(layout.page_key(page.name)) for page in published.pages]
    pages = [decode_page(blob) for blob in blobs if isinstance(blob, bytes)]
    table_of(published, pages)
    return {page.value(index).id for page in pages for index in range(len(page))}


async def _version(view: View, version: int) -> bool:
    return (await view.head())[layout.HEAD_REGISTRY] == version


async def test_a_slow_transaction_is_neither_skipped_nor_waited_for(
    migrated_url: str, redis_url: str, view: View
) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        async with engine.begin() as slow:
            # Takes its transaction id and its outbox row first, commits last.
            change = await outbox.announce(slow, outbox.CONSENTS)
            await grant(engine, BOB)
            await until(lambda: view.is_consent(BOB, "live"))
            head = await view.head()
            key = layout.watermark_key(head[layout.HEAD_EPOCH], "0")
            watermark = layout.decode_watermark(await view.client.get(key) or b"")
            row = await slow.execute(text("SELECT xid FROM outbox WHERE id = :id"), {"id": change})
            assert watermark[0] < row.scalar_one()
            await slow.execute(
                text(
                    "INSERT INTO consents (callee_hash, operator, purpose, callee_sealed, granted_at, change) "
                    "VALUES (:hash, 1, 1, '', now(), :change)"
                ),
                {"hash": hash_of(ALICE), "change": change},
            )
        await until(lambda: view.is_consent(ALICE, "live"))

        async def moved() -> bool:
            return layout.decode_watermark(await view.client.get(key) or b"") > watermark

        await until(moved)
        assert projector.status.rebuilds == 1


async def test_a_large_import_is_switched_at_once_and_old_keys_go(
    migrated_url: str, redis_url: str, view: View, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.control.sweep.SWEEP_OLD_S", 0.2)
    path = tmp_path / "many.csv"
    rows = "".join(f"+86138{number:08d},alpha,consultation,2024-01-01T00:00:00Z,,\n" for number in range(16_000))
    path.write_text("callee,operator,purpose,granted_at,expires_at,evidence_uri\n" + rows)
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        before = await view.head()
        await import_consents(engine, path, KEYS, "test")
        await until(lambda: view.is_consent("+8613800015999", "live"))
        after = await view.head()
        assert after[layout.HEAD_EPOCH] > before[layout.HEAD_EPOCH]
        assert after[layout.HEAD_BUCKETS] == layout.choose_buckets(16_000) > before[layout.HEAD_BUCKETS]
        assert projector.status.rebuilds == 2
        assert [await view.consent(f"+86138{number:08d}") for number in range(0, 16_000, 799)] == ["live"] * 21
        old = layout.epoch_prefix(before[layout.HEAD_EPOCH]) + b"*"

        async def gone() -> bool:
            return not [key async for key in view.client.scan_iter(match=old)]

        await until(gone)
