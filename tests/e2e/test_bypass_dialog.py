"""Ways around a gate inside a dialog that was gated: judged at the carrier's leg, over every wire."""

from __future__ import annotations

import itertools

import pytest

from tests.support.attack import Attacker
from tests.support.carrier_leg import readable
from tests.support.gateway_process import GatewayProcess
from tests.support.sip_text import Party, callee_party
from tests.support.telephony import ALPHA, BETA, CONSENTED, UNKNOWN
from tests.support.wire import UdpWire

Changes = dict[str, object]

CALLER, CALLEE, OTHER = ALPHA.encode(), CONSENTED.encode(), BETA.encode()
FROM, TO = b"<sip:%b@127.0.0.1%b>;tag=ft", b"<sip:%b@127.0.0.1%b>;tag=answering"
STRANGER = UNKNOWN.encode()

CHANGED: dict[str, Changes] = {
    "From of another": {"from_": FROM % (OTHER, b"")},
    "Anonymous From": {"from_": b'"Anonymous" ' + FROM % (CALLER, b"")},
    "unknown From parameter hides the rest": {
        "from_": b'"Anonymous" ' + FROM % (CALLER, b";x=y"),
        "contact": b"<sip:%b@127.0.0.2>" % OTHER,
        "extra": ((b"Privacy", b"id"),),
    },
    "From verstat and rn": {"from_": FROM % (CALLER, b";verstat=TN-Validation-Passed;rn=" + OTHER)},
    "verstat behind the tag": {"from_": FROM % (CALLER, b"") + b";verstat=TN-Validation-Passed"},
    "From tag as a URI parameter": {"from_": b"<sip:%b@127.0.0.1;tag=ft>" % CALLER},
    "two From tags": {"from_": FROM % (CALLER, b"") + b";tag=x"},
    "another From tag": {"from_": FROM.replace(b"=ft", b"=other") % (CALLER, b"")},
    "To of another": {"to": TO % (STRANGER, b"")},
    "To rn": {"to": TO % (CALLEE, b";rn=%b;npdi" % OTHER)},
    "another To tag": {"to": TO.replace(b"answering", b"other") % (CALLEE, b"")},
    "empty To tag": {"to": TO.replace(b"answering", b"") % (CALLEE, b"")},
    "Contact of another": {"contact": b"<sip:%b@127.0.0.2>" % OTHER},
    "Contact Replaces": {"contact": b"<sip:127.0.0.2?Replaces=abc>"},
    "Privacy": {"extra": ((b"Privacy", b"id"),)},
    "another PAI": {"extra": ((b"P-Asserted-Identity", b"<sip:%b@127.0.0.2>" % OTHER),)},
    "another Diversion": {"extra": ((b"Diversion", b"<sip:%b@127.0.0.2>" % OTHER),)},
    "Replaces": {"extra": ((b"Replaces", b"1@a;from-tag=1;to-tag=2"),)},
    "Join": {"extra": ((b"Join", b"1@a;from-tag=1;to-tag=2"),)},
    "GTD body": {"extra": ((b"Content-Type", b"application/gtd"),), "body": b"CGN,1\r\n"},
    "another Call-ID": {"call_id": b"another@127.0.0.2"},
    "another target": {"target": b"sip:%b@127.0.0.9:5060" % STRANGER},
    "another target, tel": {"target": b"tel:" + STRANGER},
    "another host": {"target": b"sip:127.0.0.66:5060"},
    "maddr": {"target": b"sip:127.0.0.9:5060;maddr=127.0.0.66"},
    "headers of the target": {"target": b"sip:127.0.0.9:5060?Route=%3Csip:127.0.0.66%3E"},
    "no Max-Forwards left": {"max_forwards": 0},
}
"""To INVITE and UPDATE: identity, callee, dialog and target that were not gated."""

UNCHANGED: dict[str, Changes] = {
    "plain": {},
    "no Contact number": {"contact": b"<sip:127.0.0.2:5060>"},
    "equal PAI": {"extra": ((b"P-Asserted-Identity", b"<sip:%b@127.0.0.2>" % CALLER),)},
    "percent-escaped digits": {"from_": b"<sip:+%%38%b@127.0.0.1>;tag=ft" % CALLER[2:]},
}

_numbers = itertools.count(1)


async def up(attacker: Attacker) -> tuple[Party, Party]:
    """(caller, callee) of a call that stays up."""
    attacker.carrier.seen.clear()
    caller = await attacker.call_up(b"dialog-%d" % next(_numbers))
    await attacker.good_call()  # by then its ACK has arrived
    return caller, callee_party(readable(attacker.carrier.requests(b"INVITE")[-1]), b"answering")


