"""Checks on an operator's own papers: licence, promise, plan, capability, inspection (RULES A02-A09, A29, A46, A49)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from gateway.registry.issues import SERVICE_OF, Issue, Level, Record, shown
from gateway.registry.model import Operator
from gateway.registry.papers import (
    BusinessPlan,
    Capability,
    Held,
    Licence,
    Promise,
    day_start,
    gaps,
    time_words,
)

CAPABILITY_DAYS = 90
"""How long a capability checklist is good for (RULES A29 names no figure: ours)."""


def operator_issues(record: Record, operator: Operator) -> Iterator[Issue]:
    """Everything that its own papers say against an operator."""
    if operator.operator_class in SERVICE_OF:
        yield from _licence(record, operator)
        yield from _promise(record, operator)
        yield from _plan(record, operator)
        yield from _capability(record, operator)
        if not record.of(operator.id, "inspection"):
            yield _issue("A03", "note", operator, "no inspection of premises and personnel on record")
    yield from _resources(record, operator)
    yield from _tenants(record, operator)


def _issue(
    clause: str, level: Level, operator: Operator, text: str, since: float = 0.0, until: float = 0.0
) -> Issue:
    return Issue(clause, level, "operator", operator.id, text, since, until)


def _licence(record: Record, operator: Operator) -> Iterator[Issue]:
    service = SERVICE_OF[operator.operator_class]
    held = record.of(operator.id, "licence")
    fitting: list[Held] = []
    for one in held:
        licence = one.document.detail
        if not isinstance(licence, Licence):
            continue
        if licence.service == service:
            fitting.append(one)
        else:
            text = f"{one.document} is for service {licence.service}, class {operator.operator_class} needs {service}"
            yield _issue("A02", "note", operator, text)
        if licence.basis == "ftz_commitment":
            lacking = [name for name in ("zone", "commitment_on") if not getattr(licence, name)]
            text = f"{one.document} is a commitment in the free-trade zone {licence.zone or '(not named)'}"
            if lacking:
                yield _issue("A49", "hold", operator, f"{text}: {shown(lacking)} missing")
            else:
                yield _issue("A49", "note", operator, f"{text} of {licence.commitment_on}: treated as a licence")
    if not fitting:
        text = f"no {service} licence on record (A24)"
        yield _issue("A02", "bar", operator, text)
        return
    for since, until in gaps(fitting):
        yield _issue("A02", "bar", operator, _between(fitting, since, until), since, until)
    for trunk in record.trunks_of(operator.id):
        yield from _region(fitting, trunk.id, trunk.region)


def _between(held: list[Held], since: float, until: float) -> str:
    """Which licence ended before a gap, or begins after it."""
    ended = [one for one in held if one.ends == since]
    if ended:
        one = ended[-1]
        word = "expired" if one.document.valid_to == one.ends else "withdrawn or replaced"
        return f"{one.document} {word} {time_words(one.ends)}"
    begins = min(held, key=lambda one: one.begins if one.begins >= until else float("inf"))
    return f"{begins.document} is not valid before {time_words(begins.begins)}"


def _region(held: list[Held], trunk: str, region: str) -> Iterator[Issue]:
    """Licences that do not cover the region of a trunk (RULES A02)."""
    if not region:
        return
    covering = []
    for one in held:
        licence = one.document.detail
        if isinstance(licence, Licence) and (not licence.regions or region in licence.regions):
            covering.append(one)
    for since, until in gaps(covering):
        names = shown(str(one.document) for one in held)
        yield Issue("A02", "bar", "trunk", trunk, f"{names} does not cover its region {region}", since, until)


def _promise(record: Record, operator: Operator) -> Iterator[Issue]:
    """A letter counts from the day it was signed."""
    signed = []
    for one in record.of(operator.id, "promise"):
        promise = one.document.detail
        if isinstance(promise, Promise) and promise.subject == "no_harassment":
            begins = max(one.begins, day_start(promise.signed_on))
            signed.append(Held(one.document, begins, max(one.ends, begins)))
    for since, until in gaps(signed):
        yield _issue("A09", "bar", operator, "no promise against harassing calls in force", since, until)


def _plan(record: Record, operator: Operator) -> Iterator[Issue]:
    held = record.of(operator.id, "business_plan")
    if not held:
        yield _issue("A21", "hold", operator, "no business plan on record")
    for one in held:
        plan = one.document.detail
        if not isinstance(plan, BusinessPlan):
            continue
        until = 0.0 if one.ends == float("inf") else one.ends
        if plan.category == "commercial_outbound":
            text = f"{one.document} plans commercial outbound calls, which get no licence and no access"
            yield _issue("A08", "bar", operator, text, one.begins, until)
        if plan.user_numbers:
            text = f"{one.document} intends to use user numbers or numbers that are not its own"
            yield _issue("A25", "bar", operator, text, one.begins, until)


def _capability(record: Record, operator: Operator) -> Iterator[Issue]:
    if not any(row.outbound for row in record.ranges.get(operator.id, ())):
        return
    held = record.of(operator.id, "capability")
    if not held:
        yield _issue("A29", "hold", operator, "no checklist of technical capability for outbound calls on record")
        return
    good: list[Held] = []
    for one in held:
        checklist = one.document.detail
        if not isinstance(checklist, Capability):
            continue
        failed = [item.name for item in fields(checklist) if getattr(checklist, item.name) is False]
        begins = max(one.begins, day_start(checklist.probed_on))
        ends = min(one.ends, day_start(checklist.probed_on, CAPABILITY_DAYS + 1))
        if failed:
            text = f"{one.document} says no to {shown(failed)}"
            yield _issue("A29", "bar", operator, text, begins, min(ends, one.ends))
        elif begins < ends:
            good.append(Held(one.document, begins, ends))
    for since, until in gaps(good):
        if since:
            text = f"the checklist of technical capability is older than {CAPABILITY_DAYS} days"
            yield _issue("A29", "bar", operator, text, since, until)


def _resources(record: Record, operator: Operator) -> Iterator[Issue]:
    """A call centre is its system, its access numbers and its trunks (RULES A05)."""
    if operator.operator_class not in SERVICE_OF:
        return
    if not record.trunks_of(operator.id):
        yield _issue("A05", "hold", operator, "has no trunk")
    if not record.ranges.get(operator.id):
        yield _issue("A05", "hold", operator, "has no number range")


def _tenants(record: Record, operator: Operator) -> Iterator[Issue]:
    tenants = [row for row in record.snapshot.tenants if row.operator == operator.id]
    if tenants and operator.operator_class == "own_customers":
        names = shown(row.id for row in tenants)
        text = f"serves others ({names}), so it is no longer exempt as one that serves its own customers only"
        yield _issue("A46", "hold", operator, text)
    declared = record.of(operator.id, "declaration")
    for tenant in tenants:
        if tenant.state != "active":
            yield Issue("A45", "bar", "tenant", tenant.id, f"tenant is {tenant.state}")
        own = [one for one in declared if one.document.tenant == tenant.id]
        for since, until in gaps(own):
            yield Issue("A45", "bar", "tenant", tenant.id, "no declaration of the tenant in force", since, until)
