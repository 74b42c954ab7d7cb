"""A registry file that opens outbound calls: kept with the request for approval, imported when another allows it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.problems import Problems
from gateway.control.importer.registry import Terms, import_on
from gateway.control.importer.registry_file import read_registry_file
from gateway.control.importer.uploaded import check_plan_file
from gateway.control.two_persons import By
from gateway.store.ports import Conflict
from gateway.store.sql.approvals import Approval

MAX_CHARACTERS: Final = 1_048_576
"""Of a file that waits: some 4,000 rows. Rows that open nothing need no approval and can be imported before it."""


def payload_of(
    text: str, name: str, *, whole: bool = False, allow_shrink: bool = False, max_shrink: float
) -> dict[str, object]:
    """What an approval keeps of an import. Raises Conflict (too large), ImportRefused (a plan by its path: it could be
    another file by then)."""
    if len(text) > MAX_CHARACTERS:
        raise Conflict(
            f"{name}: {len(text)} characters: at most {MAX_CHARACTERS} wait for approval: put the rows that open "
            "outbound calls into a file of their own"
        )
    check_plan_file(text, name)
    return {"name": name, "text": text, "whole": whole, "allow_shrink": allow_shrink, "max_shrink": max_shrink}


async def imported(connection: AsyncConnection, approval: Approval) -> Mapping[str, object]:
    """Import it. Raises Conflict, ImportRefused."""
    asked = approval.payload
    problems = Problems(asked["name"])
    file = read_registry_file(asked["text"], Path(), problems)
    problems.check()
    by = By(approval.requested_by, approval.reason, approval.decided_by)
    terms = Terms("registry", asked["whole"], asked["allow_shrink"], asked["max_shrink"])
    done = await import_on(connection, file, asked["name"], by, terms)
    return {"version": done.version, "rows": done.changed}
