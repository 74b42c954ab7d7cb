"""Records a document: append-only, with who and when (RULES A21)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.commit import Change, clock, put_in_force
from gateway.control.importer.problems import Problems
from gateway.control.importer.registry_tables import read_document
from gateway.control.importer.toml_lines import TomlLines
from gateway.control.importer.toml_table import Table
from gateway.control.registry_admin.changing import Changed, locked, refuse_invalid
from gateway.control.two_persons import By
from gateway.registry.validate_document import check_documents, fresh_documents
from gateway.store.sql.documents import add_documents


async def record_document(connection: AsyncConnection, values: Mapping[str, object], by: By) -> Changed:
    """Record a document with the fields of its kind (`registry.papers`), as in a registry file. One that is recorded
    already with the same content changes nothing. Raises ImportRefused, Unavailable."""
    record = await locked(connection)
    name = f"document {values.get('id', '')}"
    problems = Problems(name)
    table = Table(dict(values), "document", 0, TomlLines(""), problems)
    made = read_document(table)
    if made is not None:
        table.done({}, made.id)
    problems.check()
    if made is None:
        return Changed(record.snapshot.version, 0)  # not reached: a wrong kind is a problem
    fresh = fresh_documents(record.documents, [made])
    refuse_invalid(check_documents(record.documents, fresh, record.snapshot), name)
    if not fresh:
        return Changed(record.snapshot.version, 0)
    now = await clock(connection)
    row = replace(made, recorded_by=by.principal, recorded_at=now)  # not what the request says of itself
    await add_documents(connection, [row])
    detail = {"kind": row.kind, "operator": row.operator, "result": row.result, "supersedes": row.supersedes}
    change = Change(by.principal, "document.record", row.id, by.reason, by.approver, detail)
    version, count = await put_in_force(connection, record.snapshot, record.snapshot, change, also=1)
    return Changed(version, count)
