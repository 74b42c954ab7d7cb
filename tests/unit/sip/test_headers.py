"""Line ends, folds, control characters, header names and repeated headers: the framing traps."""

from __future__ import annotations

import pytest

from gateway.sip import RemoteProtocolError, Request, parse
from gateway.sip.headers import read_head, unfold
from gateway.sip.limits import MAX_HEADERS, MAX_LINE, MAX_VIAS
from gateway.sip.names import canonical_name
from tests.unit.sip.samples import parsed, refused, request, response


@pytest.mark.parametrize("name", [b"From ", b"From\t", b"From \t ", b"FROM", b"f", b"F ", b"frOm"])
def test_spellings_are_the_same_header(name: bytes) -> None:
    message = parsed(request(name + b":<sip:a@b>;tag=1", without=(b"From",)))
    assert message.from_.uri == b"sip:a@b"
    assert (b"From", b"<sip:a@b>;tag=1") in message.headers


@pytest.mark.parametrize("octet", [bytes([c]) for c in (*range(9), *range(11, 13), *range(14, 32), 127)])
def test_control_octet_before_the_colon(octet: bytes) -> None:
    assert refused(request(b"P-Asserted-Identity" + octet + b": <sip:a@b>")).status == 400
    assert refused(request(b"From" + octet + b": <sip:a@b>;tag=2")).status == 400


@pytest.mark.parametrize(
    "name", [b"From\xa0", b"From\xc2\xa0", b"\xef\xbb\xbfFrom", b"From\xe2\x80\xa8", b"Fr om", b""]
)
def test_other_octets_in_a_name(name: bytes) -> None:
    assert refused(request(name + b": <sip:a@b>;tag=2")).status == 400


def test_names_that_only_begin_alike() -> None:
    message = parsed(request(b"From-X: <sip:x@y>", b"Fromm: 1", b"X-From: 2", b"Via-X: 3", b"fr: 4"))
    assert message.from_.uri == b"sip:+8657112340001@127.0.0.2"
    assert message.get_all(b"From") == [b"<sip:+8657112340001@127.0.0.2>;tag=caller1"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"From", b"<sip:x@y>;tag=2"),
        (b"f", b"<sip:x@y>;tag=2"),
        (b"F \t", b"<sip:x@y>;tag=2"),
        (b"FROM", b"<sip:+8657112340001@127.0.0.2>;tag=caller1"),
        (b"To", b"<sip:x@y>"),
        (b"t", b"<sip:x@y>"),
        (b"Call-ID", b"other"),
        (b"i", b"other"),
        (b"CSeq", b"1 INVITE"),
        (b"cseq", b"2 INVITE"),
        (b"Max-Forwards", b"70"),
        (b"MAX-FORWARDS ", b"1"),
    ],
)
def test_second_copies(name: bytes, value: bytes) -> None:
    error = refused(request(name + b": " + value))
    assert error.status == 400
    assert error.phrase.startswith(b"Second ")


@pytest.mark.parametrize("second", [b"Content-Length: 0", b"l: 0", b"L:0", b"content-length : 0"])
def test_second_content_length(second: bytes) -> None:
    assert refused(request(b"Content-Length: 0", second)).phrase == b"Second Content-Length"


def test_second_content_type() -> None:
    assert refused(request(b"c: application/sdp", b"Content-Type: application/isup")).phrase == b"Second Content-Type"


