"""Evidence that PostgreSQL takes badly, and PostgreSQL that takes nothing: no record is lost or altered for it."""

from __future__ import annotations

import hashlib
from datetime import date

import asyncpg
import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.ports import Conflict, Unavailable
from gateway.store.sql.calls import find_calls
from gateway.store.sql.engine import driver, mapped_errors
from gateway.store.sql.errors import problem_kind
from gateway.store.sql.evidence import ShippedRow, _store, load_checkpoint, partition_name, ship
from gateway.store.sql.evidence_rows import evidence_rows, record_bytes
from gateway.store.sql.verify import verify_evidence
from tests.support.database import engine_on
from tests.support.shipping import JOURNAL, after, decision, rows, send


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
