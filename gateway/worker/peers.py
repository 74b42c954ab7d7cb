"""The registry's trunks as the proxy's peers: addresses, next hops, and which hosts belong to whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from ipaddress import ip_address

from gateway.net.stream import StreamListener
from gateway.net.udp import UdpListener
from gateway.proxy.located import ADDRESS_LENGTH, located, near_end, pack_address, unpack_address
from gateway.proxy.peer import Destination, Hop, Peer, Source
from gateway.proxy.selection import DEFAULT_PORTS, Target
from gateway.registry.model import NextHop, Place, Trunk
from gateway.registry.registry import Registry
from gateway.worker.login_table import LoginTable, may_log_in

MAX_REMEMBERED_HOSTS = 10_000
"""Answers kept of `reach` per registry version; in-dialog targets are few per peer."""

MAX_LOCATED = 20_000
"""Addresses of digest trunks kept per registry version; what is forgotten is made again."""


AnyListener = UdpListener | StreamListener


def trunk_code(trunk_id: str) -> bytes:
    """Four bytes that stand for a trunk in dialog cookies; the same on every node."""
    return blake2b(trunk_id.encode(), digest_size=4, person=b"cg-trunk").digest()


Located = Mapping[Place, tuple[Target, ...]]
"""Where the names among the next hops lead; a name that is missing leads nowhere yet."""


class PeerBook:
    """All peers of one registry version."""

    def __init__(
        self,
        registry: Registry,
        listeners: Sequence[AnyListener],
        before: PeerBook | None = None,
        logins: LoginTable | None = None,
        places: Located | None = None,
    ) -> None:
        """`before`: the book of the version before, whose next hops' states are kept. `logins`: of strangers.
        `places`: where names lead."""
        self._logins = logins
        self._near = {near_end(listener.destination("127.0.0.1", 5060)): listener for listener in listeners}
        self._located: dict[tuple[str, bytes], Peer] = {}
        self._registry = registry
        self._places = places or {}
        self._listeners = tuple(listeners)
        self._reached: dict[tuple[str, bytes, int, bytes], Destination | None] = {}
        self.peers: dict[str, Peer] = {}
        self._by_code: dict[bytes, Peer] = {}
        for trunk in registry.trunks:
            peer = self._peer(trunk, before)
            other = self._by_code.get(peer.code)
            if other is not None:
                raise ValueError(f"trunk ids {other.id} and {peer.id} have the same code in cookies: rename one")
            self.peers[trunk.id] = peer
            self._by_code[peer.code] = peer

    def identify(
        self, listener: str, ip: str, port: int = 0, transport: str = "udp", identities: tuple[str, ...] = ()
    ) -> Peer | None:
        """The peer that sends from this address and port to this listener; else the listener's strangers, where these
        may log in."""
        trunk = self._registry.trunk_by_source(listener, ip, port, transport, identities)
        if trunk is not None:
            return self.peers[trunk.id]
        return self._logins.strangers(listener) if self._logins is not None else None

    def admits(self, listener: str, ip: str) -> bool:
        """True when a connection from this address may carry a peer's messages, or those of a stranger who may log
        in."""
        return self._registry.knows(listener, ip) or (
            self._logins is not None and self._logins.strangers(listener) is not None
        )

    def logged_in(self, trunk_id: str, source: Source) -> Peer | None:
        """A digest trunk at the address it logged in from; None where it may not be there."""
        peer = self.peers.get(trunk_id)
        trunk = self._registry.trunk(trunk_id)
        if peer is None or trunk is None or not peer.digest or not may_log_in(trunk, source):
            return None
        return self._locate(peer, source.reply, pack_address(source.reply))

    def at(self, code: bytes, bound: bytes) -> Peer | None:
        """The digest trunk with this code at the address a cookie binds; None where it is none, or the address is of
        a listener that is not there."""
        peer = self._by_code.get(code)
        if peer is None or not peer.digest or len(bound) != ADDRESS_LENGTH:
            return None
        host, port, near = unpack_address(bound)
        listener = self._near.get(near)
        return self._locate(peer, listener.destination(host, port), bound) if listener is not None else None

    def _locate(self, peer: Peer, destination: Destination, bound: bytes) -> Peer:
        key = (peer.id, bound)
        found = self._located.get(key)
        if found is None:
            if len(self._located) >= MAX_LOCATED:
                self._located.clear()
            found = self._located[key] = located(peer, destination, bound)
        return found

    def by_code(self, code: bytes) -> Peer | None:
        """The peer a cookie names."""
        return self._by_code.get(code)

    def of(self, trunks: tuple[Trunk, ...]) -> tuple[Peer, ...]:
        """The peers of a route."""
        return tuple(self.peers[trunk.id] for trunk in trunks)

    @property
    def names(self) -> frozenset[Place]:
        """Next hops that are names."""
        return frozenset(hop.place for trunk in self._registry.trunks for hop in trunk.next_hops if hop.is_name)

    def relocate(self, places: Located) -> None:
        """Names lead elsewhere now, or to the same addresses in another order."""
        self._places = places
        self._reached.clear()
        for trunk in self._registry.trunks:
            if any(hop.is_name for hop in trunk.next_hops):
                peer = self.peers[trunk.id]
                peer.lead_to(self._hops(trunk, peer))

    def _peer(self, trunk: Trunk, before: PeerBook | None) -> Peer:
        known = before.peers.get(trunk.id) if before is not None else None

        def reach(host: bytes, port: int, transport: bytes) -> Destination | None:
            return self._reach(trunk, host, port, transport)

        peer = Peer(trunk.id, trunk_code(trunk.id), trunk.is_access, self._hops(trunk, known), reach, trunk)
        peer.digest = bool(trunk.digest)
        peer.tls_names = trunk.tls_names
        return peer

    def _hops(self, trunk: Trunk, before: Peer | None) -> tuple[Hop, ...]:
        states = {hop.destination.name: hop.up for hop in before.hops} if before is not None else {}
        hops: dict[str, Hop] = {}
        for next_hop in trunk.next_hops:
            for target in self._targets(next_hop):
                destination = self._destination(trunk, next_hop, target)
                if destination is None:
                    continue
                hop = Hop(destination, next_hop.drained)
                hop.up = states.get(hop.destination.name, True)
                hops.setdefault(hop.destination.name, hop)
        return tuple(hops.values())

    def _destination(self, trunk: Trunk, hop: NextHop, target: Target) -> Destination | None:
        """Where `target` of the next hop `hop` is reached; None where no listener can."""
        listener = self._listener(trunk, target.address, target.transport)
        if listener is None:
            return None
        if isinstance(listener, StreamListener) and hop.is_name:  # RFC 5922 §4: the certificate is the name's
            return listener.destination(target.address, target.port, hop.host)
        destination = _at(listener, trunk, target.address, target.port)
        return self._with_large(destination, trunk, target.address) if hop.large else destination

    def _targets(self, hop: NextHop) -> tuple[Target, ...]:
        if hop.is_name:
            return self._places.get(hop.place, ())
        return (Target(hop.transport or "udp", hop.host.strip("[]"), hop.port),)

    def _listener(self, trunk: Trunk, host: str, transport: str) -> AnyListener | None:
        """The listener to reach `host` by: of the trunk's own, of the transport and of the host's address family."""
        ipv6 = ":" in host
        for listener in self._listeners:
            ours = not trunk.listeners or listener.name in trunk.listeners
            if ours and listener.transport == transport and listener.ipv6 == ipv6:
                return listener
        return None

    def _with_large(self, plain: Destination, trunk: Trunk, host: str) -> Destination:
        """A UDP hop that takes requests over TCP where they are too large: of this trunk alone."""
        listener = self._listener(trunk, host, "tcp")
        if listener is None:
            return plain
        made = Destination(plain.listener, plain.address, b"UDP", plain.sent_by, False)
        made.large = listener.destination(*plain.address)
        return made

    def _reach(self, trunk: Trunk, host: bytes, port: int, transport: bytes) -> Destination | None:
        key = (trunk.id, host, port, transport)
        if key in self._reached:
            return self._reached[key]
        if len(self._reached) >= MAX_REMEMBERED_HOSTS:
            self._reached.clear()
        text = host.decode("ascii", "replace").strip("[]")
        found = self._find(trunk, text, port, transport.decode("ascii", "replace").lower())
        if found is not None and not found.reliable:  # a next hop's own may lead to TCP for large requests
            name = found.name
            hops = self.peers[trunk.id].hops
            found = next((hop.destination for hop in hops if hop.destination.name == name), found)
        self._reached[key] = found
        return found

    def _find(self, trunk: Trunk, host: str, port: int, transport: str) -> Destination | None:
        for hop in trunk.next_hops:
            if hop.host == host.lower() and hop.is_name:
                # The trunk's own name. No call waits for the DNS: it stands for the first address it leads to.
                for target in self._targets(hop):
                    if port in (0, hop.port or target.port, target.port) and transport in ("", target.transport):
                        return self._destination(trunk, hop, target)
                return None
        if not transport:
            transport = _usual_transport(trunk, host, port)
        listener = self._listener(trunk, host, transport)
        if listener is None:
            return None
        if not any(host == target.address for hop in trunk.next_hops for target in self._targets(hop)):
            try:
                ip_address(host)
            except ValueError:
                return None  # a name: only the trunk's own next hops may be named
            if not self._registry.is_at(trunk.id, listener.name, host):
                return None
        return _at(listener, trunk, host, port or DEFAULT_PORTS[transport])


def _at(listener: AnyListener, trunk: Trunk, host: str, port: int) -> Destination:
    """An address of a trunk. A certificate that proves its requests proves its address too: those of exchanges name a
    domain, and no address (RFC 5922 §7.2 asks for a name, and an address has none)."""
    if isinstance(listener, StreamListener) and trunk.tls_names:
        return listener.destination(host, port, host, *trunk.tls_names)
    return listener.destination(host, port)


def _usual_transport(trunk: Trunk, host: str, port: int) -> str:
    """How a host of a trunk is reached where a URI does not say so: as the next hop at this host and port, else at this
    host, else as the trunk's first.

    RFC 3263 §4.1 has UDP. We depart: many leave the parameter out although they are reached over TCP or TLS alone, and
    the registry knows better."""
    same_host = [hop for hop in trunk.next_hops if hop.host.strip("[]") == host]
    for hop in same_host:
        if hop.port == port:
            return hop.transport
    return next((hop.transport for hop in (*same_host, *trunk.next_hops) if hop.transport), "udp")
