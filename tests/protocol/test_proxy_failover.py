"""Next hops that fail, and timers B and C (RFC 3261 §16.6 step 11, §16.7 step 6, §16.8, §16.9; DESIGN §5, Route)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.transaction.timers import TimerValues
from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, answer, caller_party, invite, request

Make = Callable[..., Playbook]
URI = b"sip:" + CALLEE + b"@127.0.0.1"


def ack(branch: bytes = b"z9hG4bK-1") -> bytes:
    return request(b"ACK", URI, branch=branch, to=b"<" + URI + b">;tag=any")


def test_a_silent_hop_is_left_after_4_seconds(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.advance(3.75)
    play2.expect(*["INVITE >carrier"] * 3)
    play2.advance(0.25)
    second = play2.request("INVITE >carrier2")
    assert second.via.branch == first.via.branch + b".1"
    assert second.uri == b"sip:" + CALLEE + b"@127.0.0.10:5060;user=phone"
    assert play2.core.counters.failovers == 1
    play2.advance(4.0)
    play2.expect(*["INVITE >carrier2"] * 3)  # the first hop is not asked any more, the last one goes on until timer B
    play2.carrier2(answer(second, 200))
    ok = play2.response("200 >caller")
    caller = caller_party(invite(), ok)
    play2.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play2.carrier(answer(play2.request("BYE >carrier"), 200))
    play2.response("200 >caller")
    assert play2.gate.outcomes == [("answered", 200)]


def test_the_first_response_limit_can_be_set(playbook: Make) -> None:
    play = playbook(hops=2, values=TimerValues(first_response=0.25))
    play.caller(invite())
    play.expect("100 >caller", "INVITE >carrier")
    play.advance(0.25)
    play.request("INVITE >carrier2")


def test_a_hop_that_said_anything_keeps_the_call(play2: Playbook) -> None:
    play2.caller(invite())
    sent = play2.last("100 >caller", "INVITE >carrier")
    play2.carrier(answer(sent, 100))
    play2.advance(100.0)
    play2.expect()


def test_a_503_moves_on_at_once_and_its_limit_does_not_hit_the_next_hop(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.carrier(answer(first, 503, extra=((b"Retry-After", b"60"),)))
    out, second = play2.expect("ACK >carrier", "INVITE >carrier2")
    assert out.via.branch == first.via.branch
    # The first hop's limit runs out at 4 s; the last hop has until timer B.
    play2.advance(31.75)
    play2.expect(*["INVITE >carrier2"] * 6)
    play2.carrier2(answer(second, 180))  # type: ignore[arg-type]
    play2.response("180 >caller")
    play2.carrier2(answer(second, 486))  # type: ignore[arg-type]
    play2.expect("ACK >carrier2", "486 >caller")
    play2.caller(ack())
    assert play2.gate.outcomes == [("failed", 486)]


def test_a_503_after_ringing_moves_on_too(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.carrier(answer(first, 183))
    play2.response("183 >caller")
    play2.carrier(answer(first, 503))
    play2.expect("ACK >carrier", "INVITE >carrier2")


def test_the_last_503_goes_upstream_as_500_without_retry_after(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.carrier(answer(first, 503))
    _, second = play2.expect("ACK >carrier", "INVITE >carrier2")
    play2.carrier2(answer(second, 503, extra=((b"Retry-After", b"60"),)))  # type: ignore[arg-type]
    _, failed = play2.expect("ACK >carrier2", "500 >caller")
    assert failed.get(b"Retry-After") is None
    assert play2.gate.outcomes == [("failed", 503)]
    play2.caller(ack())


def test_a_transport_error_moves_on_at_once(play2: Playbook) -> None:
    play2.caller(invite())
    play2.expect("100 >caller", "INVITE >carrier")
    play2.fail("carrier")
    play2.request("INVITE >carrier2")
    play2.fail("carrier2")
    play2.response("500 >caller")
    assert play2.gate.outcomes == [("failed", 503)]
    play2.caller(ack())


def test_timer_b_ends_the_last_hop_with_408(play: Playbook) -> None:
    play.caller(invite())
    play.expect("100 >caller", "INVITE >carrier")
    play.advance(31.75)
    play.expect(*["INVITE >carrier"] * 6)
    play.advance(0.25)
    assert play.response("408 >caller").to.tag
    assert play.gate.outcomes == [("timeout", 408)]
    play.caller(ack())


def test_of_a_silent_hop_and_a_503_the_silence_is_the_answer(play2: Playbook) -> None:
    play2.caller(invite())
    play2.expect("100 >caller", "INVITE >carrier")
    play2.advance(4.0)
    *_, second = play2.expect(*["INVITE >carrier"] * 3, "INVITE >carrier2")
    play2.carrier2(answer(second, 503))  # type: ignore[arg-type]
    play2.expect("ACK >carrier2", "408 >caller")
    play2.caller(ack())
    play2.caller(invite(branch=b"z9hG4bK-2", cseq=2))
    third = play2.last("100 >caller", "INVITE >carrier")
    play2.carrier(answer(third, 503))
    play2.expect("ACK >carrier", "INVITE >carrier2")
    play2.advance(32.0)
    play2.expect(*["INVITE >carrier2"] * 6, "408 >caller")
    play2.caller(request(b"ACK", URI, branch=b"z9hG4bK-2", cseq=2))


def test_hops_that_are_down_are_skipped_unless_all_are(play2: Playbook) -> None:
    first, second = play2.core_peer.hops
    first.up = False
    play2.caller(invite())
    sent = play2.last("100 >caller", "INVITE >carrier2")
    play2.carrier2(answer(sent, 486))
    play2.expect("ACK >carrier2", "486 >caller")
    play2.caller(ack())
    second.up = False
    play2.caller(invite(branch=b"z9hG4bK-2", cseq=2))
    play2.expect("100 >caller", "INVITE >carrier")
    play2.advance(4.0)
    play2.expect(*["INVITE >carrier"] * 3, "INVITE >carrier2")
    play2.advance(32.0)
    play2.expect(*["INVITE >carrier2"] * 6, "408 >caller")
    play2.caller(ack(b"z9hG4bK-2"))


def test_a_drained_hop_gets_no_new_call_even_if_it_is_the_last(play2: Playbook) -> None:
    first, second = play2.core_peer.hops
    first.drained = True
    play2.caller(invite())
    sent = play2.last("100 >caller", "INVITE >carrier2")
    play2.carrier2(answer(sent, 486))
    play2.expect("ACK >carrier2", "486 >caller")
    play2.caller(ack())
    second.drained = True
    play2.caller(invite(branch=b"z9hG4bK-2", cseq=2))
    play2.expect("100 >caller", "500 >caller")
    play2.caller(ack(b"z9hG4bK-2"))


def test_a_route_without_any_hop_is_500(playbook: Make) -> None:
    play = playbook(hops=0)
    play.caller(invite())
    play.expect("100 >caller", "500 >caller")
    assert play.gate.outcomes == [("failed", 500)]


def test_timer_c_cancels_a_hop_that_rings_for_ever(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 100))
    play.advance(10.0)
    play.carrier(answer(sent, 180))
    play.response("180 >caller")
    play.advance(179.5)
    play.expect()
    play.advance(0.5)  # 180 s after the last 1xx that was not a 100
    play.expect("CANCEL >carrier", "408 >caller")
    play.caller(ack())
    play.carrier(answer(sent, 487))
    play.request("ACK >carrier")
    assert play.gate.outcomes == [("timeout", 408)]


def test_timer_c_is_not_a_reason_to_try_another_hop(play2: Playbook) -> None:
    play2.caller(invite())
    sent = play2.last("100 >caller", "INVITE >carrier")
    play2.carrier(answer(sent, 180))
    play2.advance(180.0)
    play2.expect("180 >caller", "CANCEL >carrier", "408 >caller")


def test_a_100_does_not_push_timer_c_back(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.advance(0.25)
    play.carrier(answer(sent, 100))
    play.advance(179.5)
    play.expect()
    play.advance(0.25)
    play.expect("CANCEL >carrier", "408 >caller")


@pytest.mark.parametrize(("ringing", "late"), [(0.25, 0.75), (12.5, 0.5), (12.75, 0.25), (20.0, 0.0)])
def test_timer_c_may_be_up_to_a_second_late_but_is_never_early(play: Playbook, ringing: float, late: float) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 100))
    play.advance(ringing)
    play.carrier(answer(sent, 180))
    play.response("180 >caller")
    play.advance(179.9375 + late)
    play.expect()
    play.advance(0.0625)
    play.expect("CANCEL >carrier", "408 >caller")


def test_a_200_that_crosses_timer_c_is_passed_on(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180))
    play.advance(180.0)
    play.expect("180 >caller", "CANCEL >carrier", "408 >caller")
    play.carrier(answer(sent, 200))
    play.response("200 >caller")
    play.caller(ack())
    assert play.gate.outcomes == [("timeout", 408)]


def test_timer_c_after_a_cancel_that_nothing_answered_is_487(playbook: Make) -> None:
    play = playbook(values=TimerValues(c=20.0))
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 180))
    play.caller(request(b"CANCEL", URI))
    play.expect("180 >caller", "200 >caller", "CANCEL >carrier")
    play.advance(20.0)
    *_, last = play.expect(*["CANCEL >carrier"] * 7, "487 >caller")
    assert last.to.tag
    assert play.gate.outcomes == [("cancelled", 487)]


def test_a_timer_c_shorter_than_timer_b_stops_the_retransmissions(playbook: Make) -> None:
    play = playbook(values=TimerValues(c=2.0))
    play.caller(invite())
    play.expect("100 >caller", "INVITE >carrier")
    play.advance(2.0)
    play.expect("INVITE >carrier", "INVITE >carrier", "408 >caller")
    play.caller(ack())
    play.advance(60.0)
    play.expect()
