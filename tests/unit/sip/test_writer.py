from __future__ import annotations

import pytest

from gateway.sip import LocalProtocolError, RemoteProtocolError, error_response, write_request, write_response
from tests.unit.sip.samples import parsed, parsed_response, refused, request, response


def test_write_request() -> None:
    headers = [(b"Via", b"SIP/2.0/UDP h"), (b"Content-Length", b"9"), (b"X", b"")]
    assert write_request(b"INVITE", b"sip:a@b", headers, b"v=0") == (
        b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nX: \r\nContent-Length: 3\r\n\r\nv=0"
    )


def test_write_response() -> None:
    assert write_response(100, b"Trying", [], b"") == b"SIP/2.0 100 Trying\r\nContent-Length: 0\r\n\r\n"


def test_framing_is_rewritten() -> None:
    message = parsed(request(b"s :\ta\r\n b", b"L: 2", b"x-Odd\t:1", body=b"12345"))
    out = write_request(message.method, message.uri, message.headers, message.body)
    assert out.endswith(b"\r\nSubject: a b\r\nx-Odd: 1\r\nContent-Length: 2\r\n\r\n12")
    assert parsed(out) == message


def test_response_round_trip() -> None:
    message = parsed_response(response(b"Reason: x", start=b"SIP/2.0 486  Busy", body=b"x"))
    out = write_response(message.status, message.reason, message.headers, message.body)
    assert parsed_response(out) == message


@pytest.mark.parametrize("value", [b"a\r\nX: y", b"a\n", b"\r", b"a\r\n\r\nBYE"])
def test_no_line_end_gets_out(value: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        write_request(b"INVITE", b"sip:a@b", [(b"X", value)], b"")
    with pytest.raises(LocalProtocolError):
        write_request(b"INVITE", b"sip:a@b", [(value, b"X")], b"")
    with pytest.raises(LocalProtocolError):
        write_request(b"INVITE", value, [], b"")
    with pytest.raises(LocalProtocolError):
        write_response(200, value, [], b"")


def test_error_response() -> None:
    answer = error_response(refused(request(call_id=b"a b")), b"127.0.0.2", 5062, b"t1")
    assert answer == (
        b"SIP/2.0 400 Bad Call-ID\r\n"
        b"Via: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bKabc123;rport=5062;received=127.0.0.2\r\n"
        b"From: <sip:+8657112340001@127.0.0.2>;tag=caller1\r\n"
        b"To: <sip:+8613800138000@127.0.0.1>;tag=t1\r\n"
        b"Call-ID: a b\r\n"
        b"CSeq: 1 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )


def test_error_response_keeps_a_to_tag() -> None:
    answer = error_response(refused(request(call_id=b"a b", to=b"<sip:a@b>;tag=mine")), b"127.0.0.2", 1, b"t1")
    assert answer is not None
    assert b"To: <sip:a@b>;tag=mine\r\n" in answer


def test_error_response_copies_a_broken_to_as_it_is() -> None:
    answer = error_response(refused(request(to=b'"a <sip:a@b>')), b"127.0.0.2", 1, b"t1")
    assert answer is not None
    assert b'To: "a <sip:a@b>\r\n' in answer


def test_silence() -> None:
    assert error_response(refused(response(start=b"SIP/2.0 abc")), b"127.0.0.2", 1, b"t1") is None
    ack = request(start=b"ACK sip:a b SIP/2.0", cseq=b"1 ACK")
    assert error_response(refused(ack), b"127.0.0.2", 1, b"t1") is None
    assert error_response(RemoteProtocolError(400, b"x"), b"127.0.0.2", 1, b"t1") is None


def test_another_version_is_answered() -> None:
    error = refused(request(start=b"INVITE sip:a@b SIP/3.0", via=b"SIP/3.0/UDP h;branch=b"))
    answer = error_response(error, b"127.0.0.2", 1, b"t1")
    assert answer is not None
    assert answer.startswith(b"SIP/2.0 505 Version Not Supported\r\nVia: SIP/3.0/UDP h;branch=b;received=127.0.0.2\r\n")
