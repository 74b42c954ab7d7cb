"""A long fuzz run through a running gateway, outside the suite: `python -m tests.fuzz.flood [MESSAGES] [SEED]`.

100,000 wounded messages, strays and noise over UDP from a known trunk, a good call after every 100 of them. It fails
when the gateway logs an exception, counts a fault of its own, lets through an INVITE that does not name the gated
numbers alone, grows, keeps a transaction, or serves no good call at the end. Uses the example's addresses (127.0.0.2,
127.0.0.9:5060).
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.parser import parse
from tests.fuzz.wounds import wounded
from tests.support.attack import Attacker
from tests.support.carrier_leg import CarrierLeg
from tests.support.gateway_process import PATIENT, GatewayProcess
from tests.support.wire import UdpWire

MESSAGES = 100_000
VOLLEY = 100
"""Fits the receive buffer that Linux grants by default (212,992 octets)."""
QUIET_S = 40
"""Longer than any transaction lives (64 * T1 = 32 s)."""
GROWTH = 1.10
WARM = 0.5
"""Share of the run after which memory is first looked at. Refused INVITEs that nobody acknowledges live for 32 s: both
halves must last as long, or be equally fast, for the tables to have had their largest size in the first."""


def resident(pid: int) -> float:
    """MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


async def flood(gateway: GatewayProcess, messages: int, seed: int) -> list[str]:
    """Send them; what was wrong."""
    wrong: list[str] = []
    address = ("127.0.0.1", gateway.sip_port)
    carrier = await CarrierLeg.open("127.0.0.9", 5060)
    wire = await UdpWire.open(address)
    attacker = Attacker(wire, carrier)
    await attacker.good_call()
    made = wounded(seed, messages, attacker.via, wire.address, f"127.0.0.1:{gateway.sip_port}")
    sent = reached = 0
    sizes = [resident(gateway.worker_pid())]
    began = time.monotonic()
    warm = False
    grown: list[str] = []
    while volley := list(islice(made, VOLLEY)):
        attacker.forget()
        for data in volley:
            await wire.send(data)
        sent += len(volley)
        await attacker.good_call()
        reached += len(carrier.seen)
        wrong += [f"reached the carrier: {data!r}" for data in carrier.seen if not fits(data)]
        carrier.seen.clear()
        if sent % (messages // 10) < VOLLEY:
            grown.append(f"{resident(gateway.worker_pid()):.1f}")
        if not warm and sent >= messages * WARM:
            warm = True
            await asyncio.sleep(QUIET_S)
            sizes.append(resident(gateway.worker_pid()))
    took = time.monotonic() - began - (QUIET_S if warm else 0)
    sizes.append(resident(gateway.worker_pid()))
    await asyncio.sleep(QUIET_S)
    sizes.append(resident(gateway.worker_pid()))
    await attacker.good_call()
    wire.close()
    carrier.close()
    shown = ", ".join(f"{size:.1f}" for size in sizes)
    print(f"{sent} messages in {took:.0f} s, {sent / took:.0f}/s; {reached} requests reached the carrier")
    print(f"resident MiB under way: {', '.join(grown)}")
    print(f"resident MiB at the start, after {WARM:.0%} and quiet, at the end, and quiet: {shown}")
    if sizes[-1] > sizes[1] * GROWTH:
        wrong.append(f"memory grew: {shown}")
    return wrong


def fits(data: bytes) -> bool:
    """Is this a request that the gate may let out: to the one number with consent or an emergency number?"""
    try:
        parse(data)
    except RemoteProtocolError:
        return False
    return re.match(rb"[A-Z]+ sip:(?:\+8613800138000@|1[12][0-9]@)?127\.0\.0\.9:5060[; ]", data) is not None


def look(gateway: GatewayProcess) -> list[str]:
    """What the gateway says of itself afterwards."""
    metrics = gateway.get("/metrics")[1]
    wrong = re.findall(r"^callgate_(?:rule_)?errors_total\{.*$", metrics, re.M)
    print("\n".join(re.findall(r"^callgate_sip_(?:dropped|messages)_total.*$", metrics, re.M)))
    # Those of the last good call: its INVITE and BYE, on either side.
    wrong += [line for line in re.findall(r"^callgate_transactions.*$", metrics, re.M) if float(line.split()[-1]) > 4]
    if "Traceback" in gateway.output():
        wrong.append(gateway.output()[-3_000:])
    return wrong


def main() -> int:
    """Exit code 1 for a finding."""
    messages = int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 4475
    with (
        tempfile.TemporaryDirectory(prefix="cgflood-") as scratch,
        GatewayProcess(Path(scratch) / "state", env=PATIENT) as gateway,
    ):
        wrong = asyncio.run(flood(gateway, messages, seed)) + look(gateway)
    for line in wrong[:20]:
        print(line[:2_000])
    print(f"{len(wrong)} findings, seed {seed}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
