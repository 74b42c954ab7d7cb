"""Channels and calls per second of trunks, over all workers and nodes (DESIGN §6, Channels).

| key         | type | holds                                                                                   |
| ----------- | ---- | --------------------------------------------------------------------------------------- |
| `cg:l:{H}T` | zset | calls that hold a channel of trunk T: decision id, scored by the end of its lease (ms)   |
| `cg:s:{H}T` | list | when calls were offered to T (epoch ms), newest first, as many as its limit           |

`H` is the tag of place 0: one script takes a channel of both trunks of a call, or of none. It is sent in the turn of
the question, so a call still waits for one round trip, and only calls of trunks that have limits cost it. Both are
kept in Redis and not shared out to the workers: which worker gets a trunk's calls is the trunk's affair (source ports,
connections), and a share that lies with the wrong one would refuse calls while channels are free.

An offered call counts for the second also where it is refused afterwards; its channel is given back. A lease is of
set-up first, then as long as the call may last; it ends with the call. Soft state: a worker that dies in a set-up keeps
its channel for `SETUP_S`. While Redis is away, each worker keeps to the limits on its own, and tells what it let
through when Redis is back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from gateway.store.ports import TrunkLimit
from gateway.store.redis.address import command
from gateway.store.redis.client import Asked
from gateway.store.redis.deliver import Deliveries
from gateway.store.redis.ladder import HOME
from gateway.store.redis.names import place_tags

SETUP_S: Final = 300
"""Of a lease until the call is answered: longer than timer C lets a call ring."""
MAX_HELD: Final = 200_000
"""Calls remembered; the oldest are forgotten, and their leases end by themselves."""

_TAKE: Final = b"""\
local now, id, due = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local at = 4
for i = 1, #KEYS, 2 do
  local channels, cps = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', ARGV[1])
  if not redis.call('ZSCORE', KEYS[i], id) then
    if cps > 0 then
      local oldest = redis.call('LINDEX', KEYS[i + 1], cps - 1)
      if oldest and now - tonumber(oldest) < 1000 then return {i, 'cps'} end
    end
    if channels > 0 and redis.call('ZCARD', KEYS[i]) >= channels then return {i, 'channels'} end
  end
  at = at + 2
end
at = 4
for i = 1, #KEYS, 2 do
  local cps = tonumber(ARGV[at + 1])
  if redis.call('ZADD', KEYS[i], 'NX', due, id) == 1 and cps > 0 then
    redis.call('LPUSH', KEYS[i + 1], ARGV[1])
    redis.call('LTRIM', KEYS[i + 1], 0, cps - 1)
    redis.call('PEXPIRE', KEYS[i + 1], 2000)
  end
  at = at + 2
