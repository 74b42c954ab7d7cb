"""Feeds, versions and rollback over the API: who may, and what comes of it."""

from __future__ import annotations

from pathlib import Path

from tests.support.api import api_on
from tests.support.database import ALICE, BOB, count

HEADER = "callee,scope,value\n"


async def test_a_feed_from_definition_to_rollback(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        made = await api.ask("compliance", "PUT", "/feeds/national", {"max_age_s": 3600})
        assert made.status_code == 200 and made.json()["version"] == 0
        first = await api.ask(
            "compliance", "POST", "/imports/feeds/national?version=1&kind=full", content=f"{HEADER}{ALICE},all,\n"
        )
        assert first.status_code == 200, first.text
        assert first.json()["added"] == 1
        body = '{"callee": "' + BOB + '", "scope": "all"}\n'
        path = "/imports/feeds/national?version={}&kind=delta{}"
        tried = await api.ask("compliance", "POST", path.format(2, "&dry_run=true"), content=body)
        assert tried.json()["differences"][0].startswith("+86138****8001 all: new -> declared")
        gap = await api.ask("compliance", "POST", path.format(3, ""), content=body)
        assert gap.status_code == 422 and "version 2 is expected" in gap.json()["detail"]
        second = await api.ask("compliance", "POST", path.format(2, ""), content=body)
        assert second.json()["version"] == 2
        (feed,) = (await api.ask("viewer", "GET", "/feeds")).json()
        assert (feed["version"], feed["rows"]) == (2, 2)
        versions = (await api.ask("viewer", "GET", "/lists/versions?list=feed:national")).json()
        assert [(one["version"], one["kind"], one["name"]) for one in versions] == [
            (2, "delta", "upload of compliance"), (1, "full", "upload of compliance"),
        ]  # fmt: skip
        back = await api.ask("compliance", "POST", "/lists/feed:national/rollback", {"version": 1})
        assert back.json() == {"list": "feed:national", "version": 1, "undone": [2], "rows": 1}
        assert await count(api.engine, "refusals WHERE declared_at IS NOT NULL") == 1
        assert await count(api.engine, "audit WHERE action = 'list.rollback' AND principal = 'compliance'") == 1


async def test_who_may_not(migrated_url: str, tmp_path: Path) -> None:
    async with api_on(migrated_url, tmp_path) as api:
        for who in ("viewer", "alpha"):
            for method, path, body in (
                ("PUT", "/feeds/national", {}),
                ("POST", "/imports/feeds/national?version=1&kind=full", None),
                ("POST", "/lists/refusals/rollback", {"version": 0}),
            ):
                assert (await api.ask(who, method, path, body)).status_code == 403
        assert (await api.ask("alpha", "GET", "/lists/versions")).status_code == 403
        await api.ask("compliance", "PUT", "/feeds/national", {})
        bad = await api.ask("compliance", "POST", "/imports/feeds/national?version=1&kind=full",
                            content=f"{HEADER}13800138000,all,\n")  # fmt: skip
        assert bad.status_code == 422 and "138****8000" in bad.text and "13800138000" not in bad.text
