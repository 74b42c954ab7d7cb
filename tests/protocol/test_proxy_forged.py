"""Cookies that are forged, altered, borrowed or old, and in-dialog targets that are not the dialog's (DESIGN §5)."""

from __future__ import annotations

import pytest

from tests.protocol.test_proxy_dialog import call_up
from tests.support.playbook import Passed, Playbook
from tests.support.sip_text import CALLEE, CALLER, Party, answer, callee_party, caller_party, inbound, invite


def refused(play: Playbook, party: Party, rule: str, status: int, **changes: object) -> None:
    """A BYE is refused with this rule, and an ACK dropped."""
    play.gate.refusals.clear()
    branch = b"z9hG4bK-f%d" % party.cseq
    play.caller(party.request(b"BYE", branch, **changes))
    assert play.response(f"{status} >caller").to.tag
    assert [name for name, _ in play.gate.refusals] == [rule]
    play.caller(party.request(b"ACK", branch + b"a", **changes))
    play.dropped("ack-" + rule)
    assert play.gate.byes == []


@pytest.fixture
def caller(play: Playbook) -> Party:
    return call_up(play)[0]


def test_no_route(play: Playbook, caller: Party) -> None:
    refused(play, caller, "dialog-forged", 481, routes=[])


@pytest.mark.parametrize(
    "route",
    [
        b"<sip:127.0.0.1:5060;lr>",
        b"<sip:127.0.0.1:5060;lr;cg=>",
        b"<sip:127.0.0.1:5060;lr;cg>",
        b"<sip:127.0.0.1:5060;lr;cg=short>",
        b"<sip:127.0.0.1:5060;lr;cg=" + b"A" * 80 + b">",
        b"<sip:127.0.0.1:5060;lr;cg=" + b"%41" * 80 + b">",
        b"<sip:127.0.0.1:5060;lr;cg=" + b"-" * 80 + b">",
    ],
)
def test_an_invented_cookie(play: Playbook, caller: Party, route: bytes) -> None:
    refused(play, caller, "dialog-forged", 481, routes=[route])


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"127.0.0.1:5060", b"127.0.0.2:5060"),  # not ours
        (b"127.0.0.1:5060", b"127.0.0.1:5061"),
        (b"<sip:", b"<sip:user@"),
        (b";lr", b""),
        (b"cg=", b"gc="),
    ],
)
def test_a_cookie_in_a_route_that_is_not_ours(play: Playbook, caller: Party, was: bytes, becomes: bytes) -> None:
    refused(play, caller, "dialog-forged", 481, routes=[caller.routes[0].replace(was, becomes)])


def test_our_route_written_another_way_is_still_ours(play: Playbook, caller: Party) -> None:
    cookie = caller.routes[0].partition(b"cg=")[2]
    for number, route in enumerate(
        (
            b"<sip:127.0.0.1;cg=" + cookie[:-1] + b";lr>",
            b'"x" <SIP:127.0.0.1:5060;x=1;LR;CG=' + cookie + b";y=2",
            b"<sip:127.0.0.1;lr;cg=" + cookie,
            b"<sip:127.0.0.1;lr>, <sip:127.0.0.1;lr;cg=" + cookie,
        )
    ):
        play.caller(caller.request(b"INFO", b"z9hG4bK-w%d" % number, routes=[route]))
        play.carrier(answer(play.request("INFO >carrier"), 200))
        play.response("200 >caller")


def test_our_cookie_below_a_strangers_route(play: Playbook, caller: Party) -> None:
    refused(play, caller, "dialog-forged", 481, routes=[b"<sip:192.0.2.1;lr>", *caller.routes])


def test_every_altered_character(play: Playbook, caller: Party) -> None:
    route = caller.routes[0]
    start = route.index(b"cg=") + 3
    for index in range(start, len(route) - 1):
        other = b"B" if route[index : index + 1] != b"B" else b"C"
        play.caller(caller.request(b"BYE", b"z9hG4bK-x%d" % index, routes=[route[:index] + other + route[index + 1 :]]))
        play.response("481 >caller")
    assert play.gate.byes == []


