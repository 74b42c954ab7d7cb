"""A cookie outlives its call: what it opens afterwards, or before the answer, and when a call has ended (DESIGN §5)."""

from __future__ import annotations

import pytest

from tests.support.dialogs import call_up
from tests.support.playbook import Playbook
from tests.support.sip_text import Party, answer, callee_party, caller_party, inbound, invite, request

REFRESHES = [b"INVITE", b"UPDATE"]


def hang_up(play: Playbook, caller: Party, status: int = 200) -> None:
    """The caller's BYE, and what the carrier says to it."""
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye%d" % caller.cseq))
    play.carrier(answer(play.request("BYE >carrier"), status))
    play.response(f"{status} >caller")


@pytest.mark.parametrize("method", REFRESHES)
def test_after_the_bye_nobody_begins_anew(play: Playbook, method: bytes) -> None:
    caller, callee = call_up(play)
    hang_up(play, caller)
    play.caller(caller.request(method, b"z9hG4bK-again"))
    play.response("481 >caller")
    play.carrier(callee.request(method, b"z9hG4bK-again"))
    play.response("481 >carrier")
    assert play.gate.refusals == [("dialog-forged", method.decode())] * 2
    hang_up(play, caller)  # a BYE that crossed is passed on


@pytest.mark.parametrize("method", REFRESHES)
@pytest.mark.parametrize("how", ["busy", "silence", "cancelled"])
def test_a_call_that_came_to_nothing_opens_nothing(play: Playbook, method: bytes, how: str) -> None:
    play.carrier(inbound())
    sent = play.last("100 >carrier", "INVITE >caller")
    agent = callee_party(sent, via=b"SIP/2.0/UDP 127.0.0.2:5060")
    if how == "busy":
        play.caller(answer(sent, 486))
    elif how == "silence":
        play.advance(32.0)
    else:
        play.caller(answer(sent, 180))
        play.carrier(request(b"CANCEL", sent.uri, via=b"SIP/2.0/UDP 127.0.0.9:5060"))
        play.caller(answer(sent, 487))
    play.forget()
    play.gate.refusals.clear()
    play.caller(agent.request(method, b"z9hG4bK-own"))
    play.response("481 >caller")
    assert play.gate.refusals == [("dialog-forged", method.decode())]


@pytest.mark.parametrize("status", [None, 180])
def test_before_the_answer_the_callee_may_not_invite(play: Playbook, status: int | None) -> None:
    play.carrier(inbound())
    sent = play.last("100 >carrier", "INVITE >caller")
    if status is not None:
        play.caller(answer(sent, status))
        play.response(f"{status} >carrier")
    agent = callee_party(sent, via=b"SIP/2.0/UDP 127.0.0.2:5060")
    play.caller(agent.request(b"INVITE", b"z9hG4bK-own"))
    play.response("481 >caller")
    for method in (b"UPDATE", b"INFO", b"BYE"):  # an early dialog's lawful requests (RFC 3311, RFC 3261 §15)
        play.caller(agent.request(method, b"z9hG4bK-" + method))
        play.carrier(answer(play.request(f"{method.decode()} >carrier"), 500))
        play.response("500 >caller")
    play.caller(answer(sent, 200))
    play.response("200 >carrier")
    play.caller(agent.request(b"INVITE", b"z9hG4bK-re"))
    play.expect("100 >caller", "INVITE >carrier")
    play.advance(40.0)
    play.forget()


def test_after_a_restart_the_cookie_alone_decides(play: Playbook) -> None:
    caller, callee = call_up(play)
    play.new_core()
    play.carrier(callee.request(b"INVITE", b"z9hG4bK-re"))
    play.caller(answer(play.last("100 >carrier", "INVITE >caller"), 200))
    play.response("200 >carrier")
    play.caller(caller.request(b"UPDATE", b"z9hG4bK-up"))
    play.carrier(answer(play.request("UPDATE >carrier"), 200))
    play.response("200 >caller")


