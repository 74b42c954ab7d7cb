"""Processes that a dead or frozen server leaves behind, found by their working directory.

PostgreSQL's children end by themselves when their postmaster is gone, unless they are stopped (SIGSTOP): then they
stay, hold the shared memory, and the next start fails. All of them work in the data directory.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

POLL_S = 0.01
GONE_S = 5.0
"""What was sent SIGKILL is gone in milliseconds, unless it waits for a disk."""


def working_in(directory: Path) -> list[int]:
    """Live processes whose working directory this is, but for our own."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):  # gone meanwhile, or another user's
                if Path(os.readlink(entry / "cwd")) == directory and state_of(int(entry.name)) not in ("", "Z"):
                    found.append(int(entry.name))
    return found


def kill_working_in(directory: Path) -> None:
    """SIGKILL to all of them, until none is left (at most GONE_S). The caller holds the lock of the state directory,
    so whoever is found has no supervisor any more."""
    deadline = time.monotonic() + GONE_S
    while (left := working_in(directory)) and time.monotonic() < deadline:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S)


def state_of(pid: int) -> str:
    """The letter in /proc/PID/stat (proc(5)): T is stopped, Z a zombie; empty where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""


def is_frozen(pid: int) -> bool:
    """Stopped by a signal or a debugger: it will not act on any signal but SIGKILL and SIGCONT."""
    return state_of(pid) in ("T", "t")
