"""Debian's PostgreSQL as an external server of a test: TCP, a password, its own directory, no service."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from gateway.store.embedded.postgres import _as_user
from tests.support.gateway_process import free_port

PROGRAMS = Path("/usr/lib/postgresql")
START_TIMEOUT_S = 30.0
PASSWORD = "a/b c"
"""One that has to be quoted in a URL."""


def program(name: str) -> str:
    """Of the newest version that is installed."""
    found = sorted(PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    assert found, "Debian's PostgreSQL is not installed; fix: make bench-packages"
    return str(found[-1])


class ExternalPostgres:
    """`with ExternalPostgres() as server:`. It has one empty database."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="cgep-"))
        self.port = free_port()
        self.url = f"postgresql://calls:a%2Fb%20c@127.0.0.1:{self.port}/calls"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> ExternalPostgres:
        secret = self.directory / "secret"
        secret.write_text(PASSWORD)
        data = str(self.directory / "data")
        options = ["-D", data, "-U", "calls", "-A", "scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--no-locale"]
        made = subprocess.run(
            _as_user([program("initdb"), *options, "--no-sync"]), capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stderr
        single = _as_user([program("postgres"), "--single", "-D", data, "postgres"])
        subprocess.run(single, input=b"CREATE DATABASE calls\n", check=True, capture_output=True)
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self) -> None:
        """Start and wait until it takes connections."""
        argv = [program("postgres"), "-D", str(self.directory / "data"), "-p", str(self.port)]
        for setting in ("listen_addresses=127.0.0.1", "fsync=off", f"unix_socket_directories={self.directory}"):
            argv += ["-c", setting]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(
                _as_user(argv), env=environment | {"LC_ALL": "C"}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        ready = self.directory / "data" / "postmaster.pid"
        give_up = time.monotonic() + START_TIMEOUT_S
        while not (ready.exists() and "ready" in ready.read_text()):
            assert self._process.poll() is None and time.monotonic() < give_up, (self.directory / "log").read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        """Fast shutdown."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(START_TIMEOUT_S)
            self._process = None
