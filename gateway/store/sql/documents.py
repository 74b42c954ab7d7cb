"""Documents in SQL: append-only, read whole for the checks. What they mean is `registry.papers`'."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.registry.paper_fields import plain_detail, read_detail
from gateway.registry.papers import KINDS, Document
from gateway.store.sql.engine import driver
from gateway.store.sql.registry import moment

_COLUMNS = (
    "id", "kind", "operator", "reference", "tenant", "result", "valid_from", "valid_to", "supersedes", "sha256",
    "recorded_by", "recorded_at", "detail",
)  # fmt: skip
_READ = (
    "SELECT id, kind, coalesce(operator, ''), reference, tenant, result, "
    "coalesce(extract(epoch FROM valid_from), 0)::float8, coalesce(extract(epoch FROM valid_to), 0)::float8, "
    "coalesce(supersedes, ''), coalesce(encode(sha256, 'hex'), ''), recorded_by, "
    "extract(epoch FROM recorded_at)::float8, detail::text FROM documents "
)


async def load_documents(connection: AsyncConnection) -> tuple[Document, ...]:
    """All documents, in the order they were recorded. Kinds a later version wrote are left out."""
    await connection.execute(text("SELECT 1"))  # begins the transaction the driver's own connection reads in
    rows = await (await driver(connection)).fetch(_READ + "ORDER BY recorded_at, id")
    return tuple(_document(row) for row in rows if row[1] in KINDS)


async def find_documents(
    connection: AsyncConnection,
    *,
    after: str = "",
    row_id: str = "",
    operator: str = "",
    kind: str = "",
    limit: int = 50,
) -> list[Document]:
    """Documents in the order of their ids, behind `after`; with the others, those alone."""
    await connection.execute(text("SELECT 1"))
    rows = await (await driver(connection)).fetch(
        _READ + "WHERE id > $1 AND ($2 = '' OR id = $2) AND ($3 = '' OR operator = $3) AND ($4 = '' OR kind = $4) "
        "ORDER BY id LIMIT $5",
        *(after, row_id, operator, kind, limit),
    )
    return [_document(row) for row in rows if row[1] in KINDS]


async def add_documents(connection: AsyncConnection, rows: Iterable[Document]) -> None:
    """Insert documents; `recorded_at` 0: now. A superseded one must be there before the one that supersedes it."""
    statement = text(
        "INSERT INTO documents (id, kind, operator, reference, tenant, result, valid_from, valid_to, supersedes, "
        "sha256, recorded_by, recorded_at, detail) VALUES (:id, :kind, :operator, :reference, :tenant, :result, "
        ":valid_from, :valid_to, :supersedes, :sha256, :recorded_by, coalesce(:recorded_at, now()), "
        "cast(cast(:detail AS text) AS jsonb))"
    )
    for row in rows:
        await connection.execute(
            statement,
            {
                "id": row.id,
                "kind": row.kind,
                "operator": row.operator or None,
                "reference": row.reference,
                "tenant": row.tenant,
                "result": row.result,
                "valid_from": moment(row.valid_from),
                "valid_to": moment(row.valid_to),
                "supersedes": row.supersedes or None,
                "sha256": bytes.fromhex(row.sha256) if row.sha256 else None,
                "recorded_by": row.recorded_by,
                "recorded_at": moment(row.recorded_at),
                "detail": msgspec.json.encode(plain_detail(row.detail)).decode(),
            },
        )


def _document(row: Any) -> Document:
    named = dict(zip(_COLUMNS, row, strict=True))
    detail, _ = read_detail(named["kind"], msgspec.json.decode(named.pop("detail")))
    return Document(detail=detail, **named)
