"""A call that is up, and a request inside it that must be refused."""

from __future__ import annotations

from tests.support.playbook import Playbook
from tests.support.sip_text import Party, answer, callee_party, caller_party, invite


def call_up(play: Playbook, **changes: object) -> tuple[Party, Party]:
    """(caller, callee) of an answered outbound call; `changes` to its INVITE."""
    text = invite(**changes)
    play.caller(text)
    sent = play.last("100 >caller", "INVITE >carrier")
    play.carrier(answer(sent, 200))
    return caller_party(text, play.response("200 >caller")), callee_party(sent)


def refused(play: Playbook, party: Party, rule: str, status: int, **changes: object) -> None:
    """A BYE of the caller is refused with this rule, and an ACK dropped."""
    play.gate.refusals.clear()
    branch = b"z9hG4bK-f%d" % party.cseq
    play.caller(party.request(b"BYE", branch, **changes))
    assert play.response(f"{status} >caller").to.tag
    assert [name for name, _ in play.gate.refusals] == [rule]
    play.caller(party.request(b"ACK", branch + b"a", **changes))
    play.dropped("ack-" + rule)
    assert play.gate.byes == []


def only_ended_by(play: Playbook, party: Party, **changes: object) -> None:
    """With a From or To changed like this the caller may end or confirm his call, under nobody's name, and no more."""
    play.gate.refusals.clear()
    branch = b"z9hG4bK-n%d" % party.cseq
    for method in (b"INFO", b"UPDATE", b"INVITE"):
        play.caller(party.request(method, branch + method, **changes))
        assert play.response("403 >caller").to.tag
    assert [name for name, _ in play.gate.refusals] == ["dialog-identity"] * 3
    for method in (b"ACK", b"PRACK", b"BYE"):
        play.caller(party.request(method, branch + method, **changes))
        left = play.request(f"{method.decode()} >carrier")
        assert left.get_all(b"From") == [b"<sip:anonymous@anonymous.invalid>;tag=ft"]
        assert left.get_all(b"To") == [b"<sip:anonymous@anonymous.invalid>;tag=tt"]
        if method != b"ACK":
            play.carrier(answer(left, 200))
            play.response("200 >caller")
    assert [peer for _, peer in play.gate.byes] == ["cc-alpha"]
