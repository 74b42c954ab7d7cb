"""How a trunk calls: what is counted, for how long, and in what bounds (RULES A37, A42)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.gate.patterns import (
    AGE_S,
    CALLS,
    MAX_OPEN,
    MAX_PARTIES,
    MAX_TRUNKS,
    PARTY_S,
    SHORT_S,
    Patterns,
    network,
)
from tests.unit.gate.calls import ALPHA, AT, CALLER, attempt, invite

SOURCE = "127.0.0.2:5060/udp"


def dial(
    patterns: Patterns, callee: int, decision: str = "d", at: float = AT, source: str = SOURCE, agent: bytes = b"a"
) -> dict[str, int]:
    """A call to +86138<callee>; the figures."""
    number = b"+86138%08d" % callee
    request = invite(uri=b"sip:" + number + b"@127.0.0.1", to=b"<sip:" + number + b"@127.0.0.1>")
    request.headers[:] = [(name, agent if name == b"User-Agent" else value) for name, value in request.headers]
    made = attempt(request)
    made.facts.at = at
    return dict(patterns.attempt(made, decision, source))


def test_a37_sequential_dialling_counts_neighbours_in_any_order() -> None:
    patterns = Patterns()
    for callee in (100, 300, 500, 700):
        assert dial(patterns, callee) == {}
    assert dial(patterns, 101) == {"sequential": 2}
    assert dial(patterns, 301) == {"sequential": 4}
    assert dial(patterns, 99) == {"sequential": 5}
    assert dial(patterns, 99) == {"sequential": 5}, "the same callee again is no neighbour"


def test_only_the_last_calls_count_and_not_for_ever() -> None:
    patterns = Patterns()
    for callee in range(CALLS + 50):
        found = dial(patterns, callee)
    assert found == {"sequential": CALLS}
    assert dial(patterns, 9_000, at=AT + AGE_S + 1) == {}


def test_a37_unanswered_and_short_calls() -> None:
    patterns = Patterns()
    for index, (answered, seconds) in enumerate([(False, 0.0), (True, SHORT_S - 0.1), (True, SHORT_S), (False, 0.0)]):
        dial(patterns, index * 10, f"d{index}")
        patterns.outcome(f"d{index}", answered, AT)
        patterns.ended(f"d{index}", AT + seconds)
    assert dial(patterns, 900) == {"unanswered": 2, "short": 1}
    assert dial(patterns, 910, at=AT + SHORT_S + AGE_S + 1) == {}


def test_calls_nobody_knows_and_repeated_ends_count_nothing() -> None:
    patterns = Patterns()
    patterns.outcome("x", True, AT)
    patterns.ended("x", AT)
    dial(patterns, 1, "d")
    patterns.ended("d", AT)  # before it was answered
    patterns.outcome("d", True, AT)
    assert dial(patterns, 10) == {}


def test_a42_new_networks_and_clients() -> None:
    patterns = Patterns()
    assert dial(patterns, 1) == {}
    assert dial(patterns, 10, source="127.0.0.77:9/tcp") == {}, "the same network"
    assert dial(patterns, 20, source="10.1.2.3:5060/udp") == {"sources": 2}
    assert dial(patterns, 30, agent=b"other/2", source="[2001:db8::1]:5060/udp") == {"sources": 3, "agents": 2}
    assert dial(patterns, 40, at=AT + PARTY_S + 1) == {}


def test_a42_tenants_of_the_ranges_used() -> None:
    patterns = Patterns()
    found = ()
    for tenant in ("shop", "bank", ""):
        made = attempt(invite())
        assert made.range is not None
        made.range = replace(made.range, tenant=tenant)
        found = patterns.attempt(made, "d", SOURCE)
    assert found == (("tenants", 2),)


def test_a_trunk_is_measured_for_itself() -> None:
    patterns = Patterns()
    dial(patterns, 100)
    other = attempt(invite(uri=b"sip:+8613800000101@127.0.0.1", to=b"<sip:+8613800000101@127.0.0.1>"))
    other.trunk = replace(ALPHA, id="cc-other")
    assert patterns.attempt(other, "d", SOURCE) == ()


def test_what_strangers_grow_is_bounded() -> None:
    assert (MAX_TRUNKS, MAX_OPEN, MAX_PARTIES, CALLS) == (10_000, 50_000, 64, 100)
    patterns = Patterns(trunks=2, calls=2)
    for index in range(MAX_PARTIES + 6):
        found = dial(patterns, index * 10, f"d{index}", agent=b"a%d" % index)
    assert found == {"agents": MAX_PARTIES}
    patterns.outcome("d0", False, AT)
    assert "unanswered" not in dial(patterns, 9_000), "forgotten: two open calls are kept"
    for name in ("t1", "t2"):
        made = attempt(invite())
        made.trunk = replace(ALPHA, id=name)
        patterns.attempt(made, "d", SOURCE)
    assert dial(patterns, 9_100) == {}, "its trunk was forgotten"


@pytest.mark.parametrize(
    ("source", "found"),
    [("10.1.2.3:5060/udp", "10.1.2"), ("[2001:db8:1:2:3::4]:5060/tls", "2001:db8:1:2"), ("explain", "")],
)
def test_networks(source: str, found: str) -> None:
    assert network(source) == found


def test_a_call_without_a_callee_is_no_neighbour() -> None:
    made = attempt(invite(uri=b"sip:alice@127.0.0.1", from_=b"<sip:" + CALLER + b"@127.0.0.2>;tag=a1"))
    assert Patterns().attempt(made, "d", SOURCE) == ()
