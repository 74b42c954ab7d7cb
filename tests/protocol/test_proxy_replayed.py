"""Which INVITE is which call: a verdict, its id and its branch belong to one message, once (DESIGN §1)."""

from __future__ import annotations

import pytest

from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, CALLER, answer, caller_party, invite, request

OTHER = b"+8613900139000"


def busy(play: Playbook, text: bytes) -> str:
    """The call is placed and comes to nothing; its decision id."""
    play.caller(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 486))
    play.expect("ACK >carrier", "486 >caller")
    play.caller(request(b"ACK", sent.uri))
    play.advance(33.0)  # timers D and I: nothing is left of it
    play.forget()
    assert not play.layer.servers
    return sent.via.branch.decode()


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"INVITE sip:" + CALLEE, b"INVITE sip:" + OTHER),
        (b"From: <sip:" + CALLER, b"From: <sip:+8657112349999"),
        (b"\r\n\r\n", b"\r\nPrivacy: id\r\n\r\n"),
        (b"s=-", b"s=+"),
    ],
)
def test_another_message_with_the_same_identifiers_is_another_call(
    play: Playbook, restarted: bool, was: bytes, becomes: bytes
) -> None:
    before = busy(play, invite())
    if restarted:
        play.new_core()
    after = busy(play, invite().replace(was, becomes, 1))
    first, second = play.gate.decisions
    assert first != second
    assert before != after


def test_the_same_message_again_when_its_transaction_is_gone_is_another_call(play: Playbook) -> None:
    branches = {busy(play, invite()) for _ in range(3)}
    assert len(set(play.gate.decisions)) == 3
    assert len(branches) == 3
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    caller = caller_party(invite(), play.response("200 >caller"))
    play.caller(caller.request(b"BYE", b"z9hG4bK-bye"))
    play.carrier(answer(play.request("BYE >carrier"), 200))
    play.response("200 >caller")
    assert play.gate.byes == [(play.gate.decisions[3], "cc-alpha")]


def test_the_same_message_again_after_a_restart_is_the_same_call_once(play: Playbook) -> None:
    before = busy(play, invite())
    play.new_core()
    assert busy(play, invite()) == before
    busy(play, invite())
    first, again, third = play.gate.decisions
    assert first == again != third
