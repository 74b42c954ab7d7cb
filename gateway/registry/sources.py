"""Trunk by source address and listener: exact addresses first, then the longest CIDR prefix (DESIGN §4)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from gateway.registry.model import Trunk

Network = IPv4Network | IPv6Network

_BITS = {4: 32, 6: 128}


class Source:
    """One source network of one trunk, on one listener (`""`: any)."""

    __slots__ = ("listener", "network", "trunk")

    def __init__(self, listener: str, network: Network, trunk: Trunk) -> None:
        self.listener = listener
        self.network = network
        self.trunk = trunk

    @property
    def key(self) -> tuple[str, int, int, int]:
        """What a source is looked up by: two trunks may not share it."""
        return self.listener, self.network.version, self.network.prefixlen, int(self.network.network_address)


def parse_source(text: str) -> Network | None:
    """`127.0.0.2`, `10.0.0.0/8`, `2001:db8::/32` -> network; None where it is none, or has host bits set."""
    try:
        return ip_network(text)
    except ValueError:
        return None


def trunk_sources(trunk: Trunk) -> list[Source]:
    """Every (listener, network) of a trunk; networks that cannot be read are left out (`validate` names
    them)."""
    networks = [network for text in trunk.sources if (network := parse_source(text)) is not None]
    return [Source(listener, network, trunk) for listener in trunk.listeners or ("",) for network in networks]


class SourceTable:
    """Immutable. A packet of a known exact address costs one or two dict lookups, a stranger's a few more."""

    __slots__ = ("_any", "_exact", "_prefixes")

    def __init__(self, trunks: tuple[Trunk, ...]) -> None:
        self._exact: dict[str, dict[str, Trunk]] = {}
        self._any: dict[str, Trunk] = {}
        networks: dict[tuple[int, int], dict[int, dict[str, Trunk]]] = {}
        for source in (source for trunk in trunks for source in trunk_sources(trunk)):
            network = source.network
            if network.prefixlen == _BITS[network.version]:
                address = str(network.network_address)
                table = self._exact.setdefault(source.listener, {}) if source.listener else self._any
                table.setdefault(address, source.trunk)
            else:
                places = networks.setdefault((network.version, network.prefixlen), {})
                places.setdefault(int(network.network_address), {}).setdefault(source.listener, source.trunk)
        self._prefixes = sorted(((v, n, places) for (v, n), places in networks.items()), key=_longest_first)

    def find(self, listener: str, ip: str) -> Trunk | None:
        """The trunk that sends from this address (text form) to this listener, or None for a stranger."""
        exact = self._exact.get(listener)
        if exact is not None:
            trunk = exact.get(ip)
            if trunk is not None:
                return trunk
        trunk = self._any.get(ip)
        if trunk is not None:
            return trunk
        return self._search(listener, ip)

    def _search(self, listener: str, ip: str) -> Trunk | None:
        """The slow way: other spellings of the address (IPv6), IPv4-mapped IPv6, networks."""
        try:
            address: IPv4Address | IPv6Address = ip_address(ip)
        except ValueError:
            return None
        if address.version == 6 and isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        text = str(address)
        if text != ip:
            trunk = self._exact.get(listener, {}).get(text) or self._any.get(text)
            if trunk is not None:
                return trunk
        value = int(address)
        for version, length, places in self._prefixes:
            if version != address.version:
                continue
            shift = _BITS[version] - length
            found = places.get(value >> shift << shift)
            if found is not None:
                trunk = found.get(listener) or found.get("")
                if trunk is not None:
                    return trunk
        return None


def _longest_first(row: tuple[int, int, dict[int, dict[str, Trunk]]]) -> int:
    return -row[1]
