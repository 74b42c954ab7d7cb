"""What is wrong with one range."""

from __future__ import annotations

import pytest

from gateway.registry.validate import validate
from tests.unit.registry import example


@pytest.mark.parametrize(
    ("first", "last", "changes", "words"),
    [
        ("+8657112340000", "+8657112349999", {"id": ""}, ("range id",)),
        ("057112340000", "057112349999", {}, (".first", "canonical form: +8657112340000")),
        ("8657112340000", "+8657112349999", {}, (".first", "canonical form: +8657112340000")),
        ("+8695588", "95588", {}, (".first", "canonical form: 95588")),
        ("+86571", "+86572", {}, (".first: '+86571'", "a number of the plan")),
        ("８６", "x", {}, (".first", ".last")),
        ("", "", {}, (".first", ".last")),
        ("+8657112349999", "+8657112340000", {}, (".last", "not below first")),
        ("95013", "950131", {}, (".last", "as many digits as first")),
        ("110", "110", {"outbound": False}, (".first", "emergency code")),
        ("+864001230000", "+864001239999", {}, (".outbound: true", "shared_cost_inbound never call out")),
        ("106900001234", "106900001234", {}, (".outbound: true", "sms_port")),
        ("+8657112340000", "+8657112349999", {"operator": "x"}, (".operator: 'x'", "alpha, beta")),
        ("+8657112340000", "+8657112349999", {"trunks": ("x",)}, (".trunks: 'x'", "cc-alpha")),
        ("+8657112340000", "+8657112349999", {"trunks": ("cc-beta",)}, (".trunks: 'cc-beta'", "A17")),
        ("+8657112340000", "+8657112349999", {"trunks": ("carrier",)}, ("is on the core side",)),
        ("+8657112340000", "+8657112349999", {"trunks": ()}, (".trunks: empty",)),
        ("+8657112340000", "+8657112349999", {"egress": ("cc-alpha",)}, (".egress", "is on the access side")),
        ("+8657112340000", "+8657112349999", {"purposes": ("x",)}, (".purposes: 'x'",)),
        ("+8657112340000", "+8657112349999", {"purposes": ()}, (".purposes: empty",)),
        ("+8657112340000", "+8657112349999", {"valid_from": 9.0, "valid_to": 9.0}, (".valid_to: 9.0",)),
        ("+8657112340000", "+8657112349999", {"state": "on"}, (".state: 'on'", "enabled")),
    ],
)
def test_problems(first: str, last: str, changes: dict[str, object], words: tuple[str, ...]) -> None:
    row = example.number_range(first, last, **changes)
    text = "\n".join(validate(example.snapshot(ranges=(row,))))
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("first", "last", "changes"),
    [
        ("95588", "95588", {}),
        ("95013000", "95013999", {}),
        ("+8613800138000", "+8613800138000", {"inbound": False, "trunks": ()}),
        ("+8657112340000", "+8657112349999", {"egress": ("carrier",), "valid_from": 9.0, "valid_to": 10.0}),
    ],
)
def test_good_ranges(first: str, last: str, changes: dict[str, object]) -> None:
    assert validate(example.snapshot(ranges=(example.number_range(first, last, **changes),))) == []
