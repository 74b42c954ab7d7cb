"""Small text forms of registry values that SQL and import files share."""

from __future__ import annotations

from gateway.registry.model import NextHop

DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""RFC 3261 §19.1.2."""
DRAINED = ";drained"


def next_hop(text: str) -> NextHop | None:
    """`host`, `host:port`, `[v6]:port`, each with an optional `sip:` before and `/udp`, `/tcp`, `/tls` or `/udp+tcp`
    (UDP, and TCP for requests that are too large for a datagram) behind it, and `;drained` last of all. None where it
    is none.

    A name without a port is left to SRV records, and one without a transport either to NAPTR records (RFC 3263 §4)."""
    text = text.strip().removeprefix("sip:")
    drained = text.endswith(DRAINED)
    address, slash, transport = text.removesuffix(DRAINED).partition("/")
    transport = transport.lower()
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
    host, number = host.lower(), int(port) if port else 0
    by_records = not port and NextHop(host).is_name
    match transport if slash else "" if by_records else "udp":
        case "udp" | "tcp" | "tls" as known:
            if not number and not by_records:
                number = DEFAULT_PORTS[known]
            return NextHop(host, number, known, large, drained)
        case "" if not slash:
            return NextHop(host, number, "", drained=drained)
        case _:
            return None


def next_hop_text(hop: NextHop) -> str:
    """`host:port/transport`: what `next_hop` reads. What DNS records say is left out."""
    port = f":{hop.port}" if hop.port else ""
    transport = f"/{hop.transport}{'+tcp' if hop.large else ''}" if hop.transport else ""
    return f"{hop.host}{port}{transport}{DRAINED if hop.drained else ''}"
