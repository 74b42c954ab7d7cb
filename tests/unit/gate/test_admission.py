"""Papers and restrictions on the path of a call: refused from one second to the next, with nothing written between."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from gateway.gate.decision import Verdict
from gateway.registry.model import Snapshot, Trunk
from gateway.registry.registry import Registry
from gateway.registry.standing import Bar, Restriction, Standing
from tests.support.packs import LABEL
from tests.unit.gate.calls import ALPHA, AT, CARRIER, RANGES, invite
from tests.unit.gate.house import CONSENT, House, emergency
from tests.unit.registry.example import EMERGENCY, PLAN
from tests.unit.registry.example import snapshot as example_snapshot

A02 = Bar("A02", "licence L-1 expired", AT)


def house(**changes: object) -> House:
    """A gate with the calls' ranges and these parts of the snapshot."""
    base = Snapshot(
        1, operators=example_snapshot().operators, trunks=(ALPHA, CARRIER), ranges=RANGES, plan=PLAN,
        emergency=EMERGENCY, purposes={"consultation": 1},
    )  # fmt: skip
    return House(over=Registry(replace(base, **changes)))  # type: ignore[arg-type]


def call(gate: House, at: float, trunk: Trunk = ALPHA) -> Verdict:
    """A call at a time; its verdict."""
    gate.place(invite(), trunk, at=at)
    gate.lookup.answer(CONSENT)
    gate.turn(at)
    return gate.verdict


def test_a02_a_call_passes_a_second_before_the_licence_ends_and_is_refused_a_second_after() -> None:
    gate = house(standings=(Standing("operator", "alpha", (A02,)),))
    assert call(gate, AT - 1).allowed
    refused = call(gate, AT + 1)
    assert (refused.rule, refused.reason) == ("operator-admission", "A02: licence L-1 expired")
    assert refused.answer is not None and (refused.answer.status, refused.answer.cause) == (403, 21)
    assert call(gate, AT - 1).allowed, "the clock was set back"
    assert gate.record.rule == "allow"


@pytest.mark.parametrize("subject", [("operator", "alpha"), ("trunk", "cc-alpha")])
def test_a22_each_circumstance_denies_outbound_and_leaves_inbound(subject: tuple[str, str]) -> None:
    gate = house(standings=(Standing(*subject, (Bar("A27", "provides marketing calls"),)),))  # type: ignore[arg-type]
    assert call(gate, AT).rule == "operator-admission"
    to_us = invite(
        uri=b"sip:+8657112340001@127.0.0.1", to=b"<sip:+8657112340001@127.0.0.1>",
        from_=b"<sip:+8613800138000@127.0.0.9>;tag=c1",
    )  # fmt: skip
    gate.place(to_us, CARRIER)
    gate.turn()
    assert gate.verdict.allowed
    gate.place(emergency())
    gate.turn()
    assert gate.verdict.allowed, "emergency calls pass before every rule"


def test_a45_b15_a_tenants_bars_meet_its_numbers_alone() -> None:
    bars = (Standing("tenant", "shop", (Bar("A45", "no declaration"),)),)
    rows = (replace(RANGES[0], tenant="shop"), *RANGES[1:])
    assert call(house(standings=bars, ranges=rows), AT).reason == "A45: no declaration"
    assert call(house(standings=bars), AT).allowed


def test_a13_the_bars_of_a_range_hold_for_it() -> None:
    rows = (replace(RANGES[0], bars=(Bar("A13", "filing F-1 is dated later", 0.0, AT),)), *RANGES[1:])
    gate = house(ranges=rows)
    assert call(gate, AT - 0.001).reason == "A13: filing F-1 is dated later"
    assert call(gate, AT).allowed


def test_a14_no_core_trunk_of_a_filed_carrier_is_refused_and_names_them() -> None:
    rows = (replace(RANGES[0], carriers=("Telecom", "Mobile")), *RANGES[1:])
    refused = call(house(ranges=rows), AT)
    assert refused.reason == "A14: no active core trunk of the filed carriers (Telecom, Mobile)"
    assert call(house(ranges=rows, trunks=(ALPHA, replace(CARRIER, carrier="Mobile"))), AT).allowed


def test_a18_a_recall_takes_effect_at_its_second() -> None:
    rows = (replace(RANGES[0], steps=((AT, "suspended"), (AT + 10, "recalled"))), *RANGES[1:])
    gate = house(ranges=rows)
    assert call(gate, AT - 0.001).allowed
    for at, word in ((AT, "suspended"), (AT + 9.999, "suspended"), (AT + 10, "recalled")):
        refused = call(gate, at)
        assert (refused.rule, refused.reason) == ("number-inactive", f"range is {word}")


def test_a28_the_narrower_of_trunk_and_number_counts() -> None:
    closed = replace(ALPHA, outbound=False)
    refused = call(house(trunks=(closed, CARRIER)), AT, closed)
    assert (refused.rule, refused.reason) == ("direction-outbound", "trunk cc-alpha is inbound-only")
    gate = house(trunks=(replace(ALPHA, inbound=False), CARRIER))
    assert call(gate, AT).allowed
    gate.place(invite(uri=b"sip:+8657112340001@127.0.0.1", to=b"<sip:+8657112340001@127.0.0.1>"), CARRIER)
    gate.turn()
    assert (gate.verdict.rule, gate.verdict.reason) == ("direction-inbound", "trunk cc-alpha is outbound-only")


@pytest.mark.parametrize(
    ("kind", "subject", "meets"),
    [
        ("operator", "alpha", True),
        ("trunk", "cc-alpha", True),
        ("number", "+8657112340001", True),
        ("number", "+8657112340002", False),
        ("operator", "beta", False),
    ],
)
def test_a32_restrictions_meet_number_trunk_and_operator_between_their_times(
    kind: str, subject: str, meets: bool
) -> None:
    row = partial(Restriction, 7, kind, subject, "calls without consent")  # type: ignore[arg-type]
    gate = house(restrictions=(row(AT, AT + 10),))
    for at, inside in ((AT - 0.001, False), (AT, True), (AT + 9.999, True), (AT + 10, False)):
        assert call(gate, at).rule == ("operator-restricted" if meets and inside else "allow")
    assert call(house(restrictions=(row(0.0),)), AT).allowed is not meets


def test_a31_a_decision_names_the_agreement_and_the_rules() -> None:
    gate = house()
    assert call(gate, AT, replace(ALPHA, agreement="joint-2020")).allowed
    assert (gate.record.agreement, gate.record.pack) == ("joint-2020", LABEL)
