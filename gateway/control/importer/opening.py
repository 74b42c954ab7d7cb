"""Opens a number range for outbound calls: the one change to a range that makes calls possible, so two allow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.problems import Problems
from gateway.registry.validate import validate
from gateway.store.ports import Conflict
from gateway.store.sql import outbox
from gateway.store.sql import registry as sql
from gateway.store.sql.approvals import Approval


async def open_outbound(connection: AsyncConnection, approval: Approval) -> Mapping[str, object]:
    """Let the range `approval.subject` be presented. Raises Conflict where it is gone, ImportRefused where the registry
    would not be consistent."""
    await sql.lock_registry(connection)
    stored = await sql.load_snapshot(connection)
    found = next((item for item in stored.ranges if item.id == approval.subject), None)
    if found is None:
        raise Conflict(f"range {approval.subject!r} is not there any more")
    opened = replace(found, outbound=True)
    ranges = tuple(opened if item.id == opened.id else item for item in stored.ranges)
    wanted = replace(stored, version=stored.version + 1, ranges=ranges)
    problems = Problems(f"range {opened.id}")
    for text in validate(wanted):
        field, _, rest = text.partition(": ")
        value, _, fix = rest.partition(": ")
        problems.add(0, field, value, fix or "mend it")
    problems.check()
    await sql.replace_ranges(connection, [opened])
    await sql.save_state(connection, wanted)
    await outbox.announce(connection, outbox.REGISTRY)
    return {"version": wanted.version}
