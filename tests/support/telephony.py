"""One call at a time through a running gateway, with real phones on the example's addresses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from gateway.cli.phones import AnsweringPhone, Phone, PlacedCall, place_call
from gateway.sip.message import Headers

ALPHA, BETA = "+8657112340001", "+8657156780001"
CONSENTED, DECLINED, UNKNOWN = "+8613800138000", "+8613800138001", "+8613900139000"


@dataclass(slots=True)
class Telephony:
    """A call centre's and a carrier's phone, each with a far side that answers."""

    gateway: tuple[str, int]
    alpha: Phone
    carrier: Phone
    carrier_side: AnsweringPhone
    alpha_side: AnsweringPhone

    async def outbound(self, callee: str, caller: str = ALPHA, headers: Headers | None = None) -> PlacedCall:
        """A call of cc-alpha."""
        return await place_call(self.alpha, self.gateway, f"<sip:{caller}@127.0.0.2>", callee, headers or [])

    async def inbound(self, callee: str = ALPHA) -> PlacedCall:
        """A call of the carrier."""
        return await place_call(self.carrier, self.gateway, "<sip:+8613900139000@127.0.0.9>", callee, [])

    async def until(self, status: int, callee: str, timeout_s: float, caller: str = ALPHA) -> float:
        """Place calls until one gets `status`; the seconds that took."""
        began = monotonic()
        while True:
            placed = await self.outbound(callee, caller)
            if placed.status == status:
                return monotonic() - began
            assert monotonic() - began < timeout_s, f"still {placed.status} after {timeout_s} s"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def phones(port: int) -> AsyncIterator[Telephony]:
    """Phones for the gateway on 127.0.0.1:`port`."""
    opened: list[Phone] = []
    try:
        carrier_side = await AnsweringPhone.open("127.0.0.9", 5060)
        opened.append(carrier_side)
        alpha_side = await AnsweringPhone.open("127.0.0.2", 5060)
        opened.append(alpha_side)
        alpha, carrier = await Phone.open("127.0.0.2"), await Phone.open("127.0.0.9")
        opened += [alpha, carrier]
        yield Telephony(("127.0.0.1", port), alpha, carrier, carrier_side, alpha_side)
    finally:
        for phone in opened:
            phone.close()


def answer_ms(placed: PlacedCall) -> float:
    """Milliseconds from INVITE to final answer."""
    return (placed.answered_ns - placed.sent_ns) / 1e6
