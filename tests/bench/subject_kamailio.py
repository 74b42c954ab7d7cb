"""Kamailio with the same checks, from `kamailio.cfg`: one child, its fast allocator, a Redis of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.bench.deployment import (
    CALLEES,
    CALLER_HOST,
    CARRIER_HOST,
    CARRIER_PORT,
    DECLINED,
    RANGE_FIRST,
)
from tests.bench.subject import OWN, REDIS, Subject
from tests.bench.usage import Groups, tree
from tests.support.gateway_process import free_port
from tests.support.redis_server import wheel_binary

PROGRAM = "kamailio"
MODULES = ("/usr/lib/x86_64-linux-gnu/kamailio/modules/", "/usr/lib64/kamailio/modules/", "/usr/lib/kamailio/modules/")
TEMPLATE = Path(__file__).with_name("kamailio.cfg")
START_S = 10.0
STOP_S = 10.0

_TWO_LOOKUPS = """
    redis_cmd("gate", "GET c:$rU:bench:consultation", "c");
    redis_cmd("gate", "GET r:$rU", "r");
"""
_PIPED = """
    redis_pipe_cmd("gate", "GET c:$rU:bench:consultation", "c");
    redis_pipe_cmd("gate", "GET r:$rU", "r");
    redis_execute("gate");
"""


def missing() -> str:
    """What has to be installed before Kamailio can be measured; empty when nothing."""
    modules = next((Path(path) for path in MODULES if Path(path).exists()), None)
    if shutil.which(PROGRAM) is None or modules is None:
        return "kamailio"
    return "" if (modules / "ndb_redis.so").exists() else "kamailio-redis-modules"


class Kamailio(Subject):
    """`piped`: both lookups in one round trip, which few configurations do."""

    warm_s = 8.0  # wt_timer: 5 s

    def __init__(self, directory: Path, piped: bool = False) -> None:
        super().__init__(directory)
        self.name = "kamailio-piped" if piped else "kamailio"
        self._piped = piped
        self._port = free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._run_dir: Path | None = None

    def start(self) -> None:
        # Socket paths are short: the kernel takes 107 bytes.
        self._run_dir = run_dir = Path(tempfile.mkdtemp(prefix="cgbench-"))
        redis = run_dir / "r.sock"
        arguments = ["--port", "0", "--unixsocket", str(redis), "--dir", str(run_dir)]
        arguments += ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        self._spawn([wheel_binary(), *arguments], self.directory / "redis.log")
        self._fill(redis)
        config = self.directory / "kamailio.cfg"
        config.write_text(self._config(redis))
        command = [PROGRAM, "-f", str(config), "-DD", "-E", "-x", "fm", "-X", "fm", "-m", "256", "-M", "16"]
        self._spawn([*command, "-Y", str(run_dir), "-w", str(run_dir)], self.directory / "kamailio.log")
        self._wait_listening()

    def _spawn(self, command: list[str], log: Path) -> None:
        with open(log, "wb") as out:
            self._processes.append(
                subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
            )

    @staticmethod
    def _fill(socket_path: Path) -> None:
        import redis

        with redis.Redis(unix_socket_path=str(socket_path)) as client:
            deadline = time.monotonic() + START_S
            while True:
                try:
                    client.ping()
                    break
                except redis.ConnectionError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)
            client.mset({f"c:{callee}:bench:consultation": "1704418200" for callee in (*CALLEES, DECLINED)})
            client.set(f"r:{DECLINED}", "all")

    def _config(self, redis: Path) -> str:
        prefix = RANGE_FIRST.rstrip("0")  # the range is all numbers that begin with this
        words = {
            "PORT": str(self._port),
            "MODULES": next(path for path in MODULES if Path(path).exists()),
            "REDIS": str(redis),
            "CALLER": CALLER_HOST,
            "CARRIER": CARRIER_HOST,
            "CARRIER_PORT": str(CARRIER_PORT),
            "RANGE_LENGTH": str(len(RANGE_FIRST)),
            "RANGE_PREFIX": prefix,
            "PREFIX_LENGTH": str(len(prefix)),
            "LOOKUP": _PIPED if self._piped else _TWO_LOOKUPS,
        }
        text = TEMPLATE.read_text()
        for name, value in words.items():
            text = text.replace(f"@{name}@", value)
        return text

    def _wait_listening(self) -> None:
        """It says nothing when it is ready: its port is then in the kernel's table, and its child has connected."""
        mark = f"0100007F:{self._port:04X}"
        deadline = time.monotonic() + START_S
        while mark not in Path("/proc/net/udp").read_text():
            if time.monotonic() > deadline or self._processes[-1].poll() is not None:
                log = (self.directory / "kamailio.log").read_text(errors="replace")
                raise AssertionError(f"kamailio did not start:\n{log[-3000:]}")
            time.sleep(0.02)
        time.sleep(1.0)

    def stop(self) -> None:
        for process in reversed(self._processes):
            left = tree(process.pid)[1:]
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                for pid in left:  # the children of a master that had to be killed
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        self._processes.clear()
        if self._run_dir is not None:
            shutil.rmtree(self._run_dir, ignore_errors=True)

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    def groups(self) -> Groups:
        redis, kamailio = self._processes
        return {OWN: tree(kamailio.pid), REDIS: [redis.pid]}

    def describe(self) -> str:
        shown = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=True, timeout=10)
        version = shown.stdout.split("\n", 1)[0].removeprefix("version: ").strip()
        lookups = "one round trip" if self._piped else "two round trips"
        return f"{version}, -x fm -X fm, children 1, {lookups} to Redis"
