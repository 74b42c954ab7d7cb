"""Micro-benchmark of the whole call path in one process: INVITE, 180, 200, ACK, BYE and 200 through ProxyCore, Gatekeeper
and Gate with a real journal; only the sockets are left out, and the store answers at once.

    python -m tests.bench.micro_path [--profile FILE] [--burst N]

A block of calls is taken through message kind by kind, each `--burst` messages one turn of the loop, with the evidence
written at its end. Microseconds are this thread's processor time; the best of the rounds is shown. `timers` is what runs
out in the 32 s after a call. `--profile` writes what cProfile saw (its own cost makes small functions look dear).
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.gate.engine import Engine
from gateway.gate.evidence import Evidence
from gateway.gate.gate import Gate
from gateway.gate.pack import load_pack
from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.seal import Sealer
from gateway.net.udp import UdpListener
from gateway.proxy.cookie import CookieRing
from gateway.proxy.core import ProxyCore
from gateway.proxy.peer import Destination, Source
from gateway.store.journal.recovery import open_journal
from gateway.store.journal.writer import JournalWriter
from gateway.store.ports import LookupReply, SubscriberFacts
from gateway.telemetry.metrics import WorkerStats
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import TimerValues
from gateway.worker.gatekeeper import Gatekeeper
from gateway.worker.peers import PeerBook
from policies.facts import CONSENT_LIVE
from tests.bench.phone import Caller, answers, header
from tests.unit.gate.calls import ALPHA, CARRIER, registry

CALLS = 500
ROUNDS = 12
CALLER, CALLEE = b"+8657112340001", b"+8613800138000"
ACCESS_HOST, CORE_HOST = "127.0.0.2", "127.0.0.9"
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
    """A worker without sockets and without an event loop."""

    def __init__(self, journal: JournalWriter, burst: int) -> None:
        self._burst = burst
        self.sent: list[tuple[Destination, bytes]] = []
        self.lookup = InstantLookup()
        stats = WorkerStats(0)
        listener = UdpListener("main", "127.0.0.1", 0, b"127.0.0.1:5060")
        gate = Gate(
            "node-1", self.lookup, Evidence(journal), Pseudonymizer(bytes(32)), Sealer(1, bytes(32)), stats,
            frozenset({b"127.0.0.1"}), time.monotonic, lambda: None,
        )  # fmt: skip
        self.keeper = Gatekeeper(gate, stats, b"127.0.0.1:5060", 14_400.0, lambda act: act())
        self.core = ProxyCore(
            TransactionLayer(lambda destination, data: self.sent.append((destination, data)), TimerValues()),
            self.keeper, CookieRing({1: bytes(32)}, 1), bytes(32), frozenset({(b"127.0.0.1", 5060)}),
            (b"127.0.0.1:5060",),
        )  # fmt: skip
        table = registry(CARRIER)
        pack = load_pack(Path("config/packs/example.toml").read_text(encoding="utf-8"), "example.toml")
        gate.switch(table, Engine(pack, _rule_failed))
        book = PeerBook(table, [listener])
        self.keeper.switch(table, book)
        self.access = Source(book.peers[ALPHA.id], ACCESS_HOST.encode(), 5060, listener.destination(ACCESS_HOST, 5060))
        self.carrier = Source(book.peers[CARRIER.id], CORE_HOST.encode(), 5060, listener.destination(CORE_HOST, 5060))
        self.spent: dict[str, float] = {}
        self.profiler: cProfile.Profile | None = None
        self._round = 0

    def block(self) -> None:
        """`CALLS` whole calls; `spent` gets the seconds of each kind."""
        self._round += 1
        make = Caller((ACCESS_HOST, 5060), ("127.0.0.1", 5060))
        calls = [b"%d-%d" % (self._round, number) for number in range(CALLS)]
        out = self._feed("INVITE", self.access, [make.invite(call, CALLER, CALLEE) for call in calls])
        if not out[0].startswith(b"INVITE "):
            raise SystemExit(f"the sample call is refused: {out[0]!r}")
        replies = [answers(data, CORE_HOST.encode() + b":5060") for data in out]
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
        passed = [data for _, data in self.sent if not data.startswith(b"SIP/2.0 100")]
        if len(passed) != len(messages):
            raise SystemExit(f"{kind}: {len(messages)} in, {len(passed)} out: {passed[:1]} {self.core.counters.dropped}")
        return passed

    def _turns(self, source: Source, messages: Sequence[bytes]) -> None:
        receive, before_send, answer = self.core.receive, self.keeper.before_send, self.lookup.answer
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


def _rule_failed(rule: str, error: Exception) -> None:
    raise SystemExit(f"rule {rule} failed: {error!r}")


def measure(burst: int, profiler: cProfile.Profile | None = None) -> dict[str, float]:
    """Microseconds per call by message kind: of each kind the best of the rounds."""
    with tempfile.TemporaryDirectory() as directory:
        journal, _ = open_journal(Path(directory) / "j", keep_seconds=1, now=time.time(), post=lambda run: run())
        bench = Bench(journal, burst)
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
        journal.close()
    return best


def main() -> None:
    """Print microseconds per message kind and per call."""
    parser = argparse.ArgumentParser("python -m tests.bench.micro_path", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--profile", type=Path, metavar="FILE", help="write a cProfile dump (pstats)")
    parser.add_argument("--burst", type=int, help="messages per turn of the loop (default: 1 and 8, one after the other)")
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
