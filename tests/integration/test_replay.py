"""Replay over PostgreSQL: the same packs change nothing, another one changes exactly what it should; whole, in parts,
by trunk, and side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control import replaying
from gateway.control.importer import import_pack
from gateway.control.replay_part import Part, Task
from gateway.control.replaying import in_force, replay_all
from gateway.gate.pack_read import load_pack
from gateway.gate.records import DecisionRecord
from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.sql.evidence import Checkpoint, ShippedRow, ship
from policies import RULES
from tests.support.database import engine_on
from tests.support.packs import pack_text
from tests.support.recorded import CALLS, recorded
from tests.unit.gate.calls import AT

TIMES = 20
UNTOLD = "the store was not asked then"
BARRED = 'mode = "shadow"\n[rule.params]\nforbidden = ["consultation"]\n[rule.percent]\ncc-alpha = 50'


async def store(engine: AsyncEngine, records: Sequence[DecisionRecord]) -> None:
    rows, chain = list[ShippedRow](), GENESIS
    for seq, record in enumerate(records, 1):
        payload = msgspec.json.encode(record)
        chain = chain_next(chain, payload)
        rows.append(ShippedRow(seq, payload, chain))
    async with engine.begin() as connection:
        await ship(connection, "n-0", rows, Checkpoint(1, 1_000, len(rows), chain))


async def task(engine: AsyncEngine, url: str, pack: str = "", **more: object) -> Task:
    return Task(url, await in_force(engine), pack, "p.toml", **more)  # type: ignore[arg-type]


def totals(part: Part) -> dict[tuple[str, str], int]:
    return {(was, now): count for was, found in part.changed.items() for now, count in found.items()}


async def test_what_a_pack_decided_it_decides_again_and_another_lists_what_changes(
    migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pack_text("alphas", trunks=["cc-alpha"], purpose=BARRED)
    records = recorded(load_pack(first, "p"), TIMES)
    assert {record.rule for record in records} == {*CALLS}
    assert {*CALLS} >= {bound.id for bound in load_pack(pack_text(), "p").rules if bound.mode != "off"} & RULES.keys()
    async with engine_on(migrated_url) as engine:
        await import_pack(engine, pack_text(), "p.toml", "ann")
        await import_pack(engine, first, "p.toml", "ann")
        await store(engine, records)
        again = await replay_all(engine, await task(engine, migrated_url), None, None)
        assert (again.judged, again.changed, again.untold, again.listed) == (len(records), {}, {}, [])

        second = pack_text("alphas", 2, trunks=["cc-alpha"], consent_missing='mode = "off"', transfer='mode = "shadow"')
        expected = changes(records, recorded(load_pack(second, "p"), TIMES))
        assert len(expected) > TIMES
        found = await replay_all(engine, await task(engine, migrated_url, second), None, None)
        alphas = [record for record in records if record.trunk == "cc-alpha"]
        assert (found.judged, found.others) == (len(alphas), len(records) - len(alphas))
        assert [(one.id, one.was, one.now) for one in found.listed] == expected
        assert totals(found) == Counter((was, now) for _, was, now in expected)
        assert set(found.untold) == {UNTOLD}

        monkeypatch.setattr(replaying, "FEW", 100)
        told: list[tuple[int, int, int]] = []
        wanted = await task(engine, migrated_url, second, listed=7)
        beside = await replay_all(engine, wanted, None, None, lambda *step: told.append(step))
        assert [done for done, _, _ in told] == list(range(1, told[-1][1] + 1)) and told[-1][2] == beside.judged
        assert beside.listed == found.listed[:7]
        assert (beside.judged, beside.others, totals(beside), beside.untold) == (
            found.judged, found.others, totals(found), found.untold,
        )  # fmt: skip


async def test_a_part_of_the_time_a_trunk_or_one_call(migrated_url: str) -> None:
    records = recorded(None, 2)
    began = datetime.fromtimestamp(AT, UTC)
    async with engine_on(migrated_url) as engine:
        await import_pack(engine, pack_text(), "p.toml", "ann")
        await store(engine, records)
        lenient = pack_text(version=2, caller_hidden='mode = "off"')

        async def judged(since: datetime | None = None, until: datetime | None = None, **more: object) -> int:
            return (await replay_all(engine, await task(engine, migrated_url, lenient, **more), since, until)).judged

        assert await judged() == len(records)
        assert await judged(began + timedelta(seconds=len(CALLS))) == len(CALLS)
        assert await judged(None, began + timedelta(seconds=5)) == 5
        assert await judged(trunk="cc-strict") == 2 and await judged(trunk="cc-alph") == 0
        assert await judged(decision=records[3].id) == 1
        assert await judged(began - timedelta(days=2), began - timedelta(days=1)) == 0


def changes(before: Sequence[DecisionRecord], after: Sequence[DecisionRecord]) -> list[tuple[str, str, str]]:
    """What live calls say that differs, as far as replay can tell: what memory refused then has no store's facts."""
    found = []
    for was, now in zip(before, after, strict=True):
        assert was.id == now.id and was.facts is not None and now.facts is not None
        told = was.facts.consent or not now.facts.consent
        if was.trunk == "cc-alpha" and was.rule != now.rule and told:
            found.append((was.id, was.rule, now.rule))
    return found
