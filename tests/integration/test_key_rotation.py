"""Rotation of the keys of subscriber numbers, beside changes, on a real PostgreSQL and a real Redis."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from gateway.control.importer import (
    add_refusal,
    grant_consent,
    import_consents,
    import_refusals,
    revoke_consent,
    withdraw_refusal,
)
from gateway.control.importer.rollback import roll_back
from gateway.control.redis_writer import client_of
from gateway.control.rotation import run as running
from gateway.control.rotation.retire import retire, status
from gateway.gate.pseudonym import Pseudonymizer
from gateway.key_ring import KeyFile
from gateway.keys import Keys
from gateway.store.ports import Conflict
from gateway.store.redis.address import read_address
from gateway.store.redis.held_keys import REPORTS, Report, encode_report
from gateway.store.sql.audit import find_changes
from gateway.store.sql.rotation import TABLES
from gateway.store.sql.schema import metadata
from tests.support.database import ALICE, BOB, CAROL
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_fixtures import until
from tests.support.redis_server import binaries
from tests.support.rotating import Site, site

STEADY = [f"+86138{number:08d}" for number in range(40)]
NOBODY = [f"+86139{number:08d}" for number in range(20)]
MOVING = [f"+86137{number:08d}" for number in range(60)]
SWITCHES = ("begin", "copy_batch", "catch_up", "switch", "end")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "BATCH_ROWS", 7)
    monkeypatch.setattr(running, "ASK_S", 0.05)
    monkeypatch.setattr(running, "LOCK_PAUSE_S", 0.02)


def consents_file(path: Path, numbers: list[str]) -> Path:
    lines = [f"{number},alpha,consultation,2024-05-01T00:00:00Z,," for number in numbers]
    path.write_text("callee,operator,purpose,granted_at,expires_at,evidence_uri\n" + "\n".join(lines) + "\n")
    return path


async def fill(at: Site, directory: Path) -> None:
    """Consents of STEADY by import, refusals of every kind, versions to go back to."""
    await import_consents(at.engine, consents_file(directory / "steady.csv", STEADY), at.keys, "test")
    file = directory / "refusals.csv"
    lines = [f"{STEADY[0]},operator,beta,,,", f"{CAROL},all,,,,", f"{BOB},caller_prefix,+86571,,,"]
    file.write_text("callee,scope,value,event,source,registered_at\n" + "\n".join(lines) + "\n")
    await import_refusals(at.engine, file, at.keys, "test")
    for number in STEADY[:5]:  # so that an import has something to undo
        await revoke_consent(at.engine, at.keys, number, "alpha", "consultation", principal="test")
        await grant_consent(at.engine, at.keys, number, "alpha", "consultation", principal="test")


async def test_beside_grants_revokes_imports_and_rollbacks(
    migrated_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with site(migrated_url, redis_url, tmp_path) as at:
        await fill(at, tmp_path)
        wanted = dict.fromkeys(NOBODY, "none") | dict.fromkeys(MOVING, "none") | {CAROL: "declined"}
        stop = asyncio.Event()
        changing = [asyncio.ensure_future(change(at, wanted, part, stop)) for part in (MOVING[:20], MOVING[20:40])]
        changing.append(asyncio.ensure_future(bring_in_bulk(at, wanted, MOVING[40:], tmp_path, stop)))
        await until(lambda: at.projector.status.in_step)
        seen: set[str] = set()
        asking = asyncio.ensure_future(ask_steadily(at, seen, stop))
        done = await at.rotate()
        await asyncio.sleep(0.2)
        stop.set()
        await asyncio.gather(*changing, asking)

        assert (done.before, done.after, done.seal_before, done.seal_after) == (1, 2, 1, 2)
        assert seen == {"live none declined"}, "no question was answered wrongly, or not at all"
        assert await at.made_with() == ({True}, {2})
        keys = at.keys
        old = Pseudonymizer(keys.pseudonyms[1].secret)
        for table in TABLES:
            found = await at.value(f"SELECT coalesce(string_agg(encode(callee_hash, 'hex'), ''), '') FROM {table}")
            assert all(old.hash(number).hex() not in str(found) for number in (*STEADY, *wanted))
        numbers = list(wanted)
        await until_states(at, numbers, [wanted[number] for number in numbers])

        async with at.engine.connect() as connection:
            assert await connection.run_sync(differences) == [], "the tables are the schema's"
        named = "SELECT count(*) FROM pg_class WHERE relname LIKE 'rotation%' OR relname LIKE '%next%'"
        assert await at.value(named) == 0
        audited = [row.action for row in await find_changes(at.engine, action="keys")]
        assert audited == ["keys.rotated", "keys.rotation_switched", "keys.rotation_begun", "keys.add"]
        # What is kept to undo an import is found under the new hashes too.
        await roll_back(at.engine, "consents:alpha", 0, "test")
        kept = [wanted[number] for number in MOVING[:40]]
        await until_states(at, MOVING[:40], kept)
        await until_states(at, STEADY[5:], ["none"] * 35)
        assert (await at.rotate()).after == 3, "and again"
        await until_states(at, MOVING[:40], kept)


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def until_states(at: Site, numbers: list[str], states: list[str]) -> None:
    deadline = time.monotonic() + 10
    at.asker.reread()
    while (found := await at.asker.states(numbers)) != states:
        assert time.monotonic() < deadline, [pair for pair in zip(found, states, strict=True) if pair[0] != pair[1]]
        await asyncio.sleep(0.02)


async def change(at: Site, wanted: dict[str, str], numbers: list[str], stop: asyncio.Event) -> None:
    """One after the other, consents come and go, and wishes with them."""
    draw = random.Random(numbers[0])
    consents, declined = dict.fromkeys(numbers, "none"), dict.fromkeys(numbers, False)
    while not stop.is_set():
        number, what = draw.choice(numbers), draw.randrange(4)
        keys = KeyFile(at.path).keys()
        if what < 2:
            allow = (grant_consent, revoke_consent)[what]
            await allow(at.engine, keys, number, "alpha", "consultation", principal="test")
            consents[number] = ("live", "revoked")[what]
        else:
            decline = (add_refusal, withdraw_refusal)[what - 2]
            await decline(at.engine, keys, number, "all", principal="test")
            declined[number] = what == 2
        wanted[number] = "declined" if declined[number] else consents[number]
        await asyncio.sleep(0.001)


async def bring_in_bulk(
    at: Site, wanted: dict[str, str], numbers: list[str], directory: Path, stop: asyncio.Event
) -> None:
    """Imports, also of those that are there."""
    for end in range(2, len(numbers), 2):
        if stop.is_set():
            return
        file = consents_file(directory / f"bulk-{end}.csv", [*numbers[:end], *STEADY[:3]])
        await import_consents(at.engine, file, KeyFile(at.path).keys(), "test")
        wanted.update(dict.fromkeys(numbers[:end], "live"))
        await asyncio.sleep(0.05)


async def ask_steadily(at: Site, seen: set[str], stop: asyncio.Event) -> None:
    while not stop.is_set():
        at.asker.reread()
        live, none = await at.asker.states(STEADY[5:]), await at.asker.states(NOBODY)
        declined = await at.asker.states([CAROL])
        seen.add(" ".join("/".join(sorted(set(states))) for states in (live, none, declined)))
        await asyncio.sleep(0.002)


@pytest.mark.parametrize("step", SWITCHES)
async def test_dead_after_any_step_it_goes_on_there(
    migrated_url: str, redis_url: str, tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction of the step is rolled back, as when the process dies in it; another process goes on."""
    async with site(migrated_url, redis_url, tmp_path) as at:
        await fill(at, tmp_path)
        before = {table: await at.stored(table) for table in TABLES}
        module = running.rotation_switch if step == "switch" else running.rotation
        real = getattr(module, step)
        calls = 0

        async def dies(*words: object) -> object:
            nonlocal calls
            calls += 1
            found = await real(*words)
            if calls == (3 if step in ("copy_batch", "catch_up") else 1):
                raise RuntimeError("killed")
            return found

        monkeypatch.setattr(module, step, dies)
        with pytest.raises(RuntimeError, match="killed"):
            await at.rotate()
        monkeypatch.setattr(module, step, real)
        assert {table: await at.stored(table) for table in TABLES} == before, "whole, under one key or the other"
        in_force = await at.value("SELECT encode(key_check, 'hex') FROM dataset")
        assert in_force == at.keys.pseudonyms[0 if step == "end" else 1].check.hex()
        with suppress(Conflict):
            await grant_consent(at.engine, at.keys, ALICE, "alpha", "consultation", principal="test")
        done = await at.rotate()
        assert (done.adds_keys, done.after, len(at.keys.pseudonyms)) == (False, 2, 2), "no second key"
        assert await at.made_with() == ({True}, {2})
        at.asker.reread()
        await until_states(at, [ALICE, STEADY[9], NOBODY[0]], ["live", "live", "none"])
        for table in ("refusals", "undo_consents", "undo_refusals"):
            assert await at.stored(table) == before[table]


