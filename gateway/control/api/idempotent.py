"""`Idempotency-Key`: a change that is sent again gets its first answer again, and is done once.

The same key with another request is refused (422); while the first is being worked on the second is told so (409). An
answer of 5xx or 429 is not kept, so that the request may be tried again. Answers that must not be kept anywhere
(`Cache-Control: no-store`: a new token, a number in clear) are not: the key is spent, and a repeat is told so (409).
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import blake2b
from typing import Any, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.control.api.context import Context
from gateway.control.api.problems import ApiError, conflict, invalid
from gateway.store.ports import StoreError
from gateway.store.sql import idempotency
from gateway.store.sql.idempotency import Stored
from gateway.store.sql.tokens import Principal

HEADER: Final = "Idempotency-Key"
METHODS: Final = frozenset(("POST", "PUT", "PATCH", "DELETE"))
MAX_KEY: Final = 128
MAX_KEPT: Final = 65_536
"""Bytes of an answer that is kept; changes answer with far less."""
REPLAYED: Final = (b"idempotency-replayed", b"true")


class Idempotent:
    """Stands behind `Access`, which has read the body."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        state: dict[str, Any] = scope.get("state", {})
        keys = [value for name, value in scope.get("headers", ()) if name == b"idempotency-key"]
        if scope["type"] != "http" or not keys or scope["method"] not in METHODS or "body" not in state:
            await self._app(scope, receive, send)
            return
        key = keys[0].decode("latin-1")
        if len(keys) > 1 or not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
            raise invalid(HEADER, key, f"write 1 to {MAX_KEY} printable ASCII characters, once")
        principal: Principal = state["principal"]
        engine, token = self._context.engine, principal.id
        known = await idempotency.claim(engine, token, key, self._fingerprint(scope, state["body"]))
        if known is not None:
            await _replay(known, key, send)
            return
        answer = _Answer()
        try:
            await self._app(scope, receive, answer.take)
        except Exception:
            await idempotency.release(engine, token, key)
            raise
        with suppress(StoreError):  # the change is made: its answer is sent, kept or not
            if answer.may_be_tried_again:
                await idempotency.release(engine, token, key)
            else:
                await idempotency.answered(engine, token, key, answer.status, answer.content_type, answer.kept)
        for message in answer.messages:
            await send(message)

    def _fingerprint(self, scope: Scope, body: bytes) -> bytes:
        """Keyed: without the key nobody can try which number a body held."""
        mixed = blake2b(digest_size=32, key=self._context.keys.lasting, person=b"cg idempotency")
        for part in (scope["method"].encode(), scope["path"].encode("utf-8", "replace"), scope["query_string"], body):
            mixed.update(len(part).to_bytes(8, "big") + part)
        return mixed.digest()


class _Answer:
    """Held back until it is kept, so that a client that has it finds it kept."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.status = 500
        self.content_type = ""
        self._secret = False

    async def take(self, message: Message) -> None:
        self.messages.append(message)
        if message["type"] == "http.response.start":
            headers = {bytes(name).lower(): bytes(value) for name, value in message.get("headers", ())}
            self.status = message["status"]
            self.content_type = headers.get(b"content-type", b"").decode("latin-1")
            self._secret = b"no-store" in headers.get(b"cache-control", b"")

    @property
    def may_be_tried_again(self) -> bool:
        return self.status >= 500 or self.status == 429

    @property
    def kept(self) -> bytes | None:
        body = b"".join(message.get("body", b"") for message in self.messages)
        return None if self._secret or len(body) > MAX_KEPT else body


async def _replay(known: Stored, key: str, send: Send) -> None:
    if not known.same:
        raise ApiError(422, "key-reused", f"{HEADER}: {key}: came with another request before; give each its own")
    if known.status is None:
        raise ApiError(409, "in-progress", "the first request of this key is being worked on", (), {"Retry-After": "1"})
    if known.body is None:
        raise conflict("done already; the answer held a secret and was not kept")
    headers = [REPLAYED, (b"content-length", str(len(known.body)).encode())]
    if known.content_type:
        headers.append((b"content-type", known.content_type.encode("latin-1")))
    await send({"type": "http.response.start", "status": known.status, "headers": headers})
    await send({"type": "http.response.body", "body": known.body})
