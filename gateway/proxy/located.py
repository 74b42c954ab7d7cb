"""A digest trunk at one address: the peer it logged in from, and the form in which cookies bind that address."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

from gateway.proxy.cookie import short_hash
from gateway.proxy.peer import Destination, Peer

ADDRESS_LENGTH = 24
"""Octets: IP address 16 (IPv4 as IPv4-mapped), port 2, hash of our end (transport and advertised address) 6."""


def pack_address(destination: Destination) -> bytes:
    """Where a message came from, or leaves to, and through which of our listeners."""
    host, port = destination.address
    address = ip_address(host)
    packed = address.packed if isinstance(address, IPv6Address) else bytes(10) + b"\xff\xff" + address.packed
    return packed + port.to_bytes(2, "big") + near_end(destination)


def unpack_address(packed: bytes) -> tuple[str, int, bytes]:
    """(host, port, `near_end`)."""
    address = IPv6Address(packed[:16])
    host = str(address.ipv4_mapped or address)
    return host, int.from_bytes(packed[16:18], "big"), packed[18:]


def near_end(destination: Destination) -> bytes:
    """Stands for the listener a destination is reached by: the same on each node that advertises the same address."""
    return short_hash(destination.via)


def located(peer: Peer, destination: Destination, bound: bytes) -> Peer:
    """The digest trunk `peer` at one address. Whatever host its URIs name, behind a NAT a private one, messages go to
    that address and nowhere else. Its transactions are its own: the address is in the key."""

    def reach(host: bytes, port: int, transport: bytes = b"") -> Destination | None:
        return destination

    made = Peer(peer.id, peer.code, peer.access, (), reach, peer.trunk)
    made.key = peer.key + b"\0" + bound
    made.digest = True
    made.bound = bound
    return made
