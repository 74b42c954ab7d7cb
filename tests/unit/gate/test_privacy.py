"""Privacy values and display-names."""

from __future__ import annotations

import pytest

from gateway.gate.privacy import (
    MAX_PRIVACY_VALUES,
    asks_to_hide,
    display_agrees,
    display_hides,
    display_is_letters,
    privacy_values,
    withholds_identity,
)
from tests.unit.gate.calls import ALPHA, registry

OWN = "+8657112340001"


def test_privacy_values_of_every_header() -> None:
    headers = [(b"Privacy", b"None; CRITICAL"), (b"X", b"id"), (b"Privacy", b'"id", session;')]
    assert privacy_values(headers) == [b"none", b"critical", b"id", b"session"]


@pytest.mark.parametrize(
    ("value", "hides", "withholds"),
    [
        (b"none", False, False),
        (b"session;critical", False, False),
        (b"history", False, False),
        (b"", False, False),
        (b"id", True, True),
        (b"none;user", True, True),
        (b"header", True, True),
        (b"full", True, False),
    ],
)
def test_what_privacy_asks(value: bytes, hides: bool, withholds: bool) -> None:
    headers = [(b"Privacy", value)]
    assert (asks_to_hide(headers), withholds_identity(headers)) == (hides, withholds)


@pytest.mark.parametrize(
    "display",
    [
        b"Anonymous",
        b'"anonymous"',
        b'" Unavailable "',
        b'"\\UNKNOWN"',
        b'"Private"',
        b'"Anonymous Caller"',
        b'"x-ANONYMOUS-x"',
        b"Caller Unknown",
        b'"' + b"\\a" * 200 + b'"',
    ],
)
def test_display_that_hides(display: bytes) -> None:
    assert display_hides(display)


@pytest.mark.parametrize("display", [b"", b"Alice", b'"' + b"a" * 300 + b'"', b'"+8657112340001"'])
def test_display_that_does_not(display: bytes) -> None:
    assert not display_hides(display)


@pytest.mark.parametrize(
    ("text", "agrees"),
    [
        ("Alpha Desk", True),
        ("Alpha, Hangzhou", True),
        ("杭州客服", True),
        ("Zoë", True),
        ("+8657112340001", True),
        ("8657112340001", True),
        ("0571 1234 0001", True),
        ("Desk (0571) 1234-0001", True),
        ("+8657112340002", False),
        ("13800138000", False),
        ("Desk 24", False),
        ("1 3 8 0 0 1 3 8 0 0 0", False),
        ("１２", False),
        ("١٢", False),
        ("①②③", False),
        ("Ⅳ", False),
        ("一三八零零", False),
        ("第一银行", True),
        ("Al\u200bpha", False),
        ("\u202eAlpha", False),
        ("\ufeffAlpha", False),
        ("sip:alice", False),
        ("alice@h", False),
        ("a;tag=b", False),
        ("50%", False),
    ],
)
def test_display_agrees(text: str, agrees: bool) -> None:
    assert display_agrees(b'"' + text.encode() + b'"', OWN, ALPHA, registry().plan) is agrees


def test_more_privacy_values_than_there_are_ask_for_everything() -> None:
    few = [(b"Privacy", b"none;" * (MAX_PRIVACY_VALUES - 1) + b"none")]
    assert (asks_to_hide(few), withholds_identity(few)) == (False, False)
    for many in ([(b"Privacy", few[0][1] + b";none")], [*few, (b"Privacy", b"")], [(b"Privacy", b",")] * 9):
        assert (asks_to_hide(many), withholds_identity(many)) == (True, True)


def test_a_display_name_nobody_reads_to_its_end_agrees_with_nothing() -> None:
    long = '"' + "\u5ba2" * 100 + '"'
    assert not display_agrees(long.encode(), OWN, ALPHA, registry().plan)


def test_display_that_is_no_text() -> None:
    plan = registry().plan
    assert not display_agrees(b'"\xff\xfe"', OWN, ALPHA, plan)
    assert not display_agrees(b'"5"', "", ALPHA, plan)
    assert display_agrees(b"", "", ALPHA, plan)


def test_letters_are_the_quick_case() -> None:
    assert display_is_letters(b'"Alpha Desk"')
    assert not display_is_letters(b'"Alpha 1"')
    assert not display_is_letters('"客服"'.encode())
