from __future__ import annotations

from pathlib import Path

import pytest

from gateway.sip import Request, canonical_uri, is_keepalive, parse, parse_uri
from gateway.sip.limits import MAX_CALL_ID, MAX_MESSAGE, MAX_TAG
from tests.unit.sip.samples import parsed, parsed_response, refused, request, response


def test_request() -> None:
    message = parsed(request(b"Content-Length: 4", b"X-Foo: bar", body=b"body and more"))
    assert (message.method, message.uri) == (b"INVITE", b"sip:+8613800138000@127.0.0.1")
    assert message.target == parse_uri(message.uri)
    assert (message.cseq, message.max_forwards, message.call_id) == (1, 70, b"call-1@127.0.0.2")
    assert (message.from_.tag, message.to.tag) == (b"caller1", b"")
    assert (message.via.host, message.via.port, message.via.rport) == (b"127.0.0.2", 5060, b"")
    assert message.body == b"body"
    assert not message.has(b"Content-Length")
    assert message.headers[-1] == (b"X-Foo", b"bar")


def test_response() -> None:
    message = parsed_response(response(b"Via: SIP/2.0/UDP b;branch=2", start=b"SIP/2.0 603 Network Blocked"))
    assert (message.status, message.reason) == (603, b"Network Blocked")
    assert (message.cseq, message.cseq_method) == (1, b"INVITE")
    assert len(message.get_all(b"via")) == 2


@pytest.mark.parametrize("start", [b"SIP/2.0 200", b"SIP/2.0 200 ", b"sip/2.0 200 "])
def test_response_without_reason(start: bytes) -> None:
    assert parsed_response(response(start=start)).reason == b""


@pytest.mark.parametrize(
    "start",
    [
        b"SIP/2.0 099 x",
        b"SIP/2.0 700 x",
        b"SIP/2.0 1000 x",
        b"SIP/2.0 20 x",
        b"SIP/2.0 +20 x",
        b"SIP/2.0 2_0 x",
        b"SIP/2.0 \xb2\xb0\xb0 x",
        b"SIP/2.0  200 OK",
        b"SIP/2.0\t200 OK",
        b"SIP/2.0",
        b"SIP/3.0 200 OK",
        b"SIP/2 200 OK",
        b"SIP/2.0 4294967301 x",
    ],
)
def test_broken_status_lines_get_silence(start: bytes) -> None:
    assert refused(response(start=start)).salvage is None


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"INVITE  sip:a@b SIP/2.0", 400),
        (b"INVITE sip:a@b  SIP/2.0", 400),
        (b"INVITE sip:a@b SIP/2.0 ", 400),
        (b"INVITE\tsip:a@b SIP/2.0", 400),
        (b" INVITE sip:a@b SIP/2.0", 400),
        (b"INVITE sip:a@b", 400),
        (b"INVITE", 400),
        (b"INVITE sip:a@b HTTP/1.1", 400),
        (b"INVITE sip:a@b SIP/2", 400),
        (b"INVITE sip:a@b SIP/x.y", 400),
        (b"INVITE sip:a@b SIP/3.0", 505),
        (b"INVITE sip:a@b sip/1.0", 505),
        (b"INV@TE sip:a@b SIP/2.0", 400),
        (b" sip:a@b SIP/2.0", 400),
        (b"INVITE http://a SIP/2.0", 416),
        (b"INVITE urn:service:sos SIP/2.0", 416),
        (b"INVITE <sip:a@b> SIP/2.0", 400),
        (b"INVITE sip:a@b@c SIP/2.0", 400),
        (b"INVITE sip:a@b;x;X SIP/2.0", 400),
        (b"INVITE sip:a@b?Route=%3Csip:c%3E SIP/2.0", 400),
        (b"INVITE sip:2001:db8::1 SIP/2.0", 400),
        (b"INVITE sip:a%0@b SIP/2.0", 400),
        ("INVITE sip:１２３@b SIP/2.0".encode(), 400),
        (b"INVITE tel:+86a SIP/2.0", 400),
    ],
)
def test_request_lines(start: bytes, status: int) -> None:
    assert refused(request(start=start)).status == status


def test_version_in_any_case() -> None:
    assert parsed(request(start=b"INVITE sip:a@b sip/2.0")).method == b"INVITE"


def test_tel_request_uri() -> None:
    target = parsed(request(start=b"INVITE tel:95588;phone-context=+86 SIP/2.0")).target
    assert (target.scheme, target.user, target.param(b"phone-context")) == (b"tel", b"95588", b"+86")


def test_user_part_keeps_escapes_and_parameters() -> None:
    target = parsed(request(start=b"INVITE sip:+86571;tgrp=x;isub=1%2540:pw@b;user=phone SIP/2.0")).target
    assert (target.user, target.password) == (b"+86571;tgrp=x;isub=1%2540", b"pw")


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_mandatory_headers(name: bytes) -> None:
    error = refused(request(without=(name,)))
    assert (error.status, error.phrase) == (400, b"Missing " + name)
    assert refused(response().replace(b"\r\n" + name + b": ", b"\r\nX: ")).salvage is None


