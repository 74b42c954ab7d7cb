"""Subscriber numbers in requests: read by the numbering plan, looked for by hash, shown masked."""

from __future__ import annotations

from gateway.control.api.context import Context
from gateway.control.api.problems import invalid
from gateway.control.importer.values import canonical_number
from gateway.registry.numbering import NumberingPlan
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.registry import load_plan


async def canonical(context: Context, number: str, field: str = "callee") -> str:
    """A number of a request, in the one form numbers are compared in. Raises 422, Unavailable."""
    with mapped_errors():
        async with context.engine.connect() as connection:
            stored = await load_plan(connection)
    plan = NumberingPlan(stored.plan, stored.emergency, stored.country, stored.zone)
    found, fix = canonical_number(plan, number)
    if fix:
        raise invalid(field, number, fix)
    return found
