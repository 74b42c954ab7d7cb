"""What a call is for: the number's filing, or the trunk's header, which ends here."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.gate.attempt import read_attempt
from gateway.gate.purpose import without_purpose
from gateway.gate.screen import screen_request
from gateway.registry.registry import Registry
from policies.facts import Facts
from tests.unit.gate.calls import ALPHA, AT, CARRIER, OWN_HOSTS, invite, registry

STATING = replace(ALPHA, purpose_header="X-Purpose")


def facts(*lines: bytes, stating: bool = True) -> Facts:
    return read_attempt(invite(*lines), STATING if stating else ALPHA, _registry(), AT, OWN_HOSTS).facts


def _registry() -> Registry:
    return registry()


@pytest.mark.parametrize(
    ("lines", "purpose", "detail"),
    [
        ((), "consultation", ""),
        ((b"X-Purpose: return_visit",), "return_visit", ""),
        ((b"x-PURPOSE:  Return_Visit ",), "return_visit", ""),
        ((b"X-Purpose:",), "", "X-Purpose is unreadable"),
        ((b"X-Purpose: a b",), "", "X-Purpose is unreadable"),
        ((b"X-Purpose: " + b"a" * 33,), "", "X-Purpose is unreadable"),
        ((b"X-Purpose: caf\xc3\xa9",), "", "X-Purpose is unreadable"),
        ((b"X-Purpose: +8613800138000",), "", "X-Purpose is unreadable"),
        ((b"X-Purpose: a", b"X-Purpose: a"), "", "2 X-Purpose headers"),
    ],
)
def test_what_a_trunk_states(lines: tuple[bytes, ...], purpose: str, detail: str) -> None:
    found = facts(*lines)
    assert (found.purpose, found.purpose_detail) == (purpose, detail)


def test_a_trunk_that_states_nothing_cannot() -> None:
    assert facts(b"X-Purpose: return_visit", stating=False).purpose == "consultation"


def test_the_header_ends_here() -> None:
    request = invite(b"X-PURPOSE: return_visit", b"X-Other: stays")
    screened = screen_request(request, STATING, CARRIER, None, registry().plan, b"gate.example")
    names = {name.lower() for name, _ in screened.headers}
    assert b"x-purpose" not in names and b"x-other" in names
    kept = screen_request(request, ALPHA, CARRIER, None, registry().plan, b"gate.example")
    assert b"x-purpose" in {name.lower() for name, _ in kept.headers}
    assert without_purpose(request.headers, ALPHA) is request.headers
