"""Added post-dial delay: INVITE handed to the kernel at the caller's socket to INVITE arrived at the carrier's.

    python -m tests.bench.delay HOST PORT RATE SECONDS [SEED]

Both far ends are sockets of this process. The arrival is the kernel's time stamp (SO_TIMESTAMPNS), so it does not
matter when this process gets round to reading; the departure is read just before sendto. Calls come at random
(Poisson, seeded: the same instants for every subject), last half a second, and are whole: 100, 180, 200, ACK, BYE, 200.
Prints one line of JSON.
"""

from __future__ import annotations

import gc
import json
import random
import select
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass

from tests.bench.deployment import CALLER_HOST, CARRIER_HOST, CARRIER_PORT, NUMBERS
from tests.bench.phone import Address, Caller, answers, header, status_of

SO_TIMESTAMPNS = 35
"""<asm-generic/socket.h>; Python has no name for it. The message type of its ancillary data is the same number."""
TIMESPEC = struct.Struct("@qq")
MAX_DATAGRAM = 65_535
RECEIVE_BUFFER = 4 * 1024 * 1024

HOLD_S = 0.5
WARM_S = 2.0
"""Calls of the first seconds are not counted: caches, and the kernel's stamping, begin with them."""
LAST_S = 5.0
"""How long the last calls may take before they count as failed."""
BURST = 32


@dataclass(slots=True)
class DelayResult:
    """Microseconds. `late_us`: how far behind its own plan the generator sent, p99."""

    rate: float
    calls: int
    failed: int
    p50_us: float
    p95_us: float
    p99_us: float
    max_us: float
    late_us: float


def percentile(ordered: list[float], share: float) -> float:
    """Nearest rank."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


class Generator:
    """Places calls and answers them."""

    def __init__(self, gateway: Address, rate: float, seconds: float, seed: int) -> None:
        self._gateway = gateway
        self._rate = rate
        self._seconds = seconds
        self._random = random.Random(seed)
        self._caller = self._open(CALLER_HOST, 0)
        self._carrier = self._open(CARRIER_HOST, CARRIER_PORT)
        self._carrier.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._make = Caller(self._caller.getsockname(), gateway)
        self._sent: dict[bytes, tuple[int, bytes, bool]] = {}
        """Call-ID: when its INVITE was sent, caller number, whether it counts."""
        self._seen: set[bytes] = set()
        self._answered: set[bytes] = set()
        self._up: deque[tuple[float, bytes]] = deque()
        self.delays: list[float] = []
        self.late: list[float] = []
        self.done = 0

    @staticmethod
    def _open(host: str, port: int) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        opened.bind((host, port))
        return opened

    def run(self) -> DelayResult:
        """The whole measurement."""
        began = time.monotonic()
        due, end, started = began, began + WARM_S + self._seconds, 0
        while True:
            now = time.monotonic()
            while due <= now and due < end:
                self._place(started, due - began >= WARM_S, now - due)
                started += 1
                due += self._random.expovariate(self._rate)
            while self._up and self._up[0][0] <= now:
                self._caller.sendto(self._up.popleft()[1], self._gateway)
            if due >= end and (self.done >= started or now > end + LAST_S):
                break
            wake = min(due if due < end else now + 0.1, self._up[0][0] if self._up else now + 0.1)
            ready, _, _ = select.select([self._carrier, self._caller], [], [], max(wake - now, 0.0))
            if self._carrier in ready:
                self._carrier_turn()
            if self._caller in ready:
                self._caller_turn()
        self._caller.close()
        self._carrier.close()
        self.delays.sort()
        self.late.sort()
        p50, p95, p99 = (percentile(self.delays, share) for share in (0.50, 0.95, 0.99))
        return DelayResult(
            *(self._rate, started, started - self.done, p50, p95, p99),
            self.delays[-1] if self.delays else float("nan"),
            percentile(self.late, 0.99) * 1e6,
        )

    def _place(self, number: int, counted: bool, late_s: float) -> None:
        caller, callee = (text.encode() for text in NUMBERS[number % len(NUMBERS)])
        call = b"%d-%d" % (number, id(self))
        invite = self._make.invite(call, caller, callee)
        if counted:
            self.late.append(late_s)
        self._sent[call] = (time.time_ns(), caller, counted)
        self._caller.sendto(invite, self._gateway)

    def _carrier_turn(self) -> None:
        for _ in range(BURST):
            try:
                data, ancillary, _, address = self._carrier.recvmsg(MAX_DATAGRAM, 64)
            except BlockingIOError:
                return
            if data.startswith(b"INVITE "):
                call = header(data, b"call-id")
                if call in self._seen or call not in self._sent:
                    continue  # a repeated one: the first was answered
                self._seen.add(call)
                sent, _, counted = self._sent[call]
                if counted:
                    seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2])
                    self.delays.append((seconds * 1_000_000_000 + nanoseconds - sent) / 1e3)
            for answer in answers(data):
                self._carrier.sendto(answer, address)

    def _caller_turn(self) -> None:
        for _ in range(BURST):
            try:
                data = self._caller.recv(MAX_DATAGRAM)
            except BlockingIOError:
                return
            status = status_of(data)
            if status < 200:
                continue
            call = header(data, b"call-id")
            if b"INVITE" not in header(data, b"cseq"):
                if status == 200 and self._sent.pop(call, None) is not None:
                    self.done += 1
            elif status == 200 and call in self._sent and call not in self._answered:
                self._answered.add(call)
                caller = self._sent[call][1]
                self._caller.sendto(self._make.later(b"ACK", 1, call, caller, data), self._gateway)
                self._up.append((time.monotonic() + HOLD_S, self._make.later(b"BYE", 2, call, caller, data)))


def main(argv: list[str]) -> None:
    """One measurement; its result as one line of JSON."""
    seed = int(argv[4]) if len(argv) > 4 else 1
    generator = Generator((argv[0], int(argv[1])), float(argv[2]), float(argv[3]), seed)
    gc.disable()  # a few seconds, and nothing circular
    print(json.dumps(asdict(generator.run())))


if __name__ == "__main__":
    main(sys.argv[1:])
