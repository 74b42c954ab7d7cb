"""What is counted of a callee: keys, encodings, and the one script that reads all facts and counts the attempt.

Design. Counters are the only data in Redis that is not a projection of PostgreSQL. They belong to a callee, so they lie
in the slot of its place (`names`), under keys of their own that no epoch, rebuild or sweep of the projection touches:

| key            | type   | holds                                                                               |
| -------------- | ------ | ----------------------------------------------------------------------------------- |
| `cg:f:{T}HASH` | hash   | of the callee with this hash (16 hex digits, all of it); T: tag of its place, in a   |
|                |        | single Redis too. Field `a`: calls counted of all callers; `oN`: of operator number  |
|                |        | N, both as entries of 14 bytes, oldest first: when (48 bits, epoch ms) and the first |
|                |        | 8 bytes of the decision id. `dN`, `bN`, `uN`: when a call of N was declined, busy,   |
|                |        | unanswered; `tN`: last trigger for N (epoch ms). `k`: longest span counted here, ms   |
| `cg:since:{T}` | string | since when calls are counted in this slot, epoch ms                                  |

A list is no longer than the largest count of a limit allows (`MAX_ENTRIES`), entries beyond the longest window go with
the next count, and the key itself with its last window (PEXPIRE, never shortened).

The script is one command in the place of the two plain ones (`facts`), on the same bucket keys. It compares the times
of the worker, which the record holds as well: at a limit of n the n-th newest entry decides, nothing is added up.
It counts the attempt if the bucket is whole, consent live, nothing declined, no silence kept, a trigger there (each
only where a rule enforces it) and no limit reached. An attempt whose decision id is in the list is counted already: the
same INVITE after a restart is the same call. What only Python can judge (scoped refusals) is judged first, and then
asked again with `JUDGED`. A call that is refused after it was counted is taken out again (`release`).

Lost counters. A flushed or emptied Redis has no markers either: calls are refused as store-unavailable until the data
set is there again. The counts before are gone then, `cg:since` says since when there are new ones (a fact of every
decision, a gauge, a warning in the log): until the longest window is over, a callee may be called up to its limit once
more. A replica that takes over has what was copied, which is a few milliseconds less.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any, Final

from gateway.store.ports import Counting, Tally
from gateway.store.redis.address import command
from gateway.store.redis.names import PLACE_SHIFT, place_tags

OWN_WORDS: Final = 14
"""Words of a question that are its own: four keys, what the plain commands ask for, when, which call, whose, flags."""
ENTRY: Final = 14
"""Bytes of an entry: when, and what."""
MAX_ENTRIES: Final = 128
"""Of a list; above the largest count of a limit (`policies.limits.MAX_COUNT`)."""

CONSENT: Final = 1
REFUSALS: Final = 2
SILENCE: Final = 4
TRIGGER: Final = 8
PURPOSE: Final = 16
COUNT: Final = 32
JUDGED: Final = 64
"""Flags: what has to hold before the attempt is counted; whether the call has a purpose; whether it is to be counted at
all; whether the scoped refusals were judged already."""

SCRIPT: Final = b"""\
local consents = redis.call('HMGET', KEYS[1], 'm', ARGV[2], ARGV[3])
local refusals = redis.call('SMISMEMBER', KEYS[2], ARGV[4], ARGV[5], ARGV[6])
local now, id, op = tonumber(ARGV[7]), ARGV[8], ARGV[9]
local flags, keep, n_callee, n_operator = tonumber(ARGV[10]), tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local found = redis.call('HMGET', KEYS[3], 'a', 'o' .. op, 'd' .. op, 'b' .. op, 'u' .. op, 't' .. op, 'k')
local function has(bit) return math.floor(flags / bit) % 2 == 1 end
local function upto(list)
  local at = list:find(id, 1, true)
  while at and at % 14 ~= 7 do at = list:find(id, at + 1, true) end
  return at and list:sub(1, at - 7)
