"""Rows of the registry in pages, by id, for whoever shows them: a registry is too large to be read for one row."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.registry.model import Operator
from gateway.registry.standing import Tenant
from gateway.store.sql.registry import RANGES, range_of, trunk_of

_SELECT: Final = {
    "operator": "SELECT id, name, number, operator_class, state, credit_code FROM operators",
    "tenant": "SELECT id, operator, name, credit_code, state FROM tenants",
    "trunk": "SELECT * FROM trunks",
    "range": RANGES,
}
_OWNER: Final = {"operator": "id", "tenant": "operator", "trunk": "operator", "range": "operator"}


async def find_rows(
    connection: AsyncConnection, kind: str, *, after: str = "", row_id: str = "", operator: str = "", limit: int = 50
) -> list[Any]:
    """Rows of a kind (`operator`, `tenant`, `trunk`, `range`) in the order of their ids, behind `after`; with `row_id`
    that one alone; with `operator` that one's alone."""
    rows = await connection.execute(
        text(
            f"{_SELECT[kind]} WHERE id > :after AND (:id = '' OR id = :id) "
            f"AND (:operator = '' OR {_OWNER[kind]} = :operator) ORDER BY id LIMIT :limit"
        ),
        {"after": after, "id": row_id, "operator": operator, "limit": limit},
    )
    return [_read(kind, row) for row in rows]


def _read(kind: str, row: Any) -> Any:
    match kind:
        case "operator":
            return Operator(*row)
        case "tenant":
            return Tenant(*row)
        case "trunk":
            return trunk_of(row._mapping)
        case _:
            return range_of(row)
