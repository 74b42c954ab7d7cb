"""Changes by the API: done once for one key, by two principals where two are needed, on record always."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import text

from gateway.control import approvals
from gateway.store.ports import Conflict
from gateway.store.sql.tokens import create_token
from tests.integration.test_api_access import told
from tests.support.api import ApiSite, api_on
from tests.support.api_calls import ship_calls
from tests.support.database import ALICE, CAROL, count

CONSENT = {"callee": CAROL, "operator": "alpha", "purpose": "consultation"}
OPEN = "/ranges/alpha-hangzhou/open-outbound"


async def changes(api: ApiSite, action: str) -> list[tuple[str, str]]:
    """(principal, object) of the audit rows of an action."""
    async with api.engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT principal, object FROM audit WHERE action = :action ORDER BY id"), {"action": action}
        )
        return [(row[0], row[1]) for row in rows]


async def close_range(api: ApiSite) -> None:
    """The example has it open."""
    async with api.engine.begin() as connection:
        await connection.exec_driver_sql("UPDATE number_ranges SET outbound = false WHERE id = 'alpha-hangzhou'")


async def state_of(api: ApiSite, callee: str = CAROL) -> str:
    found = (await api.ask("compliance", "POST", "/consents/lookup", {"callee": callee})).json()["consents"]
    return found[0]["state"] if found else "none"


async def test_a_consent_granted_twice_revoked_and_looked_up(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        at = {"at": "2024-05-01T08:00:00+08:00"}
        first = await api.ask("alpha", "POST", "/consents", CONSENT | at)
        assert first.json() == {"changed": True, "callee": "+86139****9000"}
        assert (await api.ask("alpha", "POST", "/consents", CONSENT | at)).json()["changed"] is False
        assert await state_of(api) == "live"
        assert (await api.ask("alpha", "POST", "/consents/revoke", CONSENT)).json()["changed"] is True
        assert await state_of(api) == "revoked"
        assert await changes(api, "consent.revoke") == [("alpha", "alpha")]
        ended = CONSENT | at | {"callee": ALICE, "expires_at": "2024-06-01T00:00:00Z"}
        await api.ask("compliance", "POST", "/consents", ended)
        assert await state_of(api, ALICE) == "expired"
        problem = told(await api.ask("compliance", "POST", "/consents", CONSENT | {"purpose": "x"}), 422, "invalid")
        assert problem["problems"][0]["field"] == "purpose"  # type: ignore[index]
        answer = await api.ask("compliance", "POST", "/consents/lookup", {"callee": "013800138000"})
        problem = told(answer, 422, "invalid")
        assert "canonical form" in str(problem["detail"])


async def test_refusals_are_declared_and_withdrawn(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await api.ask("compliance", "POST", "/refusals", {"callee": CAROL})
        await api.ask("alpha", "POST", "/refusals", {"callee": CAROL, "scope": "operator", "value": "alpha"})
        for other in ({"scope": "all"}, {"scope": "operator", "value": "beta"}):
            told(await api.ask("alpha", "POST", "/refusals", {"callee": CAROL, **other}), 403, "forbidden")
        await api.ask("compliance", "POST", "/refusals/withdraw", {"callee": CAROL})
        found = (await api.ask("viewer", "POST", "/refusals/lookup", {"callee": CAROL})).json()["refusals"]
        assert [(one["scope"], one["in_force"]) for one in found] == [("all", False), ("operator", True)]


async def test_one_key_one_change(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        key = {"Idempotency-Key": "k-1"}
        first = await api.ask("compliance", "POST", "/consents", CONSENT, headers=key)
        again = await api.ask("compliance", "POST", "/consents", CONSENT, headers=key)
        assert (first.status_code, first.json()) == (again.status_code, again.json())
        assert again.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
        assert len(await changes(api, "consent.grant")) == 1
        other = await api.ask("compliance", "POST", "/consents", CONSENT | {"callee": ALICE}, headers=key)
        told(other, 422, "key-reused")
        told(await api.ask("compliance", "POST", "/consents/revoke", CONSENT, headers=key), 422, "key-reused")
        assert (await api.ask("alpha", "POST", "/consents", CONSENT, headers=key)).status_code == 200  # another's key
        for bad in ("", "x" * 129):
            answer = await api.ask("compliance", "POST", "/consents", CONSENT, headers={"Idempotency-Key": bad})
            told(answer, 422, "invalid")
        refused = CONSENT | {"purpose": "x"}
        key = {"Idempotency-Key": "k-2"}
        answers = [await api.ask("compliance", "POST", "/consents", refused, headers=key) for _ in range(2)]
        assert answers[0].json() == answers[1].json()
        told(answers[1], 422, "invalid")


async def test_one_key_at_once(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await api.token("compliance")
        key = {"Idempotency-Key": "k"}
        asked = [api.ask("compliance", "POST", "/consents", CONSENT, headers=key) for _ in range(5)]
        statuses = [answer.status_code for answer in await asyncio.gather(*asked)]
        assert set(statuses) <= {200, 409} and 200 in statuses
        assert len(await changes(api, "consent.grant")) == 1


async def test_an_old_key_is_free_again_and_a_dead_claim_is_taken_over(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        key = {"Idempotency-Key": "k"}

        async def ask() -> int:
            return (await api.ask("compliance", "POST", "/consents", CONSENT, headers=key)).status_code

        async def alter(change: str) -> None:
            async with api.engine.begin() as connection:
                await connection.exec_driver_sql(f"UPDATE idempotency_keys SET {change}")

        assert await ask() == 200
        await alter("status = NULL")
        assert await ask() == 409
        await alter("at = now() - interval '61 seconds'")
        assert await ask() == 200
        await alter("at = now() - interval '25 hours'")
        assert await ask() == 200
        assert len(await changes(api, "consent.grant")) == 3
        await alter("at = now() - interval '25 hours'")
        await api.ask("compliance", "POST", "/consents", CONSENT, headers={"Idempotency-Key": "l"})
        assert await count(api.engine, "idempotency_keys") == 1


async def test_a_token_is_shown_once_even_to_who_has_the_key(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        key = {"Idempotency-Key": "k"}
        wanted = {"name": "crm", "role": "operator", "operator": "alpha", "expires_at": "2100-01-01T00:00:00Z"}
        made = await api.ask("admin", "POST", "/tokens", wanted, headers=key)
        assert made.status_code == 201 and made.headers["cache-control"] == "no-store"
        api.tokens["crm"] = made.json()["token"]
        told(await api.ask("admin", "POST", "/tokens", wanted, headers=key), 409, "conflict")
        told(await api.ask("admin", "POST", "/tokens", wanted), 409, "conflict")
        assert (await api.ask("crm", "GET", "/operators")).json()["items"][0]["id"] == "alpha"
        listed = (await api.ask("admin", "GET", "/tokens")).json()["items"]
        assert made.json()["token"] not in str(listed) and {row["name"] for row in listed} == {"admin", "crm"}
        assert (await api.ask("admin", "DELETE", "/tokens/crm")).status_code == 204
        told(await api.ask("crm", "GET", "/operators"), 401, "unauthorised")
        told(await api.ask("admin", "DELETE", "/tokens/crm"), 404, "not-found")
        async with api.engine.connect() as connection:
            bodies = await connection.execute(text("SELECT count(*) FROM idempotency_keys WHERE body IS NOT NULL"))
            assert bodies.scalar_one() == 0


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"role": "operator"}, "operator"),
        ({"role": "operator", "operator": "gamma"}, "operator"),
        ({"role": "viewer", "operator": "alpha"}, "operator"),
        ({"role": "viewer", "scopes": ["reveal"]}, "scopes"),
        ({"role": "admin", "scopes": ["reveal"]}, "scopes"),
        ({"role": "king"}, "role"),
    ],
)
async def test_tokens_there_cannot_be(migrated_url: str, tmp_path: Path, wanted: dict[str, str], field: str) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        problem = told(await api.ask("admin", "POST", "/tokens", {"name": "x", **wanted}), 422, "invalid")
        assert problem["problems"][0]["field"] == field  # type: ignore[index]


async def test_a36_opening_a_range_takes_two(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await close_range(api)
        asked = await api.ask("compliance", "POST", OPEN, {"reason": "filed as F-7"})
        assert asked.status_code == 202 and asked.json()["state"] == "pending"
        number = asked.json()["id"]
        told(await api.ask("admin", "POST", OPEN, {"reason": "filed as F-7"}), 409, "conflict")  # asked for already
        assert (await api.ask("viewer", "GET", "/ranges/alpha-hangzhou")).json()["outbound"] is False
        told(await api.ask("compliance", "POST", f"/approvals/{number}/approve", {}), 403, "forbidden")
        maker = "compliance"
        for name in ("second-hand", "third-hand"):  # a token's maker has seen it
            api.tokens[name] = await create_token(api.engine, name, "admin", maker)
            told(await api.ask(name, "POST", f"/approvals/{number}/approve", {}), 403, "forbidden")
            maker = name
        await api.token("compliance-phone", person="Compliance")
        refused = await api.ask("compliance-phone", "POST", f"/approvals/{number}/approve", {})
        assert "the same person holds both tokens" in str(told(refused, 403, "forbidden")["detail"])
        done = await api.ask("admin", "POST", f"/approvals/{number}/approve", {"note": "seen"})
        assert (done.json()["state"], done.json()["decided_by"]) == ("approved", "admin")
        assert (await api.ask("viewer", "GET", "/ranges/alpha-hangzhou")).json()["outbound"] is True
        told(await api.ask("admin", "POST", f"/approvals/{number}/approve", {}), 409, "conflict")
        told(await api.ask("admin", "POST", "/approvals/999/approve", {}), 404, "not-found")
        assert await changes(api, "approval.approve.range.open-outbound") == [("admin", "alpha-hangzhou")]


async def test_a_request_is_rejected_taken_back_or_expires(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await close_range(api)
        for who in ("admin", "compliance"):  # another; whoever asked
            number = (await api.ask("compliance", "POST", OPEN, {"reason": "filed"})).json()["id"]
            assert (await api.ask(who, "POST", f"/approvals/{number}/reject", {})).json()["state"] == "rejected"
        number = (await api.ask("compliance", "POST", OPEN, {"reason": "filed"})).json()["id"]
        async with api.engine.begin() as connection:
            await connection.exec_driver_sql(f"UPDATE approvals SET expires_at = now() WHERE id = {number}")
        told(await api.ask("admin", "POST", f"/approvals/{number}/approve", {}), 409, "conflict")
        states = [one["state"] for one in (await api.ask("viewer", "GET", "/approvals")).json()["items"]]
        assert states == ["expired", "rejected", "rejected"]
        assert (await api.ask("viewer", "GET", "/ranges/alpha-hangzhou")).json()["outbound"] is False


async def test_the_table_itself_refuses_one_person(migrated_url: str, tmp_path: Path) -> None:
    from gateway.store.sql import approvals as table
    from gateway.store.sql.engine import mapped_errors

    async with api_on(migrated_url, tmp_path) as api:
        await close_range(api)
        made = await approvals.request(api.engine, "range.open-outbound", "alpha-hangzhou", {}, "because", "ann")
        with pytest.raises(Conflict, match="approvals_two_persons"), mapped_errors():
            async with api.engine.begin() as connection:
                await table.decide(connection, made.id, table.APPROVED, "ann", "")


async def test_a_change_that_is_not_possible_any_more_leaves_the_approval_pending(
    migrated_url: str, tmp_path: Path
) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await close_range(api)
        number = (await api.ask("compliance", "POST", OPEN, {"reason": "filed"})).json()["id"]
        async with api.engine.begin() as connection:
            await connection.exec_driver_sql("DELETE FROM number_ranges WHERE id = 'alpha-hangzhou'")
        told(await api.ask("admin", "POST", f"/approvals/{number}/approve", {}), 409, "conflict")
        pending = (await api.ask("viewer", "GET", "/approvals?state=pending")).json()["items"]
        assert [one["id"] for one in pending] == [number]


async def test_a44_a_number_is_revealed_with_a_reason_and_on_record(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await ship_calls(api.engine)
        wanted = {"decision": "a" * 32, "reason": "complaint 117"}
        for who in ("viewer", "admin", "compliance", "alpha"):
            told(await api.ask(who, "POST", "/reveal", wanted), 403, "forbidden")
        await api.token("compliance-ann", scopes=["read", "reveal"])
        told(await api.ask("compliance-ann", "POST", "/reveal", wanted | {"reason": ""}), 422, "invalid")
        told(await api.ask("compliance-ann", "POST", "/reveal", wanted | {"decision": "f" * 32}), 404, "not-found")
        shown = await api.ask("compliance-ann", "POST", "/reveal", wanted)
        assert shown.json()["number"] == ALICE and shown.headers["cache-control"] == "no-store"
        assert await changes(api, "call.reveal") == [("compliance-ann", "a" * 32)]


async def test_calls_are_found_by_number_and_time_and_no_number_is_shown(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await ship_calls(api.engine)

        async def search(**conditions: object) -> list[str]:
            found = await api.ask("viewer", "POST", "/decisions/search", conditions)
            assert ALICE not in found.text
            return [call["id"][0] for call in found.json()["items"]]

        assert await search() == ["d", "c", "b", "a", "e"]
        assert await search(callee=ALICE) == ["d", "b", "a"]
        assert await search(caller=ALICE) == ["c", "e"]
        assert await search(caller="+8657112340001") == ["a"]
        assert await search(caller="+8657112340001", callee=CAROL) == []
        assert await search(decision="bb") == ["b"]
        assert await search(call_id="c@x") == ["c"]
        assert await search(until="2024-01-01T00:00:00Z") == []
        paged, cursor = [], ""
        while cursor is not None:
            body = (await api.ask("viewer", "POST", "/decisions/search", {"limit": 2, "cursor": cursor})).json()
            paged += [call["id"][0] for call in body["items"]]
            cursor = body["next"]
        assert paged == ["d", "c", "b", "a", "e"]
        one = (await api.ask("viewer", "GET", "/decisions/" + "a" * 16)).json()
        assert one["callee"] == "+86138****8000" and one["facts"]["trunk_operator"] == "alpha"
