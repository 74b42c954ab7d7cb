"""What keys there are, what they are in use for, and the end of one that nothing needs any more.

Which evidence needs a key is known by time: from when it came into use until no worker used it any more, and a day on,
for a node that could not reach Redis goes on with the key it knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.rotation.nodes import Nodes, look
from gateway.gate.seal import sealed_with
from gateway.key_ring import without, write
from gateway.keys import Key, Keys, KeysError
from gateway.store.ports import Conflict
from gateway.store.sql import audit, dataset, key_needs, rotation
from gateway.store.sql import registry as sql
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.key_needs import EvidenceUse
from gateway.store.sql.rotation import DONE, Rotation

MARGIN: Final = timedelta(days=1)
PSEUDONYM, SEAL = "pseudonym", "seal"


@dataclass(frozen=True, slots=True)
class KeyState:
    """One key. `in_use`: numbers are hashed, or texts sealed, with it; `since`, `until`: when it was the one in use, as
    far as rotations are on record."""

    ring: str
    id: int
    check: str
    in_use: bool
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Status:
    """Keys, the rotation that is under way, and what Redis tells (None: no gateway runs)."""

    keys: tuple[KeyState, ...]
    rotation: Rotation | None
    nodes: Nodes | None
    lacking: tuple[str, ...] = field(default=())
    """Workers that do not hold the newest keys."""


async def status(engine: AsyncEngine, redis_url: str, keys: Keys) -> Status:
    """Everything about keys; nothing secret in it. Raises Conflict, Unavailable."""
    with mapped_errors():
        async with engine.connect() as connection:
            check = (await dataset.read(connection)).key_check
            past = await rotation.load_rotations(connection)
    found = [_state(PSEUDONYM, key, key.check == check, past) for key in keys.pseudonyms]
    found += [_state(SEAL, key, key is keys.seals[0], past) for key in keys.seals]
    nodes = await look(redis_url) if redis_url else None
    begun = next((one for one in past if one.state in rotation.OPEN), None)
    return Status(tuple(found), begun, nodes, tuple(nodes.lacking(keys)) if nodes else ())


def _state(ring: str, key: Key, in_use: bool, past: Sequence[Rotation]) -> KeyState:
    since, until = _time_of(ring, key, past)
    return KeyState(ring, key.id, key.check.hex(), in_use, since, None if in_use else until)


def _time_of(ring: str, key: Key, past: Sequence[Rotation]) -> tuple[datetime | None, datetime | None]:
    """From when to when a key was in use; None: since ever, or nobody knows. `past`: newest first."""
    done = [one for one in past if one.state == DONE]
    if ring == PSEUDONYM:
        began = [one.started_at for one in done if one.after == key.check]
        ended = [one.finished_at for one in done if one.before == key.check]
    else:
        began = [one.started_at for one in done if one.seal_after == key.id != one.seal_before]
        ended = [one.finished_at for one in done if one.seal_before == key.id != one.seal_after]
    return (began[-1] if began else None), (ended[0] if ended else None)


async def retire(engine: AsyncEngine, file: Path, keys: Keys, number: int, rings: Sequence[str], principal: str) -> str:
    """Take the key of this id out of the rings (`pseudonym`, `seal`), or of those of them that have one, all or none;
    what was taken out, in words. Raises Conflict, naming all that needs it, KeysError, Unavailable."""
    chosen = [(PSEUDONYM, key) for key in keys.pseudonyms if PSEUDONYM in rings and key.id == number]
    chosen += [(SEAL, key) for key in keys.seals if SEAL in rings and key.id == number]
    if not chosen:
        raise KeysError(f"key {number}: no such key in the ring {' or '.join(rings)} (callgate keys status)")
    with mapped_errors():
        async with engine.begin() as connection:
            got = await connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": rotation.LOCK})
            if not got.scalar_one() or await rotation.open_rotation(connection):
                raise Conflict("keys: a rotation is under way: let callgate keys rotate finish first")
            past = await rotation.load_rotations(connection)
            needs = [text for ring, key in chosen for text in await _needs(connection, ring, key, keys, past)]
            if needs:
                raise Conflict(f"keys: key {number} is needed: {'; '.join(needs)}")
            words = " and ".join(f"{ring} key {key.id}" for ring, key in chosen)
            await audit.record(connection, principal, "keys.retire", words, {"check": chosen[0][1].check.hex()})
    ids = {ring: key.id for ring, key in chosen}
    write(file, without(keys, ids.get(PSEUDONYM, 0), ids.get(SEAL, 0)))
    return words


async def _needs(
    connection: AsyncConnection, ring: str, key: Key, keys: Keys, past: Sequence[Rotation]
) -> list[str]:
    """What needs a key, in words."""
    found: list[str] = []
    if ring == PSEUDONYM:
        check = (await dataset.read(connection)).key_check  # none before the first number is stored
        if check == key.check or (check is None and key is keys.pseudonyms[0]):
            return [f"the stored numbers are hashed with pseudonym key {key.id} (rotate first)"]
        staged = await key_needs.staged_with(connection, key.check)
        found += [f"import of {name} is under way with it" for name in staged]
    else:
        if key is keys.seals[0]:
            return [f"seal key {key.id} is the one in use (rotate first)"]
        rows = await key_needs.sealed_with(connection, key.id)
        found += [f"{count:,} rows of {table} are sealed with it" for table, count in rows.items()]
        secrets = await _secrets_with(connection, key.id)
        found += [f"{secrets} digest secrets are sealed with it"] if secrets else []
    since, until = _time_of(ring, key, past)
    latest = until + MARGIN if until else None
    use = await key_needs.evidence_between(connection, since, latest, with_party=ring == PSEUDONYM)
    return found + ([_of_evidence(ring, use)] if use.count else [])


def _of_evidence(ring: str, use: EvidenceUse) -> str:
    what = "found by callee" if ring == PSEUDONYM else "opened"
    return (
        f"{use.count:,} calls in the evidence, of {use.first:%Y-%m-%d} to {use.last:%Y-%m-%d}, are {what} with the "
        f"{ring} key: it can go when the last of them is past its retention and deleted"
    )


async def _secrets_with(connection: AsyncConnection, seal: int) -> int:
    stored = await sql.load_snapshot(connection)
    texts = [text for trunk in stored.trunks for one in trunk.digest for _, text in one.secrets or ()]
    return sum(sealed_with(text) == seal for text in texts)
