"""Both embedded servers of a state directory under one lock, and the file that tells others where they
are."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gateway.store.embedded.paths import run_dir
from gateway.store.embedded.postgres import EmbeddedPostgres
from gateway.store.embedded.process import EmbeddedError
from gateway.store.embedded.redis import EmbeddedRedis


@dataclass(frozen=True, slots=True)
class Endpoints:
    """URLs of running embedded servers; empty where there is none."""

    redis_url: str = ""
    database_url: str = ""


class EmbeddedServers:
    """The servers a supervisor starts where no URL is configured."""

    def __init__(self, state_dir: str | os.PathLike[str], *, redis: bool = True, postgres: bool = True) -> None:
        self.state_dir = Path(state_dir).resolve()
        self.redis = EmbeddedRedis(self.state_dir) if redis else None
        self.postgres = EmbeddedPostgres(self.state_dir) if postgres else None
        self._lock: IO[str] | None = None

    def start(self) -> Endpoints:
        """Start what is asked for (both at once), record the URLs, return them.

        Raises EmbeddedError; a second gateway on the same state directory is refused. Blocks: well under 2 s,
        a few seconds the first time. Call from a thread that lives as long as the servers (the main thread).
        """
        self._take_lock()
        try:
            if self.redis:
                self.redis.begin()
            if self.postgres:
                self.postgres.start()
            if self.redis:
                self.redis.await_ready()
        except BaseException:
            self.stop()
            raise
        return self.announce()

    def announce(self) -> Endpoints:
        """Record the URLs, at the start and after somebody emptied the run directory. Raises OSError."""
        found = Endpoints(self.redis.url if self.redis else "", self.postgres.url if self.postgres else "")
        run_dir(self.state_dir)
        _write_endpoints(self.state_dir, found)
        return found

    def stop(self) -> None:
        """Stop both and forget their URLs."""
        with contextlib.suppress(FileNotFoundError):
            _endpoints_file(self.state_dir).unlink()
        if self.redis:
            self.redis.stop()
        if self.postgres:
            self.postgres.stop()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def dead(self) -> tuple[str, ...]:
        """Names of servers that were started and have ended by themselves, or whose socket is gone so that nobody
        reaches them any more (the supervisor restarts them)."""
        names = []
        if self.redis and not (self.redis.pid and self.redis.reachable):
            names.append("redis")
        if self.postgres and not (self.postgres.pid and self.postgres.reachable):
            names.append("postgres")
        return tuple(names)

    def _take_lock(self) -> None:
        lock = open(run_dir(self.state_dir) / "embedded.lock", "w")  # noqa: SIM115 (held while we run)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise EmbeddedError(
                f"another gateway runs on the state directory {self.state_dir}: stop it, or set another node.state_dir"
            ) from None
        os.set_inheritable(lock.fileno(), False)
        self._lock = lock


def read_endpoints(state_dir: str | os.PathLike[str]) -> Endpoints | None:
    """URLs of the embedded servers that run on `state_dir`, or None. Never raises on a missing or torn
    file."""
    try:
        found = json.loads(_endpoints_file(Path(state_dir).resolve()).read_text())
        return Endpoints(str(found["redis_url"]), str(found["database_url"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _endpoints_file(state_dir: Path) -> Path:
    return state_dir / "run" / "embedded.json"


def _write_endpoints(state_dir: Path, found: Endpoints) -> None:
    path = _endpoints_file(state_dir)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"redis_url": found.redis_url, "database_url": found.database_url}) + "\n")
    fresh.replace(path)