@pytest.mark.parametrize("what", ["call_id", "from_", "to"])
def test_the_cookie_of_this_dialog_in_another(play: Playbook, caller: Party, what: str) -> None:
    changed = {
        "call_id": b"other@127.0.0.2",
        "from_": caller.local.replace(b"tag=ft", b"tag=xx"),
        "to": caller.remote.replace(b"tag=tt", b"tag=xx"),
    }[what]
    refused(play, caller, "dialog-forged", 481, **{what: changed})


def test_the_cookie_of_another_dialog_in_this(play: Playbook, caller: Party) -> None:
    other, _ = call_up(play, branch=b"z9hG4bK-other", call_id=b"other@127.0.0.2")
    refused(play, caller, "dialog-forged", 481, routes=other.routes)


def test_the_other_sides_cookie(play: Playbook) -> None:
    caller, callee = call_up(play)
    refused(play, caller, "dialog-forged", 481, routes=callee.routes)
    play.carrier(callee.request(b"BYE", b"z9hG4bK-bye", routes=caller.routes))
    play.response("481 >carrier")


def test_another_trunk_with_this_cookie(play: Playbook, caller: Party) -> None:
    play.beta(caller.request(b"BYE", b"z9hG4bK-bye", via=b"SIP/2.0/UDP 127.0.0.3:5060"))
    play.response("481 >beta")


def test_a_trunk_that_is_gone_from_the_registry(play: Playbook, caller: Party) -> None:
    play.peers = (play.access_peer, play.beta_peer)
    refused(play, caller, "dialog-forged", 481)


def test_swapped_directions(play: Playbook) -> None:
    caller, _ = call_up(play)
    refused(play, caller, "dialog-forged", 481, from_=caller.remote, to=caller.local)


def test_a_strict_router_is_not_followed(play: Playbook, caller: Party) -> None:
    ours = caller.routes[0][1:-1]
    refused(play, caller, "dialog-forged", 481, target=ours, routes=[b"<" + caller.target + b">"])


@pytest.mark.parametrize(
    ("method", "passes"),
    [(b"BYE", True), (b"PRACK", True), (b"INFO", False), (b"UPDATE", False), (b"INVITE", False), (b"OPTIONS", False)],
)
def test_an_old_cookie_passes_only_what_ends_or_confirms(play: Playbook, method: bytes, passes: bool) -> None:
    caller, callee = call_up(play)
    play.advance(86_400.0)
    name = method.decode()
    for party, side, other in ((caller, "caller", "carrier"), (callee, "carrier", "caller")):
        play.gate.refusals.clear()
        receive = play.caller if side == "caller" else play.carrier
        receive(party.request(b"INFO", b"z9hG4bK-in-time"))
        sent = play.request(f"INFO >{other}")
        (play.carrier if side == "caller" else play.caller)(answer(sent, 200))
        play.response(f"200 >{side}")
        play.now += 1.0
        receive(party.request(method, b"z9hG4bK-late"))
        if passes:
            sent = play.request(f"{name} >{other}")
            (play.carrier if side == "caller" else play.caller)(answer(sent, 200))
            play.response(f"200 >{side}")
        else:
            play.response(f"481 >{side}")
        receive(party.request(b"ACK", b"z9hG4bK-ack", cseq=1))
        play.request(f"ACK >{other}")
        play.now -= 1.0


@pytest.mark.parametrize("what", ["from_", "to"])
def test_a_changed_address_in_the_dialog(play: Playbook, caller: Party, what: str) -> None:
    value = caller.local if what == "from_" else caller.remote
    other = value.replace(CALLER, b"+8657112349999").replace(CALLEE, b"+8613900139000")
    refused(play, caller, "dialog-identity", 403, **{what: other})


@pytest.mark.parametrize("what", ["from_", "to"])
def test_an_equivalent_address_in_the_dialog(play: Playbook, caller: Party, what: str) -> None:
    value = (caller.local if what == "from_" else caller.remote).replace(b"<sip:", b'"Agent 7" <SIP:')
    play.caller(caller.request(b"INFO", b"z9hG4bK-i", **{what: value}))
    play.carrier(answer(play.request("INFO >carrier"), 200))
    play.response("200 >caller")


