"""Small text forms of registry values that SQL and import files share."""

from __future__ import annotations

from gateway.registry.model import NextHop

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""RFC 3261 §19.1.2."""


def next_hop(text: str) -> NextHop | None:
    """`host`, `host:port`, `[v6]:port`, each with an optional `/udp`, `/tcp`, `/tls` or `/udp+tcp` (UDP, and TCP for
    requests that are too large for a datagram); None where it is none."""
    address, _, transport = text.strip().partition("/")
    transport = transport.lower() or "udp"
    large = transport == "udp+tcp"
    if large:
        transport = "udp"
    if address.startswith("["):
        host, bracket, rest = address.partition("]")
        host += bracket
        if not bracket or (rest and not rest.startswith(":")):
            return None
        port = rest[1:]
    else:
        host, _, port = address.partition(":")
    if not host or not (port == "" or (port.isascii() and port.isdigit() and len(port) <= 5)):
        return None
    match transport:
        case "udp" | "tcp" | "tls":
            return NextHop(host.lower(), int(port) if port else DEFAULT_PORTS[transport], transport, large)
        case _:
            return None


def next_hop_text(hop: NextHop) -> str:
    """`host:port/transport`, what `next_hop` reads."""
    return f"{hop.host}:{hop.port}/{hop.transport}{'+tcp' if hop.large else ''}"