async def test_given_up_it_never_was(migrated_url: str, redis_url: str, tmp_path: Path) -> None:
    async with site(migrated_url, redis_url, tmp_path) as at:
        await fill(at, tmp_path)
        with pytest.raises(Conflict, match="no rotation is under way"):
            await at.rotator().give_up()
        rotator = at.rotator()
        switching = asyncio.Event()
        rotator._switch = lambda job: hang(switching)  # type: ignore[method-assign, assignment]
        task = asyncio.ensure_future(rotator.rotate())
        await switching.wait()
        with pytest.raises(Conflict, match="another callgate keys command"):
            await at.rotate()
        task.cancel()
        await asyncio.wait((task,))
        begun = (await status(at.engine, redis_url, at.keys)).rotation
        assert begun is not None and (begun.state, begun.rows) == ("copied", 43)
        with pytest.raises(Conflict, match="rotation is under way"):
            await retire(at.engine, at.path, at.keys, 1, ("pseudonym", "seal"), "ann")
        await at.rotator().give_up()
        assert await at.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'rotation%'") == 0
        assert await at.value("SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'rotation%'") == 0
        await grant_consent(at.engine, at.keys, ALICE, "alpha", "consultation", principal="test")
        await until_states(at, [ALICE, STEADY[9]], ["live", "live"])
        assert (await at.rotate()).after == 2


