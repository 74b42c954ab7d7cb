"""Who may log in on which listener, from where, and what the peer of a login is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.gate.seal import Sealer
from gateway.net.udp import UdpListener
from gateway.proxy.located import near_end, pack_address
from gateway.proxy.logins import Unproven
from gateway.proxy.peer import Destination, Source
from gateway.registry.model import DigestAccount, NextHop, Snapshot, Trunk
from gateway.registry.registry import Registry
from gateway.worker.login_table import LoginTable
from gateway.worker.peers import PeerBook, trunk_code

SEALER = Sealer(1, b"s" * 32)
OTHER = Sealer(1, b"o" * 32)


def account(user: str, *algorithms: str, sealer: Sealer = SEALER) -> DigestAccount:
    return DigestAccount(user, "callgate", tuple((name, sealer.seal(name.encode())) for name in algorithms))


FIXED = Trunk("fixed", "access", "alpha", ("127.0.0.2",), next_hops=(NextHop("127.0.0.2"),))
ROAMING = Trunk("roaming", "access", "alpha", digest=(account("pbx", "SHA-512-256", "SHA-256", "MD5"),))
NARROW = Trunk(
    "narrow", "access", "alpha", ("192.0.2.0/24",), ("main",), digest=(account("n", "MD5"),), algorithms=("MD5",)
)


@pytest.fixture
def listeners() -> Iterator[list[UdpListener]]:
    made = [
        UdpListener("main", "127.0.0.1", 0, b"127.0.0.1:5060"),
        UdpListener("second", "127.0.0.1", 0, b"127.0.0.1:5062"),
    ]
    yield made
    for listener in made:
        listener.close()


def book(listeners: list[UdpListener], *trunks: Trunk) -> PeerBook:
    registry = Registry(Snapshot(1, trunks=trunks))
    return PeerBook(registry, listeners, None, LoginTable(registry, [one.name for one in listeners], SEALER))


def stranger(made: PeerBook, listener: str = "main") -> Unproven:
    found = made.identify(listener, "198.51.100.7", 5060)
    assert isinstance(found, Unproven)
    return found


def source(listener: UdpListener, host: str = "198.51.100.7", port: int = 5060) -> Source:
    peer = Unproven("main", b"callgate", {}, (), lambda source: True)
    return Source(peer, host.encode(), port, listener.destination(host, port))


def test_strangers_of_a_listener_with_a_digest_trunk_may_log_in(listeners: list[UdpListener]) -> None:
    made = book(listeners, FIXED, ROAMING, NARROW)
    known = made.identify("main", "127.0.0.2", 5060)
    assert known is made.peers["fixed"] and not known.unproven
    main, second = stranger(made), stranger(made, "second")
    assert (main.realm, main.algorithms) == (b"callgate", (b"SHA-256", b"SHA-512-256", b"MD5"))
    assert {user: found.trunk for user, found in main.accounts.items()} == {b"pbx": "roaming", b"n": "narrow"}
    assert main.accounts[b"pbx"].secrets == {b"SHA-512-256": b"SHA-512-256", b"SHA-256": b"SHA-256"}
    assert set(second.accounts) == {b"pbx"} and second.algorithms == (b"SHA-256", b"SHA-512-256")
    assert made.admits("main", "198.51.100.7")
    fixed = book(listeners, FIXED)
    assert fixed.identify("main", "198.51.100.7", 5060) is None
    assert fixed.admits("main", "127.0.0.2") and not fixed.admits("main", "198.51.100.7")


def test_a_narrow_trunk_asks_only_who_could_be_it(listeners: list[UdpListener]) -> None:
    made = book(listeners, FIXED, NARROW)
    may_try = stranger(made).may_try
    assert may_try(source(listeners[0], "192.0.2.7"))
    assert not may_try(source(listeners[0]))
    assert made.identify("second", "192.0.2.7", 5060) is None
    inside, outside = source(listeners[0], "192.0.2.7"), source(listeners[0])
    assert made.logged_in("narrow", inside) is not None
    assert made.logged_in("narrow", outside) is None
    assert made.logged_in("narrow", source(listeners[1], "192.0.2.7")) is None
    assert made.logged_in("fixed", inside) is None
    assert made.logged_in("nobody", inside) is None


def test_nobody_is_asked_where_nobody_has_a_password(listeners: list[UdpListener]) -> None:
    made = book(listeners, replace(ROAMING, digest=(account("pbx"),)))
    assert not stranger(made).may_try(source(listeners[0]))


def test_a_secret_sealed_with_another_key_is_told_and_lets_nobody_in(listeners: list[UdpListener]) -> None:
    trunk = replace(ROAMING, digest=(account("pbx", "SHA-256", sealer=OTHER), account("two", "SHA-256")))
    table = LoginTable(Registry(Snapshot(1, trunks=(trunk,))), ["main"], SEALER)
    assert table.unreadable == [("roaming", "pbx")]
    found = table.strangers("main")
    assert found is not None and set(found.accounts) == {b"two"}


def test_a_login_is_the_trunk_at_its_address_and_a_cookie_finds_it_again(listeners: list[UdpListener]) -> None:
    made = book(listeners, ROAMING)
    here = source(listeners[1])
    peer = made.logged_in("roaming", here)
    assert peer is not None
    assert (peer.id, peer.code, peer.digest) == ("roaming", trunk_code("roaming"), True)
    assert peer.bound == pack_address(here.reply)
    assert made.at(peer.code, peer.bound) is peer
    assert peer.reach(b"10.0.0.7", 5060) is here.reply
    assert made.at(trunk_code("nobody"), peer.bound) is None
    assert made.at(peer.code, b"") is None
    gone = peer.bound[:-6] + near_end(Destination(None, ("127.0.0.1", 1), b"UDP", b"gone:1", False))
    assert made.at(peer.code, gone) is None
    assert (
        book(listeners, replace(ROAMING, digest=(), sources=("198.51.100.7",), next_hops=(NextHop("x"),))).at(
            peer.code, peer.bound
        )
        is None
    )
