"""Processor time and memory of groups of processes, from /proc.

Processor time is the scheduler's own (`/proc/<pid>/task/*/schedstat`, nanoseconds, brought up to date at every tick and
switch); user and system come from `/proc/<pid>/stat`, whose 10 ms ticks are good for the split only. Children that a
process of the group waited for are in its `cutime` and `cstime`, so what a short-lived backend used is not lost.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


@dataclass(slots=True)
class Usage:
    """Processor time of one group of processes, in nanoseconds; `user` and `system` sum up to `total`."""

    total: float = 0.0
    user: float = 0.0
    system: float = 0.0

    def since(self, before: Usage) -> Usage:
        """What was used between two readings."""
        total = self.total - before.total
        user, system = self.user - before.user, self.system - before.system
        share = user / (user + system) if user + system > 0 else 0.0
        return Usage(total, total * share, total * (1 - share))

    def add(self, other: Usage) -> None:
        """Take another group in."""
        self.total += other.total
        self.user += other.user
        self.system += other.system


Groups = Mapping[str, Iterable[int]]
"""Name of a part (`worker`, `redis` …) to its process ids."""


def read_usage(pids: Iterable[int]) -> Usage:
    """Processor time used so far by these processes and by the children they have waited for."""
    usage = Usage()
    for pid in pids:
        try:
            fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
            own = sum(int(path.read_text().split()[0]) for path in (PROC / str(pid) / "task").glob("*/schedstat"))
        except OSError:
            continue  # it has ended: its parent has what it used
        user, system, child_user, child_system = (int(field) * TICK_NS for field in fields[11:15])
        usage.total += own + child_user + child_system
        usage.user += user + child_user
        usage.system += system + child_system
    return usage


def read_groups(groups: Groups) -> dict[str, Usage]:
    """`read_usage` of every group."""
    return {name: read_usage(pids) for name, pids in groups.items()}


def resident_kb(pids: Iterable[int]) -> tuple[int, int]:
    """(RSS, PSS) in kB. RSS counts pages that processes share once for each of them, PSS once in all."""
    rss = pss = 0
    for pid in pids:
        try:
            text = (PROC / str(pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        for line in text.splitlines():
            if line.startswith("Rss:"):
                rss += int(line.split()[1])
            elif line.startswith("Pss:"):
                pss += int(line.split()[1])
    return rss, pss


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            parents.setdefault(parent, []).append(int(entry.name))
    found = [pid]
    for known in found:
        found += parents.get(known, [])
    return found


def machine_busy_ns() -> int:
    """Processor time all processes of the machine have used, and what its host took from it."""
    fields = [int(field) for field in (PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) * TICK_NS
