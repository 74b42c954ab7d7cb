"""A resale operator's token (RULES B18, B19): its own users' wishes, in force within a second, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.store.sql.tokens import create_token
from tests.integration.test_api_access import told
from tests.integration.test_api_owner import requests
from tests.support.api import ApiSite, api_on
from tests.support.api_calls import ship_calls
from tests.support.database import ALICE, CAROL
from tests.support.projecting import projecting
from tests.support.redis_view import View, until

WISH = {"callee": ALICE, "agreement": "sms 2024-05-01"}
TAKES_EFFECT_S = 1.0
"""What is promised for a change."""


@pytest.fixture
async def api(migrated_url: str, tmp_path: Path) -> AsyncIterator[ApiSite]:
    """Two resale operators, each with a wish of a user of its own."""
    async with api_on(migrated_url, tmp_path) as api:
        for home in ("m-1", "m-2"):
            api.tokens[home] = await create_token(api.engine, home, "resale", "test", home=home)
        assert (await api.ask("m-1", "POST", "/wishes", WISH)).json() == {"changed": True, "callee": "+86138****8000"}
        theirs = {"callee": CAROL, "band": "21:00-09:00", "agreement": "secret of m-2"}
        assert (await api.ask("m-2", "POST", "/wishes", theirs)).status_code == 200
        yield api


async def scopes(api: ApiSite, who: str, callee: str, **more: str) -> list[tuple[str, str, bool]]:
    found = (await api.ask(who, "POST", "/wishes/lookup", {"callee": callee, **more})).json()["wishes"]
    return [(one["scope"], one["band"], one["in_force"]) for one in found]


async def test_b18_b19_each_reads_and_changes_its_own_users_wishes(api: ApiSite) -> None:
    assert await scopes(api, "m-1", ALICE) == [("all", "", True)]
    assert await scopes(api, "m-1", CAROL) == [] and await scopes(api, "m-2", ALICE) == []
    for path, body in (("/wishes", WISH), ("/wishes/withdraw", WISH), ("/wishes/lookup", {"callee": CAROL})):
        told(await api.ask("m-1", "POST", path, {**body, "home": "m-2"}), 403, "forbidden")
        assert (await api.ask("m-1", "POST", path, {**body, "home": "m-1"})).status_code == 200
    assert (await api.ask("m-1", "POST", "/wishes/withdraw", {**WISH, "callee": CAROL})).status_code == 200
    assert await scopes(api, "m-2", CAROL) == [("all", "21:00-09:00", True)], "another's wish is nobody else's to end"
    assert await scopes(api, "viewer", CAROL, home="m-2") == [("all", "21:00-09:00", True)]
    assert await scopes(api, "viewer", CAROL) == []
    problem = told(await api.ask("m-1", "POST", "/wishes", {"callee": ALICE, "agreement": ""}), 422, "invalid")
    assert problem["problems"][0]["field"] == "agreement"  # type: ignore[index]


async def test_b19_no_other_route_lets_it_in_and_nothing_of_another_comes_back(api: ApiSite) -> None:
    let_in = set()
    for method, path, body in requests(api.app.openapi()):
        for home in ({}, {"home": "m-2"}):
            sent = {**body, **home} if isinstance(body, dict) else body
            answer = await api.ask("m-1", method, path, sent, params=home if method == "GET" else {})
            if answer.status_code not in (403, 404):
                let_in.add(path.split("?")[0])
                assert "m-2" not in answer.text, (method, path, answer.text)
    assert let_in == {"/wishes", "/wishes/withdraw", "/wishes/lookup", "/wishes/statistics"}


async def test_b19_statistics_count_calls_to_its_own_users_since_they_wished(api: ApiSite) -> None:
    await ship_calls(api.engine)
    until = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    mine = (await api.ask("m-1", "GET", "/wishes/statistics", params={"until": until})).json()
    calls = (await api.ask("compliance", "POST", "/decisions/search", {"callee": ALICE})).json()["items"]
    shown = (await api.ask("m-1", "POST", "/wishes/lookup", {"callee": ALICE})).json()["wishes"]
    calls = [call for call in calls if call["direction"] == "outbound" and call["at"] >= shown[0]["declared_at"]]
    assert (mine["home"], mine["users"], mine["wishes"]) == ("m-1", 1, 1)
    assert sum(day["calls"] for day in mine["days"]) == len(calls) > 0
    assert sum(day["refused"] for day in mine["days"]) == sum(call["rule"] == "callee-refused" for call in calls)
    shown = await api.ask("compliance", "GET", "/wishes/statistics", params={"until": until, "home": "m-1"})
    assert shown.json() == mine
    told(await api.ask("m-1", "GET", "/wishes/statistics", params={"home": "m-2"}), 403, "forbidden")
    longer = {"since": "2024-06-10T00:00:00Z"}
    told(await api.ask("m-1", "GET", "/wishes/statistics", params=longer), 422, "invalid")


async def test_b17_b19_a_wish_is_in_force_within_a_second(api: ApiSite, redis_url: str, view: View) -> None:
    async with projecting(api.engine, redis_url):
        for path, declined in (("/wishes/withdraw", False), ("/wishes", True)):
            assert (await api.ask("m-1", "POST", path, WISH)).status_code == 200

            async def follows(wanted: bool = declined) -> bool:
                return await view.refuses(ALICE) == wanted

            await until(follows, TAKES_EFFECT_S)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"role": "resale"}, "home"),
        ({"role": "viewer", "home": "m"}, "home"),
        ({"role": "resale", "home": "M"}, "home"),
    ],
)
async def test_tokens_of_the_role_are_bound(api: ApiSite, wanted: dict[str, str], field: str) -> None:
    problem = told(await api.ask("admin", "POST", "/tokens", {"name": "x", **wanted}), 422, "invalid")
    assert problem["problems"][0]["field"] == field  # type: ignore[index]
