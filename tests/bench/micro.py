"""Runs the micro-benchmarks one after the other, each in a process of its own, and keeps what they print."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench.deployment import ROOT

QUICK = ("path", "sip", "proxy", "gate", "lookup", "journal")
SLOW = ("registry",)
LIMIT_S = 600.0
"""No benchmark may take longer."""


def run_micro(quick: bool, say: Callable[[str], None], venv: Path | None = None) -> dict[str, list[str]]:
    """Lines by benchmark. `quick`: only those that take a few seconds. `venv`: of the installed Callgate to measure
    instead of the source tree's; the tests come from its path."""
    python = sys.executable if venv is None else str(venv / "bin/python")
    env = os.environ if venv is None else {**os.environ, "PYTHONSAFEPATH": "1"}
    found: dict[str, list[str]] = {}
    for name in QUICK if quick else QUICK + SLOW:
        say(f"[bold]micro: {name}[/bold]{'' if venv is None else ', installed'}")
        shown = subprocess.run(
            [python, "-m", f"tests.bench.micro_{name}"],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        found[name] = shown.stdout.splitlines()
        for line in found[name]:
            say(line.replace("[", "\\["))
    return found
