"""Evidence in PostgreSQL: shipped exactly once, found again, proven whole."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, date, datetime

import asyncpg
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.gate.records import DecisionRecord, EndRecord, OutcomeRecord, Record, RestartRecord
from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.ports import Conflict, Unavailable
from gateway.store.sql.calls import find_calls
from gateway.store.sql.engine import driver, mapped_errors
from gateway.store.sql.errors import problem_kind
from gateway.store.sql.evidence import Checkpoint, ProvenRows, ShippedRow, _store, load_checkpoint, partition_name, ship
from gateway.store.sql.evidence_rows import CALL_ID_PREFIX, evidence_rows, record_bytes
from gateway.store.sql.tokens import Principal, Role, Scope, create_token, find_token, revoke_token
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
        return (await ship(connection, JOURNAL, batch, checkpoint or after(batch))).stored


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


async def test_what_is_above_its_bound_is_no_column(migrated_url: str) -> None:
    long = "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(200))
    async with engine_on(migrated_url, registry=False) as engine:
        odd = decision(1)
        odd.id, odd.number, odd.party, odd.call_id = long, "+" + long, long, long
        assert await send(engine, rows(odd, decision(2))) == 2
        async with engine.connect() as connection:
            found = await connection.exec_driver_sql("SELECT id, number, party, call_id FROM evidence WHERE seq = 1")
            assert tuple(found.one()) == ("", None, None, None)
        (journal,) = await verify_evidence(engine)
        assert (journal.records, journal.problem) == (2, "")


async def narrow_index(url: str) -> None:
    """An index as no schema of ours has it: long Call-IDs poison a COPY."""
    raw = await asyncpg.connect(url)
    await raw.execute("CREATE INDEX whole_call_id ON evidence (call_id)")
    await raw.close()


async def test_a_poisoned_record_is_stored_bare_and_the_others_whole(migrated_url: str) -> None:
    long = "".join(hashlib.sha256(b"%d" % number).hexdigest() for number in range(100))
    await narrow_index(migrated_url)
    poison = {3, 4, 11, 24}
    records = [decision(number, call_id=long if number in poison else "") for number in range(1, 25)]
    batch = rows(*records)
    async with engine_on(migrated_url, registry=False) as engine:
        async with engine.begin() as connection:
            shipped = await ship(connection, JOURNAL, batch, after(batch))
        assert shipped.stored == 24 and [record.seq for record in shipped.poisoned] == sorted(poison)
        assert {problem_kind(record.error) for record in shipped.poisoned} == {("ProgramLimitExceededError", "54000")}
        async with engine.connect() as connection:
            found = await connection.exec_driver_sql(
                "SELECT seq FROM evidence WHERE kind = 'decision' AND id = '' AND call_id IS NULL ORDER BY seq"
            )
            assert {row[0] for row in found} == poison
            assert await load_checkpoint(connection, JOURNAL) == after(batch)
        (journal,) = await verify_evidence(engine)
        assert (journal.records, journal.problem) == (24, "")
        assert len(await find_calls(engine, call_id="call-12@x")) == 1


async def test_records_postgresql_text_cannot_hold_keep_their_chain(migrated_url: str) -> None:
    payloads = [b"\xff\xfe", b'{"kind":"x","a":"\0"}', b"base64:!", b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
                b'{"kind":"decision","id":"\xff"}', b'{"kind":"x","at":253402300799000000}']  # fmt: skip
    batch, chain = [], GENESIS
    for number, payload in enumerate(payloads, 1):
        chain = chain_next(chain, payload)
        batch.append(ShippedRow(number, payload, chain))
    async with engine_on(migrated_url, registry=False) as engine:
        assert await send(engine, batch) == len(payloads)
        async with engine.connect() as connection:
            stored = await connection.exec_driver_sql("SELECT record FROM evidence ORDER BY seq")
            assert [record_bytes(row[0]) for row in stored] == payloads
        (journal,) = await verify_evidence(engine)
        assert (journal.records, journal.problem) == (len(payloads), "")


async def test_the_bytes_of_copy_are_the_rows(migrated_url: str) -> None:
    """The two ways into the table store the same, whatever a record holds."""
    at = 1_714_564_800_000_001
    long, wide = "9" * 33, "\u0301" * 300
    payloads = [
        msgspec.json.encode(found)
        for found in (
            decision(1), decision(2, call_id="nul\0in it"), decision(3, call_id=wide), decision(4, call_id="c" * 9_000),
            {"kind": "x", "at": at}, {"kind": "k" * 33, "id": "i" * 65, "at": at, "number": long, "party": "ab" * 33},
            {"kind": "", "id": "\0", "at": -1, "number": "\0", "party": "zz", "call_id": ""}, {"at": 1 << 62}, {},
            {"kind": "gap", "at": at + 999_999, "party": "00", "number": "+8613800138000"}, {"party": "abc", "id": "é"},
        )
    ]  # fmt: skip
    payloads += [b"\xff\xfe", b'{"kind":"x","a":"\0"}', b"base64:!", "{\"kind\":\"é\"}".encode(), b"", b"\t\\N\r"]
    batch, chain = [], GENESIS
    for number, payload in enumerate(payloads, 1):
        chain = chain_next(chain, payload)
        batch.append(ShippedRow(number, payload, chain))
    async with engine_on(migrated_url, registry=False) as engine:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("SELECT 1")
            assert await _store(connection, evidence_rows("by-rows", batch)) == ()
        assert await send(engine, batch) == len(batch)
        async with engine.connect() as connection:
            query = "SELECT at, seq, kind, id, number, party, call_id, record, chain FROM evidence "
            by_rows, by_bytes = [
                (await connection.exec_driver_sql(f"{query} WHERE journal = '{name}' ORDER BY seq")).all()
                for name in ("by-rows", JOURNAL)
            ]
        assert by_bytes == by_rows and len(by_rows) == len(batch)


async def test_rows_proven_elsewhere_are_checked_again_where_they_go_on_from_another_record(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        batch = rows(*(decision(number) for number in range(6)))
        await send(engine, batch[:2])
        first, second = batch[:2]
        with pytest.raises(Conflict, match="record 4 does not follow on record 2"):
            await send(engine, ProvenRows(batch[3:], (3, batch[2].chain)))
        assert await send(engine, ProvenRows(batch[1:], (first.seq, first.chain))) == 4
        assert await send(engine, ProvenRows(batch[2:], (second.seq, second.chain))) == 0


async def test_a_database_in_no_state_to_write_strips_no_record(migrated_url: str) -> None:
    async with engine_on(migrated_url, registry=False) as engine:
        batch = rows(decision(1), decision(2))
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            async with engine.begin() as connection:
                await _store_read_only(connection, batch)
        assert await send(engine, batch) == 2
        assert len(await find_calls(engine, call_id="call-1@x")) == 1


async def _store_read_only(connection: AsyncConnection, batch: list[ShippedRow]) -> None:
    """As ship() does, with a database that turned read-only behind the checkpoint."""
    await connection.exec_driver_sql(f"CREATE TABLE {partition_name(date(2024, 5, 1))} PARTITION OF evidence "
                                     "FOR VALUES FROM ('2024-05-01Z') TO ('2024-05-02Z')")  # fmt: skip
    await connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    await _store(connection, evidence_rows(JOURNAL, batch))


@pytest.mark.parametrize(
    ("error", "mapped"),
    [
        (asyncpg.ConnectionDoesNotExistError("cut off"), Unavailable),
        (asyncpg.AdminShutdownError("shutting down"), Unavailable),
        (asyncpg.CannotConnectNowError("starting up"), Unavailable),
        (asyncpg.TooManyConnectionsError("too many"), Unavailable),
        (asyncpg.InterfaceError("connection is closed"), Unavailable),
        (ConnectionResetError("reset"), Unavailable),
        (TimeoutError(), Unavailable),
        (asyncpg.UniqueViolationError("twice"), Conflict),
        (asyncpg.ProgramLimitExceededError("too long"), asyncpg.ProgramLimitExceededError),
        (asyncpg.DiskFullError("full"), asyncpg.DiskFullError),
    ],
)
def test_errors_past_sqlalchemy_are_mapped_too(error: Exception, mapped: type[Exception]) -> None:
    with pytest.raises(mapped) as caught, mapped_errors():
        raise error
    assert type(caught.value) is mapped
    assert problem_kind(caught.value) == problem_kind(error)


async def test_a_copy_cut_off_by_the_server_is_away(migrated_url: str) -> None:
    async def copy_cut_off(engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            pid = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
            superuser = await asyncpg.connect(migrated_url)
            await superuser.execute("SELECT pg_terminate_backend($1)", pid)
            await superuser.close()
            raw = await driver(connection)
            await raw.copy_records_to_table(
                "audit", records=[("a", "b", "c")], columns=["principal", "action", "object"]
            )

    async with engine_on(migrated_url, registry=False) as engine:
        with pytest.raises(Unavailable, match="PostgreSQL is away: "), mapped_errors():
            await copy_cut_off(engine)


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
        found = await find_token(engine, token)
        assert found is not None
        assert found == Principal(found.id, "grafana", Role.VIEWER, "", frozenset({Scope.READ}))
        assert await find_token(engine, token + "x") is None
        with pytest.raises(Conflict):
            await create_token(engine, "grafana", "viewer", "ann")
        with pytest.raises(ValueError, match="role: 'king'"):
            await create_token(engine, "x", "king", "ann")
        assert await revoke_token(engine, "grafana", "ann")
        assert not await revoke_token(engine, "grafana", "ann")
        assert await find_token(engine, token) is None
        assert await count(engine, "tokens WHERE encode(sha256, 'escape') LIKE 'cg_%'") == 0


async def test_a_bye_through_another_node_is_the_end_that_is_told(migrated_url: str) -> None:
    """The node that set the call up gives it up hours later: no BYE came by it."""
    async with engine_on(migrated_url, registry=False) as engine:
        calls = [decision(1), decision(2)]
        byes = [EndRecord(call.id, AT + 500, "core", "Q.850;cause=16") for call in calls]
        given_up = [EndRecord(call.id, AT + 1_000, "gateway", "no BYE") for call in calls]
        await send(engine, rows(*calls, byes[0], given_up[0], given_up[1], byes[1]))
        found = await find_calls(engine, caller="+8657112340001")
        assert {call.decision.id: call.end for call in found} == {bye.id: bye for bye in byes}
