"""Evidence in PostgreSQL: shipped exactly once, found again, proven whole."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.gate.records import EndRecord, OutcomeRecord, RestartRecord
from gateway.store.ports import Conflict
from gateway.store.sql.calls import find_calls
from gateway.store.sql.evidence import ProvenRows, load_checkpoint, partition_name, ship
from gateway.store.sql.evidence_rows import CALL_ID_PREFIX
from gateway.store.sql.verify import verify_evidence
from tests.support.database import ALICE, count, engine_on, hash_of
from tests.support.shipping import AT, DAY, JOURNAL, after, decision, rows, send


async def test_shipped_twice_or_at_once_is_stored_once(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        async with engine.connect() as connection:
            assert await load_checkpoint(connection, JOURNAL) is None
        batch = rows(*(decision(number) for number in range(20)))
        assert await send(engine, batch) == 20
        assert await send(engine, batch) == 0
        async with engine.connect() as connection:
            assert await load_checkpoint(connection, JOURNAL) == after(batch)
        more = batch + rows(*(decision(number) for number in range(20, 40)), seq=21, chain=batch[-1].chain)
        assert sorted(await asyncio.gather(*(send(engine, more) for _ in range(4)))) == [0, 0, 0, 20]
        # An older batch neither adds anything nor moves the checkpoint back.
        assert await send(engine, batch) == 0
        async with engine.connect() as connection:
            assert await load_checkpoint(connection, JOURNAL) == after(more)
        assert await count(engine, "evidence") == 40


async def test_a_batch_that_fails_leaves_nothing(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        batch = rows(decision(1), decision(2))
        with pytest.raises(RuntimeError):
            async with engine.begin() as connection:
                await ship(connection, JOURNAL, batch, after(batch))
                raise RuntimeError
        assert await count(engine, "evidence") == 0
        assert await send(engine, batch) == 2


async def test_rows_that_do_not_follow_are_refused(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        batch = rows(*(decision(number) for number in range(5)))
        await send(engine, batch[:2])
        with pytest.raises(Conflict, match="record 4 does not follow on record 2"):
            await send(engine, batch[3:])
        altered = batch[2]._replace(payload=batch[2].payload.replace(b"allow", b"aloud"))
        with pytest.raises(Conflict, match="record 3 does not follow on record 2"):
            await send(engine, [altered, *batch[3:]])
        other = rows(*(decision(number) for number in range(70, 75)))
        with pytest.raises(Conflict, match="another journal"):
            await send(engine, other)
        assert await send(engine, batch[2:]) == 3


async def test_records_go_to_their_days(migrated_url: str) -> None:
    days = [datetime.fromtimestamp((AT + day * DAY) / 1e6, UTC).date() for day in range(3)]
    async with engine_on(migrated_url, registry=False) as engine:
        batch = rows(*(decision(number, AT + number * DAY) for number in range(3)))
        await send(engine, batch)
        for day in days:
            assert await count(engine, partition_name(day)) == 1


async def test_two_shippers_make_the_same_new_day(migrated_url: str) -> None:
    async def one(engine: AsyncEngine, journal: str) -> int:
        batch = rows(decision(1))
        async with engine.begin() as connection:
            return (await ship(connection, journal, batch, after(batch))).stored

    async with engine_on(migrated_url, registry=False) as engine:
        assert await asyncio.gather(*(one(engine, f"node-{number}") for number in range(5))) == [1] * 5


async def test_calls_are_found_with_outcome_and_end(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        one, two = decision(0xAB), decision(0xCD, AT + 1_000_000, "other@x")
        outcome = OutcomeRecord(one.id, AT + 500, "answered", 200, "127.0.0.9:5060")
        end = EndRecord(one.id, AT + DAY, "access", "Q.850;cause=16")
        await send(engine, rows(RestartRecord(AT, "node-1"), one, two, outcome, end))
        found = await find_calls(engine, caller="+8657112340001")
        assert [call.decision.id for call in found] == [two.id, one.id]
        assert (found[1].decision, found[1].outcome, found[1].end) == (one, outcome, end)
        assert (found[0].outcome, found[0].end) == (None, None)
        newest = await find_calls(engine, callee_hashes=[hash_of(ALICE)], limit=1)
        assert [call.decision.id for call in newest] == [two.id]
        assert [call.decision.id for call in await find_calls(engine, call_id="other@x")] == [two.id]
        assert [call.decision.id for call in await find_calls(engine, decision=one.id)] == [one.id]
        assert len(await find_calls(engine, decision=one.id[:30].upper())) == 2
        assert await find_calls(engine, decision="ff") == []
        assert await find_calls(engine, caller="+8657112340002") == []
        cut = datetime.fromtimestamp(AT / 1e6 + 0.5, UTC)
        assert [call.decision.id for call in await find_calls(engine, until=cut)] == [one.id]
        assert [call.decision.id for call in await find_calls(engine, since=cut)] == [two.id]
        assert await find_calls(engine, call_id="' OR 1=1 --") == []


@pytest.mark.parametrize("length", [255, 256, 6_000, 8_192])
async def test_a_call_id_of_any_length_is_stored_and_found_exactly(migrated_url: str, length: int) -> None:
    """PostgreSQL takes no index entry above about 2,700 bytes, and compresses what is one letter."""
    begin = "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(200))[: length - 1]
    one, other = decision(1, call_id=begin + "a"), decision(2, call_id=begin + "b")
    async with engine_on(migrated_url, registry=False) as engine:
        await send(engine, rows(decision(3), one, other))
        assert [call.decision for call in await find_calls(engine, call_id=begin + "b")] == [other]
        assert await find_calls(engine, call_id=begin) == []
        assert await find_calls(engine, call_id=begin + "a\0") == []


async def test_the_search_for_a_call_id_uses_its_index(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine, engine.begin() as connection:
        batch = rows(decision(1))
        await ship(connection, JOURNAL, batch, after(batch))
        await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = await connection.exec_driver_sql(
            f"EXPLAIN SELECT id FROM evidence WHERE left(call_id, {CALL_ID_PREFIX}) = 'a' AND call_id = 'a'"
        )
        assert '"left"(call_id, 255) =' in "".join(row[0] for row in plan if "Index Cond" in row[0])


async def test_rows_proven_elsewhere_are_checked_again_where_they_go_on_from_another_record(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        batch = rows(*(decision(number) for number in range(6)))
        await send(engine, batch[:2])
        first, second = batch[:2]
        with pytest.raises(Conflict, match="record 4 does not follow on record 2"):
            await send(engine, ProvenRows(batch[3:], (3, batch[2].chain)))
        assert await send(engine, ProvenRows(batch[1:], (first.seq, first.chain))) == 4
        assert await send(engine, ProvenRows(batch[2:], (second.seq, second.chain))) == 0


@pytest.mark.parametrize(
    ("tamper", "words"),
    [
        ("UPDATE evidence SET record = replace(record, 'allow', 'refuse') WHERE seq = 3", "record 3 was altered"),
        ("DELETE FROM evidence WHERE seq IN (3, 4)", "records 3 to 4 are missing"),
        ("DELETE FROM evidence WHERE seq = 6", "6 records were shipped, the last one there is 5"),
        ("DELETE FROM evidence", "6 records were shipped, the last one there is 0"),
        ("UPDATE evidence SET record = replace(record, 'allow', 'refuse') WHERE seq = 1", "record 1 was altered"),
    ],
)
async def test_what_was_altered_or_dropped_is_found(migrated_url: str, tamper: str, words: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        batch = rows(*(decision(number) for number in range(6)))
        await send(engine, batch)
        (whole,) = await verify_evidence(engine)
        assert (whole.problem, whole.records, whole.head) == ("", 6, batch[-1].chain.decode())
        # Somebody with all rights turns the append-only trigger off first.
        superuser = await asyncpg.connect(migrated_url)
        await superuser.execute("SET session_replication_role = replica")
        await superuser.execute(tamper)
        await superuser.close()
        (broken,) = await verify_evidence(engine)
        assert broken.problem == words


async def test_days_dropped_by_retention_are_no_alteration(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        batch = rows(*(decision(number, AT + number // 3 * DAY) for number in range(6)))
        await send(engine, batch)
        async with engine.begin() as connection:
            await connection.exec_driver_sql(
                f"DROP TABLE {partition_name(datetime.fromtimestamp(AT / 1e6, UTC).date())}"
            )
        (journal,) = await verify_evidence(engine)
        assert (journal.problem, journal.first, journal.last) == ("", 4, 6)


async def test_a_bye_through_another_node_is_the_end_that_is_told(migrated_url: str) -> None:
    """The node that set the call up gives it up hours later: no BYE came by it."""
    async with engine_on(migrated_url, registry=False) as engine:
        calls = [decision(1), decision(2)]
        byes = [EndRecord(call.id, AT + 500, "core", "Q.850;cause=16") for call in calls]
        given_up = [EndRecord(call.id, AT + 1_000, "gateway", "no BYE") for call in calls]
        await send(engine, rows(*calls, byes[0], given_up[0], given_up[1], byes[1]))
        found = await find_calls(engine, caller="+8657112340001")
        assert {call.decision.id: call.end for call in found} == {bye.id: bye for bye in byes}
