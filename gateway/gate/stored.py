"""What the store holds about a callee, put into the facts of a call to it."""

from __future__ import annotations

from gateway.gate.engine import Engine
from gateway.gate.localtime import local_time
from gateway.store.ports import SubscriberFacts
from policies.base import LOCAL_TIME
from policies.facts import Facts


def read_subscriber(facts: Facts, answer: SubscriberFacts, engine: Engine) -> None:
    """Put what the store holds about the callee into the facts, and what time it is there if anything goes by it."""
    facts.consent = answer.consent
    facts.refusals = applying_refusals(answer, facts.number, facts.range_operator, facts.purpose)
    if facts.refusals or LOCAL_TIME in engine.wants:
        facts.subscriber_minute, facts.subscriber_day = local_time(facts.at, facts.subscriber_zone)


def applying_refusals(answer: SubscriberFacts, number: str, operator: str, purpose: str) -> tuple[str, ...]:
    """The callee's refusals that meet this call, as `Facts.refusals` has them."""
    found: list[str] = []
    if answer.refuses_all:
        found.append("all")
    if answer.refuses_category:
        found.append(f"category:{purpose}")
    for refusal in answer.scoped:
        scope, value = refusal.scope, refusal.value
        if (
            scope == "all"
            or (scope == "category" and value == purpose)
            or (scope == "operator" and value == operator)
            or (scope == "caller" and value == number)
            or (scope == "caller_prefix" and number.startswith(value))
        ):
            name = f"{scope}:{value}" if value else scope
            found.append(f"{name} @{refusal.band}" if refusal.band else name)
    return tuple(found)
