"""The projector on real servers: in step, in order, and right again by itself after whatever Redis lost."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import (
    add_refusal,
    grant_consent,
    import_consents,
    import_registry,
    revoke_consent,
    withdraw_refusal,
)
from gateway.control.projector import Projector
from gateway.control.rebuild import bucket_range
from gateway.gate.pseudonym import Pseudonymizer
from gateway.keys import Key, Keys
from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.embedded.redis import EmbeddedRedis
from gateway.store.ports import Conflict, ScopedRefusal
from gateway.store.redis import layout
from gateway.store.redis.publication import Published, decode_page, decode_published, table_of
from gateway.store.sql import outbox
from gateway.store.sql.dataset import read
from gateway.store.sql.engine import make_engine
from tests.support.database import ALICE, BOB, KEYS, engine_on, hash_of

RANGE = """
[[range]]
id = "alpha-new"
first = "+8657188760000"
last = "+8657188769999"
operator = "alpha"
trunks = ["cc-alpha"]
"""


class View:
    """Redis as a worker sees it, by the layout alone."""

    def __init__(self, url: str) -> None:
        self.client: Any = redis.asyncio.Redis.from_url(url, socket_timeout=2.0)

    async def head(self) -> dict[bytes, int]:
        found = await self.client.hgetall(layout.HEAD_KEY)
        return {key: int(value) for key, value in found.items() if key != layout.HEAD_KEYCHECK}

    async def place(self, number: str) -> tuple[int, int]:
        head = await self.head()
        return head[layout.HEAD_EPOCH], layout.bucket_of(hash_of(number), head[layout.HEAD_BUCKETS])

    async def consent(self, number: str) -> str:
        """The consent's state, or `unavailable`."""
        try:
            epoch, bucket = await self.place(number)
        except KeyError:
            return "unavailable"
        marker, value = await self.client.hmget(
            layout.consents_key(epoch, bucket), [layout.MARKER_FIELD, layout.consent_field(hash_of(number), 1, 1)]
        )
        return "unavailable" if marker != layout.marker_value(epoch) else layout.decode_consent(value, time.time())

    async def refuses(self, number: str, category: int = layout.REFUSES_ALL) -> bool:
        epoch, bucket = await self.place(number)
        member = layout.refusal_member(hash_of(number), category).decode()
        return bool(await self.client.sismember(layout.refusals_key(epoch, bucket), member))

    async def scoped(self, number: str) -> tuple[ScopedRefusal, ...]:
        epoch, bucket = await self.place(number)
        return layout.decode_scoped(
            await self.client.hget(layout.consents_key(epoch, bucket), layout.scoped_field(hash_of(number)))
        )

    async def is_consent(self, number: str, state: str) -> bool:
        return await self.consent(number) == state