def test_a_changed_address_from_the_callee(play: Playbook) -> None:
    _, callee = call_up(play)
    other = callee.local.replace(CALLEE, b"+8613900139000")
    play.carrier(callee.request(b"UPDATE", b"z9hG4bK-u", from_=other))
    play.response("403 >carrier")
    assert play.gate.refusals == [("dialog-identity", "UPDATE")]


@pytest.mark.parametrize(
    "target",
    [
        b"sip:+8613800138000@192.0.2.1",  # a stranger's host
        b"sip:+8613800138000@127.0.0.3",  # another trunk's
        b"sip:+8613800138000@127.0.0.2",  # our own side's
        b"sip:+8613800138000@carrier.example",
        b"sip:+8613800138000@127.0.0.9;maddr=192.0.2.1",
        b"sip:+8613800138000@127.0.0.9;MADDR=127.0.0.9",
        b"sips:+8613800138000@127.0.0.9",
        b"tel:+8613800138000",
        b"sip:127.0.0.1",
    ],
)
def test_a_request_uri_that_names_a_stranger(play: Playbook, caller: Party, target: bytes) -> None:
    refused(play, caller, "route-forced", 403, target=target)


@pytest.mark.parametrize(
    "route",
    [
        b"<sip:192.0.2.1;lr>",
        b"<sip:127.0.0.3;lr>",
        b"<sip:127.0.0.9>",  # strict
        b"<sip:127.0.0.9;lr;maddr=192.0.2.1>",
        b"<sips:127.0.0.9;lr>",
        b"<sip:127.0.0.9;lr?Route=x>",
        b"<tel:+8613800138000>",
        b"<mailto:x@127.0.0.9>",
        b"<sip:127.0.0.9;lr",
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_route_below_ours_that_names_a_stranger(play: Playbook, caller: Party, route: bytes, first: bool) -> None:
    if route == b"<sip:127.0.0.9;lr":
        # A value that ends in the middle of an address is no address at all: the parser lets Route pass unread.
        play.caller(caller.request(b"BYE", b"z9hG4bK-b", routes=[*caller.routes, route]))
        play.response("403 >caller")
        return
    lawful = b"<sip:127.0.0.9:5070;lr>"
    refused(play, caller, "route-forced", 403, routes=[*caller.routes, *((route, lawful) if first else (lawful, route))])


@pytest.mark.parametrize(
    "user",
    [
        b"+8613900139000",
        b"13900139000",
        b"%2B8613900139000",
        b"+86-139-0013-9000",
        b"*6713900139000",
        b"+8613900139000;phone-context=+86",
        b"+8613800138000;ext=1",
        b"110",
        b"139x",
    ],
)
def test_a_foreign_number_toward_the_core(play: Playbook, caller: Party, user: bytes) -> None:
    refused(play, caller, "route-forced", 403, target=b"sip:" + user + b"@127.0.0.9")


@pytest.mark.parametrize("user", [b"+8613800138000", b"8613800138000", b"+86.138.0013.8000", b"gw", b"gw-13900139000"])
def test_the_gated_number_or_no_number_toward_the_core(play: Playbook, caller: Party, user: bytes) -> None:
    play.caller(caller.request(b"INFO", b"z9hG4bK-i", target=b"sip:" + user + b"@127.0.0.9"))
    play.carrier(answer(play.request("INFO >carrier"), 200))
    play.response("200 >caller")


@pytest.mark.parametrize("contact", [b"<sip:013800138000@127.0.0.9>", b"sip:7000@127.0.0.9;expires=3", b"<sip:1a%32b@127.0.0.9>"])
def test_the_number_in_the_bound_contact(play: Playbook, contact: bytes) -> None:
    text = invite()
    play.caller(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200, contact=contact))
    caller = caller_party(text, play.response("200 >caller"))
    target = contact.strip(b"<>").partition(b";")[0]
    play.caller(caller.request(b"BYE", b"z9hG4bK-b", target=target))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")
    play.gate.byes.clear()
    refused(play, caller, "route-forced", 403, target=target.replace(b"sip:", b"sip:999"))


def test_inbound_the_callers_contact_is_bound_and_another_number_is_not(play: Playbook) -> None:
    play.carrier(inbound())
    sent = play.last("100 >carrier", "INVITE >caller")
    play.caller(answer(sent, 200, contact=b"<sip:agent@127.0.0.2:5060>"))
    play.response("200 >carrier")
    agent = callee_party(sent, via=b"SIP/2.0/UDP 127.0.0.2:5060")
    assert agent.target == b"sip:13800138000@127.0.0.9:5060"  # not the From's form
    play.caller(agent.request(b"INVITE", b"z9hG4bK-re", target=b"sip:13900139000@127.0.0.9"))
    play.response("403 >caller")
    assert play.gate.refusals == [("route-forced", "in-dialog target")]
    play.caller(agent.request(b"BYE", b"z9hG4bK-b"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")


def test_toward_access_any_user_of_the_trunk_will_do(play: Playbook) -> None:
    _, callee = call_up(play)
    play.carrier(callee.request(b"INFO", b"z9hG4bK-i", target=b"sip:13900139000@127.0.0.2:5099"))
    play.caller(answer(play.request("INFO >127.0.0.2:5099"), 200))
    play.response("200 >carrier")


def test_addresses_that_the_screen_rewrote_are_bound_as_the_callee_sees_them(play: Playbook) -> None:
    def plain(request: object) -> Passed:
        headers = [
            (name, value.replace(b"%2B", b"+").replace(b"sip:agent-7@", b"sip:" + CALLER + b"@"))
            for name, value in request.headers  # type: ignore[attr-defined]
        ]
        return Passed(headers, b"")

    play.gate.screen = plain
    text = invite(from_=b"<sip:agent-7@127.0.0.1>;tag=ft", to=b"<sip:%2B8613800138000@127.0.0.1>")
    play.caller(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    assert CALLER in (sent.get(b"From") or b"")
    assert b"%2B" not in (sent.get(b"To") or b"")
    callee = callee_party(sent)
    response = answer(sent, 200).replace(CALLER + b"@127.0.0.1>;tag", b"agent-7@127.0.0.1>;tag")
    play.carrier(response.replace(b"To: <sip:+86", b"To: <sip:%2B86"))  # as the gate's screen puts them back
    caller = caller_party(text, play.response("200 >caller"))
    play.carrier(callee.request(b"INFO", b"z9hG4bK-i"))
    play.caller(answer(play.request("INFO >caller"), 200))
    play.response("200 >carrier")
    play.caller(caller.request(b"INFO", b"z9hG4bK-i"))
    play.carrier(answer(play.request("INFO >carrier"), 200))
    play.response("200 >caller")


@pytest.mark.parametrize("method", [b"REFER", b"INVITE", b"UPDATE"])
def test_what_the_screen_refuses(play: Playbook, caller: Party, method: bytes) -> None:
    play.gate.screen = lambda request: Passed([], b"", "transfer", "Replaces")
    play.caller(caller.request(method, b"z9hG4bK-r"))
    play.response("403 >caller")
    assert play.gate.refusals == [("transfer", "Replaces")]
    play.caller(caller.request(b"ACK", b"z9hG4bK-a", cseq=1))
    play.dropped("ack-transfer")


def test_a_route_of_ours_on_an_initial_invite_is_taken_off(play: Playbook) -> None:
    play.caller(invite(extra=((b"Route", b"<sip:127.0.0.1;lr>"), (b"Route", b"<sip:192.0.2.1;lr>"))))
    sent = play.last("100 >caller", "INVITE >carrier")
    assert sent.get_all(b"Route") == [b"<sip:192.0.2.1;lr>"]  # what is left is the gate's to refuse (route-forced)
    assert sent.uri == b"sip:" + CALLEE + b"@127.0.0.9:5060;user=phone"
