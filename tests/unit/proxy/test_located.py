"""An address as cookies bind it."""

from __future__ import annotations

import pytest

from gateway.proxy.cookie import BOUND_LENGTH, CALLEE, COOKIE_LENGTH, Cookie, CookieRing
from gateway.proxy.located import ADDRESS_LENGTH, located, near_end, pack_address, unpack_address
from gateway.proxy.peer import Destination, Peer

RING = CookieRing({1: b"k" * 32}, 1)


def destination(host: str, port: int = 5060, transport: bytes = b"UDP", sent_by: bytes = b"gw:5060") -> Destination:
    return Destination(None, (host, port), transport, sent_by, transport != b"UDP")


@pytest.mark.parametrize(("host", "port"), [("192.0.2.1", 1), ("2001:db8::1", 65_535), ("::1", 5060)])
def test_there_and_back(host: str, port: int) -> None:
    packed = pack_address(destination(host, port))
    assert len(packed) == ADDRESS_LENGTH
    assert unpack_address(packed) == (host, port, near_end(destination(host)))


def test_host_port_and_our_end_all_count() -> None:
    packed = {
        pack_address(one)
        for one in (destination("192.0.2.1"), destination("192.0.2.2"), destination("192.0.2.1", 5061),
                    destination("192.0.2.1", transport=b"TCP"), destination("192.0.2.1", sent_by=b"gw:5070"))
    }  # fmt: skip
    assert len(packed) == 5


def test_a_located_peer_is_the_trunk_at_that_address_alone() -> None:
    trunk = Peer("cc", b"code", True, (), lambda host, port: None, None)
    where = destination("192.0.2.1")
    one, two = located(trunk, where, b"1" * 24), located(trunk, where, b"2" * 24)
    assert (one.id, one.code, one.access, one.digest, one.bound) == ("cc", b"code", True, True, b"1" * 24)
    assert one.reach(b"anything.example", 99) is where
    assert len({one.key, two.key, trunk.key}) == 3


def test_a_cookie_binds_the_address_under_its_mac() -> None:
    def issue(bound: bytes) -> bytes:
        return RING.issue(
            Cookie(CALLEE, 1, b"d" * 16, b"own1", b"peer", b"f" * 6, b"t" * 6, bound=bound), b"c", b"t", b""
        )

    plain, bound = issue(b""), issue(b"b" * ADDRESS_LENGTH)
    assert (len(plain), len(bound)) == (COOKIE_LENGTH, BOUND_LENGTH)
    for text, value in ((plain, b""), (bound, b"b" * ADDRESS_LENGTH)):
        cookie = RING.read(text, b"c", b"x", b"t")
        assert cookie is not None and cookie.bound == value
    for place in range(BOUND_LENGTH):
        changed = bound[:place] + (b"A" if bound[place : place + 1] != b"A" else b"B") + bound[place + 1 :]
        assert RING.read(changed, b"c", b"x", b"t") is None
    assert RING.read(bound[:COOKIE_LENGTH], b"c", b"x", b"t") is None