@pytest.mark.parametrize(
    "data",
    [
        request().replace(b"\r\n", b"\n"),
        request().replace(b"\r\n", b"\r"),
        request().replace(b"\r\nFrom", b"\nFrom"),
        request().replace(b"\r\nFrom", b"\rFrom"),
        request().replace(b"\r\nFrom", b"\n\rFrom"),
        request().replace(b"\r\nFrom", b"\r\r\nFrom"),
        request().replace(b"\r\nFrom", b"\r\n\nFrom"),
        request(b"X: a\nFrom: <sip:x@y>;tag=2"),
        request(b"X: a\rFrom: <sip:x@y>;tag=2"),
        request(b"X: a\n\nINVITE sip:x@y SIP/2.0"),
        request(b"X: a\x00b"),
        request(b"X: a\x0bb"),
        request(b"X: a\x0cb"),
        request(b"X: a\x1cb"),
        request(b"X: a\x7fb"),
        request(b'X: "a\\\x00b"'),
        request(b'Subject: "a\\\x00b"'),
        request(from_=b'"a\x00" <sip:a@b>;tag=1'),
        request(from_=b'"a\\\n" <sip:a@b>;tag=1'),
        request(from_=b'"a\\\r" <sip:a@b>;tag=1'),
        request(from_=b"<sip:a\x00@b>;tag=1"),
        request(from_=b"<sip:a@b>;tag=1\x00"),
        request(from_=b'"a\\\x00'),
        request(call_id=b"a\x00b"),
        request(start=b"INVITE sip:a\x00@b SIP/2.0"),
        b"\x00" + request(),
        b"\n" + request(),
        b" " + request(),
    ],
)
def test_line_ends_and_control_characters(data: bytes) -> None:
    assert refused(data).status == 400


@pytest.mark.parametrize("text", ["a\u2028From: <sip:x@y>", "a\u0085From: <sip:x@y>", "１２３", "a\u00a0b"])
def test_unicode_line_ends_are_text(text: str) -> None:
    message = parsed(request(b"Subject: " + text.encode()))
    assert message.get(b"Subject") == text.encode()
    assert len(message.get_all(b"From")) == 1


@pytest.mark.parametrize(
    "text", [b"a\xe2\x80\xa8b", b"a\xe2\x80\xa9b", b"a\xc2\x85b", b"a\x85 b", b"\xff", b"\xed\xa0\x80"]
)
@pytest.mark.parametrize(
    "name", [b"From", b"To", b"Contact", b"Via", b"Route", b"P-Asserted-Identity", b"f", b"History-Info", b"Require"]
)
def test_values_that_split_or_are_no_text(name: bytes, text: bytes) -> None:
    """A reader of Unicode lines would find headers in them; U+0085 is an octet of its own in ISO 8859."""
    line = name + b': "' + text + b'" <sip:a@b>;tag=2'
    known = canonical_name(name)
    error = refused(request(line, without=(known,)))
    assert (error.status, error.phrase) == (400, b"Bad Text in " + known)
    with pytest.raises(RemoteProtocolError):
        parse(response(line))


GBK = "招商银行 李经理".encode("gbk")
HALF_A_BACKSLASH = "誠".encode("gbk")
"""Its second octet is one."""


@pytest.mark.parametrize("name", [b"From", b"To", b"Contact", b"f", b"m"])
def test_a_display_name_in_gbk_is_kept(name: bytes) -> None:
    known = canonical_name(name)
    value = b'"' + GBK + b'" <sip:a@b>;tag=2'
    read = parsed(request(name + b": " + value, without=(known,)))
    assert read.get_all(known) == [value]
    assert len(read.headers) == len(parsed(request()).headers)


def test_several_contacts_of_which_some_have_names() -> None:
    value = b'<sip:a@b>, "' + GBK + b'" <sip:c@d>, "x, <y>" <sip:e@f>'
    assert parsed(request(b"Contact: " + value, without=(b"Contact",))).get(b"Contact") == value


@pytest.mark.parametrize(
    "value",
    [
        GBK + b" <sip:a@b>;tag=2",
        b'"' + HALF_A_BACKSLASH + b'" <sip:a@b>;tag=2',
        b'"' + HALF_A_BACKSLASH + b'" <sip:evil@x>;y=" <sip:a@b>;tag=2',
        b'"' + GBK + b'<sip:evil@x>" <sip:a@b>;tag=2',
        b'"' + GBK + b'" <sip:' + GBK + b"@b>;tag=2",
        b'"' + GBK + b'" <sip:a@b>;tag=' + GBK,
        b'"x" <sip:a@b>;tag=2;x="' + GBK + b'"',
        b"<sip:a@b>;tag=2;x=" + GBK,
        b'"' + GBK,
        b'"' + GBK + b'"',
        b'"' + GBK + b'" sip:a@b',
    ],
)
@pytest.mark.parametrize("name", [b"From", b"To", b"Contact"])
def test_gbk_anywhere_else_is_refused(name: bytes, value: bytes) -> None:
    error = refused(request(name + b": " + value, without=(name,)))
    assert error.status == 400


