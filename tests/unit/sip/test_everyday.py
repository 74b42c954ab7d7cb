"""The fast road reads what the slow road reads, and takes what comes every day."""

from __future__ import annotations

from random import Random

import pytest

from gateway.sip import everyday, limits
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.everyday import foresee_via, read_everyday
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse_slowly
from gateway.sip.via import parse_via
from tests.fuzz.strategies import SEAMS, SEEDS
from tests.support.sip_text import SDP, answer, caller_party, invite
from tests.unit.sip.samples import parsed, parsed_response, request, response

EXTRA = (
    (b"User-Agent", b"ExampleDialer/4.2.17 (asia)"),
    (b"Allow", b"INVITE, ACK, CANCEL"),
    (b"X-Trunk", b"a, b"),
    (b"Content-Type", b"application/sdp"),
)
FIRST = invite(extra=EXTRA)
RINGING = answer(parsed(FIRST), 180, extra=((b"Record-Route", b"<sip:h;lr>"), (b"Record-Route", b"<sip:g;lr>")))
ANSWERED = answer(parsed(FIRST), 200, body=SDP)
PARTY = caller_party(FIRST, parsed_response(RINGING))
CALL = (FIRST, RINGING, ANSWERED, PARTY.request(b"ACK", b"z9hG4bK-a", cseq=1), PARTY.request(b"BYE", b"z9hG4bK-b"))
EVERYDAY = (
    *CALL,
    request(b"Content-Length: 2", body=b"abc"),
    request(b"Content-Length: 0", b"Subject: last"),
    request(via=b"SIP/2.0/TCP [2001:db8::1]:5061;rport=5061;received=192.0.2.1;branch=z9hG4bKx"),
    request(from_=b'"A, B" <sip:a@b>;tag=1', contact=b"<sip:a,b@c>;expires=1"),
    request(b"content-length:  0 ", b"s:compact", b"x-Odd :\t1"),
    request(b"Route: <sip:a;lr>", b"Route: <sip:b;lr>"),
    request(b"Identity: " + b"e" * 1000),
    response(start=b"SIP/2.0 486 "),
    response(b"Via: SIP/2.0/UDP 127.0.0.3"),
)


def slow(data: bytes) -> Request | Response | None:
    try:
        return parse_slowly(data)
    except RemoteProtocolError:
        return None


def same(data: bytes) -> bool:
    """Hold the roads against each other; True where the fast one was taken."""
    fast = read_everyday(data)
    if fast is None:
        return False
    other = slow(data)
    assert fast == other
    assert other is not None
    assert fast.lines == other.lines
    assert fast == read_everyday(data)  # and again, now that every line was seen
    return True


@pytest.mark.parametrize("data", EVERYDAY)
def test_everyday_messages_take_the_fast_road(data: bytes) -> None:
    assert same(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        FIRST[:-60],
        b"\r\n" + FIRST,
        request(b"From: <sip:x@y>;tag=2"),
        request(b"t: <sip:x@y>"),
        request(b"CSeq: 1 INVITE"),
        request(b"Max-Forwards: 70"),
        request(b"i: call-1@127.0.0.2"),
        request(b"Content-Length: 0", b"Content-Length: 0"),
        request(b"Content-Type: a/b", b"c: a/b"),
        request(b"Contact: <sip:x@y>"),
        request(b"Content-Length: 1"),
        request(b"Route: <sip:a;lr>, <sip:b;lr>"),
        request(b"Record-Route: <sip:a>,"),
        request(b"Via: SIP/2.0/UDP a, SIP/2.0/UDP b"),
        request(b"Subject: a", b" b"),
        request(b"Subject: \xc3\xa9"),
        request(b"Subject: a\nb"),
        request(b"Subject: \x01"),
        request(b"Subject"),
        request(b"Supported:"),
        request(b"Sub ject: a"),
        request(b"Subject: " + b"x" * limits.MAX_LINE),
        request(*(b"Via: SIP/2.0/UDP h%d" % number for number in range(limits.MAX_VIAS))),
        request(*(b"X: %d" % number for number in range(limits.MAX_HEADERS))),
        request(start=b"INVITE sip:a@b?c=d SIP/2.0"),
        request(start=b"INVITE  sip:a@b SIP/2.0"),
        request(start=b"INVITE sip:a@b sip/2.0"),
        request(start=b"BYE sip:a@b SIP/2.0"),
        request(start=b"FOO sip:a@b SIP/2.0", cseq=b"1 FOO"),
        request(start=b"INVITE http://a SIP/2.0"),
        request(start=b"INVITE sip:a\n@b SIP/2.0"),
        request(max_forwards=b"256"),
        request(call_id=b"a@b@c"),
        request(cseq=b"4294967296 INVITE"),
        request(from_=b"<sip:a@b>;tag=" + b"t" * 256),
        request(contact=b"<sip:a@b"),
        request(without=(b"To",)),
        response(start=b"SIP/2.0 20 OK"),
        response(start=b"SIP/2.0 200"),
        response(start=b"SIP/2.0 700 OK"),
        response(start=b"SIP/2.0 200 O\rK"),
        response(start=b"SIP/2.0 200 \xc3\xa9"),
        FIRST + b"x" * limits.MAX_MESSAGE,
    ],
)
def test_all_else_is_left_to_the_slow_road(data: bytes) -> None:
    assert read_everyday(data) is None


