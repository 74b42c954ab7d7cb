"""Small text forms of registry values that SQL and import files share."""

from __future__ import annotations

from gateway.registry.model import NextHop

DEFAULT_PORT = 5060


def next_hop(text: str) -> NextHop | None:
    """`host`, `host:port`, `[v6]:port`, each with an optional `/udp`, `/tcp` or `/tls`; None where it is
    none."""
    address, _, transport = text.strip().partition("/")
    transport = transport.lower() or "udp"
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
            return NextHop(host.lower(), int(port) if port else DEFAULT_PORT, transport)
        case _:
            return None


def next_hop_text(hop: NextHop) -> str:
    """`host:port/transport`: what `next_hop` reads."""
    return f"{hop.host}:{hop.port}/{hop.transport}"
