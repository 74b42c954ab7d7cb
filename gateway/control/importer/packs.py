"""Import and withdrawal of rule packs: checked by the loader that workers use, against the packs that are in force,
kept for ever, in force at once, together with the registry."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer.pack_checks import check_beside, not_agreed
from gateway.control.importer.problems import NO_REGISTRY, ImportReport, Problems
from gateway.control.pack_text import whole_pack
from gateway.gate.pack_read import load_pack
from gateway.gate.pack_set import load_stored
from gateway.store.ports import Conflict
from gateway.store.sql import audit, outbox
from gateway.store.sql import packs as sql
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.registry import load_snapshot, lock_registry, save_state
from gateway.store.sql.registry_versions import keep_untouched


async def import_pack(
    engine: AsyncEngine,
    text: str,
    name: str,
    principal: str,
    *,
    instead: str = "",
    reason: str = "",
    approver: str = "",
    dry_run: bool = False,
) -> ImportReport:
    """Check a pack, store it under its id and version, and put it in force with a new registry version: in the place of
    the version of it that is, and of the pack `instead`. Packs of other ids stay beside it. `reason` and `approver`
    (who agreed) go on record.

    A pack that is in force already makes no new version. Raises PackError (also where it does not go with the packs in
    force), ImportRefused (a version that is stored with other content), Unavailable."""
    text = whole_pack(text)
    pack = load_pack(text, name)
    sha256 = hashlib.sha256(text.encode()).digest()
    problems = Problems(name)
    with mapped_errors():
        async with engine.begin() as connection:
            await lock_registry(connection)
            known = await sql.stored_sha256(connection, pack.id, pack.version)
            if known is not None and known != sha256:
                problems.add(0, "version", str(pack.version), "is stored with other content: raise the version")
                problems.check()
            state = await load_snapshot(connection)
            if instead and instead not in state.packs:
                problems.add(0, "instead", instead, f"is not in force: name one of {', '.join(state.packs) or 'none'}")
                problems.check()
            check_beside(pack, text, name, state, instead)
            hint = "" if state.plan else NO_REGISTRY
            if state.packs.get(pack.id) == text and instead in ("", pack.id):
                return ImportReport("pack", name, len(pack.rules), 0, state.version, hint)
            warnings = await not_agreed(connection, state, pack, text, instead)
            done = ImportReport("pack", name, len(pack.rules), 1, state.version + 1, hint, warnings=warnings)
            if dry_run:
                return replace(done, changed=0, version=0, dry_run=True)
            if known is None:
                await sql.store(connection, pack.id, pack.version, sha256, text, principal)
            ends = [instead] if instead and instead != pack.id else []
            await sql.begin_term(
                connection, pack.id, pack.version, principal, ends, reason=reason, approver=approver
            )
            await save_state(connection, replace(state, version=done.version))
            detail = {"pack": pack.label, "sha256": sha256.hex(), "binds": str(pack.binds)}
            said = {"instead": instead, "reason": reason, "approver": approver}
            detail |= {key: value for key, value in said.items() if value}
            await _announce(connection, done.version, principal, "import.pack", Path(name).name, detail)
    return done


async def withdraw_pack(engine: AsyncEngine, pack_id: str, principal: str) -> int:
    """Take a pack out of force: its calls are judged by the pack that names them next, in the end the default. The new
    registry version. Raises Conflict for a pack that is not in force, and for the default; Unavailable."""
    with mapped_errors():
        async with engine.begin() as connection:
            await lock_registry(connection)
            state = await load_snapshot(connection)
            text = state.packs.get(pack_id)
            if text is None:
                raise Conflict(f"pack: {pack_id!r}: not in force: name one of {', '.join(state.packs) or 'none'}")
            pack = load_stored(state.packs, "the registry").get(pack_id)
            if pack.binds.default:
                raise Conflict(
                    f"pack: {pack_id!r}: is the default, and calls without a pack are not judged: "
                    f"put another in its place: callgate import pack FILE --instead {pack_id}"
                )
            version = state.version + 1
            await sql.end_term(connection, pack_id, principal)
            await save_state(connection, replace(state, version=version))
            detail = {"pack": pack.label, "binds": str(pack.binds)}
            await _announce(connection, version, principal, "pack.withdraw", pack_id, detail)
    return version


async def _announce(
    connection: AsyncConnection, version: int, who: str, action: str, subject: str, detail: Mapping[str, str]
) -> None:
    said = (detail.get("reason", ""), detail.get("approver", ""))
    await keep_untouched(connection, version, who, action, subject, *said)
    await outbox.announce(connection, outbox.REGISTRY)
    await audit.record(connection, who, action, subject, {**detail, "version": version})
