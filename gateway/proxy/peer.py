"""Peers and the addresses they are reached at, as the proxy sees them.

The registry's trunks are turned into `Peer`s by the composition root, the sockets into `Destination`s by the network
edge: the proxy itself knows neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.sip.memo import remember
from gateway.transaction.destination import Destination

__all__ = ["MAX_REPLY_PORTS", "Destination", "Hop", "Peer", "Reach", "ReplyAt", "Source"]

MAX_REPLY_PORTS: Final = 16
"""Via ports remembered per source address: a client without rport has one."""


class Hop:
    """A next hop of a peer. `up` is kept by the probe, `drained` by hand."""

    __slots__ = ("destination", "drained", "up")

    def __init__(self, destination: Destination, drained: bool = False) -> None:
        self.destination = destination
        self.up = True
        self.drained = drained
        """It gets no new calls, whatever the probe says."""


Reach = Callable[[bytes, int, bytes], "Destination | None"]
"""(host, port, transport) to a destination if that host belongs to the peer, else None. Port 0 = the default port;
transport: as a URI's parameter names it, in any case, b"" where it names none."""

ReplyAt = Callable[[int], Destination]
"""The destination for responses where a request's top Via names this port."""


class Peer:
    """A trunk as the proxy sees it."""

    __slots__ = (
        *("access", "bound", "code", "digest", "hop_addresses", "hops", "id", "key", "reach", "tls_names", "trunk"),
        "unproven",
    )

    def __init__(
        self, peer_id: str, code: bytes, access: bool, hops: tuple[Hop, ...], reach: Reach, trunk: object
    ) -> None:
        self.id = peer_id
        self.key = peer_id.encode()
        self.code = code
        """Four bytes that stand for the trunk in cookies."""
        self.access = access
        self.reach = reach
        self.trunk = trunk
        """The registry's trunk; opaque here."""
        self.digest = False
        """Recognised by what it logs in with: its messages come from anywhere, each from a peer that is `bound`."""
        self.bound = b""
        """Of a digest trunk, the one address (`located.pack_address`) this peer stands for; else empty."""
        self.tls_names: tuple[str, ...] = ()
        """Recognised by a certificate for one of these, which its end of a connection to it must show as well."""
        self.unproven = False
        """A stranger who may log in (`logins.Unproven`)."""
        self.lead_to(hops)

    def lead_to(self, hops: tuple[Hop, ...]) -> None:
        """Its next hops, from now on: a name in the configuration may lead elsewhere by and by."""
        self.hops = hops
        self.hop_addresses = frozenset(hop.destination.host_port.lower() for hop in hops)
        """host:port of each next hop, as in a URI."""


class Source:
    """Where a message came from: its peer, and the destination an answer goes to."""

    __slots__ = ("_replies", "_reply_at", "host", "identities", "peer", "port", "reply")

    def __init__(
        self,
        peer: Peer,
        host: bytes,
        port: int,
        reply: Destination,
        identities: tuple[str, ...] = (),
        reply_at: ReplyAt | None = None,
    ) -> None:
        """`reply_at`: of a connection (RFC 3261 §18.2.2: by it while it is up, else by a new one to that port)."""
        self.peer = peer
        self.host = host
        """Source address as it stands in `received` (IPv6 without brackets)."""
        self.port = port
        self.reply = reply
        """The source address itself, through the listener the message came in by."""
        self.identities = identities
        """SIP domains and addresses of the verified certificate of the connection (TLS); empty without one."""
        self._reply_at = reply_at
        self._replies: dict[int, Destination] = {}

    def of(self, peer: Peer) -> Source:
        """The same address, proven to be `peer`'s."""
        return Source(peer, self.host, self.port, self.reply, self.identities, self._reply_at)

    def reply_at(self, port: int) -> Destination:
        """Another port of the source host: the same object each time."""
        if self.reply.reliable:
            return self._reply_at(port) if self._reply_at is not None else self.reply
        found = self._replies.get(port)
        if found is None:
            reply = self.reply
            found = Destination(reply.listener, (reply.address[0], port), b"UDP", reply.sent_by, False)
            remember(self._replies, MAX_REPLY_PORTS, port, found)
        return found
