"""Runs the micro-benchmarks one after the other, each in a process of its own, and keeps what they print."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

from tests.bench.deployment import ROOT

QUICK = ("path", "sip", "proxy", "gate", "lookup")
SLOW = ("journal", "registry")
LIMIT_S = 600.0
"""No benchmark may take longer."""


def run_micro(quick: bool, say: Callable[[str], None]) -> dict[str, list[str]]:
    """Lines by benchmark. `quick`: only those that take a few seconds."""
    found: dict[str, list[str]] = {}
    for name in QUICK if quick else QUICK + SLOW:
        say(f"[bold]micro: {name}[/bold]")
        shown = subprocess.run(
            [sys.executable, "-m", f"tests.bench.micro_{name}"],
            cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=LIMIT_S, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        found[name] = shown.stdout.splitlines()
        for line in found[name]:
            say(line.replace("[", "\\["))
    return found
