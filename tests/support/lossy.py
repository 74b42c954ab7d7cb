"""A path that loses and reorders datagrams, and telephones that repeat what they must until it is through
(RFC 3261 §13.3.1.4, §17)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Self, cast

from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from tests.support.sip_text import Party, answer, caller_party, invite

T1_S, T2_S = 0.5, 4.0
GIVE_UP_S = 64 * T1_S

Address = tuple[str, int]


class LossyPath:
    """Between a telephone and the gateway, both ways. The n-th datagram meets the same fate for the same seed."""

    def __init__(self, seed: int, loss: float = 0.05, late: float = 0.1, late_s: float = 0.15) -> None:
        """`loss`: share that is dropped; `late`: share that comes up to `late_s` late, so that others overtake it."""
        self._random = Random(seed)
        self._loss = loss
        self._late = late
        self._late_s = late_s
        self.carried = 0
        self.dropped = 0
        self.delayed = 0

    def __str__(self) -> str:
        return f"{self.carried} carried, {self.dropped} dropped, {self.delayed} late"

    def carry(self, deliver: Callable[[], None]) -> None:
        """Deliver now, later or never."""
        self.carried += 1
        fate, wait = self._random.random(), self._random.random() * self._late_s
        if fate < self._loss:
            self.dropped += 1
        elif fate < self._loss + self._late:
            self.delayed += 1
            asyncio.get_running_loop().call_later(wait, deliver)
        else:
            deliver()


class LossyPhone(asyncio.DatagramProtocol):
    """One socket at the end of a lossy path."""

    def __init__(self, path: LossyPath) -> None:
        self.path = path
        self.repeats = 0
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def open(cls, path: LossyPath, host: str, port: int = 0) -> Self:
        """Bind. Raises OSError."""
        loop = asyncio.get_running_loop()
        _, phone = await loop.create_datagram_endpoint(lambda: cls(path), local_addr=(host, port))
        return phone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    @property
    def address(self) -> Address:
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")[:2]
        return host, port

    def send(self, data: bytes, to: Address) -> None:
        self.path.carry(lambda: self._send(data, to))

    def _send(self, data: bytes, to: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, to)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.path.carry(lambda: self.received(parse(data), addr))

    def received(self, message: Request | Response, addr: Address) -> None:
        """What came through."""

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


class PatientCallee(LossyPhone):
    """Rings, answers, and repeats its 200 until the ACK (§13.3.1.4); takes the BYE, as often as it comes."""

    def __init__(self, path: LossyPath) -> None:
        super().__init__(path)
        self.calls: set[bytes] = set()
        self.unconfirmed: dict[bytes, asyncio.TimerHandle] = {}
        """Call-ID to the next repetition of its 200."""
        self._last: dict[bytes, bytes] = {}
        """Branch of an INVITE to the response it got last."""

    def received(self, message: Request | Response, addr: Address) -> None:
        if not isinstance(message, Request):
            return
        if message.method == b"ACK":
            if (timer := self.unconfirmed.pop(message.call_id, None)) is not None:
                timer.cancel()
        elif message.method != b"INVITE":
            self.send(answer(message, 200), addr)
        elif (last := self._last.get(message.via.branch)) is not None:
            self.send(last, addr)
        else:
            self.calls.add(message.call_id)
            self._last[message.via.branch] = ringing = answer(message, 180)
            self.send(ringing, addr)
            asyncio.get_running_loop().call_later(0.02, self._answer, message, addr)

    def _answer(self, request: Request, addr: Address) -> None:
        self._last[request.via.branch] = taken = answer(request, 200)
        self._insist(request.call_id, taken, addr, T1_S)

    def _insist(self, call_id: bytes, taken: bytes, addr: Address, interval: float) -> None:
        self.repeats += interval > T1_S
        self.send(taken, addr)
        self.unconfirmed[call_id] = asyncio.get_running_loop().call_later(
            interval, self._insist, call_id, taken, addr, min(interval * 2, T2_S)
        )


class PatientCaller(LossyPhone):
    """Places calls and ends them, and repeats its requests as timers A and E say."""

    def __init__(self, path: LossyPath) -> None:
        super().__init__(path)
        self._responses: dict[tuple[bytes, bytes], asyncio.Queue[Response]] = {}
        self._acks: dict[bytes, bytes] = {}
        self._gateway: Address = ("", 0)

    def received(self, message: Request | Response, addr: Address) -> None:
        if not isinstance(message, Response):
            return
        if message.cseq_method == b"INVITE" and message.status >= 200 and message.call_id in self._acks:
            self.send(self._acks[message.call_id], addr)
        elif (waiting := self._responses.get((message.call_id, message.cseq_method))) is not None:
            waiting.put_nowait(message)

    async def call(self, gateway: Address, call_id: bytes, up_s: float) -> int:
        """A call that is up for so long: 200 when it was answered and ended, else the status that ended it. Raises
        TimeoutError."""
        self._gateway = gateway
        host, port = self.address
        via = b"SIP/2.0/UDP %b:%d;rport" % (host.encode(), port)
        contact = b"<sip:agent@%b:%d>" % (host.encode(), port)
        sent = invite(via=via, branch=b"z9hG4bK" + call_id, call_id=call_id, contact=contact, body=b"")
        answered = await self._ask(sent, call_id, b"INVITE")
        if answered.status != 200:
            return answered.status
        party: Party = caller_party(sent, answered, via)
        self._acks[call_id] = party.request(b"ACK", b"z9hG4bKa" + call_id, cseq=1, contact=b"")
        self.send(self._acks[call_id], gateway)
        await asyncio.sleep(up_s)
        return (await self._ask(party.request(b"BYE", b"z9hG4bKb" + call_id, contact=b""), call_id, b"BYE")).status

    async def _ask(self, data: bytes, call_id: bytes, method: bytes) -> Response:
        """Send a request, again and again until it is answered; the final response."""
        key = call_id, method
        waiting = self._responses[key] = asyncio.Queue()
        interval, proceeding = T1_S, False
        try:
            async with asyncio.timeout(GIVE_UP_S):
                self.send(data, self._gateway)
                while True:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(None if proceeding else interval):
                            response = await waiting.get()
                        if response.status >= 200:
                            return response
                        proceeding = method == b"INVITE"
                        continue
                    self.repeats += 1
                    self.send(data, self._gateway)
                    interval = interval * 2 if method == b"INVITE" else min(interval * 2, T2_S)
        finally:
            del self._responses[key]