def test_wounded_messages_read_alike() -> None:
    """Thousands of messages with a few wounds each, of everyday ones and of those made to torture."""
    random = Random(20)
    taken = 0
    for number in range(12_000):
        data = random.choice(EVERYDAY if number % 3 else SEEDS)
        for _ in range(random.randrange(3)):
            at = random.randrange(len(data))
            kind = random.randrange(5)
            if kind == 0:
                data = data[:at] + random.choice(SEAMS) + data[at:]
            elif kind == 1:
                data = data[:at] + data[at + random.randrange(6) :]
            elif kind == 2:
                data = data[:at] + random.randbytes(1) + data[at + 1 :]
            else:
                lines = data.split(b"\r\n")
                other = random.choice(EVERYDAY).split(b"\r\n")
                line = random.choice(lines if kind == 3 else other)
                lines.insert(random.randrange(len(lines)), line)
                data = b"\r\n".join(lines)
        taken += same(data)
    assert taken > 2_000


def test_the_number_of_lines_is_bounded_and_the_head_must_end() -> None:
    head = response(body=SDP).partition(b"\r\n\r\n")[0]
    for more, taken in ((limits.MAX_HEADERS - head.count(b"\r\n"), True), (limits.MAX_HEADERS, False)):
        padded = head + b"\r\nX: y" * more
        for body in (b"", b"\r\n", SDP, b"\r\n" * 300):
            assert same(padded + b"\r\n\r\n" + body) is taken
        assert not same(padded) and not same(padded + b"\r\n")


def test_a_via_that_was_foreseen_reads_as_any_other() -> None:
    ours = b"SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-foreseen"
    below = b"SIP/2.0/UDP [::1];branch=z9hG4bK-1;rport=5060;received=::1"
    listed = b'SIP/2.0/UDP h.example;branch=z9hG4bK-2;x="a,b"'
    for value in (ours, below, listed):
        foresee_via(value, parse_via(value))
    assert same(response(b"Via: " + below, via=ours))
    assert not same(response(b"Via: " + listed, via=ours))  # a comma: the slow road splits it


def test_the_memory_is_bounded() -> None:
    """Lines that never come again push out nothing that comes always, and do not add up."""
    remembered = everyday._remembered
    for number in range(3 * limits.MAX_REMEMBERED_LINES):
        line = b"Call-ID: stranger-%d" % number
        if line not in remembered.young:
            assert remembered.line(line) is not None
        if b"Max-Forwards: 70" not in remembered.young:
            assert remembered.line(b"Max-Forwards: 70") is not None
        assert len(remembered.young) <= limits.MAX_REMEMBERED_LINES
        assert len(remembered.old) <= limits.MAX_REMEMBERED_LINES
    assert b"Call-ID: stranger-0" not in {**remembered.young, **remembered.old}
    long = b"Subject: " + b"x" * limits.MAX_MEMO_KEY
    assert remembered.line(long) is not None
    assert long not in remembered.young
