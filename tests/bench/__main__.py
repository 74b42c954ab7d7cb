"""`make bench`: what a call costs, Callgate beside Kamailio and beside a bare relay, in one run.

    python -m tests.bench                    # everything: an hour on two cores
    python -m tests.bench --quick            # six minutes, rough
    python -m tests.bench --only micro       # single steps of the call path
    python -m tests.bench --compiled .venv-compiled  # a compiled Callgate beside the plain one
    python -m tests.bench --tree old=../old  # a second Callgate from another source tree, to compare two versions

Prints tables and saves everything, run by run, as JSON. Exit code 1 when a run with failed calls had to be left out.
Everything happens on 127.0.0.0/8, bounded in calls and time; no process is touched that was not started here.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from tests.bench import macro, report
from tests.bench.deployment import ROOT
from tests.bench.micro import run_micro
from tests.bench.subject import Subject
from tests.bench.subject_callgate import Callgate
from tests.bench.subject_kamailio import Kamailio, missing
from tests.bench.subject_relay import Relay

NAMES = ("callgate", "callgate-plain", "kamailio", "kamailio-piped", "relay")
WIDTH = 160
"""Columns where the output is no terminal."""
QUICK = macro.Plan(
    runs=1, rates=(500.0,), seconds=5.0, warm=False, highest_s=5.0, confirm_s=10.0, highest_from=500.0, resolution=0.25,
    delay_s=4.0,
)  # fmt: skip


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("python -m tests.bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, help="runs of each subject, in alternating order (5)")
    parser.add_argument("--rate", help="calls per second, comma between several (200,500,1000)")
    parser.add_argument("--seconds", type=float, help="seconds of each run, warm-up not counted (20)")
    parser.add_argument("--only", choices=("macro", "micro"), help="one half only")
    parser.add_argument("--quick", action="store_true", help="one short run at 500/s, no warm-up, a coarse search")
    parser.add_argument("--no-warm-up", action="store_true", help="count from the start; timers' work is then missing")
    parser.add_argument("--no-highest", action="store_true", help="do not look for the highest rate")
    parser.add_argument("--no-delay", action="store_true", help="do not measure the delay")
    parser.add_argument("--subjects", default="callgate,kamailio,relay", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--tree", action="append", default=[], metavar="NAME=DIR", help="one more Callgate, from DIR")
    parser.add_argument("--compiled", type=Path, metavar="VENV", help="where the wheel is: then callgate is that one")
    parser.add_argument("--workers", type=int, default=1, help="Callgate's workers (1)")
    parser.add_argument("--output", type=Path, default=ROOT / "var/bench", help="where JSON files go (var/bench)")
    return parser.parse_args()


def plan_of(options: argparse.Namespace) -> macro.Plan:
    """The plan the options ask for."""
    plan = QUICK if options.quick else macro.Plan()
    if options.runs:
        plan = replace(plan, runs=options.runs)
    if options.rate:
        plan = replace(plan, rates=tuple(float(rate) for rate in options.rate.split(",")))
    if options.seconds:
        plan = replace(plan, seconds=options.seconds)
    if options.no_warm_up:
        plan = replace(plan, warm=False)
    if options.no_highest:
        plan = replace(plan, highest_s=0.0)
    return replace(plan, delay_s=0.0) if options.no_delay else plan


def subjects_of(options: argparse.Namespace, directory: Path) -> list[Subject]:
    """The subjects in the order named. Exits when a program is missing."""
    found: list[Subject] = []
    names: list[str] = options.subjects.split(",")
    if options.compiled and "callgate" in names:
        names.insert(names.index("callgate") + 1, "callgate-plain")
    for name in names:
        if name.startswith("kamailio") and (package := missing()):
            sys.exit(f"Kamailio cannot be measured: apt-get install {package}; or leave it out with --subjects")
        if name == "callgate":
            venv = options.compiled.absolute() if options.compiled else None
            found.append(Callgate(directory / name, workers=options.workers, venv=venv))
        elif name == "callgate-plain":
            found.append(Callgate(directory / name, name, workers=options.workers))
        elif name in ("kamailio", "kamailio-piped"):
            found.append(Kamailio(directory / name, name == "kamailio-piped"))
        elif name == "relay":
            found.append(Relay(directory / name))
        else:
            sys.exit(f"no subject {name!r}: {', '.join(NAMES)}")
    for entry in options.tree:
        name, _, tree = entry.partition("=")
        path = Path(tree).resolve()
        if not name or name in NAMES or not (path / "gateway").is_dir():
            sys.exit(f"--tree {entry!r}: NAME=DIR with a new name and a directory that has gateway/")
        found.append(Callgate(directory / name, name, path, options.workers))
    return found


def main() -> int:
    """The whole benchmark; the exit code."""
    options = arguments()
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    saved: dict[str, object] = {"began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
    code = 0
    output: Path = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    if options.only != "macro":
        saved["micro"] = run_micro(options.quick, console.print)
        if options.compiled:
            saved["micro-compiled"] = run_micro(options.quick, console.print, options.compiled.absolute())
    if options.only != "micro":
        plan = plan_of(options)
        directory = Path(tempfile.mkdtemp(prefix="run-", dir=output))
        try:
            subjects = subjects_of(options, directory)
            console.print("[bold]macro[/bold]", macro.machine())
            measured = macro.run_macro(subjects, plan, directory, lambda line: console.print(line, highlight=False))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        saved["macro"] = macro.as_json(measured, plan)
        console.print(report.cost_table(measured, plan.rates), report.part_table(measured, plan.rates))
        if plan.highest_s or plan.delay_s:
            console.print(report.delay_table(measured))
        for note in report.notes(measured, plan.warm):
            console.print(note, highlight=False)
        code = int(any(entry.refused for entry in measured))
    path = output / f"bench-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(saved, indent=1))
    (output / "latest.json").write_text(path.read_text())
    console.print(f"saved {path}", highlight=False)
    return code


if __name__ == "__main__":
    sys.exit(main())
