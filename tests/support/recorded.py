"""Decisions as a gate records them: real INVITEs through it, one for each rule that can refuse, and calls that pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gateway.gate.pack import Pack
from gateway.gate.records import DecisionRecord
from gateway.registry.model import NumberRange, Snapshot, Trunk
from gateway.registry.plan_csv import emergency_codes, load_plan_csv
from gateway.registry.registry import Registry
from gateway.registry.standing import Bar, Restriction, Standing
from gateway.sip.message import Request
from gateway.store.ports import SubscriberFacts
from policies.facts import CONSENT_LIVE, CONSENT_NONE
from tests.unit.gate.calls import ALPHA, AT, BETA, CARRIER, RANGES, STRICT, invite
from tests.unit.gate.house import HIDDEN, House
from tests.unit.registry.example import snapshot as example_snapshot

PLAN = load_plan_csv(Path("config/plans/cn.csv").read_text(encoding="utf-8"))
LIVE = SubscriberFacts(CONSENT_LIVE)
BARRED = Trunk("cc-barred", "access", operator="beta", sources=("127.0.0.6",))
LIMITED = Trunk("cc-limited", "access", operator="beta", sources=("127.0.0.7",))
MORE = (
    replace(RANGES[0], id="asleep", first="+8657123340000", last="+8657123349999", state="suspended"),
    replace(RANGES[0], id="aimless", first="+8657124340000", last="+8657124349999", purposes=("marketing",)),
    NumberRange("barred", "+8657126780000", "+8657126789999", "beta", ("cc-barred", "cc-limited"), outbound=True,
                inbound=False),
)


def _from(number: bytes, *lines: bytes, **more: bytes) -> Request:
    return invite(*lines, from_=b"<sip:%b@127.0.0.2>;tag=a1" % number, **more)  # type: ignore[arg-type]


def _to(number: bytes) -> Request:
    return invite(
        uri=b"sip:%b@127.0.0.1" % number, to=b"<sip:%b@127.0.0.1>" % number,
        from_=b"<sip:+8613900139000@127.0.0.9>;tag=n1",
    )  # fmt: skip


CALLS: dict[str, tuple[Request, Trunk, SubscriberFacts]] = {
    "allow": (invite(), ALPHA, LIVE),
    "caller-hidden": (invite(from_=HIDDEN), ALPHA, LIVE),
    "caller-missing": (invite(from_=b"<sip:127.0.0.2>;tag=a1"), ALPHA, LIVE),
    "caller-malformed": (_from(b"o571-abc"), ALPHA, LIVE),
    "caller-mismatch": (invite(b"P-Asserted-Identity: <sip:+8657112340009@127.0.0.2>"), ALPHA, LIVE),
    "number-length": (_from(b"+86571123400019"), ALPHA, LIVE),
    "number-unassigned": (_from(b"+8657129990001"), ALPHA, LIVE),
    "number-foreign": (_from(b"+8657156780001"), ALPHA, LIVE),
    "number-trunk": (_from(b"95013123", b"P-Asserted-Identity: <sip:95013123@127.0.0.2>"), STRICT, LIVE),
    "number-inactive": (_from(b"+8657123340001"), ALPHA, LIVE),
    "direction-outbound": (_from(b"+864001230001"), ALPHA, LIVE),
    "operator-admission": (_from(b"+8657126780001"), BARRED, LIVE),
    "operator-restricted": (_from(b"+8657126780001"), LIMITED, LIVE),
    "callee-malformed": (invite(uri=b"sip:nobody@127.0.0.1", to=b"<sip:nobody@127.0.0.1>"), ALPHA, LIVE),
    "callee-mismatch": (invite(to=b"<sip:+8613800138009@127.0.0.1>"), ALPHA, LIVE),
    "purpose": (_from(b"+8657124340001"), ALPHA, LIVE),
    "route-forced": (invite(b"Route: <sip:203.0.113.7;lr>"), ALPHA, LIVE),
    "transfer": (invite(b"Replaces: x@y;to-tag=1;from-tag=2"), ALPHA, LIVE),
    "consent-missing": (invite(), ALPHA, SubscriberFacts(CONSENT_NONE)),
    "callee-refused": (invite(), ALPHA, SubscriberFacts(CONSENT_LIVE, refuses_all=True)),
    "callee-unknown": (_to(b"+8657129990001"), CARRIER, LIVE),
    "direction-inbound": (_to(b"+8657126780001"), CARRIER, LIVE),
}
"""What each rule refuses: INVITE, trunk, what the store says."""


def recording_house(pack: Pack | None = None) -> House:
    """A gate whose registry has something for every rule."""
    snapshot = Snapshot(
        1, operators=example_snapshot().operators, trunks=(ALPHA, BETA, STRICT, BARRED, LIMITED, CARRIER),
        ranges=RANGES + MORE, plan=PLAN, emergency=emergency_codes(PLAN), purposes={"consultation": 1, "marketing": 2},
        standings=(Standing("trunk", "cc-barred", (Bar("A02", "licence L-1 expired", AT - 1),)),),
        restrictions=(Restriction("7", "trunk", "cc-limited", "complaints", AT - 1, 0.0),),
    )  # fmt: skip
    return House(pack, over=Registry(snapshot))


def recorded(pack: Pack | None = None, times: int = 1) -> list[DecisionRecord]:
    """The records of all `CALLS`, each `times`, a second apart; ids even over the shares."""
    house = recording_house(pack)
    for number in range(times):
        for index, (request, trunk, answer) in enumerate(CALLS.values()):
            place = number * len(CALLS) + index
            house.place(request, trunk, f"{place * 2_654_435_761 % 2**32:032x}", AT + place)
            house.lookup.answer(answer)
            house.turn(AT + place + 2)  # apart, so that none is a flood's
    return house.journal.decisions()
