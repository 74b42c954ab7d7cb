"""Requests that are no calls: validation, loops, OPTIONS, 405, strays, broken bytes (RFC 3261 §16.3, §11, §8.2.6)."""

from __future__ import annotations

import pytest

from gateway.proxy.validate import ALLOW
from gateway.transaction import layer as layer_module
from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, answer, caller_party, inbound, invite, request

URI = b"sip:" + CALLEE + b"@127.0.0.1"


def test_max_forwards_0_is_483(play: Playbook) -> None:
    play.caller(invite(max_forwards=0))
    assert play.response("483 >caller").to.tag
    assert not play.gate.decisions


def test_proxy_require_is_420_and_names_what_it_cannot_do(play: Playbook) -> None:
    play.caller(invite(extra=((b"Proxy-Require", b"foo, bar"), (b"Proxy-Require", b"baz"))))
    assert play.response("420 >caller").get(b"Unsupported") == b"foo, bar, baz"


def test_a_repeated_refusal_is_the_same_answer(play: Playbook) -> None:
    answers = []
    for _ in range(2):
        play.caller(invite(max_forwards=0))
        play.expect("483 >caller")
        answers += play.wire
    assert answers[0] == answers[1]
    play.caller(request(b"ACK", URI))  # the ACK of a stateless refusal
    play.expect()


