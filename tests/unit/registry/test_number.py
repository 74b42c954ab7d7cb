"""How numbers are shown."""

from __future__ import annotations

import pytest

from gateway.registry.number import Number, mask


@pytest.mark.parametrize(
    ("canonical", "shown"),
    [
        ("+8613800138000", "+86138****8000"),
        ("+8657112340001", "+86571****0001"),
        ("+862161234567", "+86216***4567"),
        ("+864001230000", "+86400***0000"),
        ("+861095588", "+86*******"),
        ("95588", "*****"),
        ("95013123456", "***********"),
        ("+12025550123", "+120****0123"),
        ("+2901234", "+*******"),
        ("", ""),
    ],
)
def test_mask(canonical: str, shown: str) -> None:
    assert mask(canonical) == shown


def test_mask_of_another_country() -> None:
    assert mask("+442079460000", "44") == "+44207***0000"


def test_repr_shows_no_number() -> None:
    assert "13800138000" not in repr(Number("+8613800138000", "mobile", "e164"))
