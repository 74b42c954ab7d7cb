"""What is wrong with a snapshot, in words that name field, value and fix. An empty list: it may be put in
force."""

from __future__ import annotations

from typing import Final

from gateway.registry.checks import digits, host, identifier, known, one_of, twice
from gateway.registry.model import Operator, Snapshot, Trunk
from gateway.registry.numbering import NumberingPlan
from gateway.registry.ranges import overlaps
from gateway.registry.validate_class import check_classes, check_contract
from gateway.registry.validate_range import check_number, check_range
from gateway.registry.validate_source import TRANSPORTS, check_overlaps, check_purposes, check_source

MAX_OPERATOR_NUMBER = 65_535
"""Two bytes of a Redis field."""
MAX_PURPOSE_NUMBER = 255
"""One byte of a Redis field."""
MAX_PROBLEMS = 200
"""Enough to mend a file by; a registry of a million bad rows is not listed whole."""
SIDES = ("access", "core")
STATES = ("active", "suspended")


MAX_LINES: Final = 100_000
"""Channels of a trunk, and calls per second: more than any line has."""


def validate(snapshot: Snapshot) -> list[str]:
    """Every inconsistency, as `field: value: fix`, at most MAX_PROBLEMS of them (a last line then says how
    many more)."""
    problems: list[str] = []
    plan = NumberingPlan(snapshot.plan, snapshot.emergency, snapshot.country, snapshot.zone)
    operators = {operator.id: operator for operator in snapshot.operators}
    trunks = {trunk.id: trunk for trunk in snapshot.trunks}
    tenants = {tenant.id: tenant for tenant in snapshot.tenants}
    problems += _plan(snapshot)
    problems += _operators(snapshot.operators)
    problems += check_classes(snapshot)
    problems += _purposes(snapshot.purposes)
    for trunk in snapshot.trunks:
        problems += _trunk(trunk, operators, plan)
    problems += check_overlaps(snapshot.trunks)
    problems += twice("trunk", (trunk.id for trunk in snapshot.trunks))
    problems += twice("range", (row.id for row in snapshot.ranges))
    for row in snapshot.ranges:
        problems += check_range(row, operators, trunks, tenants, snapshot.purposes, plan)
    problems += [
        f"range {other.id}: {other.first}-{other.last}: overlaps range {row.id} in numbers and validity: "
        "end one before the other begins, or narrow it"
        for row, other in overlaps(snapshot.ranges)
    ]
    if len(problems) > MAX_PROBLEMS:
        rest = len(problems) - MAX_PROBLEMS
        problems[MAX_PROBLEMS:] = [f"registry: {rest} more problems: mend these first"]
    return problems


def _plan(snapshot: Snapshot) -> list[str]:
    problems = []
    if not snapshot.plan:
        problems.append("plan: empty: load a numbering plan, e.g. config/plans/cn.csv")
    if not snapshot.emergency:
        problems.append("plan.emergency: empty: list the emergency codes, e.g. 110, 119, 120, 122")
    problems += [f"plan.emergency: {code!r}: write digits 0-9 only" for code in snapshot.emergency if not digits(code)]
    if not digits(snapshot.country):
        problems.append(f"plan.country: {snapshot.country!r}: write a country code, e.g. 86")
    if not snapshot.zone:
        problems.append("plan.zone: empty: name a time zone, e.g. Asia/Shanghai")
    return problems


def _operators(operators: tuple[Operator, ...]) -> list[str]:
    problems = twice("operator", (operator.id for operator in operators))
    problems += twice("operator.number", (str(operator.number) for operator in operators))
    for operator in operators:
        problems += identifier("operator", operator.id)
        if not 1 <= operator.number <= MAX_OPERATOR_NUMBER:
            problems.append(f"operator {operator.id}.number: {operator.number}: write a number 1-{MAX_OPERATOR_NUMBER}")
        problems += one_of(f"operator {operator.id}.state", operator.state, STATES)
    return problems


def _purposes(purposes: dict[str, int]) -> list[str]:
    problems = twice("purpose.number", (str(number) for number in purposes.values()))
    for name, number in purposes.items():
        problems += identifier("purpose", name)
        if not 1 <= number <= MAX_PURPOSE_NUMBER:
            problems.append(f"purpose {name}.number: {number}: write a whole number 1-{MAX_PURPOSE_NUMBER}")
    return problems


def _trunk(trunk: Trunk, operators: dict[str, Operator], plan: NumberingPlan) -> list[str]:
    where = f"trunk {trunk.id}"
    problems = identifier("trunk", trunk.id)
    problems += one_of(f"{where}.side", trunk.side, SIDES)
    problems += one_of(f"{where}.state", trunk.state, STATES)
    if trunk.side == "access" and trunk.operator not in operators:
        problems.append(f"{where}.operator: {trunk.operator!r}: name one of the operators{known(operators)}")
    if trunk.side == "core" and trunk.operator:
        problems.append(f"{where}.operator: {trunk.operator!r}: leave it out: a core trunk belongs to the carrier")
    problems += [
        f"{where}.{name}: {value}: write a whole number from 0 (no limit) to {MAX_LINES}"
        for name, value in (("channels", trunk.channels), ("cps", trunk.cps))
        if not 0 <= value <= MAX_LINES
    ]
    problems += check_source(trunk)
    problems += check_purposes(trunk)
    problems += check_contract(trunk)
    if not trunk.next_hops and not trunk.digest:
        problems.append(f"{where}.next_hops: empty: list the addresses it is reached at, e.g. 127.0.0.9:5060")
    for hop in trunk.next_hops:
        if not 1 <= hop.port <= 65_535 and (hop.port or not hop.is_name):
            problems.append(f"{where}.next_hops: port {hop.port}: write a port 1-65535")
        if not host(hop.host):
            problems.append(f"{where}.next_hops: {hop.host!r}: write an IP address or a host name")
        if hop.transport or not hop.is_name or hop.port:
            problems += one_of(f"{where}.next_hops transport", hop.transport, TRANSPORTS)
    problems += twice(f"{where}.next_hops", (f"{hop.host}:{hop.port}/{hop.transport}" for hop in trunk.next_hops))
    if not digits(trunk.country):
        problems.append(f"{where}.country: {trunk.country!r}: write a country code in digits, e.g. 86")
    if trunk.area and not (digits(trunk.area) and (trunk.country != plan.country or plan.is_area(trunk.area))):
        problems.append(f"{where}.area: {trunk.area!r}: write an area code of the plan without trunk 0, e.g. 571")
    problems += check_number(f"{where}.emergency_cli", trunk.emergency_cli, plan) if trunk.emergency_cli else []
    problems += [
        f"{where}.answers {rule}: {status} {phrase!r}: write a status 400-699, a printable phrase"
        for rule, status, phrase in trunk.answers
        if not 400 <= status <= 699 or not phrase or not phrase.isprintable()
    ]
    return problems
