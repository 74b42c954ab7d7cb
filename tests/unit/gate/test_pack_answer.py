"""Answers of a pack cannot break a response."""

from __future__ import annotations

import pytest

from gateway.gate.pack_answer import fill_header, read_answer
from policies.base import Answer

DEFAULT = Answer(403, "Forbidden", 21, 0, (("A", "b"),))


@pytest.mark.parametrize(
    "table",
    [
        {"status": 399},
        {"status": 700},
        {"status": 401},
        {"status": 407},
        {"status": 503},
        {"status": True},
        {"status": "403"},
        {"phrase": ""},
        {"phrase": "a\r\nX: y"},
        {"phrase": "x" * 65},
        {"phrase": 3},
        {"cause": 128},
        {"cause": -1},
        {"retry_after": 86_401},
        {"headers": []},
        {"headers": {"X Y": "a"}},
        {"headers": {"": "a"}},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X": 3}},
        {"headers": {"X": "x" * 257}},
        {"headers": {"via": "a"}},
        {"headers": {"Warning": "a"}},
    ],
)
def test_refused(table: dict[str, object]) -> None:
    _, problems = read_answer(table, DEFAULT, True)
    assert len(problems) == 1


def test_accepted() -> None:
    answer, problems = read_answer(
        {"status": 603, "phrase": "拒绝", "cause": 17, "retry_after": 5, "headers": {"X-Y": "<{callee}>"}},
        DEFAULT,
        True,
    )
    assert problems == []
    assert answer == Answer(603, "拒绝", 17, 5, (("X-Y", "<{callee}>"),))
    assert read_answer({}, DEFAULT, True) == (DEFAULT, [])
    assert read_answer({"status": 503}, DEFAULT, False)[1] == []


def test_fill_header() -> None:
    assert fill_header("<{callee}>", b"sip:1@h;x={callee}") == b"<sip:1@h;x={callee}>"
    assert fill_header("plain", b"sip:1@h") == b"plain"
