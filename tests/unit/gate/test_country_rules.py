"""What the packs of other countries say of a call: a country is a file, and these are its figures."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gateway.gate.engine import Engine
from gateway.gate.localtime import local_time
from policies.facts import Counted, Facts
from tests.unit.gate.test_country_packs import shipped_pack
from tests.unit.policies.example import inbound, outbound

NOTHING_COUNTED = Counted((), (), (-1, -1, -1), -1, 0)


def ruled(country: str, facts: Facts) -> str:
    """The rule that refuses, or `allow`."""
    engine = Engine(shipped_pack(country)[0])
    facts.counted = facts.counted or NOTHING_COUNTED
    ruling = engine.judge_memory(facts, []) or engine.judge_store(facts, [])
    return ruling.rule if ruling else "allow"


def selling(number: str, when: str = "2026-06-01T11:00:00", zone: str = "Europe/Paris", **changes: object) -> Facts:
    """A marketing call with consent, at a time of the callee's."""
    at = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(zone)).timestamp()
    minute, day = local_time(at, zone)
    fields: dict[str, object] = {
        "at": at, "number": number, "purpose": "marketing", "range_purposes": ("marketing", "notification"),
        "subscriber_zone": zone, "subscriber_minute": minute, "subscriber_day": day,
    }  # fmt: skip
    return outbound(**(fields | changes))


@pytest.mark.parametrize(
    ("when", "rule"),
    [
        ("2026-06-01T09:59:59", "quiet-hours"),
        ("2026-06-01T10:00:00", "allow"),
        ("2026-06-01T12:59:59", "allow"),
        ("2026-06-01T13:00:00", "quiet-hours"),
        ("2026-06-01T14:00:00", "allow"),
        ("2026-06-01T20:00:00", "quiet-hours"),
        ("2026-06-06T11:00:00", "quiet-hours"),  # Saturday
        ("2026-07-14T11:00:00", "quiet-hours"),  # a Tuesday, the national day
        ("2026-05-25T11:00:00", "quiet-hours"),  # Whit Monday
        ("2026-05-26T11:00:00", "allow"),
    ],
)
def test_france_hours(when: str, rule: str) -> None:
    assert ruled("france", selling("+33162000001", when)) == rule


@pytest.mark.parametrize(
    ("number", "purpose", "rule"),
    [
        ("+33162000001", "marketing", "allow"),
        ("+33947812345", "marketing", "allow"),
        ("+33947412345", "marketing", "caller-range"),
        ("+33142000001", "marketing", "caller-range"),
        ("+33612345678", "marketing", "caller-range"),
        ("+33142000001", "notification", "allow"),
    ],
)
def test_france_ranges(number: str, purpose: str, rule: str) -> None:
    assert ruled("france", selling(number, purpose=purpose)) == rule


def test_france_four_in_thirty_days_and_sixty_days_of_silence() -> None:
    day = 86_400_000
    three = Counted((), (day, 2 * day, 29 * day), (-1, -1, -1), -1, 0)
    four = Counted((), (day, 2 * day, 3 * day, 30 * day - 1), (-1, -1, -1), -1, 0)
    assert ruled("france", selling("+33162000001", counted=three)) == "allow"
    assert ruled("france", selling("+33162000001", counted=four)) == "frequency"
    for age, rule in ((60 * day - 1, "cool-down"), (60 * day, "allow")):
        declined = Counted((), (), (age, -1, -1), -1, 0)
        assert ruled("france", selling("+33162000001", counted=declined)) == rule


@pytest.mark.parametrize(
    ("when", "zone", "rule"),
    [
        ("2026-06-01T07:59:59", "America/Los_Angeles", "quiet-hours"),
        ("2026-06-01T08:00:00", "America/Los_Angeles", "allow"),
        ("2026-06-01T20:59:59", "America/New_York", "allow"),
        ("2026-06-01T21:00:00", "America/New_York", "quiet-hours"),
    ],
)
def test_us_hours_are_the_called_partys(when: str, zone: str, rule: str) -> None:
    assert ruled("us", selling("+12125550100", when, zone)) == rule


def test_us_numbers_that_cannot_be() -> None:
    assert ruled("us", selling("+19115550100", zone="America/New_York")) == "do-not-originate"


@pytest.mark.parametrize(
    ("number", "origin", "rule"),
    [
        ("+441632960001", "domestic", "allow"),
        ("+441632960001", "foreign", "caller-range"),
        ("+447700900001", "foreign", "allow"),
        ("+33162000001", "foreign", "allow"),
        ("+449012345678", "domestic", "caller-range"),
    ],
)
def test_uk_calls_from_abroad(number: str, origin: str, rule: str) -> None:
    assert ruled("uk", selling(number, zone="Europe/London", trunk_origin=origin)) == rule


def test_uk_calls_from_abroad_that_a_carrier_brings() -> None:
    for kind, rule in (("geo", "caller-range"), ("mobile", "allow"), ("foreign", "allow")):
        assert ruled("uk", inbound(subscriber_kind=kind, trunk_origin="foreign")) == rule


@pytest.mark.parametrize(
    ("number", "purpose", "when", "rule"),
    [
        ("+911401234567", "marketing", "2026-06-01T11:00:00", "allow"),
        ("+919812345678", "marketing", "2026-06-01T11:00:00", "caller-range"),
        ("+911600123456", "marketing", "2026-06-01T11:00:00", "caller-range"),
        ("+911600123456", "notification", "2026-06-01T23:00:00", "allow"),
        ("+919812345678", "notification", "2026-06-01T11:00:00", "caller-range"),
        ("+911401234567", "marketing", "2026-06-01T08:59:59", "quiet-hours"),
        ("+911401234567", "marketing", "2026-06-01T21:00:00", "quiet-hours"),
    ],
)
def test_india_series_and_hours(number: str, purpose: str, when: str, rule: str) -> None:
    assert ruled("india", selling(number, when, "Asia/Kolkata", purpose=purpose)) == rule


@pytest.mark.parametrize(
    ("number", "kind", "rule"),
    [
        ("+4930123456", "geo", "allow"),
        ("+49137123456", "geo", "caller-range"),
        ("+49900123456", "geo", "caller-range"),
        ("+4911833", "geo", "caller-range"),
        ("110", "emergency", "caller-range"),
        ("+441632960001", "foreign", "caller-range"),
    ],
)
def test_germany_numbers(number: str, kind: str, rule: str) -> None:
    assert ruled("germany", selling(number, number_kind=kind, zone="Europe/Berlin")) == rule
