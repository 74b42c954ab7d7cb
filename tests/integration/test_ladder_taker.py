"""What the ladder closed reaches PostgreSQL, once, also when that was away; what is lifted there is opened in Redis."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gateway.control.ladder_taker import LadderTaker
from gateway.control.registry_admin import By, changing, lift, say_of
from gateway.store.redis import ladder
from gateway.store.redis.client import RedisLink
from gateway.store.sql.registry import load_snapshot
from gateway.store.sql.restrictions import restriction_rows
from tests.integration.test_redis_ladder import NUMBER, Worker, violation
from tests.support.database import count, engine_on
from tests.support.redis_fixtures import linked, redis_process
from tests.support.redis_server import RedisServer

__all__ = ["redis_process"]

TWO = By("clerk", "as they promised", "head")


async def closed(link: RedisLink, first: int = 1) -> Worker:
    """Three violations: a number's step is closed."""
    worker = Worker(link, 5.0)
    for number in range(first, first + 3):
        await worker.violated(violation(number))
    return worker


async def test_a_restriction_is_taken_once_and_lifted_in_both(migrated_url: str, redis_process: RedisServer) -> None:
    async with engine_on(migrated_url) as engine, linked(redis_process.url) as link:
        worker = await closed(link)
        takers = [LadderTaker(engine, link), LadderTaker(engine, link)]
        for taker in (*takers, *takers):
            await taker.step()
        assert [taker.taken for taker in takers] == [1, 0]
        async with engine.connect() as connection:
            (row,) = await restriction_rows(connection)
            snapshot = await load_snapshot(connection)
        assert (row.kind, row.subject, row.principal) == ("number", NUMBER, "callgate")
        assert row.reason == "3 violations in 3600 s, the last one consent-missing"
        assert row.origin == f"{violation(3).decision} number:{NUMBER}"
        assert [one.subject for one in snapshot.restrictions] == [NUMBER]
        assert await count(engine, "audit WHERE action = 'restriction.ladder'") == 1
        by = By("clerk", "by post")
        await changing(engine, lambda connection: say_of(connection, row.id, "notice", by))
        await changing(engine, lambda connection: say_of(connection, row.id, "appeal", by))
        await changing(engine, lambda connection: lift(connection, row.id, TWO))
        async with engine.connect() as connection:
            (row,) = await restriction_rows(connection, ended=True)
        assert (row.notice, row.appeal, row.lifted_by, row.approver) == ("by post", "by post", "clerk", "head")
        assert row.notice_at and row.appeal_at
        await takers[0].step()
        with redis_process.client() as client:
            assert client.hgetall(ladder.state_key()) == {b"g": b"2"}
        await worker.violated(violation(9))
        assert worker.counters.closed == 1, "it begins anew"
        await closed(link, 20)
        await takers[1].step()
        assert await count(engine, "restrictions") == 3, "the number again, and by now its trunk"


async def test_while_the_database_refuses_nothing_is_lost(migrated_url: str, redis_process: RedisServer) -> None:
    async with engine_on(migrated_url) as engine, linked(redis_process.url) as link:
        await closed(link)
        taker = LadderTaker(engine, link)
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE restrictions RENAME TO away"))
        with pytest.raises(ProgrammingError, match="restrictions"):
            await taker.step()
        assert (taker.live, taker.taken) == (1, 0)
        async with engine.begin() as connection:
            await connection.execute(text("ALTER TABLE away RENAME TO restrictions"))
        await taker.step()
        assert taker.taken == await count(engine, "restrictions") == 1
