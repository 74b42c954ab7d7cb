"""Back to an earlier version of a list (`store.sql.versions`): one transaction, one audit row, projected like any
change."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer.feeds import tell_workers
from gateway.control.importer.problems import ImportRefused, Problem
from gateway.store.sql import audit, feeds, outbox, versions
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.refusals import FEED, OWN
from gateway.store.sql.registry import load_plan
from gateway.store.sql.versions import IN_FORCE, OF_CONSENTS, OWN_REFUSALS, ListVersion

MAX_VERSIONS = 10_000


@dataclass(frozen=True, slots=True)
class Rollback:
    """What was undone. `rows`: touched; `undone`: versions, newest first."""

    list: str
    version: int
    undone: tuple[int, ...]
    rows: int


async def list_versions(engine: AsyncEngine, name: str = "", limit: int = 100) -> list[ListVersion]:
    """Versions of a list (`consents:OPERATOR`, `refusals`, `home:ID`, `feed:ID`; of all: empty), newest first. Raises
    Unavailable."""
    with mapped_errors():
        async with engine.connect() as connection:
            return await versions.load(connection, name, limit)


async def roll_back(engine: AsyncEngine, name: str, version: int, principal: str) -> Rollback:
    """Bring a list back to what it was at `version` (0: before its first import). What was said by hand since then
    stays. Raises ImportRefused, Unavailable."""
    kind = versions.CONSENTS if name.startswith(OF_CONSENTS) else versions.REFUSALS
    with mapped_errors():
        async with engine.begin() as connection:
            await versions.lock(connection, kind)
            behind, target = _behind(await versions.load(connection, name, MAX_VERSIONS), name, version)
            undone = sorted({one.change for one in behind})
            change = await outbox.announce(connection, kind)
            if kind == versions.CONSENTS:
                number = await _operator_number(connection, name.removeprefix(OF_CONSENTS))
                rows = await versions.undo_consents(connection, number, undone, change)
            else:
                rows = await versions.undo_refusals(connection, OWN if name == OWN_REFUSALS else name, undone, change)
            await versions.mark_rolled_back(connection, [one.id for one in behind])
            if name.startswith(FEED):
                issued = target.issued_at if target else None
                standing = await feeds.standing(connection, name)
                await feeds.advance(connection, name.removeprefix(FEED), version, issued, standing)
                await tell_workers(connection)
            found = Rollback(name, version, tuple(one.version for one in behind), rows)
            detail: dict[str, object] = {"version": version, "undone": list(found.undone), "rows": rows}
            await audit.record(connection, principal, "list.rollback", name, detail)
    return found


def _behind(known: list[ListVersion], name: str, version: int) -> tuple[list[ListVersion], ListVersion | None]:
    """The versions in force behind `version`, newest first, and that version (None for 0)."""
    in_force = [one for one in known if one.state == IN_FORCE]
    if not in_force:
        raise _refused("list", name, "has no version in force: callgate list versions")
    target = next((one for one in in_force if one.version == version), None)
    reachable = [str(one.version) for one in in_force if all(after.undo for after in _after(in_force, one))]
    if all(one.undo for one in in_force):
        reachable.append("0")
    if (version and target is None) or str(version) not in reachable:
        raise _refused("version", str(version), f"write one that can be gone back to: {', '.join(reachable)}")
    behind = _after(in_force, target)
    if not behind:
        raise _refused("version", str(version), "is in force")
    return behind, target


def _after(in_force: list[ListVersion], one: ListVersion | None) -> list[ListVersion]:
    return [other for other in in_force if one is None or other.id > one.id]


async def _operator_number(connection: AsyncConnection, operator: str) -> int:
    for known in (await load_plan(connection)).operators:
        if known.id == operator:
            return known.number
    raise _refused("list", f"{OF_CONSENTS}{operator}", "name one of the operators")


def _refused(field: str, value: str, fix: str) -> ImportRefused:
    return ImportRefused("list", [Problem(0, field, value, fix)])
