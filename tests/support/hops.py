"""Next hops of the carrier that can be made deaf, and the registry that leads to them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.cli.phones import Address, Phone, PlacedCall, place_call
from tests.support.carrier_leg import CarrierLeg
from tests.support.gateway_process import GatewayProcess

CALLER = "<sip:+8657112340001@127.0.0.1>"
CALLEE = "+8613800138000"
FAST = {
    "CALLGATE_PROBE__SINGLE_HOPS": "true",
    "CALLGATE_PROBE__SKIP_TRUNKS": "cc-alpha,cc-beta",
    "CALLGATE_GATE__DEADLINE_MS": "1000",
}


class HopLeg(CarrierLeg):
    """One of the carrier's hops. `deaf`: it swallows what it gets, like an address with nobody behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.deaf = False

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if not self.deaf:
            super().datagram_received(data, addr)


@asynccontextmanager
async def hop_at(port: int, host: str = "127.0.0.9") -> AsyncIterator[HopLeg]:
    """A hop, closed at the end."""
    leg = await HopLeg.open(host, port)
    try:
        yield leg
    finally:
        leg.close()


@asynccontextmanager
async def caller() -> AsyncIterator[Phone]:
    """A phone of cc-alpha."""
    phone = await Phone.open("127.0.0.2")
    try:
        yield phone
    finally:
        phone.close()


def lead_to(gateway: GatewayProcess, directory: Path, *next_hops: str) -> None:
    """Make these the carrier's next hops, and wait until the workers have them."""
    before = version(gateway)
    hops = ", ".join(f'"{hop}"' for hop in next_hops)
    file = directory / "hops.toml"
    file.write_text(f'[[trunk]]\nid = "carrier"\nside = "core"\nsources = ["127.0.0.9"]\nnext_hops = [{hops}]\n')
    done = gateway.cli("import", "registry", str(file))
    assert done.returncode == 0, done.stderr
    wait(lambda: version(gateway) > before)


def version(gateway: GatewayProcess) -> int:
    """The oldest registry version in a worker's memory."""
    found = re.findall(r"^callgate_registry_version\{.*\} (\S+)$", gateway.get("/metrics")[1], re.M)
    return min((int(float(one)) for one in found), default=0)


def metric(gateway: GatewayProcess, name: str, peer: str) -> float | None:
    """One of the carrier's peers in the metrics."""
    found = re.search(
        rf'^{name}\{{peer="{re.escape(peer)}",trunk="carrier"\}} (\S+)$', gateway.get("/metrics")[1], re.M
    )
    return float(found[1]) if found else None


def wait(is_so: Callable[[], bool], timeout_s: float = 20.0) -> float:
    """The seconds until it was so."""
    began = time.monotonic()
    while not is_so():
        assert time.monotonic() - began < timeout_s
        time.sleep(0.05)
    return time.monotonic() - began


async def until(is_so: Callable[[], bool], timeout_s: float = 20.0) -> float:
    """The same, while the hops of this loop go on."""
    return await asyncio.to_thread(wait, is_so, timeout_s)


async def one_call(phone: Phone, gateway: GatewayProcess) -> tuple[PlacedCall, float]:
    """A call from alpha, answered and ended; the seconds until its answer."""
    placed = await place_call(phone, ("127.0.0.1", gateway.sip_port), CALLER, CALLEE, [])
    return placed, (placed.answered_ns - placed.sent_ns) / 1e9
