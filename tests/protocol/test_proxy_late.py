"""Answers of branches that were given up, and of peers never asked (RFC 3261 §16.7 steps 5 and 10; DESIGN §5)."""

from __future__ import annotations

from tests.support.playbook import Playbook
from tests.support.sip_text import CALLEE, answer, caller_party, invite, request

URI = b"sip:" + CALLEE + b"@127.0.0.1"


def ack(branch: bytes = b"z9hG4bK-1") -> bytes:
    return request(b"ACK", URI, branch=branch, to=b"<" + URI + b">;tag=any")


def test_a_late_provisional_is_cancelled_and_a_late_failure_acknowledged(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.advance(4.0)
    *_, second = play2.expect(*["INVITE >carrier"] * 3, "INVITE >carrier2")
    play2.carrier(answer(first, 180))
    out = play2.request("CANCEL >carrier")
    assert out.via.branch == first.via.branch
    play2.carrier(answer(first, 180))
    play2.expect()  # once
    play2.carrier(answer(out, 200))
    play2.carrier(answer(first, 487))
    play2.request("ACK >carrier")
    play2.carrier2(answer(second, 180))  # type: ignore[arg-type]
    play2.response("180 >caller")
    assert play2.core.counters.late_responses == 2


def test_a_late_486_does_not_speak_for_the_hop_that_is_tried_now(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.advance(4.0)
    *_, second = play2.expect(*["INVITE >carrier"] * 3, "INVITE >carrier2")
    play2.carrier(answer(first, 486))
    play2.request("ACK >carrier")
    play2.carrier2(answer(second, 200))  # type: ignore[arg-type]
    play2.response("200 >caller")


def test_a_late_6xx_ends_the_call(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.advance(4.0)
    *_, second = play2.expect(*["INVITE >carrier"] * 3, "INVITE >carrier2")
    play2.carrier2(answer(second, 180))  # type: ignore[arg-type]
    play2.response("180 >caller")
    play2.carrier(answer(first, 603))
    play2.expect("ACK >carrier", "603 >caller", "CANCEL >carrier2")
    play2.carrier2(answer(second, 487))  # type: ignore[arg-type]
    play2.expect("ACK >carrier2")
    play2.caller(ack())
    assert play2.gate.outcomes == [("failed", 603)]
    assert play2.gate.outcome_hops == ["127.0.0.9"]


def test_a_late_2xx_is_passed_on_and_the_hop_that_rings_cancelled(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.advance(4.0)
    *_, second = play2.expect(*["INVITE >carrier"] * 3, "INVITE >carrier2")
    play2.carrier2(answer(second, 180))  # type: ignore[arg-type]
    play2.response("180 >caller")
    play2.carrier(answer(first, 200))
    ok, _ = play2.expect("200 >caller", "CANCEL >carrier2")
    caller = caller_party(invite(), ok)  # type: ignore[arg-type]
    play2.carrier2(answer(second, 487))  # type: ignore[arg-type]
    play2.expect("ACK >carrier2")
    play2.caller(caller.request(b"ACK", b"z9hG4bK-ack", cseq=1))
    play2.request("ACK >carrier")
    assert play2.gate.outcomes == [("answered", 200)]
    assert play2.gate.outcome_hops == ["127.0.0.9"]


def test_a_late_2xx_stops_the_hop_that_has_not_answered(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.advance(4.0)
    *_, second = play2.expect(*["INVITE >carrier"] * 3, "INVITE >carrier2")
    play2.carrier(answer(first, 200))
    play2.response("200 >caller")
    play2.advance(10.0)
    play2.expect()  # no more retransmissions of the second INVITE
    play2.carrier2(answer(second, 180))  # type: ignore[arg-type]
    play2.request("CANCEL >carrier2")


def test_a_2xx_of_both_hops_reaches_the_caller(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.advance(4.0)
    *_, second = play2.expect(*["INVITE >carrier"] * 3, "INVITE >carrier2")
    play2.carrier(answer(first, 200, tag=b"t1"))
    play2.carrier2(answer(second, 200, tag=b"t2"))  # type: ignore[arg-type]
    one, two = play2.expect("200 >caller", "200 >caller")
    assert (one.to.tag, two.to.tag) == (b"t1", b"t2")
    assert play2.gate.outcomes == [("answered", 200)]


def test_a_2xx_after_the_failure_went_out_still_passes(play2: Playbook) -> None:
    play2.caller(invite())
    first = play2.last("100 >caller", "INVITE >carrier")
    play2.carrier(answer(first, 486))
    play2.expect("ACK >carrier", "486 >caller")
    play2.carrier(answer(first, 200, tag=b"t2"))
    assert play2.response("200 >caller").to.tag == b"t2"
    play2.caller(ack())
    play2.advance(0.0)
    play2.expect()


def test_responses_count_only_from_the_peer_that_was_asked(play2: Playbook) -> None:
    play2.caller(invite())
    sent = play2.last("100 >caller", "INVITE >carrier")
    play2.beta(answer(sent, 200))
    play2.dropped("response-of-another-peer")
    play2.caller(answer(sent, 200))
    play2.dropped("response-of-another-peer")
    play2.carrier2(answer(sent, 200))  # another address of the same carrier
    play2.response("200 >caller")
