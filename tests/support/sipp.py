"""SIPp as the far ends of a test: bounded in calls and in time, its own final statistics as the result."""

from __future__ import annotations

import csv
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCENARIOS = Path(__file__).parents[1] / "e2e" / "scenarios"
SIPP = "sipp"


@dataclass(frozen=True, slots=True)
class Result:
    """The last line of SIPp's statistics."""

    created: int
    successful: int
    failed: int
    retransmissions: int
    current: int
    """Calls that had not ended."""


class Sipp:
    """One SIPp process. `host` is the source address: 127.0.0.2 for a call centre, 127.0.0.9 for the carrier."""

    def __init__(self, directory: Path, name: str, arguments: list[str]) -> None:
        self.directory = directory / name
        self.directory.mkdir(parents=True, exist_ok=True)
        self._statistics = self.directory / "stat.csv"
        self.log = self.directory / "out.log"
        command = [
            *(SIPP, "-nostdin", "-trace_stat", "-stf", str(self._statistics), "-fd", "1"),
            *("-trace_err", "-error_file", str(self.directory / "err.log")),
            *arguments,
        ]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                command, cwd=self.directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait(self, timeout_s: float) -> Result:
        """Until it ends by itself; AssertionError with its log when it does not."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise AssertionError(f"SIPp did not end in {timeout_s} s: {self.result()}\n{self.errors()}") from None
        return self.result()

    def stop(self) -> Result:
        """End it now."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.result()

    def result(self) -> Result:
        """What it has counted so far."""
        if not self._statistics.exists():
            return Result(0, 0, 0, 0, 0)
        with open(self._statistics, newline="") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
        if not rows:
            return Result(0, 0, 0, 0, 0)
        last = rows[-1]
        return Result(
            int(last["TotalCallCreated"]),
            int(last["SuccessfulCall(C)"]),
            int(last["FailedCall(C)"]),
            int(last["Retransmissions(C)"]),
            int(last["CurrentCall"]),
        )

    def errors(self, last: int = 4_000) -> str:
        """The end of its error log, so many characters of it."""
        path = self.directory / "err.log"
        return path.read_text(errors="replace")[-last:] if path.exists() else ""


@contextmanager
def answering(
    directory: Path,
    host: str = "127.0.0.9",
    port: int = 5060,
    scenario: str = "uas_answer",
    limit: int = 10_000,
    timeout_s: int = 1_200,
    more: tuple[str, ...] = (),
) -> Iterator[Sipp]:
    """A far side that takes every call until the block ends, or `timeout_s` is over. `limit`: calls up at once."""
    sipp = Sipp(
        directory,
        f"uas-{host}-{port}",
        [
            *("-i", host, "-p", str(port), "-sf", str(SCENARIOS / f"{scenario}.xml")),
            *("-l", str(limit), "-timeout", str(timeout_s), *more),
        ],
    )
    time.sleep(0.3)  # SIPp says nothing when it is ready
    if sipp.process.poll() is not None:
        raise AssertionError(f"SIPp did not start:\n{sipp.log.read_text(errors='replace')}{sipp.errors()}")
    try:
        yield sipp
    finally:
        sipp.stop()


def calling(
    directory: Path,
    gateway: tuple[str, int],
    *,
    calls: int,
    rate: float,
    pause_ms: int = 500,
    numbers: list[tuple[str, str]],
    host: str = "127.0.0.2",
    port: int = 0,
    scenario: str = "uac_call",
    limit: int = 10_000,
    more: tuple[str, ...] = (),
) -> Sipp:
    """Place `calls` calls at `rate` per second, each up for `pause_ms`. `numbers`: (caller, callee), used in turn."""
    directory.mkdir(parents=True, exist_ok=True)
    injection = directory / f"numbers-{host}-{scenario}.csv"
    injection.write_text("SEQUENTIAL\n" + "".join(f"{caller};{callee}\n" for caller, callee in numbers))
    arguments = ["-i", host, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-inf", str(injection)]
    if port:
        arguments += ["-p", str(port)]
    arguments += ["-m", str(calls), "-r", str(rate), "-d", str(pause_ms), "-l", str(limit), "-timeout", "300"]
    arguments += [*more, f"{gateway[0]}:{gateway[1]}"]
    return Sipp(directory, f"uac-{host}-{scenario}", arguments)
