"""Large imports by the command line on servers of their own, to be killed at any moment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import redis.asyncio

from gateway.keys import encode
from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.embedded.redis import EmbeddedRedis
from gateway.store.embedded.strays import kill_working_in, state_of
from gateway.store.redis import layout
from tests.support.database import KEYS, hash_of
from tests.support.gateway_process import CONFIG, ROOT, free_port

T0 = datetime(2024, 5, 1, 8, 0, tzinfo=UTC)
WAIT_S = 60.0
POLL_S = 0.01


@dataclass
class ImportSite:
    """PostgreSQL, Redis, and commands on them."""

    postgres: EmbeddedPostgres
    redis: EmbeddedRedis
    state: Path

    @classmethod
    def make(cls, state: Path) -> ImportSite:
        """Started, with keys; the database is empty."""
        site = cls(EmbeddedPostgres(state), EmbeddedRedis(state), state)
        site.postgres.start()
        site.redis.start()
        keys = state / "keys.json"
        keys.write_bytes(encode(KEYS))
        keys.chmod(0o600)
        return site

    def close(self) -> None:
        self.redis.stop()
        self.postgres.stop()

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command, under way."""
        env = {
            **os.environ, "CALLGATE_DATABASE__URL": self.postgres.url, "CALLGATE_REDIS__URL": self.redis.url,
            "CALLGATE_NODE__STATE_DIR": str(self.state), "CALLGATE_HTTP__PORT": str(free_port()),
        }  # fmt: skip
        argv = [sys.executable, "-m", "gateway.cli", *words, "--config", str(CONFIG)]
        with open(self.state / "commands.log", "ab") as log:
            return subprocess.Popen(argv, cwd=ROOT, env=env, stdout=log, stderr=log)

    def done(self, *words: str) -> str:
        """A command, to its end; what it said."""
        before = self.said()
        process = self.start(*words)
        assert process.wait(WAIT_S) == 0, self.said()[len(before) :]
        return self.said()[len(before) :]

    def said(self) -> str:
        path = self.state / "commands.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def crash_postgres(self) -> None:
        """SIGKILL to every process of it, and a new start."""
        kill_working_in(self.postgres.data_dir)
        self.postgres.stop()
        self.postgres.start()

    async def value(self, query: str) -> Any:
        connection = await asyncpg.connect(self.postgres.url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    async def until(self, query: str, process: subprocess.Popen[bytes] | None = None) -> None:
        """Wait until a query says true, which a process that is under way brings about."""
        connection = await asyncpg.connect(self.postgres.url)
        try:
            await _until(lambda: connection.fetchval(query), query, process)
        finally:
            await connection.close()

    async def projected(self) -> dict[tuple[bytes, ...], bytes]:
        """Every consent that Redis holds under the epoch in force, by (bucket, field); empty where none is."""
        client = redis.asyncio.Redis.from_url(self.redis.url)
        try:
            head = await client.hgetall(layout.HEAD_KEY)
            if not head:
                return {}
            epoch, buckets = int(head[layout.HEAD_EPOCH]), int(head[layout.HEAD_BUCKETS])
            found: dict[tuple[bytes, ...], bytes] = {}
            pipe = client.pipeline(transaction=False)
            for bucket in range(buckets):
                pipe.hgetall(layout.consents_key(epoch, bucket))
            for bucket, held in enumerate(await pipe.execute()):
                assert held.pop(layout.MARKER_FIELD) == layout.marker_value(epoch)
                found.update({(b"%d" % bucket, field): value for field, value in held.items()})
            return found
        finally:
            await client.aclose()


async def _until(ask: Callable[[], Any], what: str, process: subprocess.Popen[bytes] | None) -> None:
    deadline = time.monotonic() + WAIT_S
    while not await ask():
        assert time.monotonic() < deadline, f"never: {what}"
        assert process is None or process.poll() is None, f"ended before: {what}"
        await asyncio.sleep(POLL_S)


def children(process: subprocess.Popen[bytes]) -> list[int]:
    """Processes it started."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_gone(pids: list[int]) -> None:
    """Until none of them is left."""
    deadline = time.monotonic() + WAIT_S
    while any(state_of(pid) not in ("", "Z") for pid in pids):
        assert time.monotonic() < deadline, "they outlive the importer"
        time.sleep(POLL_S)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL, and its end."""
    process.send_signal(signal.SIGKILL)
    process.wait(WAIT_S)


def write_consents(path: Path, count: int) -> dict[bytes, bytes]:
    """A file of `count` consents of alpha, every tenth revoked later, every twentieth granted twice; what Redis is to
    hold of it, by field (of 9 octets, the bucket apart)."""
    expected: dict[bytes, bytes] = {}
    revoked = T0 + timedelta(hours=1)
    with open(path, "w", encoding="ascii") as file:
        file.write("callee,operator,purpose,granted_at,expires_at,evidence_uri,event\n")
        for number in range(count):
            callee = f"+86137{number:08d}"
            row = f"{callee},alpha,consultation,{T0.isoformat()},,https://consents.example/{number},grant\n"
            file.write(row * (2 if number % 20 == 0 else 1))
            field = layout.consent_field(hash_of(callee), 1, 1)
            expected[field] = layout.encode_live(None)
            if number % 10 == 0:
                file.write(f"{callee},alpha,consultation,{revoked.isoformat()},,,revoke\n")
                expected[field] = layout.encode_revoked(revoked.timestamp())
    return expected
