"""Versions made from the one before: whatever changed, the pages say what a version made from nothing says."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control import publishing
from gateway.control.importer.commit import Change, put_in_force
from gateway.control.publishing import Publication, publication
from gateway.control.record import load_published
from gateway.registry.model import NumberRange
from gateway.store.redis.publication import Published, decode_page, decode_published, table_of
from gateway.store.sql import registry as sql
from gateway.store.sql.documents import add_documents
from tests.support.database import engine_on
from tests.unit.registry.example import number_range
from tests.unit.registry.paper_example import PAPERS

BLOCKS = 200


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, rows in (("PAGE_ROWS", 16), ("MANY_ROWS", 32), ("FEW_ROWS", 4)):
        monkeypatch.setattr(publishing, name, rows)


def block(number: int, width: int = 1, **fields: object) -> NumberRange:
    first = 57_150_000_000 + number * 100
    return number_range(f"+86{first}", f"+86{first + width * 100 - 1}", **{"id": f"b{number:03d}", **fields})


class Site:
    """A database, and what was published of it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.head: Published | None = None
        self.pages: dict[str, bytes] = {}

    async def change(self, edit: Callable[[dict[str, NumberRange]], None]) -> None:
        async with self.engine.begin() as connection:
            await sql.lock_registry(connection)
            stored = await sql.load_snapshot(connection)
            rows = {row.id: row for row in stored.ranges}
            edit(rows)
            wanted = replace(stored, ranges=tuple(rows[key] for key in sorted(rows)))
            await put_in_force(connection, stored, wanted, Change("test", "test", ""))

    async def publish(self) -> Publication:
        """What was made, after a look whether it is right."""
        async with self.engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="REPEATABLE READ")
            made = await publication(connection, self.head, self.pages)
            whole = await load_published(connection)
        self.pages |= made.pages
        self.head = decode_published(made.blob)
        table = table_of(self.head, [decode_page(self.pages[page.name]) for page in self.head.pages])
        rows = [page.value(index) for page in table.pages for index in range(len(page))]
        assert sorted(rows, key=lambda row: row.id) == list(whole.ranges)
        assert self.head.registry == replace(whole, ranges=())
        for row in whole.ranges:
            assert table.find(row.first, row.valid_from + 1) == row == table.find(row.last, row.valid_from + 1)
        return made


async def test_a_change_makes_the_pages_it_touches_and_no_other(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        site = Site(engine)
        assert len((await site.publish()).pages) >= 1  # the example
        await site.change(lambda rows: rows.update({f"b{n:03d}": block(n) for n in range(BLOCKS)}))
        many = await site.publish()
        assert len(many.names) >= BLOCKS / 32
        assert (await site.publish()).pages == {}
        await site.change(lambda rows: rows.update(b050=block(50, state="suspended")))
        assert len((await site.publish()).pages) == 1
        await site.change(lambda rows: rows.update(b060=block(900)))  # moved: from one page to another
        assert len((await site.publish()).pages) == 2
        lost = site.head.pages[3].name if site.head else ""
        del site.pages[lost]
        assert list((await site.publish()).pages) == [lost]


async def test_any_changes_at_all(migrated_url: str) -> None:
    dice = random.Random(7)

    def edit(rows: dict[str, NumberRange]) -> None:
        for _ in range(dice.choice((1, 1, 3, 30))):
            number = dice.randrange(BLOCKS)
            wide = [row for row in rows.values() if row.id.startswith("w")]
            match dice.randrange(6):
                case 0:
                    rows.pop(f"b{number:03d}", None)
                case 1:
                    rows[f"s{number:03d}"] = number_range(f"9501{number:03d}", f"9501{number:03d}", id=f"s{number:03d}")
                case 2 if not wide:  # before the others were assigned, over many of them
                    rows["wide"] = block(number, dice.randrange(1, 60), id="wide", valid_to=1e9)
                case 3 if wide:
                    del rows["wide"]
                case 4:
                    for other in range(number, number + 20):
                        rows.pop(f"b{other:03d}", None)
                case _:
                    rows[f"b{number:03d}"] = block(
                        number, valid_from=1e9, filing=f"F{dice.random()}", purposes=("consultation",)
                    )

    async with engine_on(migrated_url) as engine:
        site = Site(engine)
        for turn in range(25):
            await site.change(edit)
            if dice.random() < 0.7 or turn == 24:
                await site.publish()


async def test_papers_of_an_operator_touch_its_ranges_alone(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        site = Site(engine)
        await site.change(lambda rows: rows.update({f"b{n:03d}": block(n, certificate="C") for n in range(40)}))
        far = {f"s{n:03d}": number_range(f"9501{n:03d}", f"9501{n:03d}", id=f"s{n:03d}", operator="beta",
                                         trunks=("cc-beta",)) for n in range(40)}  # fmt: skip
        await site.change(lambda rows: rows.update(far))
        made = await site.publish()
        async with engine.begin() as connection:
            await sql.lock_registry(connection)
            stored = await sql.load_snapshot(connection)
            await add_documents(connection, PAPERS)
            await put_in_force(connection, stored, stored, Change("test", "test", ""), also=1)
        again = await site.publish()
        assert 0 < len(again.pages) < len(made.names)
        async with engine.begin() as connection:  # a certificate's regions are held against the trunk's (B02)
            await sql.lock_registry(connection)
            stored = await sql.load_snapshot(connection)
            moved = [replace(one, region="jiangsu") if one.id == "cc-alpha" else one for one in stored.trunks]
            wanted = replace(stored, trunks=tuple(moved))
            await put_in_force(connection, stored, wanted, Change("test", "test", ""))
        assert set((await site.publish()).pages) == set(again.pages)


async def test_everything_is_made_anew_where_it_is_not_known_what_changed(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        site = Site(engine)
        await site.change(lambda rows: rows.update({f"b{n:03d}": block(n) for n in range(BLOCKS)}))
        whole = await site.publish()
        async with engine.begin() as connection:
            await connection.exec_driver_sql("DELETE FROM registry_versions")
        await site.change(lambda rows: rows.update(b050=block(50, state="suspended")))
        async with engine.begin() as connection:
            await connection.exec_driver_sql("DELETE FROM registry_versions")
        assert len((await site.publish()).names) == len(whole.names)
