"""CANCEL in every phase of a call (RFC 3261 §9, §16.10)."""

from __future__ import annotations

from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, answer, caller_party, invite, request

URI = b"sip:" + CALLEE + b"@127.0.0.1"


def cancel(**changes: object) -> bytes:
    return request(b"CANCEL", URI, **changes)  # type: ignore[arg-type]


def test_while_parked(play: Playbook) -> None:
    play.gate.verdict = play.gate.park
    play.caller(invite())
    play.expect("100 >caller")
    play.caller(cancel())
    ok, terminated = play.expect("200 >caller", "487 >caller")
    assert ok.get(b"CSeq") == b"1 CANCEL"
    assert ok.to.tag == terminated.to.tag != b""  # §9.2
    (call,) = play.gate.parked
    play.gate.admit_now(call, play.now)
    play.expect()  # the gate's yes comes too late
    assert play.gate.outcomes == [("cancelled", 487)]


def test_while_parked_and_then_refused(play: Playbook) -> None:
    play.gate.verdict = play.gate.park
    play.caller(invite())
    play.caller(cancel())
    play.expect("100 >caller", "200 >caller", "487 >caller")
    (call,) = play.gate.parked
    play.gate.refuse_now(call, play.now)
    play.expect()
    assert play.gate.outcomes == []


def test_before_any_response_it_waits_for_one(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.caller(cancel(extra=((b"Reason", b"SIP;cause=200"), (b"Reason", b"Q.850;cause=16"))))
    play.response("200 >caller")  # §9.1: no CANCEL leaves before a provisional response
    play.carrier(answer(sent, 100))
    out = play.request("CANCEL >carrier")
    assert out.uri == sent.uri
    assert out.get_all(b"Via") == sent.get_all(b"Via")[:1]
    assert out.get(b"CSeq") == b"1 CANCEL"
    assert out.get(b"To") == sent.get(b"To")
    assert out.get_all(b"Reason") == [b"SIP;cause=200", b"Q.850;cause=16"]
    play.carrier(answer(out, 200))
    play.expect()
    play.carrier(answer(sent, 487))
    play.expect("ACK >carrier", "487 >caller")
    assert play.gate.outcomes == [("cancelled", 487)]


def test_a_hop_that_never_says_anything_ends_with_timer_b_and_no_other_is_tried(play2: Playbook) -> None:
    play2.caller(invite())
    play2.expect("100 >caller", "INVITE >carrier")
    play2.advance(1.0)
    play2.expect("INVITE >carrier")
    play2.caller(cancel())
    play2.response("200 >caller")
    play2.advance(3.0)
    # Timer A at 1.5 and 3.5, then the first-response limit at 4.
    *_, last = play2.expect("INVITE >carrier", "INVITE >carrier", "487 >caller")
    play2.caller(request(b"ACK", URI, to=last.get(b"To") or b""))
    play2.advance(60.0)
    play2.expect()
    assert play2.gate.outcomes == [("cancelled", 487)]


def test_the_last_hop_is_waited_for_until_timer_b(play: Playbook) -> None:
    play.caller(invite())
    play.caller(cancel())
    play.expect("100 >caller", "INVITE >carrier", "200 >caller")
    play.advance(31.75)
    play.expect(*["INVITE >carrier"] * 6)
    play.advance(0.25)
    play.response("487 >caller")
    assert play.gate.outcomes == [("cancelled", 487)]


def test_while_ringing(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180))
    play.response("180 >caller")
    play.caller(cancel())
    play.expect("200 >caller", "CANCEL >carrier")
    play.caller(cancel())
    play.expect("200 >caller")  # again the same answer, and no second CANCEL
    play.carrier(answer(sent, 183))
    play.expect("183 >caller")
    play.carrier(answer(sent, 487))
    play.expect("ACK >carrier", "487 >caller")
    assert play.gate.outcomes == [("cancelled", 487)]


