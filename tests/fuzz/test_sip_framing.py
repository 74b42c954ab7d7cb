"""Any stream, cut anywhere, gives the same messages and the same end; what is framed is read with the same length."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sip import RemoteProtocolError, parse
from gateway.sip.framing import StreamFramer
from gateway.sip.limits import MAX_MESSAGE
from tests.fuzz.strategies import SEAMS, SEEDS
from tests.fuzz.test_sip_parse import EXAMPLES

LENGTHS = [b"Content-Length: 4\r\n", b"l: 0\r\n", b"\r\nL : 9\r\n", b"\r\n\r\n", b"Content-Length:\r\n 2\r\n", b"\r\n"]

pieces = st.one_of(
    st.sampled_from(SEEDS),
    st.sampled_from(LENGTHS),
    st.sampled_from(SEAMS),
    st.tuples(st.sampled_from(SEEDS), st.integers(0, 2_000), st.sampled_from(LENGTHS + SEAMS)).map(
        lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :]
    ),
    st.binary(max_size=40),
)


@settings(max_examples=EXAMPLES)
@given(st.lists(pieces, min_size=1, max_size=5).map(b"".join), st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_cuts_do_not_matter(stream: bytes, steps: list[int]) -> None:
    whole, cut = StreamFramer(), StreamFramer()
    messages = whole.feed(stream)
    found: list[bytes] = []
    at = turn = 0
    while at < len(stream):
        step = steps[turn % len(steps)]
        found += cut.feed(stream[at : at + step])
        at += step
        turn += 1
    assert found == messages
    assert str(cut.error) == str(whole.error)
    assert (cut.waiting, cut.pings) == (whole.waiting, whole.pings)
    for message in messages:
        assert len(message) <= MAX_MESSAGE
        try:
            body = parse(message).body
        except RemoteProtocolError as error:
            assert b"Content-Length" not in error.phrase, "framed by one length, refused for another"
        else:
            assert message.endswith(b"\r\n\r\n" + body), "the parser takes the whole message, neither more nor less"