async def hang(reached: asyncio.Event) -> None:
    reached.set()
    await asyncio.sleep(60)


async def test_an_import_staged_before_is_read_again(migrated_url: str, redis_url: str, tmp_path: Path) -> None:
    async with site(migrated_url, redis_url, tmp_path) as at:
        await fill(at, tmp_path)
        file = consents_file(tmp_path / "more.csv", MOVING)
        rotated: list[asyncio.Future[object]] = []

        def tell(step: object) -> None:
            """When all is staged, the keys are rotated before it is merged."""
            if getattr(step, "phase", "") == "merging" and not rotated:
                rotated.append(asyncio.ensure_future(at.rotate()))

        from gateway.control.importer import bulk

        original = bulk._Run._merge

        async def late(self: bulk._Run, *words: object) -> object:
            await rotated[0]
            return await original(self, *words)  # type: ignore[arg-type]

        monkey = pytest.MonkeyPatch()
        monkey.setattr(bulk._Run, "_merge", late)
        try:
            report = await import_consents(at.engine, file, KeyFile(at.path).keys(), "test", tell)
        except Conflict as error:  # the importer's keys are older than the rotation's: it is given once more
            assert "the keys were rotated while it was read: import the file again" in str(error)
            report = await import_consents(at.engine, file, KeyFile(at.path).keys(), "test")
        finally:
            monkey.undo()
        assert report.added == len(MOVING)
        assert (await at.made_with())[0] == {True}
        at.asker.reread()
        await until_states(at, MOVING, ["live"] * len(MOVING))


