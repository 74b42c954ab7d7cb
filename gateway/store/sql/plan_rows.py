"""Small reads of the registry, for people: purposes, plan, stored packs, whose a trunk is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.registry.model import PlanEntry
from gateway.store.sql.registry import load_plan


@dataclass(frozen=True, slots=True)
class PackRow:
    """A stored pack."""

    id: str
    version: int
    sha256: str
    principal: str
    imported_at: datetime
    in_force: bool


async def purposes(connection: AsyncConnection) -> Sequence[Row[Any]]:
    """By name."""
    return (await connection.execute(text("SELECT name, title FROM purposes ORDER BY name"))).all()


async def packs(connection: AsyncConnection, before: tuple[str, int] | None, limit: int) -> list[PackRow]:
    """By id, the newest version first."""
    condition = "" if before is None else "WHERE id > :id OR id = :id AND version < :version"
    rows = await connection.execute(
        text(
            "SELECT id, version, encode(sha256, 'hex'), principal, imported_at, "
            f"text = (SELECT pack FROM registry_state) FROM packs {condition} ORDER BY id, version DESC LIMIT :limit"
        ),
        {"limit": limit} | ({} if before is None else {"id": before[0], "version": before[1]}),
    )
    return [PackRow(*row) for row in rows]


async def plan(connection: AsyncConnection) -> tuple[tuple[PlanEntry, ...], tuple[str, ...], str, str]:
    """Entries, emergency codes, country, zone."""
    stored = await load_plan(connection)
    return stored.plan, stored.emergency, stored.country, stored.zone


async def operator_of_trunk(connection: AsyncConnection, trunk: str) -> str | None:
    """Id of the trunk's operator, empty where it has none; None: no such trunk."""
    row = await connection.execute(text("SELECT coalesce(operator, '') FROM trunks WHERE id = :id"), {"id": trunk})
    found = row.scalar_one_or_none()
    return None if found is None else str(found)
