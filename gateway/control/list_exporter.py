"""Consents and refusals as import files, CSV or JSON Lines. Numbers stand in clear in them: each export is audited."""

from __future__ import annotations

import csv
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, TextIO

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer import consent_rows, refusal_rows
from gateway.control.importer.blocks import CSV
from gateway.control.importer.lists import home_list
from gateway.control.importer.values import time_text
from gateway.gate.seal import Sealer
from gateway.keys import Keys
from gateway.store.sql import audit
from gateway.store.sql.engine import mapped_errors

Row = list[str]
CONSENT_COLUMNS = (*consent_rows.REQUIRED, *consent_rows.OPTIONAL)
REFUSAL_COLUMNS = (*refusal_rows.REQUIRED, *refusal_rows.OPTIONAL)

_CONSENTS = """
SELECT c.callee_sealed, o.id, p.name, c.granted_at, c.revoked_at, c.expires_at, c.evidence_uri,
    encode(c.evidence_sha256, 'hex'), c.evidence_method, c.evidence_at
FROM consents AS c JOIN operators AS o ON o.number = c.operator JOIN purposes AS p ON p.number = c.purpose
WHERE :operator IN ('', o.id) AND (c.granted_at IS NOT NULL OR c.revoked_at IS NOT NULL)
"""
_REFUSALS = """
SELECT callee_sealed, scope, value, declared_at, withdrawn_at, source, band, agreement
FROM refusals WHERE list = :list AND (declared_at IS NOT NULL OR withdrawn_at IS NOT NULL)
"""


async def export_consents(
    engine: AsyncEngine, keys: Keys, out: TextIO, form: str, principal: str, operator: str = ""
) -> int:
    """Write all consents, or those of one operator; how many rows. Raises SealError, Unavailable, OSError."""
    detail: dict[str, object] = {"operator": operator}
    return await _export(
        engine, keys, out, form, principal, "export.consents", detail, CONSENT_COLUMNS, _CONSENTS,
        {"operator": operator}, _consent,
    )  # fmt: skip


async def export_refusals(
    engine: AsyncEngine, keys: Keys, out: TextIO, form: str, principal: str, home: str = ""
) -> int:
    """Write our own refusals, or those of a resale operator's users; how many rows. Errors as in `export_consents`."""
    name = home_list(home)
    return await _export(
        engine, keys, out, form, principal, "export.refusals", {"list": name}, REFUSAL_COLUMNS, _REFUSALS,
        {"list": name}, _refusal,
    )  # fmt: skip


async def _export(
    engine: AsyncEngine, keys: Keys, out: TextIO, form: str, principal: str, action: str, detail: dict[str, object],
    columns: tuple[str, ...], query: str, values: dict[str, str], events: Callable[[str, Any], list[Row]],
) -> int:  # fmt: skip
    opener = Sealer(keys.seal_id, keys.seal, keys.older_seals)
    rows = 0
    with mapped_errors():
        async with engine.begin() as connection:
            # Before the first number is shown: what cannot be recorded is not revealed.
            await audit.record(connection, principal, action, "numbers in clear", detail)
        write = _csv_writer(out, columns) if form == CSV else _json_writer(out, columns)
        async with engine.connect() as connection:
            async for sealed, *found in _stream(connection, query, values):
                for event in events(opener.open(sealed).decode("ascii"), found):
                    write(event)
                    rows += 1
    return rows


async def _stream(connection: AsyncConnection, query: str, values: dict[str, str]) -> AsyncIterator[Any]:
    async with connection.stream(text(query), values) as result:
        async for row in result:
            yield row


def _consent(callee: str, row: Any) -> list[Row]:
    """A grant and a revoke, where there are both."""
    operator, purpose, granted, revoked, expires, uri, sha256, method, proved = row
    found = []
    if granted:
        proof = [uri or "", consent_rows.GRANT, sha256 or "", method or "", time_text(proved)]
        found.append([callee, operator, purpose, time_text(granted), time_text(expires), *proof])
    if revoked:
        found.append([callee, operator, purpose, time_text(revoked), "", "", consent_rows.REVOKE, "", "", ""])
    return found


def _refusal(callee: str, row: Any) -> list[Row]:
    scope, value, declared, withdrawn, source, band, agreement = row
    events = ((refusal_rows.DECLARE, declared), (refusal_rows.WITHDRAW, withdrawn))
    return [[callee, scope, value, name, source, time_text(at), band, agreement] for name, at in events if at]


def _csv_writer(out: TextIO, columns: tuple[str, ...]) -> Callable[[Row], object]:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    return writer.writerow


def _json_writer(out: TextIO, columns: tuple[str, ...]) -> Callable[[Row], object]:
    def write(row: Row) -> None:
        filled = {name: cell for name, cell in zip(columns, row, strict=True) if cell}
        out.write(json.dumps(filled, ensure_ascii=False) + "\n")

    return write