@pytest.mark.parametrize("method", [b"INVITE", b"UPDATE"], ids=bytes.decode)
async def test_nobody_becomes_another(attacker: Attacker, method: bytes) -> None:
    caller, _ = await up(attacker)
    wrong = []
    for name, changes in CHANGED.items():
        seen = await attacker.in_dialog(caller, method, **changes)
        if seen.status < 400 or seen.reached:
            wrong.append((name, seen.statuses, seen.reached))
    for name, changes in UNCHANGED.items():
        seen = await attacker.in_dialog(caller, method, **changes)
        if seen.status != 200 or seen.reached[0].split(b" ", 1)[0] != method:
            wrong.append((name, seen.statuses, seen.reached))
    assert not wrong


ROUTES: dict[str, tuple[bytes, bool]] = {
    "below ours": (b"<sip:127.0.0.66:5060;lr>", False),
    "above ours": (b"<sip:127.0.0.66:5060;lr>", True),
    "strict, below ours": (b"<sip:%b@127.0.0.66:5060>" % STRANGER, False),
    "of the carrier, dialled by a strict router": (b"<sip:%b@127.0.0.9:5060>" % STRANGER, False),
}


@pytest.mark.parametrize("name", ROUTES)
async def test_an_added_route(attacker: Attacker, name: str) -> None:
    caller, _ = await up(attacker)
    route, above = ROUTES[name]
    routes = [route, *caller.routes] if above else [*caller.routes, route]
    for method in (b"INVITE", b"UPDATE", b"BYE", b"ACK"):
        seen = await attacker.in_dialog(caller, method, routes=routes)
        assert seen.reached == [], method
        assert method == b"ACK" or seen.status >= 400


async def test_the_other_sides_cookie(attacker: Attacker) -> None:
    """What the carrier was given (or an accomplice there tells) opens nothing from the access side, nor swapped."""
    caller, callee = await up(attacker)
    assert caller.routes != callee.routes
    swapped = {"from_": caller.remote, "to": caller.local}
    for changes in ({"routes": callee.routes}, {"routes": callee.routes, **swapped}, {"routes": [], **swapped}):
        for method in (b"INVITE", b"UPDATE", b"BYE", b"ACK"):
            seen = await attacker.in_dialog(caller, method, **changes)
            assert seen.reached == [], (method, changes)
            assert method == b"ACK" or seen.statuses == (481,)


async def test_another_trunk(attacker: Attacker, running: GatewayProcess) -> None:
    """Everything is right but whence it comes: cc-beta has what cc-alpha was given."""
    caller, callee = await up(attacker)
    wire = await UdpWire.open(("127.0.0.1", running.sip_port), "127.0.0.3")
    try:
        via = f"SIP/2.0/UDP {wire.address};rport".encode()
        for routes in (caller.routes, callee.routes, []):
            for method in (b"INVITE", b"UPDATE", b"BYE", b"ACK"):
                attacker.carrier.seen.clear()
                await wire.send(caller.request(method, b"z9hG4bK-b%d" % next(_numbers), via=via, routes=routes))
                if method != b"ACK":
                    assert (await wire.get(3)).startswith(b"SIP/2.0 481 ")
                await attacker.good_call()
                assert attacker.carrier.seen == []
    finally:
        wire.close()
    assert (await attacker.in_dialog(caller, b"BYE")).status == 200


async def test_after_the_bye(attacker: Attacker) -> None:
    caller, _ = await up(attacker)
    ended = await attacker.in_dialog(caller, b"BYE")
    assert ended.status == 200
    assert [data.split(b" ", 1)[0] for data in ended.reached] == [b"BYE"]
    for method in (b"INVITE", b"UPDATE"):
        seen = await attacker.in_dialog(caller, method)
        assert (seen.statuses, seen.reached) == ((481,), []), method


async def test_a_transfer(attacker: Attacker) -> None:
    caller, _ = await up(attacker)
    refer = ((b"Refer-To", b"<sip:%b@127.0.0.1>" % STRANGER),)
    seen = await attacker.in_dialog(caller, b"REFER", extra=refer)
    assert (seen.statuses, seen.reached) == ((403,), [])
    assert (await attacker.in_dialog(caller, b"INVITE", extra=refer)).status in (200, 403)
    for data in attacker.carrier.seen:
        assert STRANGER not in data


@pytest.mark.parametrize("method", [b"MESSAGE", b"SUBSCRIBE", b"NOTIFY", b"PUBLISH", b"update", b"invite", b"FETCH"])
async def test_other_methods(attacker: Attacker, method: bytes) -> None:
    caller, _ = await up(attacker)
    seen = await attacker.in_dialog(caller, method)
    assert (seen.statuses, seen.reached) == ((405,), [])
