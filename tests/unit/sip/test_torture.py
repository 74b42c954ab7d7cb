"""RFC 4475 and RFC 5118: every message, with what this parser must say of it.

`accept` rows are those a conforming proxy takes; what the proxy or the gate says to them afterwards (420, 483, 405 …)
is tested there. A status is that of the RemoteProtocolError; `silence` are broken responses, which are never answered.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from gateway.sip import (
    RemoteProtocolError,
    Request,
    error_response,
    parse,
    parse_name_addr,
    parse_uri,
    parse_via,
    unescape,
    write_request,
    write_response,
)
from tests.unit.sip.samples import parsed, parsed_response

DATA = Path(__file__).parents[2] / "data"

ACCEPT = 0
SILENCE = -400

RFC4475: dict[str, int] = {
    "wsinv": ACCEPT,
    "intmeth": ACCEPT,
    "esc01": ACCEPT,
    "escnull": ACCEPT,
    "esc02": ACCEPT,
    "lwsdisp": ACCEPT,
    "longreq": ACCEPT,
    "dblreq": ACCEPT,
    "semiuri": ACCEPT,
    "transports": ACCEPT,
    "mpart01": ACCEPT,
    "unreason": ACCEPT,
    "noreason": ACCEPT,
    "badinv01": 400,
    "clerr": 400,
    "ncl": 400,
    "scalar02": 400,
    "scalarlg": SILENCE,
    "quotbal": 400,
    "ltgtruri": 400,
    "lwsruri": 400,
    "lwsstart": 400,
    "trws": 400,
    "escruri": 400,
    "baddate": ACCEPT,
    "regbadct": 400,
    "badaspec": 400,
    "baddn": 400,
    "badvers": 505,
    "mismatch01": 400,
    "mismatch02": 501,
    "bigcode": SILENCE,
    "badbranch": 400,
    "insuf": 400,
    "unkscm": 416,
    "novelsc": 416,
    "unksm2": ACCEPT,
    "bext01": ACCEPT,
    "invut": ACCEPT,
    "regaut01": ACCEPT,
    "multi01": 400,
    "mcl01": 400,
    "bcast": ACCEPT,
    "zeromf": ACCEPT,
    "cparam01": ACCEPT,
    "cparam02": ACCEPT,
    "regescrt": ACCEPT,
    "sdp01": ACCEPT,
    "inv2543": ACCEPT,
}

RFC5118: dict[str, int] = {
    "ipv6-good": ACCEPT,
    "ipv6-bad": 400,
    "port-ambiguous": ACCEPT,
    "port-unambiguous": ACCEPT,
    "via-received-param-with-delim": ACCEPT,
    "via-received-param-no-delim": ACCEPT,
    "ipv6-in-sdp": ACCEPT,
    "mult-ip-in-header": ACCEPT,
    "mult-ip-in-sdp": ACCEPT,
    "ipv4-mapped-ipv6": ACCEPT,
    "ipv6-bug-abnf-3-colons": ACCEPT,
    "ipv6-correct-abnf-2-colons": ACCEPT,
}

ALL = {f"rfc4475/{name}.dat": want for name, want in RFC4475.items()}
ALL |= {f"rfc5118/{name}": want for name, want in RFC5118.items()}


def torture(name: str) -> bytes:
    """The octets of one message, `wsinv` or `rfc5118/ipv6-good`."""
    return (DATA / (name if "/" in name else f"rfc4475/{name}.dat")).read_bytes()


def test_every_file_is_listed() -> None:
    files = {f"{path.parent.name}/{path.name}" for path in DATA.glob("rfc*/*")}
    files -= {"rfc4475/EXPECTED.md", "rfc4475/SHA256SUMS", "rfc5118/EXPECTED.md"}
    assert files == set(ALL)
    assert (len(RFC4475), len(RFC5118)) == (49, 12)


@pytest.mark.parametrize("name", ALL)
def test_verdict(name: str) -> None:
    want = ALL[name]
    if want == ACCEPT:
        message = parse(torture(name))
        if isinstance(message, Request):
            again = write_request(message.method, message.uri, message.headers, message.body)
        else:
            again = write_response(message.status, message.reason, message.headers, message.body)
        assert parse(again) == message
        return
    with pytest.raises(RemoteProtocolError) as caught:
        parse(torture(name))
    assert caught.value.status == abs(want)
    answer = error_response(caught.value, b"192.0.2.200", 5099, b"t1")
    if want == SILENCE:
        assert caught.value.salvage is None
        assert answer is None
    else:
        assert answer is not None
        assert answer.startswith(b"SIP/2.0 %d " % want)
        assert answer.endswith(b"Content-Length: 0\r\n\r\n")
        assert b"received=192.0.2.200" in answer


def test_wsinv() -> None:
    message = parsed(torture("wsinv"))
    assert (message.cseq, message.max_forwards) == (9, 68)
    assert message.to.uri == b"sip:vivekg@chair-dnrc.example.com"
    assert (message.to.tag, message.from_.tag) == (b"1918181833n", b"98asjd8")
    assert message.from_.display == b'"J Rosenberg \\\\\\""'
    assert [parse_via(value).host for value in message.get_all(b"Via")] == [
        b"192.0.2.2",
        b"spindle.example.com",
        b"192.168.255.111",
    ]
    assert message.via.branch == b"390skdjuw"
    assert message.get(b"UnknownHeaderWithUnusualValue") == b";;,,;;,;"
    assert message.get(b"NewFangledHeader") == b"newfangled value continued newfangled value"
    assert message.get(b"Subject") == b""
    assert len(message.body) == 150


def test_intmeth() -> None:
    message = parsed(torture("intmeth"))
    assert message.method == b"!interesting-Method0123456789_*+`.%indeed'~"
    assert message.target.password == b"&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display == b'"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f"'
    assert message.from_.tag == b"_token~1'+`*%!-."


def test_esc01() -> None:
    message = parsed(torture("esc01"))
    assert unescape(message.target.user or b"") == b"sips:user@example.com"
    contact = parse_uri(parse_name_addr(message.get(b"Contact") or b"").uri)
    assert contact.has_param(b"lr")
    assert unescape(contact.param(b"name") or b"") == b"value%41"


def test_esc02() -> None:
    message = parsed(torture("esc02"))
    assert message.method == b"RE%47IST%45R"
    assert len(message.get_all(b"Contact")) == 2
    assert message.has(b"C%6Fntact")


def test_escnull() -> None:
    assert unescape(parse_uri(parsed(torture("escnull")).to.uri).user or b"") == b"null-\x00-null"


def test_longreq() -> None:
    message = parsed(torture("longreq"))
    assert len(message.get_all(b"Via")) == 34
    assert message.via.transport == b"TCP"


def test_dblreq_ignores_the_second_request() -> None:
    message = parsed(torture("dblreq"))
    assert (message.method, message.body) == (b"REGISTER", b"")
    assert b"INVITE" not in write_request(message.method, message.uri, message.headers, message.body)


def test_semiuri() -> None:
    target = parsed(torture("semiuri")).target
    assert unescape(target.user or b"") == b"user;par=u@example.net"
    assert (target.host, target.params) == (b"example.com", b"")


def test_mpart01_body_by_content_length() -> None:
    assert len(parsed(torture("mpart01")).body) == 553


def test_reasons() -> None:
    assert parsed_response(torture("noreason")).reason == b""
    assert parsed_response(torture("unreason")).reason.startswith(b"= 2**3 * 5**2 \xd0\xbd")


def test_cparam() -> None:
    header = parse_name_addr(parsed(torture("cparam01")).get(b"Contact") or b"")
    assert (header.uri, header.param(b"unknownparam")) == (b"sip:+19725552222@gw1.example.net", b"")
    within = parse_name_addr(parsed(torture("cparam02")).get(b"Contact") or b"")
    assert within.param(b"unknownparam") is None
    assert parse_uri(within.uri).has_param(b"unknownparam")


def test_regescrt_keeps_the_route_inside_the_contact() -> None:
    message = parsed(torture("regescrt"))
    assert not message.has(b"Route")
    assert message.get(b"Contact") == b"<sip:user@example.com?Route=%3Csip:sip.example.com%3E>"


def test_insuf_answer_copies_only_what_is_there() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(torture("insuf"))
    answer = error_response(caught.value, b"192.0.2.95", 5060, b"t1")
    assert answer == (
        b"SIP/2.0 400 Missing From\r\nVia: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\r\n"
        b"CSeq: 193942 INVITE\r\nContent-Length: 0\r\n\r\n"
    )


def test_multi01_answer_takes_no_side() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse(torture("multi01"))
    salvage = caught.value.salvage
    assert salvage is not None
    assert (salvage.from_, salvage.to, salvage.call_id, salvage.cseq) == (None, None, None, None)
    assert salvage.vias == [b"SIP/2.0/UDP 192.0.2.25;branch=z9hG4bKkdjuw"]


def test_zeromf_and_inv2543() -> None:
    assert parsed(torture("zeromf")).max_forwards == 0
    old = parsed(torture("inv2543"))
    assert (old.max_forwards, old.via.branch, old.from_.tag) == (-1, b"", b"")
    assert old.to.param(b"user") == b"phone"
    assert old.body.startswith(b"v=0")


@pytest.mark.parametrize(
    ("name", "host", "port"),
    [
        ("port-ambiguous", b"[2001:db8::10:5070]", 0),
        ("port-unambiguous", b"[2001:db8::10]", 5070),
        ("ipv6-bug-abnf-3-colons", b"[2001:db8:::192.0.2.1]", 0),
        ("ipv6-correct-abnf-2-colons", b"[2001:db8::192.0.2.1]", 0),
    ],
)
def test_ipv6_hosts(name: str, host: bytes, port: int) -> None:
    target = parsed(torture(f"rfc5118/{name}")).target
    assert (target.host, target.port) == (host, port)


def test_ipv6_received() -> None:
    assert parsed(torture("rfc5118/via-received-param-with-delim")).via.received == b"[2001:db8::9:255]"
    assert parsed(torture("rfc5118/via-received-param-no-delim")).via.received == b"2001:db8::9:255"


def test_one_bad_message_does_not_change_the_next() -> None:
    good = torture("rfc5118/ipv6-good")
    want = parse(good)
    for name in ALL:
        with contextlib.suppress(RemoteProtocolError):
            parse(torture(name))
        assert parse(good) == want
