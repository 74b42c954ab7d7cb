"""New calls are shed where the gateway is overloaded; everything else goes on (DESIGN §7, overload)."""

from __future__ import annotations

import pytest

from gateway.proxy.overload import MIN_SHARE, PERIOD_S, Overload, OverloadSettings
from tests.support.playbook import Playbook
from tests.support.sip_text import answer, caller_party, invite, request


def press(play: Playbook, delay_s: float = 10.0) -> None:
    """Messages have waited so long for a good while that hardly a call is taken."""
    overload = play.core.overload = Overload(OverloadSettings(), play.now)
    for _ in range(30):
        play.now += PERIOD_S
        overload.observe(play.now, delay_s, 0)
    assert overload.shedding
    assert overload.share == MIN_SHARE


def test_a_new_call_is_503_with_retry_after_and_leaves_nothing(play: Playbook) -> None:
    press(play)
    waits = set()
    for number in range(6):
        branch = b"z9hG4bK-%d" % number
        play.caller(invite(branch=branch, call_id=b"c%d" % number))
        refused = play.response("503 >caller")
        waits.add(refused.get(b"Retry-After"))
        play.caller(request(b"ACK", b"sip:1@127.0.0.1", branch=branch, to=refused.get(b"To") or b""))
        play.expect()
    assert waits == {b"1", b"2", b"3"}
    assert len(play.layer.servers) == len(play.layer.clients) == play.layer.kept == 0
    assert play.gate.refusals == [("overload", "delay")] * 6
    assert (play.core.overload.shed, play.gate.decisions) == (6, [])


def test_an_emergency_call_passes(play: Playbook) -> None:
    press(play)
    play.gate.emergency = True
    for number in range(20):
        play.caller(invite(branch=b"z9hG4bK-%d" % number, call_id=b"c%d" % number))
        play.expect("100 >caller", "INVITE >carrier")
    assert play.core.overload.shed == 0


def test_calls_that_are_up_and_those_in_set_up_go_on(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    press(play)
    play.caller(invite())  # a retransmission is no new call
    play.expect("100 >caller")
    play.carrier(answer(sent, 200))
    caller = caller_party(invite(), play.response("200 >caller"))
    play.caller(caller.request(b"ACK", b"z9hG4bK-ack", cseq=1))
    play.request("ACK >carrier")
    play.caller(caller.request(b"INVITE", b"z9hG4bK-re"))
    again = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(again, 488))
    play.expect("ACK >carrier", "488 >caller")
    play.caller(caller.request(b"ACK", b"z9hG4bK-re", cseq=again.cseq))
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")
    play.caller(request(b"OPTIONS", b"sip:127.0.0.1", branch=b"z9hG4bK-o"))
    play.response("200 >caller")


@pytest.mark.parametrize("delay_s", [0.0, 0.019])
def test_below_the_target_nothing_is_shed(play: Playbook, delay_s: float) -> None:
    overload = play.core.overload = Overload(OverloadSettings(), play.now)
    for number in range(300):
        play.now += 0.02
        overload.observe(play.now, delay_s, 1_999)
        play.caller(invite(branch=b"z9hG4bK-%d" % number, call_id=b"c%d" % number))
    assert (overload.shed, overload.admitted, overload.times) == (0, 300, 0)
    play.forget()
