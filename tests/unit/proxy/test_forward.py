from __future__ import annotations

import pytest

from gateway.proxy import forward
from gateway.sip.message import Headers
from tests.unit.proxy.messages import destination

HEADERS: Headers = [
    (b"Via", b"v1"),
    (b"Max-Forwards", b"70"),
    (b"Route", b"r1"),
    (b"Via", b"v2"),
    (b"Route", b"r2"),
    (b"From", b"f"),
    (b"To", b"t"),
    (b"Call-ID", b"c"),
    (b"CSeq", b"1 INVITE"),
    (b"Record-Route", b"old"),
]


def test_forwarded_headers() -> None:
    assert forward.forwarded_headers(HEADERS, b"ours", b"stamped", 70, [b"rr1", b"rr2"], 1) == [
        (b"Via", b"ours"),
        (b"Record-Route", b"rr1"),
        (b"Record-Route", b"rr2"),
        (b"Via", b"stamped"),
        (b"Via", b"v2"),
        (b"Route", b"r2"),
        (b"From", b"f"),
        (b"To", b"t"),
        (b"Call-ID", b"c"),
        (b"CSeq", b"1 INVITE"),
        (b"Record-Route", b"old"),
        (b"Max-Forwards", b"69"),
    ]


@pytest.mark.parametrize(("received", "left"), [(-1, b"70"), (1, b"0"), (255, b"254")])
def test_max_forwards(received: int, left: bytes) -> None:
    assert forward.forwarded_headers(HEADERS, b"o", b"s", received, [])[-1] == (b"Max-Forwards", left)


def test_without_own_routes() -> None:
    assert forward.without_own_routes(HEADERS, 0) is HEADERS
    left = forward.without_own_routes(HEADERS, 1)
    assert [value for name, value in left if name == b"Route"] == [b"r2"]
    assert len(left) == len(HEADERS) - 1
    assert [name for name, _ in forward.without_own_routes(HEADERS, 9)].count(b"Route") == 0


def test_record_routes() -> None:
    udp, tcp = destination(), destination(transport=b"TCP")
    assert forward.record_routes(udp, udp, b"X") == [b"<sip:127.0.0.1:5060;lr;cg=X>"]
    # RFC 5658: the transports differ, though our address is the same.
    assert forward.record_routes(tcp, udp, b"X") == [
        b"<sip:127.0.0.1:5060;transport=tcp;lr;cg=X>",
        b"<sip:127.0.0.1:5060;lr;cg=X>",
    ]
    assert forward.record_routes(destination(transport=b"TLS"), tcp, b"X") == [
        b"<sip:127.0.0.1:5060;transport=tls;lr;cg=X>",
        b"<sip:127.0.0.1:5060;transport=tcp;lr;cg=X>",
    ]


HEADERS_BACK: Headers = [
    (b"Record-Route", b"<a>"),
    (b"Via", b"ours"),
    (b"Via", b"v1"),
    (b"X", b"1"),
    (b"Record-Route", b"<b>"),
]


def test_returned_headers() -> None:
    assert forward.returned_headers(HEADERS_BACK, None) == [HEADERS_BACK[0], *HEADERS_BACK[2:]]
    put = forward.returned_headers(HEADERS_BACK, [b"<n>", b"<m>"])
    assert put == [(b"Via", b"v1"), (b"Record-Route", b"<n>"), (b"Record-Route", b"<m>"), (b"X", b"1")]
    assert forward.returned_headers(HEADERS_BACK, []) == [(b"Via", b"v1"), (b"X", b"1")]
    assert forward.returned_headers(HEADERS_BACK[:3], [b"<n>"]) == [(b"Via", b"v1"), (b"Record-Route", b"<n>")]


def test_has_sender_via() -> None:
    assert forward.has_sender_via(HEADERS)
    assert not forward.has_sender_via(HEADERS[:3])
    assert not forward.has_sender_via([])


def test_hop_by_hop() -> None:
    cancel = forward.hop_by_hop(b"CANCEL", HEADERS, b"", 7, [(b"Reason", b"x")])
    assert cancel == [
        (b"Via", b"v1"),
        (b"Route", b"r1"),
        (b"Route", b"r2"),
        (b"From", b"f"),
        (b"To", b"t"),
        (b"Call-ID", b"c"),
        (b"CSeq", b"7 CANCEL"),
        (b"Max-Forwards", b"70"),
        (b"Reason", b"x"),
    ]
    assert (b"To", b"t;tag=1") in forward.hop_by_hop(b"ACK", HEADERS, b"t;tag=1", 7, [])
