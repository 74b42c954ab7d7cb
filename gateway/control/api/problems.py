"""Errors of the API: problem+json (RFC 9457), naming field, value and fix.

A handler raises `ApiError`, or lets the importers' and stores' own errors through: they are mapped here, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from gateway.control.importer.problems import MAX_PROBLEMS, MAX_VALUE, ImportRefused
from gateway.gate.explain import ExplainError
from gateway.gate.pack import PackError
from gateway.keys import KeysError
from gateway.store.ports import Conflict, StoreError, Unavailable
from gateway.telemetry.logs import get_logger

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
"""What 503 and 409 (the same key is being worked on) suggest."""

_log = get_logger(__name__)


class FieldProblem(BaseModel):
    """What is wrong with one value."""

    model_config = ConfigDict(extra="forbid")
    field: str = Field(description="Its place: a field of the body, a parameter, a column of a file")
    value: str = Field(description="As it was read, cut at 80 characters")
    fix: str = Field(description="What to write instead")
    line: int = Field(default=0, description="Line of an uploaded file; 0 for none")


class ApiProblem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="forbid", title="Problem")
    type: str = Field(description="urn:callgate:problem:… — for programs")
    title: str
    status: int
    detail: str = Field(description="For people")
    problems: list[FieldProblem] = Field(default_factory=list, max_length=MAX_PROBLEMS)


class ApiError(Exception):
    """Ends a request with a problem. `kind`: last part of the problem's type."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        problems: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.detail = detail
        self.problems = list(problems)[:MAX_PROBLEMS]
        self.headers = dict(headers or {})

    def response(self) -> JSONResponse:
        """As it is sent."""
        body = ApiProblem(
            type=f"urn:callgate:problem:{self.kind}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=sendable(self.detail),
            problems=self.problems,
        )
        return JSONResponse(body.model_dump(), self.status, self.headers, MEDIA_TYPE)


def not_found(what: str, name: object) -> ApiError:
    """404. `what`: operator, trunk, decision, …"""
    return ApiError(404, "not-found", f"no {what} {str(name)[:MAX_VALUE]!r}")


def forbidden(detail: str) -> ApiError:
    """403."""
    return ApiError(403, "forbidden", detail)


def conflict(detail: str) -> ApiError:
    """409."""
    return ApiError(409, "conflict", detail)


def invalid(field: str, value: object, fix: str) -> ApiError:
    """422 for one value."""
    problem = field_problem(field, value, fix)
    return ApiError(422, "invalid", f"{problem.field}: {problem.value}: {problem.fix}", [problem])


def too_many(detail: str, after_s: float) -> ApiError:
    """429."""
    return ApiError(429, "too-many", detail, headers={"Retry-After": str(max(1, round(after_s + 0.5)))})


def field_problem(field: str, value: object, fix: str, line: int = 0) -> FieldProblem:
    """One, with its value shortened and fit to be sent."""
    shown = value if isinstance(value, str) else repr(value)
    shown = shown if len(shown) <= MAX_VALUE else shown[:MAX_VALUE] + "…"
    return FieldProblem(field=sendable(field), value=sendable(shown), fix=sendable(fix), line=line)


def sendable(text: str) -> str:
    """JSON is UTF-8, which has no lone surrogates."""
    return text.encode("utf-8", "replace").decode()


def problem_of(error: Exception) -> ApiError:
    """What an error of ours, of the stores or of the framework is to a client."""
    match error:
        case ApiError():
            return error
        case RequestValidationError():
            return _unprocessable(error)
        case ImportRefused():
            found = [field_problem(one.field, one.value, one.fix, one.line) for one in error.problems]
            return ApiError(422, "invalid", str(error), found)
        case PackError() | ExplainError():
            return ApiError(422, "invalid", str(error))
        case Conflict():
            return ApiError(409, "conflict", str(error))
        case Unavailable() | PoolTimeout() | KeysError():
            return _away(str(error))
        case StoreError():
            return ApiError(422, "invalid", str(error))
        case ClientDisconnect():
            return ApiError(400, "bad-request", "the request was not sent to its end")
        case HTTPException():
            kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
            return ApiError(error.status_code, kind, str(error.detail), headers=error.headers)
        case ValueError() if type(error) is ValueError and str(error).count(": ") >= 2:
            # The stores' own words: field, value, fix.
            field, value, fix = str(error).split(": ", 2)
            return invalid(field, value, fix)
        case _:
            _log.error("request failed", exc_info=error)
            return ApiError(500, "internal", "an error of this program; its log has the details")


def _away(detail: str) -> ApiError:
    return ApiError(
        503, "unavailable", f"nothing was changed: {detail}", headers={"Retry-After": str(RETRY_AFTER_S)}
    )


def _unprocessable(error: RequestValidationError) -> ApiError:
    found = []
    for one in error.errors()[:MAX_PROBLEMS]:
        if one["type"] == "json_invalid":
            reason = one.get("ctx", {}).get("error", "")
            found.append(field_problem("body", f"character {one['loc'][-1]}", f"write JSON: {reason}"))
            continue
        place = [str(part) for part in one["loc"]]
        field = ".".join(place[1:]) or place[0]
        value = "(missing)" if one["type"] == "missing" else one.get("input", "")
        found.append(field_problem(field, value, one["msg"]))
    first = found[0]
    return ApiError(422, "invalid", f"{first.field}: {first.value}: {first.fix}", found)


def install(app: FastAPI) -> None:
    """Let every error of a request end as a problem. Others than these end in `access`, as a 500."""

    async def handle(_: Request, error: Exception) -> JSONResponse:
        return problem_of(error).response()

    for kind in (
        ApiError, RequestValidationError, HTTPException, StoreError, ImportRefused, PackError, ExplainError, KeysError,
        PoolTimeout, ValueError,
    ):  # fmt: skip
        app.add_exception_handler(kind, handle)
