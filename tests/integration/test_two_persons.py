"""What takes two persons, by the command line and by file: who counts as two, and what waits for them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control import approvals
from gateway.control.approvals import SamePerson, approve, find_approval, find_approvals, request
from gateway.control.asked_import import MAX_CHARACTERS, payload_of
from gateway.control.importer import ImportRefused, import_registry
from gateway.control.two_persons import NotInOrder
from gateway.store.ports import Conflict
from gateway.store.sql.persons import same_person
from gateway.store.sql.registry import load_snapshot
from gateway.store.sql.registry_versions import version_rows
from gateway.store.sql.tokens import create_token
from tests.integration.test_imports import RANGE
from tests.support.database import count, engine_on

NEW = RANGE.format(id="alpha-new", first="+8657188760000", last="+8657188769999")


async def why(engine: AsyncEngine, one: str, other: str) -> str:
    async with engine.connect() as connection:
        found = await same_person(connection, one, other)
        assert bool(found) == bool(await same_person(connection, other, one))
        return found


async def test_a36_persons_are_told_apart_by_who_holds_and_who_made_their_tokens(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        for name, maker, person in (
            ("ann", "root", ""), ("ann-phone", "root", "Ann"), ("ben", "root", ""), ("carl", "ann-phone", ""),
            ("dora", "carl", ""), ("eve", "cli:ann", ""),
        ):  # fmt: skip
            await create_token(engine, name, "compliance", maker, person=person)
        for one, other, words in (
            ("ann", "ann", "the same principal"),
            ("ann", "ann-phone", "holds both tokens"),  # both made by a third
            ("ann", "cli:ann", "holds both tokens"),  # the system's user of that name
            ("ann", "carl", "made the other's token"),  # by another token of the same person
            ("ann", "dora", "made the other's token"),  # by somebody whose token he made
            ("ann", "eve", "made the other's token"),  # on the command line
            ("root", "ben", "made the other's token"),
        ):
            assert words in await why(engine, one, other), (one, other)
        for one, other in (("ann", "ben"), ("ben", "dora"), ("cli:ann", "cli:ben"), ("cli:root", "nobody")):
            assert not await why(engine, one, other), (one, other)


async def test_a10_a36_a_file_that_opens_numbers_waits_for_another_person(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused, match="alpha-new is opened for outbound calls: takes a second person"):
            await import_registry(engine, NEW, "new.toml", "ann")
        payload = payload_of(NEW, "new.toml", max_shrink=0.2)
        asked = await request(engine, "registry.import", "new.toml", payload, "certificate 7", "ann")
        async with engine.connect() as connection:
            assert (await load_snapshot(connection)).version == 1, "the trial was taken back"
        with pytest.raises(SamePerson):
            await approve(engine, asked.id, "cli:ann")
        assert (await find_approvals(engine))[0].told["text"] == f"({len(NEW)} characters)"
        assert (await find_approval(engine, asked.id)).payload["text"] == NEW
        assert await count(engine, f"audit WHERE detail::text LIKE '%{len(NEW)} characters%'") == 1
        await approve(engine, asked.id, "ben")
        async with engine.connect() as connection:
            opened = {row.id: row.outbound for row in (await load_snapshot(connection)).ranges}
            version = (await version_rows(connection))[0]
        assert opened["alpha-new"]
        assert (version.action, version.principal, version.approver, version.reason) == (
            "import.registry", "ann", "ben", "certificate 7",
        )  # fmt: skip


async def test_who_asks_is_told_what_is_missing_and_nothing_is_filed(migrated_url: str) -> None:
    text = (
        '[[trunk]]\nid = "cc-new"\nside = "access"\noperator = "alpha"\nsources = ["127.0.0.7"]\n'
        'next_hops = ["127.0.0.7:5060"]\n'
    )
    changes = {"kind": "range", "id": "alpha-hangzhou", "changes": {"outbound": True}}
    cases: list[tuple[str, str, Callable[[], dict[str, object]], type[Exception], str]] = [
        ("registry.import", "x", lambda: payload_of(text, "x", max_shrink=0.2), NotInOrder, "A41 trunk cc-new"),
        ("registry.import", "x", lambda: payload_of("", "x", max_shrink=0.2), Conflict, "it is so already"),
        ("registry.import", "x", lambda: payload_of("[[x", "x", max_shrink=0.2), ImportRefused, "TOML"),
        ("registry.import", "x", lambda: payload_of("#" * (MAX_CHARACTERS + 1), "x", max_shrink=0.2), Conflict,
         "a file of their own"),
        ("registry.import", "x", lambda: payload_of('[plan]\nfile = "/etc/x.csv"', "x", max_shrink=0.2), ImportRefused,
         "plan.file"),
        ("registry.put", "range alpha-hangzhou", lambda: dict(changes), Conflict, "it is so already"),
        ("restriction.lift", "7", dict, Conflict, "none of this number"),
    ]  # fmt: skip
    async with engine_on(migrated_url) as engine:
        for kind, subject, payload, error, words in cases:
            with pytest.raises(error, match=words):
                await request(engine, kind, subject, payload(), "because", "ann")
        assert await count(engine, "approvals") == 0
        assert set(approvals.KINDS) >= {kind for kind, *_ in cases}


async def test_the_first_load_into_an_empty_registry_needs_nobody_else(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        async with engine.connect() as connection:
            first = await version_rows(connection)
            assert any(row.outbound for row in (await load_snapshot(connection)).ranges)
        assert [(row.principal, row.approver) for row in first] == [("test", "")]
        more = NEW.replace("outbound = true", "outbound = false").replace('purposes = ["consultation"]', "")
        assert (await import_registry(engine, more, "more.toml", "ann")).changed == 1, "a closed range opens nothing"
