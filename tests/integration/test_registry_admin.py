"""Changes of the registry one at a time: whole or not at all, two persons where calls are opened, versions kept."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer import ImportRefused, import_registry
from gateway.control.papers_watch import PapersWatch
from gateway.control.record import load_published, load_record
from gateway.control.registry_admin import (
    By,
    Changed,
    activate,
    changing,
    check_report,
    difference,
    lift,
    put_row,
    record_document,
    restrict,
    rollback,
    set_range_state,
    suspend,
)
from gateway.control.registry_admin.restrict import NoSuchRestriction
from gateway.control.registry_admin.rows import NoSuchRow
from gateway.control.two_persons import NotInOrder, SecondPersonNeeded
from gateway.registry.model import Snapshot
from gateway.registry.registry import Registry
from gateway.store.ports import Conflict
from gateway.store.sql.registry import load_snapshot
from gateway.store.sql.registry_versions import VersionGone, version_rows
from gateway.store.sql.restrictions import restriction_rows
from tests.support.database import count, engine_on

ME = By("clerk", "as the file says")
TWO = By("clerk", "as the file says", "head")


async def snapshot_of(engine: AsyncEngine) -> Snapshot:
    async with engine.connect() as connection:
        return await load_snapshot(connection)


async def put(engine: AsyncEngine, kind: str, row_id: str, by: By = ME, **changes: object) -> Changed:
    async def work(connection: AsyncConnection) -> Changed:
        return await put_row(connection, kind, row_id, changes, by)

    return await changing(engine, work)


async def paper(engine: AsyncEngine, **values: object) -> Changed:
    return await changing(engine, lambda connection: record_document(connection, values, ME))


async def test_a_patch_changes_what_it_names_and_leaves_version_audit_and_outbox(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        before = await snapshot_of(engine)
        outbox = await count(engine, "outbox")
        assert await put(engine, "range", "alpha-400", purposes=["consultation"], tenant=None) == Changed(2, 1)
        after = await snapshot_of(engine)
        changed = {row.id: row for row in after.ranges}["alpha-400"]
        assert changed.purposes == ("consultation",)
        assert [row for row in after.ranges if row.id != "alpha-400"] == [
            row for row in before.ranges if row.id != "alpha-400"
        ]
        assert after.trunks == before.trunks and after.operators == before.operators
        assert await count(engine, "outbox") == outbox + 1
        assert await count(engine, "audit WHERE action = 'range.patch' AND object = 'alpha-400'") == 1
        assert await put(engine, "range", "alpha-400", purposes=["consultation"]) == Changed(2, 0)
        assert await count(engine, "outbox") == outbox + 1


async def test_a_bad_patch_names_field_value_and_fix_and_changes_nothing(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        before = await snapshot_of(engine)
        for changes, words in (
            ({"trunks": ["cc-beta"]}, "range alpha-400.trunks: 'cc-beta': belongs to beta"),
            ({"purpose": ["x"]}, "range.purpose: unknown key: write purposes"),
            ({"first": "+8657156780000", "last": "+8657156789999"}, "overlaps range alpha-400"),
            ({"length": 8}, "length: 8: its numbers have 10 digits"),
            ({"state": "on"}, "range.state: on: write one of assigned"),
            ({"id": "other"}, "an id is never changed"),
        ):
            with pytest.raises(ImportRefused) as refused:
                await put(engine, "range", "alpha-400", TWO, **changes)
            assert words in str(refused.value)
        with pytest.raises(NoSuchRow, match="nowhere"):
            await changing(engine, lambda connection: put_row(connection, "range", "nowhere", {}, ME, new=False))
        assert await snapshot_of(engine) == before


async def test_ranges_of_two_operators_never_overlap_whoever_writes_them(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        with pytest.raises(ImportRefused, match="overlaps range alpha-hangzhou"):
            await put(
                engine, "range", "beta-new", operator="beta", trunks=["cc-beta"],
                first="+8657112345000", last="+8657112345999",
            )  # fmt: skip


async def test_new_operators_and_trunks_begin_suspended_and_a21_lists_all_that_is_missing(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        await put(engine, "operator", "gamma", name="Gamma")
        await put(
            engine, "trunk", "cc-gamma", side="access", operator="gamma", sources=["127.0.0.4"],
            next_hops=["127.0.0.4:5060"],
        )  # fmt: skip
        stored = await snapshot_of(engine)
        assert {row.id: row.state for row in stored.operators}["gamma"] == "suspended"
        assert {row.id: row.number for row in stored.operators}["gamma"] == 3
        with pytest.raises(NotInOrder) as refused:
            await changing(engine, lambda connection: activate(connection, "trunk", "cc-gamma", TWO))
        for words in ("A02", "A05", "A09", "A41", "A21 operator gamma: no business plan", "A21 trunk cc-gamma: names"):
            assert words in str(refused.value)
        assert {row.id: row.state for row in (await snapshot_of(engine)).trunks}["cc-gamma"] == "suspended"


async def test_what_opens_calls_needs_a_reason_and_a_second_person(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        await put(engine, "range", "alpha-hangzhou", outbound=False)
        for by in (ME, By("clerk", "", "head"), By("clerk", "because", "clerk")):
            with pytest.raises(SecondPersonNeeded):
                await put(engine, "range", "alpha-hangzhou", by, outbound=True)
        assert (await put(engine, "range", "alpha-hangzhou", TWO, outbound=True)).rows == 1
        await changing(engine, lambda connection: suspend(connection, "operator", "alpha", ME))
        with pytest.raises(SecondPersonNeeded):
            await put(engine, "operator", "alpha", state="active")
        async with engine.connect() as connection:
            rows = await version_rows(connection)
        assert [(row.action, row.approver) for row in rows[:2]] == [("operator.suspend", ""), ("range.patch", "head")]


async def test_a_number_range_is_recalled_at_a_second_that_lies_ahead(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        at = float(int(time.time()) + 3_600)
        await changing(engine, lambda c: set_range_state(c, "alpha-hangzhou", "recalled", ME, at))
        row = {row.id: row for row in (await snapshot_of(engine)).ranges}["alpha-hangzhou"]
        assert (row.state_at(at - 1), row.state_at(at)) == ("enabled", "recalled")
        with pytest.raises(ImportRefused, match="after recalled comes nothing"):
            await changing(engine, lambda c: set_range_state(c, "alpha-hangzhou", "enabled", TWO, at + 10))
        with pytest.raises(ImportRefused, match="after enabled comes suspended, recalled"):
            await changing(engine, lambda c: set_range_state(c, "beta-hangzhou", "filed", ME))
        with pytest.raises(ImportRefused, match="write a time that lies ahead"):
            await changing(engine, lambda c: set_range_state(c, "beta-hangzhou", "suspended", ME, at - 86_400))


async def test_a32_restrictions_reach_the_published_snapshot_and_two_lift_them(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        made, changed = await changing(engine, lambda c: restrict(c, "trunk", "cc-alpha", By("clerk", "no consent")))
        assert changed == Changed(2, 1)
        async with engine.connect() as connection:
            found = Registry(await load_published(connection)).admissions
        assert "no consent" in found.restrictions("cc-alpha", "", time.time() + 1)[0]
        assert found.restrictions("cc-beta", "", time.time() + 1) == ()
        with pytest.raises(SecondPersonNeeded):
            await changing(engine, lambda c: lift(c, made, By("clerk", "mended")))
        await changing(engine, lambda c: lift(c, made, By("clerk", "mended", "head")))
        with pytest.raises(NoSuchRestriction):
            await changing(engine, lambda c: lift(c, made, By("clerk", "mended", "head")))
        async with engine.connect() as connection:
            assert (await load_snapshot(connection)).restrictions == ()
            row = (await restriction_rows(connection, ended=True))[0]
        assert (row.lifted_by, row.approver, row.lift_reason) == ("clerk", "head", "mended")
        assert await count(engine, "audit WHERE action = 'restriction.lift'") == 1


async def test_bad_restrictions_are_refused(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        for kind, subject, words in (
            ("trunk", "nowhere", "name one there is (carrier"),
            ("number", "0571", "write a number of the plan"),
            ("range", "x", "write one of operator, trunk, number"),
        ):
            with pytest.raises(ImportRefused) as refused:
                await changing(engine, lambda c, k=kind, s=subject: restrict(c, k, s, ME))  # type: ignore[misc]
            assert words in str(refused.value)


async def test_a21_documents_are_append_only_and_superseded(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        there = await count(engine, "documents")
        new = {"id": "alpha-licence-2", "kind": "licence", "operator": "alpha", "reference": "EXAMPLE-B2-9",
               "holder": "Alpha Call Centre", "service": "call_centre", "supersedes": "alpha-licence",
               "valid_to": "2031-01-01T00:00:00+08:00"}  # fmt: skip
        assert (await paper(engine, **new)).rows == 1
        assert (await paper(engine, **new)).rows == 0
        with pytest.raises(ImportRefused, match="documents are never changed"):
            await paper(engine, **{**new, "service": "message"})
        with pytest.raises(ImportRefused, match=r"document\.holder: missing"):
            await paper(engine, id="x", kind="licence", operator="alpha", service="call_centre")
        with pytest.raises(ImportRefused, match=r"document\.kind: paper: write one of licence"):
            await paper(engine, id="x", kind="paper", operator="alpha")
        assert await count(engine, "documents") == there + 1
        async with engine.connect() as connection:
            record = await load_record(connection)
        held = {one.document.id: one for one in record.of("alpha", "licence")}
        assert held["alpha-licence"].ends == held["alpha-licence-2"].begins
        assert held["alpha-licence-2"].document.recorded_by == "clerk"


async def test_a20_and_b15_who_was_punished_gets_no_new_numbers(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        await paper(
            engine, id="p-1", kind="finding", operator="alpha", category="number_violation",
            decided_on="2026-01-01", until="2099-01-01",
        )  # fmt: skip
        more = {"operator": "alpha", "trunks": ["cc-alpha"], "first": "+8657188880000", "last": "+8657188889999"}
        with pytest.raises(Conflict, match="A20: operator alpha was punished"):
            await put(engine, "range", "alpha-new", **more)
        await paper(
            engine, id="v-1", kind="finding", category="violator", credit_code="91330100MA0000002J",
            decided_on="2026-01-01",
        )  # fmt: skip
        trunk = {"side": "access", "operator": "beta", "sources": ["127.0.0.5"], "next_hops": ["127.0.0.5:5060"]}
        with pytest.raises(Conflict, match="B15: operator beta is listed as a violator"):
            await put(engine, "trunk", "cc-new", **trunk)


async def test_versions_are_kept_told_apart_and_put_back(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        first = await snapshot_of(engine)
        await put(engine, "trunk", "cc-alpha", circuit="EX-LINE-9")
        await put(engine, "range", "alpha-new", operator="alpha", trunks=["cc-alpha"], first="+8657188880000",
                  last="+8657188880099")  # fmt: skip
        await put(engine, "operator", "gamma", name="Gamma")
        async with engine.connect() as connection:
            found = await difference(connection, 1)
            assert [(one.kind, one.id, one.field) for one in found] == [
                ("operator", "gamma", "id"), ("trunk", "cc-alpha", "circuit"), ("range", "alpha-new", "id"),
            ]  # fmt: skip
            assert (found[1].before, found[1].after) == ("EX-LINE-1", "EX-LINE-9")
            assert [one.id for one in await difference(connection, 2, 3)] == ["alpha-new"]
            with pytest.raises(VersionGone, match="kept are 0 to 4"):
                await difference(connection, 9)
            assert [row.version for row in await version_rows(connection)] == [4, 3, 2, 1]
        with pytest.raises(Conflict, match="takes away 1 of 4 ranges"):
            await changing(engine, lambda c: rollback(c, 1, ME))
        made = await changing(engine, lambda c: rollback(c, 1, ME, allow_shrink=True))
        assert made == Changed(5, 2)
        back = await snapshot_of(engine)
        assert (back.trunks, back.ranges) == (first.trunks, first.ranges)
        assert [row.state for row in back.operators] == ["active", "active", "suspended"]
        assert await changing(engine, lambda c: rollback(c, 1, ME, allow_shrink=True)) == Changed(5, 0)
        await changing(engine, lambda c: rollback(c, 4, By("clerk", "put back", "head")))
        assert {row.id for row in (await snapshot_of(engine)).ranges} > {"alpha-new"}


async def test_an_import_of_the_whole_registry_refuses_shrinkage_and_holes(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        split = (
            '[[range]]\nid = "{}"\nfirst = "+865711234{}"\nlast = "+865711234{}"\noperator = "alpha"\n'
            'trunks = ["cc-alpha"]\n'
        )
        text = split.format("alpha-hangzhou", "0000", "4999") + split.format("alpha-second", "6000", "9999")
        with pytest.raises(Conflict, match=r"holes in a range: \+8657112345000-\+8657112345999"):
            await import_registry(engine, text, "split.toml", "clerk")
        with pytest.raises(Conflict, match="takes away 3 of 3 trunks"):
            await import_registry(engine, "", "empty.toml", "clerk", whole=True)
        assert (await snapshot_of(engine)).version == 1
        assert (await import_registry(engine, text, "split.toml", "clerk", allow_shrink=True)).version == 2


async def test_the_report_of_the_example_bars_nothing(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine, engine.connect() as connection:
        report = await check_report(connection)
        assert (report.bars, report.problems) == (0, [])
        assert {issue.clause for issue in report.issues} == {"A03", "A29"}
        late = await check_report(connection, 1_592_000_000.0)  # before the promises were signed
        assert {issue.clause for issue in late.issues if issue.level == "bar"} == {"A09", "A13"}


async def test_a02_what_ends_soon_is_a_metric(migrated_url: str) -> None:
    async with engine_on(migrated_url) as engine:
        now = time.time()
        watch = PapersWatch(engine)
        await put(engine, "trunk", "cc-alpha", contract_to=datetime.fromtimestamp(now + 20 * 86_400, UTC))
        await watch.look(now)
        ends = dict(watch.samples()["callgate_papers_expiring"])
        assert ends == {("60",): 0.0, ("30",): 1.0, ("7",): 0.0, ("0",): 0.0}
        assert dict(watch.samples()["callgate_papers_issues"])[("bar",)] == 0.0
        await watch.look(now + 21 * 86_400)
        assert dict(watch.samples()["callgate_papers_expiring"])[("0",)] == 1.0
        assert dict(watch.samples()["callgate_papers_issues"])[("bar",)] == 1.0
