"""Wishes of users (RULES B17, B18): set, asked for, withdrawn; each with how the user agreed.

A wish is a refusal in the list of the user's home operator: ours (`home` empty), or a resale operator's. Calls are
refused by the wishes of all; a home operator sees and changes those of its own users only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.control.importer.lists import home_list
from gateway.control.importer.problems import ImportRefused, Problem, Problems
from gateway.control.importer.refusals import add_refusal, withdraw_refusal
from gateway.control.importer.subscriber import Subscribers, keys_in_force
from gateway.control.importer.values import canonical_number
from gateway.keys import Keys
from gateway.registry.numbering import NumberingPlan, mask
from gateway.store.sql import audit
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.registry import load_plan

SOURCE = "user"


@dataclass(frozen=True, slots=True)
class Wish:
    """One wish as it stands. `value`, `band` empty where there is none."""

    scope: str
    value: str
    band: str
    in_force: bool
    declared_at: datetime | None
    withdrawn_at: datetime | None
    source: str
    agreement: str


async def set_wish(
    engine: AsyncEngine, keys: Keys, callee: str, scope: str, value: str = "", band: str = "", *, agreement: str,
    principal: str, home: str = "", source: str = SOURCE, at: datetime | None = None,
) -> bool:  # fmt: skip
    """Record a wish; parameters, answer and errors as in `add_refusal`. `agreement`: how the user agreed, required."""
    return await add_refusal(
        engine, keys, callee, scope, value, source, at, principal=principal, band=band, home=home,
        agreement=_agreed(agreement),
    )  # fmt: skip


async def withdraw_wish(
    engine: AsyncEngine, keys: Keys, callee: str, scope: str, value: str = "", band: str = "", *, agreement: str,
    principal: str, home: str = "", source: str = SOURCE, at: datetime | None = None,
) -> bool:  # fmt: skip
    """Record that a wish was taken back, as `set_wish`."""
    return await withdraw_refusal(
        engine, keys, callee, scope, value, source, at, principal=principal, band=band, home=home,
        agreement=_agreed(agreement),
    )  # fmt: skip


async def wishes_of(engine: AsyncEngine, keys: Keys, callee: str, *, principal: str, home: str = "") -> list[Wish]:
    """The wishes of one user in the list of one home operator, withdrawn ones too. That it was asked is recorded.
    Raises ImportRefused, Conflict, Unavailable."""
    problems = Problems("wish", private=True)
    into = home_list(home)
    with mapped_errors():
        async with engine.begin() as connection:
            subscribers = Subscribers(await keys_in_force(connection, keys))
            plan = await load_plan(connection)
            reader = NumberingPlan(plan.plan, plan.emergency, plan.country, plan.zone)
            number, fix = canonical_number(reader, callee)
            if fix:
                problems.add(0, "callee", callee, fix)
                problems.check()
            rows = await connection.execute(
                text(
                    "SELECT scope, value, band, coalesce(declared_at >= coalesce(withdrawn_at, '-infinity'), false), "
                    "declared_at, withdrawn_at, source, agreement FROM refusals WHERE callee_hash = :hash "
                    "AND list = :list AND (declared_at IS NOT NULL OR withdrawn_at IS NOT NULL) "
                    "ORDER BY scope, value, band"
                ),
                {"hash": subscribers.hash(number), "list": into},
            )
            found = [Wish(*row) for row in rows]
            await audit.record(connection, principal, "wish.query", mask(number), {"list": into, "found": len(found)})
    return found


def _agreed(agreement: str) -> str:
    if not agreement.strip():
        fix = "say how the user agreed, e.g. sms 2024-05-01 KTFSR"
        raise ImportRefused("wish", [Problem(0, "agreement", "(empty)", fix)])
    return agreement.strip()
