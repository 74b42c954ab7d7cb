"""What is wrong with operators' classes, tenants, and the life cycle of numbers (RULES A18, A45 to A48, B02)."""

from __future__ import annotations

from collections import Counter

from gateway.registry.checks import identifier, known, one_of, twice
from gateway.registry.credit_code import credit_code_problem
from gateway.registry.model import OPERATOR_CLASSES, NumberRange, Operator, RangeState, Snapshot, Trunk
from gateway.registry.paper_agree import digits_of
from gateway.registry.standing import Tenant

RANGE_STATES = ("assigned", "filed", "enabled", "suspended", "recalled")
NEXT_STATES: dict[RangeState, tuple[RangeState, ...]] = {
    "assigned": ("filed", "recalled"),
    "filed": ("enabled", "recalled"),
    "enabled": ("suspended", "recalled"),
    "suspended": ("enabled", "recalled"),
    "recalled": (),
}
"""Life cycle of a code number (RULES A18): filed before it is enabled (A13), and recalled for good."""
MAX_STEPS = 64
NO_SYSTEM = {"labour_only": "A47", "tech_only": "A48"}
"""Classes that run no call-centre system: no trunk, no number."""


def check_classes(snapshot: Snapshot) -> list[str]:
    """Operators whose class allows no trunk or number, wrong credit codes, tenants."""
    problems: list[str] = []
    owned = Counter(trunk.operator for trunk in snapshot.trunks)
    numbers = Counter(row.operator for row in snapshot.ranges)
    for operator in snapshot.operators:
        where = f"operator {operator.id}"
        problems += one_of(f"{where}.class", operator.operator_class, OPERATOR_CLASSES)
        problems += _credit_code(where, operator.credit_code)
        clause = NO_SYSTEM.get(operator.operator_class)
        for what, count in (("trunk", owned[operator.id]), ("number range", numbers[operator.id])):
            if clause and count:
                problems.append(
                    f"{where}.class: {operator.operator_class!r}: may own no {what} (RULES {clause}): "
                    f"give its {count} to an operator of another class"
                )
    operators = {operator.id: operator for operator in snapshot.operators}
    for tenant in snapshot.tenants:
        problems += _tenant(tenant, operators)
    return problems + twice("tenant", (tenant.id for tenant in snapshot.tenants))


def _credit_code(where: str, code: str) -> list[str]:
    fix = credit_code_problem(code) if code else ""
    return [f"{where}.credit_code: {code!r}: {fix}"] if fix else []


def _tenant(tenant: Tenant, operators: dict[str, Operator]) -> list[str]:
    where = f"tenant {tenant.id}"
    problems = identifier("tenant", tenant.id) + one_of(f"{where}.state", tenant.state, ("active", "suspended"))
    problems += _credit_code(where, tenant.credit_code)
    if tenant.operator not in operators:
        problems.append(f"{where}.operator: {tenant.operator!r}: name one of the operators{known(operators)}")
    return problems


def check_life_cycle(row: NumberRange) -> list[str]:
    """Steps in order of time, each to a state that may follow."""
    where = f"range {row.id}.steps"
    if len(row.steps) > MAX_STEPS:
        return [f"{where}: {len(row.steps)}: keep at most {MAX_STEPS}"]
    before, since = row.state, 0.0
    for at, state in row.steps:
        problems = one_of(where, state, RANGE_STATES)
        if problems:
            return problems
        if at <= since:
            return [f"{where}: {state!r}: give each step a later time than the one before it"]
        if state not in NEXT_STATES[before]:
            after = ", ".join(NEXT_STATES[before]) or "nothing"
            return [f"{where}: {state!r}: after {before} comes {after} (RULES A18)"]
        before, since = state, at
    return []


def check_scope(row: NumberRange, trunks: dict[str, Trunk], tenants: dict[str, Tenant]) -> list[str]:
    """Certificate length, regions of its trunks, tenant (RULES A19, B02, A45)."""
    problems = []
    where = f"range {row.id}"
    if row.length and row.length != digits_of(row.first):
        problems.append(
            f"{where}.length: {row.length}: its numbers have {digits_of(row.first)} digits: "
            "write the certificate's total length, or correct the numbers (RULES A19)"
        )
    for name in row.trunks:
        trunk = trunks.get(name)
        if row.regions and trunk is not None and trunk.region not in row.regions:
            problems.append(
                f"{where}.trunks: {name!r}: is connected in {trunk.region or 'no stated region'}, the number may be "
                f"used in {', '.join(row.regions)} only (RULES B02): name trunks of that region"
            )
    tenant = tenants.get(row.tenant)
    if row.tenant and (tenant is None or tenant.operator != row.operator):
        own = [one.id for one in tenants.values() if one.operator == row.operator]
        problems.append(f"{where}.tenant: {row.tenant!r}: name one of the operator's tenants{known(own)}")
    return problems


def check_contract(trunk: Trunk) -> list[str]:
    """Dates of a trunk's contract (RULES A41)."""
    if trunk.contract_to and trunk.contract_to <= trunk.contract_from:
        where = f"trunk {trunk.id}.contract_to"
        return [f"{where}: {trunk.contract_to}: write a time after contract_from, or leave it out"]
    return []
