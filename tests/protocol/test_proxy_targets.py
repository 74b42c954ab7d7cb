"""Where a request inside a dialog may go: to its peer, and toward the core only to its own number (DESIGN §5)."""

from __future__ import annotations

import pytest

from tests.support.dialogs import call_up, refused
from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, Party, answer, callee_party, caller_party, inbound, invite


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
    refused(
        play, caller, "route-forced", 403, routes=[*caller.routes, *((route, lawful) if first else (lawful, route))]
    )


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
        b"a13900139000",
        b"/13900139000",
        b"$13900139000",
        b"13&900139000",
        b"_13900139000",
        b"1%3B13900139000",
        b"13;13900139000",
        b"'13900139000",
        b"%C2%A013900139000",
        b"%EF%BC%91%EF%BC%9390013900",
        b"0%2013900139000",
        b"%0013900139000",
        b"%2531%2533%2539",
        b"gw-13900139000",
        b"+8613800138000:13900139000",
        b"%C2%A0",
    ],
)
def test_a_foreign_number_toward_the_core(play: Playbook, caller: Party, user: bytes) -> None:
    refused(play, caller, "route-forced", 403, target=b"sip:" + user + b"@127.0.0.9")


@pytest.mark.parametrize("user", [b"+8613800138000", b"8613800138000", b"%2B8613800138000", b"gw", b"gw-13"])
def test_the_gated_number_or_no_number_toward_the_core(play: Playbook, caller: Party, user: bytes) -> None:
    play.caller(caller.request(b"INFO", b"z9hG4bK-i", target=b"sip:" + user + b"@127.0.0.9"))
    play.carrier(answer(play.request("INFO >carrier"), 200))
    play.response("200 >caller")


@pytest.mark.parametrize(
    "contact", [b"<sip:013800138000@127.0.0.9>", b"sip:7000@127.0.0.9;expires=3", b"<sip:1a%32b@127.0.0.9>"]
)
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


@pytest.mark.parametrize(
    "params",
    [
        *(b";lr", b";%6Cr", b";LR=on", b";rn=+8613900139000", b";user=dialstring", b";phone-context=+1", b";ttl=3"),
        *(b";%72n=1", b";method=INVITE", b";isub=1", b";cause=302", b";x"),
    ],
)
def test_a_parameter_toward_the_core_that_is_not_known_to_be_harmless(
    play: Playbook, caller: Party, params: bytes
) -> None:
    refused(play, caller, "route-forced", 403, target=caller.target + params)


@pytest.mark.parametrize("params", [b";transport=udp", b";user=phone", b";ob", b";gr=x", b";Transport=UDP;OB"])
def test_a_harmless_parameter_toward_the_core(play: Playbook, caller: Party, params: bytes) -> None:
    play.caller(caller.request(b"INFO", b"z9hG4bK-i", target=caller.target + params))
    play.carrier(answer(play.request("INFO >carrier"), 200))
    play.response("200 >caller")


@pytest.mark.parametrize("user", [b"+8613900139000", b"13900139000", b"110", b"%31%31%30", b"a1b1c0", b"%C2", b"p:1"])
@pytest.mark.parametrize("target", [b"sip:127.0.0.9:5060", b"sip:127.0.0.9:5060;lr"])
def test_a_route_that_a_strict_router_would_dial(play: Playbook, caller: Party, user: bytes, target: bytes) -> None:
    dialled = b"<sip:" + user + b"@127.0.0.9;lr>"
    for routes in ((dialled,), (b"<sip:127.0.0.9;lr>", dialled), (dialled, b"<sip:127.0.0.9;lr>")):
        refused(play, caller, "route-forced", 403, target=target, routes=[*caller.routes, *routes])


def test_what_the_core_said_of_itself_is_lawful_as_it_is(play: Playbook) -> None:
    text = invite()
    play.caller(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    sent.headers.insert(0, (b"Record-Route", b"<sip:+8613900139000@127.0.0.9:5070;lr;did=5>"))
    play.carrier(answer(sent, 200, contact=b"<sip:139000@127.0.0.9:5071;alias=1~2;x>"))
    caller = caller_party(text, play.response("200 >caller"))
    play.caller(caller.request(b"INFO", b"z9hG4bK-i"))
    info = play.request("INFO >127.0.0.9:5070")
    assert info.uri == b"sip:139000@127.0.0.9:5071;alias=1~2;x"
    play.receive(answer(info, 200), "127.0.0.9", 5070)
    play.response("200 >caller")
    refused(play, caller, "route-forced", 403, target=caller.target.replace(b"139000", b"139001"))
    refused(play, caller, "route-forced", 403, routes=[r.replace(b"900", b"901") for r in caller.routes])


@pytest.mark.parametrize("target", [b"sip:127.0.0.9:7777", b"sip:+8613800138000@127.0.0.9:5061", b"sip:127.0.0.10"])
def test_another_port_or_host_of_the_trunk_toward_the_core(play: Playbook, caller: Party, target: bytes) -> None:
    for number, method in enumerate((b"INVITE", b"UPDATE", b"INFO")):
        play.gate.refusals.clear()
        play.caller(caller.request(method, b"z9hG4bK-p%d" % number, target=target))
        play.response("403 >caller")
        assert play.gate.refusals == [("route-forced", "in-dialog target")]
    refused(play, caller, "route-forced", 403, routes=[*caller.routes, b"<" + target + b";lr>"])


def test_toward_access_the_user_is_free_and_the_address_is_the_dialogs(play: Playbook) -> None:
    _, callee = call_up(play, contact=b"<sip:agent@127.0.0.2:5099>")
    for number, host in enumerate((b"127.0.0.2:5099", b"127.0.0.2")):  # its Contact, its next hop
        play.carrier(callee.request(b"INFO", b"z9hG4bK-i%d" % number, target=b"sip:13900139000@" + host))
        name = "127.0.0.2:5099" if number == 0 else "caller"
        play.caller(answer(play.request(f"INFO >{name}"), 200))
        play.response("200 >carrier")
    play.carrier(callee.request(b"INFO", b"z9hG4bK-j", target=b"sip:agent@127.0.0.2:7777"))
    play.response("403 >carrier")
    assert play.gate.refusals == [("route-forced", "in-dialog target")]


def test_a_route_of_ours_on_an_initial_invite_is_taken_off(play: Playbook) -> None:
    play.caller(invite(extra=((b"Route", b"<sip:127.0.0.1;lr>"), (b"Route", b"<sip:192.0.2.1;lr>"))))
    sent = play.last("100 >caller", "INVITE >carrier")
    assert sent.get_all(b"Route") == [b"<sip:192.0.2.1;lr>"]  # what is left is the gate's to refuse (route-forced)
    assert sent.uri == b"sip:" + CALLEE + b"@127.0.0.9:5060;user=phone"
