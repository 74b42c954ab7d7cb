"""A bare relay in Python: no call can cost less than receiving and sending its seven messages."""

from __future__ import annotations

import subprocess
import sys

from tests.bench.deployment import CARRIER_HOST, CARRIER_PORT, ROOT
from tests.bench.subject import OWN, Subject
from tests.bench.usage import Groups


class Relay(Subject):
    """`tests.bench.relay` as a process."""

    name = "relay"
    gates = False

    _process: subprocess.Popen[str] | None = None
    _port = 0

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.relay", "127.0.0.1", CARRIER_HOST, str(CARRIER_PORT)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._port

    def groups(self) -> Groups:
        return {OWN: [self._process.pid] if self._process is not None else []}

    def describe(self) -> str:
        return f"Python {sys.version.split()[0]}, recvfrom and sendto"
