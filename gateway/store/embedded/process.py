"""One server as a child process: spawn, wait until it answers, stop; and the end of one left over from
before."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.store.embedded.strays import is_frozen

POLL_S = 0.01
"""How often a starting server is looked at."""
LOG_TAIL = 2_000
"""Bytes of a server's log shown when it does not start."""
LOG_KEEP = 4 * 1024 * 1024
"""A log larger than this is set aside (one older file is kept) at start."""


class EmbeddedError(Exception):
    """An embedded server cannot be found, started or reached. The text names what to do."""


def spawn(argv: Sequence[str], log: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a server in its own session (a Ctrl-C in the terminal is the supervisor's alone), output to
    `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_KEEP:
        log.replace(log.with_suffix(".old"))
    with open(log, "ab") as out:
        return subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, env=dict(env)
        )


def dying_with_parent(argv: Sequence[str], death_signal: str) -> list[str]:
    """`argv` behind util-linux's setpriv: the server gets `death_signal` (`KILL`, `INT`) when its parent is
    gone.

    "Parent" is the *thread* that spawns (prctl(2), PR_SET_PDEATHSIG): spawn from one that lives as long as
    the server. A change of credentials disarms the signal, so this stands innermost. Without setpriv a parent
    that is killed leaves the server behind; the next start ends it.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", death_signal, *argv] if setpriv else list(argv)


def wait_ready(
    process: subprocess.Popen[bytes], ready: Callable[[], bool], timeout_s: float, what: str, log: Path
) -> None:
    """Return when `ready()` is true; raise EmbeddedError with the end of the log when it ends or is too
    slow."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        if process.poll() is not None:
            raise EmbeddedError(f"{what} ended at start (exit {process.returncode}); {log} ends: {tail(log)}")
        if time.monotonic() > deadline:
            stop(process, signal.SIGKILL, 1.0)
            raise EmbeddedError(f"{what} did not answer within {timeout_s:g} s; {log} ends: {tail(log)}")
        time.sleep(POLL_S)


def stop(process: subprocess.Popen[bytes], sign: signal.Signals, timeout_s: float) -> None:
    """Send `sign`, wait, and kill what is still there after `timeout_s`; at once what is frozen."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGKILL if is_frozen(process.pid) else sign)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        # A process stopped by SIGSTOP dies of SIGKILL as well.
        process.wait()


def end_leftover(pid_file: Path, mark: str, sign: signal.Signals, timeout_s: float) -> bool:
    """End the process named in `pid_file` if it is still there and its command line holds `mark`; True if one
    was.

    The mark (the server's own data directory) keeps a reused pid from being ended. The caller holds the state
    lock, so whoever is found has no supervisor any more.
    """
    try:
        pid = int(pid_file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return False
    if pid <= 1 or not _runs(pid, mark):
        return False
    deadline = time.monotonic() + timeout_s
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL if is_frozen(pid) else sign)
        while _runs(pid, mark):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline += timeout_s
            time.sleep(POLL_S)
    return True


def tail(log: Path) -> str:
    """The end of a log as one line."""
    try:
        data = log.read_bytes()[-LOG_TAIL:]
    except OSError:
        return "(no log)"
    return " | ".join(data.decode("utf-8", "replace").strip().splitlines()) or "(empty)"


def _runs(pid: int, mark: str) -> bool:
    """Whether `pid` is alive (not a zombie) and its command line holds `mark`."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(mark) in command
