"""Book-keeping of uploaded files: what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from gateway.store.sql.engine import mapped_errors

RUNNING: Final = "running"
DONE: Final = "done"
REFUSED: Final = "refused"
FAILED: Final = "failed"


@dataclass(frozen=True, slots=True)
class Upload:
    """One file and what came of it."""

    id: int
    kind: str
    name: str
    sha256: str
    principal: str
    operator: str
    dry_run: bool
    state: str
    rows: int
    changed: int
    version: int
    detail: str
    problems: list[dict[str, Any]]
    started_at: datetime
    finished_at: datetime | None


_COLUMNS = (
    "id, kind, name, encode(sha256, 'hex'), principal, coalesce(operator, ''), dry_run, state, rows, changed, version, "
    "detail, problems::text, started_at, finished_at"
)


def _upload(row: Any) -> Upload:
    values = list(row)
    values[12] = msgspec.json.decode(values[12])
    return Upload(*values)


async def begin(
    engine: AsyncEngine, kind: str, name: str, sha256: bytes, principal: str, operator: str, node: str, dry_run: bool
) -> Upload:
    """A new one, running."""
    with mapped_errors():
        async with engine.begin() as connection:
            row = await connection.execute(
                text(
                    "INSERT INTO uploads (kind, name, sha256, principal, operator, node, dry_run) VALUES "
                    f"(:kind, :name, :sha256, :principal, :operator, :node, :dry_run) RETURNING {_COLUMNS}"
                ),
                {
                    "kind": kind, "name": name, "sha256": sha256, "principal": principal, "operator": operator or None,
                    "node": node, "dry_run": dry_run,
                },
            )  # fmt: skip
            return _upload(row.one())


async def settle(
    engine: AsyncEngine,
    upload_id: int,
    state: str,
    *,
    rows: int = 0,
    changed: int = 0,
    version: int = 0,
    detail: str = "",
    problems: Sequence[object] = (),
) -> None:
    """How it ended. `problems`: values with `line`, `field`, `value` and `fix`."""
    with mapped_errors():
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE uploads SET state = :state, rows = :rows, changed = :changed, version = :version, "
                    "detail = :detail, problems = cast(cast(:problems AS text) AS jsonb), finished_at = now() "
                    "WHERE id = :id"
                ),
                {
                    "id": upload_id, "state": state, "rows": rows, "changed": changed, "version": version,
                    "detail": detail, "problems": msgspec.json.encode(list(problems)).decode(),
                },
            )  # fmt: skip


async def give_up(engine: AsyncEngine, node: str, before: datetime, detail: str) -> None:
    """End those a control process of this node left behind when it died."""
    with mapped_errors():
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "UPDATE uploads SET state = 'failed', detail = :detail, finished_at = now() "
                    "WHERE node = :node AND state = 'running' AND started_at < :before"
                ),
                {"node": node, "before": before, "detail": detail},
            )


async def find_uploads(
    engine: AsyncEngine,
    *,
    upload_id: int | None = None,
    operator: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[Upload]:
    """Newest first. Raises Unavailable."""
    conditions, values = ["true"], dict[str, object](limit=limit)
    for clause, name, value in (
        ("id = :id", "id", upload_id),
        ("operator = :operator", "operator", operator),
        ("id < :before", "before", before),
    ):
        if value is not None:
            conditions.append(clause)
            values[name] = value
    query = f"SELECT {_COLUMNS} FROM uploads WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT :limit"
    with mapped_errors():
        async with engine.connect() as connection:
            return [_upload(row) for row in await connection.execute(text(query), values)]
