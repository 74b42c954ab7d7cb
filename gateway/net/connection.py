"""One TCP or TLS connection: octets in, whole messages out, and nothing that a peer can make it keep without bound."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, cast

from gateway.net.path import Address, Path
from gateway.net.tls import sip_identities
from gateway.proxy.peer import MAX_REPLY_PORTS, Destination
from gateway.sip.framing import PING, PONG, StreamFramer

if TYPE_CHECKING:
    from gateway.net.stream import StreamListener

BURST = 64
"""Messages handed over in one turn, as the edge takes datagrams: one piece of input may hold a thousand."""

MAX_PONGS = 16
"""Pongs written for one piece of input: more pings at once ask nothing that one pong does not answer."""

STALL_OUTPUT = 65_536
"""Octets that wait for a far end before its time to read them, `stall_s`, begins."""

LINGER_S = 2.0
"""Seconds a connection that is being closed may take to send what was written."""


class Connection(asyncio.Protocol):
    """One connection, taken or made. Its user is the listener's."""

    __slots__ = (
        "_framer",
        "_inbox",
        "_more",
        "_replies",
        "_stalled",
        "_started",
        "_transport",
        "aliases",
        "closing",
        "heard",
        "host",
        "identities",
        "listener",
        "made",
        "path",
        "port",
        "reason",
    )

    def __init__(self, listener: StreamListener, address: Address, path: Path, made: bool) -> None:
        """`path`: the one it is made for, or its own, which never connects."""
        self.listener = listener
        self.host, self.port = address
        """The far end."""
        self.made = made
        """True when we connected, False when the far end did."""
        self.path = path
        self.aliases: list[Path] = []
        """Other paths that use this connection."""
        self.identities: tuple[str, ...] = ()
        """SIP domains and addresses of the far end's verified certificate (`tls.sip_identities`); empty without one."""
        self.closing = False
        self.reason = ""
        """One of `CLOSE_REASONS`, once it closes."""
        self.heard = 0.0
        """Monotonic time something came last; 0 until the connection is up."""
        self._framer = StreamFramer()
        self._inbox: deque[bytes] = deque()
        """Messages to be handed over."""
        self._more = False
        """True while a further turn for them is planned."""
        self._started = 0.0
        """When the message that is not whole yet began; 0 when there is none."""
        self._stalled = 0.0
        """Since when more than `STALL_OUTPUT` is not read; 0 when all was."""
        self._replies: dict[int, Path] = {}
        self._transport: asyncio.Transport | None = None

    # -- for the rest ------------------------------------------------------------------------------------------------

    @property
    def destination(self) -> Destination:
        """The far end's own address: what is sent there goes by this connection alone, and fails once it is closed."""
        return self.path.destination

    def reply_destination(self, port: int) -> Destination:
        """Where responses go to (RFC 3261 §18.2.2): by this connection while it is open, else by a new one to this port
        of the same host. `port`: of the Via's sent-by, or the default. The same object each time, for
        `proxy.peer.MAX_REPLY_PORTS` ports."""
        path = self._replies.get(port)
        if path is None:
            if len(self._replies) >= MAX_REPLY_PORTS:
                self._replies.clear()
            path = Path(self.listener, (self.host, self.port), self.identities[:1] or (self.host,), port)
            path.connection = self
            self._replies[port] = path
        return path.destination

    def write(self, data: bytes) -> None:
        """Send. A far end that does not read loses its connection at `max_output` octets. Raises OSError when this
        connection is closed."""
        transport = self._transport
        if transport is None or self.closing:
            raise ConnectionResetError(f"the connection to {self.host}:{self.port} is closed")
        transport.write(data)
        if transport.get_write_buffer_size() > self.listener.limits.max_output:
            self.abort("output")

    def ping(self) -> None:
        """Ask whether the far end is there, which keeps NATs open as well (RFC 5626 §3.5.1)."""
        self._framer.pongs_due += 1
        self.write(PING)

    def close(self, reason: str = "closed") -> None:
        """Close once everything written has left."""
        if not self.closing:
            self.closing = True
            self.reason = reason
            if self._transport is not None:
                self._stalled = monotonic()  # bounds the wait for the rest to leave
                self._transport.close()

    def abort(self, reason: str) -> None:
        """Close now: what waits is thrown away."""
        self.closing = True
        self.reason = self.reason or reason
        if self._transport is not None:
            self._transport.abort()

    def check(self, now: float) -> None:
        """End this connection if it has used up one of its times."""
        limits = self.listener.limits
        if self.closing:
            if self._stalled and now - self._stalled > LINGER_S:
                self.abort("closed")
        elif self._started and now - self._started > limits.message_s:
            self.abort("slow")
        elif self._stalled and now - self._stalled > limits.stall_s:
            self.abort("stalled")
        elif now - self.heard > limits.idle_s:
            self.close("idle")

    # -- asyncio.Protocol --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is up, TLS shaken hands and verified."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=STALL_OUTPUT, low=0)
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        if tls is not None:
            self.identities = sip_identities(tls.getpeercert())
        self.heard = monotonic()
        self.path.connection = self
        self.listener.opened(self)

    def data_received(self, data: bytes) -> None:
        """Some octets: hand over the messages that are whole now."""
        if self.closing:
            return
        now = monotonic()
        self.heard = now
        framer = self._framer
        messages = framer.feed(data)
        if framer.pings:
            pongs = min(framer.pings, MAX_PONGS)
            framer.pings = 0
            self.write(PONG * pongs)
        if not framer.waiting:
            self._started = 0.0
        elif messages or not self._started:
            self._started = now
        self.listener.received += len(messages)
        self._inbox.extend(messages)
        if self._inbox or framer.error is not None:
            self._hand_over(now)

    def _hand_over(self, now: float) -> None:
        """One turn: some of the messages that came. With more of them nothing is read until they are handed over, and
        other connections have their turn between."""
        user = self.listener.user
        inbox = self._inbox
        error = self._framer.error
        count = min(len(inbox), BURST)
        for _ in range(count):
            user.on_message(inbox.popleft(), self, now)
        if error is not None and not inbox:
            user.on_malformed(error, self, now)
        user.on_turn(now)
        transport = self._transport
        if error is not None and not inbox:
            self.close("malformed")
        elif transport is not None and not self.closing:
            if inbox and not self._more:
                transport.pause_reading()
                self._more = True
                asyncio.get_running_loop().call_soon(self._go_on)
            elif not inbox and not transport.is_reading():
                transport.resume_reading()

    def _go_on(self) -> None:
        self._more = False
        if self.closing:
            self._inbox.clear()
        else:
            self._hand_over(monotonic())

    def pause_writing(self) -> None:
        """Much of what was written waits for the far end to read."""
        self._stalled = self._stalled or monotonic()

    def resume_writing(self) -> None:
        """Everything has left."""
        self._stalled = 0.0

    def eof_received(self) -> bool:
        """The far end sends no more: nobody is there to answer, so we close as well."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The end."""
        now = monotonic()
        self.closing = True
        self.reason = self.reason or ("peer" if error is None else "error")
        transport, self._transport = self._transport, None
        unsent = self.reason not in ("peer", "idle", "closed", "malformed")
        if transport is not None and transport.get_write_buffer_size():
            unsent = True
        self.listener.lost(self, unsent, now)
