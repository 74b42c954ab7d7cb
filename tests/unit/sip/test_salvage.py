from __future__ import annotations

import pytest

from gateway.sip.salvage import salvage_request
from tests.unit.sip.samples import request, response


def test_what_an_answer_copies() -> None:
    salvage = salvage_request(request(b"v: SIP/2.0/TCP a;branch=1 , SIP/2.0/UDP b", start=b"INVITE sip:a b SIP/2.0"))
    assert salvage is not None
    assert salvage.method == b"INVITE"
    assert salvage.vias == [
        b"SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKabc123;rport",
        b"SIP/2.0/TCP a;branch=1",
        b"SIP/2.0/UDP b",
    ]
    assert salvage.from_ == b"<sip:+8657112340001@127.0.0.2>;tag=caller1"
    assert salvage.to == b"<sip:+8613800138000@127.0.0.1>"
    assert (salvage.call_id, salvage.cseq) == (b"call-1@127.0.0.2", b"1 INVITE")


def test_doubled_missing_and_unclean_values_are_none() -> None:
    data = request(b"f: <sip:x@y>", b"t: <sip:x@y>", without=(b"Call-ID",), cseq=b"1\x00 INVITE")
    salvage = salvage_request(data)
    assert salvage is not None
    assert (salvage.from_, salvage.to, salvage.call_id, salvage.cseq) == (None, None, None, None)


def test_line_ends_cannot_hide_in_a_value() -> None:
    salvage = salvage_request(request(from_=b"<sip:a@b>\nX: y", to=b"<sip:a@b>\rX: y"))
    assert salvage is not None
    assert (salvage.from_, salvage.to) == (None, None)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x01\x02",
        response(),
        response(start=b"SIP/2.0 abc"),
        request().replace(b"\r\n", b"\n"),
        request(start=b"INVITE sip:a@b HTTP/1.0"),
        request(start=b"IN@VITE sip:a@b SIP/2.0"),
        request(without=(b"Via",)),
        request(via=b""),
        request(via=b"x"),
        request(via=b"SIP/2.0/UDP"),
        request(via=b"SIP/2.0/UDP h h"),
        request(via=b"SIP/2.0/UDP ::1;branch=b"),
        request(via=b"SIP/2.0/UDP h:0"),
        request(via=b"SIP/2.0/UDP \x00;branch=b"),
        request(via=b", SIP/2.0/UDP h"),
        request(via=b'SIP/2.0/UDP h;x="'),
        request(b"v: SIP/2.0/UDP h", via=b"x"),
    ],
)
def test_silence(data: bytes) -> None:
    assert salvage_request(data) is None


def test_via_is_copied_clean() -> None:
    salvage = salvage_request(request(via=b"SIP / 2.0 /\tUDP h;;branch = b;,@;x=\xff;rport , ,;, SIP/2.0/UDP c"))
    assert salvage is not None
    assert salvage.vias[0] == b"SIP/2.0/UDP h;branch=b"
    assert salvage_request(request(via=b"SIP/7.0/UDP h;branch=b")) is not None


def test_folds_and_bounds() -> None:
    salvage = salvage_request(request(from_=b"<sip:a@b>\r\n ;tag=1", call_id=b"x" * 9000))
    assert salvage is not None
    assert salvage.from_ == b"<sip:a@b> ;tag=1"
    assert salvage.call_id is None
    assert salvage_request(b"INVITE a SIP/2.0\r\n" + b"X: y\r\n" * 300 + b"Via: SIP/2.0/UDP h\r\n\r\n") is None
    many = salvage_request(request(*[b"Via: SIP/2.0/UDP h"] * 200))
    assert many is not None
    assert len(many.vias) == 70
