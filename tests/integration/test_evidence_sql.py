"""Evidence in PostgreSQL: shipped exactly once, found again, proven whole."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import asyncpg
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.gate.records import DecisionRecord, EndRecord, OutcomeRecord, Record, RestartRecord
from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.ports import Conflict
from gateway.store.sql.calls import find_calls
from gateway.store.sql.evidence import Checkpoint, ShippedRow, load_checkpoint, partition_name, ship
from gateway.store.sql.tokens import Principal, create_token, find_token, revoke_token
from gateway.store.sql.verify import verify_evidence
from tests.support.database import ALICE, count, engine_on, hash_of

DAY = 86_400_000_000
AT = 1_714_550_000_000_000
"""2024-05-01, in microseconds."""
JOURNAL = "node-1-0"


def decision(number: int, at: int = AT, call_id: str = "") -> DecisionRecord:
    return DecisionRecord(
        id=f"{number:032x}",
        at=at,
        node="node-1",
        trunk="cc-alpha",
        direction="outbound",
        verdict="allow",
        rule="allow",
        status=0,
        reason="",
        source="127.0.0.2:5060/UDP",
        call_id=call_id or f"call-{number}@x",
        from_tag="t",
        number="+8657112340001",
        party=hash_of(ALICE).hex(),
        party_mask="+86138****8000",
    )


def rows(*records: Record, seq: int = 1, chain: bytes = GENESIS) -> list[ShippedRow]:
    made = []
    for number, record in enumerate(records, seq):
        payload = msgspec.json.encode(record)
        chain = chain_next(chain, payload)
        made.append(ShippedRow(number, payload, chain))
    return made


def after(batch: list[ShippedRow]) -> Checkpoint:
    return Checkpoint(1, batch[-1].seq * 1_000, batch[-1].seq, batch[-1].chain)


async def send(engine: AsyncEngine, batch: list[ShippedRow], checkpoint: Checkpoint | None = None) -> int:
    async with engine.begin() as connection:
        return await ship(connection, JOURNAL, batch, checkpoint or after(batch))


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
            return await ship(connection, journal, batch, after(batch))

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
        assert [call.decision.id for call in await find_calls(engine, callee_hash=hash_of(ALICE), limit=1)] == [two.id]
        assert [call.decision.id for call in await find_calls(engine, call_id="other@x")] == [two.id]
        assert [call.decision.id for call in await find_calls(engine, decision=one.id)] == [one.id]
        assert len(await find_calls(engine, decision=one.id[:30].upper())) == 2
        assert await find_calls(engine, decision="ff") == []
        assert await find_calls(engine, caller="+8657112340002") == []
        cut = datetime.fromtimestamp(AT / 1e6 + 0.5, UTC)
        assert [call.decision.id for call in await find_calls(engine, until=cut)] == [one.id]
        assert [call.decision.id for call in await find_calls(engine, since=cut)] == [two.id]
        assert await find_calls(engine, call_id="' OR 1=1 --") == []


async def test_odd_records_are_stored_as_they_are(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        payloads = [b'{"kind":"new","at":"soon"}', b"no json", msgspec.json.encode(decision(1, call_id="nul\0in it")),
                    b'{"kind":"decision","at":99999999999999999999}', b'{"kind":"x","party":"zz","at":-5}']  # fmt: skip
        batch, chain = [], GENESIS
        for number, payload in enumerate(payloads, 1):
            chain = chain_next(chain, payload)
            batch.append(ShippedRow(number, payload, chain))
        assert await send(engine, batch) == 5
        (journal,) = await verify_evidence(engine)
        assert (journal.records, journal.problem) == (5, "")


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


async def test_tokens_are_shown_once_and_revoked(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        token = await create_token(engine, "grafana", "viewer", "ann")
        assert await find_token(engine, token) == Principal("grafana", "viewer")
        assert await find_token(engine, token + "x") is None
        with pytest.raises(Conflict):
            await create_token(engine, "grafana", "viewer", "ann")
        with pytest.raises(ValueError, match="role: 'king'"):
            await create_token(engine, "x", "king", "ann")
        assert await revoke_token(engine, "grafana", "ann")
        assert not await revoke_token(engine, "grafana", "ann")
        assert await find_token(engine, token) is None
        assert await count(engine, "tokens WHERE encode(sha256, 'escape') LIKE 'cg_%'") == 0
