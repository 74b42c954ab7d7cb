"""Any bytes give a message or a RemoteProtocolError, nothing else; what is accepted survives writing and reading.

Seeds are the RFC 4475 and RFC 5118 messages and one of ours; mutations know the seams of SIP: header lines, values,
parameters, numbers, quotes, line ends.
"""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.sip import (
    RemoteProtocolError,
    Request,
    error_response,
    is_keepalive,
    parse,
    parse_name_addr,
    parse_uri,
    split_list,
    write_request,
    write_response,
)
from gateway.sip.limits import MAX_HEADERS, MAX_LINE, MAX_VIAS

EXAMPLES = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 300
"""A message takes microseconds, so the fast profile affords more than its default."""

DATA = Path(__file__).parents[1] / "data"

SEEDS = sorted(
    path.read_bytes() for path in DATA.glob("rfc*/*") if path.suffix in ("", ".dat") and path.name != "SHA256SUMS"
)
SEEDS.append(
    b"INVITE sip:+8613800138000@127.0.0.1;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKabc;rport\r\nMax-Forwards: 70\r\n"
    b'From: "A \\" B" <sip:+8657112340001@127.0.0.2>;tag=1\r\nTo: <tel:+8613800138000>\r\n'
    b"Call-ID: a@b\r\nCSeq: 1 INVITE\r\nRoute: <sip:a;lr>, <sip:b;lr>\r\n"
    b'P-Asserted-Identity: "x, y" <sip:+8657112340001@h>, <tel:+8657112340001>\r\n'
    b"Content-Length: 4\r\n\r\nbody"
)

SEAMS = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n ",
        b"\r\n\t",
        b"\r\n\r\n",
        b"\n\n",
        b" ",
        b"\t",
        b":",
        b";",
        b",",
        b"=",
        b"@",
        b"/",
    ),
    *(
        b'"',
        b"\\",
        b'\\"',
        b"<",
        b">",
        b"<>",
        b"?",
        b"%",
        b"%00",
        b"%0d%0a",
        b"%25",
        b"\x00",
        b"\\\x00",
        b"\x0b",
        b"\x7f",
    ),
    *(b"\xa0", b"\xc2\x85", "\u2028".encode(), "１".encode(), b"[", b"]", b"[::1]", b"+", b"_", b"*", b"-1", b"0" * 30),
    *(b"4294967296", b"9" * 5000, b"tag=", b";tag=x", b";branch=z9hG4bK", b";rport", b";received=1.1.1.1", b"SIP/2.0"),
    *(b"\r\nf: <sip:x@y>;tag=2", b"\r\nFrom : <sip:x@y>", b"\r\nl: 1", b"\r\nv: SIP/2.0/UDP h", b"\r\nt:", b"\r\ni: x"),
    *(b"\r\nRoute: <sip:x;lr>,", b"\r\nSubject", b"\r\nContact: sip:a@b?c=d", b"SIP/2.0/UDP h,", b"tel:+1", b"sips:"),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A seed with up to six wounds."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.integers(0, 6))
        at = draw(st.integers(0, len(data)))
        to = min(len(data), at + draw(st.integers(0, 12)))
        seam = draw(st.sampled_from(SEAMS))
        if kind == 0:
            data = data[:at] + seam + data[at:]
        elif kind == 1:
            data = data[:at] + seam + data[to:]
        elif kind == 2:
            data = data[:at] + data[to:]
        elif kind == 3:
            data = data[:at] + draw(st.binary(max_size=8)) + data[to:]
        elif kind == 4:  # a line twice, or elsewhere
            lines = data.split(b"\r\n")
            lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(lines)))
            data = b"\r\n".join(lines)
        elif kind == 5:  # a line away
            lines = data.split(b"\r\n")
            del lines[draw(st.integers(0, len(lines) - 1))]
            data = b"\r\n".join(lines)
        else:  # a seam after a header's name, where every parser looks
            lines = data.split(b"\r\n")
            index = draw(st.integers(0, len(lines) - 1))
            name, colon, value = lines[index].partition(b":")
            lines[index] = name + seam + colon + value if draw(st.booleans()) else name + colon + seam + value
            data = b"\r\n".join(lines)
    return data


def check(data: bytes) -> None:
    """The oracle."""
    is_keepalive(data)
    try:
        message = parse(data)
    except RemoteProtocolError as error:
        assert error.status in (400, 416, 501, 505, 513)
        answer = error_response(error, b"192.0.2.9", 5060, b"t")
        if answer is not None:
            head, _, body = answer.partition(b"\r\n\r\n")
            assert not body
            assert len(head.splitlines()) <= 6 + MAX_VIAS
            for line in head.split(b"\r\n"):
                assert not any(octet < 0x20 and octet != 9 for octet in line)
                assert len(line) <= MAX_LINE + 60
        return
    singles = (b"From", b"To", b"Call-ID", b"CSeq")
    for name in singles:
        assert len(message.get_all(name)) == 1
    assert not message.has(b"Content-Length")
    assert len(message.headers) <= MAX_HEADERS
    assert 1 <= len(message.get_all(b"Via")) <= MAX_VIAS
    for name, value in message.headers:
        assert b"\r" not in name + value
        assert b"\n" not in name + value
        assert value == value.strip(b" \t")
    if isinstance(message, Request):
        assert message.max_forwards <= 255
        assert message.target == parse_uri(message.uri)
        assert not message.target.headers
        out = write_request(message.method, message.uri, message.headers, message.body)
    else:
        assert 100 <= message.status <= 699
        out = write_response(message.status, message.reason, message.headers, message.body)
    again = parse(out)
    assert again == message
    # A sender that pads its datagram changes nothing: Content-Length says where the message ends.
    assert parse(out + b"INVITE sip:x@y SIP/2.0\r\n\r\n") == message
    for value in message.get_all(b"P-Asserted-Identity"):
        try:
            for element in split_list(value):
                parse_uri(parse_name_addr(element).uri)
        except RemoteProtocolError:
            pass


@settings(max_examples=EXAMPLES, deadline=None)
@given(mutated())
def test_wounded_messages(data: bytes) -> None:
    check(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=2_000))
@example(b"\r\n" * 32_767)
@example(b"INVITE sip:a@b SIP/2.0\r\nVia: " + b"SIP/2.0/UDP a," * 4_000 + b"\r\n\r\n")
@example(b"INVITE sip:a@b SIP/2.0\r\nRoute: " + b'"' * 8_000 + b"\r\n\r\n")
@example(b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n" + b" x\r\n" * 15_000 + b"\r\n\r\n")
@example(b"SIP/2.0 200 OK\r\n" + b"\xff" * 65_000 + b"\r\n\r\n")
def test_any_bytes(data: bytes) -> None:
    check(data)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.sampled_from(SEAMS), max_size=40).map(b"".join))
def test_seams_alone(data: bytes) -> None:
    check(data)
    check(b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h" + data + b"\r\n\r\n")
