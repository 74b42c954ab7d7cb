"""Callgate as `callgate run` starts it: worker, shipper, control, embedded Redis and PostgreSQL, all on default."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.bench.deployment import write_example
from tests.bench.subject import POSTGRES, REDIS, Subject
from tests.bench.usage import Groups, tree
from tests.support.gateway_process import GatewayProcess

BACKLOG = "callgate_journal_backlog_records"
SETTLE_POLL_S = 0.25

PATIENT = {"CALLGATE_GATE__DEADLINE_MS": "1000"}
"""For runs of many minutes that measure processor time and memory: a moment in which the machine does something else
must not end them. Where delays are measured the deadline is the default."""

_PARTS = {
    "gateway.child worker": "worker",
    "gateway.child shipper": "shipper",
    "gateway.child control": "control",
    "gateway.cli run": "supervisor",
    "redis-server": REDIS,
}
"""Words of a command line to the part it is; what has none of them belongs to PostgreSQL."""


class Callgate(Subject):
    """One gateway on a state directory that is kept from start to start."""

    warm_s = 33.0  # timers H, J, L and M: 32 s

    def __init__(
        self,
        directory: Path,
        name: str = "callgate",
        tree: Path | None = None,
        workers: int = 1,
        venv: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """`tree`: another source tree to run, to compare two versions; `venv`: an installed Callgate to run instead;
        `env`: more CALLGATE_… variables."""
        super().__init__(directory)
        self.name = name
        self.workers = workers
        example = write_example(directory / "config")
        variables = {"CALLGATE_EXAMPLE__DIRECTORY": str(example), "CALLGATE_NODE__WORKERS": str(workers), **(env or {})}
        if tree is not None:
            # The command is started in this tree; a safe path keeps it from coming before the other one.
            variables |= {"PYTHONSAFEPATH": "1", "PYTHONPATH": str(tree)}
        self._python = sys.executable
        if venv is not None:
            variables |= {"PYTHONSAFEPATH": "1"}
            self._python = str(venv / "bin/python")
        self.gateway = GatewayProcess(directory / "state", env=variables, python=self._python)
        self._log = directory / "callgate.log"

    def start(self) -> None:
        self.gateway.start()
        self.gateway.wait_ready()
        if f"{BACKLOG}{{" not in self.gateway.get("/metrics")[1]:
            self.settle(10.0)

    def stop(self) -> None:
        self.gateway.close()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.gateway.sip_port

    def groups(self) -> Groups:
        groups: dict[str, list[int]] = {part: [] for part in (*_PARTS.values(), POSTGRES)}
        for pid, command in self.gateway.processes().items():
            part = next((part for words, part in _PARTS.items() if words in command), POSTGRES)
            groups[part].append(pid)
        # PostgreSQL's own children have other command lines.
        groups[POSTGRES] = sorted({pid for root in groups[POSTGRES] for pid in tree(root)})
        return groups

    def describe(self) -> str:
        code = "import gateway.sip.parser as p, sys; print(p.__file__, sys.version.split()[0])"
        shown = subprocess.run(
            [self._python, "-c", code], env=self.gateway.env, cwd=Path(__file__).parents[2],
            capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
        path, version = shown.stdout.split()
        return f"Python {version}, {'plain' if path.endswith('.py') else 'compiled'}, {self.workers} worker(s)"

    def scrape(self) -> None:
        self.gateway.get("/metrics")

    def settle(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while (left := self.backlog()) != 0:
            if time.monotonic() > deadline:
                raise AssertionError(f"{left} journal records not shipped after {timeout_s} s")
            time.sleep(SETTLE_POLL_S)

    def metric(self, name: str) -> float:
        """Sum of the samples of a metric now; NaN while there are none."""
        status, text = self.gateway.get("/metrics")
        values = [float(line.split()[-1]) for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(values) if status == 200 and values else float("nan")

    def backlog(self) -> int:
        """Journal records that are not in PostgreSQL yet; -1 while nothing is said of them."""
        found = self.metric(BACKLOG)
        return int(found) if found == found else -1
