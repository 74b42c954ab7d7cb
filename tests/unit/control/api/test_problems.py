"""Every error is a problem that names what to do, and says nothing of the inside."""

from __future__ import annotations

import json
import logging

import pytest
from starlette.exceptions import HTTPException

from gateway.control.api.problems import MEDIA_TYPE, ApiError, field_problem, invalid, problem_of, too_many
from gateway.control.importer.problems import MAX_PROBLEMS, ImportRefused, Problem
from gateway.keys import KeysError
from gateway.store.ports import Conflict, StoreError, Unavailable


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (Conflict("x"), 409, "conflict"),
        (Unavailable("x"), 503, "unavailable"),
        (KeysError("x"), 503, "unavailable"),
        (StoreError("x"), 422, "invalid"),
        (ImportRefused("f", [Problem(2, "callee", "x", "write a number")]), 422, "invalid"),
        (ValueError("role: 'king': write one of a, b"), 422, "invalid"),
        (HTTPException(405, "no"), 405, "method-not-allowed"),
        (too_many("slow down", 0.2), 429, "too-many"),
    ],
)
def test_known_errors(error: Exception, status: int, kind: str) -> None:
    found = problem_of(error)
    assert (found.status, found.kind) == (status, kind)
    answer = found.response()
    body = json.loads(bytes(answer.body))
    assert answer.media_type == MEDIA_TYPE and body["status"] == status and body["detail"]


@pytest.mark.parametrize("error", [KeyError("secret"), ValueError("secret"), RuntimeError("secret")])
def test_an_error_of_ours_is_logged_and_not_told(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        found = problem_of(error)
    assert found.status == 500 and b"secret" not in bytes(found.response().body)


def test_a_refused_import_names_lines() -> None:
    found = problem_of(ImportRefused("f", [Problem(2, "callee", "x" * 200, "write a number")]))
    (one,) = found.problems
    assert (one.line, one.field, one.fix) == (2, "callee", "write a number")
    assert len(one.value) == 81


def test_no_more_problems_than_the_bound() -> None:
    many = [field_problem("f", "v", "x")] * (MAX_PROBLEMS + 1)
    assert len(ApiError(422, "invalid", "x", many).problems) == MAX_PROBLEMS


def test_what_is_no_utf8_can_be_told() -> None:
    assert "?" in json.loads(bytes(invalid("callee", "\ud800", "write a number").response().body))["detail"]
