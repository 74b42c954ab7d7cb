"""Answers of the DNS, kept by their TTL within bounds; old ones are kept on for when the resolver fails (RFC 8767)."""

from __future__ import annotations

from collections import OrderedDict

from gateway.proxy.selection import Naptr, Srv

Records = tuple[str, ...] | tuple[Srv, ...] | tuple[Naptr, ...]
"""Addresses, SRV or NAPTR records; empty: the name does not exist, or has none of this type."""

Key = tuple[str, str]
"""(name, type)."""

MAX_ENTRIES = 4_096
"""Names kept, a few hundred octets each: next hops are configured, and few. Full: the one used least recently goes."""

MIN_TTL_S = 5.0
"""A TTL of 0 would mean a look-up for every call."""

MAX_TTL_S = 3_600.0
"""A record that was changed is found within the hour, whatever its TTL said."""

MIN_NEGATIVE_TTL_S = 5.0
MAX_NEGATIVE_TTL_S = 300.0
"""For "no such name", by the SOA record (RFC 2308); a name that is put right is found within five minutes."""

FAILURE_S = 5.0
"""After a look-up failed: no further one for that name in this time (RFC 2308 §7)."""

MAX_STALE_S = 86_400.0
"""How long after its TTL an answer serves when no new one can be had (RFC 8767 §5 suggests one to three days)."""


class _Entry:
    __slots__ = ("fresh_until", "known", "records", "retry_at")

    def __init__(self) -> None:
        self.records: Records = ()
        self.known = False
        self.fresh_until = 0.0
        self.retry_at = 0.0


class DnsCache:
    """The answers of one resolver. Times are monotonic seconds."""

    __slots__ = ("_entries", "stale_served")

    def __init__(self) -> None:
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self.stale_served = 0

    def __len__(self) -> int:
        return len(self._entries)

    def fresh(self, key: Key, now: float) -> Records | None:
        """The records within their TTL, or None."""
        entry = self._entries.get(key)
        if entry is None or not entry.known or now >= entry.fresh_until:
            return None
        self._entries.move_to_end(key)
        return entry.records

    def stale(self, key: Key, now: float) -> Records | None:
        """The records past their TTL, or None: for when no new ones can be had."""
        entry = self._entries.get(key)
        if entry is None or not entry.known or now >= entry.fresh_until + MAX_STALE_S:
            return None
        self.stale_served += 1
        return entry.records

    def failed_lately(self, key: Key, now: float) -> bool:
        """True when a look-up just failed, so that the next one waits."""
        entry = self._entries.get(key)
        return entry is not None and now < entry.retry_at

    def put(self, key: Key, records: Records, ttl: float, now: float) -> None:
        """Keep an answer for `ttl` seconds, brought within the bounds."""
        low, high = (MIN_TTL_S, MAX_TTL_S) if records else (MIN_NEGATIVE_TTL_S, MAX_NEGATIVE_TTL_S)
        entry = self._entry(key)
        entry.records = records
        entry.known = True
        entry.fresh_until = now + min(max(ttl, low), high)
        entry.retry_at = 0.0

    def put_failure(self, key: Key, now: float) -> None:
        """A look-up failed: what is known stays."""
        self._entry(key).retry_at = now + FAILURE_S

    def _entry(self, key: Key) -> _Entry:
        entry = self._entries.get(key)
        if entry is None:
            if len(self._entries) >= MAX_ENTRIES:
                self._entries.popitem(last=False)
            entry = self._entries[key] = _Entry()
        self._entries.move_to_end(key)
        return entry
