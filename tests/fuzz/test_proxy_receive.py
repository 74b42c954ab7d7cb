"""Any bytes, from any peer, at any moment of a call: the core answers, forwards or counts, and never raises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.sip.message import Request
from tests.support.playbook import Playbook
from tests.support.sip_text import answer, callee_party, caller_party, inbound, invite, request

MUTATIONS = st.lists(
    st.tuples(st.integers(0, 900), st.integers(0, 6), st.binary(max_size=6)),
    max_size=3,
)
PIECES = st.sampled_from(
    [
        b"",
        b"\r\n",
        b"\r\n ",
        b";tag=x",
        b"<sip:127.0.0.1;lr>",
        b",",
        b'"',
        b"%00",
        b";lr",
        b"\x00",
        b"Via: ",
        b"Route: ",
    ]
)


def mutated(data: bytes, changes: list[tuple[int, int, bytes]], piece: bytes) -> bytes:
    for at, cut, new in changes:
        data = data[:at] + new + piece + data[at + cut :]
    return data


@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from(["127.0.0.2", "127.0.0.3", "127.0.0.9"]), MUTATIONS, PIECES),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([0.0, 0.5, 5.0, 33.0]),
)
def test_nothing_raises_and_nothing_stays(
    events: list[tuple[int, str, list[tuple[int, int, bytes]], bytes]], pause: float
) -> None:
    play = Playbook(hops=2)
    play.caller(invite())
    sent = play.last("100 >caller", "INVITE >carrier")
    assert isinstance(sent, Request)
    play.carrier(answer(sent, 180))
    caller, callee = caller_party(invite(), play.response("180 >caller")), callee_party(sent)
    uri = sent.uri
    texts = [
        invite(),
        invite(branch=b"z9hG4bK-new", call_id=b"new"),
        inbound(),
        answer(sent, 180, tag=b"t2"),
        answer(sent, 200),
        answer(sent, 503),
        answer(sent, 486),
        caller.request(b"ACK", b"z9hG4bK-a", cseq=1),
        caller.request(b"BYE", b"z9hG4bK-b"),
        callee.request(b"INVITE", b"z9hG4bK-i"),
        request(b"CANCEL", uri),
        request(b"OPTIONS", uri),
    ]
    for which, host, changes, piece in events:
        play.receive(mutated(texts[which], changes, piece), host)
        play.advance(pause)
    play.forget()
    play.close()
