"""An operator's token reads and changes its operator's data alone, on every route there is.

Every route of the API description is asked with alpha's token for beta's things: beta's ids in paths and in every field
of a body that may name one. Whatever is answered, nothing of beta's stands in it and nothing of beta's has changed.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gateway.store.sql import approvals, uploads
from gateway.store.sql.schema import metadata
from tests.support.api import ApiSite, api_on
from tests.support.api_calls import ship_calls
from tests.support.database import ALICE, CAROL

CONSENT = {"callee": CAROL, "operator": "beta", "purpose": "consultation"}
MARK = "beta-secret"
"""Stands in free text of beta's rows, and must not come back."""
BETAS = ("cc-beta", "beta-hangzhou", "Beta Call Centre", "+8657156780001", MARK)


@pytest.fixture
async def api(migrated_url: str, tmp_path: Path) -> AsyncIterator[ApiSite]:
    """With a consent, an approval, an upload, a token and calls of each operator."""
    async with api_on(migrated_url, tmp_path) as api:
        for operator in ("alpha", "beta"):
            await api.token(operator)
            body = {**CONSENT, "operator": operator, "evidence_uri": f"https://{operator}-secret.example"}
            assert (await api.ask("compliance", "POST", "/consents", body)).status_code == 200
            secret, subject = f"{operator}-secret", f"{operator}-hangzhou"
            async with api.engine.begin() as connection:
                await approvals.add(connection, "range.open-outbound", subject, {}, secret, operator, "ann", 1.0)
            row = await uploads.begin(api.engine, "consents", secret, b"x" * 32, operator, operator, "n", False)
            await uploads.settle(api.engine, row.id, uploads.DONE)
        await ship_calls(api.engine)
        yield api


OTHERWISE = {"audit", "outbox", "uploads", "imports", "idempotency_keys", "evidence", "dataset"}
"""Tables that may grow with every request, whoever's it is."""


async def dump(api: ApiSite) -> list[str]:
    """Every row of beta's in every table; of tables that know no operator every row."""
    found: list[str] = []
    async with api.engine.connect() as connection:
        for table in metadata.sorted_tables:
            if table.name not in OTHERWISE:
                own = "WHERE operator::text IN ('beta', '2')" if "operator" in table.columns else ""
                rows = await connection.execute(text(f"SELECT * FROM {table.name} {own}"))
                found += sorted(f"{table.name} {row}" for row in rows)
    return found


def betas_values(name: str, schema: dict[str, Any]) -> list[Any]:
    """What to write into a field or parameter to name something of beta's."""
    options = [*schema.get("anyOf", ()), *schema.get("allOf", ()), schema]
    if values := next((one["enum"] for one in options if "enum" in one), None):
        return list(values)
    kind = next((one["type"] for one in options if "type" in one), "string")
    known = {
        "callee": [CAROL], "caller": ["+8657156780001"], "purpose": ["consultation"], "trunk": ["cc-beta"],
        "number_range": ["beta-hangzhou"], "value": ["beta"], "reason": ["because"], "decision": ["b" * 32],
        "name": ["beta"], "kind": ["consents"], "peer": ["127.0.0.3:5060"], "cursor": [""], "limit": [50],
    }  # fmt: skip
    if name in known:
        return known[name]
    if kind == "integer":
        return [1, 2]
    return {"boolean": [False], "array": [[]], "object": [{}], "number": [1]}.get(kind, ["beta"])


def requests(description: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """(method, path, body) for every route, with beta's ids wherever one fits."""
    schemas = description["components"]["schemas"]
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            inside = [one for one in operation.get("parameters", ()) if one.get("in") == "path"]
            fields = _fields(operation, schemas)
            for filled in itertools.product(*(betas_values(one["name"], one["schema"]) for one in inside)):
                whole = path
                for one, value in zip(inside, filled, strict=True):
                    whole = whole.replace("{" + one["name"] + "}", str(value))
                for body in _bodies(fields):
                    yield method.upper(), whole.removeprefix("/api/v1"), body


def _fields(operation: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return None
    schema = content["application/json"]["schema"]
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rsplit("/", 1)[1]]
    fields: dict[str, Any] = schema.get("properties", {})
    return {name: schemas[one["$ref"].rsplit("/", 1)[1]] if "$ref" in one else one for name, one in fields.items()}


def _bodies(fields: dict[str, Any] | None) -> Iterator[Any]:
    """All required and optional fields that name something; each enumerated value once."""
    if fields is None:
        yield None
        return
    left_out = {"at", "expires_at", "since", "until", "cursor", "limit", "call_id"}
    named = {name: betas_values(name, one) for name, one in fields.items() if name not in left_out}
    for turn in range(max((len(values) for values in named.values()), default=1)):
        yield {name: values[turn % len(values)] for name, values in named.items()}
    yield {}


async def test_alpha_never_reads_or_changes_what_is_betas(api: ApiSite) -> None:
    before = await dump(api)
    assert len(before) > 10
    asked = 0
    for method, path, body in requests(api.app.openapi()):
        content = b"callee,operator,purpose,granted_at\n" + f"{ALICE},beta,consultation,2024-01-01T00:00:00Z\n".encode()
        more: dict[str, Any] = {"content": content} if path.startswith("/imports/") and method == "POST" else {}
        answer = await api.ask("alpha", method, path, None if more else body, **more)
        asked += 1
        where = f"{method} {path} {body}: {answer.status_code} {answer.text[:300]}"
        assert answer.status_code in (200, 202, 403, 404, 422), where
        asked_for = f"{path} {body}"
        assert not any(word in answer.text for word in BETAS if word not in asked_for), where
        assert answer.status_code >= 400 or not any(word in answer.text for word in BETAS), where
        if any(word in path for word in ("beta", "b" * 32)):
            assert answer.status_code in (403, 404), where
    assert asked > 60
    assert await dump(api) == before


async def test_alpha_sees_its_own(api: ApiSite) -> None:
    """The test above would pass on an API that shows nothing."""
    for path, word in (
        ("/operators", "Alpha Call Centre"), ("/trunks", "cc-alpha"), ("/ranges", "alpha-hangzhou"),
        ("/approvals", "alpha-secret"), ("/imports", "alpha-secret"), ("/decisions/" + "a" * 32, "cc-alpha"),
    ):  # fmt: skip
        answer = await api.ask("alpha", "GET", path)
        assert answer.status_code == 200 and word in answer.text, (path, answer.text)
    found = (await api.ask("alpha", "POST", "/decisions/search", {})).json()["items"]
    assert [call["id"][0] for call in found] == ["d", "c", "a"]  # d: by its trunk, with beta's number
    looked = (await api.ask("alpha", "POST", "/consents/lookup", {"callee": CAROL})).json()
    assert [one["operator"] for one in looked["consents"]] == ["alpha"]
    everybody = (await api.ask("compliance", "POST", "/decisions/search", {})).json()["items"]
    assert len(everybody) == 5


async def test_every_route_asks_for_a_role(api: ApiSite) -> None:
    for path, methods in api.app.openapi()["paths"].items():
        for method, operation in methods.items():
            assert operation.get("security"), (method, path)
            assert "Roles: " in operation["description"], (method, path)
            names = {one.get("name") for one in operation.get("parameters", ())}
            assert not names & {"callee", "caller"}, "subscriber numbers stand in no URL"
