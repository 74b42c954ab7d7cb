from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest

from gateway.proxy.cookie import (
    CALLEE,
    CALLER,
    COOKIE_LENGTH,
    MAX_REMEMBERED_COOKIES,
    MAX_REMEMBERED_LENGTH,
    NO_HASH,
    Cookie,
    CookieRing,
    short_hash,
)

RING = CookieRing({1: b"a" * 32, 2: b"b" * 32}, 2)
FROM, TO = short_hash(b"sip:a@h"), short_hash(b"sip:b@h")
BOUND = [short_hash(b"%d" % number) for number in range(5)]

FIELDS = (
    *("kind", "issued", "decision", "own", "peer", "from_hash", "to_hash"),
    *("contact_user", "contact_uri", "contact_host", "route_host", "routes"),
)


def make(kind: int) -> Cookie:
    return Cookie(kind, 1_800_000_000, bytes(range(16)), b"own.", b"peer", FROM, TO, *BOUND)


def issue(kind: int, ring: CookieRing = RING) -> bytes:
    return ring.issue(make(kind), b"call", b"caller", b"" if kind == CALLEE else b"callee")


@pytest.mark.parametrize(("kind", "tags"), [(CALLER, (b"caller", b"callee")), (CALLEE, (b"callee", b"caller"))])
def test_what_was_put_in_comes_out(kind: int, tags: tuple[bytes, bytes]) -> None:
    text = issue(kind)
    assert len(text) == COOKIE_LENGTH
    read = RING.read(text, b"call", *tags)
    assert read is not None
    want = make(kind)
    for name in FIELDS:
        assert getattr(read, name) == getattr(want, name)


def test_the_callees_cookie_is_valid_for_any_callee_tag() -> None:
    assert RING.read(issue(CALLEE), b"call", b"whatever", b"caller") is not None


@pytest.mark.parametrize(
    ("kind", "call_id", "from_tag", "to_tag"),
    [
        (CALLER, b"other", b"caller", b"callee"),
        (CALLER, b"call", b"other", b"callee"),
        (CALLER, b"call", b"caller", b"other"),
        (CALLER, b"call", b"callee", b"caller"),
        (CALLER, b"callcaller", b"", b"callee"),
        (CALLER, b"call", b"caller", b""),
        (CALLEE, b"other", b"callee", b"caller"),
        (CALLEE, b"call", b"callee", b"other"),
        (CALLEE, b"call", b"caller", b"callee"),
        (CALLEE, b"call", b"callee", b""),
    ],
)
def test_another_dialog(kind: int, call_id: bytes, from_tag: bytes, to_tag: bytes) -> None:
    assert RING.read(issue(kind), call_id, from_tag, to_tag) is None


@pytest.mark.parametrize("kind", [CALLER, CALLEE])
def test_every_bit_counts(kind: int) -> None:
    raw = urlsafe_b64decode(issue(kind))
    tags = (b"caller", b"callee") if kind == CALLER else (b"callee", b"caller")
    for index in range(len(raw)):
        for bit in range(8):
            altered = bytearray(raw)
            altered[index] ^= 1 << bit
            assert RING.read(urlsafe_b64encode(altered), b"call", *tags) is None


def test_every_character_counts() -> None:
    text = issue(CALLER)
    for index in range(len(text)):
        for other in b"A", b"_", b"=", b" ", b"\xff", b"+", b"/", b"\n":
            if text[index : index + 1] != other:
                assert RING.read(text[:index] + other + text[index + 1 :], b"call", b"caller", b"callee") is None


@pytest.mark.parametrize("length", [0, 1, COOKIE_LENGTH - 1, COOKIE_LENGTH - 4])
def test_a_shorter_or_longer_text(length: int) -> None:
    text = issue(CALLER)
    assert RING.read(text[:length], b"call", b"caller", b"callee") is None
    assert RING.read(text + b"A" * (length + 1), b"call", b"caller", b"callee") is None


def test_the_key_id_chooses_the_key() -> None:
    older = CookieRing({1: b"a" * 32}, 1)
    assert RING.read(issue(CALLER, older), b"call", b"caller", b"callee") is not None
    assert older.read(issue(CALLER), b"call", b"caller", b"callee") is None
    stolen = CookieRing({2: b"x" * 32}, 2)
    assert stolen.read(issue(CALLER), b"call", b"caller", b"callee") is None


def test_the_current_key_must_be_in_the_ring() -> None:
    with pytest.raises(ValueError, match=r"cookie key 3 is not in the ring \[1\]"):
        CookieRing({1: b"a" * 32}, 3)


def test_short_hash_of_nothing_is_no_hash() -> None:
    assert short_hash(b"") == NO_HASH
    assert short_hash(b"x") != NO_HASH
    assert len(short_hash(b"x")) == 6


def test_a_remembered_cookie_is_right_for_its_own_dialog_alone() -> None:
    ring = CookieRing({2: b"b" * 32}, 2)
    text = issue(CALLER, ring)
    first = ring.read(text, b"call", b"caller", b"callee")
    assert first is not None
    assert ring.read(text, b"call", b"caller", b"callee") is first
    for call_id, from_tag, to_tag in (
        (b"cal", b"caller", b"callee"),
        (b"call", b"callee", b"caller"),
        (b"call", b"caller", b""),
    ):
        assert ring.read(text, call_id, from_tag, to_tag) is None
    other = bytes([text[0] ^ 1]) + text[1:]
    assert ring.read(other, b"call", b"caller", b"callee") is None


def test_the_memory_of_cookies_is_bounded() -> None:
    ring = CookieRing({2: b"b" * 32}, 2)
    text = issue(CALLEE, ring)
    for number in range(MAX_REMEMBERED_COOKIES + 10):
        assert ring.read(text, b"call", b"tag-%d" % number, b"caller") is not None
        assert len(ring._read) <= MAX_REMEMBERED_COOKIES
    long = b"t" * MAX_REMEMBERED_LENGTH
    before = len(ring._read)
    assert ring.read(text, b"call", long, b"caller") is not None
    assert len(ring._read) == before
