"""The projector after Redis lost something: whatever it was, it is right again by itself."""

from __future__ import annotations

import asyncio

import pytest

from gateway.control.importer import (
    add_refusal,
)
from gateway.control.projector import Projector
from gateway.control.rebuild import bucket_range
from gateway.gate.pseudonym import Pseudonymizer
from gateway.keys import Key, Keys
from gateway.store.ports import Conflict, ScopedRefusal
from gateway.store.redis import layout
from gateway.store.sql import outbox
from gateway.store.sql.dataset import read
from tests.support.database import ALICE, BOB, KEYS, engine_on
from tests.support.projecting import projecting
from tests.support.redis_view import View, grant, until


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
        await until(lambda: view.has_scoped(ALICE, (ScopedRefusal("operator", "beta"),)))
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
