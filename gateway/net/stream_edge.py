"""The stream side of the edge: what comes by TCP and TLS connections goes to the core as datagrams do, in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from gateway.net.connection import Connection
from gateway.net.ports import Core
from gateway.net.stream import StreamListener
from gateway.net.stream_user import StreamLimits
from gateway.net.tasks import Report
from gateway.net.tls import TlsContexts, speaks_for
from gateway.proxy.peer import Destination, Peer, Source
from gateway.sip.chars import TOKEN_OCTETS
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.parser import parse

if TYPE_CHECKING:
    from gateway.net.edge import Edge

CLOSING_S = 2.0
"""Seconds that what was written has to leave when the worker ends."""

Identify = Callable[[str, str, int, str, tuple[str, ...]], Peer | None]
"""As the edge's (`net.edge.Identify`)."""

Admits = Callable[[str, str], bool]
"""(listener name, source IP): may somebody connect from there, whose certificate is not known yet?"""


class StreamEdge:
    """`StreamUser`: the TCP and TLS listeners of one worker."""

    def __init__(self, identify: Identify, admits: Admits, on_error: Callable[[BaseException], None]) -> None:
        self.listeners: list[StreamListener] = []
        self._identify = identify
        self._admits = admits
        self._on_error = on_error
        self._sources: dict[Connection, Source] = {}
        self._edge: Edge | None = None
        self._core: Core | None = None
        self.strangers = 0
        """Messages by connections whose far end is in no trunk, or no longer in one."""

    def listen(
        self,
        name: str,
        address: str,
        port: int,
        sent_by: bytes,
        report: Report,
        tls: TlsContexts | None,
        limits: StreamLimits,
    ) -> None:
        """Bind one listener. Raises OSError naming it."""
        self.listeners.append(StreamListener(name, address, port, sent_by, self, report, tls, limits))

    def start(self, edge: Edge, core: Core, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to take connections."""
        self._edge = edge
        self._core = core
        for listener in self.listeners:
            listener.start(loop)

    def stop_accepting(self) -> None:
        """No new connections (drain)."""
        for listener in self.listeners:
            listener.stop_accepting()

    def stop(self) -> None:
        """Close all; `closed` waits for what was written."""
        self._core = None
        for listener in self.listeners:
            listener.close()

    async def closed(self) -> None:
        """Wait until the connections are closed, for `CLOSING_S` at most."""
        until = monotonic() + CLOSING_S
        while monotonic() < until and any(listener.connections for listener in self.listeners):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def forget_sources(self) -> None:
        """A new registry version: every connection is identified anew with its next message."""
        self._sources.clear()

    # -- StreamUser ------------------------------------------------------------------------------------------------

    def admits(self, listener: str, host: str) -> bool:
        """`StreamUser`."""
        return self._admits(listener, host)

    def on_message(self, data: bytes, connection: Connection, now: float) -> None:
        """`StreamUser`: one message must not stop the others."""
        core, edge = self._core, self._edge
        if core is None or edge is None:
            return
        edge.begin_turn()
        try:
            source = self._sources.get(connection) or self._source(connection, data)
            if source is not None:
                core.receive(data, source, now)
            else:
                self.strangers += 1
                connection.abort("stranger")
        except Exception as error:
            self._on_error(error)

    def on_malformed(self, error: RemoteProtocolError, connection: Connection, now: float) -> None:
        """`StreamUser`."""
        core, edge = self._core, self._edge
        if core is None or edge is None:
            return
        edge.begin_turn()
        try:
            source = self._sources.get(connection) or self._source(connection, b"")
            if source is not None and not source.peer.unproven:
                core.unreadable(error, source)
            else:
                self.strangers += 1
        except Exception as fault:
            self._on_error(fault)

    def on_turn(self, now: float) -> None:
        """`StreamUser`."""
        if self._edge is not None:
            self._edge.end_turn(now)

    def on_failed(self, destination: Destination, now: float) -> None:
        """`StreamUser`."""
        if self._edge is not None:
            self._edge.failed(destination)

    def on_closed(self, connection: Connection, now: float) -> None:
        """`StreamUser`."""
        self._sources.pop(connection, None)

    # -- who it is -------------------------------------------------------------------------------------------------

    def _source(self, connection: Connection, data: bytes) -> Source | None:
        """`data`: its first message, which may ask that the connection is used for requests as well."""
        listener = connection.listener
        host, port, identities = connection.host, connection.port, connection.identities
        peer = self._identify(listener.name, host, port, listener.transport, identities)
        if peer is None:
            return None
        source = Source(
            peer, host.encode(), port, connection.destination, identities, connection.reply_destination
        )
        if not connection.made:
            # Whoever names this very end in its Contact means this connection.
            listener.alias(connection, port)
            wanted = _alias_port(data, listener.tls is not None)
            if wanted and wanted != port:
                # RFC 5923 §4: over TLS only for whom the certificate proves to be there.
                if listener.tls is None or speaks_for(identities, host):
                    listener.alias(connection, wanted)
                for name in identities:
                    listener.alias(connection, wanted, name)
                if peer.tls_names:  # one of which this certificate has: it is known by it
                    listener.alias(connection, wanted, host, *peer.tls_names)
        self._sources[connection] = source
        return source


def _alias_port(data: bytes, tls: bool) -> int:
    """The port of a request whose top Via has `alias` (RFC 5923 §4), else 0."""
    if b"alias" not in data[:2_048].lower() or not data[:1] or data[0] not in TOKEN_OCTETS:
        return 0
    try:
        request = parse(data)
    except RemoteProtocolError:
        return 0
    if not isinstance(request, Request):
        return 0
    via = request.via
    if b"alias" not in [part.strip().lower() for part in via.params.split(b";")]:
        return 0
    return via.port or (5061 if tls else 5060)
