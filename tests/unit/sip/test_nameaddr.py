from __future__ import annotations

import pytest

from gateway.sip import NameAddr, RemoteProtocolError, display_text, parse_name_addr


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (b"<sip:a@b>", NameAddr(b"", b"sip:a@b", b"", b"")),
        (b"<sip:a@b>;tag=1", NameAddr(b"", b"sip:a@b", b"tag=1", b"1")),
        (b"<sip:a@b;tag=2>;tag=1", NameAddr(b"", b"sip:a@b;tag=2", b"tag=1", b"1")),
        (b"<sip:a@b;tag=2>", NameAddr(b"", b"sip:a@b;tag=2", b"", b"")),
        (b"sip:a@b;tag=1", NameAddr(b"", b"sip:a@b", b"tag=1", b"1")),
        (b"sip:a@b;user=phone;Tag=1", NameAddr(b"", b"sip:a@b", b"user=phone;Tag=1", b"1")),
        (b"caller<sip:a@b>", NameAddr(b"caller", b"sip:a@b", b"", b"")),
        (b"T. Watson <sip:a@b>", NameAddr(b"T. Watson", b"sip:a@b", b"", b"")),
        (b'"A" <sip:a@b>', NameAddr(b'"A"', b"sip:a@b", b"", b"")),
        (b'"A"<sip:a@b>', NameAddr(b'"A"', b"sip:a@b", b"", b"")),
        (b'"<sip:x@y>;tag=9" <sip:a@b>;tag=1', NameAddr(b'"<sip:x@y>;tag=9"', b"sip:a@b", b"tag=1", b"1")),
        (b'"\\"<sip:x@y>" <sip:a@b>', NameAddr(b'"\\"<sip:x@y>"', b"sip:a@b", b"", b"")),
        (b'"a\\\\" <sip:a@b>', NameAddr(b'"a\\\\"', b"sip:a@b", b"", b"")),
        (b'"\xe2\x80\xae+1" <sip:a@b>', NameAddr(b'"\xe2\x80\xae+1"', b"sip:a@b", b"", b"")),
        (b"<tel:+86-571>;tag=1", NameAddr(b"", b"tel:+86-571", b"tag=1", b"1")),
        (b"isbn:2983792873", NameAddr(b"", b"isbn:2983792873", b"", b"")),
        (b"<sip:a@b> ; x ; tag = 1", NameAddr(b"", b"sip:a@b", b"x ; tag = 1", b"1")),
        (b'sip:a@b;x="<y>"', NameAddr(b"", b"sip:a@b", b'x="<y>"', b"")),
    ],
)
def test_forms(value: bytes, want: NameAddr) -> None:
    assert parse_name_addr(value) == want


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"*",
        b"<>",
        b"<sip:a@b",
        b"sip:a@b>",
        b"< sip:a@b >",
        b"<sip:a @b>",
        b'"A <sip:a@b>',
        b'"A\\" <sip:a@b>',
        b'"A" "B" <sip:a@b>',
        b'"A" B <sip:a@b>',
        b'A "B" <sip:a@b>',
        b'"A" sip:a@b',
        b"Bell, Alexander <sip:a@b>",
        b"\xe4\xbd\xa0 <sip:a@b>",
        b"<sip:a@b>tag=1",
        b"<sip:a@b>;",
        b"<sip:a@b>;;tag=1",
        b"<sip:a@b>;tag",
        b"<sip:a@b>;tag=",
        b"<sip:a@b>;tag= ",
        b"<sip:a@b>;tag=1;tag=2",
        b"<sip:a@b>;tag=1;TAG=1",
        b'<sip:a@b>;tag="1"',
        b"<sip:a@b>;tag=a b",
        b"<sip:a@b>;tag=\xff",
        b"<sip:a@b>, <sip:c@d>",
        b"<sip:a@b><sip:c@d>",
        b"<sip:a@b>;tag=1, <sip:c@d>;tag=2",
        b"sip:a@b,sip:c@d",
        b"sip:a@b?Route=x",
        b"sip:alice;tag=1@evil.example;tag=2",
        b"sip:a@b;",
        b"a@b",
        b":a@b",
        b"1sip:a@b",
        b"<sip:\xe4@b>",
        b'<sip:"a"@b>',
        b"x <sip:a@b> <sip:c@d>",
    ],
)
def test_refuses(value: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_name_addr(value)
    assert caught.value.status == 400


def test_param() -> None:
    address = parse_name_addr(b'<sip:a@b>;Q=0.3;lr;text="x;y"')
    assert address.param(b"q") == b"0.3"
    assert address.param(b"LR") == b""
    assert address.param(b"text") == b'"x;y"'
    assert address.param(b"tag") is None


def test_display_text() -> None:
    assert display_text(b'"a \\"b\\" \\\\"') == b'a "b" \\'
    assert display_text(b'"plain"') == b"plain"
    assert display_text(b"T. Watson") == b"T. Watson"
    assert display_text(b"") == b""
    assert display_text(b'"') == b""
