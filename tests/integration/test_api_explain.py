"""Explain by the API: the code of live calls, and nothing of another operator's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_calls import ship_calls
from tests.support.api_server import ApiServer, api_server
from tests.support.database import CAROL

OWN = {"trunk": "cc-alpha", "caller": "+8657112340001", "callee": CAROL}
BETAS = "+8657156780001"


@pytest.fixture
def server(migrated_url: str, redis_url: str, tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(migrated_url, tmp_path, redis_url) as server:
        yield server


def test_a_call_is_explained_and_another_operators_number_tells_nothing(server: ApiServer) -> None:
    def ask(who: str, method: str, path: str, body: Any = None) -> Any:
        return server.do(lambda site: site.ask(who, method, path, body)).json()

    found = ask("compliance", "POST", "/explain", OWN)
    assert (found["allowed"], found["rule"], found["status"]) == (False, "consent-missing", 470)
    assert len(found["words"]) > 10 and found["facts"]["range_operator"] == "alpha"
    assert ask("alpha", "POST", "/explain", OWN)["words"] == found["words"]

    ask("compliance", "POST", "/consents", {"callee": CAROL, "operator": "beta", "purpose": "consultation"})
    foreign = ask("alpha", "POST", "/explain", OWN | {"caller": BETAS})
    assert (foreign["rule"], foreign["reason"], foreign["facts"]) == ("number-foreign", "", {})
    assert [word["rule"] for word in foreign["words"]] == ["number-foreign"]
    assert "beta" not in str(foreign)
    assert ask("compliance", "POST", "/explain", OWN | {"caller": BETAS})["facts"]["range_operator"] == "beta"

    assert ask("alpha", "POST", "/explain", OWN | {"trunk": "cc-beta"})["status"] == 404
    assert ask("alpha", "POST", "/explain", OWN | {"trunk": "carrier"})["status"] == 404
    assert ask("compliance", "POST", "/explain", OWN | {"trunk": "nowhere"})["status"] == 422

    server.do(lambda site: ship_calls(site.engine))
    one = ask("alpha", "GET", "/decisions/" + "d" * 32)  # its own call, with beta's number
    assert one["trunk"] == "cc-alpha" and one["facts"] == {} and "beta" not in str(one)
    assert ask("compliance", "GET", "/decisions/" + "d" * 32)["facts"]["range_operator"] == "beta"
