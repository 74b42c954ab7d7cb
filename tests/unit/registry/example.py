"""The example deployment (numbers, trunks, operators) as a snapshot, for the tests of this folder and of
the gate."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gateway.registry.model import NextHop, NumberRange, Operator, PlanEntry, Snapshot, Trunk
from gateway.registry.numbering import NumberingPlan, emergency_codes, load_plan_csv

ROOT = Path(__file__).parents[3]
PLAN: tuple[PlanEntry, ...] = load_plan_csv((ROOT / "config/plans/cn.csv").read_text(encoding="utf-8"))
EMERGENCY = emergency_codes(PLAN)


def plan() -> NumberingPlan:
    """The plan of config/plans/cn.csv."""
    return NumberingPlan(PLAN, EMERGENCY)


def number_range(first: str, last: str, **changes: object) -> NumberRange:
    """An outbound and inbound range of alpha on cc-alpha."""
    row = NumberRange(
        id=f"r{first.strip('+')}",
        first=first,
        last=last,
        operator="alpha",
        trunks=("cc-alpha",),
        outbound=True,
        purposes=("consultation",),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def snapshot(**changes: object) -> Snapshot:
    """The example deployment, whole and valid."""
    value = Snapshot(
        version=7,
        operators=(Operator("alpha", "Alpha", 1), Operator("beta", "Beta", 2)),
        trunks=(
            Trunk("cc-alpha", "access", "alpha", ("127.0.0.2",), next_hops=(NextHop("127.0.0.2"),), area="571"),
            Trunk("cc-beta", "access", "beta", ("127.0.0.3",), next_hops=(NextHop("127.0.0.3"),), area="571"),
            Trunk("carrier", "core", "", ("127.0.0.9",), next_hops=(NextHop("127.0.0.9"),)),
        ),
        ranges=(
            number_range("+8657112340000", "+8657112349999"),
            number_range("+864001230000", "+864001239999", outbound=False, purposes=()),
            number_range("+8657156780000", "+8657156789999", operator="beta", trunks=("cc-beta",)),
        ),
        plan=PLAN,
        emergency=EMERGENCY,
        purposes={"consultation": 1, "return_visit": 2},
    )
    return replace(value, **changes)  # type: ignore[arg-type]
