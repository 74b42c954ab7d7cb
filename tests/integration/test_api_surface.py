"""The whole surface of the API, as its description tells it: nothing sent to it makes it fail, and every answer is one
that was described."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.api_server import ApiServer, api_server

EXAMPLES = int(os.environ.get("API_EXAMPLES", "8"))
"""Requests per route; some fifty routes."""
CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)


@pytest.fixture
def server(migrated_url: str, redis_url: str, tmp_path: Path) -> Iterator[ApiServer]:
    with api_server(migrated_url, tmp_path, redis_url) as server:
        yield server


def test_no_request_makes_it_fail_and_every_answer_is_described(server: ApiServer) -> None:
    compliance = server.do(lambda site: site.token("compliance", scopes=["read", "lists", "registry", "reveal"]))
    admin = server.do(lambda site: site.token("admin"))
    schema = schemathesis.openapi.from_url(f"{server.url}/api/openapi.json")
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        asking(operation, admin if "/tokens" in operation.path else compliance)()
        tried += 1
    assert tried > 30


def asking(operation: APIOperation[Any, Any, Any, Any], token: str) -> Callable[[], None]:
    """A test of one route."""

    @seed(1)
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}
        case.call_and_validate(checks=CHECKS)

    return ask  # type: ignore[no-any-return]
