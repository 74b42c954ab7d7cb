"""Trunks as peers: who sends from where, by which socket a hop is reached, which hosts belong to whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.net.udp import UdpListener
from gateway.registry.model import NextHop, Snapshot, Trunk
from gateway.registry.registry import Registry
from gateway.worker import peers as peers_module
from gateway.worker.peers import PeerBook, trunk_code

ALPHA = Trunk("cc-alpha", "access", "alpha", ("127.0.0.2",), next_hops=(NextHop("127.0.0.2", 5070),))
CARRIER = Trunk(
    "carrier", "core", "", ("127.0.0.9", "127.0.8.0/24"), next_hops=(NextHop("127.0.0.9"), NextHop("127.0.0.10"))
)


@pytest.fixture
def listeners() -> Iterator[list[UdpListener]]:
    made = [
        UdpListener("main", "127.0.0.1", 0, b"127.0.0.1:5060"),
        UdpListener("second", "127.0.0.1", 0, b"127.0.0.1:5062"),
        UdpListener("six", "::1", 0, b"[::1]:5060"),
    ]
    yield made
    for listener in made:
        listener.close()


def book(listeners: list[UdpListener], *trunks: Trunk, before: PeerBook | None = None) -> PeerBook:
    return PeerBook(Registry(Snapshot(1, trunks=trunks or (ALPHA, CARRIER))), listeners, before)


def test_who_sends_from_where(listeners: list[UdpListener]) -> None:
    made = book(listeners)
    alpha = made.identify("main", "127.0.0.2")
    assert alpha is not None
    assert (alpha.id, alpha.access, alpha.trunk, alpha.key) == ("cc-alpha", True, ALPHA, b"cc-alpha")
    carrier = made.identify("main", "127.0.8.77")
    assert carrier is made.peers["carrier"]
    assert not carrier.access
    assert made.identify("main", "127.0.0.3") is None


def test_a_cookie_names_a_peer_by_its_code(listeners: list[UdpListener]) -> None:
    made = book(listeners)
    assert len(trunk_code("carrier")) == 4
    assert trunk_code("carrier") != trunk_code("cc-alpha")
    assert made.by_code(trunk_code("carrier")) is made.peers["carrier"]
    assert made.by_code(b"none") is None


def test_two_trunks_with_one_code_are_refused(listeners: list[UdpListener]) -> None:
    one, other = "t57316", "t65869"
    assert trunk_code(one) == trunk_code(other)
    with pytest.raises(ValueError, match=f"trunk ids {one} and {other} have the same code"):
        book(listeners, replace(ALPHA, id=one), replace(CARRIER, id=other))


def test_hops_in_order_through_the_trunks_own_listener(listeners: list[UdpListener]) -> None:
    made = book(listeners, replace(CARRIER, listeners=("second",)))
    hops = made.peers["carrier"].hops
    assert [hop.destination.name for hop in hops] == ["127.0.0.9:5060/udp", "127.0.0.10:5060/udp"]
    assert {hop.destination.listener for hop in hops} == {listeners[1]}
    assert {hop.destination.sent_by for hop in hops} == {b"127.0.0.1:5062"}
    assert all(hop.up for hop in hops)


def test_a_hop_is_reached_by_its_own_address_family(listeners: list[UdpListener]) -> None:
    trunk = replace(CARRIER, next_hops=(NextHop("[::1]", 5080), NextHop("127.0.0.9")))
    six, four = book(listeners, trunk).peers["carrier"].hops
    assert (six.destination.listener, six.destination.address) == (listeners[2], ("::1", 5080))
    assert four.destination.listener is listeners[0]
    only_four = book(listeners[:1], trunk).peers["carrier"].hops
    assert [hop.destination.name for hop in only_four] == ["127.0.0.9:5060/udp"]


def test_the_state_of_a_hop_outlives_its_registry_version(listeners: list[UdpListener]) -> None:
    first = book(listeners)
    first.peers["carrier"].hops[0].up = False
    changed = replace(CARRIER, next_hops=(NextHop("127.0.0.11"), NextHop("127.0.0.9")))
    second = book(listeners, ALPHA, changed, before=first)
    states = {hop.destination.name: hop.up for hop in second.peers["carrier"].hops}
    assert states == {"127.0.0.11:5060/udp": True, "127.0.0.9:5060/udp": False}


def test_of_a_route(listeners: list[UdpListener]) -> None:
    made = book(listeners)
    assert made.of((CARRIER, ALPHA)) == (made.peers["carrier"], made.peers["cc-alpha"])
    assert made.of(()) == ()


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        (b"127.0.0.9", 5060, ("127.0.0.9", 5060)),
        (b"127.0.0.10", 0, ("127.0.0.10", 5060)),
        (b"127.0.8.3", 6000, ("127.0.8.3", 6000)),
        (b"127.0.0.2", 5060, None),
        (b"127.0.0.3", 5060, None),
        (b"sbc.example", 5060, None),
        (b"\xff", 5060, None),
        (b"[::1]", 5060, None),
        (b"", 0, None),
    ],
)
def test_only_its_own_hosts_belong_to_a_peer(
    listeners: list[UdpListener], host: bytes, port: int, address: tuple[str, int] | None
) -> None:
    peer = book(listeners).peers["carrier"]
    for _ in range(2):  # the second time it is remembered
        found = peer.reach(host, port, b"")
        assert (found.address if found is not None else None) == address


def test_a_host_of_another_listener_is_not_reached(listeners: list[UdpListener]) -> None:
    peer = book(listeners[:1], replace(CARRIER, listeners=("second",))).peers["carrier"]
    assert peer.hops == ()
    assert peer.reach(b"127.0.0.9", 5060, b"") is None


def test_what_is_remembered_is_bounded(listeners: list[UdpListener], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_module, "MAX_REMEMBERED_HOSTS", 3)
    made = book(listeners)
    for port in range(1, 20):
        assert made.peers["carrier"].reach(b"127.0.0.9", port, b"") is not None
    assert len(made._reached) <= 3
