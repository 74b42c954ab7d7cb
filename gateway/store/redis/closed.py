"""A worker's hand on the counters: violations counted before a refusal is told, and what is closed kept in memory.

`CallCounters` of one worker. Memory follows the store in two ways: by looking for a new generation every `LOOK_S`, and,
for exactness, by the generation in the head that comes with every answer (`lookup`), which makes a worker that is
behind read the state before it tells anybody what it asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol

from gateway.store.ports import LiveRestriction, Violation
from gateway.store.redis import counters, ladder
from gateway.store.redis.client import Asked
from gateway.store.redis.connection import Replies
from gateway.store.redis.deliver import Deliveries
from gateway.store.redis.names import PLACE_SHIFT, ShardKeys

LOOK_S: Final = 0.05
"""Between two looks for a new generation, of a worker with a ladder in force: a tenth of a second is promised."""


class Memory(Protocol):
    """Where restrictions are kept (`gate.ladder.LiveRestrictions`)."""

    entries: Any
    generation: int

    def put(self, entries: dict[ladder.Key, LiveRestriction], generation: int) -> None:
        """The store's state."""
        ...


class CounterStore:
    """See `ports.CallCounters`."""

    __slots__ = (
        "_deadline", "_deliveries", "_heads", "_home", "_looking", "_loop", "_memory", "_reading", "_timer", "_waiters",
        "closed", "late", "violations", "watching",
    )  # fmt: skip

    def __init__(
        self,
        route: Callable[[int], Asked | None],
        heads: Callable[[], list[tuple[Asked, ShardKeys]]],
        memory: Memory,
        deadline_s: float,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """`route`: as `Deliveries`; `heads`: every shard there is. `deadline_s`: longest wait of a refusal."""
        self._deliveries = Deliveries(route, loop)
        self._heads = heads
        self._home = route
        self._memory = memory
        self._deadline = deadline_s
        self._loop = loop
        self._looking = False
        self._reading = False
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[Callable[[bool], None]] = []
        self.watching = False
        """A pack with a ladder is in force: look for what other workers close."""
        self.violations = 0
        self.closed = 0
        """Steps closed by violations counted here."""
        self.late = 0
        """Violations that were not counted within the deadline, and are later."""

    @property
    def waiting(self) -> int:
        """Commands that wait for the store to be back."""
        return len(self._deliveries)

    @property
    def given_up(self) -> int:
        """Commands it was never told."""
        return self._deliveries.given_up

    # -- ports.CallCounters ----------------------------------------------------------------------------------------

    def violated(self, violation: Violation, done: Callable[[], None]) -> None:
        """See `ports.CallCounters`."""
        self.violations += 1
        pending = _Once(done)
        timer = self._loop.call_later(self._deadline, self._too_late, pending)
        shards = self._heads()
        clustered = bool(shards and shards[0][1].tag)
        head = shards[0][1].head if shards else b""

        def counted(reply: Any) -> None:
            if isinstance(reply, list) and reply[1]:
                self.closed += len(reply[1])
                self._tell(reply[0], clustered, lambda: self.refresh(lambda read: told()))
            else:
                told()

        def told() -> None:
            timer.cancel()
            pending.run()

        if not self._deliveries.send(ladder.HOME, ladder.violate(violation, head, clustered), counted):
            timer.cancel()  # it is away: the refusal does not wait for it
            self._loop.call_soon(self._too_late, pending)

    def release(self, callee_hash: bytes, operator: int, decision: bytes) -> None:
        """See `ports.CallCounters`."""
        self._deliveries.send(_place(callee_hash), counters.release(callee_hash, operator, decision))

    def note_result(self, callee_hash: bytes, operator: int, result: str, at: float, keep_s: int) -> None:
        """See `ports.CallCounters`."""
        words = counters.note_result(callee_hash, operator, result, at, keep_s)
        self._deliveries.send(_place(callee_hash), words)

    def note_trigger(self, callee_hash: bytes, operator: int, at: float, keep_s: int) -> None:
        """See `ports.CallCounters`."""
        self._deliveries.send(_place(callee_hash), counters.note_trigger(callee_hash, operator, at, keep_s))

    # -- memory ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Look now, and every `LOOK_S`."""
        if self._timer is None:
            self._look()

    def close(self) -> None:
        """Stop looking and sending."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._deliveries.close()

    def behind(self, generation: bytes | None) -> bool:
        """Does a head that says so know more than memory?"""
        return generation is not None and int(generation) > self._memory.generation

    def refresh(self, then: Callable[[bool], None]) -> None:
        """Read the state; `then` is told once whether memory has it."""
        self._waiters.append(then)
        if not self._reading:
            link = self._home(ladder.HOME)
            self._reading = link is not None and link.send(ladder.ask_state(), 1, self._on_state)
            if not self._reading:
                self._loop.call_soon(self._read, False)

    def _tell(self, generation: bytes, clustered: bool, then: Callable[[], None]) -> None:
        """In a cluster, let the head of each shard know. One that is away answers no question either."""
        shards = self._heads() if clustered else []
        left = len(shards) or 1

        def told(replies: Replies | None) -> None:
            nonlocal left
            left -= 1
            if not left:
                then()

        if not shards:
            told(None)
        for link, keys in shards:
            if not link.send(ladder.tell_head(keys.head, generation), 1, told):
                told(None)

    def _look(self) -> None:
        self._timer = self._loop.call_later(LOOK_S, self._look)
        if self._looking or not (self.watching or self._memory.entries):
            return
        link = self._home(ladder.HOME)
        self._looking = link is not None and link.send(ladder.ask_generation(), 1, self._on_generation)

    def _on_generation(self, replies: Replies | None) -> None:
        self._looking = False
        if replies is None or isinstance(replies[0], Exception):
            return
        if int(replies[0] or 0) != self._memory.generation:
            self.refresh(lambda read: None)

    def _on_state(self, replies: Replies | None) -> None:
        self._reading = False
        try:
            entries, generation = ladder.read_state(replies[0] if replies else None)
        except ValueError:
            self._read(False)
            return
        if generation < self._memory.generation and self._memory.entries:
            # Redis was emptied, or is an older copy: what it does not know any more it is told again.
            words = ladder.restore(self._memory.entries, self._memory.generation)
            self._deliveries.send(ladder.HOME, words)
        else:
            self._memory.put(entries, generation)
        self._read(True)

    def _read(self, done: bool) -> None:
        waiters, self._waiters = self._waiters, []
        for then in waiters:
            then(done)

    def _too_late(self, pending: _Once) -> None:
        if pending.run():
            self.late += 1


class _Once:
    """A callback that is called once, whoever comes first."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def run(self) -> bool:
        """True: it had not been called."""
        call, self._call = self._call, None
        if call is not None:
            call()
        return call is not None


def _place(callee_hash: bytes) -> int:
    return int.from_bytes(callee_hash, "big") >> PLACE_SHIFT
