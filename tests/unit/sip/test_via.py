from __future__ import annotations

import pytest

from gateway.sip import RemoteProtocolError, Via, parse_via


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (b"SIP/2.0/UDP h", Via(b"UDP", b"h", 0, b"", b"", b"", None)),
        (b"SIP/2.0/UDP H:5060;branch=z9hG4bK1", Via(b"UDP", b"h", 5060, b"branch=z9hG4bK1", b"z9hG4bK1", b"", None)),
        (b"SIP/2.0/UDP h;branch=b;rport", Via(b"UDP", b"h", 0, b"branch=b;rport", b"b", b"", b"")),
        (b"SIP/2.0/UDP h;rport;branch=b", Via(b"UDP", b"h", 0, b"rport;branch=b", b"b", b"", b"")),
        (
            b"SIP/2.0/TLS [::1]:5061;received=::2;rport=9;branch=b",
            Via(b"TLS", b"[::1]", 5061, b"received=::2;rport=9;branch=b", b"b", b"::2", b"9"),
        ),
        (b'SIP/2.0/UDP h;BRANCH=b;x="a;branch=c"', Via(b"UDP", b"h", 0, b'BRANCH=b;x="a;branch=c"', b"b", b"", None)),
        (b"SIP/2.0/UNKNOWN h", Via(b"UNKNOWN", b"h", 0, b"", b"", b"", None)),
        (b"sip/2.0/udp h", Via(b"UDP", b"h", 0, b"", b"", b"", None)),
        (b"SIP  / 2.0  / TCP\t spindle   ; branch =  b ", Via(b"TCP", b"spindle", 0, b"branch =  b", b"b", b"", None)),
        (
            b"SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
            Via(
                b"UDP",
                b"first.example.com",
                4000,
                b"ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1",
                b"z9hG4bKa7c6a8dlze.1",
                b"",
                None,
            ),
        ),
    ],
)
def test_forms(value: bytes, want: Via) -> None:
    assert parse_via(value) == want
    assert parse_via(value) == want  # and again, from the memo


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b";",
        b"SIP/2.0/UDP",
        b"SIP/2.0/UDP ",
        b"SIP/2.0/ h",
        b"SIP/2.0 h",
        b"SIP/3.0/UDP h",
        b"HTTP/2.0/UDP h",
        b"SIP/2.0/U@P h",
        b"SIP/2.0/UDP h h",
        b"SIP/2.0/UDP h:0",
        b"SIP/2.0/UDP h:99999",
        b"SIP/2.0/UDP ::1",
        b"SIP/2.0/UDP h;",
        b"SIP/2.0/UDP h;;branch=b",
        b"SIP/2.0/UDP h;branch",
        b"SIP/2.0/UDP h;branch=",
        b"SIP/2.0/UDP h;branch=;rport",
        b"SIP/2.0/UDP h;branch=a=b",
        b"SIP/2.0/UDP h;branch=a=b;rport",
        b"SIP/2.0/UDP h;branch=b;branch=c",
        b"SIP/2.0/UDP h;branch=b;Branch=b",
        b"SIP/2.0/UDP h;branch=z9hG4bK",
        b"SIP/2.0/UDP h;branch=Z9HG4BK;rport",
        b"SIP/2.0/UDP h;rport;branch=z9hG4bK",
        b"SIP/2.0/UDP h;rport;rport",
        b"SIP/2.0/UDP h;rport=x",
        b"SIP/2.0/UDP h;rport=-1",
        b"SIP/2.0/UDP h;rport=123456",
        b"SIP/2.0/UDP h;received",
        b"SIP/2.0/UDP h;received=a;received=b",
        b"SIP/2.0/UDP h;received=a@b",
        b'SIP/2.0/UDP h;branch="b"',
    ],
)
def test_refuses(value: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_via(value)
    assert caught.value.status == 400


def test_to_bytes() -> None:
    for value in (b"SIP/2.0/UDP h", b"SIP/2.0/TCP [::1]:5061;branch=b;rport", b"SIP/2.0/UDP h:5060"):
        assert parse_via(value).to_bytes() == value


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (b"SIP/2.0/UDP 127.0.0.2;branch=b", b"SIP/2.0/UDP 127.0.0.2;branch=b"),
        (b"SIP/2.0/UDP h;branch=b", b"SIP/2.0/UDP h;branch=b;received=127.0.0.2"),
        (b"SIP/2.0/UDP h", b"SIP/2.0/UDP h;received=127.0.0.2"),
        (b"SIP/2.0/UDP h;branch=b;rport", b"SIP/2.0/UDP h;branch=b;rport=9;received=127.0.0.2"),
        (b"SIP/2.0/UDP 127.0.0.2;rport;branch=b", b"SIP/2.0/UDP 127.0.0.2;branch=b;rport=9;received=127.0.0.2"),
        (b"SIP/2.0/UDP h;rport=1;branch=b;received=6.6.6.6", b"SIP/2.0/UDP h;branch=b;rport=9;received=127.0.0.2"),
        (b"SIP/2.0/UDP 127.0.0.2;received=6.6.6.6", b"SIP/2.0/UDP 127.0.0.2"),
        (b"SIP/2.0/UDP 127.0.0.2;received=6.6.6.6;rport", b"SIP/2.0/UDP 127.0.0.2;rport=9;received=127.0.0.2"),
    ],
)
def test_stamped(value: bytes, want: bytes) -> None:
    stamped = parse_via(value).stamped(b"127.0.0.2", 9)
    assert stamped.to_bytes() == want
    assert stamped == parse_via(want)


def test_stamped_ipv6() -> None:
    assert parse_via(b"SIP/2.0/UDP [::1];branch=b").stamped(b"::1", 9).to_bytes() == b"SIP/2.0/UDP [::1];branch=b"
    stamped = parse_via(b"SIP/2.0/UDP [::2];branch=b").stamped(b"[::1]", 9)
    assert stamped.to_bytes() == b"SIP/2.0/UDP [::2];branch=b;received=::1"


def test_memo_is_bounded_and_takes_no_long_text() -> None:
    from gateway.sip import via as module
    from gateway.sip.limits import MAX_MEMO

    for number in range(MAX_MEMO + 10):
        parse_via(b"SIP/2.0/UDP h%d" % number)
    assert len(module._senders) <= MAX_MEMO
    before = len(module._senders)
    parse_via(b"SIP/2.0/UDP" + b" " * 4000 + b"h")
    assert len(module._senders) == before
