"""What is wrong with one number range: numbers, trunks, purposes, validity (RULES A10 to A19)."""

from __future__ import annotations

from gateway.registry.checks import identifier, known, one_of
from gateway.registry.model import NumberRange, Operator, Trunk
from gateway.registry.number import Number
from gateway.registry.number_key import key_number, number_key
from gateway.registry.numbering import NumberingPlan
from gateway.registry.standing import Tenant
from gateway.registry.validate_class import RANGE_STATES, check_life_cycle, check_scope


def check_range(
    row: NumberRange,
    operators: dict[str, Operator],
    trunks: dict[str, Trunk],
    tenants: dict[str, Tenant],
    purposes: dict[str, int],
    plan: NumberingPlan,
) -> list[str]:
    """What is wrong with one range, against everything else in the snapshot but the other ranges."""
    where = f"range {row.id}"
    problems = identifier("range", row.id)
    problems += _numbers(row, plan)
    if row.operator not in operators:
        problems.append(f"{where}.operator: {row.operator!r}: name one of the operators{known(operators)}")
    problems += _trunk_list(f"{where}.trunks", row.trunks, trunks, "access", row.operator)
    problems += _trunk_list(f"{where}.egress", row.egress, trunks, "core", "")
    if row.inbound and not row.trunks:
        problems.append(f"{where}.trunks: empty: name the access trunks that calls to it are delivered to")
    named = [trunks[name] for name in row.trunks if name in trunks]
    if row.inbound and named and all(trunk.digest and not trunk.next_hops for trunk in named):
        problems.append(
            f"{where}.inbound: true: none of its trunks has next_hops to deliver calls to: give one, or write false"
        )
    problems += [
        f"{where}.purposes: {name!r}: name one of the purposes{known(purposes)}"
        for name in row.purposes
        if name not in purposes
    ]
    if row.outbound and not row.purposes:
        problems.append(f"{where}.purposes: empty: an outbound range needs at least one purpose (RULES A06)")
    problems += [
        f"{where}.{field}: {value!r}: write printable text"
        for field, value in (("certificate", row.certificate), ("filing", row.filing))
        if not value.isprintable()
    ]
    if row.valid_to and row.valid_to <= row.valid_from:
        problems.append(f"{where}.valid_to: {row.valid_to}: write a time after valid_from, or leave it out")
    problems += one_of(f"{where}.state", row.state, RANGE_STATES)
    problems += check_life_cycle(row) if row.steps else []
    problems += check_scope(row, trunks, tenants) if row.length or row.regions or row.tenant else []
    return problems


def _numbers(row: NumberRange, plan: NumberingPlan) -> list[str]:
    where = f"range {row.id}"
    number, problem = _read(row.first, plan)
    problems = [f"{where}.first: {problem}"] if problem else []
    _, problem = _read(row.last, plan)
    problems += [f"{where}.last: {problem}"] if problem else []
    if problems:
        return problems
    if len(row.first) != len(row.last) or row.first[:1] != row.last[:1]:
        return [f"{where}.last: {row.last!r}: write as many digits as first ({row.first}) has"]
    if row.first > row.last:
        return [f"{where}.last: {row.last!r}: write a number not below first ({row.first})"]
    if number is not None and number.kind == "emergency":
        return [f"{where}.first: {row.first!r}: is an emergency code: it is assigned to nobody"]
    if row.outbound and number is not None and number.caller == "no":
        return [f"{where}.outbound: true: numbers of kind {number.kind} never call out: set it to false"]
    return []


def check_number(where: str, value: str, plan: NumberingPlan) -> list[str]:
    """A canonical number of the plan: exactly what `NumberingPlan.read` would make of it."""
    _, problem = _read(value, plan)
    return [f"{where}: {problem}"] if problem else []


def _read(value: str, plan: NumberingPlan) -> tuple[Number | None, str]:
    """The number, and what is wrong with it."""
    key = number_key(value)
    number = plan.read(value.removeprefix("+").encode("ascii", "replace"), value[:1] == "+", plan.country, "")
    if key < 0 or key_number(key) != value or number is None:
        return None, f"{value!r}: write a number of the plan, as +<country><number> or as a short code"
    if number.canonical != value:
        return None, f"{value!r}: write it in canonical form: {number.canonical}"
    return number, ""


def _trunk_list(where: str, ids: tuple[str, ...], trunks: dict[str, Trunk], side: str, operator: str) -> list[str]:
    problems = []
    for trunk_id in ids:
        trunk = trunks.get(trunk_id)
        if trunk is None:
            problems.append(f"{where}: {trunk_id!r}: name one of the trunks{known(trunks)}")
        elif trunk.side != side:
            problems.append(f"{where}: {trunk_id!r}: is on the {trunk.side} side: name {side} trunks here")
        elif operator and trunk.operator != operator:
            problems.append(
                f"{where}: {trunk_id!r}: belongs to {trunk.operator}: name trunks of {operator} (RULES A17)"
            )
    return problems
