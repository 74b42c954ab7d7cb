"""Micro-benchmark of a whole worker in its own process: sockets, event loop, Redis, journal. One call at a time, so
that each message is a turn of its own, as at a few hundred calls per second.

    python -m tests.bench.micro_worker [--calls N] [--count] [--keep FILE]

Shown are microseconds of processor time per call (user and system). `--count`: instructions per call instead, under
valgrind's callgrind: exact, whatever else the machine does; the profile is left in FILE. It takes ports 5060 of
127.0.0.12 and 127.0.0.19. T1 is short, so that the timers of finished calls run out within the measurement.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from gateway.gate.pseudonym import Pseudonymizer
from gateway.keys import load, load_or_create
from gateway.settings import Listener, Log, Node, Probe, Redis, Settings, Timers
from gateway.store.redis.lastgood import FILE_NAME
from gateway.telemetry.logs import configure_logs
from gateway.worker.main import Worker
from tests.bench.deployment import CALLEES, CALLER_HOST, CALLERS, CARRIER_HOST, CARRIER_PORT, snapshot
from tests.bench.phone import Caller, answers
from tests.support.gateway_process import free_port
from tests.support.redis_dataset import Dataset
from tests.support.redis_server import RedisServer

START_S = 180.0
"""Longest wait for the worker's first answer: callgrind is slow."""

ANSWER_S = 30.0
CALLGRIND = ("valgrind", "--tool=callgrind", "--collect-systime=no")


def settings_of(directory: Path, port: int) -> Settings:
    """The worker's."""
    return Settings(
        node=Node(state_dir=str(directory)),
        listener=(Listener(name="main", address="127.0.0.1", port=port),),
        redis=Redis(url=f"unix://{directory}/r.sock"),
        log=Log(level="error"),
        probe=Probe(enabled=False),  # the phones answer calls only
        timers=Timers(t1_ms=200),
    )


def serve(directory: Path, port: int) -> None:
    """The worker, until SIGTERM."""
    settings = settings_of(directory, port)
    configure_logs(settings.log, "bench")
    loop = uvloop.new_event_loop()
    worker = Worker(settings, 0, loop)
    loop.run_until_complete(worker.start())
    loop.add_signal_handler(signal.SIGTERM, loop.stop)
    loop.run_forever()
    worker.edge.stop()
    worker.journal.close()


class Phones:
    """Both far ends, in this process."""

    def __init__(self, port: int) -> None:
        self._gateway = ("127.0.0.1", port)
        self._caller = self._bound(CALLER_HOST)
        self._carrier = self._bound(CARRIER_HOST)
        self._make = Caller((CALLER_HOST, CARRIER_PORT), self._gateway)
        self._number = 0

    @staticmethod
    def _bound(host: str) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((host, CARRIER_PORT))
        made.settimeout(ANSWER_S)
        return made

    def wait_ready(self) -> None:
        """Until calls are allowed."""
        deadline = time.monotonic() + START_S
        self._caller.settimeout(2.0)
        while True:
            self._number += 1
            call = b"ready-%d" % self._number
            self._caller.sendto(self._make.later(b"OPTIONS", 1, call, b"x", b"\r\n\r\n").replace(
                b"OPTIONS  SIP", b"OPTIONS sip:127.0.0.1 SIP"), self._gateway)  # fmt: skip
            try:
                self._caller.recv(65_535)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise SystemExit("the worker does not answer") from None
        while True:  # the answers to all that was asked meanwhile
            try:
                self._caller.recv(65_535)
            except OSError:
                break
        self._caller.settimeout(ANSWER_S)

    def call(self) -> None:
        """One call, with its end."""
        self._number += 1
        call = b"c%d" % self._number
        caller, callee = CALLERS[self._number % 100].encode(), CALLEES[self._number % 100].encode()
        caller_leg, carrier_leg, gateway, make = self._caller, self._carrier, self._gateway, self._make
        caller_leg.sendto(make.invite(call, caller, callee), gateway)
        self._next(b"SIP/2.0 100")
        ringing, answer = answers(self._passed(b"INVITE"))
        carrier_leg.sendto(ringing, gateway)
        self._next(b"SIP/2.0 180")
        carrier_leg.sendto(answer, gateway)
        answer = self._next(b"SIP/2.0 200")
        caller_leg.sendto(make.later(b"ACK", 1, call, caller, answer), gateway)
        self._passed(b"ACK")
        caller_leg.sendto(make.later(b"BYE", 2, call, caller, answer), gateway)
        carrier_leg.sendto(answers(self._passed(b"BYE"))[0], gateway)
        self._next(b"SIP/2.0 200")

    def _next(self, start: bytes) -> bytes:
        return self._awaited(self._caller, start)

    def _passed(self, method: bytes) -> bytes:
        return self._awaited(self._carrier, method)

    @staticmethod
    def _awaited(leg: socket.socket, start: bytes) -> bytes:
        """The next message that begins so; what is sent again on a slow machine is passed over."""
        while True:
            found = leg.recv(65_535)
            if found.startswith(start):
                return found


