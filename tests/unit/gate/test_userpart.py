"""User parts: one strict reading, the fast one and the slow one alike."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.gate import userpart
from gateway.gate.userpart import (
    FAULT_URI,
    HIDDEN_WORDS,
    plain_digits,
    plain_host,
    plain_uri,
    read_caller,
    read_digits,
    read_target,
    read_uri,
    reads_same,
)
from gateway.sip import ProtocolError, parse_uri
from tests.unit.gate.calls import ALPHA, CARRIER, registry

PLAN = registry().plan


@pytest.mark.parametrize(
    ("uri", "digits"),
    [
        (b"sip:+8657112340001@h.example", b"+8657112340001"),
        (b"sip:95588@127.0.0.1:5060", b"95588"),
        (b"sip:+8657112340001@h;user=phone", b"+8657112340001"),
        (b"sip:+8657112340001@h:65535;user=phone", b"+8657112340001"),
        (b"sip:+8657112340001@h:0", b""),
        (b"sip:+8657112340001@h:65536", b""),
        (b"sip:+8657112340001@h:", b""),
        (b"sip:+8657112340001@", b""),
        (b"sip:+@h", b""),
        (b"sip:+8657112340001@.h", b""),
        (b"sip:+8657112340001@-h", b""),
        (b"sip:+8657112340001@h..h", b""),
        (b"sip:+8657112340001@a_b", b""),
        (b"sip:@h", b""),
        (b"sip:+8657112340001@h\x00", b""),
        (b"sip:+8657112340001@h;user=ip", b""),
        (b"sip:+8657112340001@h;transport=udp;user=phone", b""),
        (b"sip:+8657112340001@anonymous.invalid", b""),
        (b"sip:+8657112340001@anonymous.INVALID.", b""),
        (b"sip:+8657112340001@h@h", b""),
        (b"sips:+8657112340001@h", b""),
        (b"sip:\xef\xbc\x91@h", b""),
        (b"", b""),
    ],
)
def test_plain_digits(uri: bytes, digits: bytes) -> None:
    assert plain_digits(uri) == digits


@given(
    st.lists(
        st.sampled_from(
            b"sip: tel: + 86 57112340001 @ h .invalid : 5060 ; user=phone %2B %38 - ? a rn=1 [::1] \x00 = lr".split(
                b" "
            )
        ),
        max_size=10,
    ).map(b"".join)
)
def test_the_fast_reading_never_says_more_than_the_slow_one(uri: bytes) -> None:
    digits = plain_digits(uri)
    if digits:
        parsed = parse_uri(uri)
        slow = read_target(parsed, ALPHA, PLAN)
        assert (slow.digits, slow.plain) == (digits, True)
        fast = read_digits(digits, ALPHA, PLAN)
        assert (slow.number is None) == (fast is None)
        assert not parsed.headers
        assert plain_host(uri) == parsed.host
        assert not parsed.has_param(b"maddr")
    else:
        assert plain_host(uri) == b""


@given(st.one_of(st.binary(max_size=60), st.binary(max_size=40).map(lambda tail: b"sip:+86" + tail)))
def test_reading_never_raises_and_finds_a_number_or_a_fault(uri: bytes) -> None:
    reading = read_uri(uri, ALPHA, PLAN)
    assert (reading.number is None) == (reading.fault != "")
    if reading.number is not None:
        again = read_uri(plain_uri(uri, reading.digits), ALPHA, PLAN)
        assert again.number is not None
        assert (again.number.canonical, again.plain) == (reading.number.canonical, True)


def test_a_caller_is_read_as_any_uri_and_anew_under_another_plan() -> None:
    uri, local = b"sip:+8657112340001@h", b"sip:12340001@h"
    other = registry().plan
    for plan in (PLAN, other, PLAN):
        first = read_caller(uri, ALPHA, plan)
        slow = read_uri(uri, ALPHA, plan)
        assert (first.digits, first.fault, first.plain) == (slow.digits, slow.fault, slow.plain)
        assert read_caller(uri, ALPHA, plan) is first
    # Local digits mean a number in an area only: what was read for one trunk is not read for another.
    here = read_caller(local, replace(ALPHA, area="571"), PLAN).number
    there = read_caller(local, replace(ALPHA, area="10"), PLAN).number
    assert here is not None
    assert there is None


def test_what_is_remembered_of_uris_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(userpart, "MAX_MEMO", 10)
    for memory in (userpart._hosts, userpart._callers, userpart._plain):
        memory.clear()
    for number in range(30):
        read_caller(b"sip:+86571123400%02d@h%d" % (number, number), ALPHA, PLAN)
        assert 0 < len(userpart._callers) <= 10
        assert 0 < len(userpart._hosts) <= 10
        assert 0 < len(userpart._plain) <= 10
    kept = len(userpart._hosts), len(userpart._callers), len(userpart._plain)
    assert read_caller(b"sip:+8657112340001@" + b"h" * 400, ALPHA, PLAN).number is not None
    assert (len(userpart._hosts), len(userpart._callers), len(userpart._plain)) == kept


def test_hidden_words_are_lower_case() -> None:
    assert all(word == word.lower() for word in HIDDEN_WORDS)


def test_plain_uri_keeps_the_rest() -> None:
    assert plain_uri(b"sips:%2B86@H.example:5061;lr;user=phone", b"+86") == b"sips:+86@h.example:5061;lr;user=phone"
    assert plain_uri(b"tel:0-571-1;phone-context=+86", b"05711") == b"tel:05711;phone-context=+86"
    with pytest.raises(ProtocolError):
        plain_uri(b"nonsense", b"1")


@pytest.mark.parametrize(
    ("user", "area", "country", "same"),
    [
        (b"+8657112340001", "10", "852", True),
        (b"057112340001", "10", "86", True),
        (b"057112340001", "571", "852", False),
        (b"008657112340001", "", "86", True),
        (b"13800138000", "", "86", True),
        (b"12340001", "571", "86", True),
        (b"12340001", "10", "86", False),
        (b"12340001", "", "86", False),
        (b"95588", "", "86", True),
        (b"95588", "571", "852", False),
    ],
)
def test_reads_same(user: bytes, area: str, country: str, same: bool) -> None:
    number = read_digits(user, ALPHA, PLAN)
    assert number is not None
    assert reads_same(number, ALPHA, replace(CARRIER, area=area, country=country)) is same


@pytest.mark.parametrize("host", [b"a_b", b"-h", b".h", b"h..h"])
def test_a_host_that_is_none_hides_the_number(host: bytes) -> None:
    assert read_uri(b"sip:+8657112340001@" + host, ALPHA, PLAN).fault == FAULT_URI
    assert read_uri(b"sip:+8657112340001@" + host + b";user=phone", ALPHA, PLAN).fault == FAULT_URI
