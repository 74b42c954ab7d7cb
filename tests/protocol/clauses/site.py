"""A gate with the packs of China's two texts in force, and operators of several classes to call through it.

site = Site(CALL_CENTRE)
site.call(caller=b"95013123", at=NOON)     -> the verdict
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from gateway.control.pack_text import whole_pack
from gateway.gate.decision import Verdict
from gateway.gate.pack import Pack
from gateway.gate.pack_read import load_pack
from gateway.registry.model import NextHop, NumberRange, Operator, Snapshot, Trunk
from gateway.registry.plan_csv import emergency_codes, load_plan_csv
from gateway.registry.registry import Registry
from gateway.store.ports import SubscriberFacts, Tally
from tests.unit.gate.calls import invite
from tests.unit.gate.house import House

CALL_CENTRE, DRAFT = "cn-call-centre-2020", "cn-sms-voice-draft-2020"
CODE, INBOUND_CODE, SHOP, PLATFORM = b"95013123", b"95013124", b"+8657156780001", b"95013999"
SMS, FREEPHONE, PROVINCIAL = b"106901234567", b"+864001230000", b"961234"
CALLEE = b"+8613800138000"


def at(text: str) -> float:
    """Epoch seconds of a Beijing time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp()


NOON = at("2026-06-01T12:00:00")

TRUNKS = {
    operator: Trunk(
        f"cc-{operator}", "access", operator, (f"127.0.1.{host}",), next_hops=(NextHop(f"127.0.1.{host}"),),
        region="Zhejiang", area="571", purpose_header="X-Purpose",
    )
    for host, operator in enumerate(("alpha", "shop", "vcsp"), 1)
}  # fmt: skip
CARRIER = Trunk("carrier", "core", sources=("127.0.0.9",), next_hops=(NextHop("127.0.0.9"),), carrier="Telecom")
PURPOSES = {"consultation": 1, "return_visit": 2, "marketing": 3, "notification": 4}


def block(name: str, number: bytes, operator: str, **changes: object) -> NumberRange:
    """One number, certified to call out for every purpose."""
    digits = number.decode()
    row = NumberRange(name, digits, digits, operator, (f"cc-{operator}",), outbound=True, purposes=tuple(PURPOSES))
    return replace(row, **changes)  # type: ignore[arg-type]


RANGES = (
    block("alpha-95", CODE, "alpha"),
    block("alpha-in", INBOUND_CODE, "alpha", outbound=False),
    block("alpha-user", b"+8613700137000", "alpha"),
    block("shop-geo", SHOP, "shop"),
    block("shop-user", b"+8613700137001", "shop"),
    block("shop-sms", SMS, "shop"),
    block("shop-400", FREEPHONE, "shop"),
    block("shop-96", PROVINCIAL, "shop", regions=("Zhejiang",)),
    block("vcsp-95", PLATFORM, "vcsp"),
)


def consented(consent: str = "live", trigger_ms: int = -1, callee_ages_ms: tuple[int, ...] = ()) -> SubscriberFacts:
    """What the store says of the callee."""
    return SubscriberFacts(consent, tally=Tally(True, callee_ages_ms, trigger_age_ms=trigger_ms))


@cache
def pack(name: str) -> Pack:
    return load_pack(whole_pack(Path(f"config/packs/{name}.toml").read_text(encoding="utf-8")), name)


@cache
def snapshot() -> Snapshot:
    plan = load_plan_csv(Path("config/plans/cn.csv").read_text(encoding="utf-8"))
    classes = {"alpha": "call_centre", "shop": "own_customers", "vcsp": "voice_platform"}
    return Snapshot(
        1,
        operators=tuple(Operator(name, name, number, kind) for number, (name, kind) in enumerate(classes.items(), 1)),
        trunks=(*TRUNKS.values(), CARRIER), ranges=RANGES, plan=plan, emergency=emergency_codes(plan),
        purposes=PURPOSES,
    )  # fmt: skip


class Site:
    """A gate with one pack in force."""

    def __init__(self, pack_name: str = CALL_CENTRE, **changes: object) -> None:
        self.house = House(pack(pack_name), Registry(replace(snapshot(), **changes)))  # type: ignore[arg-type]

    def call(
        self,
        *lines: bytes,
        caller: bytes = CODE,
        callee: bytes = CALLEE,
        trunk: str = "alpha",
        answer: SubscriberFacts | None = None,
        when: float = NOON,
        source: str = "127.0.1.1:5060/udp",
        from_: bytes = b"",
    ) -> Verdict:
        """A call on a trunk; its verdict. One that is refused was recorded, once, with its rule."""
        house = self.house
        request = invite(
            *lines,
            uri=b"sip:" + callee + b"@127.0.0.1",
            to=b"<sip:" + callee + b"@127.0.0.1>",
            from_=from_ or b"<sip:" + caller + b"@127.0.1.1>;tag=a1",
            contact=b"<sip:pbx@127.0.1.1:5060>",
        )
        before = len(house.journal.decisions())
        decision = house.place(request, TRUNKS[trunk], at=when, source=source)
        house.lookup.answer(answer or consented())
        house.turn(when)
        (record,) = house.journal.decisions()[before:]
        assert (record.id, record.rule) == (decision, house.verdict.rule)
        return house.verdict

    def inbound(self, called: bytes = CODE, when: float = NOON) -> Verdict:
        """A subscriber calls a number of ours."""
        request = invite(
            uri=b"sip:" + called + b"@127.0.0.1", to=b"<sip:" + called + b"@127.0.0.1>",
            from_=b"<sip:" + CALLEE + b"@127.0.0.9>;tag=n1",
        )  # fmt: skip
        self.house.place(request, CARRIER, at=when)
        self.house.turn(when)
        return self.house.verdict

    @property
    def asked(self) -> bool:
        """Was the store asked about the last call?"""
        return bool(self.house.lookup.asked)
