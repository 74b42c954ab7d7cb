"""Parameters: misspelt ones are refused, lists hold words."""

from __future__ import annotations

import pytest

from policies.params import only, words


def test_only() -> None:
    only({}, "a")
    only({"a": 1}, "a", "b")
    with pytest.raises(ValueError, match=r"^c: 1: use one of a, b$"):
        only({"c": 1}, "a", "b")


def test_words() -> None:
    assert words({}, "a", ("x",)) == ("x",)
    assert words({"a": ["y", "z"]}, "a", ("x",)) == ("y", "z")
    assert words({"a": []}, "a", ("x",)) == ()
    with pytest.raises(ValueError, match="a: 'y': write a list of words"):
        words({"a": "y"}, "a", ())
