from __future__ import annotations

import pytest

from gateway.proxy.cookie import CALLER, NO_HASH, Cookie
from gateway.proxy.peer import Destination
from gateway.proxy.route import read_routes
from gateway.proxy.target import Bound, digits_of, find_target
from gateway.sip.message import Request
from tests.support.sip_text import CALLEE, request
from tests.unit.proxy.messages import COOKIE, OWN, peer, read

OURS = b"<sip:127.0.0.1:5060;lr;cg=" + COOKIE + b">"
THEIRS = b"<sip:127.0.0.9;lr>"
CONTACT = b"<sip:7000:pw@127.0.0.10:5066;x=1>"
ROUTES = [b"<sip:13800@127.0.0.10:5070;lr>", b"<sip:127.0.0.10:5080;lr>"]


def bound(contact: bytes | None = CONTACT, routes: list[bytes] = ROUTES, core: bool = True) -> Cookie:
    found = Bound(contact, routes, OWN, core)
    return Cookie(
        *(CALLER, 0, bytes(16), b"own.", b"peer", NO_HASH, NO_HASH, found.contact_user, found.contact_uri),
        *(found.contact_host, found.route_host, found.routes),
    )


def bye(uri: bytes, *routes: bytes) -> Request:
    return read(request(b"BYE", uri, extra=tuple((b"Route", route) for route in (OURS, *routes))))


def target(
    uri: bytes, *routes: bytes, cookie: Cookie | None = None, access: bool = False, method: bytes = b"INFO"
) -> Destination | None:
    asked = bye(uri, *routes)
    asked.method = method
    carrier = peer("127.0.0.9", "127.0.0.10", access=access)
    return find_target(asked, read_routes(asked, OWN), carrier, cookie or bound())


@pytest.mark.parametrize(
    "uri",
    [
        CONTACT[1:-1],  # as bound, with whatever it holds
        b"sip:7000@127.0.0.10:5066",
        b"sip:%37000@127.0.0.10:5066;transport=udp;ob;gr=abc;user=phone",
        b"sip:127.0.0.9",
        b"sip:12@127.0.0.9:5060",
        b"sip:" + CALLEE + b"@127.0.0.9",
        b"sip:8613800138000@127.0.0.10:5070;user=PHONE",  # host and port of the bound Record-Route
    ],
)
def test_lawful_toward_the_core(uri: bytes) -> None:
    found = target(uri)
    assert found is not None
    assert found.address[0] in ("127.0.0.9", "127.0.0.10")


@pytest.mark.parametrize(
    "uri",
    [
        b"sip:7000@127.0.0.10:5067",  # another port
        b"sip:7000@127.0.0.9:5066",
        b"sip:7000@127.0.0.2",
        b"sip:7001@127.0.0.10:5066",
        b"sip:7000:pw@127.0.0.10:5066",  # a password where the whole is not the bound Contact
        b"sip:7000@127.0.0.10:5066;lr",
        b"sip:7000@127.0.0.10:5066;x=1",
        b"sip:7000@127.0.0.10:5066;user=dialstring",
        b"sip:7000@127.0.0.10:5066;%6dethod=x",
        b"sip:7000@127.0.0.10:5066;maddr=127.0.0.10",
        b"sip:+86.138.0013.8000@127.0.0.9",
        b"sip:a13900139000@127.0.0.9",
        b"sip:%2531%2533%2539@127.0.0.9",
        b"sip:%EF%BC%91%EF%BC%93@127.0.0.9",
        b"sip:%C2%A0@127.0.0.9",
        b"sip:1%3B3%009@127.0.0.9",
        b"sip:'110@127.0.0.9",
        b"sips:127.0.0.9",
        b"tel:+8613800138000",
    ],
)
def test_unlawful_toward_the_core(uri: bytes) -> None:
    assert target(uri) is None


def test_toward_access_the_user_is_free_and_the_address_is_not() -> None:
    cookie = bound(core=False)
    for uri in (b"sip:13900139000@127.0.0.10:5066;x=2", b"sip:a13900139000:pw@127.0.0.9;lr"):
        assert target(uri, access=True, cookie=cookie) is not None
    for uri in (b"sip:7000@127.0.0.10:5067", b"sip:127.0.0.9:5061", b"sip:127.0.0.3"):
        assert target(uri, access=True, cookie=cookie) is None


def test_the_top_route_below_ours_is_the_target() -> None:
    found = target(b"sip:127.0.0.9", b"<sip:127.0.0.10:5070;lr>", THEIRS)
    assert found is not None
    assert found.address == ("127.0.0.10", 5070)
    found = target(b"sip:127.0.0.9", *ROUTES)  # the route set as bound, whatever it holds
    assert found is not None
    assert found.address == ("127.0.0.10", 5070)


@pytest.mark.parametrize(
    "bad",
    [
        b"<sip:192.0.2.1;lr>",
        b"<sip:127.0.0.9>",
        b"<sips:127.0.0.9;lr>",
        b"<sip:127.0.0.9;lr",
        b"x",
        b"<sip:127.0.0.9:5061;lr>",  # another port
        b"<sip:+8613900139000@127.0.0.9;lr>",
        b"<sip:%31%31%30@127.0.0.9;lr>",
        b"<sip:a:b@127.0.0.9;lr>",
        b"<sip:%C2@127.0.0.9;lr>",
        ROUTES[0],  # a part of the bound route set is not the bound route set
        ROUTES[1],
    ],
)
def test_a_route_that_is_none_of_the_dialogs(bad: bytes) -> None:
    for routes in ((bad,), (bad, THEIRS), (THEIRS, bad), (THEIRS, bad, THEIRS)):
        assert target(b"sip:127.0.0.9", *routes) is None


def test_a_dialog_that_bound_nothing_reaches_the_next_hops_only() -> None:
    for contact in (None, b"*", b"<urn:x>", b"<sip:a@h, b>"):
        cookie = bound(contact, [])
        assert target(b"sip:127.0.0.9", cookie=cookie) is not None
        assert target(b"sip:127.0.0.10", cookie=cookie) is None
    assert bound(None, [b"<mailto:x@y>"]).route_host == NO_HASH


def test_digits_of() -> None:
    assert digits_of(b"sip:+86-138@h") == b"86138"
    assert digits_of(b"tel:+86-138") == b"86138"
    for uri in (b"sip:h", b"sip:12@h", b"sip:138;ext=1@h", b"sip:*67138@h", b"sip:138a@h", b"urn:x", b"x"):
        assert digits_of(uri) == b""


@pytest.mark.parametrize("method", [b"ACK", b"BYE", b"PRACK"])
def test_what_only_confirms_or_ends_may_follow_a_target_refresh(method: bytes) -> None:
    """A re-INVITE may have moved the far end to another host of its trunk (RFC 3261 §12.2): its call must still end."""
    assert target(b"sip:7000@127.0.0.10:5067", method=b"INFO") is None
    assert target(b"sip:127.0.0.10:5067", method=method) is not None
    assert target(b"sip:127.0.0.77:5060", method=method) is None
    assert target(b"sip:+8613900139000@127.0.0.10:5067", method=method) is None
