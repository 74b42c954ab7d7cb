"""Trunk by where a message came from: exact addresses first, then the longest CIDR prefix (DESIGN §4).

On one network a trunk that names the listener goes before one of any listener; beside these, port, transport and TLS
names tell trunks apart (`overlap`), and two that could take the same message are refused (`validate`). Trunks with
digest accounts are not found here: they are known by what they log in with (`takes`).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from gateway.registry.model import Trunk

Network = IPv4Network | IPv6Network
Trunks = tuple[Trunk, ...]

_BITS: Final = {4: 32, 6: 128}


class Source:
    """One source network of one trunk, on one listener (`""`: any)."""

    __slots__ = ("listener", "network", "trunk")

    def __init__(self, listener: str, network: Network, trunk: Trunk) -> None:
        self.listener = listener
        self.network = network
        self.trunk = trunk

    @property
    def key(self) -> tuple[str, int, int, int]:
        """What a source is looked up by: two trunks that share it need something else to be told apart by."""
        return self.listener, self.network.version, self.network.prefixlen, int(self.network.network_address)


def parse_source(text: str) -> Network | None:
    """`127.0.0.2`, `10.0.0.0/8`, `2001:db8::/32` -> network; None where it is none, or has host bits set."""
    try:
        return ip_network(text)
    except ValueError:
        return None


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """An address as a socket gives it, an IPv4-mapped one as IPv4; None where it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def trunk_sources(trunk: Trunk) -> list[Source]:
    """Every (listener, network) of a trunk; networks that cannot be read are left out (`validate` names
    them)."""
    networks = [network for text in trunk.sources if (network := parse_source(text)) is not None]
    return [Source(listener, network, trunk) for listener in trunk.listeners or ("",) for network in networks]


def overlap(one: Trunk, other: Trunk) -> str:
    """What of the same source both trunks would take, in words; "" where port, transport or TLS names keep them
    apart."""
    words = []
    pairs: tuple[tuple[str, tuple[object, ...], tuple[object, ...]], ...] = (
        ("port", one.ports, other.ports),
        ("transport", one.transports, other.transports),
        ("TLS name", one.tls_names, other.tls_names),
    )
    for name, mine, theirs in pairs:
        shared = [str(value) for value in mine if value in theirs] if mine and theirs else []
        if mine and theirs and not shared:
            return ""
        words.append(f"{name} {', '.join(shared or map(str, mine or theirs)) or 'any'}")
    return ", ".join(words)


def fits(trunk: Trunk, port: int, transport: str, identities: tuple[str, ...]) -> bool:
    """True when a message of this source port, transport and certificate may be the trunk's."""
    if trunk.ports and port not in trunk.ports:
        return False
    if trunk.transports and transport not in trunk.transports:
        return False
    return not trunk.tls_names or any(name in identities for name in trunk.tls_names)


def takes(trunk: Trunk, listener: str, ip: str, port: int, transport: str, identities: tuple[str, ...]) -> bool:
    """True when who sends from here may log in to this trunk with digest."""
    if trunk.listeners and listener not in trunk.listeners:
        return False
    if not fits(trunk, port, transport, identities):
        return False
    if not trunk.sources:
        return True
    address = parse_address(ip)
    return address is not None and any(
        address.version == network.version and address in network
        for text in trunk.sources
        if (network := parse_source(text)) is not None
    )


class SourceTable:
    """Immutable. A packet of a known exact address costs one or two dict lookups, a stranger's a few more."""

    __slots__ = ("_any", "_exact", "_prefixes")

    def __init__(self, trunks: Trunks) -> None:
        self._exact: dict[str, dict[str, Trunks]] = {}
        self._any: dict[str, Trunks] = {}
        networks: dict[tuple[int, int], dict[int, dict[str, Trunks]]] = {}
        for source in (source for trunk in trunks if not trunk.digest for source in trunk_sources(trunk)):
            network = source.network
            if network.prefixlen == _BITS[network.version]:
                address = str(network.network_address)
                table = self._exact.setdefault(source.listener, {}) if source.listener else self._any
                table[address] = (*table.get(address, ()), source.trunk)
            else:
                places = networks.setdefault((network.version, network.prefixlen), {})
                place = places.setdefault(int(network.network_address), {})
                place[source.listener] = (*place.get(source.listener, ()), source.trunk)
        self._prefixes = sorted(((v, n, places) for (v, n), places in networks.items()), key=_longest_first)

    def find(
        self, listener: str, ip: str, port: int = 0, transport: str = "udp", identities: tuple[str, ...] = ()
    ) -> Trunk | None:
        """The trunk that sends from this address (text form) and port to this listener over this transport, with a
        certificate for these `identities`; None for a stranger."""
        for trunks in self._candidates(listener, ip):
            for trunk in trunks:
                if fits(trunk, port, transport, identities):
                    return trunk
        return None

    def owns(self, trunk_id: str, listener: str, ip: str) -> bool:
        """True when this address is the trunk's whatever the port and transport: one of those that share it."""
        trunks = next(self._candidates(listener, ip), ())
        return any(trunk.id == trunk_id for trunk in trunks)

    def knows(self, listener: str, ip: str) -> bool:
        """True when some trunk sends from this address to this listener, whatever the port, transport or certificate:
        what can be said of a connection before anything came by it."""
        return next(self._candidates(listener, ip), None) is not None

    def _candidates(self, listener: str, ip: str) -> Iterator[Trunks]:
        """Trunks of this address, the most specific network first."""
        exact = self._exact.get(listener)
        if exact is not None and ip in exact:
            yield exact[ip]
        if ip in self._any:
            yield self._any[ip]
        address = parse_address(ip)
        if address is None:
            return
        text = str(address)
        if text != ip:  # another spelling (IPv6), or IPv4-mapped IPv6
            if exact is not None and text in exact:
                yield exact[text]
            if text in self._any:
                yield self._any[text]
        value = int(address)
        for version, length, places in self._prefixes:
            if version != address.version:
                continue
            shift = _BITS[version] - length
            found = places.get(value >> shift << shift)
            if found is not None:
                for name in (listener, ""):
                    if name in found:
                        yield found[name]


def _longest_first(row: tuple[int, int, dict[int, dict[str, Trunks]]]) -> int:
    return -row[1]
