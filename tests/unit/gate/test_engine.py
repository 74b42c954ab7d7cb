"""The chain: order, modes, shadow, failing rules, missing facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import pytest

from gateway.gate.engine import Engine
from gateway.gate.pack import BoundRule, Pack
from gateway.gate.pack_read import load_pack
from policies import RULES
from policies.base import MEMORY, STORE, Answer
from policies.facts import INBOUND, OUTBOUND, Facts
from tests.unit.gate.test_pack import EXAMPLE
from tests.unit.policies.example import inbound, outbound


class Failing:
    """A rule with a bug."""

    id: ClassVar[str] = "failing"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND, INBOUND)
    needs: ClassVar[str] = MEMORY
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        pass

    def judge(self, facts: Facts) -> str | None:
        raise RuntimeError(facts.number)


def example() -> Pack:
    return load_pack(EXAMPLE, "example.toml")


def with_modes(**modes: str) -> Pack:
    """The example's pack with other modes (`consent_missing="off"`)."""
    pack = example()
    named = {name.replace("_", "-"): mode for name, mode in modes.items()}
    rules = tuple(replace(bound, mode=named.get(bound.id, bound.mode)) for bound in pack.rules)
    return replace(pack, rules=rules)


def failing(mode: str) -> Pack:
    pack = example()
    return replace(pack, rules=(BoundRule("failing", Failing({}), mode, Failing.answer, "refuse"), *pack.rules))


def test_a_good_call_passes() -> None:
    engine = Engine(example())
    shadow: list[str] = []
    assert engine.judge_memory(outbound(), shadow) is None
    assert engine.needs_store(outbound())
    assert engine.judge_store(outbound(), shadow) is None
    assert engine.judge_memory(inbound(), shadow) is None
    assert not engine.needs_store(inbound())
    assert engine.judge_store(inbound(), shadow) is None
    assert engine.unavailable(inbound()) is None
    assert shadow == []


@pytest.mark.parametrize(
    ("facts", "rule", "status", "cause"),
    [
        (outbound(caller_status="hidden", number_status="unassigned"), "caller-hidden", 433, 21),
        (outbound(caller_status="missing", number_status="unassigned"), "caller-missing", 403, 21),
        (outbound(caller_status="malformed", number_status="unassigned"), "caller-malformed", 403, 21),
        (outbound(caller_status="mismatch"), "caller-mismatch", 403, 21),
        (outbound(caller_status="malformed", number_status="length"), "number-length", 403, 21),
        (outbound(number_status="unassigned", range_operator=""), "number-unassigned", 403, 21),
        (outbound(range_operator="beta", range_trunks=("cc-beta",)), "number-foreign", 403, 21),
        (outbound(range_trunks=("other",)), "number-trunk", 403, 21),
        (outbound(range_state="suspended"), "number-inactive", 403, 21),
        (outbound(range_outbound=False, purpose=""), "direction-outbound", 403, 21),
        (outbound(callee_status="malformed"), "callee-malformed", 484, 28),
        (outbound(callee_status="mismatch"), "callee-mismatch", 403, 21),
        (outbound(purpose="x"), "purpose", 403, 21),
        (outbound(forced_route="maddr"), "route-forced", 403, 21),
        (outbound(transfer="Replaces"), "transfer", 403, 21),
        (inbound(forced_route="maddr"), "route-forced", 403, 21),
        (inbound(transfer="Replaces"), "transfer", 403, 21),
        (inbound(number_status="unassigned", range_inbound=False), "callee-unknown", 404, 1),
        (inbound(range_inbound=False), "direction-inbound", 404, 1),
    ],
)
def test_memory_refusals(facts: Facts, rule: str, status: int, cause: int) -> None:
    ruling = Engine(example()).judge_memory(facts, [])
    assert ruling is not None
    assert (ruling.rule, ruling.answer.status, ruling.answer.cause, ruling.error) == (rule, status, cause, False)
    assert ruling.reason
    assert rule in repr(ruling)


@pytest.mark.parametrize(
    ("changes", "rule", "status"),
    [
        ({"consent": "none"}, "consent-missing", 470),
        ({"consent": "revoked", "refusals": ("all",)}, "consent-missing", 470),
        ({"consent": ""}, "consent-missing", 470),
        ({"refusals": ("all",)}, "callee-refused", 603),
    ],
)
def test_store_refusals(changes: dict[str, object], rule: str, status: int) -> None:
    ruling = Engine(example()).judge_store(outbound(**changes), [])
    assert ruling is not None
    assert (ruling.rule, ruling.answer.status) == (rule, status)


def test_inbound_callers_are_nobodys_business() -> None:
    engine = Engine(example())
    assert engine.judge_memory(inbound(caller_status="hidden", range_outbound=False, purpose=""), []) is None


def test_shadow_counts_and_goes_on() -> None:
    engine = Engine(with_modes(caller_hidden="shadow", purpose="shadow", consent_missing="shadow"))
    shadow: list[str] = []
    assert engine.judge_memory(outbound(caller_status="hidden", purpose=""), shadow) is None
    assert engine.needs_store(outbound())
    assert engine.judge_store(outbound(consent="none"), shadow) is None
    assert shadow == ["caller-hidden", "purpose", "consent-missing"]


