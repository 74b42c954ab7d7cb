"""`callgate keys rotate`: from the key in force to a new one, beside live calls and changes.

Steps, each of which may be repeated, so that whoever was killed is followed by one who goes on: a new key in the key
file; every worker holds it; the stored numbers are copied under it (`store.sql.rotation`); the copies are put in force;
the projector makes Redis anew under a new epoch, whose heads name the key, and workers follow them with the next
question; no worker uses the key before any more. Until the fourth nothing is in effect, and `give_up` leads back.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.control.importer.subscriber import FOREIGN_KEY, Subscribers
from gateway.control.rotation.nodes import Nodes, look
from gateway.control.rotation.reseal import reseal_secrets
from gateway.gate.seal import Sealer
from gateway.key_ring import with_new_keys, write
from gateway.keys import VARIABLE, Keys, KeysError, from_environment
from gateway.store.ports import Conflict
from gateway.store.sql import audit, dataset, rotation, rotation_switch
from gateway.store.sql.engine import mapped_errors
from gateway.store.sql.errors import sqlstate
from gateway.store.sql.rotation import COPYING, SWITCHED, Recode, Rotation

BATCH_ROWS: Final = 2_000
"""Rows of a batch, about: some tens of milliseconds, in which nobody is locked out."""
HOLD_S: Final = 15.0
"""How long workers are waited for: those of this node read the file again within a second."""
FOLLOW_S: Final = 600.0
"""How long Redis and the workers are waited for after the switch; then the command is to be given once more."""
ASK_S: Final = 0.5
LOCK_PAUSE_S: Final = 3.0
"""Between two tries to have the locks of a moment: an export or a bulk import may be under way."""
_BUSY: Final = ("55P03", "40P01")
"""SQLSTATE: a lock was not available in time; deadlock."""

_T = TypeVar("_T")


class _Known(NamedTuple):
    """A pseudonym key; id 0: not in the ring any more."""

    id: int
    check: bytes


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is. `phase`: what is done now, in a few words; `total` 0: nobody can say."""

    phase: str
    done: int = 0
    total: int = 0


