"""Privacy (RULES A44): after calls and imports, good and bad, no subscriber's number stands in clear in PostgreSQL,
Redis, journals or logs, in no form a number is written in."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import asyncpg
import redis.asyncio

from gateway.store.embedded.servers import read_endpoints
from tests.support.gateway_process import PATIENT, GatewayProcess
from tests.support.telephony import phones

SUBSCRIBERS = ("13800138000", "13912345678", "13700420017", "13600420018", "13500420019", "13900139000")
CONSENTED, UNKNOWN, LISTED, WISHED, WRONG, _CALLING = SUBSCRIBERS
CALLS = 4
DECISIONS = "SELECT count(*) FROM evidence WHERE kind = 'decision'"


def forms(number: str) -> set[bytes]:
    """A national number as people and programs write it, and as it would look encoded."""
    three = (number[:3], number[3:7], number[7:])
    written = {number, *(mark.join(three) for mark in " -."), number[::-1]}
    found = {text.encode() for text in written}
    for text in (number, f"+86{number}", f"86{number}"):
        found.add(text.encode().hex().encode())
        for shift in range(3):  # wherever it stands in what was encoded: the letters that are made of it alone
            whole = base64.b64encode(b"\0" * shift + text.encode())
            found.add(whole[-(-shift * 8 // 6) : (shift + len(text)) * 8 // 6])
    return found


async def test_a44_stores_journals_and_logs_hold_no_number_in_clear(tmp_path: Path) -> None:
    consents, refusals, bad = tmp_path / "consents.csv", tmp_path / "refusals.jsonl", tmp_path / "bad.csv"
    header = "callee,operator,purpose,granted_at\n"
    consents.write_text(f"{header}+86{LISTED},alpha,consultation,2026-01-01T00:00:00Z\n")
    refusals.write_text(f'{{"callee": "+86{LISTED}", "scope": "operator", "value": "beta"}}\n')
    bad.write_text(
        f"{header}{WRONG},alpha,consultation,2026-01-01T00:00:00Z\n"
        f"alpha,+86{WRONG},consultation,2026-01-01T00:00:00Z\n"
        f"135 0042 0019,alpha,consultation,{WRONG}\n"
        f'+86{WRONG},alpha,consultation,2026-01-01T00:00:00Z,{WRONG},x\n"{WRONG}'
    )
    wish = ("--callee", f"+86{WISHED}", "--agreement", "by telephone")
    with GatewayProcess(tmp_path / "state", env=PATIENT) as gateway:
        said = []
        for words, code in (
            (("import", "consents", str(consents), "--dry-run"), 0),
            (("import", "consents", str(consents)), 0),
            (("import", "refusals", str(refusals)), 0),
            (("import", "consents", str(bad)), 1),
            (("wish", "set", *wish, "--band", "21:00-09:00"), 0),
            (("wish", "show", "--callee", f"+86{WISHED}"), 0),
            (("consent", "grant", "--callee", WRONG, "--operator", "alpha", "--purpose", "consultation"), 1),
            (("list", "rollback", "consents:alpha", "1"), 0),
        ):
            done = gateway.cli(*words)
            assert done.returncode == code, done.stdout + done.stderr
            said.append(done.stdout + done.stderr)
        async with phones(gateway.sip_port) as telephony:
            assert (await telephony.outbound(f"+86{CONSENTED}")).status == 200
            assert (await telephony.outbound(f"+86{UNKNOWN}")).status == 470
            assert (await telephony.outbound(UNKNOWN)).status == 470
            await telephony.inbound()
        endpoints = read_endpoints(gateway.state_dir)
        assert endpoints is not None
        await shipped(endpoints.database_url)
        dumped = {
            "postgres": await dump_postgres(endpoints.database_url),
            "redis": await dump_redis(endpoints.redis_url),
            "metrics": gateway.get("/metrics")[1].encode(),
            "commands": "\n".join(said).encode(),
        }
    for path in gateway.state_dir.rglob("*"):
        # Not PostgreSQL's own files: dead rows and its log of changes hold what its tables held.
        if path.is_file() and "postgres" not in path.relative_to(gateway.state_dir).parts[:1]:
            dumped[str(path)] = path.read_bytes()
    dumped["log"] = gateway.output().encode()
    assert any("journal" in name for name in dumped)
    for content in (bad.read_bytes(), base64.b64encode(b"x" + bad.read_bytes()), bad.read_bytes().hex().encode()):
        assert any(form in content for form in forms(WRONG)), "what is looked for can be found"
    assert len(dumped["postgres"]) > 10_000 and len(dumped["redis"]) > 1_000
    for name, content in dumped.items():
        for number in SUBSCRIBERS:
            for form in forms(number):
                assert form not in content, f"{form!r} in {name}"


async def shipped(url: str) -> None:
    """Until the calls' records are in PostgreSQL."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(20):
            while await connection.fetchval(DECISIONS) < CALLS:  # noqa: ASYNC110 (another process)
                await asyncio.sleep(0.1)
    finally:
        await connection.close()


async def dump_postgres(url: str) -> bytes:
    """Every row of every table, as text."""
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = []
        for (table,) in tables:
            rows = await connection.fetch(f'SELECT t::text FROM "{table}" AS t')
            found += [row[0].encode() for row in rows]
        return b"\n".join(found)
    finally:
        await connection.close()


async def dump_redis(url: str) -> bytes:
    """Every key, with its value as Redis would move it to another server."""
    client = redis.asyncio.Redis.from_url(url)
    try:
        found = []
        async for key in client.scan_iter():
            found += [key, *await everything(client, key)]
        return b"\n".join(found)
    finally:
        await client.aclose()


async def everything(client: redis.asyncio.Redis, key: bytes) -> list[bytes]:
    match await client.type(key):
        case b"hash":
            return [part for pair in (await client.hgetall(key)).items() for part in pair]
        case b"set":
            return list(await client.smembers(key))
        case b"string":
            return [await client.get(key)]
        case other:
            raise AssertionError(f"a {other!r}: dump it as well")
