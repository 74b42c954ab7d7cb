"""What the API says where papers, findings or a class stand against a change: 409, with the clause and the reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.test_api_access import told
from tests.integration.test_api_registry import capable
from tests.support.api import ApiSite, api_on

NEW_TRUNK = {"side": "access", "sources": ["127.0.0.7"], "next_hops": ["127.0.0.7:5060"]}
NEW_RANGE = {"first": "+8657188760000", "last": "+8657188769999", "inbound": False, "trunks": []}


def day(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


async def record(api: ApiSite, paper: str, kind: str, supersedes: str | None = None, **detail: object) -> None:
    """A paper of alpha."""
    body = {"id": paper, "kind": kind, "operator": "alpha", "detail": detail, "supersedes": supersedes}
    answer = await api.ask("admin", "POST", "/documents", {key: one for key, one in body.items() if one is not None})
    assert answer.status_code == 201, answer.text


async def reopening(api: ApiSite) -> str:
    """What stands against alpha's activation; empty where it waits for a second person."""
    answer = await api.ask("admin", "POST", "/operators/alpha/activate", {"reason": "checked"})
    return "" if answer.status_code == 202 else str(told(answer, 409, "conflict")["detail"])


async def test_a04_false_material_bars_for_a_year_and_the_date_is_named(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await capable(api, "alpha")
        await api.ask("admin", "POST", "/operators/alpha/suspend", {"reason": "false papers"})
        until = day(3)
        await record(api, "f-1", "finding", category="false_material", decided_on=day(-30), until=until)
        assert f"A04 operator alpha: gave false material (finding f-1, decided {day(-30)})" in await reopening(api)
        assert f"no new application before {until}" in await reopening(api)
        await record(api, "f-2", "finding", "f-1", category="false_material", decided_on=day(-400))
        assert await reopening(api) == "", "a year after the decision it is over"


async def test_a08_a21_a_plan_of_commercial_calls_and_all_that_is_missing(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await api.ask("admin", "POST", "/operators/alpha/suspend", {"reason": "new plan"})
        await record(api, "plan-2", "business_plan", "alpha-plan", category="commercial_outbound")
        said = await reopening(api)
        assert "A08 operator alpha: business_plan plan-2 plans commercial outbound calls" in said
        assert "A29 operator alpha: no checklist of technical capability" in said


async def test_a20_who_was_punished_gets_no_new_number(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await record(api, "f-1", "finding", category="number_violation", decided_on=day(-1), until=day(30))
        answer = await api.ask("admin", "PATCH", "/ranges/alpha-new", {"operator": "alpha", **NEW_RANGE})
        said = str(told(answer, 409, "conflict")["detail"])
        assert said == (
            "A20: operator alpha was punished for a violation of number rules, and gets no new numbers "
            f"(finding f-1, decided {day(-1)})"
        )


@pytest.mark.parametrize(
    ("category", "clause", "words"),
    [("number_length", "A26", "changed the length of numbers"), ("marketing", "A27", "provides marketing calls")],
)
async def test_a26_a27_a_finding_bars_calls_and_keeps_from_opening(
    migrated_url: str, tmp_path: Path, category: str, clause: str, words: str
) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await api.ask("compliance", "PATCH", "/ranges/alpha-hangzhou", {"outbound": False})
        await record(api, "f-1", "finding", category=category, decided_on=day(-1))
        answer = await api.ask("compliance", "POST", "/ranges/alpha-hangzhou/open-outbound", {"reason": "as filed"})
        said = str(told(answer, 409, "conflict")["detail"])
        assert f"{clause} operator alpha: {words} (finding f-1, decided {day(-1)})" in said
        assert (await api.ask("viewer", "GET", "/approvals")).json()["items"] == []


@pytest.mark.parametrize(("kind", "clause"), [("labour_only", "A47"), ("tech_only", "A48")])
async def test_a47_a48_who_runs_no_system_gets_no_trunk_and_no_number(
    migrated_url: str, tmp_path: Path, kind: str, clause: str
) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await api.ask("admin", "PATCH", "/operators/hands", {"name": "Hands", "class": kind})
        for path, body, what in (("trunks", NEW_TRUNK, "trunk"), ("ranges", NEW_RANGE, "number range")):
            answer = await api.ask("admin", "PATCH", f"/{path}/new", {"operator": "hands", **body})
            said = str(told(answer, 409, "conflict")["detail"])
            assert said == f"{clause}: operator hands is of class {kind}: it may own no {what}"
