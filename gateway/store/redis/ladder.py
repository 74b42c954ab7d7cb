"""Violations and what they closed: keys, encodings, scripts.

| key              | type   | holds                                                                              |
| ---------------- | ------ | ---------------------------------------------------------------------------------- |
| `cg:v:{H}K:S`    | string | violations of a subject S of kind K: entries as `counters` has them, oldest first;   |
|                  |        | gone with the longest window                                                        |
| `cg:x:{H}`       | hash   | restrictions the ladder made and nobody has lifted: `K:S` -> `encode`; `g`: the       |
|                  |        | generation, one more with each change                                                |
| `cg:head`        | hash   | of each shard: the field `restrictions` has the generation last heard of              |

`H` is the tag of place 0: all of it lies in one slot, a subject's windows beside what they close, in one script. The
generation in the head is what makes a restriction known at once: the head travels with every question of a worker, and
one that has a later generation than the worker's memory makes it read `cg:x` before it answers anybody. So no question
costs more than it did, and one round trip more is paid only by those that are open while something is closed.

Nothing here expires but the windows: a restriction stays until the control plane, which takes each into PostgreSQL (by
its uid, once), finds it lifted there. A worker whose memory is ahead of a Redis that was emptied writes back what it
knows (`restore`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.store.ports import LiveRestriction, Violation
from gateway.store.redis.address import command
from gateway.store.redis.names import place_tags

HEAD_FIELD: Final = b"restrictions"
GENERATION: Final = b"g"
HOME: Final = 0
"""The place of all of it."""

_VIOLATE: Final = b"""\
local now, id, uid, rule = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local at, closed = 6, {}
for step = 3, #KEYS do
  local subject, n = ARGV[at], tonumber(ARGV[at + 1])
  local list = redis.call('GET', KEYS[step]) or ''
  local found = list:find(id, 1, true)
  while found and found % 14 ~= 7 do found = list:find(id, found + 1, true) end
  if not found then
    local time, longest = now, 0
    if #list > 0 then time = math.max(time, struct.unpack('>I6', list, #list - 13)) end
    for i = 0, n - 1 do longest = math.max(longest, tonumber(ARGV[at + 3 + 2 * i])) end
    local first = math.max(1, #list - 127 * 14 + 1)
    while first < #list and now - struct.unpack('>I6', list, first) >= longest do first = first + 14 end
    list = list:sub(first) .. struct.pack('>I6', time) .. id
    redis.call('SET', KEYS[step], list, 'PX', string.format('%.0f', longest))
    for i = 0, n - 1 do
      local count, window = tonumber(ARGV[at + 2 + 2 * i]), tonumber(ARGV[at + 3 + 2 * i])
      local oldest = #list - count * 14 + 1
      if oldest >= 1 and time - struct.unpack('>I6', list, oldest) < window then
        local value = uid .. ' ' .. ARGV[1] .. ' ' .. rule .. ' ' .. ARGV[at + 2 + 2 * i] .. ' ' .. ARGV[at + 3 + 2 * i]
        if redis.call('HSETNX', KEYS[1], subject, value) == 1 then closed[#closed + 1] = subject end
      end
    end
  end
  at = at + 2 + 2 * n
end
if #closed > 0 then
  local generation = redis.call('HINCRBY', KEYS[1], 'g', 1)
  if ARGV[5] == '1' then redis.call('HSET', KEYS[2], 'restrictions', string.format('%.0f', generation)) end
end
return {redis.call('HGET', KEYS[1], 'g'), closed}
"""

_LIFT: Final = b"""\
local gone = 0
for i = 1, #ARGV, 2 do
  local value = redis.call('HGET', KEYS[1], ARGV[i])
  if value and value:sub(1, #ARGV[i + 1]) == ARGV[i + 1] then
    redis.call('HDEL', KEYS[1], ARGV[i])
    redis.call('DEL', KEYS[1 + (i + 1) / 2])
    gone = gone + 1
  end
end
if gone > 0 then redis.call('HINCRBY', KEYS[1], 'g', 1) end
return {gone, redis.call('HGET', KEYS[1], 'g')}
"""

_RESTORE: Final = b"""\
for i = 2, #ARGV, 2 do redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1]) end
local generation = tonumber(redis.call('HGET', KEYS[1], 'g') or '0')
if generation <= tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'g', string.format('%.0f', ARGV[1] + 1)) end
return 1
"""

Key = tuple[str, str]
"""Kind and subject."""


def state_key() -> bytes:
    """Of what is closed."""
    return b"cg:x:{%s}" % place_tags()[HOME]


def window_key(kind: str, subject: str) -> bytes:
    """Of a subject's violations."""
    return b"cg:v:{%s}%s:%s" % (place_tags()[HOME], kind.encode(), subject.encode())


def violate(violation: Violation, head: bytes, clustered: bool) -> bytes:
    """The command that counts a violation, once, and closes what it was one too many for. Its reply is the generation
    and the subjects closed by it. `head`: of the shard; in a cluster each shard's is told apart."""
    keys = [state_key(), state_key() if clustered else head]
    words = [
        b"%d" % int(violation.at * 1000), bytes.fromhex(violation.decision)[:8], violation.decision.encode(),
        violation.rule.encode(), b"0" if clustered else b"1",
    ]  # fmt: skip
    for step in violation.steps:
        keys.append(window_key(step.kind, step.subject))
        words += [f"{step.kind}:{step.subject}".encode(), b"%d" % len(step.limits)]
        words += [b"%d" % number for count, seconds in step.limits for number in (count, seconds * 1000)]
    return command(b"EVAL", _VIOLATE, b"%d" % len(keys), *keys, *words)


def lift(entries: Mapping[Key, LiveRestriction]) -> tuple[bytes, ...]:
    """The words of the command that opens again what these closed, and forgets the violations: the reply is how many
    there were, and the generation."""
    keys = [state_key(), *[window_key(kind, subject) for kind, subject in entries]]
    fields = [(f"{kind}:{subject}".encode(), one.uid.encode()) for (kind, subject), one in entries.items()]
    words = [word for field in fields for word in field]
    return (b"EVAL", _LIFT, b"%d" % len(keys), *keys, *words)


def restore(entries: Mapping[Key, LiveRestriction], generation: int) -> bytes:
    """The command that writes back what a Redis that was emptied does not know."""
    words = [word for (kind, subject), one in entries.items() for word in (f"{kind}:{subject}".encode(), encode(one))]
    return command(b"EVAL", _RESTORE, b"1", state_key(), b"%d" % generation, *words)


def tell_head(head: bytes, generation: bytes) -> bytes:
    """The command that makes a generation known to the readers of a shard."""
    return command(b"HSET", head, HEAD_FIELD, generation)


def ask_state() -> bytes:
    """The command that reads all of it; `read_state` reads the reply."""
    return command(b"HGETALL", state_key())


def ask_generation() -> bytes:
    """The command that reads whether anything has changed."""
    return command(b"HGET", state_key(), GENERATION)


def encode(one: LiveRestriction) -> bytes:
    """Value of a field of the state."""
    return f"{one.uid} {one.at * 1000:.0f} {one.rule} {one.count} {one.seconds * 1000}".encode()


def read_state(reply: Any) -> tuple[dict[Key, LiveRestriction], int]:
    """What is closed, and the generation. Raises ValueError on what was not written by us."""
    if not isinstance(reply, list):
        raise ValueError(f"restrictions: {reply!r}")
    found: dict[Key, LiveRestriction] = {}
    generation = 0
    for field, value in zip(reply[::2], reply[1::2], strict=True):
        if field == GENERATION:
            generation = int(value)
            continue
        kind, _, subject = field.decode().partition(":")
        uid, at, rule, count, window = value.decode().split(" ")
        found[kind, subject] = LiveRestriction(uid, int(at) / 1000, rule, int(count), int(window) // 1000)
    return found, generation
