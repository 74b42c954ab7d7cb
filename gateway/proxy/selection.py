"""Which next hop first: the orders of NAPTR and SRV records (RFC 3263 §4, RFC 2782), without the look-ups.

Pure: randomness is injected as `pick(n)`, a number from 0 to n inclusive, so a test writes the draw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

Pick = Callable[[int], int]
"""An equally likely integer of 0 … n, both included."""

DEFAULT_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061}
"""RFC 3261 §19.1.2."""

SERVICES: Final = {"sip+d2u": "udp", "sip+d2t": "tcp", "sips+d2t": "tls"}
"""NAPTR services this element can use (RFC 3263 §4.1), in lower case."""

SRV_NAMES: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
"""What stands before the domain in a look-up of SRV records (RFC 3263 §4.1)."""


class Naptr(NamedTuple):
    """One NAPTR record (RFC 3403)."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


class Srv(NamedTuple):
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


class Service(NamedTuple):
    """A transport, and the name its SRV records stand at."""

    transport: str
    name: str


class Target(NamedTuple):
    """One address to try."""

    transport: str
    """`udp`, `tcp` or `tls`."""
    address: str
    """IPv4 or IPv6, without brackets."""
    port: int


def services(records: Iterable[Naptr], transports: Sequence[str], secure: bool) -> tuple[Service, ...]:
    """The services that NAPTR records offer, in the order they are to be tried (RFC 3263 §4.1): those of our
    transports, and TLS alone where `secure` (a sips URI). A record with a regexp, without the flag `s`, or for another
    service is left out."""
    usable = []
    for record in records:
        transport = SERVICES.get(record.service.lower())
        if transport is None or transport not in transports or (secure and transport != "tls"):
            continue
        if record.flags.lower() == "s" and not record.regexp and record.replacement.strip("."):
            usable.append((record.order, record.preference, Service(transport, record.replacement)))
    usable.sort(key=lambda entry: entry[:2])
    return tuple(dict.fromkeys(entry[2] for entry in usable))


def default_services(domain: str, transports: Sequence[str], secure: bool) -> tuple[Service, ...]:
    """What to look up where there are no NAPTR records: SRV of every transport of ours, in our order."""
    wanted = [transport for transport in transports if transport == "tls" or not secure]
    return tuple(Service(transport, SRV_NAMES[transport] + domain) for transport in wanted)


def is_refused(records: Sequence[Srv]) -> bool:
    """True where the domain says that it has no such service: one record, with the root as its target (RFC 2782)."""
    return len(records) == 1 and records[0].target in ("", ".")


def ordered(records: Iterable[Srv], pick: Pick) -> tuple[Srv, ...]:
    """SRV records in the order they are to be tried: by priority, and at random by weight inside one (RFC 2782).

    As the RFC has it: those of weight 0 stand first, then a number of 0 … the sum of weights is drawn, and the first
    record whose running sum reaches it is next; so weight 0 is drawn rarely where others have weight, but is. Where
    all have weight 0, all are equally likely."""
    waiting = sorted(records, key=lambda record: (record.priority, record.weight != 0))
    found: list[Srv] = []
    while waiting:
        priority = waiting[0].priority
        group = [record for record in waiting if record.priority == priority]
        del waiting[: len(group)]
        total = sum(record.weight for record in group)
        while group:
            at = _drawn(group, pick(total)) if total else pick(len(group) - 1)
            total -= group[at].weight
            found.append(group.pop(at))
    return tuple(found)


def _drawn(group: Sequence[Srv], drawn: int) -> int:
    running = 0
    for index, record in enumerate(group):
        running += record.weight
        if running >= drawn:
            return index
    return len(group) - 1
