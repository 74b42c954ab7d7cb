"""What a dry run would change, for people: the first rows, numbers masked."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.control.importer.values import time_text
from gateway.gate.seal import Sealer, SealError
from gateway.keys import Keys
from gateway.registry.model import Snapshot
from gateway.registry.numbering import mask
from gateway.store.sql import outbox

SHOWN = 20

_CONSENTS = """
SELECT c.callee_sealed, c.operator::text, c.purpose::text, '', c.born = :change, u.granted_at, u.revoked_at,
    u.expires_at, c.granted_at, c.revoked_at, c.expires_at
FROM consents AS c LEFT JOIN undo_consents AS u ON u.change = :change
    AND (u.callee_hash, u.operator, u.purpose) = (c.callee_hash, c.operator, c.purpose)
WHERE c.change = :change ORDER BY c.born, c.callee_hash LIMIT :shown
"""
_REFUSALS = """
SELECT r.callee_sealed, r.scope, r.value, r.band, r.born = :change, u.declared_at, u.withdrawn_at, NULL,
    r.declared_at, r.withdrawn_at, NULL
FROM refusals AS r LEFT JOIN undo_refusals AS u ON u.change = :change
    AND (u.callee_hash, u.scope, u.value, u.band, u.list) = (r.callee_hash, r.scope, r.value, r.band, r.list)
WHERE r.change = :change ORDER BY r.born, r.callee_hash LIMIT :shown
"""
_WORDS = {outbox.CONSENTS: ("granted", "revoked"), outbox.REFUSALS: ("declared", "withdrawn")}


async def differences(connection: AsyncConnection, kind: str, change: int, keys: Keys, plan: Snapshot) -> list[str]:
    """The first rows a change touched, one line each, changed ones before new ones. Inside its transaction."""
    query = _CONSENTS if kind == outbox.CONSENTS else _REFUSALS
    rows = await connection.execute(text(query), {"change": change, "shown": SHOWN})
    opener = Sealer(keys.seal_id, keys.seal, keys.older_seals)
    operators = {str(one.number): one.id for one in plan.operators}
    purposes = {str(number): name for name, number in plan.purposes.items()}
    found = []
    for sealed, first, second, band, new, *states in rows:
        if kind == outbox.CONSENTS:
            first, second = operators.get(first, first), purposes.get(second, second)
        before = "new" if new else _state(kind, *states[:3])
        what = " ".join(word for word in (_masked(opener, sealed), first, second, band and f"@{band}") if word)
        found.append(f"{what}: {before} -> {_state(kind, *states[3:])}")
    return found


def _masked(opener: Sealer, sealed: str) -> str:
    try:
        return mask(opener.open(sealed).decode())
    except SealError:
        return "(sealed with a key that is not here)"


def _state(kind: str, on: datetime | None, off: datetime | None, until: datetime | None) -> str:
    words = [f"{word} {time_text(at)}" for word, at in zip(_WORDS[kind], (on, off), strict=True) if at]
    if until:
        words.append(f"until {time_text(until)}")
    return ", ".join(words) or "nothing"
