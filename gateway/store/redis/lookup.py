"""Consent and refusals of a callee, asked on the call path (`ports.SubscriberLookup`).

All asks of one turn of the event loop go out in one write and share one deadline, one request of the link and
one latency sample; there is no task, future or timer per ask. The head travels with every request: no answer
is read from a dataset that is no longer in force, and a switch to a new epoch costs one more question, not
errors. Where the new epoch is hashed with another key of ours, whoever asked hashes the number anew and asks once more
(`ports.Rekeyed`), within the same deadline.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from gateway.store.ports import Counting, HeldKeys, LookupReply, Rekeyed, SubscriberFacts, Unavailable
from gateway.store.redis import layout
from gateway.store.redis.asked_of import ASK_ANEW, HASH_ANEW, HASH_LATER, AskedOf
from gateway.store.redis.client import RedisLink
from gateway.store.redis.connection import Replies
from gateway.store.redis.counters import load_script
from gateway.store.redis.deadlines import Deadlines
from gateway.store.redis.facts import REPLIES_PER_CALLEE, Dataset, Elsewhere, NoScript, NotTheDataset, head_command
from gateway.store.redis.probe import ProbedBreaker
from gateway.store.redis.turn import (
    BREAKER_OPEN,
    LINK_DOWN,
    MOVED,
    NO_DATA_SET,
    TIMEOUT,
    AnyKey,
    Ask,
    Turn,
    refuse,
    tell,
)

LATENCY_BOUNDS: Final = (
    5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
)  # fmt: skip
"""Upper bounds in seconds of the histogram `latency_counts`, whose last entry counts what took longer: those of
`telemetry.metrics.LOOKUP_BOUNDS`, so that the counts can be handed over as they are."""

REKEY_RETRY_S: Final = 0.002
"""While the masters of a cluster switch to another key, one after the other, a callee may be at none of them."""


class Restrictions(Protocol):
    """What a worker remembers of restrictions (`closed.CounterStore`)."""

    def behind(self, generation: bytes | None) -> bool:
        """Does a head that says so know more than memory?"""
        ...

    def refresh(self, then: Callable[[bool], None]) -> None:
        """Read them; `then` is told once whether memory has them."""
        ...


class RedisLookup:
    """Asks over one link. Counters are plain numbers, read by telemetry."""

    __slots__ = (
        "_asked_of", "_asks", "_breaker", "_deadline", "_head_command", "_keys", "_link", "_loop", "_open", "_probed",
        "_wake", "breaker_refused", "invalid", "latency_counts", "latency_sum", "lookups", "on_breaker", "restrictions",
        "timeouts", "unreachable",
    )  # fmt: skip

    def __init__(
        self,
        link: RedisLink,
        deadline_s: float,
        loop: asyncio.AbstractEventLoop | None = None,
        keys: HeldKeys | None = None,
        wake: Callable[[], None] | None = None,
    ) -> None:
        """`deadline_s`: longest wait for an answer, in seconds (gate.deadline_ms). `keys`: ours; a dataset made with
        none of them is unavailable. None: not checked. `wake`: told that there is something to `flush`; None: it is
        flushed at the end of the loop's turn."""
        self._keys = keys or AnyKey()
        self._keys.on_change.append(self._key_changed)
        self._link = link
        self._head_command = head_command(link.keys)
        self._asked_of = AskedOf(self._keys, bool(link.keys.tag))
        self._loop = loop or asyncio.get_running_loop()
        self._wake = wake or self._flush_soon
        self._deadline = deadline_s
        self._asks: list[Ask] = []
        self._open = Deadlines(deadline_s, self._loop, self._expired)
        self.on_breaker: list[Callable[[bool], None]] = []
        """Called with True when the breaker opens and with False when it closes, once per change."""
        self._probed = ProbedBreaker(link, deadline_s, self._loop, self.on_breaker)
        self._breaker = self._probed.breaker
        self.lookups = 0
        """Asks, answered or not."""
        self.timeouts = 0
        """Asks that met the deadline."""
        self.breaker_refused = 0
        """Asks refused at once because the breaker was open."""
        self.unreachable = 0
        """Asks refused at once, or given up, because the link was down or no dataset was known."""
        self.invalid = 0
        """Asks answered with something that is not the dataset in force: flushed, half-loaded, foreign."""
        self.latency_counts = [0] * (len(LATENCY_BOUNDS) + 1)
        self.latency_sum = 0.0
        self.restrictions: Restrictions | None = None
        """What memory knows of restrictions; None: it does not matter here."""
        link.on_up.append(self._load_script)

    @property
    def breaker_open(self) -> bool:
        return self._breaker.open

    @property
    def breaker_opened(self) -> int:
        """Times the breaker opened."""
        return self._breaker.opened

    @property
    def epoch(self) -> int:
        """Dataset epoch asked of; 0 while none is known."""
        dataset = self._asked_of.dataset
        return 0 if dataset is None else dataset.epoch

    def set_epoch(self, epoch: int, buckets: int) -> None:
        """Name the dataset to ask (from the head). Raises ValueError on impossible numbers."""
        self._asked_of.name(epoch, buckets)

    def ask(
        self,
        callee_hash: bytes,
        operator: int,
        purpose: int,
        now: float,
        reply: LookupReply,
        counting: Counting | None = None,
    ) -> None:
        """See `ports.SubscriberLookup.ask`. Raises ValueError on what the layout has no room for."""
        if len(callee_hash) != layout.HASH_BYTES or operator >> 16 or purpose >> 8:
            raise ValueError(f"lookup of {len(callee_hash)} bytes, operator {operator}, purpose {purpose}")
        if not self._asks:
            self._wake()
        self._asks.append((callee_hash, operator, purpose, now, reply, counting))

    def ask_again(self, ask: Ask, asked_at: float) -> None:
        """What another master of the cluster sent on here. `asked_at`: loop time of the first question, whose deadline
        counts."""
        self.lookups += 1
        turn = Turn([ask], asked_at)
        if self._breaker.open:
            self.breaker_refused += 1
            self._refuse(turn, "redis did not answer lately", BREAKER_OPEN)
        elif self._send(turn):
            self._open.add_first(turn)

    def close(self) -> None:
        """Stop the timers; what is still open is answered `Unavailable`."""
        self._probed.close()
        if self._key_changed in self._keys.on_change:
            self._keys.on_change.remove(self._key_changed)
        for turn in self._open.close():
            self._refuse(turn, "lookup closed", LINK_DOWN)
        asks, self._asks = self._asks, []
        self._refuse(Turn(asks, 0.0), "lookup closed", LINK_DOWN)

    def _flush_soon(self) -> None:
        self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """End of the turn: everything asked in it leaves in one write."""
        if not self._asks:
            return
        asks, self._asks = self._asks, []
        self.lookups += len(asks)
        turn = Turn(asks, self._loop.time())
        if self._breaker.open:
            self.breaker_refused += len(asks)
            self._refuse(turn, "redis did not answer lately", BREAKER_OPEN)
        elif self._send(turn):
            self._open.add(turn)

    def _send(self, turn: Turn) -> bool:
        dataset = turn.dataset = self._asked_of.dataset
        text, reason = "no dataset epoch known yet", NO_DATA_SET
        if dataset is not None:
            asks = turn.asks
            words = [self._head_command]
            n_replies = 1 + REPLIES_PER_CALLEE * len(asks)
            for ask in asks:
                counting = ask[5]
                if counting is None:
                    words.append(dataset.commands(ask[0], ask[1], ask[2]))
                else:
                    words.append(dataset.counting(ask[0], ask[1], ask[2], ask[3], counting))
                    n_replies -= 1
            if self._link.send(b"".join(words), n_replies, partial(self._on_replies, turn)):
                return True
            text, reason = self._link.down_reason, LINK_DOWN
            if not text:
                text, reason = "redis has too much to answer", TIMEOUT
        self.unreachable += len(turn.asks)
        self._refuse(turn, text, reason)
        return False

    def _on_replies(self, turn: Turn, replies: Replies | None) -> None:
        """The link's answer to a turn; late ones (the turn was refused) are dropped."""
        if not turn.asks:
            return
        if replies is None:
            self.unreachable += len(turn.asks)
            self._refuse(turn, "redis link lost", LINK_DOWN)
            return
        self._breaker.succeeded()
        dataset = turn.dataset
        if dataset is None:
            self._follow_head(turn, replies[0])
            return
        head = replies[0]
        if head != dataset.head:
            if not isinstance(head, list) or head[:3] != dataset.head[:3]:
                self._follow_head(turn, head)
                return
            # Only what is restricted has changed: nobody is answered by a memory that does not know of it.
            restrictions = self.restrictions
            if restrictions is not None and restrictions.behind(head[3]):
                restrictions.refresh(partial(self._on_restrictions, turn, replies))
                return
            dataset.head[3] = head[3]
        self._read(turn, dataset, replies)

    def _on_restrictions(self, turn: Turn, replies: Replies, known: bool) -> None:
        """Memory has the restrictions the head of these replies spoke of; `known` False: it could not be had."""
        dataset = turn.dataset
        if not turn.asks or dataset is None:
            return
        if not known:
            self.unreachable += len(turn.asks)
            self._refuse(turn, "restrictions could not be read", LINK_DOWN)
            return
        self._read(turn, dataset, replies)

    def _read(self, turn: Turn, dataset: Dataset, replies: Replies) -> None:
        elapsed = self._loop.time() - turn.asked_at
        asks, turn.asks = turn.asks, []
        self._count_latency(elapsed, len(asks))
        at = 1
        unknown: list[Ask] = []
        for ask in asks:
            _, _, purpose, now, reply, counting = ask
            try:
                if counting is None:
                    answer: SubscriberFacts | Unavailable = dataset.read(replies[at], replies[at + 1], purpose, now)
                else:
                    answer = dataset.read_counted(replies[at], purpose, now)
                    at -= 1
            except NoScript:
                unknown.append(ask)
                at += 1
                continue
            except NotTheDataset as error:
                at -= counting is not None
                self.invalid += 1
                reason = MOVED if isinstance(error, Elsewhere) else NO_DATA_SET
                answer = Unavailable(f"redis holds no valid data: {error}", reason)
            at += REPLIES_PER_CALLEE
            tell(self._loop, reply, answer)
        if unknown:
            self._teach(Turn(unknown, turn.asked_at), turn.taught)

    def _teach(self, turn: Turn, taught: bool) -> None:
        """The server does not know the script: it was restarted, or told to forget. Once more, with the script, within
        the same deadline."""
        if taught:
            self.invalid += len(turn.asks)
            self._refuse(turn, "redis does not keep the script that counts", NO_DATA_SET)
            return
        turn.taught = True
        self._load_script()
        if self._send(turn):
            self._open.add_first(turn)

    def _load_script(self) -> None:
        self._link.send(load_script(), 1, _ignore)

    def _follow_head(self, turn: Turn, head: Any) -> None:
        """The dataset in force is another one: ask that, once, within the same deadline."""
        late = self._loop.time() >= turn.asked_at + self._deadline
        what, text = self._asked_of.follow(turn, head, late)
        if what == ASK_ANEW:
            turn.repeated = True
            self._send(turn)
        elif what in (HASH_ANEW, HASH_LATER):
            asks, turn.asks = turn.asks, []
            if what == HASH_ANEW:
                self._rekey(asks, turn.asked_at)
            else:
                self._loop.call_later(REKEY_RETRY_S, self._rekey, asks, turn.asked_at)
        else:
            self.invalid += len(turn.asks)
            self._refuse(turn, text, what)

    def _key_changed(self) -> None:
        """Another key is in use: what is yet to be sent finds nobody under its hashes."""
        self._asked_of.name_again()
        if self._asks:
            asks, self._asks = self._asks, []
            self._loop.call_soon(self._rekey, asks, self._loop.time())

    def _rekey(self, asks: list[Ask], asked_at: float) -> None:
        """Have them asked again, with hashes under the key in use."""
        for ask in asks:
            tell(self._loop, ask[4], Rekeyed(partial(self._again, ask, asked_at)))

    def _again(self, ask: Ask, asked_at: float, callee_hash: bytes) -> None:
        self.ask_again((callee_hash, *ask[1:]), asked_at)

    def _expired(self, turn: Turn) -> None:
        self.timeouts += len(turn.asks)
        for _ in turn.asks:
            self._probed.failed()
        self._refuse(turn, "redis did not answer in time", TIMEOUT)

    def _refuse(self, turn: Turn, text: str, reason: str) -> None:
        refuse(self._loop, turn, text, reason)

    def _count_latency(self, elapsed: float, asks: int) -> None:
        self.latency_sum += elapsed * asks
        self.latency_counts[bisect_left(LATENCY_BOUNDS, elapsed)] += asks


def _ignore(replies: Replies | None) -> None:
    """Whether it was taken shows with the next question."""
