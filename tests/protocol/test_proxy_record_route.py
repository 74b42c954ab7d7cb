"""The route set of a dialog: each side adds its own hosts, nobody takes ours out (RFC 3261 §16.7 step 8; DESIGN §5)."""

from __future__ import annotations

import pytest

from gateway.sip.message import Request
from tests.support.playbook import Playbook
from tests.support.sip_text import answer, callee_party, caller_party, inbound, invite

FOREIGN = b"<sip:127.0.0.66:5060;lr>"
AGENT = b"<sip:agent@127.0.0.2:5060>"
NETWORK_ROUTE = b"<sip:127.0.0.9:5070;lr>"


def rang(play: Playbook) -> Request:
    """An inbound call that came over a proxy of the carrier, as the agent got it."""
    play.carrier(inbound(extra=((b"Record-Route", NETWORK_ROUTE),)))
    return play.last("100 >carrier", "INVITE >caller")


def answered(sent: Request, routes: list[bytes], status: int = 200) -> bytes:
    """The agent's answer with another route set than it was given."""
    lines = answer(sent, status, contact=AGENT).split(b"\r\n")
    kept = [line for line in lines if not line.startswith(b"Record-Route:")]
    put = [b"Record-Route: " + route for route in routes]
    return b"\r\n".join([kept[0], *put, *kept[1:]])


@pytest.mark.parametrize("status", [183, 200])
@pytest.mark.parametrize(
    ("how", "lost"),
    [
        ("as it was", 0),
        ("foreign below", 0),
        ("foreign above", 0),
        ("foreign around, and without the network's", 0),
        ("ours removed", 1),
        ("nothing but a foreign one", 1),
        ("none", 1),
        ("a stranger's maddr", 0),
    ],
)
def test_whatever_the_callee_does_the_network_gets_the_same_route_set(
    play: Playbook, how: str, lost: int, status: int
) -> None:
    sent = rang(play)
    ours, network = sent.get_all(b"Record-Route")
    assert network == NETWORK_ROUTE
    routes = {
        "as it was": [ours, network],
        "foreign below": [ours, FOREIGN, network],
        "foreign above": [FOREIGN, ours, network],
        "foreign around, and without the network's": [FOREIGN, ours, FOREIGN],
        "ours removed": [network],
        "nothing but a foreign one": [FOREIGN],
        "none": [],
        "a stranger's maddr": [b"<sip:127.0.0.2;lr;maddr=127.0.0.66>", ours, network],
    }[how]
    play.caller(answered(sent, routes, status))
    passed = play.response(f"{status} >carrier")
    mine, theirs = passed.get_all(b"Record-Route")
    assert theirs == NETWORK_ROUTE
    assert mine.startswith(b"<sip:127.0.0.1:5060;lr;cg=")
    assert mine != ours
    assert play.core.counters.record_route_lost == lost
    party = caller_party(inbound(), passed, via=b"SIP/2.0/UDP 127.0.0.9:5060")
    party.routes = party.routes[1:]  # the network's own proxy has taken itself off
    play.carrier(party.request(b"BYE", b"z9hG4bK-b"))
    play.caller(answer(play.request("BYE >caller"), 200))
    play.response("200 >carrier")


def test_the_callees_own_proxy_stays_above_ours(play: Playbook) -> None:
    sent = rang(play)
    ours, network = sent.get_all(b"Record-Route")
    proxy = b"<sip:pbx@127.0.0.2:5070;lr>"
    play.caller(answered(sent, [FOREIGN, proxy, ours, network]))
    passed = play.response("200 >carrier")
    first, _, last = passed.get_all(b"Record-Route")
    assert (first, last) == (proxy, NETWORK_ROUTE)
    party = caller_party(inbound(), passed, via=b"SIP/2.0/UDP 127.0.0.9:5060")
    party.routes = party.routes[1:]
    play.carrier(party.request(b"BYE", b"z9hG4bK-b"))
    bye = play.request("BYE >127.0.0.2:5070")
    assert bye.get_all(b"Route") == [proxy]
    play.receive(answer(bye, 200), "127.0.0.2", 5070)
    play.response("200 >carrier")


def test_an_access_trunk_brings_no_route_but_its_own(play: Playbook) -> None:
    own = b"<sip:pbx@127.0.0.2:5070;lr>"
    extra = (
        *((b"Record-Route", FOREIGN), (b"Record-Route", own), (b"Record-Route", b"<sip:127.0.0.9;lr>")),
        *((b"Path", FOREIGN), (b"Path", own), (b"Path", own + b", " + FOREIGN)),
    )
    text = invite(extra=extra)
    play.caller(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    ours, kept = sent.get_all(b"Record-Route")
    assert kept == own
    assert sent.get_all(b"Path") == [own]
    play.carrier(answer(sent, 200))
    assert play.response("200 >caller").get_all(b"Record-Route")[1] == own
    callee = callee_party(sent)
    play.carrier(callee.request(b"BYE", b"z9hG4bK-b"))
    bye = play.request("BYE >127.0.0.2:5070")
    assert bye.get_all(b"Route") == [own]
    play.receive(answer(bye, 200), "127.0.0.2", 5070)
    play.response("200 >carrier")
    assert ours in callee.routes


def test_what_the_network_brings_is_passed_on(play: Playbook) -> None:
    play.carrier(inbound(extra=((b"Record-Route", FOREIGN), (b"Path", FOREIGN))))
    sent = play.last("100 >carrier", "INVITE >caller")
    assert sent.get_all(b"Record-Route")[1:] == [FOREIGN]
    assert sent.get_all(b"Path") == [FOREIGN]
