"""Rows of the registry one page at a time, for people: a registry may have a million ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection


async def operators(
    connection: AsyncConnection, *, row_id: str = "", operator: str = "", after: str = "", limit: int = 1
) -> Sequence[Row[Any]]:
    """By id; `row_id`: that one, `operator`: only that one's."""
    return await _rows(
        connection,
        "SELECT id, name, number, operator_class, state, credit_code FROM operators "
        "WHERE (:operator = '' OR id = :operator)",
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
        "outbound, inbound, carrier, circuit, contract, contract_from, contract_to, agreement, region, "
        "origin, purpose_header, channels, cps FROM trunks WHERE (:operator = '' OR operator = :operator)",
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
