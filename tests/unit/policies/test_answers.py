"""Answers outside the chain."""

from __future__ import annotations

from policies import REQUIRED, RULES
from policies.answers import ANSWERS


def test_the_table() -> None:
    assert {name: (a.status, a.cause) for name, a in ANSWERS.items()} == {
        "store-unavailable": (503, 41),
        "dialog-identity": (403, 21),
        "dialog-forged": (481, 21),
        "method": (405, 0),
        "trunk-capacity": (503, 34),
        "overload": (503, 42),
        "draining": (503, 42),
    }


def test_retry_after_only_where_the_gateway_itself_is_full() -> None:
    assert {name for name, answer in ANSWERS.items() if answer.retry_after} == {"overload", "draining"}
    assert all(1 <= ANSWERS[name].retry_after <= 3 for name in ("overload", "draining"))


def test_no_rule_answers_503_and_no_id_is_both() -> None:
    assert not any(kind.answer.status == 503 for kind in RULES.values())
    assert not RULES.keys() & ANSWERS.keys()
    assert all(name == kind.id for name, kind in RULES.items())
    assert RULES.keys() == REQUIRED
    assert len(RULES) == 30