@pytest.mark.parametrize("name", [b"P-Asserted-Identity", b"Diversion", b"Route", b"Reply-To"])
def test_gbk_in_any_other_header_with_a_grammar_is_refused(name: bytes) -> None:
    assert refused(request(name + b': "' + GBK + b'" <sip:a@b>')).status == 400


@pytest.mark.parametrize("name", [b"Subject", b"Reason", b"Warning", b"User-Agent", b"X-Unknown"])
def test_free_text_is_kept_for_the_record(name: bytes) -> None:
    assert parsed(request(name + b": a\xe2\x80\xa8b\x85")).get(name) == b"a\xe2\x80\xa8b\x85"


def test_text_of_every_script_passes() -> None:
    """The second octet of U+5143 is 0x85."""
    display = '"\u5143 \u5ba2\u670d Zo\u00eb"'.encode()
    assert parsed(request(from_=display + b" <sip:a@b>;tag=1")).from_.display == display


def test_edge_white_space_is_sp_and_htab_only() -> None:
    assert parsed(request(b"Subject: \t a \t ")).get(b"Subject") == b"a"
    assert parsed(request("Subject: \u00a0a\u2003".encode())).get(b"Subject") == "\u00a0a\u2003".encode()


def test_quoted_pair_controls_where_rfc_4475_has_them() -> None:
    message = parsed(request(to=b'"a\\\x00\\\x07\\\\" <sip:a@b>'))
    assert message.to.display == b'"a\\\x00\\\x07\\\\"'


def test_quoted_controls_are_bounded() -> None:
    display = b'"' + b"\\\x01" * 1_000 + b'"'
    assert parsed(request(to=display + b" <sip:a@b>")).to.display == display
    contacts = [b"Contact: " + display + b" <sip:a@b>"] * 2
    assert refused(request(*contacts, to=display + b" <sip:a@b>")).phrase == b"Control Character"


def test_folds() -> None:
    message = parsed(request(b"Subject: a\r\n  b\r\n\tc", b"Supported:\r\n timer", from_=b"<sip:a@b>\r\n ;tag\r\n\t=1"))
    assert message.get(b"Subject") == b"a b c"
    assert message.get(b"Supported") == b"timer"
    assert message.from_.tag == b"1"


def test_fold_hides_no_header() -> None:
    message = parsed(request(b"Subject: a\r\n From: <sip:x@y>;tag=2"))
    assert message.get(b"Subject") == b"a From: <sip:x@y>;tag=2"
    assert len(message.get_all(b"From")) == 1


@pytest.mark.parametrize(
    "data",
    [
        request(b"Fr\r\n om: <sip:a@b>;tag=2"),
        request(b"From\r\n : <sip:a@b>;tag=2"),
        request(b"Subject"),
        request(b"Via"),
        request(b"Subject\r\n a"),
        request(start=b"INVITE sip:a@b\r\n SIP/2.0"),
        request(start=b"INVITE sip:a@b SIP/2.0\r\n x: y"),
        request(start=b"INVITE sip:a@b\r\n SIP/2.0", to=b'"\\\x07" <sip:a@b>'),
    ],
)
def test_bad_folds_and_missing_colons(data: bytes) -> None:
    assert refused(data).status == 400


def test_unfold() -> None:
    assert unfold([b"a: b", b" c", b"\t", b"d: e"]) == [b"a: b c ", b"d: e"]
    assert unfold([]) == []


