"""A whole gateway for e2e tests: `callgate run` on the example deployment, with ports and state of its own.

    with GatewayProcess(tmp_path) as gateway:       # started, ready
        gateway.sip_port, gateway.http_port, gateway.url("/metrics")
        gateway.worker_pid()                        # to kill
        gateway.cli("consent", "revoke", ...)       # a command beside it
        seconds = gateway.restart()

Sources, next hops, numbers and consents are those of `config/example` (access 127.0.0.2 and .3, carrier
127.0.0.9:5060).
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from gateway.settings import run_dir_of

READY = "callgate is ready"
START_S = 90.0
STOP_S = 60.0
ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config/example/callgate.toml"
PATIENT = {"CALLGATE_GATE__DEADLINE_MS": "1000"}
"""For tests that ask what is decided, not how soon: on a busy machine Redis may take longer than 50 ms."""


_PORTS = itertools.count(random.SystemRandom().randrange(10_000, 30_000))
"""Below those that the kernel gives to connections: between the choice and the start nobody is given one of these."""


def free_port(address: str = "127.0.0.1") -> int:
    """A port that nobody holds now, by UDP or TCP, and that is given once."""
    for port in _PORTS:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp, suppress(OSError):
            udp.bind((address, port))
            tcp.bind((address, port))
            return port
    raise AssertionError("unreachable")


class GatewayProcess:
    """One `callgate run` on `state_dir`, in a session of its own. `env`: more CALLGATE_… variables.
    `python`: the interpreter to run it with. `tcp`: a TCP listener `tcp` at the port of the UDP one; `tls_port`: a TLS
    listener `tls`, with these settings of `[[listener]]`; `more`: further listeners."""

    def __init__(
        self,
        state_dir: Path,
        *,
        sip_port: int = 0,
        tcp: bool = False,
        tls_port: int = 0,
        tls: dict[str, object] | None = None,
        more: Sequence[dict[str, object]] = (),
        http_port: int = 0,
        env: dict[str, str] | None = None,
        config: Path = CONFIG,
        python: Path | str = sys.executable,
    ) -> None:
        self.state_dir = state_dir.resolve()
        self.sip_port = sip_port or free_port()
        self.http_port = http_port or free_port()
        self.config = config
        self.python = str(python)
        self.log = self.state_dir.with_name(f"{self.state_dir.name}.log")
        self.ready_line = ""
        self._process: subprocess.Popen[bytes] | None = None
        listeners: list[dict[str, object]] = [
            {"name": "main", "address": "127.0.0.1", "port": self.sip_port, "transport": "udp"}
        ]
        if tcp:
            listeners.append({"name": "tcp", "address": "127.0.0.1", "port": self.sip_port, "transport": "tcp"})
        self.tls_port = tls_port
        if tls_port:
            made = {"name": "tls", "address": "127.0.0.1", "port": tls_port, "transport": "tls", **(tls or {})}
            listeners.append(made)
        listeners.extend(more)
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CALLGATE_")},
            "CALLGATE_NODE__STATE_DIR": str(self.state_dir),
            "CALLGATE_NODE__DRAIN_S": "5",
            "CALLGATE_LISTENER": json.dumps(listeners),
            "CALLGATE_HTTP__PORT": str(self.http_port),
            **(env or {}),
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- life ------------------------------------------------------------------------------------------

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start without waiting."""
        self.ready_line = ""
        with open(self.log, "ab") as log:
            self._log_from = log.tell()
            self._process = subprocess.Popen(
                [self.python, "-m", "gateway.cli", "run", "--config", str(self.config)],
                cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        return self._process

    def start(self, timeout_s: float = START_S) -> float:
        """Start and wait for the ready line; the seconds that took. Raises AssertionError with the log."""
        began = time.monotonic()
        process = self.spawn()
        while not self.ready_line:
            if process.poll() is not None:
                raise AssertionError(f"callgate run ended (exit {process.returncode}):\n{self.output()}")
            if time.monotonic() - began > timeout_s:
                self.close()
                raise AssertionError(f"not ready after {timeout_s} s:\n{self.output()}")
            time.sleep(0.01)
            lines = self.output().splitlines()
            self.ready_line = next((line for line in lines if line.startswith(READY)), "")
        return time.monotonic() - began

    def stop(self, sign: int = signal.SIGINT, timeout_s: float = STOP_S) -> int:
        """Send a signal to its process group, as Ctrl-C in a terminal does; the exit code."""
        assert self._process is not None
        os.killpg(self._process.pid, sign)
        return self._process.wait(timeout_s)

    def restart(self) -> float:
        """Stop and start again; the seconds until ready."""
        self.stop()
        return self.start()

    def kill(self) -> None:
        """SIGKILL to the supervisor alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Stop if it runs; nothing may be left behind."""
        if self._process is not None and self._process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.kill()
        left = self.wait_gone(5.0)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        assert not left, f"left behind: {left}"

    # -- looking at it -------------------------------------------------------------------------------------

    def output(self) -> str:
        """What it has written since the last start, stdout and stderr."""
        with open(self.log, "rb") as log:
            log.seek(self._log_from)
            return log.read().decode("utf-8", "replace")

    @property
    def running(self) -> bool:
        """Whether the supervisor lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The supervisor's."""
        assert self._process is not None
        return self._process.pid

    def processes(self) -> dict[int, str]:
        """Every live process of this state directory: pid to command line."""
        mark = os.fsencode(self.state_dir)
        found: dict[int, str] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes()
                if command and (mark in command or mark in (entry / "environ").read_bytes()):
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode("utf-8", "replace").strip()
            except OSError:
                continue  # gone meanwhile, or somebody else's
        return found

    def wait_gone(self, timeout_s: float) -> dict[int, str]:
        """Wait until no process is left; those that are after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return left

    def child_pid(self, *words: str) -> int:
        """Pid of the child started as `python -m gateway.child WORDS`, 0 if there is none."""
        mark = " ".join(("gateway.child", *words))
        return next((pid for pid, command in self.processes().items() if command.endswith(mark)), 0)

    def worker_pid(self, index: int = 0) -> int:
        """Pid of a worker, 0 while there is none."""
        return self.child_pid("worker", str(index))

    @property
    def run_dir(self) -> Path:
        """Where its sockets are."""
        return run_dir_of(self.state_dir)

    def url(self, path: str) -> str:
        """A URL of its HTTP side."""
        return f"http://127.0.0.1:{self.http_port}{path}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET; (0, error) when nothing answers."""
        try:
            with urllib.request.urlopen(self.url(path), timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def api(self, token: str, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Status and JSON of a request to /api/v1. `body`: a file's text, or what is written as JSON."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        asked = urllib.request.Request(self.url(f"/api/v1{path}"), data, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)

    def wait_ready(self, timeout_s: float = 10.0) -> float:
        """Wait until /readyz says 200; the seconds that took."""
        began = time.monotonic()
        while self.get("/readyz")[0] != 200:
            if time.monotonic() - began > timeout_s:
                raise AssertionError(f"/readyz: {self.get('/readyz')}\n{self.output()}")
            time.sleep(0.02)
        return time.monotonic() - began

    def cli(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `callgate ARGUMENTS` beside it."""
        return subprocess.run(
            [self.python, "-m", "gateway.cli", *arguments, "--config", str(self.config)],
            cwd=ROOT, env=self.env, input=stdin, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
