"""Uploads: the same imports as by the command line, within bounds, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.control.api import spool
from gateway.store.sql import uploads
from tests.integration.test_api_access import told
from tests.integration.test_imports import RANGE
from tests.support.api import ApiSite, api_on
from tests.support.database import ALICE, BOB, EXAMPLE, count

HEADER = "callee,operator,purpose,granted_at\n"
ROW = f"{ALICE},alpha,consultation,2024-05-01T08:00:00Z\n"
PACK = EXAMPLE.parent / "packs" / "example.toml"
REGISTRY = EXAMPLE / "registry.toml"


async def upload(api: ApiSite, who: str, kind: str, content: str, **query: Any) -> httpx.Response:
    return await api.ask(who, "POST", f"/imports/{kind}", content=content.encode(), params=query)


async def test_consents_are_tried_imported_and_imported_again(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        tried = (await upload(api, "compliance", "consents", HEADER + ROW, name="may.csv", dry_run=True)).json()
        assert (tried["state"], tried["rows"], tried["changed"]) == ("done", 1, 0)
        assert await count(api.engine, "consents") == 0
        done = (await upload(api, "compliance", "consents", HEADER + ROW, name="may.csv")).json()
        assert (done["state"], done["rows"], done["changed"], done["name"]) == ("done", 1, 1, "may.csv")
        assert (await upload(api, "compliance", "consents", HEADER + ROW)).json()["changed"] == 0
        assert (await api.ask("viewer", "GET", f"/imports/{done['id']}")).json() == done
        assert not list((tmp_path / "spool").iterdir())


async def test_a_bad_row_is_named_and_changes_nothing(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        for dry_run in (True, False):
            answer = await upload(
                api, "compliance", "consents", HEADER + ROW + "x,gamma,consultation,\n", name="bad.csv", dry_run=dry_run
            )
            problem = told(answer, 422, "invalid")
            assert [(one["field"], one["line"]) for one in problem["problems"]] == [("callee", 3), ("operator", 3)]  # type: ignore[attr-defined]
            assert str(tmp_path) not in answer.text
            kept = (await api.ask("viewer", "GET", answer.headers["location"].removeprefix("/api/v1"))).json()
            assert kept["state"] == "refused" and kept["problems"] == problem["problems"]
        assert await count(api.engine, "consents") == 0


async def test_an_operator_uploads_its_own_consents_alone(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        assert (await upload(api, "alpha", "consents", HEADER + ROW)).status_code == 200
        others = HEADER + ROW + f"{BOB},beta,consultation,2024-05-01T08:00:00Z\n"
        problem = told(await upload(api, "alpha", "consents", others), 422, "invalid")
        assert problem["problems"] == [
            {"line": 3, "field": "operator", "value": "beta", "fix": "name one of the operators (alpha)"}
        ]
        for kind in ("refusals", "registry", "pack"):
            told(await upload(api, "alpha", kind, "callee,scope\n"), 403, "forbidden")
        assert await count(api.engine, "consents") == 1
        number = (await upload(api, "compliance", "refusals", f"callee,scope\n{BOB},all\n")).json()["id"]
        told(await api.ask("alpha", "GET", f"/imports/{number}"), 404, "not-found")


async def test_a_pack_is_tried_and_put_in_force(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        text = PACK.read_text()
        assert (await upload(api, "compliance", "pack", text, dry_run=True)).json()["rows"] > 10
        assert (await upload(api, "compliance", "pack", text)).json()["version"] == 2
        assert (await api.ask("compliance", "GET", "/exports/pack")).text == text
        (pack,) = (await api.ask("viewer", "GET", "/packs")).json()["items"]
        assert pack["in_force"] and pack["principal"] == "compliance"
        told(await upload(api, "compliance", "pack", "id = 7"), 422, "invalid")


async def test_a_registry_is_exported_and_uploaded_and_opens_nothing_by_itself(
    migrated_url: str, tmp_path: Path
) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        exported = (await api.ask("compliance", "GET", "/exports/registry")).text
        again = (await upload(api, "compliance", "registry", exported)).json()
        assert (again["state"], again["changed"]) == ("done", 0)
        closed = exported.replace('id = "alpha-400"', 'id = "alpha-new"').replace("+86400123", "+86400124")
        assert (await upload(api, "compliance", "registry", closed)).json()["changed"] == 1
        opened = RANGE.format(id="alpha-more", first="+8657188760000", last="+8657188769999")
        for dry_run in (True, False):
            (problem,) = told(await upload(api, "compliance", "registry", opened, dry_run=dry_run), 422, "invalid")[
                "problems"
            ]  # type: ignore[misc]
            assert (problem["field"], problem["value"], problem["line"]) == (
                "range alpha-more.outbound", "range alpha-more is opened for outbound calls", 8,
            )  # fmt: skip
            assert "second person" in problem["fix"]
        tried = exported.replace('"127.0.0.2"', '"127.0.0.3"')
        told(await upload(api, "compliance", "registry", tried, dry_run=True), 422, "invalid")


@pytest.mark.parametrize("file", ["../../secret.csv", "/etc/passwd", "plan.csv", "../plans/cn", "7"])
async def test_an_upload_names_no_file_of_this_machine(migrated_url: str, tmp_path: Path, file: str) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        (tmp_path / "secret.csv").write_text("secret")
        text = REGISTRY.read_text().replace('file = "cn"', f'file = "{file}"')
        assert file in text
        answer = await upload(api, "compliance", "registry", text)
        told(answer, 422, "invalid")
        assert "secret" not in answer.text.replace("secret.csv", "")


async def test_an_upload_has_a_bound_and_two_at_once_are_enough(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        large = HEADER + ROW * 30_000
        assert len(large) > 1_048_576
        told(await upload(api, "compliance", "consents", large, name="../x"), 422, "invalid")
        with monkeypatch.context() as busy:
            busy.setattr(spool, "MAX_RUNNING", 0)
            told(await upload(api, "compliance", "consents", HEADER + ROW), 429, "too-many")
    async with api_on(migrated_url, tmp_path, registry=False, max_upload_mb=1) as api:
        told(await upload(api, "admin", "consents", large), 413, "too-large")
        assert not list((tmp_path / "spool").iterdir())


async def test_a_slow_import_is_asked_for_again(
    migrated_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "WAIT_S", 0.0)
    async with api_on(migrated_url, tmp_path) as api:
        answer = await upload(api, "compliance", "consents", HEADER + ROW)
        assert answer.status_code == 202 and answer.json()["state"] == "running"
        path = answer.headers["location"].removeprefix("/api/v1")
        while (now := (await api.ask("viewer", "GET", path)).json())["state"] == "running":
            pass
        assert (now["state"], now["changed"]) == ("done", 1)


async def test_what_a_process_that_died_left_behind_is_told(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        left = tmp_path / "spool" / "abc"
        left.mkdir(parents=True)
        node = api.context.settings.node.name
        row = await uploads.begin(api.engine, "consents", "x.csv", b"x" * 32, "ann", "", node, False)
        async with api.engine.begin() as connection:
            await connection.exec_driver_sql("UPDATE uploads SET started_at = now() - interval '1 hour'")
        await upload(api, "compliance", "consents", HEADER + ROW)
        told_now = (await api.ask("viewer", "GET", f"/imports/{row.id}")).json()
        assert told_now["state"] == "failed" and "send the file again" in told_now["detail"]
        assert not left.exists()
