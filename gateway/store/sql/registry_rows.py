"""Rows of the registry one page at a time, for people: a registry may have a million ranges."""

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


async def operators(
    connection: AsyncConnection, *, row_id: str = "", operator: str = "", after: str = "", limit: int = 1
) -> Sequence[Row[Any]]:
    """By id; `row_id`: that one, `operator`: only that one's."""
    return await _rows(
        connection,
        "SELECT id, name, operator_class, state, credit_code FROM operators WHERE (:operator = '' OR id = :operator)",
        row_id, operator, after, limit,
    )  # fmt: skip


async def trunks(
    connection: AsyncConnection, *, row_id: str = "", operator: str = "", after: str = "", limit: int = 1
) -> Sequence[Row[Any]]:
    """By id. Digest accounts by their user names: what proves them stays in the table."""
    return await _rows(
        connection,
        "SELECT id, side, coalesce(operator, '') AS operator, sources, listeners, next_hops, trusted, state, country, "
        "area, emergency_cli, needs_asserted, ports, transports, tls_names, "
        "ARRAY(SELECT account ->> 0 FROM jsonb_array_elements(digest) AS account) AS digest_users, algorithms, "
        "outbound, inbound, carrier, circuit, contract, contract_from, contract_to, agreement, region "
        "FROM trunks WHERE (:operator = '' OR operator = :operator)",
        row_id, operator, after, limit,
    )  # fmt: skip


async def ranges(
    connection: AsyncConnection, *, row_id: str = "", operator: str = "", after: str = "", limit: int = 1
) -> Sequence[Row[Any]]:
    """By id."""
    return await _rows(
        connection,
        "SELECT id, first, last, operator, trunks, egress, outbound, inbound, purposes, certificate, filing, "
        "valid_from, valid_to, state, steps, length, regions, carriers, tenant FROM number_ranges "
        "WHERE (:operator = '' OR operator = :operator)",
        row_id, operator, after, limit,
    )  # fmt: skip


async def _rows(
    connection: AsyncConnection, query: str, row_id: str, operator: str, after: str, limit: int
) -> Sequence[Row[Any]]:
    found = await connection.execute(
        text(f"{query} AND id > :after AND (:row_id = '' OR id = :row_id) ORDER BY id LIMIT :limit"),
        {"operator": operator, "after": after, "row_id": row_id, "limit": limit},
    )
    return found.all()


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
