"""What Redis holds of lists: together what each says, with and without time bands, also after a rollback and after a
rebuild."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer import (
    add_refusal,
    define_feed,
    import_consents,
    import_feed,
    roll_back,
    withdraw_refusal,
)
from gateway.store.ports import ScopedRefusal
from gateway.store.redis import layout
from tests.support.database import ALICE, BOB, KEYS, engine_on
from tests.support.projecting import projecting
from tests.support.redis_view import View, until

NIGHT = "21:00-09:00"


@pytest.fixture
async def view(redis_url: str) -> AsyncIterator[View]:
    made = View(redis_url)
    yield made
    await made.client.aclose()


async def take(engine: AsyncEngine, tmp_path: Path, version: int, *rows: str) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("callee,scope,value,band\n" + "".join(f"{row}\n" for row in rows))
    await import_feed(engine, path, KEYS, "test", "national", version, full=True, allow_shrink=True)


async def test_a_refusal_stands_while_it_is_in_any_list(
    migrated_url: str, redis_url: str, view: View, tmp_path: Path
) -> None:
    async def refuses(number: str, wanted: bool) -> None:
        async def same() -> bool:
            return await view.refuses(number) is wanted

        await until(same)

    async def scoped(*wanted: ScopedRefusal) -> None:
        async def same() -> bool:
            return await view.scoped(ALICE) == wanted

        await until(same)

    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await define_feed(engine, "national", "test")
        await add_refusal(engine, KEYS, ALICE, "all", principal="test")
        await take(engine, tmp_path, 1, f"{ALICE},all,,", f"{ALICE},all,,{NIGHT}", f"{BOB},all,,")
        await refuses(BOB, True)
        await scoped(ScopedRefusal("all", "", NIGHT))
        await withdraw_refusal(engine, KEYS, ALICE, "all", principal="test")
        await add_refusal(engine, KEYS, ALICE, "all", band=NIGHT, home="m-1", principal="test")
        await add_refusal(engine, KEYS, ALICE, "category", "consultation", band=NIGHT, principal="test")
        banded = (ScopedRefusal("all", "", NIGHT), ScopedRefusal("category", "consultation", NIGHT))
        await scoped(*banded)
        assert await view.refuses(ALICE), "the feed still says so"
        await take(engine, tmp_path, 2, f"{ALICE},operator,alpha,")
        await refuses(ALICE, False)
        await refuses(BOB, False)
        await scoped(*banded, ScopedRefusal("operator", "alpha"))
        await roll_back(engine, "feed:national", 1, "test")
        await refuses(ALICE, True)
        await refuses(BOB, True)
        await scoped(*banded)
        await view.client.flushall()
        await until(lambda: projector.status.rebuilds == 2)
        await refuses(ALICE, True)
        await scoped(*banded)
        assert not await view.refuses(ALICE, 1), "by night only"


async def test_a_consent_that_was_rolled_back_is_gone(
    migrated_url: str, redis_url: str, view: View, tmp_path: Path
) -> None:
    path = tmp_path / "consents.csv"
    path.write_text(f"callee,operator,purpose,granted_at\n{ALICE},alpha,consultation,2024-01-01T00:00:00Z\n")
    async with engine_on(migrated_url) as engine, projecting(engine, redis_url) as projector:
        await import_consents(engine, path, KEYS, "test")
        await until(lambda: view.is_consent(ALICE, "live"))
        await roll_back(engine, "consents:alpha", 0, "test")
        await until(lambda: view.is_consent(ALICE, "none"))
        await view.client.delete(layout.HEAD_KEY)
        await until(lambda: projector.status.rebuilds == 2)
        await until(lambda: view.is_consent(ALICE, "none"))
        await import_consents(engine, path, KEYS, "test")
        await until(lambda: view.is_consent(ALICE, "live"))
