"""Does a lookup take longer where there are more consents to look it up in? Two Redis servers side by side, one with
few consents and one with many, asked in turn, so that whatever else the machine does meets both alike.

    python -m tests.bench.scale_lookup                 # 10 thousand and 10 million: two minutes, 1 GB
    python -m tests.bench.scale_lookup 1000000         # another number for the many

Filled in the projection's own layout, bucket by bucket. One question at a time, of callees spread over all there are:
the time is from the question to the answer, `RedisLookup` and Redis together, over a unix socket."""

from __future__ import annotations

import asyncio
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median, quantiles

import uvloop

from gateway.store.ports import SubscriberFacts, Unavailable
from gateway.store.redis import layout
from gateway.store.redis.address import command
from gateway.store.redis.client import RedisLink
from gateway.store.redis.lookup import RedisLookup
from policies.facts import CONSENT_LIVE
from tests.support.redis_server import RedisServer

FEW, MANY = 10_000, 10_000_000
EPOCH = 7
OPERATOR, PURPOSE = 1, 2
ASKS = 40_000
"""Of each server."""
WARM = 2_000
SAMPLE = 100_000
"""Callees asked for, at most."""
DEADLINE_S = 5.0
AT_ONCE = 64
"""Buckets sent before their replies are read."""
TARGET = 1.2


@dataclass(slots=True)
class Side:
    """One data set. Times in microseconds."""

    consents: int
    fill_s: float
    resident_mb: float
    p50: float = 0.0
    p99: float = 0.0


@dataclass(slots=True)
class LookupScale:
    """What was found."""

    few: Side
    many: Side
    target: float = TARGET

    @property
    def ratio(self) -> float:
        """How many times as long the median takes."""
        return self.many.p50 / self.few.p50

    def __str__(self) -> str:
        """A sentence."""
        sides = "; ".join(
            f"{side.consents:,} consents ({side.resident_mb:,.0f} MB): p50 {side.p50:.1f} us, p99 {side.p99:.1f} us"
            for side in (self.few, self.many)
        )
        return f"lookups in turn: {sides}; p50 x {self.ratio:.2f} (target {self.target:g})"


def _buckets(consents: int, sample: list[bytes]) -> Iterator[bytes]:
    """For each bucket the commands that fill it; `sample` gets callees spread over all."""
    dice = Random(consents)
    buckets = layout.choose_buckets(consents)
    every = max(1, consents // SAMPLE)
    tail = layout.consent_field(b"\0" * 8, OPERATOR, PURPOSE)[6:]
    live, done = layout.encode_live(None), 0
    for bucket in range(buckets):
        size = (bucket + 1) * consents // buckets - done
        low, high = -(-(bucket << 32) // buckets), -(-((bucket + 1) << 32) // buckets)
        ends = dice.randbytes(4 * size)
        hashes = [
            (low + (high - low) * row // max(size, 1)).to_bytes(4, "big") + ends[4 * row : 4 * row + 4]
            for row in range(size)
        ]
        words = [layout.MARKER_FIELD, layout.marker_value(EPOCH)]
        for callee in hashes:
            words += (callee[2:] + tail, live)
        sample += hashes[-done % every :: every]
        done += size
        yield command(b"HSET", layout.consents_key(EPOCH, bucket), *words) + command(
            b"SADD", layout.refusals_key(EPOCH, bucket), layout.marker_member(EPOCH)
        )


def fill(server: RedisServer, path: str, consents: int) -> tuple[Side, list[bytes]]:
    """Fill a server; callees to ask for."""
    began, sample = time.monotonic(), list[bytes]()
    with socket.socket(socket.AF_UNIX) as plain:
        plain.connect(path)
        waiting: list[bytes] = []
        for commands in _buckets(consents, sample):
            waiting.append(commands)
            if len(waiting) >= AT_ONCE:
                _send(plain, waiting)
        _send(plain, waiting)
    with server.client() as client:
        client.hset(layout.HEAD_KEY, mapping=layout.encode_head(1, EPOCH, layout.choose_buckets(consents), 0.0))
        resident = int(client.info("memory")["used_memory"]) / 1e6
    return Side(consents, time.monotonic() - began, resident), sample


def _send(plain: socket.socket, waiting: list[bytes]) -> None:
    plain.sendall(b"".join(waiting))
    left = 2 * len(waiting)
    waiting.clear()
    while left > 0:
        replies = plain.recv(1 << 16)
        if not replies or b"-" in replies:
            raise AssertionError(f"redis: {replies[:200]!r}")
        left -= replies.count(b"\n")


class _Asker:
    """Asks one server."""

    def __init__(self, lookup: RedisLookup, callees: list[bytes]) -> None:
        self._lookup, self._callees = lookup, callees
        self._dice = Random(1)
        self.times: list[float] = []

    async def ask(self) -> None:
        """One question and its answer."""
        answered: asyncio.Future[SubscriberFacts | Unavailable] = asyncio.get_running_loop().create_future()
        callee = self._dice.choice(self._callees)
        began = time.perf_counter()
        self._lookup.ask(callee, OPERATOR, PURPOSE, 1e9, answered.set_result)
        answer = await answered
        self.times.append((time.perf_counter() - began) * 1e6)
        if isinstance(answer, Unavailable) or answer.consent != CONSENT_LIVE:
            raise AssertionError(f"not found: {answer}")


async def _measure(sides: list[tuple[RedisServer, Side, list[bytes]]], asks: int) -> None:
    async with AsyncExitStack() as stack:
        askers = []
        for server, side, callees in sides:
            link = RedisLink(server.url)
            up = asyncio.Event()
            link.on_up.append(up.set)
            running = asyncio.ensure_future(link.run())
            stack.callback(running.cancel)
            await up.wait()
            lookup = RedisLookup(link, DEADLINE_S)
            stack.callback(lookup.close)
            lookup.set_epoch(EPOCH, layout.choose_buckets(side.consents))
            askers.append(_Asker(lookup, callees))
        for turn in range(WARM + asks):
            for asker in askers if turn % 2 else reversed(askers):
                await asker.ask()
        for asker, (_, side, _) in zip(askers, sides, strict=True):
            times = asker.times[WARM:]
            side.p50, side.p99 = median(times), quantiles(times, n=100)[98]


def scale_lookup(few: int = FEW, many: int = MANY, asks: int = ASKS) -> LookupScale:
    """Fill two servers, ask them in turn."""
    with ExitStack() as stack:
        sides = []
        for consents in (few, many):
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(RedisServer(directory))
            side, callees = fill(server, str(server.socket), consents)
            sides.append((server, side, callees))
        uvloop.run(_measure(sides, asks))
        return LookupScale(sides[0][1], sides[1][1])


if __name__ == "__main__":
    found = scale_lookup(many=int(sys.argv[1]) if len(sys.argv) > 1 else MANY)
    print(found)
    sys.exit(found.ratio > TARGET)
