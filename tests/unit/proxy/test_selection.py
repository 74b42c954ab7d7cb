"""RFC 3263 and RFC 2782 orders, with the draws written down."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from gateway.proxy.selection import Naptr, Service, Srv, default_services, is_refused, ordered, services

ALL = ("tls", "tcp", "udp")


def naptr(order: int, preference: int, service: str, replacement: str, flags: str = "s", regexp: str = "") -> Naptr:
    return Naptr(order, preference, flags, service, regexp, replacement)


EXAMPLE = [
    naptr(50, 50, "SIPS+D2T", "_sips._tcp.example.com"),
    naptr(90, 50, "SIP+D2T", "_sip._tcp.example.com"),
    naptr(100, 50, "SIP+D2U", "_sip._udp.example.com"),
]
"""The example of RFC 3263 §4.1."""


def test_the_example_of_the_rfc() -> None:
    assert services(reversed(EXAMPLE), ("tcp", "udp"), False) == (
        Service("tcp", "_sip._tcp.example.com"),
        Service("udp", "_sip._udp.example.com"),
    )
    assert services(EXAMPLE, ALL, True) == (Service("tls", "_sips._tcp.example.com"),)
    assert services(EXAMPLE, ("udp",), True) == ()


def test_order_goes_before_preference() -> None:
    records = [naptr(2, 1, "sip+d2u", "c"), naptr(1, 9, "SIP+D2T", "b"), naptr(1, 2, "SIP+D2U", "a")]
    assert [service.name for service in services(records, ALL, False)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "record",
    [
        naptr(1, 1, "SIP+D2S", "x"),
        naptr(1, 1, "E2U+sip", "x", "u"),
        naptr(1, 1, "SIP+D2U", "x", ""),
        naptr(1, 1, "SIP+D2U", "x", "s", "!^.*$!sip:x@y!"),
        naptr(1, 1, "SIP+D2U", "."),
        naptr(1, 1, "SIP+D2U", ""),
    ],
)
def test_records_for_something_else_are_left_out(record: Naptr) -> None:
    assert services([record], ALL, False) == ()


def test_without_naptr_each_transport_is_asked_for() -> None:
    assert default_services("x.example", ("udp", "tls"), False) == (
        Service("udp", "_sip._udp.x.example"),
        Service("tls", "_sips._tcp.x.example"),
    )
    assert default_services("x.example", ALL, True) == (Service("tls", "_sips._tcp.x.example"),)


def names(records: tuple[Srv, ...]) -> str:
    return "".join(record.target for record in records)


def test_priority_before_weight() -> None:
    records = [Srv(20, 100, 1, "c"), Srv(10, 0, 1, "a"), Srv(15, 1, 1, "b")]
    assert names(ordered(records, lambda n: n)) == "abc"


@pytest.mark.parametrize(
    ("draws", "order"),
    [
        ([0, 0, 0], "zab"),  # 0 draws the record of weight 0, which stands first
        ([1, 0, 0], "azb"),
        ([10, 0, 20], "azb"),
        ([11, 0, 0], "bza"),
        ([30, 10, 0], "baz"),
        ([30, 0, 10], "bza"),
    ],
)
def test_draws_by_running_sum(draws: list[int], order: str) -> None:
    limits: list[int] = []

    def pick(n: int) -> int:
        limits.append(n)
        return draws[len(limits) - 1] if len(limits) <= len(draws) else 0

    records = [Srv(1, 10, 1, "a"), Srv(1, 0, 1, "z"), Srv(1, 20, 1, "b")]
    assert names(ordered(records, pick)) == order
    assert limits[0] == 30
    assert len(limits) == 3


def test_weights_give_shares_and_all_zero_gives_equal_ones() -> None:
    draw = random.Random(1)
    pick = lambda n: draw.randint(0, n)  # noqa: E731
    weighted = [Srv(1, 60, 1, "a"), Srv(1, 30, 1, "b"), Srv(1, 10, 1, "c")]
    first = Counter(ordered(weighted, pick)[0].target for _ in range(10_000))
    assert (round(first["a"], -3), round(first["b"], -3), round(first["c"], -3)) == (6000, 3000, 1000)
    equal = [Srv(1, 0, 1, letter) for letter in "abcd"]
    first = Counter(ordered(equal, pick)[0].target for _ in range(10_000))
    assert all(2_300 < count < 2_700 for count in first.values())
    assert sorted(names(ordered(equal, pick))) == list("abcd")


def test_none_and_no_such_service() -> None:
    assert ordered([], lambda n: n) == ()
    assert is_refused([Srv(0, 0, 0, ".")])
    assert not is_refused([Srv(0, 0, 5060, "a")])
    assert not is_refused([])