def test_max_forwards_may_be_absent() -> None:
    assert parsed(request(without=(b"Max-Forwards",))).max_forwards == -1


@pytest.mark.parametrize("value", [b"", b"256", b"-1", b"+1", b"7_0", b"70 ;x", "７０".encode(), b"0x1", b"1" * 5000])
def test_max_forwards(value: bytes) -> None:
    assert refused(request(max_forwards=value)).phrase == b"Bad Max-Forwards"


@pytest.mark.parametrize(("value", "number"), [(b"0", 0), (b"255", 255), (b"0068", 68)])
def test_max_forwards_values(value: bytes, number: int) -> None:
    assert parsed(request(max_forwards=value)).max_forwards == number


@pytest.mark.parametrize(
    "value",
    [
        b"INVITE",
        b"1",
        b"",
        b"1 INVITE x",
        b"-1 INVITE",
        b"+1 INVITE",
        b"1_0 INVITE",
        b"4294967296 INVITE",
        b"1" * 5000 + b" INVITE",
        "１ INVITE".encode(),
        b"\xb2 INVITE",
        b"1 INV@TE",
        b"1 BYE",
        b"1 invite",
        b"1 INVITEX",
    ],
)
def test_cseq(value: bytes) -> None:
    assert refused(request(cseq=value)).status == 400


@pytest.mark.parametrize(
    ("value", "number"), [(b"4294967295 INVITE", 2**32 - 1), (b"0009 \t INVITE", 9), (b"0 INVITE", 0)]
)
def test_cseq_values(value: bytes, number: int) -> None:
    assert parsed(request(cseq=value)).cseq == number


@pytest.mark.parametrize("method", [b"invite", b"Invite", b"INVITE2", b"NEWMETHOD", b"GET"])
def test_unknown_methods(method: bytes) -> None:
    start = method + b" sip:a@b SIP/2.0"
    assert parsed(request(start=start, cseq=b"1 " + method)).method == method
    assert refused(request(start=start)).status == 501


@pytest.mark.parametrize(
    "value", [b"", b"a b", b"a@b@c", b"@a", b"a@", b"a,b", b"a;b", b"a=b", b"\xc3\xa9", b"<a>,<b>"]
)
def test_call_id(value: bytes) -> None:
    assert refused(request(call_id=value)).phrase == b"Bad Call-ID"


@pytest.mark.parametrize(
    "value",
    [
        b"<sip:a@b>;tag=1, <sip:c@d>;tag=2",
        b"<sip:a@b>;tag=1;tag=2",
        b"<sip:a@b>;tag=",
        b'"a <sip:a@b>',
        b"<sip:a@b",
        b"< sip:a@b>",
        b"Bell, A <sip:a@b>",
        b"sip:a;tag=1@evil.example;tag=2",
        b"",
    ],
)
def test_from_and_to(value: bytes) -> None:
    assert refused(request(from_=value)).status == 400
    assert refused(request(to=value)).status == 400
    assert refused(response(to=value)).status == 400


def test_display_name_traps() -> None:
    message = parsed(request(from_=b'"+8613800138000 <sip:+8610@h>;tag=x" <sip:+8657112340001@h;tag=uri>;tag=t'))
    assert (message.from_.uri, message.from_.tag) == (b"sip:+8657112340001@h;tag=uri", b"t")


@pytest.mark.parametrize("value", [b"z9hG4bK", b"Z9hg4BK"])
def test_magic_cookie_alone(value: bytes) -> None:
    assert refused(request(via=b"SIP/2.0/UDP h;branch=" + value)).status == 400


@pytest.mark.parametrize(
    "contact",
    [
        b"sip:a@b?x=y",
        b"<sip:a@b",
        b"< sip:a@b>",
        b'"a <sip:a@b>',
        b"<sip:a@b>;;",
        b"<sip:a@b>,",
        b"sip:a@b,c",
        b"<sip:a<b>",
    ],
)
def test_contact(contact: bytes) -> None:
    assert refused(request(contact=contact)).status == 400
    assert refused(response(contact=contact)).salvage is None


@pytest.mark.parametrize(
    "contact",
    [
        b"*",
        b"sip:a@b;expires=1",
        b'"A" <sip:a@b>;q=0.3, <tel:+1>',
        b'<sip:a@b;ob>;+sip.instance="<urn:uuid:1>"',
        b"<x:y>",
    ],
)
def test_contact_forms(contact: bytes) -> None:
    assert parsed(request(contact=contact)).get(b"Contact") == contact


