"""By which transport a hop, and what a URI names, is reached."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.net.stream_edge import StreamEdge
from gateway.net.stream_user import StreamLimits
from gateway.net.udp import UdpListener
from gateway.registry.model import NextHop, Snapshot, Trunk
from gateway.registry.registry import Registry
from gateway.worker.peers import AnyListener, PeerBook


@pytest.fixture
def listeners() -> Iterator[list[AnyListener]]:
    streams = StreamEdge(lambda *who: None, lambda *who: True, lambda error: None)
    streams.listen("tcp", "127.0.0.1", 0, b"127.0.0.1:5060", lambda name, error: None, None, StreamLimits())
    udp = UdpListener("main", "127.0.0.1", 0, b"127.0.0.1:5060")
    yield [udp, *streams.listeners]
    udp.close()
    streams.stop()


def reached(listeners: list[AnyListener], hops: tuple[NextHop, ...], host: bytes, port: int, transport: bytes) -> str:
    """Name of the destination; empty for none."""
    trunk = Trunk("carrier", "core", "", ("127.0.0.9", "127.0.0.10"), next_hops=hops)
    found = PeerBook(Registry(Snapshot(1, trunks=(trunk,))), listeners).peers["carrier"].reach(host, port, transport)
    return found.name if found is not None else ""


def test_a_hop_has_its_transport(listeners: list[AnyListener]) -> None:
    hops = (NextHop("127.0.0.9", 5070, "tcp"), NextHop("127.0.0.9"), NextHop("127.0.0.9", 5061, "tls"))
    trunk = Trunk("carrier", "core", "", ("127.0.0.9",), next_hops=hops)
    peer = PeerBook(Registry(Snapshot(1, trunks=(trunk,))), listeners).peers["carrier"]
    # No TLS listener, so no way to the third.
    assert [hop.destination.name for hop in peer.hops] == ["127.0.0.9:5070/tcp", "127.0.0.9:5060/udp"]
    assert [hop.destination.reliable for hop in peer.hops] == [True, False]


@pytest.mark.parametrize(
    ("host", "port", "transport", "name"),
    [
        (b"127.0.0.9", 5070, b"", "127.0.0.9:5070/tcp"),
        (b"127.0.0.9", 5060, b"", "127.0.0.9:5060/udp"),
        (b"127.0.0.9", 5060, b"TCP", "127.0.0.9:5060/tcp"),
        (b"127.0.0.9", 5070, b"udp", "127.0.0.9:5070/udp"),
        (b"127.0.0.9", 0, b"udp", "127.0.0.9:5060/udp"),
        (b"127.0.0.9", 6000, b"", "127.0.0.9:6000/tcp"),
        (b"127.0.0.10", 0, b"", "127.0.0.10:5060/tcp"),
        (b"127.0.0.10", 0, b"tls", ""),
        (b"127.0.0.10", 0, b"sctp", ""),
        (b"127.0.0.11", 0, b"tcp", ""),
    ],
)
def test_a_uri_says_how_and_else_the_registry_does(
    listeners: list[AnyListener], host: bytes, port: int, transport: bytes, name: str
) -> None:
    hops = (NextHop("127.0.0.9", 5070, "tcp"), NextHop("127.0.0.9"))
    assert reached(listeners, hops, host, port, transport) == name


def test_a_hop_that_takes_large_requests_by_tcp(listeners: list[AnyListener]) -> None:
    trunk = Trunk("carrier", "core", "", ("127.0.0.9",), next_hops=(NextHop("127.0.0.9", large=True),))
    peer = PeerBook(Registry(Snapshot(1, trunks=(trunk,))), listeners).peers["carrier"]
    destination = peer.hops[0].destination
    assert destination.large is not None and destination.large.name == "127.0.0.9:5060/tcp"
    assert peer.reach(b"127.0.0.9", 5060, b"") is destination, "inside dialogs as well"
    plain = PeerBook(Registry(Snapshot(1, trunks=(trunk,))), listeners[:1]).peers["carrier"].hops[0].destination
    assert plain.large is None, "no TCP listener"
