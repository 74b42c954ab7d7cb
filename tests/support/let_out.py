"""Thousands of messages through a worker, and what it let out towards the carrier, as octets.

Messages go out in volleys; behind each goes a good call, so that the next volley begins when this one is through.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from itertools import count, islice

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from tests.support.sip_text import answer, request
from tests.support.worker_site import Site

VOLLEY = 50
VOLLEY_S = 10.0


class Volleys:
    """The two ends of a site: answers what comes, keeps what reached the carrier."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.reached: list[bytes] = []
        """Every datagram at the carrier, in order."""
        self.unreadable: list[bytes] = []
        """Those of them that our own parser cannot read."""
        self._fences = count(1)
        self._fence = b""
        self._through = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(site.carrier.socket, self._at_carrier)
        self._loop.add_reader(site.alpha.socket, self._at_caller)

    def close(self) -> None:
        """Stop reading."""
        self._loop.remove_reader(self.site.carrier.socket)
        self._loop.remove_reader(self.site.alpha.socket)

    async def fire(self, messages: Iterable[bytes]) -> None:
        """Send them all."""
        rest = iter(messages)
        while volley := list(islice(rest, VOLLEY)):
            for data in volley:
                self.site.send(data)
            self._fence = b"fence-%d" % next(self._fences)
            self._through.clear()
            self.site.send(self.site.invite(call_id=self._fence, branch=b"z9hG4bK-" + self._fence))
            async with asyncio.timeout(VOLLEY_S):
                await self._through.wait()

    def _at_carrier(self) -> None:
        for data in _waiting(self.site.carrier.socket.recv):
            self.reached.append(data)
            try:
                got = parse(data)
            except RemoteProtocolError:
                self.unreadable.append(data)
                continue
            if isinstance(got, Request) and got.method != b"ACK":
                self.site.carrier.socket.sendto(
                    answer(got, 486 if got.method == b"INVITE" else 200), ("127.0.0.1", self.site.port)
                )

    def _at_caller(self) -> None:
        for data in _waiting(self.site.alpha.socket.recv):
            try:
                got = parse(data)
            except RemoteProtocolError:
                continue  # the 400 of a request whose headers were doubled
            if isinstance(got, Response) and got.status >= 300 and got.cseq_method == b"INVITE":
                self.site.send(_ack(got))
                if got.call_id == self._fence:
                    self._through.set()


def _waiting(recv: object) -> list[bytes]:
    found: list[bytes] = []
    while True:
        try:
            found.append(recv(65_535))  # type: ignore[operator]
        except BlockingIOError:
            return found


def _ack(final: Response) -> bytes:
    from_, to = final.get(b"From") or b"", final.get(b"To") or b""
    found = re.search(rb"sips?:[^>;?]+|tel:[^>;]+", to)
    return request(
        b"ACK",
        found[0] if found else b"sip:127.0.0.1",
        via=final.get_all(b"Via")[0],
        branch=None,
        from_=from_,
        to=to,
        call_id=final.call_id,
        cseq=final.cseq,
        contact=b"",
    )
