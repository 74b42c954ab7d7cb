"""The registry over the API: shown to whom it belongs, changed with the checks of every other way, opened by two."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.integration.test_api_access import told
from tests.support.api import ApiSite, api_on
from tests.support.database import EXAMPLE, count

LATER = (datetime.now(UTC) + timedelta(days=2)).isoformat()
CAPABLE = {"consent_store": True, "recorder": True, "frequency_control": True, "complaint_channel": True}


async def capable(api: ApiSite, operator: str) -> None:
    """The checklist without which nothing is opened."""
    today = datetime.now(UTC).date().isoformat()
    paper = {"id": f"{operator}-capability", "kind": "capability", "operator": operator}
    answer = await api.ask("admin", "POST", "/documents", {**paper, "detail": {**CAPABLE, "probed_on": today}})
    assert answer.status_code == 201, answer.text


async def test_an_operators_token_sees_its_own_rows_alone(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        for path, mine, theirs in (
            ("operators", "alpha", "beta"),
            ("trunks", "cc-alpha", "cc-beta"),
            ("ranges", "alpha-400", "beta-hangzhou"),
            ("documents", "alpha-licence", "beta-licence"),
        ):
            assert (await api.ask("alpha", "GET", f"/{path}/{mine}")).status_code == 200
            told(await api.ask("alpha", "GET", f"/{path}/{theirs}"), 404, "not-found")
            listed = (await api.ask("alpha", "GET", f"/{path}?limit=200")).json()["items"]
            assert listed and all("beta" not in row["id"] and row["id"] != "carrier" for row in listed)
        told(await api.ask("alpha", "GET", "/documents?operator=beta"), 403, "forbidden")
        for path in ("/restrictions", "/registry/check", "/registry/versions"):
            told(await api.ask("alpha", "GET", path), 403, "forbidden")
        told(await api.ask("alpha", "PATCH", "/ranges/alpha-400", {"filing": "x"}), 403, "forbidden")
        told(await api.ask("viewer", "PATCH", "/ranges/alpha-400", {"filing": "x"}), 403, "forbidden")


async def test_ranges_come_in_pages_and_are_patched(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        first = (await api.ask("viewer", "GET", "/ranges?limit=2")).json()
        rest = (await api.ask("viewer", "GET", f"/ranges?limit=2&cursor={first['next']}")).json()
        assert [row["id"] for row in first["items"] + rest["items"]] == ["alpha-400", "alpha-hangzhou", "beta-hangzhou"]
        done = await api.ask("compliance", "PATCH", "/ranges/alpha-400", {"purposes": ["consultation"]})
        assert done.json() == {"version": 2, "rows": 1, "id": None}
        shown = (await api.ask("viewer", "GET", "/ranges/alpha-400")).json()
        assert (shown["purposes"], shown["state"]) == (["consultation"], "enabled")
        wrong = told(await api.ask("compliance", "PATCH", "/ranges/alpha-400", {"trunks": ["cc-beta"]}), 422, "invalid")
        assert wrong["problems"][0]["field"] == "range alpha-400.trunks"  # type: ignore[index]
        assert await count(api.engine, "audit WHERE action = 'range.patch' AND principal = 'compliance'") == 1


async def test_a11_a12_opening_a_number_takes_papers_and_a_second_person(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        told(await api.ask("compliance", "PATCH", "/ranges/alpha-400", {"outbound": True}), 422, "invalid")
        await api.ask("compliance", "PATCH", "/ranges/alpha-hangzhou", {"outbound": False})
        asked = await api.ask("compliance", "POST", "/ranges/alpha-hangzhou/open-outbound", {"reason": "as certified"})
        assert asked.status_code == 202, asked.text
        number = asked.json()["id"]
        told(await api.ask("compliance", "POST", f"/approvals/{number}/approve", {}), 403, "forbidden")
        assert not (await api.ask("viewer", "GET", "/ranges/alpha-hangzhou")).json()["outbound"]
        assert (await api.ask("admin", "POST", f"/approvals/{number}/approve", {})).status_code == 200
        assert (await api.ask("viewer", "GET", "/ranges/alpha-hangzhou")).json()["outbound"]
        last = (await api.ask("viewer", "GET", "/registry/versions")).json()[0]
        assert (last["principal"], last["approver"], last["reason"]) == ("compliance", "admin", "as certified")


async def test_a21_activation_names_all_that_is_missing_then_waits_for_a_second(
    migrated_url: str, tmp_path: Path
) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        assert (await api.ask("admin", "POST", "/operators/alpha/suspend", {"reason": "audit"})).json()["rows"] == 1
        problem = told(
            await api.ask("admin", "POST", "/operators/alpha/activate", {"reason": "audited"}), 409, "conflict"
        )
        assert "A29 operator alpha" in str(problem["detail"])
        await capable(api, "alpha")
        asked = await api.ask("admin", "POST", "/operators/alpha/activate", {"reason": "audited"})
        assert asked.status_code == 202, asked.text
        approved = await api.ask("compliance", "POST", f"/approvals/{asked.json()['id']}/approve", {})
        assert approved.status_code == 200, approved.text
        assert (await api.ask("alpha", "GET", "/operators/alpha")).json()["state"] == "active"


async def test_a18_states_ahead_and_a32_restrictions(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        body = {"state": "recalled", "at": LATER, "reason": "ministry's list"}
        assert (await api.ask("admin", "POST", "/ranges/alpha-400/state", body)).status_code == 200
        shown = (await api.ask("viewer", "GET", "/ranges/alpha-400")).json()
        assert (shown["state"], shown["steps"][0]["state"]) == ("enabled", "recalled")
        told(await api.ask("admin", "POST", "/ranges/none/state", body), 404, "not-found")
        made = await api.ask(
            "admin", "POST", "/restrictions", {"kind": "number", "subject": "+8657112340001", "reason": "complaints"}
        )
        assert made.status_code == 201, made.text
        number = made.json()["id"]
        assert [row["id"] for row in (await api.ask("viewer", "GET", "/restrictions")).json()] == [number]
        asked = await api.ask("admin", "POST", f"/restrictions/{number}/lift", {"reason": "mended"})
        assert asked.status_code == 202
        await api.ask("compliance", "POST", f"/approvals/{asked.json()['id']}/approve", {})
        assert (await api.ask("viewer", "GET", "/restrictions")).json() == []
        past = (await api.ask("viewer", "GET", "/restrictions?ended=true")).json()[0]
        assert (past["lifted_by"], past["approver"]) == ("admin", "compliance")
        told(await api.ask("admin", "POST", f"/restrictions/{number}/lift", {"reason": "mended"}), 404, "not-found")


async def test_documents_the_report_and_versions(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        paper = {"id": "f-1", "kind": "finding", "operator": "beta", "valid_from": None,
                 "detail": {"category": "marketing", "decided_on": "2020-09-01"}}  # fmt: skip
        bad = await api.ask("admin", "POST", "/documents", {**paper, "detail": {"category": "x"}})
        told(bad, 422, "invalid")
        assert {one["field"] for one in bad.json()["problems"]} == {"document.category", "document.decided_on"}
        assert (await api.ask("admin", "POST", "/documents", paper)).json()["version"] == 2
        shown = (await api.ask("beta", "GET", "/documents/f-1")).json()
        assert (shown["recorded_by"], shown["detail"]["category"]) == ("admin", "marketing")
        report = (await api.ask("viewer", "GET", "/registry/check")).json()
        assert report["bars"] == 1
        assert report["issues"][0]["clause"] == "A27"
        await api.ask("admin", "PATCH", "/trunks/cc-alpha", {"circuit": "EX-LINE-9"})
        found = (await api.ask("viewer", "GET", "/registry/versions/2/diff")).json()
        assert [(one["id"], one["field"], one["after"]) for one in found] == [("cc-alpha", "circuit", "EX-LINE-9")]
        told(await api.ask("viewer", "GET", "/registry/versions/99/diff"), 404, "not-found")
        asked = await api.ask("admin", "POST", "/registry/rollback", {"version": 2, "reason": "wrong line"})
        assert asked.status_code == 202
        assert (await api.ask("compliance", "POST", f"/approvals/{asked.json()['id']}/approve", {})).status_code == 200
        assert (await api.ask("viewer", "GET", "/trunks/cc-alpha")).json()["circuit"] == "EX-LINE-1"


async def test_a_file_that_is_uploaded_opens_nothing_that_is_closed(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await api.ask("admin", "POST", "/operators/alpha/suspend", {"reason": "audit"})
        await api.ask("admin", "POST", "/ranges/alpha-hangzhou/state", {"state": "suspended", "reason": "audit"})
        text = (EXAMPLE / "registry.toml").read_text(encoding="utf-8")
        same = await api.ask("admin", "POST", "/imports/registry?name=r.toml", content=text.encode())
        assert same.json()["changed"] == 0, "what was set by command stays where a file says nothing of it"
        text = text.replace('id = "alpha"', 'id = "alpha"\nstate = "active"')
        text = text.replace('id = "alpha-hangzhou"', 'id = "alpha-hangzhou"\nsteps = []')
        refused = await api.ask("admin", "POST", "/imports/registry?name=r.toml", content=text.encode())
        problems = told(refused, 422, "invalid")["problems"]
        assert {one["field"] for one in problems} == {"operator alpha.state", "range alpha-hangzhou.state"}  # type: ignore[attr-defined]