async def test_views_are_told_before_and_rights_stay(migrated_url: str, redis_url: str, tmp_path: Path) -> None:
    async with site(migrated_url, redis_url, tmp_path) as at:
        await fill(at, tmp_path)
        async with at.engine.begin() as connection:
            await connection.exec_driver_sql("GRANT SELECT ON consents TO PUBLIC")
            await connection.exec_driver_sql("CREATE VIEW report AS SELECT count(*) FROM refusals")
        with pytest.raises(Conflict, match="the views report stand on tables that are exchanged: drop them before"):
            await at.rotate()
        assert await at.value("SELECT count(*) FROM key_rotations") == 0
        async with at.engine.begin() as connection:
            await connection.exec_driver_sql("DROP VIEW report")
        await at.rotate()
        rights = "SELECT count(*) FROM information_schema.role_table_grants WHERE grantee = 'PUBLIC' AND table_name = "
        assert await at.value(f"{rights}'consents'") == 1
        assert await at.value(f"{rights}'refusals'") == 0


async def test_it_waits_for_every_worker(
    migrated_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "HOLD_S", 0.2)
    client = client_of(read_address(redis_url))
    async with site(migrated_url, redis_url, tmp_path) as at:
        await fill(at, tmp_path)

        async def report(name: str, keys: Keys, age: float = 0.0) -> None:
            held = [key.check.hex() for key in keys.pseudonyms], [key.check.hex() for key in keys.seals]
            said = Report(time.time() - age, tuple(held[0]), tuple(held[1]), keys.pseudonyms[0].check.hex())
            await client.hset(REPORTS.decode(), name, encode_report(said))

        await report("b-0", at.keys)
        with pytest.raises(Conflict, match=r"b-0: no new key yet; nothing is changed but the key file: copy .*keys"):
            await at.rotate()
        assert len(at.keys.pseudonyms) == 2
        assert await at.value("SELECT count(*) FROM key_rotations") == 0
        shown = await status(at.engine, redis_url, at.keys)
        assert shown.lacking == ("b-0",) and [key.in_use for key in shown.keys] == [False, True, True, False]
        await report("b-0", at.keys)
        await report("c-0", at.keys, age=60)
        with pytest.raises(Conflict, match=r"c-0: not heard of for 60 s and more.*--without"):
            await at.rotate()
        plan = await at.rotate(dry_run=True)
        assert (plan.workers, plan.silent, plan.rows, plan.adds_keys) == (("b-0",), ("c-0",), 43, False)
        rotator = running.Rotator(at.engine, redis_url, at.path, at.keys, "ann", lambda step: None, ("c",))
        assert (await rotator.rotate()).after == 2
    await client.aclose()


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster(binaries()[0]) as made:
        yield made


async def test_in_a_cluster_nobody_is_lost_between_two_masters(
    migrated_url: str, cluster: RedisCluster, tmp_path: Path
) -> None:
    """A callee's hash, and with it the master, changes; the masters switch one after the other."""
    async with site(migrated_url, cluster.url, tmp_path) as at:
        await fill(at, tmp_path)
        await until_states(at, STEADY[5:], ["live"] * 35)
        await until_states(at, [CAROL], ["declined"])
        seen: set[str] = set()
        stop = asyncio.Event()
        asking = asyncio.ensure_future(ask_steadily(at, seen, stop))
        assert (await at.rotate()).after == 2
        await asyncio.sleep(0.3)
        stop.set()
        await asking
        assert seen == {"live none declined"}
        assert at.asker.rekeyed > 0 and at.asker.ring.check == at.keys.pseudonyms[0].check.hex().encode()