def spent(pid: int) -> tuple[float, float]:
    """(user, system) seconds of a process so far, to the tick (10 ms)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick


def run(calls: int, count: bool, keep: Path) -> None:
    """Start everything, make the calls, print one line."""
    with tempfile.TemporaryDirectory() as name, RedisServer(Path(name)) as server:
        directory = Path(name)
        port = free_port()
        settings = settings_of(directory, port)
        load_or_create(settings.keys_file)
        pseudonymizer = Pseudonymizer(load(settings.keys_file).pseudonym)
        data = Dataset(server.client(), epoch=7, buckets=64)
        data.publish()
        for callee in CALLEES[:100]:
            data.grant(pseudonymizer.hash(callee), 1, 1)
        keep(directory / FILE_NAME, snapshot())
        prefix = (*CALLGRIND, f"--callgrind-out-file={keep}") if count else ()
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.bench.micro_worker", "--serve", str(directory), str(port)],
            stderr=subprocess.DEVNULL if count else None,
        )
        try:
            phones = Phones(port)
            phones.wait_ready()
            for _ in range(calls):
                phones.call()
            if count:
                subprocess.run(["callgrind_control", "-z", str(process.pid)], check=True, stdout=subprocess.DEVNULL)
            before = spent(process.pid)
            for _ in range(calls):
                phones.call()
            after = spent(process.pid)
            if count:
                subprocess.run(["callgrind_control", "-d", str(process.pid)], check=True, stdout=subprocess.DEVNULL)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    if not count:
        user, system = ((end - start) / calls * 1e6 for start, end in zip(before, after, strict=True))
        print(f"worker, one call at a time: {user + system:6.1f} us per call ({user:.1f} user, {system:.1f} system)")
        return
    dumps = sorted(keep.parent.glob(f"{keep.name}.*"))
    total = 0
    for dump in dumps[-2:]:
        text = dump.read_text()
        if "Trigger: Client Request" in text or "callgrind_control" in text or "desc: Trigger" in text:
            found = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
            total = max(total, int(found[1]) if found else 0)
    print(f"worker, one call at a time: {total / calls / 1000:.1f} thousand instructions per call; see {dumps[-1]}")


def main() -> None:
    """Print one line."""
    parser = argparse.ArgumentParser("python -m tests.bench.micro_worker", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--calls", type=int, default=0, help="default: 5000, with --count 400")
    parser.add_argument("--count", action="store_true", help="instructions instead of time")
    parser.add_argument("--keep", type=Path, default=Path("callgrind.worker"), help="callgrind's profile")
    parser.add_argument("--serve", nargs=2, metavar=("DIR", "PORT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(Path(options.serve[0]), int(options.serve[1]))
    else:
        run(options.calls or (400 if options.count else 5_000), options.count, options.keep)


if __name__ == "__main__":
    main()
