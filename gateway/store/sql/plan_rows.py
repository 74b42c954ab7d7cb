"""Small reads of the registry, for people: purposes, plan, whose a trunk is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.registry.model import PlanEntry
from gateway.store.sql.registry import load_plan


async def purposes(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """By name."""
    return (await connection.execute(text("SELECT name, title FROM purposes ORDER BY name"))).all()


async def plan(connection: AsyncConnection) -> tuple[tuple[PlanEntry, ...], tuple[str, ...], str, str]:
    """Entries, emergency codes, country, zone."""
    stored = await load_plan(connection)
    return stored.plan, stored.emergency, stored.country, stored.zone


async def operator_of_trunk(connection: AsyncConnection, trunk: str) -> str | None:
    """Id of the trunk's operator, empty where it has none; None: no such trunk."""
    row = await connection.execute(text("SELECT coalesce(operator, '') FROM trunks WHERE id = :id"), {"id": trunk})
    found = row.scalar_one_or_none()
    return None if found is None else str(found)
