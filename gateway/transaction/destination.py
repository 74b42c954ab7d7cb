"""Where messages go: made and understood by the network edge.

The layers between only hand it on, and look at what of it stands in a message.
"""

from __future__ import annotations

from typing import Any, final

from gateway.sip.via import MAGIC_COOKIE, Via, parse_via


@final
class Destination:
    """One address to send to, through one listener."""

    __slots__ = (
        "_own",
        "address",
        "host_port",
        "large",
        "listener",
        "name",
        "reliable",
        "sent_by",
        "uri_transport",
        "via",
    )

    def __init__(
        self, listener: Any, address: tuple[str, int], transport: bytes, sent_by: bytes, reliable: bool
    ) -> None:
        self.listener = listener
        """The network edge's own handle; opaque here."""
        self.address = address
        self.sent_by = sent_by
        """Our advertised host:port towards this peer."""
        self.via = b"SIP/2.0/" + transport + b" " + sent_by + b";branch="
        """A Via value up to the branch (§16.6 step 8). Equal for two destinations reached the same way (RFC 5658)."""
        self._own = parse_via(self.via + MAGIC_COOKIE + b"-")
        self.reliable = reliable
        """True on TCP and TLS: nothing is retransmitted, and timers I, J, K and D are zero (§17)."""
        self.uri_transport = b"" if transport == b"UDP" else b";transport=" + transport.lower()
        """As a parameter of our own URIs: `;transport=tcp`; empty for UDP, which is meant without one."""
        self.large: Destination | None = None
        """The same hop over TCP, for requests that are too large for a datagram (§18.1.1); None: it takes none."""
        host = f"[{address[0]}]" if ":" in address[0] else address[0]
        self.host_port = f"{host}:{address[1]}".encode()
        """As it stands in the host part of a Request-URI."""
        self.name = f"{host}:{address[1]}/{transport.decode().lower()}"

    def own_via(self, branch: bytes) -> Via:
        """Our Via on a request that leaves with this branch: what `via + branch` says."""
        own = self._own
        return Via(own.transport, own.host, own.port, b"branch=" + branch, branch, b"", None)
