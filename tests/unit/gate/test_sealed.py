"""The sealed part: which headers, in what order, how much of them."""

from __future__ import annotations

import msgspec

from gateway.gate.sealed import MAX_RAW, MAX_RAW_HEADERS, MAX_RAW_TOTAL, RAW_HEADERS, sealed_content
from tests.unit.gate.calls import FROM, TO, invite


def test_identity_headers_as_received_and_nothing_else() -> None:
    request = invite(
        b"P-Asserted-Identity: <sip:+8657112340001@127.0.0.2>",
        b"Subject: a secret of theirs",
        b"i-made-this-up: x",
        b"Privacy: id",
        b"P-Asserted-Identity: <tel:+8657112340001>",
    )
    content = msgspec.json.decode(sealed_content(request, "+8613800138000"))
    assert (set(content), content["more"]) == ({"subscriber", "uri", "headers", "more"}, 0)
    assert content["subscriber"] == "+8613800138000"
    assert content["uri"] == "sip:+8613800138000@127.0.0.1:5060"
    assert content["headers"] == [
        ["From", FROM.decode()],
        ["To", TO.decode()],
        ["Contact", "<sip:alpha@127.0.0.2:5060>"],
        ["P-Asserted-Identity", "<sip:+8657112340001@127.0.0.2>"],
        ["Privacy", "id"],
        ["P-Asserted-Identity", "<tel:+8657112340001>"],
        ["User-Agent", "phone/1"],
    ]


def test_every_header_of_the_list_is_kept() -> None:
    lines = [name + b": <sip:x@127.0.0.2>" for name in sorted(RAW_HEADERS) if name not in (b"From", b"To", b"Contact")]
    kept = {name for name, _ in msgspec.json.decode(sealed_content(invite(*lines), ""))["headers"]}
    assert kept == {name.decode() for name in RAW_HEADERS}


def test_a_long_value_is_cut() -> None:
    request = invite(b"Identity: " + b"x" * (MAX_RAW + 1))
    (value,) = (v for name, v in msgspec.json.decode(sealed_content(request, ""))["headers"] if name == "Identity")
    assert value == "x" * MAX_RAW
    whole = invite(b"Identity: " + b"y" * MAX_RAW)
    assert b"y" * MAX_RAW in sealed_content(whole, "")


def test_bytes_that_are_no_utf8_stay_visible_as_such() -> None:
    request = invite(b"User-Agent: \xe4\xb8\xad \xff")
    values = [v for name, v in msgspec.json.decode(sealed_content(request, ""))["headers"] if name == "User-Agent"]
    assert "\u4e2d \ufffd" in values


def test_what_is_kept_of_one_message_is_bounded_and_says_what_is_missing() -> None:
    many = invite(*[b"History-Info: <sip:%d@127.0.0.2>" % number for number in range(40)])
    content = msgspec.json.decode(sealed_content(many, ""))
    raw = sum(name in RAW_HEADERS for name, _ in many.headers)
    assert (len(content["headers"]), content["more"]) == (MAX_RAW_HEADERS, raw - MAX_RAW_HEADERS)
    long = invite(*[b"Identity: " + b"z" * MAX_RAW] * 6)
    content = msgspec.json.decode(sealed_content(long, ""))
    kept = [len(value) for _, value in content["headers"]]
    assert sum(kept) == MAX_RAW_TOTAL
    assert content["more"] == sum(name in RAW_HEADERS for name, _ in long.headers) - len(kept) + 1, "one of them cut"


def test_a_long_request_uri_is_cut() -> None:
    request = invite(uri=b"sip:+8613800138000@127.0.0.1;x=" + b"u" * MAX_RAW)
    assert len(msgspec.json.decode(sealed_content(request, ""))["uri"]) == MAX_RAW
