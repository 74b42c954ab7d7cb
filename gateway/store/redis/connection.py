"""One connection to a Redis server: bytes out, replies in, in order. It opens once and ends once.

No task and no future per request: a request is a count of replies and a callback. A connection that leaves a
request unanswered for `STUCK_AFTER_S` is cut, so that nothing read late is taken for the answer to another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol, cast

import hiredis

STUCK_AFTER_S = 1.0
"""No byte for this long while a reply is owed: the connection is cut. Far above any deadline of a lookup."""

MAX_PENDING = 4096
"""Requests in flight. Lookups make one per loop turn: reached only while the server does not answer."""

Replies = list[Any]
OnReplies = Callable[[Replies | None], None]
"""Called once: with the replies (hiredis.ReplyError objects among them), or None: the connection is lost."""


class Turns(Protocol):
    """Whoever acts on replies together: once on all that one read brought (`net.edge.Edge`)."""

    def begin_turn(self) -> None:
        """Replies follow."""
        ...

    def end_turn(self, now: float) -> None:
        """These were all. `now`: monotonic seconds."""
        ...


class Connection:
    """What stands between `connection_made` and `connection_lost`: an `asyncio.Protocol` in all but its base, which a
    compiled class cannot have."""

    __slots__ = ("_loop", "_pending", "_progress", "_reader", "_transport", "_turns", "_watchdog", "lost", "reason")

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns | None = None) -> None:
        self._loop = loop
        self._turns = turns
        self._reader = hiredis.Reader()
        self._pending: deque[_Request] = deque()
        self._progress = 0.0
        self._transport: asyncio.Transport | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self.lost = asyncio.Event()
        self.reason = ""
        """Why the connection ended."""

    def send(self, commands: bytes, n_replies: int, callback: OnReplies) -> bool:
        """Write `commands` (RESP, `n_replies` of them). False, no callback: ended, or over `MAX_PENDING`.

        `callback` is called from the event loop, never from inside this call.
        """
        transport = self._transport
        pending = self._pending
        if transport is None or len(pending) >= MAX_PENDING:
            return False
        if not pending:
            self._progress = monotonic()
        pending.append(_Request(n_replies, callback))
        transport.write(commands)
        return True

    def cut(self, reason: str) -> None:
        """End the connection now; every request in flight is answered None."""
        if self.lost.is_set():
            return
        self.reason = reason
        self.lost.set()
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None
        pending, self._pending = self._pending, deque()
        for request in pending:
            self._tell(request.callback, None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.lost.is_set():  # cut while still connecting
            cast(asyncio.Transport, transport).abort()
            return
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are not asyncio's
        self._watchdog = self._loop.call_later(STUCK_AFTER_S / 4, self._watch)

    def data_received(self, data: bytes) -> None:
        self._progress = now = monotonic()
        turns = self._turns
        if turns is None:
            self._pass_on(data)
        else:
            turns.begin_turn()
            self._pass_on(data)
            turns.end_turn(now)

    def _pass_on(self, data: bytes) -> None:
        reader = self._reader
        pending = self._pending
        try:
            reader.feed(data)
            gets = reader.gets
            while pending:
                request = pending[0]
                replies = request.replies
                wanted = request.wanted
                while len(replies) < wanted:
                    reply = gets()
                    if reply is False:  # nothing complete is left; RESP2 itself knows no booleans
                        return
                    replies.append(reply)
                pending.popleft()
                self._tell(request.callback, replies)
        except hiredis.ProtocolError:
            self.cut("not the Redis protocol")

    def connection_lost(self, exc: Exception | None) -> None:
        self.cut(str(exc) if exc is not None else "closed by the server")

    def eof_received(self) -> None:
        """The transport closes itself."""

    def pause_writing(self) -> None:
        """A slow server is noticed by the deadline of the lookups, and by `MAX_PENDING`."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    def _watch(self) -> None:
        if self._pending and monotonic() - self._progress > STUCK_AFTER_S:
            self.cut(f"no answer for {STUCK_AFTER_S:g} s")
            return
        self._watchdog = self._loop.call_later(STUCK_AFTER_S / 4, self._watch)

    def _tell(self, callback: OnReplies, replies: Replies | None) -> None:
        try:
            callback(replies)
        except Exception as error:  # one bad callback must not starve the requests behind it
            self._loop.call_exception_handler({"message": "redis reply callback failed", "exception": error})


class _Request:
    """A request in flight."""

    __slots__ = ("callback", "replies", "wanted")

    def __init__(self, wanted: int, callback: OnReplies) -> None:
        self.wanted = wanted
        self.callback = callback
        self.replies: Replies = []