def test_second_contact_line_is_checked_too() -> None:
    assert refused(request(b"m: sip:a@b?x=y", contact=b"<sip:a@b>")).status == 400
    assert refused(request(b"m: <sip:a@b>", contact=b"sip:a@b?x=y")).status == 400
    assert refused(request(b"m: <sip:a@b>", b"m: <sip:a@b", contact=b"<sip:a@b>")).status == 400
    assert parsed(request(b"m: <sip:c@d>", contact=b"<sip:a@b>")).get_all(b"Contact") == [b"<sip:a@b>", b"<sip:c@d>"]


@pytest.mark.parametrize(
    "value", [b"-1", b"+1", b"1_0", b"", b"1 1", b"0x1", b"1" * 5000, b"99999999999999999999", "１".encode()]
)
def test_content_length(value: bytes) -> None:
    assert refused(request(b"Content-Length: " + value, body=b"12")).status == 400


def test_content_length_against_the_body() -> None:
    assert parsed(request(b"Content-Length: 2", body=b"12345")).body == b"12"
    assert parsed(request(b"l : 002", body=b"12345")).body == b"12"
    assert parsed(request(body=b"12345")).body == b"12345"
    assert refused(request(b"Content-Length: 6", body=b"12345")).phrase == b"Content-Length Beyond the Message"


def test_leading_crlfs_and_keepalive() -> None:
    assert parsed(b"\r\n\r\n" + request()) == parsed(request())
    assert is_keepalive(b"\r\n\r\n")
    assert is_keepalive(b"")
    assert is_keepalive(b"\x00\x00\x00\x00")
    assert not is_keepalive(request())


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"\r\n" * 30_000, b"INVITE", request()[:-2], b"\xff" * 100, b"\x80" * 65_535]
)
def test_no_message(data: bytes) -> None:
    assert refused(data).status == 400


def test_too_large() -> None:
    assert refused(request(body=b"x" * MAX_MESSAGE)).status == 513


def test_a_new_error_each_time() -> None:
    data = request(call_id=b"a b")
    assert refused(data) is not refused(data)


def test_what_the_gate_reads_is_what_stands_there() -> None:
    message = parse(request(from_=b"<sip:%2B8657112340001@H>;tag=1"))
    assert isinstance(message, Request)
    assert canonical_uri(parse_uri(message.from_.uri)) == b"sip:%2B8657112340001@h"


def test_length_of_call_id() -> None:
    longest = b"c" * (MAX_CALL_ID - 2) + b"@x"
    assert parsed(request(call_id=longest)).call_id == longest
    assert parsed_response(response(call_id=longest)).call_id == longest
    error = refused(request(call_id=b"c" + longest))
    assert (error.status, error.phrase) == (400, b"Call-ID Too Long")
    assert error.salvage is not None and error.salvage.call_id == b"c" + longest
    assert refused(response(call_id=b"c" + longest)).salvage is None


@pytest.mark.parametrize("params", [b"tag=%b", b"x=y;tag=%b"])
def test_length_of_tags(params: bytes) -> None:
    longest, longer = (b"<sip:a@b>;" + params % (b"t" * length) for length in (MAX_TAG, MAX_TAG + 1))
    assert len(parsed(request(from_=longest, to=longest)).from_.tag) == MAX_TAG
    assert len(parsed_response(response(from_=longest, to=longest)).to.tag) == MAX_TAG
    for data in (request(from_=longer), request(to=longer)):
        error = refused(data)
        assert (error.status, error.phrase) == (400, b"Tag Too Long")
        assert error.salvage is not None
    for data in (response(from_=longer), response(to=longer)):
        assert refused(data).salvage is None


def test_lengths_leave_room_for_rfc_4475() -> None:
    message = parsed((Path(__file__).parents[2] / "data" / "rfc4475" / "longreq.dat").read_bytes())
    assert (len(message.call_id), len(message.from_.tag)) == (141, 155)


def test_contacts_are_counted_over_all_lines() -> None:
    line = b"Contact: " + b", ".join([b'"a" <sip:x@h>'] * 8)
    assert len(parsed(request(*[line] * 4, without=(b"Contact",))).get_all(b"Contact")) == 4
    for lines in ([line] * 5, [b"Contact: <sip:x@h>"] * 33):
        assert refused(request(*lines, without=(b"Contact",))).phrase == b"Too Many Contact"


def test_every_contact_of_several_is_checked() -> None:
    assert refused(request(b"Contact: <sip:x@h", b"Contact: <sip:y@h>")).status == 400
    assert refused(request(b"Contact: <sip:y@h>", b"Contact: <sip:x@h")).status == 400


@pytest.mark.parametrize("reason", [b"a\xe2\x80\xa8From: <sip:x@y>", b"a\x85b", b"\xc2\x85", b"\xff"])
def test_a_reason_phrase_that_splits_is_dropped(reason: bytes) -> None:
    assert parsed_response(response(start=b"SIP/2.0 200 " + reason)).reason == b""
    assert parsed_response(response(start="SIP/2.0 200 \u5143".encode())).reason == "\u5143".encode()