end
return {0, ''}
"""

Done = Callable[[str], None]
"""Told why there is no channel; empty: there is one."""


def lease_key(trunk: str) -> bytes:
    """Of the calls that hold a channel."""
    return b"cg:l:{%s}%s" % (place_tags()[HOME], trunk.encode())


def second_key(trunk: str) -> bytes:
    """Of the calls of the last second."""
    return b"cg:s:{%s}%s" % (place_tags()[HOME], trunk.encode())


class Channels:
    """`ports.CallChannels` of one worker."""

    __slots__ = ("_deadline", "_deliveries", "_held", "_loop", "_recent", "_route", "_used", "alone", "limited")

    def __init__(
        self, route: Callable[[int], Asked | None], deadline_s: float, loop: asyncio.AbstractEventLoop
    ) -> None:
        """`route`: as `Deliveries`. `deadline_s`: longest wait for Redis."""
        self._route = route
        self._deadline = deadline_s
        self._loop = loop
        self._deliveries = Deliveries(route, loop)
        self._held: dict[str, tuple[str, ...]] = {}
        self._used: dict[str, int] = {}
        self._recent: dict[str, deque[float]] = {}
        self.alone = 0
        """Calls let through by what this worker knows, because Redis was away."""
        self.limited: tuple[str, ...] = ()
        """Trunks that have limits, in the registry in force."""

    @property
    def used(self) -> dict[str, int]:
        """Channels this worker's calls hold, by trunk."""
        return {trunk: count for trunk, count in self._used.items() if count or trunk in self.limited}

    def close(self) -> None:
        """Send nothing any more."""
        self._deliveries.close()

    # -- ports.CallChannels ----------------------------------------------------------------------------------------

    def take(self, decision: str, limits: Sequence[TrunkLimit], at: float, done: Done) -> None:
        """See `ports.CallChannels`."""
        keys = [key for one in limits for key in (lease_key(one.trunk), second_key(one.trunk))]
        numbers = [b"%d" % number for one in limits for number in (one.channels, one.cps)]
        due = b"%d" % int((at + SETUP_S) * 1000)
        words = [b"EVAL", _TAKE, b"%d" % len(keys), *keys, b"%d" % int(at * 1000), decision.encode(), due, *numbers]
        asked = _Asked(self, decision, limits, at, done)
        link = self._route(HOME)
        if link is not None and link.send(command(*words), 1, asked.answered):
            asked.timer = self._loop.call_later(self._deadline, asked.answered, None)
        else:
            self._loop.call_soon(asked.answered, None)

    def keep(self, decision: str, until: float) -> None:
        """See `ports.CallChannels`."""
        trunks = self._held.get(decision)
        if trunks:
            self._lease(decision, trunks, until)

    def release(self, decision: str) -> None:
        """See `ports.CallChannels`."""
        held = self._held.pop(decision, None)
        for trunk in held or ():
            self._used[trunk] -= 1
        for trunk in self.limited if held is None else held:
            self._deliveries.send(HOME, command(b"ZREM", lease_key(trunk), decision.encode()))

    # -- what is known here ----------------------------------------------------------------------------------------

    def _lease(self, decision: str, trunks: Sequence[str], until: float) -> None:
        due = b"%d" % int(until * 1000)
        for trunk in trunks:
            self._deliveries.send(HOME, command(b"ZADD", lease_key(trunk), due, decision.encode()))

    def hold(self, decision: str, limits: Sequence[TrunkLimit], at: float) -> None:
        """A call has its channels."""
        if decision in self._held:
            return
        while len(self._held) >= MAX_HELD:
            self.release(next(iter(self._held)))
        self._held[decision] = tuple([one.trunk for one in limits])
        for one in limits:
            self._used[one.trunk] = self._used.get(one.trunk, 0) + 1
            if one.cps:
                self._recent[one.trunk] = deque((*self._recent.get(one.trunk, ()), at)[-one.cps :])

    def judge_alone(self, decision: str, limits: Sequence[TrunkLimit], at: float) -> str:
        """Without Redis: this worker's own calls against the whole limit."""
        for one in limits:
            recent = self._recent.get(one.trunk, ())
            if one.cps and len(recent) >= one.cps and at - recent[-one.cps] < 1.0:
                return _words(one, "cps")
            if one.channels and self._used.get(one.trunk, 0) >= one.channels:
                return _words(one, "channels")
        self.alone += 1
        self._lease(decision, [one.trunk for one in limits], at + SETUP_S)
        return ""


class _Asked:
    """A call that waits for its channels."""

    __slots__ = ("_at", "_channels", "_decision", "_done", "_limits", "timer")

    def __init__(
        self, channels: Channels, decision: str, limits: Sequence[TrunkLimit], at: float, done: Done
    ) -> None:
        self._channels = channels
        self._decision = decision
        self._limits = limits
        self._at = at
        self._done: Done | None = done
        self.timer: asyncio.TimerHandle | None = None

    def answered(self, replies: list[Any] | None) -> None:
        """By Redis, or None: not in time. Once."""
        done, self._done = self._done, None
        if done is None:
            return
        if self.timer is not None:
            self.timer.cancel()
        reply = replies[0] if replies else None
        if isinstance(reply, list):
            at, what = reply
            why = _words(self._limits[(at - 1) // 2], what.decode()) if at else ""
        else:
            why = self._channels.judge_alone(self._decision, self._limits, self._at)
        if not why:
            self._channels.hold(self._decision, self._limits, self._at)
        done(why)


def _words(limit: TrunkLimit, what: str) -> str:
    if what == "cps":
        return f"trunk {limit.trunk}: {limit.cps} calls in the last second"
    return f"trunk {limit.trunk}: all {limit.channels} channels taken"
