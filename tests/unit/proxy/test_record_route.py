from __future__ import annotations

import pytest

from gateway.proxy import record_route
from tests.unit.proxy.messages import COOKIE, OWN, peer

OURS = b"<sip:127.0.0.1:5060;lr;cg=" + COOKIE + b">"
THEIRS = b"<sip:p@127.0.0.9:5070;lr>"
STRANGE = b"<sip:192.0.2.1;lr>"


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (THEIRS, True),
        (OURS, True),
        (STRANGE, False),
        (b"<sip:127.0.0.9;lr;maddr=192.0.2.1>", False),
        (b"<tel:+8613900139000>", False),
        (b"<sip:127.0.0.9;lr", False),
        (b"", False),
    ],
)
def test_belongs(value: bytes, want: bool) -> None:
    assert record_route.belongs(value, peer("127.0.0.9"), OWN) is want


def test_strangers_are_taken_out_of_an_invite() -> None:
    headers = [
        (b"Via", b"v"),
        (b"Record-Route", THEIRS),
        (b"Record-Route", STRANGE),
        (b"Path", THEIRS),
        (b"Path", THEIRS + b", " + STRANGE),
        (b"Path", b'"'),
        (b"X", STRANGE),
    ]
    left = record_route.without_strangers(headers, peer("127.0.0.9"), OWN)
    assert left == [headers[0], headers[1], headers[3], headers[6]]
    assert record_route.without_strangers(headers[:1], peer(), OWN) == headers[:1]


def test_above_ours() -> None:
    carrier = peer("127.0.0.9")
    assert record_route.above_ours([THEIRS, STRANGE, OURS, THEIRS], COOKIE, [], carrier, OWN) == [THEIRS]
    below = b"<sip:127.0.0.9:5090;lr>"
    assert record_route.above_ours([THEIRS, below, STRANGE], b"", [below], carrier, OWN) == [THEIRS]
    assert record_route.above_ours([THEIRS], COOKIE, [], carrier, OWN) == [THEIRS]


def test_below_ours() -> None:
    assert record_route.below_ours([OURS, THEIRS, OURS], OWN) == [THEIRS, OURS]
    assert record_route.below_ours([OURS], OWN) == []
    assert record_route.below_ours([THEIRS], OWN) == [THEIRS]