def test_off_is_not_asked() -> None:
    engine = Engine(with_modes(consent_missing="off", callee_refused="off", purpose="off"))
    shadow: list[str] = []
    assert engine.judge_memory(outbound(purpose=""), shadow) is None
    assert not engine.needs_store(outbound())
    assert engine.unavailable(outbound()) is None
    assert shadow == []


def test_a_rule_that_raises_refuses_and_is_counted() -> None:
    errors: list[tuple[str, str]] = []
    engine = Engine(failing("enforce"), lambda rule, error: errors.append((rule, type(error).__name__)))
    ruling = engine.judge_memory(inbound(), [])
    assert ruling is not None
    assert (ruling.rule, ruling.reason, ruling.error) == ("failing", "rule failed", True)
    assert errors == [("failing", "RuntimeError")]
    assert engine.trace(inbound())[0] == ("failing", "enforce", "refuse", "rule failed", ())


def test_a_shadow_rule_that_raises_only_counts() -> None:
    errors: list[str] = []
    engine = Engine(failing("shadow"), lambda rule, error: errors.append(rule))
    shadow: list[str] = []
    assert engine.judge_memory(outbound(), shadow) is None
    assert (shadow, errors) == (["failing"], ["failing"])
    assert Engine(failing("shadow")).trace(outbound())[0][2:4] == ("would refuse", "rule failed")


def test_without_facts() -> None:
    ruling = Engine(example()).unavailable(outbound())
    assert ruling is not None
    assert (ruling.rule, ruling.answer.status, ruling.answer.cause) == ("store-unavailable", 503, 41)
    assert "consent-missing" in ruling.reason
    pack = example()
    lenient = replace(
        pack,
        rules=tuple(replace(b, on_unavailable="pass") if b.id == "consent-missing" else b for b in pack.rules),
    )
    ruling = Engine(lenient).unavailable(outbound())
    assert ruling is not None
    assert "callee-refused" in ruling.reason
    shadowed = with_modes(consent_missing="shadow", callee_refused="shadow")
    assert Engine(shadowed).unavailable(outbound()) is None


def test_trace_gives_every_rules_word() -> None:
    engine = Engine(with_modes(purpose="shadow", transfer="off"))
    words = engine.trace(outbound(consent="", purpose="", caller_status="hidden", range_outbound=False))
    by_rule = {word[0]: word[:4] for word in words}
    assert [word[0] for word in words] == [bound.id for bound in engine.pack.rules]
    assert by_rule["caller-hidden"] == ("caller-hidden", "enforce", "refuse", "caller hidden")
    assert by_rule["direction-outbound"][2] == "refuse"
    assert by_rule["purpose"] == ("purpose", "shadow", "would refuse", "no purpose")
    assert by_rule["transfer"][2] == "off"
    assert by_rule["callee-unknown"][2] == "not bound"
    assert by_rule["consent-missing"][2] == "waits for the store"
    assert by_rule["route-forced"] == ("route-forced", "enforce", "ok", "")
    assert {word[0]: word[2] for word in engine.trace(outbound())}["consent-missing"] == "ok"


def test_every_rule_of_the_house_is_in_the_example() -> None:
    assert {word[0] for word in Engine(example()).trace(outbound())} == set(RULES)


def test_memory_before_store_whatever_the_order() -> None:
    pack = example()
    turned = replace(pack, rules=tuple(reversed(pack.rules)))
    facts = outbound(consent="none", purpose="")
    ruling = Engine(turned).judge_memory(facts, [])
    assert ruling is not None
    assert ruling.rule == "purpose"
    assert {bound.id for bound in turned.rules if bound.rule.needs == STORE} == {
        *("consent-missing", "callee-refused", "return-visit", "quiet-hours", "cool-down", "frequency"),
    }


def test_an_unknown_direction_is_an_error() -> None:
    with pytest.raises(KeyError):
        Engine(example()).judge_memory(outbound(direction="sideways"), [])


class Grading:
    """A rule that marks, refuses with a wait, or has a bug while it says which."""

    id: ClassVar[str] = "grading"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    wants: ClassVar[tuple[str, ...]] = ("patterns",)
    answer: ClassVar[Answer] = Answer(603, "Decline", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        pass

    def judge(self, facts: Facts) -> str | None:
        return "too much"

    def softens(self, facts: Facts) -> bool:
        return 1 / len(facts.purpose) < 0.1

    def retry_after(self, facts: Facts) -> int:
        return 77


def test_a_rule_may_mark_instead_of_refusing_and_say_how_long_to_wait() -> None:
    pack = example()
    engine = Engine(replace(pack, rules=(BoundRule("grading", Grading({}), "enforce", Grading.answer, "refuse"),)))
    assert engine.wants == {"patterns"} and Engine(pack).wants == frozenset()
    shadow: list[str] = []
    assert engine.judge_memory(outbound(purpose="consultation"), shadow) is None and shadow == ["grading"]
    assert engine.trace(outbound(purpose="consultation"))[0][2] == "would refuse"
    ruling = engine.judge_memory(outbound(purpose="a"), [])
    assert ruling is not None and (ruling.reason, ruling.answer.retry_after) == ("too much", 77)
    ruling = engine.judge_memory(outbound(purpose=""), [])
    assert ruling is not None and ruling.error, "a bug in any of them refuses"
