"""The small checks."""

from __future__ import annotations

import pytest

from gateway.registry.checks import MAX_ID, digits, host, identifier, known, one_of, twice


def test_twice() -> None:
    assert twice("id", ["a", "b", "a"]) == ["id: 'a': used 2 times: give each its own"]
    assert twice("id", []) == []


@pytest.mark.parametrize("value", ["a", "cc-alpha", "A.b_9", "x" * MAX_ID])
def test_identifiers(value: str) -> None:
    assert identifier("trunk", value) == []


@pytest.mark.parametrize("value", ["", "a b", "a\n", "é", "a/b", "x" * (MAX_ID + 1)])
def test_bad_identifiers(value: str) -> None:
    assert len(identifier("trunk", value)) == 1


def test_one_of_and_known() -> None:
    assert one_of("mode", "on", ("on", "off")) == []
    assert one_of("mode", "x", ("on", "off")) == ["mode: 'x': write one of on, off"]
    assert known([]) == " (there are none yet)"
    assert known(str(n) for n in range(20)).count(",") == 7


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("10.0.0.1", True),
        ("::1", True),
        ("[::1]", True),
        ("a-1.example.", True),
        ("", False),
        ("a..b", False),
        ("a b", False),
    ],
)
def test_host(text: str, good: bool) -> None:
    assert host(text) is good


def test_digits_are_ascii() -> None:
    assert digits("09")
    assert not digits("")
    assert not digits("０９")
