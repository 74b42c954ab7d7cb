"""URIs, name-addrs, Vias and lists: any bytes give a value or a RemoteProtocolError; forms are stable."""

from __future__ import annotations

import os

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.sip import (
    RemoteProtocolError,
    canonical_uri,
    display_text,
    parse_name_addr,
    parse_uri,
    parse_via,
    split_list,
    unescape,
)

EXAMPLES = 20_000 if os.environ.get("HYPOTHESIS_PROFILE") == "deep" else 300

PIECES = st.sampled_from(
    [
        *(
            b"sip:",
            b"SIPS:",
            b"tel:",
            b"http:",
            b"+86571",
            b"alice",
            b"%41",
            b"%2B",
            b"%00",
            b"%",
            b"@",
            b":",
            b";",
            b"?",
        ),
        *(b"&", b"=", b"h", b"[::1]", b"[", b"]", b":5060", b":0", b";lr", b";user=phone", b";phone-context=+86", b"-"),
        *(
            b'"',
            b"\\",
            b"<",
            b">",
            b" ",
            b"\t",
            b",",
            b";tag=1",
            b"SIP/2.0/UDP ",
            b"SIP / 2.0 / TCP ",
            b";branch=z9hG4bK",
        ),
        *(b";rport", b";received=", b"1.2.3.4", b"\x00", b"\xff", "１".encode(), b"\r\n", b"a" * 300, b"*", b"#", b"."),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=12).map(b"".join), st.binary(max_size=60))


@settings(max_examples=EXAMPLES, deadline=None)
@given(TEXTS)
def test_uri(raw: bytes) -> None:
    assert b"%" in raw or unescape(raw) == raw
    try:
        uri = parse_uri(raw)
    except RemoteProtocolError as error:
        assert error.status in (400, 416)
        return
    assert not any(octet <= 0x20 or octet >= 0x7F for octet in raw)
    assert raw.count(b"@") <= 1
    form = canonical_uri(uri)
    assert canonical_uri(parse_uri(form)) == form
    uri.param(b"lr")


@settings(max_examples=EXAMPLES, deadline=None)
@given(TEXTS)
def test_name_addr(raw: bytes) -> None:
    try:
        address = parse_name_addr(raw)
    except RemoteProtocolError:
        return
    display_text(address.display)
    assert (address.param(b"tag") or b"") == address.tag
    shown = b"%b <%b>%b" % (address.display, address.uri, b";" + address.params if address.params else b"")
    assert parse_name_addr(shown.lstrip()) == address


@settings(max_examples=EXAMPLES, deadline=None)
@given(TEXTS)
def test_via(raw: bytes) -> None:
    try:
        via = parse_via(raw)
    except RemoteProtocolError:
        return
    assert parse_via(via.to_bytes()) == via
    stamped = via.stamped(b"192.0.2.9", 5099)
    assert parse_via(stamped.to_bytes()) == stamped
    assert stamped.branch == via.branch
    if via.rport is not None:
        assert (stamped.received, stamped.rport) == (b"192.0.2.9", b"5099")
    else:
        assert stamped.received == b"192.0.2.9" or via.host == b"192.0.2.9"


@settings(max_examples=EXAMPLES, deadline=None)
@given(TEXTS)
def test_list(raw: bytes) -> None:
    try:
        elements = split_list(raw)
    except RemoteProtocolError:
        return
    joined = b",".join(elements)
    assert split_list(joined) == elements
    assert joined.replace(b" ", b"").replace(b"\t", b"") == raw.replace(b" ", b"").replace(b"\t", b"")
