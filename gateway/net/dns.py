"""Look-ups in the DNS that never block the loop: one query per name at a time, cached, the old answer where none comes.

The queries themselves are dnspython's (its asynchronous resolver: random ports and ids, TCP where an answer is cut).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

from gateway.net import tasks
from gateway.net.dns_cache import DnsCache, Key, Records
from gateway.proxy.selection import Naptr, Srv

MAX_RECORDS = 32
"""Records taken of one answer; next hops have a handful."""

MAX_QUERIES = 256
"""Look-ups under way at once."""

STALE_WAIT_S = 0.3
"""How long a look-up whose old answer is at hand waits for the new one (RFC 8767 §5, client response timer)."""

TYPES = ("A", "AAAA", "SRV", "NAPTR")


class ResolveError(Exception):
    """No answer could be had, and none is kept. The text names what was asked."""


class Resolver:
    """The DNS as the network edge asks it."""

    __slots__ = ("_clock", "_on_error", "_running", "_stub", "_timeout_s", "cache", "failures", "queries")

    def __init__(
        self,
        on_error: tasks.Report,
        nameservers: Sequence[str] = (),
        port: int = 53,
        timeout_s: float = 2.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`nameservers`: IP addresses; empty: those of /etc/resolv.conf. `timeout_s`: for one look-up with all its
        attempts. `on_error` is told of faults of ours. Raises ResolveError when there is no resolv.conf to read."""
        try:
            self._stub = dns.asyncresolver.Resolver(configure=not nameservers)
        except dns.resolver.NoResolverConfiguration as error:
            raise ResolveError("no name server in /etc/resolv.conf: name one in the configuration") from error
        if nameservers:
            self._stub.nameservers = list(nameservers)
        self._stub.port = port
        self._stub.timeout = timeout_s / 2  # so that a second server, or a second attempt, has its turn
        self._stub.use_edns(0, 0, 1232)
        self._timeout_s = timeout_s
        self._clock = clock
        self._on_error = on_error
        self._running: dict[Key, asyncio.Task[None]] = {}
        self.cache = DnsCache()
        self.queries = 0
        self.failures = 0

    async def lookup(self, name: str, kind: str) -> Records:
        """The records of `name`, one of `TYPES`: from the cache while their TTL lasts; old ones where the name servers
        fail. Empty: there are none. Raises ResolveError."""
        key = (name.lower().rstrip("."), kind)
        found = self.cache.fresh(key, self._clock())
        if found is not None:
            return found
        if not self.cache.failed_lately(key, self._clock()):
            old = self.cache.stale(key, self._clock())
            await self._ask(key, None if old is None else STALE_WAIT_S)
            found = self.cache.fresh(key, self._clock())
            if found is not None:
                return found
        found = self.cache.stale(key, self._clock())
        if found is None:
            raise ResolveError(f"{kind} of {name}: the name servers give no answer")
        return found

    async def _ask(self, key: Key, wait_s: float | None) -> None:
        """Wait for the look-up of this key, which goes on if the waiting ends first."""
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= MAX_QUERIES:
                return
            task = tasks.spawn(self._query(key), f"dns-{key[1]}", self._on_error)
            self._running[key] = task
        await asyncio.wait((task,), timeout=wait_s)

    async def _query(self, key: Key) -> None:
        name, kind = key
        self.queries += 1
        try:
            answer = await self._stub.resolve(
                name + ".", kind, lifetime=self._timeout_s, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN as error:
            ttl = min((r.resolve_chaining().minimum_ttl for r in error.kwargs["responses"].values()), default=0)
            self.cache.put(key, (), ttl, self._clock())
        except (dns.exception.DNSException, OSError, ValueError):
            self.failures += 1
            self.cache.put_failure(key, self._clock())
        else:
            ttl = answer.chaining_result.minimum_ttl
            self.cache.put(key, _records(kind, answer.rrset or ()), ttl, self._clock())
        finally:
            self._running.pop(key, None)


def _records(kind: str, rrset: Any) -> Records:
    taken = list(rrset)[:MAX_RECORDS]
    if kind == "SRV":
        return tuple(Srv(r.priority, r.weight, r.port, r.target.to_text(omit_final_dot=True)) for r in taken)
    if kind == "NAPTR":
        return tuple(
            Naptr(
                r.order,
                r.preference,
                r.flags.decode("ascii", "replace"),
                r.service.decode("ascii", "replace"),
                r.regexp.decode("ascii", "replace"),
                r.replacement.to_text(omit_final_dot=True),
            )
            for r in taken
        )
    return tuple(r.address for r in taken)
