"""BYEs that cross, come again or meet nobody, through a real gateway: every call has one end record, and
`callgate_active_calls` follows. (Calls that end without one: `tests/integration/test_worker.py`.)"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from gateway.gate.records import EndRecord, Record
from gateway.store.journal.reader import JournalReader, Position
from tests.support.gateway_process import PATIENT, GatewayProcess
from tests.support.hops import CALLEE, until
from tests.support.sides import Call, Side, place
from tests.support.sip_text import answer

NUMBER = "+8657112340001"


@asynccontextmanager
async def ends(gateway: GatewayProcess) -> AsyncIterator[tuple[Side, Side]]:
    """The call centre's phone and the carrier's."""
    address = ("127.0.0.1", gateway.sip_port)
    caller = await Side.open("udp", "127.0.0.2", 0, address)
    callee = await Side.open("udp", "127.0.0.9", 5060, address)
    try:
        yield caller, callee
    finally:
        await caller.close()
        await callee.close()


def active(gateway: GatewayProcess) -> float:
    found = re.search(r"^callgate_active_calls (\S+)$", gateway.get("/metrics")[1], re.M)
    assert found
    return float(found[1])


def end_records(gateway: GatewayProcess) -> list[EndRecord]:
    (journal,) = (gateway.state_dir / "journal").iterdir()
    rows, _ = JournalReader(journal).read(Position(), 1_000)
    records = [msgspec.json.decode(row.payload, type=Record) for row in rows]
    return [record for record in records if isinstance(record, EndRecord)]


async def bye(asking: Side, call: Call, branch: bytes) -> None:
    """Sent, nothing more."""
    party = call.caller if asking.host == "127.0.0.2" else call.callee
    await asking.send(party.request(b"BYE", branch, contact=b""))


async def test_byes_that_cross_or_come_again_make_one_end(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state", env=PATIENT) as gateway:
        async with ends(gateway) as (caller, callee):
            crossing = await place(caller, callee, NUMBER, CALLEE)
            repeated = await place(caller, callee, NUMBER, CALLEE)
            by_callee = await place(caller, callee, NUMBER, CALLEE)
            await until(lambda: active(gateway) == 3)

            await bye(caller, crossing, b"z9hG4bK-c1")
            await bye(callee, crossing, b"z9hG4bK-c2")
            for side in (caller, callee):
                asked, back = await side.request(b"BYE")
                back(answer(asked, 200, contact=b""))
            for side in (caller, callee):
                assert (await side.final(b"BYE", crossing.caller.call_id)).status == 200

            for branch in (b"z9hG4bK-r1", b"z9hG4bK-r1", b"z9hG4bK-r2"):  # a repetition, and another BYE
                await bye(caller, repeated, branch)
            for status in (200, 481):
                asked, back = await callee.request(b"BYE")
                back(answer(asked, status, contact=b""))
            assert [(await caller.final(b"BYE", repeated.caller.call_id)).status for _ in range(2)] == [200, 481]

            await bye(callee, by_callee, b"z9hG4bK-u1")
            asked, back = await caller.request(b"BYE")
            back(answer(asked, 481, contact=b""))
            assert (await callee.final(b"BYE", by_callee.caller.call_id)).status == 481
            await until(lambda: active(gateway) == 0)
        found = end_records(gateway)
        assert sorted(Counter(record.id for record in found).values()) == [1, 1, 1]
        assert [record.by for record in found][1:] == ["access", "core"]
