"""What for, when, how often and to whom: A06, A07, A30, A37, A39, A42, B01, B07, B08, B14, B16, B17."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.control.pack_text import whole_pack
from gateway.gate.pack_read import load_pack
from gateway.gate.pack_set import engines, pack_set
from gateway.registry.model import Feed
from gateway.registry.registry import Registry
from gateway.store.ports import ScopedRefusal, SubscriberFacts, Tally
from tests.protocol.clauses.site import (
    CALL_CENTRE,
    CALLEE,
    DRAFT,
    NOON,
    PLATFORM,
    PURPOSES,
    SHOP,
    Site,
    at,
    consented,
    pack,
    snapshot,
)
from tests.unit.gate.test_pack import EXAMPLE

MARKETING = b"X-Purpose: marketing"
RETURN_VISIT = b"X-Purpose: return_visit"


@pytest.mark.parametrize("purpose", ["return_visit", "notification"])
@pytest.mark.parametrize("consent", ["live", "none"])
@pytest.mark.parametrize("trigger_ms", [60_000, -1])
def test_a06_only_the_lawful_cell_of_purpose_consent_and_trigger_passes(
    purpose: str, consent: str, trigger_ms: int
) -> None:
    site = Site()
    verdict = site.call(b"X-Purpose: " + purpose.encode(), answer=consented(consent, trigger_ms))
    lawful = purpose == "return_visit" and consent == "live" and trigger_ms >= 0
    assert verdict.allowed is lawful
    if purpose == "notification":
        assert verdict.rule == "purpose"
    elif consent == "none":
        assert (verdict.rule, verdict.answer.status if verdict.answer else 0) == ("consent-missing", 470)
    elif not lawful:
        assert verdict.rule == "return-visit"


def test_a06_consent_for_one_purpose_opens_no_other() -> None:
    site = Site()
    for line, purpose in (((), "consultation"), ((RETURN_VISIT,), "return_visit")):
        site.call(*line, answer=consented("none"))
        party, operator, asked, _ = site.house.lookup.asked[-1]
        assert party == site.house.pseudonymizer.hash(CALLEE.decode())
        assert (operator, asked) == (1, PURPOSES[purpose])


def test_a07_marketing_is_refused_to_call_centres_and_passes_under_the_draft() -> None:
    refused = Site(CALL_CENTRE).call(MARKETING)
    assert (refused.rule, refused.reason) == ("purpose", "purpose marketing not allowed")
    assert Site(DRAFT).call(MARKETING, caller=SHOP, trunk="shop").allowed
    assert Site(DRAFT).call(MARKETING).rule == "purpose", "a call centre stays one where the draft is the default"


def test_a07_the_class_of_the_operator_decides_which_pack_judges() -> None:
    registry = Registry(snapshot())
    packs = pack_set([load_pack(EXAMPLE, "example.toml"), pack(CALL_CENTRE), pack(DRAFT)])
    judging = engines(packs, registry, lambda rule, error: None)
    site = Site()
    site.house.gate.switch(registry, judging.default, judging.by_trunk)
    assert site.call(MARKETING).rule == "purpose"
    assert site.house.record.pack == "cn-call-centre-2020@1"
    assert site.call(MARKETING, caller=SHOP, trunk="shop").allowed
    assert site.house.record.pack == "cn-sms-voice-draft-2020@1"


@pytest.mark.parametrize(
    ("earlier_s", "allowed"),
    [((), True), ((10, 20), True), ((10, 20, 299), False), ((10, 20, 300), True), ((310, 4_000, 8_000, 9_000), True),
     ((310, 4_000, 8_000, 9_000, 86_399), False), ((310, 4_000, 8_000, 9_000, 86_400), True)],
)  # fmt: skip
def test_a30_a37_the_limit_th_call_passes_and_the_next_does_not(earlier_s: tuple[int, ...], allowed: bool) -> None:
    verdict = Site().call(answer=consented(callee_ages_ms=tuple(second * 1_000 for second in earlier_s)))
    assert verdict.allowed is allowed and (allowed or verdict.rule == "frequency")
    if not allowed and verdict.answer is not None:
        assert (verdict.answer.status, verdict.answer.retry_after) == (603, 1)


@pytest.mark.parametrize(
    ("when", "allowed", "retry_after"),
    [
        ("2026-06-01T07:59:59", False, 1),
        ("2026-06-01T08:00:00", True, 0),
        ("2026-06-01T20:59:59", True, 0),
        ("2026-06-01T21:00:00", False, 39_600),
    ],
)
def test_a30_a39_rest_time_to_the_second(when: str, allowed: bool, retry_after: int) -> None:
    verdict = Site().call(when=at(when))
    assert verdict.allowed is allowed
    if verdict.answer is not None:
        assert (verdict.rule, verdict.answer.status) == ("quiet-hours", 603)
        assert verdict.answer.retry_after == retry_after


def test_a39_soft_hours_pass_and_mark_the_record() -> None:
    site = Site()
    text = whole_pack(Path(f"config/packs/{CALL_CENTRE}.toml").read_text(encoding="utf-8"))
    site.house.switch(load_pack(text.replace("soft = false", "soft = true"), "soft.toml"), Registry(snapshot()))
    verdict = site.call(when=at("2026-06-01T23:00:00"))
    assert verdict.allowed and verdict.shadow == ("quiet-hours",)
    assert site.house.record.shadow == ("quiet-hours",)
    assert site.call(when=NOON).shadow == ()


def test_a39_the_callees_own_times_come_first() -> None:
    wish = (ScopedRefusal("all", "", "12:00-14:00"),)
    answer = SubscriberFacts("live", scoped=wish, tally=Tally(True))
    assert Site().call(answer=answer, when=at("2026-06-01T22:00:00")).allowed
    assert Site().call(answer=answer, when=NOON).rule == "callee-refused"


def test_a37_dialling_one_after_the_other_is_marked_then_refused_and_ordinary_calls_never() -> None:
    site = Site()
    words = [site.call(callee=b"+86138%08d" % (10_000 + number)) for number in range(60)]
    assert not any(verdict.shadow for verdict in words[:19])
    assert all(verdict.shadow == ("behaviour",) for verdict in words[19:49])
    assert {verdict.rule for verdict in words[:49]} == {"allow"}
    assert {verdict.rule for verdict in words[49:]} == {"behaviour"}
    ordinary = Site()
    for number in range(300):
        verdict = ordinary.call(callee=b"+86138%08d" % (number * 7_919 % 100_000_000))
        assert verdict.allowed and verdict.shadow == ()


def test_a37_calls_that_nobody_answers() -> None:
    site = Site()
    for number in range(90):
        verdict = site.call(callee=b"+86138%08d" % (number * 7_919))
        assert verdict.allowed
        site.house.gate.patterns.outcome(verdict.decision, False, NOON)
    assert site.call().rule == "behaviour"


def test_a42_a_trunk_that_is_let_to_others_is_flagged() -> None:
    site = Site()
    assert site.call().shadow == ()
    assert site.call(source="127.0.1.77:5080/udp").shadow == ()
    marked = site.call(source="10.7.7.7:5060/udp")
    assert marked.allowed and marked.shadow == ("behaviour",)
    assert ("sources", 2) in marked.attempt.facts.patterns


def test_b01_b07_unknown_is_no() -> None:
    for line in ((), (MARKETING,)):
        verdict = Site(DRAFT).call(*line, caller=SHOP, trunk="shop", answer=consented("none"))
        assert (verdict.rule, verdict.reason) == ("consent-missing", "no consent stored")


def test_b08_consent_taken_back() -> None:
    verdict = Site(DRAFT).call(MARKETING, caller=SHOP, trunk="shop", answer=consented("revoked"))
    assert (verdict.rule, verdict.reason) == ("consent-missing", "consent revoked")
    declined = SubscriberFacts("live", refuses_category=True, tally=Tally(True))
    assert Site(DRAFT).call(MARKETING, caller=SHOP, trunk="shop", answer=declined).rule == "callee-refused"


def test_b14_a_platform_makes_no_commercial_calls_consent_or_not() -> None:
    site = Site(DRAFT)
    assert site.call(MARKETING, caller=PLATFORM, trunk="vcsp").rule == "platform-commercial"
    assert not site.asked
    assert site.call(caller=PLATFORM, trunk="vcsp").allowed


def test_b16_a_declined_category_is_refused_and_a_feed_too_old_stops_calls() -> None:
    declined = SubscriberFacts("live", refuses_category=True, tally=Tally(True))
    site = Site(DRAFT)
    verdict = site.call(MARKETING, caller=SHOP, trunk="shop", answer=declined)
    assert (verdict.rule, verdict.reason) == ("callee-refused", "callee declined: category:marketing")
    stale = Site(DRAFT, feeds=(Feed("national", 7, NOON - 3_601, 3_600),))
    assert stale.call(caller=SHOP, trunk="shop").rule == "store-unavailable"
    fresh = Site(DRAFT, feeds=(Feed("national", 7, NOON - 3_600, 3_600),))
    assert fresh.call(caller=SHOP, trunk="shop").allowed


@pytest.mark.parametrize(
    ("wish", "meets"),
    [
        (ScopedRefusal("category", "consultation"), True),
        (ScopedRefusal("category", "marketing"), False),
        (ScopedRefusal("caller_prefix", "+86571"), True),
        (ScopedRefusal("caller_prefix", "+8610"), False),
        (ScopedRefusal("caller", "+8657156780001"), True),
        (ScopedRefusal("operator", "shop"), True),
        (ScopedRefusal("operator", "alpha"), False),
        (ScopedRefusal("all", "", "mon-fri 11:00-13:00"), True),
        (ScopedRefusal("all", "", "sat,sun 00:00-24:00"), False),
    ],
)
def test_b17_wishes_by_category_prefix_number_operator_and_time(wish: ScopedRefusal, meets: bool) -> None:
    answer = SubscriberFacts("live", scoped=(wish,), tally=Tally(True))
    verdict = Site(DRAFT).call(caller=SHOP, trunk="shop", answer=answer)
    assert verdict.rule == ("callee-refused" if meets else "allow")


def test_a38_the_record_of_a_call_holds_numbers_time_and_consent() -> None:
    site = Site()
    assert site.call().allowed
    record = site.house.record
    assert (record.number, record.party_mask, record.at) == ("95013123", "+86138****8000", int(NOON * 1e6))
    assert record.party == site.house.pseudonymizer.hash(CALLEE.decode()).hex()
    assert record.facts is not None and (record.facts.consent, record.facts.purpose) == ("live", "consultation")
