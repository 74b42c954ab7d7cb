"""Every inconsistency of a snapshot is named by field and value, with the fix."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.registry.model import NextHop, Operator, Snapshot, Trunk
from gateway.registry.validate import MAX_PROBLEMS, validate
from tests.unit.registry import example

ALPHA, BETA, CARRIER = example.snapshot().trunks


def wrong(field: str, value: str) -> dict[str, Any]:
    """A value that the type checker would not let through."""
    return {field: value}


def problems(**changes: object) -> list[str]:
    return validate(example.snapshot(**changes))


def test_the_example_is_valid() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"plan": ()}, ("plan: empty",)),
        ({"emergency": ()}, ("plan.emergency: empty",)),
        ({"emergency": ("11x",)}, ("plan.emergency", "'11x'")),
        ({"country": "+86"}, ("plan.country", "'+86'")),
        ({"zone": ""}, ("plan.zone",)),
        ({"operators": (Operator("alpha", "A", 1), Operator("beta", "B", 1))}, ("operator.number", "'1'", "2 times")),
        ({"operators": (Operator("alpha", "A", 0), Operator("beta", "B", 65_536))}, ("operator alpha.number: 0",)),
        ({"operators": (Operator("alpha", "A", 1), Operator("beta", "B", 2), Operator("a b", "", 3))}, ("'a b'",)),
        ({"operators": (Operator("alpha", "A", 1),)}, ("trunk cc-beta.operator", "'beta'", "(alpha)")),
        ({"purposes": {"consultation": 1, "return_visit": 1}}, ("purpose.number", "'1'")),
        ({"purposes": {"consultation": 0}}, ("purpose consultation.number: 0", "1-255")),
        ({"purposes": {}}, ("range r8657112340000.purposes", "'consultation'", "none yet")),
    ],
)
def test_plan_operators_purposes(changes: dict[str, object], words: tuple[str, ...]) -> None:
    text = "\n".join(problems(**changes))
    assert all(word in text for word in words), text


@pytest.mark.parametrize(
    ("trunk", "words"),
    [
        (replace(BETA, **wrong("side", "middle")), ("trunk cc-beta.side", "'middle'")),
        (replace(BETA, **wrong("state", "gone")), ("trunk cc-beta.state", "'gone'")),
        (replace(BETA, operator="gamma"), ("trunk cc-beta.operator", "'gamma'", "alpha, beta")),
        (replace(CARRIER, id="cc-beta", sources=("127.0.0.3",), operator="alpha"), ("cc-beta.operator", "carrier")),
        (replace(BETA, sources=()), ("trunk cc-beta.sources: empty",)),
        (replace(BETA, sources=("10.0.0.1/8",)), ("trunk cc-beta.sources", "'10.0.0.1/8'")),
        (replace(BETA, sources=("127.0.0.2",)), ("cc-beta.sources", "127.0.0.2/32", "cc-alpha")),
        (replace(BETA, next_hops=()), ("trunk cc-beta.next_hops: empty",)),
        (replace(BETA, next_hops=(NextHop("127.0.0.3", 0),)), ("port 0",)),
        (replace(BETA, next_hops=(NextHop("a b"),)), ("'a b'",)),
        (replace(BETA, next_hops=(NextHop("127.0.0.3", 5060, "sctp"),)), ("'sctp'", "udp, tcp, tls")),  # type: ignore[arg-type]
        (replace(BETA, country="+86"), ("trunk cc-beta.country", "'+86'")),
        (replace(BETA, area="0571"), ("trunk cc-beta.area", "'0571'", "without trunk 0")),
        (replace(BETA, emergency_cli="0571 1"), ("trunk cc-beta.emergency_cli",)),
        (replace(BETA, emergency_cli="057156780000"), ("write it in canonical form: +8657156780000",)),
        (replace(BETA, answers=(("purpose", 200, "OK"),)), ("answers purpose", "200")),
        (replace(BETA, answers=(("purpose", 403, "No\r\nX: y"),)), ("answers purpose",)),
    ],
)
def test_trunks(trunk: Trunk, words: tuple[str, ...]) -> None:
    text = "\n".join(problems(trunks=(ALPHA, trunk, CARRIER)))
    assert all(word in text for word in words), text


def test_good_trunks() -> None:
    hops = (NextHop("sbc01.example", 5061, "tls"), NextHop("2001:db8::1"), NextHop("[::1]"))
    same_source = replace(BETA, sources=("127.0.0.2",), listeners=("tls",))
    foreign = Trunk("hk", "core", "", ("127.0.0.7",), next_hops=hops, country="852", area="")
    assert problems(trunks=(ALPHA, same_source, CARRIER, foreign)) == []
    cli = replace(ALPHA, emergency_cli="+8657112340000", answers=(("purpose", 603, "Decline"),))
    assert problems(trunks=(cli, BETA, CARRIER)) == []


def test_ids_used_twice() -> None:
    rows = example.snapshot().ranges
    text = "\n".join(problems(trunks=(ALPHA, BETA, CARRIER, BETA), ranges=(*rows, rows[0])))
    assert "trunk: 'cc-beta': used 2 times" in text
    assert "range: 'r8657112340000': used 2 times" in text
    assert "overlaps range r8657112340000" in text


def test_the_list_is_bounded() -> None:
    operators = tuple(Operator(f"o {n}", "", n + 1) for n in range(2 * MAX_PROBLEMS))
    found = problems(operators=operators)
    assert len(found) == MAX_PROBLEMS + 1
    assert "more problems" in found[-1]


def test_an_empty_snapshot_names_what_it_lacks() -> None:
    assert len(validate(Snapshot(0))) == 2