async def until(condition: Callable[[], object], within_s: float = 5.0) -> None:
    """Wait for a condition (plain or awaitable)."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
        except (RedisError, OSError, KeyError):
            pass
        assert time.monotonic() < deadline, "not in time"
        await asyncio.sleep(0.01)


@asynccontextmanager
async def projecting(engine: AsyncEngine, url: str) -> AsyncIterator[Projector]:
    projector, stop = Projector(engine, url, KEYS), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(projector.run(stop))
        try:
            await until(lambda: projector.status.in_step)
            yield projector
        finally:
            stop.set()


@pytest.fixture
async def view(redis_url: str) -> AsyncIterator[View]:
    made = View(redis_url)
    yield made
    await made.client.aclose()


async def grant(engine: AsyncEngine, number: str = ALICE) -> None:
    await grant_consent(engine, KEYS, number, "alpha", "consultation", principal="test")


async def revoke(engine: AsyncEngine, number: str = ALICE) -> None:
    await revoke_consent(engine, KEYS, number, "alpha", "consultation", principal="test")


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
        await until(lambda: _is(view, both))
        await withdraw_refusal(engine, KEYS, ALICE, "all", principal="test")
        await withdraw_refusal(engine, KEYS, ALICE, "operator", "alpha", principal="test")
        await until(lambda: _is(view, both[:1]))
        assert not await view.refuses(ALICE)
        await withdraw_refusal(engine, KEYS, ALICE, "caller_prefix", "+86571", principal="test")
        await until(lambda: _is(view, ()))
        assert (projector.status.rebuilds, projector.status.repairs, projector.status.failures) == (1, 0, 0)


async def _is(view: View, wanted: tuple[ScopedRefusal, ...]) -> bool:
    return await view.scoped(ALICE) == wanted


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


async def test_a_flushed_redis_is_rebuilt_by_itself(migrated_url: str, redis_url: str, view: View) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await grant(engine)
        await add_refusal(engine, KEYS, BOB, "all", principal="test")
        await until(lambda: view.is_consent(ALICE, "live"))
        epoch = (await view.head())[layout.HEAD_EPOCH]
        await view.client.flushall()
        await until(lambda: view.is_consent(ALICE, "live"))
        assert await view.refuses(BOB)
        assert (await view.head())[layout.HEAD_EPOCH] > epoch
        await until(lambda: projector.status.in_step)


async def test_a_lost_watermark_or_a_foreign_epoch_is_rebuilt(migrated_url: str, redis_url: str, view: View) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await grant(engine)
        await until(lambda: projector.status.applied)
        await until(lambda: projector.status.in_step)
        for number, spoil in enumerate(("watermark", "garbage", "epoch", "future"), 2):
            epoch = (await view.head())[layout.HEAD_EPOCH]
            key = layout.watermark_key(epoch, "0")
            if spoil == "watermark":
                await view.client.delete(key)
            elif spoil == "garbage":
                await view.client.set(key, b"soup")
            elif spoil == "epoch":
                await view.client.hset(layout.HEAD_KEY, "epoch", str(epoch + 100))
            else:
                await view.client.set(key, layout.encode_watermark(1 << 60, 1))
            await until(lambda number=number: projector.status.rebuilds == number)  # type: ignore[misc]
            await until(lambda: projector.status.in_step)
            assert await view.consent(ALICE) == "live"


@pytest.mark.parametrize("kind", ["c", "r"])
async def test_a_deleted_bucket_is_repaired(migrated_url: str, redis_url: str, view: View, kind: str) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await grant(engine)
        await add_refusal(engine, KEYS, ALICE, "all", principal="test")
        await add_refusal(engine, KEYS, ALICE, "operator", "beta", principal="test")
        await until(lambda: _is(view, (ScopedRefusal("operator", "beta"),)))
        epoch, bucket = await view.place(ALICE)
        key = {"c": layout.consents_key, "r": layout.refusals_key}[kind](epoch, bucket)
        await view.client.delete(key)
        if kind == "r":
            # A key without its marker is as bad as none.
            await view.client.sadd(key, "1")
        await until(lambda: projector.status.repairs == 1)
        assert await view.consent(ALICE) == "live"
        assert await view.refuses(ALICE)
        assert await view.scoped(ALICE) == (ScopedRefusal("operator", "beta"),)
        assert projector.status.rebuilds == 1


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


async def test_two_projectors_one_holds_the_lock(migrated_url: str, redis_url: str, view: View) -> None:
    async with engine_on(migrated_url) as engine:
        second, stop = Projector(engine, redis_url, KEYS), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            async with projecting(engine, redis_url) as first:
                tasks.create_task(second.run(stop))
                await until(lambda: second.status.in_step)
                assert (first.status.holds_lock, second.status.holds_lock) == (True, False)
                await grant(engine)
                await until(lambda: view.is_consent(ALICE, "live"))
                assert second.status.applied == 0
            await until(lambda: second.status.holds_lock)
            await revoke(engine)
            await until(lambda: view.is_consent(ALICE, "revoked"))
            assert second.status.rebuilds == 0
            stop.set()


async def test_a_projector_that_was_replaced_cannot_write(migrated_url: str, redis_url: str, view: View) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await view.client.set("cg:projector", "somebody else")
        await grant(engine)
        await until(lambda: view.is_consent(ALICE, "live"))
        # It noticed, took the lock anew, and put its own token back.
        assert projector.status.failures >= 1
        assert await view.client.get("cg:projector") != b"somebody else"


async def test_redis_stopped_and_away(migrated_url: str, redis_server: EmbeddedRedis, view: View) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_server.url) as projector:
        await grant(engine)
        await until(lambda: view.is_consent(ALICE, "live"))
        redis_server.stop()
        await until(lambda: projector.status.trouble)
        await revoke(engine)
        assert projector.status.lag_seconds > 0.0
        redis_server.start()
        await until(lambda: view.is_consent(ALICE, "revoked"))
        os.kill(redis_server.pid, signal.SIGSTOP)
        await grant(engine)
        os.kill(redis_server.pid, signal.SIGCONT)
        await until(lambda: view.is_consent(ALICE, "live"))


async def test_postgres_restarted(tmp_path: Path, redis_url: str, view: View) -> None:
    from gateway.store.sql.migrate import migrate
    from tests.support.database import import_example_registry

    server = EmbeddedPostgres(tmp_path, durable=False)
    server.start()
    try:
        await migrate(server.url)
        engine = make_engine(server.url)
        await import_example_registry(engine)
        async with projecting(engine, redis_url) as projector:
            server.stop()
            await until(lambda: projector.status.trouble)
            server.start()
            await grant(engine)
            await until(lambda: view.is_consent(ALICE, "live"))
            assert projector.status.rebuilds == 1
        await engine.dispose()
    finally:
        server.stop()


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


async def test_another_pseudonym_key_ends_the_projector(migrated_url: str, redis_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        await grant(engine)
        other = Keys(KEYS.cookies, (Key(9, b"x" * 32),), KEYS.seals)
        with pytest.raises(Conflict, match="another pseudonym key"):
            await Projector(engine, redis_url, other).run(asyncio.Event())


async def test_old_outbox_rows_are_trimmed_and_an_older_watermark_is_rebuilt(
    migrated_url: str, redis_url: str, view: View
) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await grant(engine)
        await until(lambda: view.is_consent(ALICE, "live"))
        async with engine.begin() as connection:
            await connection.exec_driver_sql("UPDATE outbox SET at = now() - interval '8 days'")
        async with engine.begin() as connection:
            assert await outbox.trim(connection, 1 << 60) == 2
            assert (await read(connection)).outbox_floor > 0
        epoch = (await view.head())[layout.HEAD_EPOCH]
        await view.client.set(layout.watermark_key(epoch, "0"), layout.encode_watermark(1, 1))
        await until(lambda: projector.status.rebuilds == 2)


def test_bucket_ranges_are_the_inverse_of_bucket_of() -> None:
    for buckets in (64, 100, 65_536):
        for bucket in (0, 1, buckets // 3, buckets - 1):
            low, high = bucket_range(bucket, buckets)
            assert layout.bucket_of(low + bytes(4), buckets) == bucket
            if bucket:
                below = (int.from_bytes(low, "big") - 1).to_bytes(4, "big") + b"\xff" * 4
                assert layout.bucket_of(below, buckets) == bucket - 1
            assert (high is None) == (bucket == buckets - 1)


async def test_the_head_names_the_pseudonym_key(migrated_url: str, redis_url: str, view: View) -> None:
    check = layout.key_check(Pseudonymizer(KEYS.pseudonym).hash)
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await grant(engine)  # PostgreSQL claims the key with the first number that is stored
        await until(lambda: view.is_consent(ALICE, "live"))
        async with engine.connect() as connection:
            stored = (await read(connection)).key_check
        assert stored is not None and stored.hex().encode() == check
        assert await view.client.hget(layout.HEAD_KEY, layout.HEAD_KEYCHECK) == check
        # A head from before the check was there, and one made with another key.
        await view.client.hdel(layout.HEAD_KEY, layout.HEAD_KEYCHECK)

        async def is_back() -> bool:
            return bool(await view.client.hget(layout.HEAD_KEY, layout.HEAD_KEYCHECK) == check)

        await until(is_back)
        assert projector.status.rebuilds == 1
        await view.client.hset(layout.HEAD_KEY, layout.HEAD_KEYCHECK, b"0" * 16)
        await until(is_back)
        assert projector.status.rebuilds == 2


async def test_the_lag_rises_while_redis_hangs(migrated_url: str, redis_server: EmbeddedRedis) -> None:
    async with engine_on(migrated_url) as engine, projecting(engine, redis_server.url) as projector:
        assert projector.status.lag_seconds == 0.0
        os.kill(redis_server.pid, signal.SIGSTOP)
        try:
            await until(lambda: projector.status.lag_seconds > 1.2)
            assert projector.status.in_step  # nothing has failed: it only waits
        finally:
            os.kill(redis_server.pid, signal.SIGCONT)
        await until(lambda: projector.status.lag_seconds == 0.0)
