"""What stands before every route of the API: size, token, rate. Pure ASGI, so that uploads are streamed through.

In this order, cheapest first: a source that guessed too often is told to wait before the database is asked; then the
token is looked up, which is one indexed row, so that a revoked one is worthless at once; then its rate is looked at;
then the body is read, whole and bounded, but for uploads, which bound themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.control.api.caller import unauthorised
from gateway.control.api.context import Context
from gateway.control.api.problems import ApiError, problem_of, too_many
from gateway.control.api.rates import Rates
from gateway.store.sql.tokens import PREFIX, TOKEN_CHARACTERS, Principal, digest, find_token

METHODS: Final = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))
"""What is counted by name; others are a client's invention."""
PREFIX_PATH: Final = "/api/v1/"
UPLOADS: Final = "/api/v1/imports/"
"""POSTs below it stream their bodies: idempotent by content, bounded by `http.max_upload_mb`."""
MAX_BODY: Final = 1_048_576
"""Bytes of any other body: a thousand times what a request of this API holds."""
BODY_S: Final = 30.0
"""Seconds a body may take."""
FAILURES_PER_S: Final = 1.0
FAILURES_BURST: Final = 20.0
"""Wrong tokens of one source: nobody guesses 256 bits, this spares the database."""
KNOWN_S: Final = 60.0
"""A token that was good so long ago is not held up by others' failures from the same address."""
MAX_KNOWN: Final = 10_000


class Access:
    """Authenticates and bounds; `request.state.principal` says who asks."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        rate = context.settings.http.requests_per_s
        self._app = app
        self._context = context
        self._rates = Rates(rate, max(1.0, 2 * rate))
        self._failures = Rates(FAILURES_PER_S, FAILURES_BURST)
        self._known: dict[bytes, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX_PATH):
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "other"
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                self._context.answered[method, str(message["status"])] += 1
            await send(message)

        try:
            state: MutableMapping[str, Any] = scope.setdefault("state", {})
            state["principal"] = await self._principal(scope)
            if not _is_upload(scope):
                state["body"] = await _read(scope, receive)
                receive = _again(state["body"], receive)
            await self._app(scope, receive, watched)
        except Exception as error:
            if started:  # the connection is all that can be ended
                raise
            await problem_of(error).response()(scope, receive, watched)

    async def _principal(self, scope: Scope) -> Principal:
        now = self._context.ticks()
        source = scope["client"][0] if scope.get("client") else ""
        scheme, _, token = _header(scope, b"authorization").partition(" ")
        if not token:
            raise unauthorised("give a token: Authorization: Bearer cg_…")
        key = digest(token)
        if self._known.get(key, -KNOWN_S) + KNOWN_S <= now and (wait := self._failures.wait(source, now)):
            raise too_many("too many wrong tokens from this address", wait)
        principal = None
        if scheme.lower() == "bearer" and len(token) == TOKEN_CHARACTERS and token.startswith(PREFIX):
            principal = await find_token(self._context.engine, token)
        if principal is None:
            self._known.pop(key, None)
            self._failures.take(source, now)
            raise unauthorised("this token is unknown, revoked or expired")
        self._known.pop(key, None)
        if len(self._known) >= MAX_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = now
        if wait := self._rates.take(principal.id, now):
            raise too_many(f"more than {self._context.settings.http.requests_per_s:g} requests a second", wait)
        return principal


def _is_upload(scope: Scope) -> bool:
    return scope["method"] == "POST" and str(scope["path"]).startswith(UPLOADS)


def _header(scope: Scope, name: bytes) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")


async def _read(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises 408, 413."""
    declared = _header(scope, b"content-length")
    if declared.isdecimal() and int(declared[:20]) > MAX_BODY:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    break
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > MAX_BODY:
                    raise _too_large()
                if not message.get("more_body"):
                    return b"".join(parts)
    raise ApiError(408, "request-timeout", f"the body did not come within {BODY_S:g} s")


def _too_large() -> ApiError:
    return ApiError(413, "too-large", f"a body has at most {MAX_BODY} bytes; lists are uploaded to {UPLOADS}…")


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, then what comes after it (a disconnect)."""
    given = False

    async def give() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return give
