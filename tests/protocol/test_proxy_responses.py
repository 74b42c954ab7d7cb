"""Responses on their way back (RFC 3261 §16.7, RFC 6026): what is passed, what is rewritten, forks and repetitions."""

from __future__ import annotations

import pytest

from gateway.proxy.invite_branch import MAX_RETURN_COOKIES, Branch
from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, answer, caller_party, invite, request


def test_the_response_path_has_the_callers_cookie(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    carrier_route = (b"Record-Route", b"<sip:127.0.0.9;lr>")
    sent.headers.insert(0, carrier_route)
    play.carrier(answer(sent, 180))
    ringing = play.response("180 >caller")
    play.carrier(answer(sent, 200))
    sent.headers.pop(0)
    ok = play.response("200 >caller")
    sent_route = sent.get(b"Record-Route") or b""
    routes = ok.get_all(b"Record-Route")
    assert routes == ringing.get_all(b"Record-Route")  # one dialog, one cookie
    assert len(routes) == 2
    assert routes[1] != sent_route
    assert len(routes[1]) == len(sent_route)
    assert routes[0] == b"<sip:127.0.0.9;lr>"
    assert ok.get_all(b"Via") == [b"SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1"]


def test_a_refusal_is_final_and_acknowledged_here(play: Playbook) -> None:
    play.gate.verdict = play.gate.refuse_now
    play.caller(invite())
    _, refused = play.expect("100 >caller", "403 >caller")
    assert refused.get(b"Reason") == b"Q.850;cause=21"
    assert refused.to.tag
    play.caller(request(b"ACK", b"sip:" + CALLEE + b"@127.0.0.1", to=refused.get(b"To") or b""))
    play.expect()
    play.advance(40.0)
    play.expect()  # no retransmission: the ACK was for us
    assert play.gate.outcomes == []


def test_a_refusal_without_ack_is_repeated(play: Playbook) -> None:
    play.gate.verdict = play.gate.refuse_now
    play.caller(invite())
    play.expect("100 >caller", "403 >caller")
    play.advance(1.5)
    play.expect("403 >caller", "403 >caller")
    play.caller(invite())
    play.expect("403 >caller")
    play.caller(request(b"ACK", b"sip:" + CALLEE + b"@127.0.0.1"))


@pytest.mark.parametrize("status", [300, 302, 401, 407, 404, 408, 433, 480, 486, 500, 502, 600, 603, 606])
def test_every_failure_but_503_is_final_and_passes_untouched(play2: Playbook, status: int) -> None:
    play2.caller(invite())
    sent = play2.last("100 >caller", "INVITE >carrier")
    extra = ((b"Reason", b'SIP;cause=603;text="x"'), (b"Retry-After", b"5"), (b"Contact", b"<sip:b@192.0.2.1>"))
    play2.carrier(answer(sent, status, extra=extra))
    ack, passed = play2.expect("ACK >carrier", f"{status} >caller")
    assert ack.uri == sent.uri  # type: ignore[union-attr]
    assert ack.get_all(b"Via") == sent.get_all(b"Via")[:1]
    assert ack.to.tag == b"tt"
    assert ack.get(b"CSeq") == b"1 ACK"
    for name, value in extra:
        assert passed.get(name) == value
    assert passed.to.tag == b"tt"
    play2.carrier(answer(sent, status))
    play2.expect("ACK >carrier")
    play2.caller(request(b"ACK", b"sip:" + CALLEE + b"@127.0.0.1"))
    assert play2.gate.outcomes == [("failed", status)]


def test_a_2xx_is_passed_on_each_time_and_its_ack_with_the_invites_branch_too(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    for _ in range(3):
        play.carrier(answer(sent, 200))
    ok, _, _ = play.expect("200 >caller", "200 >caller", "200 >caller")
    assert play.wire[0] == play.wire[1] == play.wire[2]
    caller = caller_party(invite(), ok)  # type: ignore[arg-type]
    play.caller(caller.request(b"ACK", b"z9hG4bK-1", cseq=1))  # RFC 2543 clients; RFC 6026 §7.1 passes it
    ack = play.request("ACK >carrier")
    assert ack.via.branch != sent.via.branch
    play.caller(invite())
    play.expect()  # a repeated INVITE is absorbed in Accepted
    assert play.gate.outcomes == [("answered", 200)]
    play.advance(33.0)
    play.carrier(answer(sent, 200))
    play.dropped("stray-response")


def test_two_2xx_of_a_fork_make_two_dialogs(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    parties = []
    for tag in (b"t1", b"t2"):
        play.carrier(answer(sent, 200, tag=tag))
        ok = play.response("200 >caller")
        assert ok.to.tag == tag
        parties.append(caller_party(invite(), ok))
    first, second = parties
    assert first.routes != second.routes
    for number, party in enumerate(parties):
        play.caller(party.request(b"ACK", b"z9hG4bK-ack%d" % number, cseq=1))
        assert play.request("ACK >carrier").to.tag == (b"t1", b"t2")[number]
    play.caller(first.request(b"BYE", b"z9hG4bK-bye", routes=second.routes))
    play.response("481 >caller")  # the other leg's cookie
    play.caller(second.request(b"BYE", b"z9hG4bK-bye2"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")
    assert play.gate.outcomes == [("answered", 200)]


def test_more_legs_than_cookies_are_kept_for(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    for number in (*range(20), 19):
        play.carrier(answer(sent, 180, tag=b"t%d" % number))
        ringing = play.response("180 >caller")
    (client,) = play.layer.clients.values()
    assert isinstance(client.user, Branch)
    assert len(client.user._returned) == MAX_RETURN_COOKIES
    party = caller_party(invite(), ringing)
    play.caller(party.request(b"PRACK", b"z9hG4bK-prack"))
    play.carrier(answer(play.request("PRACK >carrier"), 200))
    play.response("200 >caller")


def test_a_response_without_the_callers_via_is_not_passed(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200, vias=1))
    play.dropped("response-for-us")  # §16.7 step 3


def test_a_callee_without_record_route_is_counted_and_gets_it_all_the_same(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    text = answer(sent, 200).replace(b"Record-Route: ", b"X-Lost: ")
    play.carrier(text)
    caller = caller_party(invite(), play.response("200 >caller"))
    assert play.core.counters.record_route_lost == 1
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")


def test_a_new_contact_in_the_2xx_is_the_one_that_is_bound(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180, contact=b"<sip:1111@127.0.0.9>"))
    early = caller_party(invite(), play.response("180 >caller"))
    play.carrier(answer(sent, 200, contact=b"<sip:2222@127.0.0.9>"))
    caller = caller_party(invite(), play.response("200 >caller"))
    assert early.routes != caller.routes
    play.caller(caller.request(b"BYE", b"z9hG4bK-old", target=early.target))
    play.response("403 >caller")
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")


def test_a_response_that_makes_no_dialog_gets_no_cookie(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180, tag=b""))
    assert play.response("180 >caller").get_all(b"Record-Route") == sent.get_all(b"Record-Route")
    play.carrier(answer(sent, 486, extra=((b"Record-Route", sent.get_all(b"Record-Route")[0]),)))
    assert play.expect("ACK >carrier", "486 >caller")[1].get_all(b"Record-Route") == sent.get_all(b"Record-Route")
    assert play.core.counters.record_route_lost == 0
