"""Keys are rotated while calls come, 50 a second: every verdict is the right one, and no number stands in clear."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import asyncpg

from gateway.keys import load
from gateway.store.embedded.servers import read_endpoints
from tests.e2e.test_no_number_in_clear import dump_postgres, dump_redis, forms
from tests.support.evidence import wait_for
from tests.support.gateway_process import GatewayProcess
from tests.support.sipp import answering, calling
from tests.support.telephony import CONSENTED, DECLINED, UNKNOWN

RULES = {"+86138****8000": "allow", "+86138****8001": "callee-refused", "+86139****9000": "consent-missing"}
MOST = 10_000
AFTER = 75
"""Calls after the rotation; before and in it there are more."""
FOUND = """
SELECT record::json->>'party_mask', record::json->>'rule', encode(party, 'hex') FROM evidence WHERE kind = 'decision'
"""


def test_no_call_gets_another_verdict(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway, answering(tmp_path):
        numbers = [(f"+86571123400{n:02d}", (CONSENTED, UNKNOWN, DECLINED)[n % 3]) for n in range(48)]
        address = ("127.0.0.1", gateway.sip_port)
        caller = calling(tmp_path, address, calls=MOST, rate=50, pause_ms=50, numbers=numbers)
        rotated = gateway.cli("keys", "rotate")
        assert rotated.returncode == 0, rotated.stdout + rotated.stderr
        assert "3 rows stored under new keys: pseudonym 1 to 2, seal 1 to 2; 1 worker heard of." in rotated.stdout
        time.sleep(AFTER / 50)
        created = caller.stop().created
        assert AFTER < created < MOST, "calls came before, in and after the rotation"
        wait_for(gateway, created, 0)

        keys = load(gateway.state_dir / "keys.json")
        endpoints = read_endpoints(gateway.state_dir)
        assert endpoints is not None
        found = asyncio.run(read(endpoints.database_url))
        verdicts = Counter((mask, rule) for mask, rule, _ in found)
        assert verdicts.keys() == set(RULES.items()) and sum(verdicts.values()) >= created
        assert len({party for _, _, party in found}) == 6, "each callee under the key before and the key after"
        told = gateway.cli("calls", "--callee", CONSENTED, "--limit", "1000", "--json").stdout
        assert told.count('"verdict": "allow"') == verdicts["+86138****8000", "allow"], "found under both"
        status = gateway.cli("keys", "status").stdout
        assert status.count("in use") == 2 and "holds the newest keys" in status

        dumped = asyncio.run(dump_postgres(endpoints.database_url)) + asyncio.run(dump_redis(endpoints.redis_url))
        dumped += (rotated.stdout + rotated.stderr + status + gateway.output()).encode()
        for number in (CONSENTED, DECLINED, UNKNOWN):
            assert not [form for form in forms(number.removeprefix("+86")) if form in dumped]
        for key in (*keys.pseudonyms, *keys.seals):
            assert key.secret.hex().encode() not in dumped


async def read(url: str) -> list[tuple[str, str, str]]:
    """Mask, rule and hash of every decision."""
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(FOUND)]
    finally:
        await connection.close()