Tell = Callable[[Step], None]


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was done, or with `dry_run` would be. Ids are of the pseudonym and the seal ring; `rows`: of consents and
    refusals; `resumed`: it goes on with one that was begun before."""

    rows: int
    before: int
    after: int
    seal_before: int
    seal_after: int
    resumed: bool
    adds_keys: bool
    workers: tuple[str, ...]
    silent: tuple[str, ...]
    dry_run: bool = False


class Rotator:
    """One command. Raises Conflict, KeysError, SealError, Unavailable."""

    def __init__(
        self, engine: AsyncEngine, redis_url: str, file: Path, keys: Keys, principal: str, tell: Tell,
        without: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """`redis_url`: empty where no gateway runs. `without`: workers or nodes that are not waited for."""
        self._engine, self._redis, self._file = engine, redis_url, file
        self._keys, self._principal, self._tell = keys, principal, tell
        self._without = tuple(without)

    async def rotate(self, *, dry_run: bool = False) -> Rotated:
        """All of it, or what is left of it."""
        with mapped_errors():
            async with self._alone():
                before, begun = await self._state(keep=not dry_run)
                adds = begun is None and self._keys.pseudonyms[0].check == before.check
                if dry_run:
                    return await self._plan(before.id, begun, adds)
                if adds:
                    await self._add_keys()
                self._refuse_foreign(begun)
                nodes = None if begun and begun.state == SWITCHED else await self._until_held()
                seal_before = begun.seal_before if begun else self._seal_before()
                job = begun or await self._begin(before.check, seal_before)
                if job.state != SWITCHED:
                    job = await self._copy(job)
                    await self._switch(job)
                await self._until_followed(job)
                async with self._engine.begin() as connection:
                    await rotation.end(connection, job, rotation.DONE)
                    await self._audit(connection, "keys.rotated", {"rows": job.rows})
        newest = self._keys
        return Rotated(
            job.rows, before.id, newest.pseudonyms[0].id, seal_before, newest.seal_id, begun is not None, adds,
            tuple(sorted(nodes.workers)) if nodes else (), tuple(sorted(nodes.silent)) if nodes else (),
        )  # fmt: skip

    async def give_up(self) -> None:
        """Drop what was copied; the key stays in the file, and is the one the next rotation goes to."""
        with mapped_errors():
            async with self._alone():
                _, begun = await self._state()
                if begun is None:
                    raise Conflict("keys: no rotation is under way: there is nothing to give up")
                if begun.state == SWITCHED:
                    raise Conflict("keys: the new key is in force already: let callgate keys rotate finish")

                async def work(connection: AsyncConnection) -> None:
                    await rotation.give_up(connection, begun)
                    await self._audit(connection, "keys.rotation_given_up", {"rows": begun.rows})

                await self._patiently(work)

    # -- what there is ---------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        async with self._engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
            got = await connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": rotation.LOCK})
            if not got.scalar_one():
                raise Conflict("keys: another callgate keys command is at work on this database: wait for it")
            try:
                yield
            finally:
                await connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": rotation.LOCK})

    async def _state(self, *, keep: bool = True) -> tuple[_Known, Rotation | None]:
        """The pseudonym key that a rotation goes from, and the one that is under way. `keep`: where no number is stored
        yet, the newest key is in force from now on."""
        async with self._engine.connect() as connection:
            check = await dataset.claim_key(connection, self._keys.pseudonyms[0].check)
            begun = await rotation.open_rotation(connection)
            if keep:
                await connection.commit()
        if self._keys.using(check) is None:
            raise Conflict(FOREIGN_KEY)
        before = begun.before if begun else check
        found = self._keys.using(before)
        return _Known(found.pseudonyms[0].id if found else 0, before), begun

    def _refuse_foreign(self, begun: Rotation | None) -> None:
        """The rotation that was begun goes to our newest key, or it is another file's."""
        if begun is not None and begun.after != self._keys.pseudonyms[0].check:
            raise Conflict(
                f"keys: the rotation that {begun.principal} began at {begun.started_at:%Y-%m-%d %H:%M} goes to a key "
                "that is not the newest of this key file: use that node's file, or callgate keys rotate --give-up"
            )

    def _seal_before(self) -> int:
        """Id of the seal key that was the newest before this rotation."""
        return self._keys.seals[1].id if len(self._keys.seals) > 1 else self._keys.seal_id

    async def _plan(self, before: int, begun: Rotation | None, adds: bool) -> Rotated:
        keys = self._keys
        after = with_new_keys(keys) if adds else keys
        async with self._engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT (SELECT count(*) FROM consents) + (SELECT count(*) FROM refusals)")
            )
            count = int(rows.scalar_one())
        nodes = await look(self._redis) if self._redis else None
        return Rotated(
            count, before, after.pseudonyms[0].id, keys.seal_id if adds else self._seal_before(), after.seal_id,
            begun is not None, adds, tuple(sorted(nodes.workers)) if nodes else (),
            tuple(sorted(nodes.silent)) if nodes else (), True,
        )  # fmt: skip

    # -- steps -----------------------------------------------------------------------------------------------------

    async def _add_keys(self) -> None:
        if from_environment():
            raise KeysError(
                f"{VARIABLE}: a new key has to come by it too: put one before the others in pseudonym and seal "
                "(callgate keys new), start every process with it, and give this command again"
            )
        longer = with_new_keys(self._keys)
        async with self._engine.begin() as connection:
            added: dict[str, object] = {"pseudonym": longer.pseudonyms[0].id, "seal": longer.seal_id}
            await self._audit(connection, "keys.add", added)
        write(self._file, longer)
        self._keys = longer

    async def _until_held(self) -> Nodes | None:
        """Every worker holds the newest keys. None: no gateway runs."""
        if not self._redis:
            return None
        deadline = time.monotonic() + HOLD_S
        while True:
            nodes = await look(self._redis)
            lacking = self._but(nodes.lacking(self._keys))
            if not lacking:
                break
            if time.monotonic() > deadline:
                raise Conflict(
                    f"keys: {', '.join(lacking)}: no new key yet; nothing is changed but the key file: copy "
                    f"{self._file} to the nodes that have a copy of it, and give this command again"
                )
            self._tell(Step(f"waiting for the key at {', '.join(lacking)}"))
            await asyncio.sleep(ASK_S)
        silent = self._but(sorted(nodes.silent))
        if silent:
            raise Conflict(
                f"keys: {', '.join(silent)}: not heard of for {min(nodes.silent.values()):.0f} s and more, so nobody "
                "knows which keys are held there: start it, or, if it is gone for good or gets the key file before it "
                "starts, say so by --without"
            )
        return nodes

    def _but(self, names: list[str]) -> list[str]:
        """Without those that are not waited for: workers (`node-0`), or nodes (`node`)."""
        return [name for name in names if not {name, name.rpartition("-")[0]} & set(self._without)]

    async def _begin(self, before: bytes, seal_before: int) -> Rotation:
        self._tell(Step("beginning"))
        after, seal_after = self._keys.pseudonyms[0], self._keys.seals[0]

        async def work(connection: AsyncConnection) -> Rotation:
            job = await rotation.begin(
                connection, before, after.check, (seal_before, seal_after.id), self._principal
            )
            await self._audit(connection, "keys.rotation_begun", {"rows": job.total, "seal": seal_after.id})
            return job

        return await self._patiently(work)

    async def _copy(self, job: Rotation) -> Rotation:
        recode = self._recoder()
        while job.state == COPYING:
            self._tell(Step("copying", job.rows, job.total))
            async with self._engine.begin() as connection:
                job = await rotation.copy_batch(connection, job, recode, BATCH_ROWS)
            while await self._catch_up(job, recode) >= BATCH_ROWS:
                pass
        self._tell(Step("copying", job.rows, max(job.rows, job.total)))
        async with self._engine.begin() as connection:
            await reseal_secrets(connection, self._keys, self._principal)
        async with self._engine.begin() as connection:
            await rotation_switch.prepare_switch(connection)
        return job

    async def _catch_up(self, job: Rotation, recode: Recode) -> int:
        async with self._engine.begin() as connection:
            return await rotation.catch_up(connection, job, recode, BATCH_ROWS)

    async def _switch(self, job: Rotation) -> None:
        recode = self._recoder()

        async def work(connection: AsyncConnection) -> None:
            self._tell(Step("switching"))
            await rotation_switch.switch(connection, job, recode)
            await self._audit(connection, "keys.rotation_switched", {"rows": job.rows})

        async def caught_up() -> None:
            while await self._catch_up(job, recode) >= BATCH_ROWS:
                pass

        await self._patiently(work, caught_up)

    async def _until_followed(self, job: Rotation) -> None:
        """Every head names the key, and every worker uses it."""
        deadline = time.monotonic() + FOLLOW_S
        while self._redis:
            nodes = await look(self._redis)
            waiting = self._but(nodes.not_using(job.after))
            if not waiting:
                return
            if time.monotonic() > deadline:
                raise Conflict(
                    f"keys: {', '.join(waiting)}: the new key is in force in PostgreSQL, but not used there yet: see "
                    "to a control process that projects (callgate_projection_active), and give this command again"
                )
            self._tell(Step(f"waiting for {', '.join(waiting)}"))
            await asyncio.sleep(ASK_S)

    def _recoder(self) -> Recode:
        keys = self._keys
        opener = Sealer(keys.seal_id, keys.seal, keys.older_seals)
        subscribers = Subscribers(keys)

        def recode(sealed: str) -> tuple[bytes, str]:
            number = opener.open(sealed)
            canonical = number.decode("ascii")
            return subscribers.hash(canonical), subscribers.seal(canonical)

        return recode

    async def _patiently(
        self, work: Callable[[AsyncConnection], Awaitable[_T]], before: Callable[[], Awaitable[None]] | None = None
    ) -> _T:
        """In one transaction, tried again while its locks cannot be had."""
        while True:
            if before is not None:
                await before()
            try:
                async with self._engine.begin() as connection:
                    return await work(connection)
            except DBAPIError as error:
                if sqlstate(error) not in _BUSY:
                    raise
            self._tell(Step("waiting for an import or export to end"))
            await asyncio.sleep(LOCK_PAUSE_S)

    async def _audit(self, connection: AsyncConnection, action: str, detail: dict[str, object]) -> None:
        newest = self._keys.pseudonyms[0].id
        await audit.record(connection, self._principal, action, f"pseudonym {newest}", detail)
