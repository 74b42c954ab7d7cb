"""Unified social credit codes (GB 32100-2015): codes in public registers, and what is none."""

from __future__ import annotations

import pytest

from gateway.registry.credit_code import credit_code_problem


@pytest.mark.parametrize("code", ["91350100M000100Y43", "91440300708461136T"])
def test_a23_a_code_in_public_use(code: str) -> None:
    assert credit_code_problem(code) == ""
    for place in range(17):
        other = "1" if code[place] != "1" else "2"
        assert credit_code_problem(code[:place] + other + code[place + 1 :]), "one digit changed is always seen"


@pytest.mark.parametrize(
    "code", ["", "91350100M000100Y4", "91350100M000100Y433", "91350100I000100Y43", "\uff191350100M000100Y4"]
)
def test_what_is_none(code: str) -> None:
    assert "write 18 characters" in credit_code_problem(code)
