from __future__ import annotations

import pytest

from gateway.sip import RemoteProtocolError, Uri, canonical_uri, parse_uri, unescape


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        (b"sip:h", Uri(b"sip", None, None, b"h", 0, b"", b"")),
        (b"SIP:a@H.Example:5070", Uri(b"sip", b"a", None, b"h.example", 5070, b"", b"")),
        (b"sips:a:p@h;lr", Uri(b"sips", b"a", b"p", b"h", 0, b"lr", b"")),
        (b"sip:a:@h", Uri(b"sip", b"a", b"", b"h", 0, b"", b"")),
        (b"sip:a@[2001:DB8::1]:5061;x=y", Uri(b"sip", b"a", None, b"[2001:db8::1]", 5061, b"x=y", b"")),
        (b"sip:a;tgrp=x;isub=1@h;user=phone", Uri(b"sip", b"a;tgrp=x;isub=1", None, b"h", 0, b"user=phone", b"")),
        (b"sip:a?b/c@h?Route=x&y=z", Uri(b"sip", b"a?b/c", None, b"h", 0, b"", b"Route=x&y=z")),
        (b"sip:a%40b@h", Uri(b"sip", b"a%40b", None, b"h", 0, b"", b"")),
        (b"tel:+86-571-1234", Uri(b"tel", b"+86-571-1234", None, b"", 0, b"", b"")),
        (b"Tel:95588;phone-context=+86", Uri(b"tel", b"95588", None, b"", 0, b"phone-context=+86", b"")),
        (b"tel:*67#31;ext=1", Uri(b"tel", b"*67#31", None, b"", 0, b"ext=1", b"")),
    ],
)
def test_parts(raw: bytes, want: Uri) -> None:
    assert parse_uri(raw) == want
    assert parse_uri(raw) == want  # and again, from the memo


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"sip",
        b"sip:",
        b"sip:@h",
        b"sip::p@h",
        b"sip:a@",
        b"sip:a@b@c",
        b"sip:a:b:c@h",
        b"sip:+86123@secret:word@h",
        b"sip:a b@h",
        b"sip:a@h ",
        b"sip:a@h\x00",
        b"sip:a\x00@h",
        b"sip:a%4@h",
        b"sip:a%@h",
        b"sip:a%zz@h",
        b"sip:a@h;x=%1",
        b"sip:a@h:0",
        b"sip:a@h:",
        b"sip:a@h:65536",
        b"sip:a@h:000005060",
        b"sip:a@h:+1",
        b"sip:a@h:\xef\xbc\x91",
        b"sip:a@2001:db8::10",
        b"sip:2001:db8::10",
        b"sip:[2001:db8::1",
        b"sip:[]",
        b"sip:[::1]x",
        b"sip:[::1]:",
        b"sip:[::g]",
        b"sip:a@h;",
        b"sip:a@h;;lr",
        b"sip:a@h;lr;LR",
        b"sip:a@h;lr;%6Cr",
        b"sip:a@h;=x",
        b"sip:a@h;x=y=z",
        b"sip:a@h;a@b",
        b"sip:a@h?",
        b"sip:a@h?x y",
        b"sip:\xe4@h",
        b"sip:a@" + b"h" * 256,
        b"sip:a@.h",
        b"sip:a@-h",
        b"sip:a@h..h",
        b"<sip:a@h>",
        b"tel:",
        b"tel:+",
        b"tel:--",
        b"tel:+8613a",
        b"tel:+86 13",
        b"tel:%2B8613",
        b"tel:+86*",
        b"tel:x",
        b"tel:1;",
        b"tel:1;ext=%1",
        b"tel:1;ext=1;ext=2",
        b"tel:\xef\xbc\x91",
        b"tel:1@h",
        b"ht tp:x",
        b"1a:x",
        b"http:",
        b"sip:a@h" + b";x" * 70,
    ],
)
def test_refuses(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri(raw)
    assert caught.value.status == 400


@pytest.mark.parametrize("raw", [b"http://example.com", b"soap.beep://192.0.2.103:3002", b"isbn:2983792873"])
def test_other_schemes_are_416(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri(raw)
    assert caught.value.status == 416


def test_param() -> None:
    uri = parse_uri(b"sip:a@h;Transport=TCP;%6Cr")
    assert uri.param(b"transport") == b"TCP"
    assert uri.param(b"LR") == b""
    assert uri.has_param(b"lr")
    assert uri.param(b"maddr") is None
    assert not parse_uri(b"sip:h").has_param(b"lr")


def test_unescape_once() -> None:
    assert unescape(b"%2541") == b"%41"
    assert unescape(b"a%00%0D%0ab") == b"a\x00\r\nb"
    assert unescape(b"%%41%4") == b"%A%4"
    assert unescape(b"plain") == b"plain"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # RFC 3261 §19.1.4, the pairs it calls equivalent
        (b"sip:%61lice@atlanta.com;transport=TCP", b"sip:alice@AtLanTa.CoM;Transport=tcp"),
        (b"sip:carol@chicago.com", b"sip:carol@chicago.com;newparam=5"),
        (b"sip:carol@chicago.com;security=on", b"sip:carol@chicago.com;newparam=5"),
        (
            b"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            b"sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            b"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            b"sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        (b"sip:a%2fb@h", b"sip:a%2Fb@h"),
        # RFC 3966 §4
        (b"tel:+86-571-8888", b"TEL:+86(571)8888"),
        (b"tel:7042;phone-context=Example.com;ext=1-2", b"tel:70-42;ext=12;phone-context=example.com"),
        (b"tel:1;phone-context=+86-571", b"tel:1;phone-context=+86571"),
    ],
)
def test_equivalent(one: bytes, other: bytes) -> None:
    assert canonical_uri(parse_uri(one)) == canonical_uri(parse_uri(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # RFC 3261 §19.1.4, the pairs it calls different
        (b"sip:ALICE@AtLanTa.CoM;Transport=udp", b"sip:alice@AtLanTa.CoM;Transport=UDP"),
        (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com:5060"),
        (b"sip:bob@biloxi.com", b"sip:bob@biloxi.com;transport=udp"),
        (b"sip:carol@chicago.com", b"sip:carol@chicago.com?Subject=next%20meeting"),
        (b"sip:bob@phone21.boxesbybob.com", b"sip:bob@192.0.2.4"),
        (b"sip:a@h", b"sips:a@h"),
        (b"sip:a@h", b"sip:a:@h"),
        (b"sip:a%3Bb@h", b"sip:a;b@h"),
        (b"sip:a@h", b"sip:a%00@h"),
        (b"tel:+86571", b"tel:86571"),
        (b"tel:+86571", b"tel:+86571;ext=1"),
    ],
)
def test_different(one: bytes, other: bytes) -> None:
    assert canonical_uri(parse_uri(one)) != canonical_uri(parse_uri(other))


def test_canonical_form_is_stable() -> None:
    once = canonical_uri(parse_uri(b"sip:%41%3b@H:5060;user=Phone;x=1"))
    assert once == b"sip:A%3B@h:5060;user=phone"
    assert canonical_uri(parse_uri(once)) == once


def test_memo_is_bounded() -> None:
    from gateway.sip import uri as module
    from gateway.sip.limits import MAX_MEMO

    for number in range(MAX_MEMO + 10):
        parse_uri(b"sip:h%d.example" % number)
    assert len(module._host_ports) <= MAX_MEMO