def test_an_invite_that_comes_back_unchanged_is_a_loop(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    ours = (b"Via", sent.get_all(b"Via")[0])
    play.caller(invite(branch=b"z9hG4bK-looped", extra=(ours,)))
    play.response("482 >caller")
    # One header that decides nothing makes no difference, one that decides something does.
    play.caller(invite(branch=b"z9hG4bK-looped2", extra=(ours, (b"Subject", b"x"))))
    play.response("482 >caller")
    play.caller(invite(branch=b"z9hG4bK-spiral", cseq=2, extra=(ours,)))
    play.expect("100 >caller", "INVITE >carrier")


def test_the_loop_check_knows_its_own_vias_only(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    strange = sent.get_all(b"Via")[0].replace(b"127.0.0.1:5060", b"192.0.2.1:5060")
    play.caller(invite(branch=b"z9hG4bK-2", extra=((b"Via", strange),)))
    play.expect("100 >caller", "INVITE >carrier")


def test_a_spiral_through_the_carrier_is_lawful(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    vias = tuple((b"Via", via) for via in sent.get_all(b"Via"))
    routes = tuple((b"Record-Route", route) for route in sent.get_all(b"Record-Route"))
    # The carrier sends the call to a number of ours: the same call in again, from its trunk.
    back = inbound(
        branch=b"z9hG4bK-back",
        from_=sent.get(b"From"),
        to=sent.get(b"To"),
        call_id=sent.call_id,
        extra=vias + routes,
    )
    play.carrier(back)
    again = play.last("100 >carrier", "INVITE >caller")
    assert len(again.get_all(b"Via")) == 4
    assert len(again.get_all(b"Record-Route")) == 2
    play.caller(answer(again, 200, contact=b"<sip:agent@127.0.0.2:5060>"))
    passed = play.response("200 >carrier")
    # And the answer goes back through both passes; each changes its own cookie only.
    play.carrier(answer(sent, 200, extra=()))
    ok = play.response("200 >caller")
    assert passed.get_all(b"Record-Route")[1] == sent.get(b"Record-Route")
    assert len(ok.get_all(b"Via")) == 1


def test_options_is_answered_here(play: Playbook) -> None:
    play.carrier(request(b"OPTIONS", b"sip:127.0.0.1", via=b"SIP/2.0/UDP 127.0.0.9:5060", max_forwards=0))
    ok = play.response("200 >carrier")
    assert ok.get(b"Allow") == ALLOW
    assert ok.to.tag
    play.core.draining = True
    play.carrier(request(b"OPTIONS", b"sip:127.0.0.1", via=b"SIP/2.0/UDP 127.0.0.9:5060"))
    play.response("503 >carrier")
    assert play.gate.refusals == [("draining", "OPTIONS")]


def test_options_may_not_ask_for_extensions(play: Playbook) -> None:
    play.caller(request(b"OPTIONS", URI, extra=((b"Proxy-Require", b"a, b"), (b"Require", b"c"))))
    assert play.response("420 >caller").get_all(b"Unsupported") == [b"a, b"]


@pytest.mark.parametrize(
    "method",
    b"REGISTER MESSAGE SUBSCRIBE NOTIFY PUBLISH REFER BYE UPDATE PRACK INFO invite NEWMETHOD".split(),
)
def test_other_methods_out_of_a_dialog_are_405(play: Playbook, method: bytes) -> None:
    play.caller(request(method, URI))
    assert play.response("405 >caller").get_all(b"Allow") == [ALLOW]
    known = method not in (b"invite", b"NEWMETHOD")
    assert play.gate.refusals == [("method", method.decode() if known else "other")]


def test_stray_responses_are_dropped(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    text = answer(sent, 200)
    play.carrier(text.replace(sent.via.branch, b"z9hG4bK-no-such-branch"))
    play.dropped("stray-response")
    play.carrier(text.replace(b"1 INVITE", b"1 BYE"))
    play.dropped("stray-response")


def test_stray_acks_are_dropped(play: Playbook) -> None:
    play.caller(request(b"ACK", URI))
    play.dropped("ack-dialog-forged")
    play.caller(request(b"ACK", URI, to=b"<" + URI + b">;tag=x"))
    play.dropped("ack-dialog-forged")


def test_broken_requests_get_a_400_and_everything_else_silence(play: Playbook) -> None:
    play.caller(invite(extra=((b"Max-Forwards", b"9"),)))
    refused = play.response("400 >caller")
    assert refused.reason == b"Second Max-Forwards"
    assert refused.to.tag
    assert refused.get(b"Via") == b"SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-1"
    for silent in (b"", b"\r\n\r\n"):
        play.caller(silent)
        play.expect()
    for dropped in (b"hello", b"SIP/2.0 200 OK\r\n\r\n", b"ACK sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n"):
        play.caller(dropped)
        play.dropped("unparsable")
    play.caller(invite().replace(b"INVITE sip:", b"INVITE mailto:", 1))
    play.response("416 >caller")
    play.caller(invite().replace(b"SIP/2.0\r\n", b"SIP/3.0\r\n", 1))
    play.response("505 >caller")


def test_requests_are_counted_by_method_and_inventions_as_one(play: Playbook) -> None:
    for method in (b"OPTIONS", b"FOO", b"BAR"):
        play.caller(request(method, URI))
    play.expect("200 >caller", "405 >caller", "405 >caller")
    assert play.core.counters.received_requests == {b"OPTIONS": 1, b"other": 2}


def test_a_full_table_refuses_new_calls_but_not_emergencies_and_not_dialogs(
    play: Playbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    caller = caller_party(invite(), play.response("200 >caller"))
    monkeypatch.setattr(layer_module, "MAX_SERVER_TRANSACTIONS", 1)
    play.caller(invite(branch=b"z9hG4bK-2", call_id=b"other"))
    play.response("503 >caller")
    play.gate.emergency = True
    play.caller(invite(branch=b"z9hG4bK-3", call_id=b"third"))
    play.expect("100 >caller", "INVITE >carrier")
    play.caller(caller.request(b"INFO", b"z9hG4bK-4"))
    play.request("INFO >carrier")
    monkeypatch.setattr(layer_module, "MAX_DIALOG_TRANSACTIONS", 3)
    play.caller(caller.request(b"INFO", b"z9hG4bK-5"))
    play.response("503 >caller")
    assert play.gate.refusals == [("overload", "transactions")] * 2
