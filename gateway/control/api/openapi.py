"""The API description, completed: what every route shares is said here once, not in each.

Errors are problems on every route; changes take an `Idempotency-Key`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from gateway.control.api.idempotent import HEADER, MAX_KEY, METHODS
from gateway.control.api.problems import MEDIA_TYPE, ApiProblem

DESCRIPTION: Final = (
    "Operators, numbers, consents, refusals and evidence of a Callgate. Send `Authorization: Bearer cg_…`. Errors are "
    "problem+json (RFC 9457) and name field, value and fix; changes take effect in the gate within a second. "
    "Subscriber numbers stand in bodies only, never in a URL, and come back masked."
)
ERRORS: Final = {
    "400": "The request cannot be read",
    "401": "No token, or one that is unknown, revoked or expired",
    "403": "The token may not do that",
    "404": "There is no such thing, or it is another operator's",
    "405": "Not with this method",
    "408": "The body came too slowly",
    "409": "It contradicts what is stored, or is being worked on",
    "413": "The body is too large",
    "422": "A value is wrong; nothing was changed",
    "429": "Too many requests; wait as Retry-After says",
    "503": "The database is away; nothing was changed",
}


def install(app: FastAPI, routers: Sequence[APIRouter], prefix: str) -> None:
    """Give the application this description. `routers`: those included under `prefix`."""
    needs = {
        (prefix + route.path_format, method.lower()): _words(route)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    }

    def description() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            app.openapi_schema = _complete(made, needs)
        return app.openapi_schema

    app.openapi = description  # type: ignore[method-assign]


def _words(route: APIRoute) -> str:
    """Who may ask."""
    needs = [need for one in route.dependant.dependencies if (need := getattr(one.call, "needs", None))]
    return " ".join(f"Roles: {', '.join(need.roles)}; scope: {need.scope}." for need in needs)


def _complete(made: dict[str, Any], needs: Mapping[tuple[str, str], str]) -> dict[str, Any]:
    parts = made.setdefault("components", {})
    schema = ApiProblem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = parts.setdefault("schemas", {})
    schemas.update(schema.pop("$defs", {}))
    schemas["Problem"] = schema
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    parts["responses"] = {
        status: {"description": words, "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for status, words in ERRORS.items()
    }
    parts["parameters"] = {"IdempotencyKey": _KEY}
    for path, methods in made.get("paths", {}).items():
        for method, operation in methods.items():
            words = (operation.get("description", ""), needs.get((path, method), ""))
            operation["description"] = " ".join(filter(None, words))
            operation.setdefault("responses", {}).update(
                {status: {"$ref": f"#/components/responses/{status}"} for status in ERRORS}
            )
            if method.upper() in METHODS:
                operation.setdefault("parameters", []).append({"$ref": "#/components/parameters/IdempotencyKey"})
    return made


_KEY: Final = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Sent again with the same request, the change is made once and answered the same (for 24 hours)",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY, "pattern": "^[ -~]+$"},
}