def test_a_call_that_failed_does_not_touch_the_next(play: Playbook) -> None:
    play.caller(invite())
    play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), 486))
    play.forget()
    caller, _ = call_up(play, branch=b"z9hG4bK-2", cseq=2)
    play.caller(caller.request(b"INVITE", b"z9hG4bK-re"))
    play.carrier(answer(play.last("100 >caller", "INVITE >carrier"), 200))
    play.response("200 >caller")
    play.advance(40.0)
    play.forget()


def test_the_other_leg_of_a_forked_call_goes_on(play: Playbook) -> None:
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    legs = []
    for tag in (b"t1", b"t2"):
        play.carrier(answer(sent, 200, tag=tag))
        legs.append((caller_party(invite(), play.response("200 >caller")), callee_party(sent, tag)))
    hang_up(play, legs[0][0])
    play.caller(legs[1][0].request(b"UPDATE", b"z9hG4bK-u"))
    play.carrier(answer(play.request("UPDATE >carrier"), 200))
    play.response("200 >caller")
    play.carrier(legs[1][1].request(b"INVITE", b"z9hG4bK-re"))
    play.caller(answer(play.last("100 >carrier", "INVITE >caller"), 200))
    play.response("200 >carrier")
    strange = callee_party(sent, b"t3")  # the callee's cookie holds for any tag, a call that ended for none new
    for number, party in enumerate((legs[0][1], strange)):
        play.carrier(party.request(b"INVITE", b"z9hG4bK-x%d" % number))
        play.response("481 >carrier")
    hang_up(play, legs[1][0])
    play.carrier(legs[1][1].request(b"INVITE", b"z9hG4bK-re2"))
    play.response("481 >carrier")


@pytest.mark.parametrize("status", [200, 481])
def test_the_far_sides_word_ends_the_call(play: Playbook, status: int) -> None:
    caller, _ = call_up(play)
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    sent = play.request("BYE >carrier")
    play.carrier(answer(sent, 183))
    play.response("183 >caller")
    assert play.gate.byes == []
    play.carrier(answer(sent, status))
    play.response(f"{status} >caller")
    assert (play.gate.byes, play.gate.notes) == ([(play.gate.decisions[0], "cc-alpha")], [""])
    play.carrier(answer(sent, status))
    assert len(play.gate.byes) == 1


@pytest.mark.parametrize("status", [401, 403, 408, 500])
def test_a_bye_that_was_refused_ends_nothing(play: Playbook, status: int) -> None:
    caller, _ = call_up(play)
    hang_up(play, caller, status)
    assert play.gate.byes == []
    play.caller(caller.request(b"UPDATE", b"z9hG4bK-u"))
    play.carrier(answer(play.request("UPDATE >carrier"), 200))
    play.response("200 >caller")


def test_a_bye_that_nobody_answered_ends_the_call_and_says_so(play: Playbook) -> None:
    caller, _ = call_up(play)
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.advance(31.0)
    assert play.gate.byes == []
    play.advance(1.5)
    play.forget()
    assert (play.gate.byes, play.gate.notes) == ([(play.gate.decisions[0], "cc-alpha")], ["BYE unanswered"])


def test_a_bye_that_could_not_be_sent_ends_nothing(play: Playbook) -> None:
    caller, _ = call_up(play)
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.request("BYE >carrier")
    play.fail("carrier")
    play.response("500 >caller")
    assert play.gate.byes == []


def test_an_info_that_is_refused_481_ends_nothing(play: Playbook) -> None:
    text = invite()
    play.caller(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    caller = caller_party(text, play.response("200 >caller"))
    play.caller(caller.request(b"INFO", b"z9hG4bK-i"))
    play.carrier(answer(play.request("INFO >carrier"), 481))
    play.response("481 >caller")
    assert play.gate.byes == []
