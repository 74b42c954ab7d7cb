"""Cookies that are forged, altered, borrowed or old, and in-dialog targets that are not the dialog's (DESIGN §5)."""

from __future__ import annotations

import pytest

from gateway.proxy.cookie import COOKIE_LENGTH
from gateway.proxy.validate import ALLOW
from gateway.sip.screened import Screened
from tests.support.dialogs import call_up, refused
from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, CALLER, Party, answer, callee_party, caller_party, invite


def test_no_route(play: Playbook, caller: Party) -> None:
    refused(play, caller, "dialog-forged", 481, routes=[])


@pytest.mark.parametrize(
    "route",
    [
        b"<sip:127.0.0.1:5060;lr>",
        b"<sip:127.0.0.1:5060;lr;cg=>",
        b"<sip:127.0.0.1:5060;lr;cg>",
        b"<sip:127.0.0.1:5060;lr;cg=short>",
        b"<sip:127.0.0.1:5060;lr;cg=" + b"A" * COOKIE_LENGTH + b">",
        b"<sip:127.0.0.1:5060;lr;cg=" + b"%41" * COOKIE_LENGTH + b">",
        b"<sip:127.0.0.1:5060;lr;cg=" + b"-" * COOKIE_LENGTH + b">",
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


def test_a_refer_in_a_dialog_is_a_transfer(play: Playbook) -> None:
    caller, callee = call_up(play)
    play.caller(caller.request(b"REFER", b"z9hG4bK-m"))
    play.response("403 >caller")
    play.carrier(callee.request(b"REFER", b"z9hG4bK-m"))
    play.response("403 >carrier")
    assert play.gate.refusals == [("transfer", "REFER")] * 2


@pytest.mark.parametrize("what", ["from_", "to"])
def test_a_changed_address_in_the_dialog(play: Playbook, caller: Party, what: str) -> None:
    value = caller.local if what == "from_" else caller.remote
    other = value.replace(CALLER, b"+8657112349999").replace(CALLEE, b"+8613900139000")
    refused(play, caller, "dialog-identity", 403, **{what: other})


@pytest.mark.parametrize("what", ["from_", "to"])
@pytest.mark.parametrize(
    "params", [b";x=y", b";verstat=TN-Validation-Passed", b";rn=+8613900139000;npdi", b";user=phone"]
)
def test_a_parameter_added_to_an_address_in_the_dialog(
    play: Playbook, caller: Party, what: str, params: bytes
) -> None:
    value = caller.local if what == "from_" else caller.remote
    refused(play, caller, "dialog-identity", 403, **{what: value.replace(b">", params + b">")})


def test_parameters_that_were_there_stay_in_any_order_and_no_other_values(play: Playbook) -> None:
    from_ = b"<sip:" + CALLER + b"@127.0.0.1;b=%32;a=1>;tag=ft"
    caller, callee = call_up(play, from_=from_)
    play.carrier(callee.request(b"INFO", b"z9hG4bK-c"))
    play.caller(answer(play.request("INFO >caller"), 200))
    play.response("200 >carrier")
    for number, written in enumerate((b";b=%32;a=1", b";A=1;b=2")):
        same = from_.replace(b";b=%32;a=1", written)
        play.caller(caller.request(b"INFO", b"z9hG4bK-i%d" % number, from_=same))
        play.carrier(answer(play.request("INFO >carrier"), 200))
        play.response("200 >caller")
    refused(play, caller, "dialog-identity", 403, from_=from_.replace(b"a=1", b"a=2"))


@pytest.mark.parametrize("method", [b"MESSAGE", b"NOTIFY", b"SUBSCRIBE", b"invite", b"bye", b"13900139000"])
def test_other_methods_in_a_dialog_are_405(play: Playbook, method: bytes) -> None:
    caller, callee = call_up(play)
    known = method.decode() if method.isupper() else "other"
    play.caller(caller.request(method, b"z9hG4bK-m"))
    assert play.response("405 >caller").get(b"Allow") == ALLOW
    play.carrier(callee.request(method, b"z9hG4bK-m"))
    play.response("405 >carrier")
    assert play.gate.refusals == [("method", known)] * 2
    assert play.core.counters.received_requests == {b"INVITE": 1, known.encode(): 2}
    assert play.core.counters.sent_requests == {b"INVITE": 1}


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


def test_addresses_that_the_screen_rewrote_are_bound_as_the_callee_sees_them(play: Playbook) -> None:
    def plain(request: object) -> Screened:
        headers = [
            (name, value.replace(b"%2B", b"+").replace(b"sip:agent-7@", b"sip:" + CALLER + b"@"))
            for name, value in request.headers  # type: ignore[attr-defined]
        ]
        return Screened(headers, b"")

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


@pytest.mark.parametrize("method", [b"INFO", b"INVITE", b"UPDATE"])
def test_what_the_screen_refuses(play: Playbook, caller: Party, method: bytes) -> None:
    play.gate.screen = lambda request: Screened([], b"", "transfer", "Replaces")
    play.caller(caller.request(method, b"z9hG4bK-r"))
    play.response("403 >caller")
    assert play.gate.refusals == [("transfer", "Replaces")]
    play.caller(caller.request(b"ACK", b"z9hG4bK-a", cseq=1))
    play.dropped("ack-transfer")
