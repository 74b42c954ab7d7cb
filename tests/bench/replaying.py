"""How long recorded decisions take to be judged again: a million of them in an embedded PostgreSQL of their own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import msgspec

from gateway.control.importer import import_pack
from gateway.control.replay_part import Part, Task
from gateway.control.replaying import in_force, replay_all
from gateway.gate.records import DecisionRecord
from gateway.store.embedded.servers import EmbeddedServers
from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.journal.rows import JournalRow
from gateway.store.sql.engine import make_engine, plain_url
from gateway.store.sql.evidence import Checkpoint, ship
from gateway.store.sql.migrate import migrate
from tests.support.packs import pack_text
from tests.support.recorded import recorded

DECISIONS = 1_000_000
QUICK_DECISIONS = 50_000
BATCH = 5_000
SPREAD_S = 86_400.0
"""The calls of a day."""
PASSING = 12
"""Of `PASSING` + 1 calls one is refused, by any rule."""
TRIED = {"consent_missing": 'mode = "shadow"'}
"""What the pack that is tried has otherwise."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Replayed:
    """One replay of all decisions."""

    what: str
    decisions: int
    seconds: float
    differing: int
    untold: int

    @property
    def per_s(self) -> float:
        """Decisions judged in a second."""
        return self.decisions / self.seconds


def run_replay(decisions: int, directory: Path, say: Say) -> list[Replayed]:
    """Fill a database, replay with the pack that decided and with another. Raises AssertionError where the first
    changes anything."""
    servers = EmbeddedServers(directory / "replay", redis=False)
    (directory / "replay").mkdir()
    url = servers.start().database_url
    try:
        return asyncio.run(_run(url, decisions, say))
    finally:
        servers.stop()


async def _run(url: str, decisions: int, say: Say) -> list[Replayed]:
    await migrate(url)
    engine = make_engine(url)
    try:
        await import_pack(engine, pack_text(), "example.toml", "bench")
        began = time.monotonic()
        await _fill(url, decisions)
        say(f"replay: {decisions:,} decisions stored in {time.monotonic() - began:.0f} s")
        found = []
        for what, pack in (("the same pack", ""), ("another pack", pack_text(version=2, **TRIED))):
            began = time.monotonic()
            part = await replay_all(engine, Task(url, await in_force(engine), pack, "tried.toml"), None, None)
            found.append(_told(what, part, time.monotonic() - began))
            say(f"replay: {found[-1].what}: {found[-1].seconds:.1f} s, {found[-1].per_s:,.0f}/s")
        assert found[0].differing == 0, "the pack that decided decides otherwise"
        assert found[0].decisions == found[1].decisions == decisions
        return found
    finally:
        await engine.dispose()


def _told(what: str, part: Part, seconds: float) -> Replayed:
    return Replayed(what, part.judged, seconds, part.differing, sum(part.untold.values()))


async def _fill(url: str, decisions: int) -> None:
    """As the shipper does: indexed, chained, by COPY."""
    engine = make_engine(url, pool_size=1)
    rows: list[JournalRow] = []
    chain = GENESIS
    seq = 0
    for seq, payload in enumerate(_payloads(decisions), 1):
        chain = chain_next(chain, payload)
        rows.append(JournalRow(seq, payload, chain))
        if len(rows) == BATCH or seq == decisions:
            async with engine.begin() as connection:
                await ship(connection, "bench-0", rows, Checkpoint(1, seq, seq, chain))
            rows = []
    await engine.dispose()
    plain = await asyncpg.connect(plain_url(url))
    await plain.execute("VACUUM ANALYZE evidence")
    await plain.close()


def _payloads(decisions: int) -> Iterator[bytes]:
    """Records as a gate wrote them, each with its own id and time; most of them of calls that passed."""
    templates = recorded()
    allowed = [record for record in templates if record.rule == "allow"]
    chosen = random.Random(1)
    mixed = [_parts(record) for record in templates]
    passed = [_parts(record) for record in allowed]
    begin = int((time.time() - SPREAD_S) * 1e6)
    for number in range(decisions):
        before, between, after = chosen.choice(mixed if number % (PASSING + 1) == 0 else passed)
        at = begin + int(number * SPREAD_S * 1e6 / decisions)
        yield b"%b%b%b%d%b" % (before, b"%032x" % (chosen.getrandbits(128)), between, at, after)


def _parts(record: DecisionRecord) -> tuple[bytes, bytes, bytes]:
    """A record's bytes around its id and its time."""
    payload = msgspec.json.encode(record)
    before, rest = payload.split(record.id.encode(), 1)
    between, after = rest.split(b"%d" % record.at, 1)
    return before, between, after
