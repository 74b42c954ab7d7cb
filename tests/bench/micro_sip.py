"""Micro-benchmark of gateway.sip: microseconds to parse and to write an INVITE, its 200 and a BYE.

python -m tests.bench.micro_sip
"""

from __future__ import annotations

import timeit
from time import process_time

from gateway.sip import Request, parse, write_request, write_response

SDP = (
    b"v=0\r\no=alpha 3724394400 3724394401 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"
    b"m=audio 10000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
)

INVITE = (
    b"INVITE sip:+8613800138000@127.0.0.1:5060;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-524287-1---3f6a1b2c9d8e7f60;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b"Contact: <sip:+8657112340001@127.0.0.2:5060>\r\n"
    b"To: <sip:+8613800138000@127.0.0.1:5060;user=phone>\r\n"
    b'From: "Alpha" <sip:+8657112340001@127.0.0.2:5060;user=phone>;tag=9d8e7f60\r\n'
    b"Call-ID: 4f1c0a9be2d34b5f8a7c6d5e@127.0.0.2\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"P-Asserted-Identity: <sip:+8657112340001@127.0.0.2>\r\n"
    b"Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE\r\n"
    b"Supported: timer, 100rel, path\r\n"
    b"Session-Expires: 1800\r\n"
    b"User-Agent: ExampleDialer/4.2.17 (asia)\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(SDP), SDP)
)

OK = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKa1b2c3d4e5f60718293a4b5c6d7e8f90\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-524287-1---3f6a1b2c9d8e7f60;rport=5060;received=127.0.0.2\r\n"
    b"Record-Route: <sip:127.0.0.1:5060;lr;cg=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMk>\r\n"
    b"Contact: <sip:+8613800138000@127.0.0.9:5060>\r\n"
    b"To: <sip:+8613800138000@127.0.0.1:5060;user=phone>;tag=77aa11bb\r\n"
    b'From: "Alpha" <sip:+8657112340001@127.0.0.2:5060;user=phone>;tag=9d8e7f60\r\n'
    b"Call-ID: 4f1c0a9be2d34b5f8a7c6d5e@127.0.0.2\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, UPDATE\r\n"
    b"Content-Type: application/sdp\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(SDP), SDP)
)

BYE = (
    b"BYE sip:+8613800138000@127.0.0.9:5060 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-524287-3---0011223344556677;rport\r\n"
    b"Route: <sip:127.0.0.1:5060;lr;cg=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMk>\r\n"
    b"Max-Forwards: 70\r\n"
    b"To: <sip:+8613800138000@127.0.0.1:5060;user=phone>;tag=77aa11bb\r\n"
    b'From: "Alpha" <sip:+8657112340001@127.0.0.2:5060;user=phone>;tag=9d8e7f60\r\n'
    b"Call-ID: 4f1c0a9be2d34b5f8a7c6d5e@127.0.0.2\r\n"
    b"CSeq: 2 BYE\r\n"
    b"Content-Length: 0\r\n\r\n"
)


def rewrite(data: bytes) -> bytes:
    """Parse a message and write it again."""
    message = parse(data)
    if isinstance(message, Request):
        return write_request(message.method, message.uri, message.headers, message.body)
    return write_response(message.status, message.reason, message.headers, message.body)


def microseconds(action: str, **names: object) -> float:
    """Best of seven runs, so that a busy machine does not count."""
    loops = 20_000
    rounds = timeit.repeat(action, globals={**globals(), **names}, number=loops, repeat=7, timer=process_time)
    return min(rounds) / loops * 1e6


def main() -> None:
    """Print one line per message."""
    for name, data in (("INVITE", INVITE), ("200 OK", OK), ("BYE", BYE)):
        parsed = microseconds("parse(data)", data=data)
        both = microseconds("rewrite(data)", data=data)
        print(f"{name:7} {len(data):5} octets  parse {parsed:6.2f} us  parse + write {both:6.2f} us")


if __name__ == "__main__":
    main()
