"""Behaviour: figures at which a call is marked, and at which it is refused (RULES A37, A42)."""

from __future__ import annotations

import pytest

from policies.behaviour import Behaviour
from tests.unit.policies.example import outbound

RULE = Behaviour({"warn": {"sequential": 10, "sources": 3}, "refuse": {"sequential": 20}})


@pytest.mark.parametrize(
    ("patterns", "said", "soft"),
    [
        ((), None, True),
        ((("sequential", 9),), None, True),
        ((("sequential", 10),), "10 neighbouring numbers dialled", True),
        ((("sequential", 19),), "19 neighbouring numbers dialled", True),
        ((("sequential", 20),), "20 neighbouring numbers dialled", False),
        ((("sequential", 25), ("sources", 3)), "25 neighbouring numbers dialled, 3 source networks", False),
        ((("sources", 64),), "64 source networks", True),
        ((("short", 100),), None, True),
        ((("something new", 100),), None, True),
    ],
)
def test_a37_figures(patterns: tuple[tuple[str, int], ...], said: str | None, soft: bool) -> None:
    facts = outbound(patterns=patterns)
    assert RULE.judge(facts) == (None if said is None else f"pattern of trunk cc-alpha: {said}")
    assert RULE.softens(facts) is soft


def test_without_figures_nothing_counts() -> None:
    assert Behaviour({}).judge(outbound(patterns=(("sequential", 100),))) is None


@pytest.mark.parametrize(
    "params",
    [{"warn": {"speed": 1}}, {"warn": []}, {"refuse": {"short": 0}}, {"refuse": {"short": True}}, {"warns": {}}],
)
def test_bad_parameters(params: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(params))):
        Behaviour(params)
