"""Any bytes on the SIP port: a 400 that says what, or silence; no exception, nothing beyond, the next call good."""

from __future__ import annotations

import random
import re
import socket
from pathlib import Path

from gateway.sip.message import Request
from gateway.sip.parser import parse
from tests.fuzz.wounds import STRAYS, stray, wound
from tests.support.attack import Attacker
from tests.support.gateway_process import GatewayProcess
from tests.support.sip_text import invite
from tests.support.torture import torture, torture_names

JUNK = 3_000
STRAY = 4_000
VOLLEY = 100


async def test_junk(attacker: Attacker) -> None:
    """Torture messages with bytes changed, cut and doubled, and noise; `tests.fuzz.flood` does it for longer."""
    source = random.Random(4475)
    seeds = [torture(name) for name in torture_names()]
    for _ in range(JUNK // VOLLEY):
        for _ in range(VOLLEY):
            noise = source.random() < 0.3
            await attacker.wire.send(
                source.randbytes(source.randrange(1_400)) if noise else wound(source, source.choice(seeds))
            )
        await attacker.wire.afresh()  # in a stream the call would be taken for what a Content-Length announced
        await attacker.good_call()
    assert attacker.carrier.seen == []


async def test_strays_leave_nothing_behind(attacker: Attacker, running: GatewayProcess) -> None:
    """ACK, CANCEL, BYE, responses that belong to nothing: no transaction, no memory, nothing at the carrier."""
    await attacker.good_call()
    before = transactions(running)
    for number in range(2 * STRAY):
        if number == STRAY:  # lines and identities that were read are remembered, within bounds, which are full now
            size = resident(running)
        await attacker.wire.send(stray(STRAYS[number % len(STRAYS)], number, attacker.via))
        if number % VOLLEY == 0:
            await attacker.good_call()
    assert attacker.carrier.seen == []
    # What good calls leave for 32 s: INVITE and BYE on either side.
    assert transactions(running) <= before + 4 * (2 * STRAY // VOLLEY + 1)
    assert resident(running) < size + 4.0


def transactions(running: GatewayProcess) -> float:
    """Live ones, as the metrics have them."""
    found = re.findall(r"^callgate_transactions\{.*\} (\S+)$", running.get("/metrics")[1], re.M)
    assert found
    return sum(map(float, found))


def resident(running: GatewayProcess) -> float:
    """MiB of the worker."""
    return int(Path(f"/proc/{running.worker_pid()}/statm").read_text().split()[1]) * 4096 / 2**20


async def test_strangers_get_no_answer_at_all(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.77", 0))
        stranger.settimeout(1.0)
        for name in torture_names():
            stranger.sendto(torture(name), ("127.0.0.1", gateway.sip_port))
        good = (
            b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.77:5060;branch=z9hG4bK1;rport\r\n"
            b"From: <sip:a@127.0.0.77>;tag=1\r\nTo: <sip:b@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
        )
        assert isinstance(parse(good), Request)
        stranger.sendto(good, ("127.0.0.1", gateway.sip_port))
        try:
            heard = stranger.recv(65_535)
        except TimeoutError:
            heard = b""
        assert heard == b""
        assert 'callgate_sip_dropped_total{reason="unknown-source"} 62.0' in gateway.get("/metrics")[1]


async def test_a_broken_request_is_told_what_is_wrong(attacker: Attacker) -> None:
    second = ((b"f", b"<sip:+8657156780001@127.0.0.2>;tag=1"),)
    seen = await attacker.send(invite(via=attacker.via + b";rport", extra=second, body=b""))
    assert seen.answers[0].startswith(b"SIP/2.0 400 Second From\r\n")
