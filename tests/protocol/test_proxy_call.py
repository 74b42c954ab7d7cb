"""An ordinary call, message by message (RFC 3261 §16.6, §16.7, §16.11; DESIGN §1, §5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.proxy.call import Call
from gateway.proxy.ports import Refused
from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, SDP, answer, callee_party, caller_party, inbound, invite, request

Make = Callable[..., Playbook]


def test_a_call_from_invite_to_bye(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 100))
    play.expect()  # §16.7 step 5: 100 ends here
    play.carrier(answer(sent, 180))
    play.response("180 >caller")
    play.carrier(answer(sent, 200, body=SDP))
    ok = play.response("200 >caller")
    assert ok.body == SDP
    caller = caller_party(invite(), ok)
    play.caller(caller.request(b"ACK", b"z9hG4bK-ack", cseq=1))
    ack = play.request("ACK >carrier")
    assert ack.uri == b"sip:" + CALLEE + b"@127.0.0.9:5060"
    assert ack.get_all(b"Route") == []
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    bye = play.request("BYE >carrier")
    play.carrier(answer(bye, 200))
    assert play.response("200 >caller").cseq_method == b"BYE"
    assert play.gate.outcomes == [("answered", 200)]
    assert play.gate.byes == [(play.gate.decisions[0], "cc-alpha")]
    assert play.core.counters.dropped == {}
    assert play.core.counters.record_route_lost == 0


def test_the_callee_hangs_up(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    play.response("200 >caller")
    callee = callee_party(sent)
    play.carrier(callee.request(b"BYE", b"z9hG4bK-bye"))
    bye = play.request("BYE >caller")
    assert bye.uri == b"sip:agent@127.0.0.2:5060"
    play.caller(answer(bye, 200))
    play.response("200 >carrier")
    assert play.gate.byes == [(play.gate.decisions[0], "carrier")]


def test_100_leaves_before_the_gate_has_spoken(play: Playbook) -> None:
    play.gate.verdict = play.gate.park
    play.caller(invite(extra=((b"Timestamp", b"54"),)))
    trying = play.response("100 >caller")
    assert trying.to.tag == b""
    assert trying.get(b"Timestamp") == b"54"
    play.caller(invite(extra=((b"Timestamp", b"54"),)))
    play.expect("100 >caller")  # the repeated INVITE is answered, not asked again
    (call,) = play.gate.parked
    play.gate.admit_now(call, play.now)
    play.request("INVITE >carrier")
    play.caller(invite())
    play.expect("100 >caller")


def test_what_leaves_and_nothing_else_changes(play: Playbook) -> None:
    extra = (
        (b"Via", b"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK-inner"),
        (b"Record-Route", b"<sip:127.0.0.2:5070;lr>"),
        (b"X-Odd", b" a, b ;c "),
        (b"Subject", b"one"),
    )
    play.caller(invite(via=b"SIP/2.0/UDP agent.example:5066", branch=b"z9hG4bK-1;rport", extra=extra), port=6000)
    trying, sent = play.expect("100 >127.0.0.2:6000", "INVITE >carrier")
    stamped = b"SIP/2.0/UDP agent.example:5066;branch=z9hG4bK-1;rport=6000;received=127.0.0.2"
    assert trying.get_all(b"Via") == [stamped, b"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK-inner"]
    vias = sent.get_all(b"Via")
    assert vias[1:] == trying.get_all(b"Via")
    assert vias[0].startswith(b"SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK")
    routes = sent.get_all(b"Record-Route")
    assert len(routes) == 2
    assert routes[0].startswith(b"<sip:127.0.0.1:5060;lr;cg=")
    assert routes[1] == b"<sip:127.0.0.2:5070;lr>"
    assert sent.get(b"Max-Forwards") == b"69"
    assert sent.get(b"X-Odd") == b"a, b ;c"
    assert sent.body == SDP
    assert sent.uri == b"sip:" + CALLEE + b"@127.0.0.9:5060;user=phone"  # type: ignore[union-attr]
    for name in (b"From", b"To", b"Call-ID", b"CSeq", b"Contact", b"Subject"):
        assert sent.get(name) == trying.get(name) or name in (b"Contact", b"Subject")


def test_without_rport_answers_go_to_the_port_of_via(play: Playbook) -> None:
    play.caller(invite(via=b"SIP/2.0/UDP 127.0.0.2:5070"), port=6000)
    trying, _ = play.expect("100 >127.0.0.2:5070", "INVITE >carrier")
    assert trying.get(b"Via") == b"SIP/2.0/UDP 127.0.0.2:5070;branch=z9hG4bK-1"


def test_a_via_that_lies_does_not_choose_where_answers_go(play: Playbook) -> None:
    play.caller(invite(via=b"SIP/2.0/UDP 192.0.2.1;maddr=192.0.2.2;received=192.0.2.3"))
    play.expect("100 >caller", "INVITE >carrier")


@pytest.mark.parametrize(("received", "left"), [(70, b"69"), (1, b"0"), (None, b"70"), (255, b"254")])
def test_max_forwards(play: Playbook, received: int | None, left: bytes) -> None:
    play.caller(invite(max_forwards=received))
    sent = play.last("100 >caller", "INVITE >carrier")
    assert sent.get_all(b"Max-Forwards") == [left]


def test_the_sides_get_two_record_routes_when_they_differ(playbook: Make) -> None:
    play = playbook(core_sent_by=b"127.0.0.1:5080")
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    first, second = sent.get_all(b"Record-Route")
    assert first.startswith(b"<sip:127.0.0.1:5080;lr;cg=")  # RFC 5658: the outgoing side on top
    assert second.startswith(b"<sip:127.0.0.1:5060;lr;cg=")
    play.carrier(answer(sent, 200))
    caller = caller_party(invite(), play.response("200 >caller"))
    assert caller.routes[0].startswith(b"<sip:127.0.0.1:5060;lr;cg=")
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    bye = play.request("BYE >carrier")
    assert bye.get_all(b"Route") == []  # both were ours
    play.carrier(answer(bye, 200))
    play.response("200 >caller")


def test_record_route_names_tcp_on_a_stream(playbook: Make) -> None:
    play = playbook(reliable=True)
    play.caller(invite(via=b"SIP/2.0/TCP 127.0.0.2:5060"))
    sent = play.last("100 >caller", "INVITE >carrier")
    assert (sent.get(b"Record-Route") or b"").startswith(b"<sip:127.0.0.1:5060;transport=tcp;lr;cg=")
    play.advance(30.0)
    play.expect()  # nothing is repeated on a stream
    play.carrier(answer(sent, 200))
    caller = caller_party(invite(), play.response("200 >caller"))
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")


def test_a_call_that_comes_in(play: Playbook) -> None:
    play.carrier(inbound())
    sent = play.last("100 >carrier", "INVITE >caller")
    assert sent.uri == b"sip:+8657112340001@127.0.0.2:5060;user=phone"
    play.caller(answer(sent, 200, contact=b"<sip:agent@127.0.0.2:5060>"))
    ok = play.response("200 >carrier")
    agent = callee_party(sent, via=b"SIP/2.0/UDP 127.0.0.2:5060")
    network = caller_party(inbound(), ok, via=b"SIP/2.0/UDP 127.0.0.9:5060")
    play.carrier(network.request(b"ACK", b"z9hG4bK-ack", cseq=1))
    play.request("ACK >caller")
    play.caller(agent.request(b"BYE", b"z9hG4bK-bye"))
    bye = play.request("BYE >carrier")
    assert bye.uri == b"sip:13800138000@127.0.0.9:5060"
    play.carrier(answer(bye, 200))
    play.response("200 >caller")


def test_rfc_2543_invite_ack_and_cancel_match_without_a_branch(play: Playbook) -> None:
    play.gate.verdict = play.gate.refuse_now
    play.caller(invite(branch=None, max_forwards=None))
    _, refused = play.expect("100 >caller", "403 >caller")
    play.caller(invite(branch=None, max_forwards=None))
    play.expect("403 >caller")
    uri = b"sip:" + CALLEE + b"@127.0.0.1"
    play.caller(request(b"ACK", uri, branch=None, to=refused.get(b"To") or b""))
    play.advance(10.0)
    play.expect()
    play.gate.verdict = play.gate.admit_now
    play.caller(invite(branch=None, cseq=2))
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180))
    play.response("180 >caller")
    play.caller(request(b"CANCEL", uri, branch=b"x", cseq=2))  # no magic cookie: RFC 2543 rules as well
    play.expect("200 >caller", "CANCEL >carrier")
    play.carrier(answer(sent, 487))
    play.expect("ACK >carrier", "487 >caller")


def test_the_transaction_of_another_peer_cannot_be_reached(play: Playbook) -> None:
    play.caller(invite())
    play.expect("100 >caller", "INVITE >carrier")
    play.beta(request(b"CANCEL", b"sip:" + CALLEE + b"@127.0.0.1"))
    assert play.response("481 >beta").status == 481
    play.beta(invite())
    play.expect("100 >beta", "INVITE >carrier")  # a call of its own


def test_a_repeated_invite_after_a_restart_is_the_same_call(play: Playbook) -> None:
    play.caller(invite())
    before = play.last("100 >caller", "INVITE >carrier")
    play.new_core()
    play.advance(4.0)
    play.caller(invite())
    after = play.last("100 >caller", "INVITE >carrier")
    assert after.via.branch == before.via.branch
    first, second = play.gate.decisions
    assert first == second
    # The carrier knows this INVITE already, and answers the one it has: with the cookie made before the restart.
    assert before.get(b"Record-Route") != after.get(b"Record-Route")
    play.carrier(answer(before, 200))
    ok = play.response("200 >caller")
    assert play.core.counters.record_route_lost == 0
    caller = caller_party(invite(), ok)
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")


def test_a_gate_that_fails_refuses_the_call(play: Playbook) -> None:
    def broken(call: object, now: float) -> None:
        raise ZeroDivisionError

    play.gate.verdict = broken
    with pytest.raises(ZeroDivisionError):
        play.caller(invite())
    play.expect("100 >caller", "500 >caller")


def test_a_verdict_counts_once(play: Playbook) -> None:
    play.gate.verdict = play.gate.park
    play.caller(invite())
    play.expect("100 >caller")
    (call,) = play.gate.parked
    call.refuse(Refused(403, b"Forbidden", []), 0.0)
    play.expect("403 >caller")
    call.refuse(Refused(486, b"Busy", []), 0.0)
    play.gate.admit_now(call, 0.0)
    play.expect()
    play.gate.verdict = play.gate.admit_now
    play.caller(invite(branch=b"z9hG4bK-2", cseq=2))
    play.expect("100 >caller", "INVITE >carrier")
    server = play.layer.servers[b"z9hG4bK-2\x00127.0.0.2\x005060\x00INVITE\x00cc-alpha"]
    assert isinstance(server.user, Call)
    server.user.refuse(Refused(403, b"Forbidden", []), 0.0)
    play.expect()
