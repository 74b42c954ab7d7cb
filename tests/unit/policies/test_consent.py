"""Consent: only `live` passes, and facts never read do not."""

from __future__ import annotations

import pytest

from policies.base import STORE
from policies.consent import ConsentMissing
from tests.unit.policies.example import outbound


@pytest.mark.parametrize(
    ("consent", "reason"),
    [
        ("live", None),
        ("none", "no consent stored"),
        ("revoked", "consent revoked"),
        ("expired", "consent expired"),
        ("", "consent not read"),
        ("LIVE", "consent not read"),
    ],
)
def test_consent(consent: str, reason: str | None) -> None:
    assert ConsentMissing({}).judge(outbound(consent=consent)) == reason


def test_answer_names_the_missing_permission() -> None:
    answer = ConsentMissing.answer
    assert (answer.status, answer.phrase, answer.cause) == (470, "Consent Needed", 21)
    assert answer.headers == (("Permission-Missing", "<{callee}>"),)
    assert ConsentMissing.needs == STORE


def test_no_parameters() -> None:
    with pytest.raises(ValueError, match="has no parameters"):
        ConsentMissing({"x": 1})