def test_the_cancel_itself_is_repeated_until_it_is_answered(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180))
    play.caller(cancel())
    *_, out = play.expect("180 >caller", "200 >caller", "CANCEL >carrier")
    play.advance(1.5)
    play.expect("CANCEL >carrier", "CANCEL >carrier")
    play.carrier(answer(out, 200))  # type: ignore[arg-type]
    play.advance(20.0)
    play.expect()


def test_a_hop_that_takes_the_cancel_and_never_ends_is_forgotten_after_64_t1(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180))
    play.caller(cancel())
    *_, out = play.expect("180 >caller", "200 >caller", "CANCEL >carrier")
    play.carrier(answer(out, 200))  # type: ignore[arg-type]
    play.advance(31.75)
    play.expect()
    play.advance(0.25)
    play.response("487 >caller")
    assert play.gate.outcomes == [("cancelled", 487)]
    play.carrier(answer(sent, 487))
    play.dropped("stray-response")


def test_a_200_that_crosses_the_cancel_wins(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180))
    play.caller(cancel())
    play.expect("180 >caller", "200 >caller", "CANCEL >carrier")
    play.carrier(answer(sent, 200))
    ok = play.response("200 >caller")
    assert ok.cseq_method == b"INVITE"
    caller = caller_party(invite(), ok)
    play.caller(caller.request(b"ACK", b"z9hG4bK-ack", cseq=1))
    play.request("ACK >carrier")
    assert play.gate.outcomes == [("answered", 200)]


def test_a_503_or_a_dead_hop_after_cancel_is_487_and_no_failover(play2: Playbook) -> None:
    play2.caller(invite())
    sent = play2.last("100 >caller", "INVITE >carrier")
    play2.carrier(answer(sent, 180))
    play2.caller(cancel())
    play2.expect("180 >caller", "200 >caller", "CANCEL >carrier")
    play2.carrier(answer(sent, 503))
    play2.expect("ACK >carrier", "487 >caller")
    assert play2.gate.outcomes == [("cancelled", 487)]


def test_a_transport_error_after_cancel_is_487_and_no_failover(play2: Playbook) -> None:
    play2.caller(invite())
    play2.caller(cancel())
    play2.expect("100 >caller", "INVITE >carrier", "200 >caller")
    play2.fail("carrier")
    play2.response("487 >caller")
    assert play2.gate.outcomes == [("cancelled", 487)]


def test_after_a_final_response_it_changes_nothing(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    play.response("200 >caller")
    play.caller(cancel())
    play.response("200 >caller")
    assert play.gate.outcomes == [("answered", 200)]


def test_after_a_failure_it_changes_nothing(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 486))
    play.expect("ACK >carrier", "486 >caller")
    play.caller(cancel())
    play.response("200 >caller")
    assert play.gate.outcomes == [("failed", 486)]


def test_a_cancel_for_nothing_is_481_and_goes_nowhere(play: Playbook) -> None:
    play.caller(cancel())
    assert play.response("481 >caller").to.tag
    play.carrier(request(b"CANCEL", URI, via=b"SIP/2.0/UDP 127.0.0.9:5060"))
    play.response("481 >carrier")


def test_a_cancel_of_a_request_that_is_no_invite_is_481(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    caller = caller_party(invite(), play.response("200 >caller"))
    play.caller(caller.request(b"UPDATE", b"z9hG4bK-u"))
    update = play.request("UPDATE >carrier")
    play.caller(cancel(branch=b"z9hG4bK-u", cseq=caller.cseq))
    play.response("481 >caller")
    play.carrier(answer(update, 200))
    play.response("200 >caller")


def test_a_re_invite_can_be_cancelled(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    caller = caller_party(invite(), play.response("200 >caller"))
    play.caller(caller.request(b"INVITE", b"z9hG4bK-re"))
    again = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(again, 183))
    play.response("183 >caller")
    play.caller(caller.request(b"CANCEL", b"z9hG4bK-re", cseq=caller.cseq))
    _, out = play.expect("200 >caller", "CANCEL >carrier")
    assert out.to.tag == b"tt"
    play.carrier(answer(again, 487))
    play.expect("ACK >carrier", "487 >caller")
    assert play.gate.outcomes == [("answered", 200)]  # a re-INVITE has no outcome of its own
