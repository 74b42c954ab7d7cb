"""A real name server on a loopback port: answers from a table, counts what it is asked, can fail in several ways."""

from __future__ import annotations

import asyncio
from collections import Counter

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], tuple[int, list[str]]]
"""(name, type) to (TTL, records as in a zone file)."""


class DnsServer(asyncio.DatagramProtocol):
    """Authoritative for everything: what is not in `zone` does not exist."""

    def __init__(self) -> None:
        self.zone: Zone = {}
        self.asked: Counter[tuple[str, str]] = Counter()
        self.silent = False
        self.rcode = dns.rcode.NOERROR
        self.hold: list[tuple[bytes, tuple[str, int]]] | None = None
        """A list: answers are kept in it until `release`."""
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))

    @property
    def port(self) -> int:
        assert self._transport is not None
        port: int = self._transport.get_extra_info("sockname")[1]
        return port

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked[name, kind] += 1
        if self.silent:
            return
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        reply.set_rcode(self.rcode)
        if self.rcode == dns.rcode.NOERROR:
            self._fill(reply, question.name, name, kind)
        if self.hold is not None:
            self.hold.append((reply.to_wire(), addr))
        elif self._transport is not None:
            self._transport.sendto(reply.to_wire(), addr)

    def release(self) -> None:
        held, self.hold = self.hold, None
        for data, address in held or ():
            if self._transport is not None:
                self._transport.sendto(data, address)

    def _fill(self, reply: dns.message.Message, question: dns.name.Name, name: str, kind: str) -> None:
        found = self.zone.get((name, kind)) or self.zone.get((name, "CNAME"))
        if found is None:
            if not any(known == name for known, _ in self.zone):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            soa = "ns.example. host.example. 1 3600 600 86400 77"
            reply.authority.append(dns.rrset.from_text("example.", 900, "IN", "SOA", soa))
            return
        kind = kind if (name, kind) in self.zone else "CNAME"
        reply.answer.append(dns.rrset.from_text(question, found[0], "IN", kind, *found[1]))
        if kind == "CNAME":
            target = found[1][0].rstrip(".")
            ttl, records = self.zone[target, "A"]
            reply.answer.append(dns.rrset.from_text(target + ".", ttl, "IN", "A", *records))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
