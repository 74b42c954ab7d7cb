"""Stream framing: whole messages whatever the cuts, keep-alives, and everything that makes a length doubtful."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.sip import Request, error_response, parse
from gateway.sip.framing import PING, PONG, StreamFramer
from gateway.sip.limits import MAX_HEADERS, MAX_MESSAGE, MAX_STREAM_BODY, MAX_STREAM_HEAD
from tests.unit.sip.samples import request, response

DATA = Path(__file__).parents[2] / "data"
GOOD = request(b"Content-Length: 4", body=b"body")
NO_BODY = request(b"Content-Length: 0")


def length(*lines: bytes, body: bytes = b"") -> bytes:
    return request(*lines, body=body)


def test_one_message_in_one_piece() -> None:
    framer = StreamFramer()
    assert framer.feed(GOOD) == [GOOD]
    assert (framer.waiting, framer.error, framer.pings) == (False, None, 0)


def test_several_messages_and_a_part_in_one_piece() -> None:
    framer = StreamFramer()
    assert framer.feed(GOOD + NO_BODY + GOOD[:50]) == [GOOD, NO_BODY]
    assert framer.waiting
    assert framer.feed(GOOD[50:] + NO_BODY) == [GOOD, NO_BODY]
    assert not framer.waiting


def test_every_cut_of_two_messages_gives_the_same() -> None:
    stream = b"\r\n" + GOOD + b"\r\n\r\n" + NO_BODY
    for cut in range(len(stream) + 1):
        framer = StreamFramer()
        assert framer.feed(stream[:cut]) + framer.feed(stream[cut:]) == [GOOD, NO_BODY], cut
        assert (framer.pings, framer.error, framer.waiting) == (1, None, False), cut


def test_one_octet_at_a_time_nothing_is_searched_twice() -> None:
    long = request(
        *(b"X-%d: " % number + b"y" * 100 for number in range(200)), b"Content-Length: 5000", body=b"\n" * 5000
    )
    framer = StreamFramer()
    messages = []
    head = long.index(b"\r\n\r\n") + 4
    for index in range(len(long)):
        messages += framer.feed(long[index : index + 1])
        if index + 1 < head:
            assert framer._scanned == index + 1
    assert messages == [long]


def test_responses_are_framed_too() -> None:
    answer = response(b"l: 0")
    assert StreamFramer().feed(answer) == [answer]


# -- keep-alives ---------------------------------------------------------------------------------------------------


def test_pings_are_counted_and_single_crlfs_are_not() -> None:
    framer = StreamFramer()
    assert framer.feed(PING) == []
    assert framer.pings == 1
    framer.feed(b"\r")
    framer.feed(b"\n\r")
    assert framer.pings == 1
    framer.feed(b"\n" + GOOD + b"\r\n")
    assert framer.pings == 2
    framer.feed(GOOD + b"\r\n")
    assert framer.pings == 2, "a message stands between the two"


def test_pongs_are_not_read_as_a_ping() -> None:
    framer = StreamFramer()
    framer.pongs_due = 2
    framer.feed(PONG)
    framer.feed(PONG)
    assert (framer.pings, framer.pongs, framer.pongs_due) == (0, 2, 0)
    framer.feed(PING)
    assert (framer.pings, framer.pongs) == (1, 2)


def test_a_cr_alone_waits_for_its_lf_and_begins_no_message() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r") == []
    assert framer.error is None
    assert framer.feed(b"INVITE") == []
    assert framer.error is not None


# -- doubtful lengths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "lines",
    [
        (b"Content-Length: 4",),
        (b"CONTENT-LENGTH:4",),
        (b"content-length \t: 4\t ",),
        (b"l: 4",),
        (b"L\t:4",),
        (b"Content-Length:\r\n 4",),
        (b"Content-Length:\r\n\t\r\n 4",),
        (b"Content-Length: 0004",),
        (b"Subject: Content-Length: 9", b"Content-Length: 4"),
        (b"Subject: x\r\n Content-Length: 9", b"l: 4"),
        (b"X-Content-Length: 9", b"Content-Length: 4", b"lx: 7"),
    ],
)
def test_every_lawful_spelling(lines: tuple[bytes, ...]) -> None:
    for where in (lines, (*lines, b"X-After: 1")):
        message = length(*where, body=b"body")
        framer = StreamFramer()
        assert framer.feed(message + GOOD) == [message, GOOD]
        parsed = parse(message)
        assert parsed.body == b"body", "the parser reads the same length"


@pytest.mark.parametrize(
    ("lines", "phrase"),
    [
        ((), b"Missing Content-Length"),
        ((b"X-Content-Length: 4",), b"Missing Content-Length"),
        ((b"Subject: x\r\n Content-Length: 4",), b"Missing Content-Length"),
        ((b"Content-Length",), b"Missing Content-Length"),
        ((b"Content-Length: 4", b"Content-Length: 4"), b"Several Content-Length"),
        ((b"Content-Length: 4", b"l: 4"), b"Several Content-Length"),
        ((b"l: 4", b"L : 5"), b"Several Content-Length"),
        ((b"Content-Length: -4",), b"Bad Content-Length"),
        ((b"Content-Length: +4",), b"Bad Content-Length"),
        ((b"Content-Length: 4, 4",), b"Bad Content-Length"),
        ((b"Content-Length: 0x4",), b"Bad Content-Length"),
        ((b"Content-Length: 4_0",), b"Bad Content-Length"),
        (("Content-Length: \uff14".encode(),), b"Bad Content-Length"),
        ((b"Content-Length:",), b"Bad Content-Length"),
        ((b"Content-Length: " + b"0" * 5000 + b"4",), b"Bad Content-Length"),
        ((b"Content-Length: 4", b"X: a\nl: 9"), b"Bad Line End"),
        ((b"Content-Length: 4", b"X: a\rl: 9"), b"Bad Line End"),
        ((b"Content-Length\xa0: 9", b"l: 4"), b"Bad Header Name"),
        ((b"\x0bContent-Length: 9", b"Content-Length: 4"), b"Bad Header Name"),
        ((b"l: 4", b"Content-Length\r\n : 9"), b"Bad Fold"),
        ((*(b"X: y",) * MAX_HEADERS, b"l: 4"), b"Too Many Headers"),
    ],
)
def test_a_doubtful_length_is_a_400_and_the_end_of_the_stream(lines: tuple[bytes, ...], phrase: bytes) -> None:
    framer = StreamFramer()
    assert framer.feed(GOOD + length(*lines, body=b"body") + GOOD) == [GOOD]
    assert framer.error is not None
    assert (framer.error.status, framer.error.phrase) == (400, phrase)
    answer = error_response(framer.error, b"127.0.0.2", 1234, b"t")
    assert answer is not None
    assert answer.startswith(b"SIP/2.0 400 " + phrase + b"\r\n")
    assert b"Call-ID: call-1@127.0.0.2\r\n" in answer
    assert framer.feed(GOOD) == [], "nothing is read after an error"
    assert not framer.waiting


def test_a_response_without_length_is_not_answered() -> None:
    framer = StreamFramer()
    assert framer.feed(response()) == []
    assert framer.error is not None
    assert framer.error.salvage is None


@pytest.mark.parametrize("junk", [b"\x16\x03\x01\x02\x00", b"\x00", b" INVITE", b"\n", b"\r\nx\r\n\r\n\xff", b"<html>"])
def test_junk_is_told_by_its_first_octets(junk: bytes) -> None:
    framer = StreamFramer()
    assert framer.feed(junk + GOOD) == []
    assert framer.error is not None
    assert framer.error.salvage is None


def test_another_protocol_gets_no_answer() -> None:
    framer = StreamFramer()
    assert framer.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") == []
    assert framer.error is not None
    assert framer.error.salvage is None


# -- bounds ----------------------------------------------------------------------------------------------------------


def test_the_bounds_together_are_one_message() -> None:
    assert MAX_STREAM_HEAD + MAX_STREAM_BODY == MAX_MESSAGE


def test_a_header_part_has_a_bound() -> None:
    filled = request(b"Content-Length: 0", *(b"X: " + b"y" * 8000,) * 3)
    rest = MAX_STREAM_HEAD - len(filled) - len(b"Z: \r\n")
    full = filled[:-2] + b"Z: " + b"z" * rest + b"\r\n\r\n"
    assert len(full) == MAX_STREAM_HEAD
    assert StreamFramer().feed(full) == [full]
    over = full[:-4] + b"z\r\n\r\n"
    for step in (len(over), 1000, 1):
        framer = StreamFramer()
        fed = 0
        while framer.error is None:
            assert framer.feed(over[fed : fed + step]) == []
            fed += step
        assert framer.error.status == 513
        assert framer.error.salvage is not None
        assert fed <= MAX_STREAM_HEAD + step
        assert not framer._buffer


def test_a_via_cut_by_the_bound_is_not_copied() -> None:
    start = b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.2;branch=z9hG4bK1\r\n"
    framer = StreamFramer()
    framer.feed(start + b"Via: SIP/2.0/TCP 127.0.0.3;x=" + b"y" * MAX_STREAM_HEAD)
    assert framer.error is not None
    assert framer.error.salvage is not None
    assert len(framer.error.salvage.vias) == 1


def test_a_body_has_a_bound_and_is_refused_before_it_comes() -> None:
    body = b"x" * MAX_STREAM_BODY
    full = request(b"Content-Length: %d" % len(body), body=body)
    assert StreamFramer().feed(full) == [full]
    framer = StreamFramer()
    framer.feed(request(b"Content-Length: %d" % (MAX_STREAM_BODY + 1)))
    assert framer.error is not None
    assert framer.error.status == 513


# -- the torture messages ---------------------------------------------------------------------------------------------

MESSAGES = sorted(path for path in DATA.glob("rfc*/*") if path.suffix in ("", ".dat") and path.stem != "SHA256SUMS")

NOT_WHOLE = {
    "clerr": "waiting",
    "dblreq": "400 Missing Content-Length",
    "inv2543": "400 Missing Content-Length",
    "mcl01": "400 Several Content-Length",
    "ncl": "400 Bad Content-Length",
}
"""How a stream goes on after a message that is not framed as it stands in its file: `clerr` says more than there is,
`dblreq` has text behind its second request, RFC 2543 let Content-Length be missing. All the others are one message."""


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.stem)
def test_torture_messages_leave_the_stream_readable_or_end_it(path: Path) -> None:
    data = path.read_bytes()
    whole, bytewise = StreamFramer(), StreamFramer()
    messages = whole.feed(data)
    assert [m for octet in data for m in bytewise.feed(bytes((octet,)))] == messages
    assert str(whole.error) == str(bytewise.error)
    outcome = NOT_WHOLE.get(path.stem)
    if outcome is None:
        assert messages == [data]
        assert whole.feed(GOOD) == [GOOD], "the stream can be read on"
    elif outcome == "waiting":
        assert (messages, whole.waiting, whole.error) == ([], True, None)
    else:
        assert str(whole.error) == outcome


def test_two_requests_in_one_piece_are_both_framed() -> None:
    data = (DATA / "rfc4475" / "dblreq.dat").read_bytes()
    first, second = StreamFramer().feed(data)
    messages = [parse(first), parse(second)]
    assert [m.method for m in messages if isinstance(m, Request)] == [b"REGISTER", b"INVITE"]
