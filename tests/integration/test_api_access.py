"""Who is let in: tokens, roles, rates, sizes; and how he is told when he is not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from gateway.control.api.access import FAILURES_BURST, MAX_BODY
from gateway.store.sql.tokens import create_token, revoke_token
from tests.support.api import api_on


def told(answer: httpx.Response, status: int, kind: str) -> dict[str, object]:
    """The problem, of that status and kind."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, object] = answer.json()
    assert (body["status"], body["type"]) == (status, f"urn:callgate:problem:{kind}")
    return body


async def test_no_token_a_wrong_one_a_revoked_one_an_expired_one(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        soon = datetime.now(UTC) + timedelta(hours=1)
        good = await create_token(api.engine, "ann", "viewer", "test", expires_at=soon)
        late = await create_token(api.engine, "old", "viewer", "test", expires_at=soon - timedelta(hours=2))

        async def status(value: str | bytes) -> httpx.Response:
            return await api.client.get("/api/v1/status", headers={"Authorization": value} if value else {})

        assert (await status(f"Bearer {good}")).status_code == 200
        for value in ("", "Bearer", f"Basic {good}", f"Bearer {good}x", f"Bearer {late}", b"Bearer cg_\xff"):
            answer = await status(value)
            told(answer, 401, "unauthorised")
            assert answer.headers["www-authenticate"].startswith("Bearer")
        await revoke_token(api.engine, "ann", "test")
        told(await status(f"Bearer {good}"), 401, "unauthorised")


async def test_requests_are_counted_by_answer(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await api.ask("viewer", "GET", "/status")
        await api.ask("viewer", "GET", "/audit")
        await api.client.request("BREW", "/api/v1/status")
        lines = (await api.client.get("/metrics")).text.splitlines()
        for labels in ('method="GET",status="200"', 'method="GET",status="403"', 'method="other",status="401"'):
            assert f"callgate_api_requests_total{{{labels}}} 1.0" in lines


async def test_a_path_that_is_none_tells_strangers_nothing(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        told(await api.client.get("/api/v1/nothing"), 401, "unauthorised")
        told(await api.ask("viewer", "GET", "/nothing"), 404, "not-found")
        told(await api.ask("viewer", "DELETE", "/status"), 405, "method-not-allowed")


async def test_a_role_that_may_not_and_a_scope_that_is_missing(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        told(await api.ask("viewer", "GET", "/audit"), 403, "forbidden")
        told(await api.ask("alpha", "GET", "/status"), 403, "forbidden")
        await api.token("compliance-read", scopes=["read"])
        assert (await api.ask("compliance-read", "GET", "/audit")).status_code == 200
        told(await api.ask("compliance-read", "POST", "/approvals/1/approve", {}), 403, "forbidden")


async def test_guessing_is_slowed_and_does_not_slow_a_token_that_is_good(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        assert (await api.ask("viewer", "GET", "/status")).status_code == 200
        wrong = {"Authorization": "Bearer cg_" + "x" * 43}
        for _ in range(int(FAILURES_BURST)):
            told(await api.client.get("/api/v1/status", headers=wrong), 401, "unauthorised")
        held = await api.client.get("/api/v1/status", headers=wrong)
        told(held, 429, "too-many")
        assert int(held.headers["retry-after"]) >= 1
        assert (await api.ask("viewer", "GET", "/status")).status_code == 200


async def test_a_token_has_its_rate(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path, requests_per_s=0.5) as api:
        api.context.ticks = lambda: 100.0
        assert (await api.ask("viewer", "GET", "/status")).status_code == 200
        answer = await api.ask("viewer", "GET", "/status")
        told(answer, 429, "too-many")
        assert answer.headers["retry-after"] == "2"
        assert (await api.ask("compliance", "GET", "/status")).status_code == 200  # another's is his own
        api.context.ticks = lambda: 102.0
        assert (await api.ask("viewer", "GET", "/status")).status_code == 200


async def test_a_body_has_a_bound_declared_or_not(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        large = b'{"note": "' + b"x" * MAX_BODY + b'"}'
        headers = {"content-type": "application/json"}
        answer = await api.ask("admin", "POST", "/approvals/1/approve", content=large, headers=headers)
        told(answer, 413, "too-large")

        async def parts():  # type: ignore[no-untyped-def]
            for start in range(0, len(large), 65_536):
                yield large[start : start + 65_536]

        answer = await api.ask("admin", "POST", "/approvals/1/approve", content=parts(), headers=headers)
        told(answer, 413, "too-large")


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        (b"{", "body", "character 1"),
        (b'{"note": 7}', "note", "7"),
        (b'{"note": "\\ud800"}', "note", "?"),
        (b'{"note": "a", "nite": "b"}', "nite", "b"),
        (b"[]", "body", "[]"),
    ],
)
async def test_a_wrong_body_is_named_by_field_value_and_fix(
    migrated_url: str, tmp_path: Path, body: bytes, field: str, value: str
) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        headers = {"content-type": "application/json"}
        answer = await api.ask("admin", "POST", "/approvals/1/approve", content=body, headers=headers)
        problem = told(answer, 422, "invalid")["problems"][0]  # type: ignore[index]
        assert problem["fix"] and (problem["field"], problem["value"]) == (field, value)


async def test_pages_and_a_cursor_that_is_none(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        for name in ("a", "b", "c"):
            await create_token(api.engine, name, "viewer", "test")
        seen: list[int] = []
        cursor = ""
        while True:
            answer = (await api.ask("admin", "GET", f"/audit?limit=2&cursor={cursor}")).json()
            seen += [row["id"] for row in answer["items"]]
            cursor = answer["next"]
            if not cursor:
                break
        assert len(seen) == 5 and seen == sorted(seen, reverse=True)  # import, four tokens
        for bad in ("x", "W10=", "WyJhIl0=", "WzEsMl0=", "%ff", "Wy0xXQ=="):
            told(await api.ask("admin", "GET", f"/audit?cursor={bad}"), 422, "invalid")
        told(await api.ask("admin", "GET", "/audit?limit=201"), 422, "invalid")


async def test_the_audit_is_searched(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        await create_token(api.engine, "a", "viewer", "ann")
        items = (await api.ask("compliance", "GET", "/audit?action=token&principal=ann")).json()["items"]
        assert [(row["action"], row["object"], row["detail"]["role"]) for row in items] == [
            ("token.create", "a", "viewer")
        ]
        assert (await api.ask("compliance", "GET", "/audit?since=2100-01-01T00:00:00Z")).json()["items"] == []


async def test_without_the_database_changes_are_refused_and_health_is_told(tmp_path: Path) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    async with api_on(nowhere, tmp_path, registry=False) as api:
        answer = await api.client.get("/api/v1/status", headers={"Authorization": "Bearer cg_" + "x" * 43})
        told(answer, 503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        assert (await api.client.get("/healthz")).status_code == 200
