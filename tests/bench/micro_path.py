"""Micro-benchmark of the whole call path in one process: INVITE, 180, 200, ACK, BYE and 200 through a real worker's
proxy core, gate and journal. Only the sockets are left out, and the store answers at once.

    python -m tests.bench.micro_path [--profile FILE] [--burst N]

A block of calls is taken through message kind by kind, each `--burst` messages one turn of the loop, with the evidence
written at its end. Microseconds are this thread's processor time; the best of the rounds is shown. `timers` is what
runs out in the 32 s after a call. `--profile` writes what cProfile saw (its own cost makes small functions look dear).
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop

from gateway.keys import load_or_create
from gateway.proxy.peer import Source
from gateway.settings import Listener, Log, Node, Redis, Settings
from gateway.store.ports import LookupReply, SubscriberFacts
from gateway.store.redis.lastgood import FILE_NAME
from gateway.telemetry.logs import configure_logs
from gateway.worker.main import Worker
from policies.facts import CONSENT_LIVE
from tests.bench.deployment import ACCESS, CALLEES, CALLER_HOST, CALLERS, CARRIER_HOST, CARRIER_PORT, CORE, snapshot
from tests.bench.phone import Caller, answers, header
from tests.support.gateway_process import free_port
from tests.support.kept import keep

CALLS = 500
ROUNDS = 12
CALLER, CALLEE = CALLERS[1].encode(), CALLEES[0].encode()
TIMERS_S = 40.0
"""Later than every timer of a finished call: 32 s."""
KINDS = ("INVITE", "180", "200 INVITE", "ACK", "BYE", "200 BYE", "timers")

_LIVE = SubscriberFacts(CONSENT_LIVE)


class InstantLookup:
    """`SubscriberLookup`: consent to everything, told at the end of the turn."""

    def __init__(self) -> None:
        self.waiting: list[LookupReply] = []

    def ask(self, callee_hash: bytes, operator: int, purpose: int, now: float, reply: LookupReply) -> None:
        """See `SubscriberLookup.ask`."""
        self.waiting.append(reply)

    def answer(self) -> None:
        """The store's turn."""
        waiting, self.waiting = self.waiting, []
        for reply in waiting:
            reply(_LIVE)


