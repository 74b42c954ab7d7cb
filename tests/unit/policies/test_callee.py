"""Callees that cannot be read, or that would not be the ones reached."""

from __future__ import annotations

import pytest

from policies.callee import CalleeMalformed, CalleeMismatch
from tests.unit.policies.example import outbound


@pytest.mark.parametrize(
    ("status", "malformed", "mismatch"),
    [
        ("ok", None, None),
        ("malformed", "callee unreadable", None),
        ("mismatch", None, "callee altered"),
    ],
)
def test_status(status: str, malformed: str | None, mismatch: str | None) -> None:
    facts = outbound(callee_status=status)
    assert (CalleeMalformed({}).judge(facts), CalleeMismatch({}).judge(facts)) == (malformed, mismatch)


def test_detail() -> None:
    assert CalleeMalformed({}).judge(outbound(callee_status="malformed", callee_detail="isub")) == (
        "callee unreadable: isub"
    )
    assert CalleeMismatch({}).judge(outbound(callee_status="mismatch", callee_detail="rn")) == "callee altered: rn"


def test_answers() -> None:
    assert (CalleeMalformed.answer.status, CalleeMalformed.answer.cause) == (484, 28)
    assert (CalleeMismatch.answer.status, CalleeMismatch.answer.cause) == (403, 21)


@pytest.mark.parametrize("kind", [CalleeMalformed, CalleeMismatch])
def test_no_parameters(kind: type[CalleeMalformed]) -> None:
    with pytest.raises(ValueError, match="has no parameters"):
        kind({"x": 1})
