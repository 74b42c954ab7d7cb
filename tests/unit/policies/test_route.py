"""Forced routes and transfers, in both directions."""

from __future__ import annotations

import pytest

from policies.base import Rule
from policies.facts import INBOUND, OUTBOUND
from policies.route import RouteForced, Transfer
from tests.unit.policies.example import inbound, outbound


@pytest.mark.parametrize(("kind", "fact"), [(RouteForced, "forced_route"), (Transfer, "transfer")])
def test_both_directions(kind: type[Rule], fact: str) -> None:
    assert kind.binds == (OUTBOUND, INBOUND)
    for facts in (outbound, inbound):
        assert kind({}).judge(facts()) is None
        reason = kind({}).judge(facts(**{fact: "Replaces"}))
        assert reason is not None
        assert "Replaces" in reason
    assert (kind.answer.status, kind.answer.cause) == (403, 21)
    with pytest.raises(ValueError, match="has no parameters"):
        kind({"x": 1})