def test_via_route_and_record_route_are_one_element_each() -> None:
    message = parsed(
        request(
            b"Route: <sip:r1;lr>,<sip:r2;lr>",
            b'route: "a, b" <sip:r3?x,y>',
            b"Record-Route:<sip:o1;lr> , <sip:o2;lr>",
            b"v: SIP/2.0/TCP c;branch=3",
            via=b"SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b;branch=2",
        )
    )
    assert message.get_all(b"Via") == [
        b"SIP/2.0/UDP a;branch=1",
        b"SIP/2.0/UDP b;branch=2",
        b"SIP/2.0/TCP c;branch=3",
    ]
    assert message.get_all(b"Route") == [b"<sip:r1;lr>", b"<sip:r2;lr>", b'"a, b" <sip:r3?x,y>']
    assert message.get_all(b"Record-Route") == [b"<sip:o1;lr>", b"<sip:o2;lr>"]
    assert message.via.branch == b"1"


def test_other_lists_stay_whole() -> None:
    pai = b'"a, b" <sip:+8657112340001@h>, <tel:+8657112340001>'
    message = parsed(request(b"P-Asserted-Identity: " + pai, b"p-asserted-identity: <sip:x@y>", b"Allow: A, B"))
    assert message.get_all(b"P-Asserted-Identity") == [pai, b"<sip:x@y>"]
    assert message.get(b"Allow") == b"A, B"


@pytest.mark.parametrize(
    "line",
    [
        b"Route:",
        b"Route: ,",
        b"Route: <sip:a>,",
        b"Record-Route: ,<sip:a>",
        b'Route: "a <sip:a>, <sip:b>',
        b"Via: ",
        b"Via: SIP/2.0/UDP h;;",
        b"Via: SIP/2.0/UDP h,",
        b"Via: SIP/2.0/UDP h;branch=z9hG4bK",
    ],
)
def test_empty_elements_and_bad_lower_vias(line: bytes) -> None:
    assert refused(request(line)).status == 400


def test_bounds() -> None:
    assert refused(request(*[b"X: y"] * (MAX_HEADERS + 1))).phrase == b"Too Many Headers"
    assert parsed(request(*[b"X: y"] * 100)).has(b"x")
    assert refused(request(b"X: " + b"y" * MAX_LINE)).phrase == b"Line Too Long"
    assert refused(request(b"X: " + b"\r\n ".join([b"y" * 100] * 100))).phrase == b"Line Too Long"
    assert isinstance(parse(request(b"X: " + b"y" * (MAX_LINE - 10))), Request)
    vias = [b"Via: SIP/2.0/UDP h"] * (MAX_VIAS - 1)
    assert len(parsed(request(*vias)).get_all(b"Via")) == MAX_VIAS
    assert refused(request(*vias, vias[0])).phrase == b"Too Many Via"
    assert (
        refused(request(b"Route: " + b",".join([b"<sip:a>"] * 250), b"Route: " + b",".join([b"a:"] * 250))).status
        == 400
    )


def test_read_head_first_values() -> None:
    start, headers, first, lines = read_head(b"INVITE a SIP/2.0\r\nX: 1\r\nVia: SIP/2.0/UDP a, SIP/2.0/UDP b")
    assert start == b"INVITE a SIP/2.0"
    assert len(headers) == 3
    assert first[b"Via"] == b"SIP/2.0/UDP a"
    assert lines == []


def test_lines_are_kept_in_our_own_framing_only() -> None:
    via = b"Via: SIP/2.0/UDP a\r\nVia: SIP/2.0/UDP b\r\n"
    kept = read_head(b"INVITE a SIP/2.0\r\n" + via + b"X-Y: 1\r\nSubject: a: b")
    assert kept[3] == [b"%b: %b" % header for header in kept[1]]
    for line in (
        b"Subject:a",
        b"Subject:  a",
        b"Subject: a ",
        b"subject: a",
        b"s: a",
        b"Subject : a",
        b"Subject:",
        b"Subject :a",
    ):
        assert read_head(b"INVITE a SIP/2.0\r\n" + via + line)[3] == []
    assert read_head(b"INVITE a SIP/2.0\r\n" + via + b"Subject: a\r\n b")[3][-1] == b"Subject: a b"