class Bench:
    """A real worker whose event loop stands still: messages are put in, and taken out, where its sockets would be."""

    def __init__(self, directory: Path, burst: int) -> None:
        self._burst = burst
        self.sent: list[bytes] = []
        port = free_port()
        settings = Settings(
            node=Node(state_dir=str(directory)),
            listener=(Listener(name="main", address="127.0.0.1", port=port),),
            redis=Redis(url=f"unix://{directory}/nobody.sock"),
            log=Log(level="error"),
        )
        configure_logs(settings.log, "bench")
        load_or_create(settings.keys_file)
        self._nobody = socket.socket(socket.AF_UNIX)  # takes the worker's connection to Redis, and says nothing
        self._nobody.bind(f"{directory}/nobody.sock")
        self._nobody.listen()
        # The registry comes as after a restart without Redis: from the worker's last good one.
        keep(directory / FILE_NAME, snapshot())
        loop = uvloop.new_event_loop()
        self.worker = worker = Worker(settings, 0, loop)
        loop.run_until_complete(worker.start())
        self.lookup = worker.gate._lookup = InstantLookup()
        worker.core.layer.send = lambda destination, data: self.sent.append(data)
        self.core = worker.core
        self.address = ("127.0.0.1", port)
        self.access = self._source(ACCESS, CALLER_HOST)
        self.carrier = self._source(CORE, CARRIER_HOST)
        self.spent: dict[str, float] = {}
        self.profiler: cProfile.Profile | None = None
        self._round = 0

    def _source(self, trunk: str, host: str) -> Source:
        book = self.worker.book
        if book is None:
            raise SystemExit("the worker took no registry")
        listener = self.worker.listeners[0]
        return Source(book.peers[trunk], host.encode(), CARRIER_PORT, listener.destination(host, CARRIER_PORT))

    def close(self) -> None:
        """Let the sockets and the journal go."""
        self.worker.edge.stop()
        self.worker.journal.close()
        self._nobody.close()

    def block(self) -> None:
        """`CALLS` whole calls; `spent` gets the seconds of each kind."""
        self._round += 1
        make = Caller((CALLER_HOST, CARRIER_PORT), self.address)
        calls = [b"%d-%d" % (self._round, number) for number in range(CALLS)]
        out = self._feed("INVITE", self.access, [make.invite(call, CALLER, CALLEE) for call in calls])
        if not out[0].startswith(b"INVITE "):
            raise SystemExit(f"the sample call is refused: {out[0]!r}")
        replies = [answers(data) for data in out]
        self._feed("180", self.carrier, [ringing for ringing, _ in replies])
        out = self._feed("200 INVITE", self.carrier, [answer for _, answer in replies])
        by_call = {header(data, b"call-id"): data for data in out}
        acks = [make.later(b"ACK", 1, call, CALLER, by_call[call]) for call in calls]
        byes = [make.later(b"BYE", 2, call, CALLER, by_call[call]) for call in calls]
        self._feed("ACK", self.access, acks)
        out = self._feed("BYE", self.access, byes)
        self._feed("200 BYE", self.carrier, [answers(data)[0] for data in out])
        self._timed("timers", lambda: self.core.expire(time.monotonic() + TIMERS_S))
        layer = self.core.layer
        if layer.servers or layer.clients:
            raise SystemExit(f"{len(layer.servers)} and {len(layer.clients)} transactions are left over")

    def _feed(self, kind: str, source: Source, messages: Sequence[bytes]) -> list[bytes]:
        """What went out, without what goes out beside it (100 Trying). Every message must have been passed on."""
        self.sent.clear()
        self._timed(kind, lambda: self._turns(source, messages))
        passed = [data for data in self.sent if not data.startswith(b"SIP/2.0 100")]
        if len(passed) != len(messages):
            dropped = self.core.counters.dropped
            raise SystemExit(f"{kind}: {len(messages)} in, {len(passed)} out: {passed[:1]} {dropped}")
        return passed

    def _turns(self, source: Source, messages: Sequence[bytes]) -> None:
        receive, before_send, answer = self.core.receive, self.worker.keeper.before_send, self.lookup.answer
        for start in range(0, len(messages), self._burst):
            now = time.monotonic()
            for data in messages[start : start + self._burst]:
                receive(data, source, now)
            before_send(now)
            if self.lookup.waiting:
                answer()
                before_send(time.monotonic())

    def _timed(self, kind: str, work: Callable[[], object]) -> None:
        if self.profiler is not None:
            self.profiler.enable()
        started = time.thread_time()
        work()
        self.spent[kind] = time.thread_time() - started
        if self.profiler is not None:
            self.profiler.disable()


def measure(burst: int, profiler: cProfile.Profile | None = None) -> dict[str, float]:
    """Microseconds per call by message kind: of each kind the best of the rounds."""
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), burst)
        bench.core.epoch_offset = time.time() - time.monotonic()
        bench.block()
        bench.profiler = profiler
        gc.collect()
        gc.freeze()
        best: dict[str, float] = {}
        for _ in range(ROUNDS):
            bench.block()
            for kind, spent in bench.spent.items():
                best[kind] = min(best.get(kind, 1e9), spent / CALLS * 1e6)
        bench.close()
    return best


def main() -> None:
    """Print microseconds per message kind and per call."""
    parser = argparse.ArgumentParser("python -m tests.bench.micro_path", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--profile", type=Path, metavar="FILE", help="write a cProfile dump (pstats)")
    parser.add_argument("--burst", type=int, help="messages per turn of the loop (default: 1, then 8)")
    options = parser.parse_args()
    profiler = cProfile.Profile() if options.profile else None
    for burst in (options.burst,) if options.burst else (1, 8):
        best = measure(burst, profiler)
        cells = "  ".join(f"{kind} {best[kind]:.1f}" for kind in KINDS)
        print(f"{burst} per turn: {sum(best.values()):6.1f} us per call  ({cells})")
    if profiler is not None:
        profiler.dump_stats(options.profile)
        print(f"profile of {ROUNDS * CALLS} calls written to {options.profile}")


if __name__ == "__main__":
    main()
