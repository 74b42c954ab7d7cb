"""Recorded decisions judged again: the same pack says the same, another pack says what it would have said."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.gate.engine import Engine
from gateway.gate.pack_read import load_pack
from gateway.gate.records import DecisionRecord
from gateway.gate.replay import replay
from policies.facts import CONSENT_NONE, NUMBER_OK, OUTBOUND, Facts

PACK = Path("config/packs/example.toml").read_text(encoding="utf-8")


@pytest.fixture
def facts() -> Facts:
    """A call that only the missing consent speaks against."""
    return Facts(
        direction=OUTBOUND, at=1_800_000_000.0, trunk="cc-alpha", trunk_operator="alpha", number="+8657112340001",
        number_kind="geo", subscriber_kind="mobile", number_status=NUMBER_OK, range_id="r", range_operator="alpha",
        range_trunks=("cc-alpha",), range_state="enabled", range_outbound=True, range_inbound=True,
        range_purposes=("consultation",), purpose="consultation", route="carrier", consent=CONSENT_NONE,
    )  # fmt: skip


def record(facts: Facts | None, rule: str) -> DecisionRecord:
    return DecisionRecord(
        id="a" * 32, at=1, node="n", trunk="cc-alpha", direction=OUTBOUND,
        verdict="allow" if rule == "allow" else "refuse", rule=rule, status=0, reason="", source="", call_id="c",
        from_tag="t", facts=facts,
    )  # fmt: skip


def test_the_same_pack_says_the_same(facts: Facts) -> None:
    again = replay(Engine(load_pack(PACK, "p")), record(facts, "consent-missing"))
    assert (again.now, again.differs) == ("consent-missing", False)


def test_another_pack_says_what_it_would_have_said(facts: Facts) -> None:
    before, after = PACK.split('id = "consent-missing"', 1)
    shadowed = before + 'id = "consent-missing"' + after.replace('mode = "enforce"', 'mode = "shadow"', 1)
    again = replay(Engine(load_pack(shadowed, "p")), record(facts, "consent-missing"))
    assert (again.was, again.now, again.differs) == ("consent-missing", "allow", True)


def test_what_memory_refuses_needs_no_store(facts: Facts) -> None:
    facts.consent, facts.range_outbound = "", False
    again = replay(Engine(load_pack(PACK, "p")), record(facts, "allow"))
    assert (again.now, again.differs) == ("direction-outbound", True)


def test_what_cannot_be_told(facts: Facts) -> None:
    engine = Engine(load_pack(PACK, "p"))
    assert replay(engine, record(None, "allow")).reason == "the record holds no facts"
    assert replay(engine, record(facts, "emergency")).reason == "not a matter of the rule chain"
    facts.consent = ""
    again = replay(engine, record(facts, "allow"))
    assert (again.now, again.reason, again.differs) == ("", "the store was not asked then", False)
