"""The gate and the one round trip: facts that cannot be had, refusals in their scopes and hours, feeds too old."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gateway.gate.localtime import local_time
from gateway.gate.pack import Pack
from gateway.gate.stored import applying_refusals
from gateway.registry.model import Feed, Snapshot
from gateway.registry.plan_csv import load_plan_csv
from gateway.registry.registry import Registry
from gateway.store.ports import ScopedRefusal, SubscriberFacts, Unavailable
from tests.unit.gate.calls import ALPHA, AT, CARRIER, RANGES, invite, registry
from tests.unit.gate.house import CONSENT, House
from tests.unit.gate.test_engine import example, with_modes

PLAN = load_plan_csv(Path("config/plans/cn.csv").read_text(encoding="utf-8"))
NO_CONSENT = SubscriberFacts("none")


def lenient(**on_unavailable: str) -> Pack:
    """The example's pack, in which store rules do without facts (`consent_missing="pass"`)."""
    pack = example()
    named = {name.replace("_", "-"): word for name, word in on_unavailable.items()}
    rules = tuple(replace(bound, on_unavailable=named.get(bound.id, bound.on_unavailable)) for bound in pack.rules)
    return replace(pack, rules=rules)


@pytest.mark.parametrize(
    ("pack", "rule"),
    [
        (example(), "store-unavailable"),
        (lenient(consent_missing="pass"), "store-unavailable"),
        (lenient(callee_refused="pass"), "store-unavailable"),
        (lenient(consent_missing="pass", callee_refused="pass"), "allow"),
        (with_modes(consent_missing="shadow", callee_refused="shadow"), "allow"),
    ],
)
def test_unavailable(pack: Pack, rule: str) -> None:
    house = House(pack)
    house.place(invite())
    house.lookup.answer(Unavailable("redis did not answer in time"))
    house.turn()
    assert (house.verdict.rule, house.record.rule, house.gate.parked) == (rule, rule, 0)
    assert house.counts.lookup.values == [], "a lookup that failed has no latency"
    if rule != "allow":
        assert house.verdict.answer is not None
        assert (house.verdict.answer.status, house.verdict.answer.retry_after) == (503, 0)


def test_a_pack_without_store_rules_asks_no_store() -> None:
    house = House(with_modes(consent_missing="off", callee_refused="off"))
    house.place(invite())
    house.turn()
    assert (house.verdict.rule, house.lookup.asked) == ("allow", [])


def test_nothing_to_ask_with_is_as_no_facts() -> None:
    """The rule that refuses an unreadable callee is in shadow mode: there is no hash to ask the store for."""
    house = House(with_modes(callee_malformed="shadow", callee_mismatch="shadow"))
    house.place(invite(uri=b"sip:bob@127.0.0.1", to=b"<sip:bob@127.0.0.1>"))
    house.turn()
    assert (house.verdict.rule, house.lookup.asked) == ("store-unavailable", [])
    assert house.record.shadow == ("callee-malformed",)


def test_an_unknown_operator_is_as_no_facts() -> None:
    """No operator, no number that stands for it in the store."""
    snapshot = Snapshot(
        1, trunks=(ALPHA, CARRIER), ranges=RANGES[:1], plan=PLAN, emergency=("110",), purposes={"consultation": 1}
    )
    house = House(over=Registry(snapshot))
    house.place(invite())
    house.turn()
    assert (house.verdict.rule, house.lookup.asked) == ("store-unavailable", [])


def test_an_ask_that_raises_parks_nothing() -> None:
    house = House()
    house.lookup.broken = True
    with pytest.raises(ValueError, match="no room"):
        house.place(invite())
    house.turn()
    assert (house.gate.parked, house.verdicts) == (0, [])


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (SubscriberFacts("live"), ()),
        (SubscriberFacts("live", refuses_all=True), ("all",)),
        (SubscriberFacts("live", refuses_category=True), ("category:consultation",)),
        (SubscriberFacts("live", scoped=(ScopedRefusal("operator", "alpha"),)), ("operator:alpha",)),
        (SubscriberFacts("live", scoped=(ScopedRefusal("operator", "alph"),)), ()),
        (SubscriberFacts("live", scoped=(ScopedRefusal("caller", "+8657112340001"),)), ("caller:+8657112340001",)),
        (SubscriberFacts("live", scoped=(ScopedRefusal("caller", "+865711234000"),)), ()),
        (SubscriberFacts("live", scoped=(ScopedRefusal("caller_prefix", "+86571"),)), ("caller_prefix:+86571",)),
        (SubscriberFacts("live", scoped=(ScopedRefusal("caller_prefix", "+86572"),)), ()),
        (SubscriberFacts("live", scoped=(ScopedRefusal("moon", "+86571"),)), ()),
        (SubscriberFacts("live", scoped=(ScopedRefusal("all", "", "21:00-09:00"),)), ("all @21:00-09:00",)),
        (
            SubscriberFacts("live", scoped=(ScopedRefusal("category", "consultation", "21:00-09:00"),)),
            ("category:consultation @21:00-09:00",),
        ),
        (SubscriberFacts("live", scoped=(ScopedRefusal("category", "marketing", "21:00-09:00"),)), ()),
        (
            SubscriberFacts("live", True, True, (ScopedRefusal("operator", "alpha"), ScopedRefusal("caller", "x"))),
            ("all", "category:consultation", "operator:alpha"),
        ),
    ],
)
def test_applying_refusals(answer: SubscriberFacts, found: tuple[str, ...]) -> None:
    assert applying_refusals(answer, "+8657112340001", "alpha", "consultation") == found


# AT is a Friday, 16:00 in Shanghai and 08:00 in Greenwich.
@pytest.mark.parametrize(
    ("band", "rule"), [("fri 15:00-16:01", "callee-refused"), ("fri 16:01-17:00", "allow"), ("08:00-09:00", "allow")]
)
def test_a_time_band_counts_in_the_callees_zone(band: str, rule: str) -> None:
    house = House()
    house.place(invite())
    house.lookup.answer(SubscriberFacts("live", scoped=(ScopedRefusal("all", "", band),)))
    house.turn()
    assert house.verdict.rule == rule
    assert house.record.facts is not None
    assert house.record.facts.subscriber_minute == 4 * 1440 + 16 * 60


def test_a_callee_whose_time_nobody_knows_is_not_called_in_any_band() -> None:
    assert local_time(AT, "") == local_time(AT, "Asia/Atlantis") == local_time(AT, "../etc") == (-1, 0)
    assert local_time(AT, "Asia/Shanghai") == (4 * 1440 + 16 * 60, date(2027, 1, 15).toordinal())


@pytest.mark.parametrize(
    ("answer", "age", "pack", "rule"),
    [
        (CONSENT, 3_600, example(), "allow"),
        (CONSENT, 3_601, example(), "store-unavailable"),
        (CONSENT, 3_601, lenient(callee_refused="pass"), "allow"),
        (NO_CONSENT, 3_601, example(), "consent-missing"),
        (SubscriberFacts("live", refuses_all=True), 3_601, example(), "callee-refused"),
    ],
)
def test_a_feed_that_is_too_old(answer: SubscriberFacts, age: int, pack: Pack, rule: str) -> None:
    house = House(pack, registry(feeds=(Feed("local", 1, AT, 60), Feed("national", 7, AT - age, 3_600))))
    house.place(invite())
    house.lookup.answer(answer)
    house.turn()
    assert house.verdict.rule == rule
    if rule == "store-unavailable":
        assert house.verdict.reason == "no facts for callee-refused: decline feed national is too old"
