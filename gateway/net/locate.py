"""Where a next hop's name leads: the procedure of RFC 3263 §4, over look-ups that are given."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from ipaddress import ip_address
from typing import NamedTuple, Protocol

from gateway.net.dns import ResolveError
from gateway.net.dns_cache import Records
from gateway.proxy.selection import (
    DEFAULT_PORTS,
    SRV_NAMES,
    Naptr,
    Pick,
    Service,
    Srv,
    Target,
    default_services,
    is_refused,
    ordered,
    services,
)

MAX_TARGETS = 32
"""Addresses of one next hop: more are never tried within the life of a call."""


class Query(NamedTuple):
    """What the configuration, or a URI, says of a next hop."""

    host: str
    """A name, or an IP address with or without brackets."""
    port: int = 0
    """0 where none is given: only then SRV records are asked for (RFC 3263 §4.2)."""
    transport: str = ""
    """`udp`, `tcp`, `tls`; empty where none is given: only then NAPTR records are asked for (§4.1)."""
    secure: bool = False
    """A sips URI: TLS and nothing else."""


class LocateError(Exception):
    """A name leads nowhere; the text says why."""


class Lookup(Protocol):
    """`dns.Resolver`, as far as it is needed here."""

    def lookup(self, name: str, kind: str) -> Awaitable[Records]:
        """The records of a name; raises ResolveError."""
        ...


class Locator:
    """Names to targets, for the transports and address families that this gateway has listeners for."""

    __slots__ = ("_families", "_pick", "_resolver", "_transports")

    def __init__(self, resolver: Lookup, transports: Sequence[str], ipv4: bool, ipv6: bool, pick: Pick) -> None:
        """`transports`: ours, the preferred one first. `pick(n)`: a random integer of 0 … n."""
        self._resolver = resolver
        self._transports = tuple(transports)
        self._families = (("AAAA",) if ipv6 else ()) + (("A",) if ipv4 else ())
        self._pick = pick

    async def locate(self, query: Query) -> tuple[Target, ...]:
        """The addresses to try, in order, at least one. Draws anew each time, so that weights spread the calls; what it
        asks is in the resolver's cache. Raises LocateError."""
        try:
            found = tuple(dict.fromkeys(await self._locate(query)))
        except ResolveError as error:
            raise LocateError(str(error)) from error
        if not found:
            raise LocateError(f"{query.host}: no address of a family that has a listener")
        return found[:MAX_TARGETS]

    async def _locate(self, query: Query) -> Sequence[Target]:
        host = query.host.strip("[]")
        transport = query.transport or ("tls" if query.secure else "udp")
        if query.secure and transport != "tls":
            raise LocateError(f"{query.host}: a sips URI needs tls, not {transport}")
        if _is_numeric(host):
            return (Target(transport, host, query.port or DEFAULT_PORTS[transport]),)
        if query.port:
            return await self._at(transport, ((host, query.port),))
        found = await self._by_srv(query, host)
        if found is None:  # §4.2: no SRV records, so the name itself is looked up
            found = await self._at(transport, ((host, DEFAULT_PORTS[transport]),))
        return found

    async def _by_srv(self, query: Query, host: str) -> list[Target] | None:
        """The targets of SRV records; None where there are no such records."""
        targets: list[Target] = []
        any_records = False
        failure: ResolveError | None = None
        for service in await self._services(query, host):
            try:
                records = [r for r in await self._resolver.lookup(service.name, "SRV") if isinstance(r, Srv)]
                any_records = any_records or bool(records)
                if not is_refused(records):
                    names = [(record.target, record.port) for record in ordered(records, self._pick)]
                    targets += await self._at(service.transport, names)
            except ResolveError as error:
                failure = error
        if failure is not None and not targets:
            raise failure
        return targets if any_records else None

    async def _services(self, query: Query, host: str) -> tuple[Service, ...]:
        if query.transport:
            return (Service(query.transport, SRV_NAMES[query.transport] + host),)
        try:
            records = [r for r in await self._resolver.lookup(host, "NAPTR") if isinstance(r, Naptr)]
        except ResolveError:
            records = []  # a name server that knows no NAPTR must not stop what SRV records can say
        if not records:
            return default_services(host, self._transports, query.secure)
        found = services(records, self._transports, query.secure)
        if not found:
            raise LocateError(f"{query.host}: its NAPTR records offer none of {', '.join(self._transports)}")
        return found

    async def _at(self, transport: str, names: Sequence[tuple[str, int]]) -> list[Target]:
        """The addresses of names, in the order of the names. A name that fails is left out while others do not."""
        answers = await asyncio.gather(*(self._addresses(name) for name, _ in names), return_exceptions=True)
        targets: list[Target] = []
        failure: ResolveError | None = None
        for (_, port), answer in zip(names, answers, strict=True):
            if isinstance(answer, ResolveError):
                failure = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                targets += [Target(transport, address, port) for address in answer]
        if failure is not None and not targets:
            raise failure
        return targets

    async def _addresses(self, name: str) -> list[str]:
        if _is_numeric(name):
            return [name]  # no host name, but seen in SRV records
        found: list[str] = []
        failure: ResolveError | None = None
        for kind in self._families:
            try:
                found += [address for address in await self._resolver.lookup(name, kind) if isinstance(address, str)]
            except ResolveError as error:
                failure = error
        if failure is not None and not found:
            raise failure
        return found


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
