"""What lets more calls out than before, and what does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.registry.model import Operator, Snapshot, Trunk
from gateway.registry.openings import openings, opens_first
from gateway.registry.standing import Tenant
from tests.unit.registry.example import number_range, snapshot

BEFORE = replace(snapshot().ranges[0], valid_to=200.0, valid_from=100.0)
"""Of alpha, +8657112340000 to 9999."""


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outbound": True, "operator": "beta"}, "goes to beta"),
        ({"last": "+8657112359999"}, "gets more numbers"),
        ({"first": "+865711234000", "last": "+865711234999"}, "gets more numbers"),
        ({"valid_to": 0.0}, "is valid longer"),
        ({"valid_to": 201.0}, "is valid longer"),
        ({"valid_from": 0.0}, "is valid longer"),
        ({"outbound": False}, ""),
        ({"first": "+8657112341000", "valid_to": 150.0, "valid_from": 120.0}, ""),
        ({"purposes": ("return_visit",), "inbound": False}, ""),
        ({"state": "suspended"}, ""),
    ],
)
def test_a_range_that_calls_out(changes: dict[str, object], words: str) -> None:
    after = replace(BEFORE, **changes)  # type: ignore[arg-type]
    found = openings(snapshot(ranges=(BEFORE,)), snapshot(ranges=(after,)))
    assert [words in one.words for one in found] == [True] * bool(words)


def test_a10_a_range_that_begins_to_call_out() -> None:
    closed = replace(BEFORE, outbound=False)
    for before in (snapshot(ranges=()), snapshot(ranges=(closed,))):
        (found,) = openings(before, snapshot(ranges=(BEFORE,)))
        assert (found.kind, found.subject, found.field) == ("range", BEFORE.id, "outbound")
    assert openings(snapshot(ranges=()), snapshot(ranges=(closed,))) == []


def test_a18_numbers_that_become_enabled_name_from_when() -> None:
    off = replace(BEFORE, state="suspended")
    (found,) = openings(snapshot(ranges=(off,)), snapshot(ranges=(replace(off, steps=((150.0, "enabled"),)),)))
    assert (found.field, found.at) == ("state", 150.0)


def test_operators_tenants_and_trunks_that_become_active_or_open() -> None:
    base = snapshot(tenants=())
    gamma = Operator("gamma", "Gamma", 3)
    trunk = Trunk("cc-new", "access", "alpha", ("127.0.0.7",))
    tenant = Tenant("shop", "alpha", "Shop")
    for after, kinds in (
        (replace(base, operators=(*base.operators, gamma)), ["operator"]),
        (replace(base, tenants=(tenant,)), ["tenant"]),
        (replace(base, trunks=(*base.trunks, trunk)), ["trunk"]),
        (replace(base, trunks=(*base.trunks, replace(trunk, state="suspended"))), []),
    ):
        assert [one.kind for one in openings(base, after)] == kinds
    closed = replace(base, trunks=(replace(base.trunks[0], outbound=False), *base.trunks[1:]))
    assert [one.field for one in openings(closed, base)] == ["outbound"]
    assert openings(base, closed) == []


def test_nothing_is_there_yet() -> None:
    nothing = Snapshot(version=3)
    assert opens_first(nothing)
    assert not opens_first(replace(nothing, operators=(Operator("a", "A", 1),)))
    assert not opens_first(replace(nothing, ranges=(number_range("+8657112340000", "+8657112340009"),)))
