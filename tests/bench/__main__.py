"""`make bench`: what a call costs, Callgate beside Kamailio and beside a bare relay, in one run.

    python -m tests.bench                    # everything but soak: a good hour on two cores
    python -m tests.bench --quick            # ten minutes, rough
    python -m tests.bench --only micro       # single steps of the call path
    python -m tests.bench --only macro       # Callgate, Kamailio, relay
    python -m tests.bench --only scale       # few and many consents, ranges, calls up; memory per call
    python -m tests.bench --only capacity    # what 10,000 calls/s and 600 million refusals need
    python -m tests.bench --only replay      # a million recorded decisions judged again
    python -m tests.bench --only soak --minutes 30 --rate 300
    python -m tests.bench --compiled .venv-compiled  # a compiled Callgate beside the plain one
    python -m tests.bench --tree old=../old  # a second Callgate from another source tree, to compare two versions

Prints tables and saves everything, run by run, as JSON. Exit code 1 when a run with failed calls had to be left out, or
a soak was not flat.
Everything happens on 127.0.0.0/8, bounded in calls and time; no process is touched that was not started here.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

from rich.console import Console

from tests.bench import capacity, long, macro, replaying, report
from tests.bench.deployment import ROOT
from tests.bench.micro import run_micro
from tests.bench.subject import Subject
from tests.bench.subject_callgate import Callgate
from tests.bench.subject_kamailio import Kamailio, missing
from tests.bench.subject_relay import Relay

NAMES = ("callgate", "callgate-plain", "kamailio", "kamailio-piped", "relay")
SCENARIOS = ("micro", "macro", "scale", "capacity", "replay", "soak")
IN_ALL = SCENARIOS[:-1]
"""What `python -m tests.bench` does without `--only`."""
RUNS_IN_ALL = 3
LONG_RATE = 300.0
"""Calls per second of scale, capacity and soak: less than half of what the slowest machine passes."""
WIDTH = 160
"""Columns where the output is no terminal."""
QUICK = macro.Plan(
    runs=1, rates=(500.0,), seconds=5.0, warm=False, highest_s=5.0, confirm_s=10.0, highest_from=500.0, resolution=0.25,
    delay_s=4.0,
)  # fmt: skip


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("python -m tests.bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--runs", type=int, help="macro: runs of each subject, in alternating order (5; 3 in the whole)"
    )
    parser.add_argument("--rate", help="calls per second, comma between several (macro: 200,500,1000; else 300)")
    parser.add_argument("--seconds", type=float, help="macro, scale: seconds of each run, warm-up not counted (20)")
    parser.add_argument("--only", choices=SCENARIOS, help="one part only")
    parser.add_argument(
        "--consents", type=int, help="scale: consents of the larger gateway (10 million; 1 in the whole)"
    )
    parser.add_argument("--held", type=int, help="scale: calls held up (20,000)")
    parser.add_argument("--decisions", type=int, help="replay: recorded decisions (1 million; 50,000 when quick)")
    parser.add_argument("--full-rate", type=float, help="scale: calls per second that memory is measured at (1,000)")
    parser.add_argument("--minutes", type=float, default=30.0, help="soak: how long (30)")
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
    plan = QUICK if options.quick else macro.Plan() if options.only else macro.Plan(runs=RUNS_IN_ALL)
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


def scale_of(options: argparse.Namespace) -> long.Scale:
    """The amounts the options ask for."""
    plan = long.QUICK if options.quick else long.Scale() if options.only else long.IN_ALL
    changed = {
        name: getattr(options, name) for name in ("seconds", "consents", "held", "full_rate") if getattr(options, name)
    }
    return replace(plan, rate=one_rate(options), **changed)


def one_rate(options: argparse.Namespace) -> float:
    """The rate of a scenario that has one."""
    return float(options.rate.split(",")[0]) if options.rate and options.only else LONG_RATE


def run_macro(options: argparse.Namespace, directory: Path, console: Console) -> tuple[dict[str, object], bool]:
    """Subjects side by side; whether all runs could be reported."""
    plan = plan_of(options)
    subjects = subjects_of(options, directory)
    console.print("[bold]macro[/bold]", macro.machine())
    measured = macro.run_macro(subjects, plan, directory, lambda line: console.print(line, highlight=False))
    console.print(report.cost_table(measured, plan.rates), report.part_table(measured, plan.rates))
    if plan.highest_s or plan.delay_s:
        console.print(report.delay_table(measured))
    for note in report.notes(measured, plan.warm):
        console.print(note, highlight=False)
    return macro.as_json(measured, plan), not any(entry.refused for entry in measured)


def main() -> int:
    """The whole benchmark; the exit code."""
    options = arguments()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # what was started is ended then, too
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    saved: dict[str, object] = {"began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": macro.machine()}
    good = True
    venv = options.compiled.absolute() if options.compiled else None
    output: Path = options.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"bench-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.json"
    directory = Path(tempfile.mkdtemp(prefix="run-", dir=output))
    try:
        for name in (options.only,) if options.only else IN_ALL:
            if name == "micro":
                saved[name] = run_micro(options.quick, console.print)
                if venv:
                    saved["micro-compiled"] = run_micro(options.quick, console.print, venv)
            elif name == "macro":
                saved[name], passed = run_macro(options, directory, console)
                good &= passed
            elif name == "scale":
                saved[name] = long.run_scale(scale_of(options), directory, console, venv)
            elif name == "capacity":
                share = long.QUICK_SHARE if options.quick else capacity.SHARE
                saved[name] = long.run_capacity(one_rate(options), share, directory, console, venv)
            elif name == "replay":
                most = replaying.QUICK_DECISIONS if options.quick else replaying.DECISIONS
                replayed = replaying.run_replay(options.decisions or most, directory, console.print)
                console.print(report.replay_table(replayed))
                saved[name] = [asdict(one) for one in replayed]
            else:
                saved[name], passed = long.run_soak(one_rate(options), options.minutes, directory, console, venv)
                good &= passed
            path.write_text(json.dumps(saved, indent=1))  # after each part: what was measured is not lost
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    (output / "latest.json").write_text(path.read_text())
    console.print(f"saved {path}", highlight=False)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
