"""Numbers in messages about bad rows are masked wherever they stand; what is no number stays readable."""

from __future__ import annotations

import pytest

from gateway.control.importer.masking import mask_digits
from gateway.control.importer.problems import Problems


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("+8613800138000", "+86138****8000"),
        ("13800138000", "138****8000"),
        ("8001234", "*******"),
        ("057112345678", "0571****5678"),
        ("１３８００１３８０００", "１３８****８０００"),
        ("https://c.example/13800138000.pdf", "https://c.example/138****8000.pdf"),
        ("call 13800138000 or 13900139000", "call 138****8000 or 139****9000"),
        ("2024-01-31T09:00:00+08:00", "2024-01-31T09:00:00+08:00"),
        ("+86571", "+86571"),
        ("alpha", "alpha"),
        ("", ""),
    ],
)
def test_masks(text: str, shown: str) -> None:
    assert mask_digits(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("138 0013 8000", "138 **** 8000"), ("(138)0013-8000", "(138)****-8000"), ("138-0013", "***-****")],
)
def test_masks_numbers_written_apart(text: str, shown: str) -> None:
    assert mask_digits(text, apart=True) == shown


def test_problems_of_lists_are_masked_and_others_are_not() -> None:
    for private, shown in ((True, "138****8000: write +86138****8000"), (False, "13800138000: write +8613800138000")):
        problems = Problems("x.csv", private=private)
        problems.add(2, "operator", "13800138000", "write +8613800138000")
        problems.add(3, "granted_at", "2024-13-01", "mend it")
        assert problems.lines() == [
            f"x.csv: line 2: operator: {shown}", "x.csv: line 3: granted_at: 2024-13-01: mend it",
        ]  # fmt: skip
