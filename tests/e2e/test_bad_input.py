"""Any bytes on the SIP port: a 400 that says what, or silence; no exception, nothing beyond, the next call good."""

from __future__ import annotations

import asyncio
import random
import re
import socket
from pathlib import Path

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.parser import parse
from tests.support.gateway_process import GatewayProcess
from tests.support.telephony import CONSENTED, phones

DATA = Path(__file__).parents[1] / "data"
JUNK = 3_000

_FOREIGN = re.compile(
    rb"(?<![0-9A-Za-z.])(?:\d{1,3}\.){3}\d{1,3}|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|invalid)\b", re.I
)
_FOREIGN_V6 = re.compile(rb"2001:db8[0-9a-f:]*", re.I)


def torture() -> list[tuple[str, bytes]]:
    """The RFC 4475 and RFC 5118 messages, every foreign address replaced by a loopback one."""
    found = []
    for path in sorted([*DATA.glob("rfc4475/*.dat"), *(p for p in DATA.glob("rfc5118/*") if "." not in p.name)]):
        data = _FOREIGN.sub(b"127.0.0.2", path.read_bytes())
        found.append((path.name, _FOREIGN_V6.sub(b"::1", data)))
    return found


def junk(seed: int) -> list[bytes]:
    """Random bytes, and torture messages with bytes changed, cut and doubled."""
    source = random.Random(seed)
    seeds = [data for _, data in torture()]
    made = []
    for _ in range(JUNK):
        if source.random() < 0.3:
            made.append(source.randbytes(source.randrange(0, 1_400)))
            continue
        data = bytearray(source.choice(seeds))
        for _ in range(source.randrange(1, 20)):
            at = source.randrange(len(data) or 1)
            kind = source.random()
            if kind < 0.5 and data:
                data[at] = source.randrange(256)
            elif kind < 0.75:
                del data[at : at + source.randrange(1, 40)]
            else:
                data[at:at] = data[at : at + source.randrange(1, 40)]
        made.append(bytes(data))
    return made


async def test_torture_and_junk(tmp_path: Path) -> None:
    messages = torture()
    assert len(messages) == 61
    with GatewayProcess(tmp_path / "state") as gateway:
        async with phones(gateway.sip_port) as telephony:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as known:
                known.bind(("127.0.0.2", 0))
                known.setblocking(False)
                for name, data in messages:
                    known.sendto(data, ("127.0.0.1", gateway.sip_port))
                    assert (await telephony.outbound(CONSENTED)).status == 200, name
                before = telephony.carrier_side.received
                for number, data in enumerate(junk(4475)):
                    known.sendto(data, ("127.0.0.1", gateway.sip_port))
                    if number % 100 == 0:
                        assert (await telephony.outbound(CONSENTED)).status == 200
                        before += 3  # INVITE, ACK, BYE
                await asyncio.sleep(0.5)
                answers = read_all(known)
            assert telephony.carrier_side.received == before, "junk reached the carrier"
            assert answers, "no answer at all"
            for answer in answers:  # what was missing or doubled in a request cannot be copied into its 400
                assert re.match(rb"SIP/2\.0 [1-6][0-9][0-9] [^\r\n]+\r\nVia: [^\r\n]+\r\n", answer), answer
            metrics = gateway.get("/metrics")[1]
            assert "callgate_errors_total{" not in metrics, gateway.output()
            assert "Traceback" not in gateway.output()


def read_all(known: socket.socket) -> list[bytes]:
    """Everything that waits in the socket."""
    found = []
    while True:
        try:
            found.append(known.recv(65_535))
        except BlockingIOError:
            return found


async def test_strangers_get_no_answer_at_all(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.77", 0))
        stranger.settimeout(1.0)
        for _, data in torture():
            stranger.sendto(data, ("127.0.0.1", gateway.sip_port))
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


async def test_a_broken_request_is_told_what_is_wrong(tmp_path: Path) -> None:
    with GatewayProcess(tmp_path / "state") as gateway, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as known:
        known.bind(("127.0.0.2", 0))
        known.settimeout(2.0)
        data = (
            b"INVITE sip:+8613800138000@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK2;rport\r\n"
            b"From: <sip:+8657112340001@127.0.0.2>;tag=1\r\nf: <sip:+8657156780001@127.0.0.2>;tag=1\r\n"
            b"To: <sip:+8613800138000@127.0.0.1>\r\nCall-ID: 2\r\nCSeq: 1 INVITE\r\n\r\n"
        )
        known.sendto(data, ("127.0.0.1", gateway.sip_port))
        assert known.recv(65_535).startswith(b"SIP/2.0 400 Second From\r\n")


def test_a_torture_message_is_what_it_was() -> None:
    """The rewriting of addresses must not make a good message bad: the valid ones still parse."""
    by_name = dict(torture())
    for name in ("wsinv.dat", "esc01.dat", "semiuri.dat", "ipv6-good"):
        try:
            parse(by_name[name])
        except RemoteProtocolError as error:  # pragma: no cover
            raise AssertionError(f"{name}: {error}") from error
