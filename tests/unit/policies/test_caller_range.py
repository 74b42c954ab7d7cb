"""Lists of callers: by purpose, origin, class and direction; do-not-originate."""

from __future__ import annotations

import pytest

from policies.caller_range import CallerRange
from policies.do_not_originate import DoNotOriginate
from policies.facts import Facts
from policies.prefixes import Prefixes
from tests.unit.policies.example import inbound, outbound

UK = {"origin": "foreign", "deny": ["+44"], "except": ["+447"], "why": "GC C6"}
TELESALES = {"purposes": ["marketing"], "allow": ["+33162", "+33163"]}
ABROAD = {"origin": "foreign", "direction": "inbound", "deny": ["kind:geo", "kind:mobile"]}


def judged(table: dict[str, object], facts: Facts) -> str | None:
    return CallerRange({"list": [table]}).judge(facts)


@pytest.mark.parametrize(
    ("table", "facts", "said"),
    [
        (
            UK,
            outbound(number="+441632960001", trunk_origin="foreign"),
            "caller range denied from foreign trunks (GC C6)",
        ),
        (UK, outbound(number="+447700900001", trunk_origin="foreign"), None),
        (UK, outbound(number="+441632960001"), None),
        (UK, outbound(number="+33162000000", trunk_origin="foreign"), None),
        (TELESALES, outbound(number="+33162000000", purpose="marketing"), None),
        (TELESALES, outbound(number="+33612345678", purpose="marketing"), "caller range not allowed for marketing"),
        (TELESALES, outbound(number="+33612345678"), None),
        (TELESALES, outbound(number="", purpose="marketing"), "caller range not allowed for marketing"),
        ({"classes": ["call_centre"], "deny": ["+86"]}, outbound(operator_class="own_customers"), None),
        ({"deny": ["kind:geo"]}, outbound(), "caller range denied"),
        (ABROAD, inbound(subscriber_kind="geo", trunk_origin="foreign"), "caller range denied from foreign trunks"),
        (ABROAD, inbound(subscriber_kind="foreign", trunk_origin="foreign"), None),
        (ABROAD, outbound(trunk_origin="foreign"), None),
        (UK, inbound(trunk_origin="foreign"), None),
    ],
)
def test_lists(table: dict[str, object], facts: Facts, said: str | None) -> None:
    assert judged(table, facts) == said


def test_every_list_must_be_passed() -> None:
    rule = CallerRange({"list": [TELESALES, {"deny": ["+331620"]}]})
    assert rule.judge(outbound(number="+33162100000", purpose="marketing")) is None
    assert rule.judge(outbound(number="+33162000000", purpose="marketing")) == "caller range denied"
    assert CallerRange({}).judge(outbound()) is None


def test_do_not_originate() -> None:
    rule = DoNotOriginate({"numbers": ["+18005551212", "+1911"], "except": ["+19115550100"]})
    assert rule.judge(outbound(number="+18005551212")) == "caller number is on the do-not-originate list"
    assert rule.judge(outbound(number="+18005551213")) is None
    assert rule.judge(outbound(number="+19115550100")) is None
    assert rule.judge(outbound(number="+19115550101"))
    assert (rule.answer.status, rule.answer.cause) == (403, 21)


def test_a_long_list_costs_one_look_per_length() -> None:
    written = tuple(f"+1{number}" for number in range(2_000_000_000, 2_000_020_000))
    found = Prefixes(written, "numbers")
    assert found.hold("+12000019999", "") and not found.hold("+12000020000", "")
    with pytest.raises(ValueError, match="20001 prefixes"):
        Prefixes((*written, "+4"), "numbers")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({}, "neither allow nor deny"),
        ({"deny": ["44x"]}, "deny: '44x'"),
        ({"deny": ["+"]}, "deny: '\\+'"),
        ({"deny": ["+44"], "origin": "abroad"}, "origin: 'abroad'"),
        ({"deny": ["+44"], "direction": "both"}, "direction: 'both'"),
        ({"deny": ["+44"], "purpose": []}, "purpose: "),
        ({"deny": ["+44"], "why": "x\n"}, "why: "),
    ],
)
def test_bad_lists(table: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        CallerRange({"list": [table]})


@pytest.mark.parametrize("value", [3, [3], [{"deny": ["+1"]}] * 65])
def test_no_lists(value: object) -> None:
    with pytest.raises(ValueError, match="list: "):
        CallerRange({"list": value})
