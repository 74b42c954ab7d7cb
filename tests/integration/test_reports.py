"""Reports on shipped evidence: traffic, findings, traces, by API and with roles."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.gate.records import DecisionRecord, OutcomeRecord, Record
from gateway.store.sql.evidence import ship
from policies.facts import Facts
from tests.integration.test_evidence_sql import after, rows
from tests.support.api_server import ApiServer, api_server
from tests.support.database import ALICE, hash_of

MINUTE = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
SPAN = "since=2026-04-20T00:00:00Z&until=2026-05-20T00:00:00Z"


@pytest.fixture
def server(migrated_url: str, redis_url: str, tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(migrated_url, tmp_path, redis_url) as server:
        yield server


def decided(serial: int, at: datetime = MINUTE, **changes: Any) -> DecisionRecord:
    facts = Facts(
        changes.get("direction", "outbound"), at.timestamp(), "cc-alpha", "alpha",
        range_id="alpha-hangzhou", purpose="consultation", consent="live", tenant="shop",
    )  # fmt: skip
    fields: dict[str, Any] = {
        "id": f"{serial:032x}", "at": int(at.timestamp() * 1e6), "node": "n", "trunk": "cc-alpha",
        "direction": "outbound", "verdict": "allow", "rule": "allow", "status": 0, "reason": "",
        "source": "127.0.0.2:5060/udp", "call_id": f"c{serial}", "from_tag": "t", "operator": "alpha",
        "number": "+8657112340001", "party": hash_of(ALICE).hex(), "party_mask": "+86138****8000",
        "route": "carrier", "agreement": "joint", "facts": facts,
    }  # fmt: skip
    return DecisionRecord(**(fields | changes))


async def put(engine: AsyncEngine, *records: Record) -> None:
    batch = rows(*records)
    async with engine.begin() as connection:
        await ship(connection, "node-1-0", batch, after(batch))


def get(server: ApiServer, who: str, path: str) -> Any:
    return server.do(lambda site: site.ask(who, "GET", path))


def test_a05_the_outbound_share_by_operator_and_month(server: ApiServer) -> None:
    later = MINUTE + timedelta(days=10)
    calls = [decided(1), decided(2, direction="inbound", trunk="carrier"), decided(3, MINUTE - timedelta(days=2))]
    calls += [decided(4, later, operator="beta"), decided(5, verdict="refuse", rule="purpose", status=403)]
    calls += [decided(6, rule="emergency")]
    server.do(lambda site: put(site.engine, *calls))
    found = get(server, "compliance", f"/reports/traffic?{SPAN}&threshold=50").json()
    assert [(row["month"], row["operator"], row["inbound"], row["outbound"], row["flagged"]) for row in found] == [
        ("2026-04", "alpha", 0, 1, True),
        ("2026-05", "alpha", 1, 1, False),
        ("2026-05", "beta", 0, 1, True),
    ]
    own = get(server, "alpha", f"/reports/traffic?{SPAN}").json()
    assert {row["operator"] for row in own} == {"alpha"}
    wrong = get(server, "compliance", "/reports/traffic?since=2026-05-20T00:00:00Z&until=2026-05-01T00:00:00Z")
    assert wrong.status_code == 422 and "since" in wrong.text


def test_a17_a42_a_number_on_anothers_trunk_names_both_and_behaviour_its_trunk(server: ApiServer) -> None:
    stolen = decided(1, verdict="refuse", rule="number-foreign", status=403, operator="beta", number="+8657156780001")
    marked = decided(2, shadow=("behaviour",))
    refused = decided(3, verdict="refuse", rule="behaviour", status=403)
    server.do(lambda site: put(site.engine, stolen, marked, refused, decided(4)))
    found = get(server, "compliance", f"/reports/findings?{SPAN}").json()
    (foreign,) = found["foreign_numbers"]
    assert (foreign["trunk_operator"], foreign["owner"], foreign["number"]) == ("alpha", "beta", "+8657156780001")
    (suspicious,) = found["behaviour"]
    assert (suspicious["trunk"], suspicious["marked"], suspicious["refused"]) == ("cc-alpha", 1, 1)
    assert get(server, "alpha", f"/reports/findings?{SPAN}").status_code == 403


def test_a35_callee_and_minute_give_the_whole_chain(server: ApiServer) -> None:
    inside, before = decided(1, MINUTE + timedelta(seconds=59.9)), decided(2, MINUTE - timedelta(seconds=0.1))
    outcome = OutcomeRecord(inside.id, inside.at + 5, "answered", 200, "127.0.0.9:5060")
    server.do(lambda site: put(site.engine, inside, before, outcome))
    question = {"callee": ALICE, "minute": "2026-05-01T09:30:20Z"}
    answer = server.do(lambda site: site.ask("compliance", "POST", "/reports/trace", question))
    (call,) = answer.json()["calls"]
    chain = ("operator", "tenant", "trunk", "source", "consent", "rule", "route", "next_hop", "agreement", "outcome")
    assert tuple(call[name] for name in chain) == (
        *("alpha", "shop", "cc-alpha", "127.0.0.2:5060/udp", "live", "allow", "carrier", "127.0.0.9:5060", "joint"),
        "answered",
    )
    assert ALICE not in answer.text and "13800138000" not in answer.text
    assert server.do(lambda site: site.ask("alpha", "POST", "/reports/trace", question)).status_code == 403