end
local function newest(list, most) return most > 0 and list:sub(-most * 14) or '' end
local function look(list, at, n)
  local most, reached = 0, false
  for i = at, at + 2 * n - 2, 2 do
    local count = tonumber(ARGV[i])
    if count > most then most = count end
    local first = #list - count * 14 + 1
    if first >= 1 and now - struct.unpack('>I6', list, first) < tonumber(ARGV[i + 1]) then reached = true end
  end
  return most, reached
end
local all, own = found[1] or '', found[2] or ''
local known_all, known_own = upto(all), upto(own)
local counted = (known_all or known_own) and 1 or 0
all, own = known_all or all, known_own or own
local most_all, full_all = look(all, 18, n_callee)
local most_own, full_own = look(own, 18 + 2 * n_callee, n_operator)
local since = redis.call('GET', KEYS[4])
if counted == 0 and has(32) and consents[1] == ARGV[1] and refusals[1] == 1 and not full_all and not full_own then
  local ok = true
  if has(1) then
    local live = consents[2]
    ok = live and (live == '0' or now < tonumber(live) * 1000)
  end
  if ok and has(2) then
    ok = refusals[2] == 0 and (refusals[3] == 0 or not has(16)) and (not consents[3] or has(64))
  end
  if ok and has(4) then
    for i = 0, 2 do
      local at = found[3 + i]
      if at and now - tonumber(at) < tonumber(ARGV[14 + i]) then ok = false end
    end
  end
  if ok and has(8) then
    local at = found[6]
    ok = at and now - tonumber(at) <= tonumber(ARGV[17])
  end
  if ok then
    local longest = math.max(keep, tonumber(found[7] or '0'))
    local entry = struct.pack('>I6', now) .. id
    local function add(list)
      local first = math.max(1, #list - 127 * 14 + 1)
      while first < #list and now - struct.unpack('>I6', list, first) >= longest do first = first + 14 end
      return list:sub(first) .. entry
    end
    local words = {'k', string.format('%.0f', longest)}
    if n_callee > 0 then words[#words + 1] = 'a' words[#words + 1] = add(all) end
    if n_operator > 0 then words[#words + 1] = 'o' .. op words[#words + 1] = add(own) end
    redis.call('HSET', KEYS[3], unpack(words))
    if redis.call('PTTL', KEYS[3]) < longest then redis.call('PEXPIRE', KEYS[3], string.format('%.0f', longest)) end
    if not since then
      since = ARGV[7]
      redis.call('SET', KEYS[4], since)
    end
    counted = 1
  end
end
return {consents, refusals, counted, newest(all, most_all), newest(own, most_own), found[3], found[4], found[5],
  found[6], since}
"""
SHA: Final = hashlib.sha1(SCRIPT).hexdigest().encode()

RELEASE: Final = b"""\
for i = 2, #ARGV do
  local list = redis.call('HGET', KEYS[1], ARGV[i])
  local at = list and list:find(ARGV[1], 1, true)
  while at and at % 14 ~= 7 do at = list:find(ARGV[1], at + 1, true) end
  if at then redis.call('HSET', KEYS[1], ARGV[i], list:sub(1, at - 7) .. list:sub(at + 8)) end
end
return 1
"""

NOTE: Final = b"""\
local at = redis.call('HGET', KEYS[1], ARGV[1])
if not at or tonumber(at) < tonumber(ARGV[2]) then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
local longest = math.max(tonumber(ARGV[3]), tonumber(redis.call('HGET', KEYS[1], 'k') or '0'))
redis.call('HSET', KEYS[1], 'k', string.format('%.0f', longest))
if redis.call('PTTL', KEYS[1]) < longest then redis.call('PEXPIRE', KEYS[1], string.format('%.0f', longest)) end
return 1
"""

_RESULT_FIELDS: Final = {"declined": b"d", "busy": b"b", "unanswered": b"u"}


def counters_key(callee_hash: bytes) -> bytes:
    """Of a callee (8 bytes)."""
    return b"cg:f:{%s}%s" % (_tag(callee_hash), callee_hash.hex().encode())


def since_key(callee_hash: bytes) -> bytes:
    """Of the slot a callee is counted in."""
    return b"cg:since:{%s}" % _tag(callee_hash)


def _tag(callee_hash: bytes) -> bytes:
    return place_tags()[int.from_bytes(callee_hash, "big") >> PLACE_SHIFT]


def release(callee_hash: bytes, operator: int, decision: bytes) -> bytes:
    """The command that takes an attempt out of the counts again."""
    key = counters_key(callee_hash)
    return command(b"EVAL", RELEASE, b"1", key, decision[:8], b"a", b"o%d" % operator)


def note_result(callee_hash: bytes, operator: int, result: str, at: float, keep_s: int) -> bytes:
    """The command that notes how a call of this operator ended (`policies.cooldown.RESULTS`). `at`: epoch seconds."""
    return _note(callee_hash, b"%s%d" % (_RESULT_FIELDS[result], operator), at, keep_s)


def note_trigger(callee_hash: bytes, operator: int, at: float, keep_s: int) -> bytes:
    """The command that notes what a return visit may answer."""
    return _note(callee_hash, b"t%d" % operator, at, keep_s)


def _note(callee_hash: bytes, field: bytes, at: float, keep_s: int) -> bytes:
    key = counters_key(callee_hash)
    return command(b"EVAL", NOTE, b"1", key, field, b"%d" % int(at * 1000), b"%d" % (keep_s * 1000))


def load_script() -> bytes:
    """The command that makes the script known to a server; its reply is `SHA`."""
    return command(b"SCRIPT", b"LOAD", SCRIPT)


def ask_command(
    keys: tuple[bytes, bytes], words: tuple[bytes, ...], callee_hash: bytes, operator: int, now: float, asked: Counting
) -> bytes:
    """The question as one EVALSHA. `keys`: of the bucket's consents and refusals; `words`: what the plain commands ask
    them for (marker, consent field, scoped field, marker member, two refusal members)."""
    spec = asked.spec
    flags = (spec.flags | JUDGED) if asked.judged else spec.flags
    if not asked.purpose:
        flags &= ~PURPOSE
    if asked.dry:
        flags &= ~COUNT
    own = (
        *keys, counters_key(callee_hash), since_key(callee_hash), *words, b"%d" % int(now * 1000), asked.decision[:8],
        b"%d" % operator, b"%d" % flags,
    )  # fmt: skip
    begin, end = _static(spec.numbers)
    return begin + b"".join([b"$%d\r\n%s\r\n" % (len(word), word) for word in own]) + end


@lru_cache(maxsize=256)
def _static(numbers: tuple[int, ...]) -> tuple[bytes, bytes]:
    """What the commands of one spec have in common: how they begin, and how they end."""
    whole = command(b"EVALSHA", SHA, b"4", *[b""] * OWN_WORDS, *[b"%d" % number for number in numbers])
    begin, end = whole.split(b"$0\r\n\r\n" * OWN_WORDS)
    return begin, end


def read_tally(reply: list[Any], now: float) -> Tally:
    """What the script said beside consents and refusals. Raises ValueError on what it never says."""
    now_ms = int(now * 1000)
    _, _, counted, callee, own, declined, busy, unanswered, trigger, since = reply
    return Tally(
        counted == 1,
        _ages(callee, now_ms),
        _ages(own, now_ms),
        (_age(declined, now_ms), _age(busy, now_ms), _age(unanswered, now_ms)),
        _age(trigger, now_ms),
        0 if since is None else int(since),
    )


def _ages(entries: bytes, now_ms: int) -> tuple[int, ...]:
    if not entries:
        return ()
    if len(entries) % ENTRY:
        raise ValueError(f"{len(entries)} bytes of counted calls")
    starts = range(len(entries) - ENTRY, -1, -ENTRY)
    return tuple([max(0, now_ms - int.from_bytes(entries[start : start + 6], "big")) for start in starts])


def _age(at: bytes | None, now_ms: int) -> int:
    return -1 if at is None else max(0, now_ms - int(at))
