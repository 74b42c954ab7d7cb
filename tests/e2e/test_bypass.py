"""Ways around a gate that real systems fell for (CVE-2020-28361, CVE-2016-9938, CVE-2018-14767 and kin), judged at the
carrier's leg: what it received, not what the caller was told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request, Response
from gateway.sip.parser import parse
from tests.e2e.bypass import CHANGED, CONTROLS, GOOD, REFUSED, UNCHANGED
from tests.support.gateway_process import GatewayProcess
from tests.support.telephony import ALPHA, BETA, CONSENTED, UNKNOWN, Telephony, phones


class Far:
    """The carrier's leg: every datagram that reached it."""

    def __init__(self, telephony: Telephony, port: int) -> None:
        self.telephony = telephony
        self.port = port
        self.seen: list[bytes] = []
        self.last: Request | Response | None = None
        take = telephony.carrier_side.datagram_received

        def datagram_received(data: bytes, addr: tuple[str, int]) -> None:
            self.seen.append(data)
            take(data, addr)

        telephony.carrier_side.datagram_received = datagram_received  # type: ignore[method-assign]

    async def try_call(self, name: str, change: dict[str, str]) -> tuple[int, list[bytes]]:
        """Send one INVITE; final status (0: none) and the INVITEs that reached the carrier."""
        parts = {**GOOD, **change}
        call_id = re.sub(r"[^a-z0-9]", "-", name.lower())
        phone = self.telephony.alpha
        text = (
            f"INVITE {parts['uri']} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.address};branch=z9hG4bK{call_id};rport\r\n"
            f"{parts['max']}\r\n{parts['from']}\r\n{parts['to']}\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n"
            f"{parts['contact'].replace('CALLER', str(phone.address))}\r\n{parts['extra']}"
            f"Content-Length: {len(parts['body'].encode())}\r\n\r\n{parts['body']}"
        )
        self.seen.clear()
        phone.send(text.replace("GATEWAY", f"127.0.0.1:{self.port}").encode(), self.telephony.gateway)
        status = 0
        while status < 200:
            data = await asyncio.wait_for(self._answer(), 0.7)
            status = int(data.split(b" ", 2)[1])
        await asyncio.sleep(0.05)
        return status, [data for data in self.seen if data.startswith(b"INVITE ")]

    async def open_dialog(self) -> Response:
        """An answered call that stays up; its 200."""
        name = "a dialog"
        await self.try_call(name, {})
        answer = self.last
        assert isinstance(answer, Response)
        return answer

    async def try_in_dialog(self, number: int, answer: Response, change: dict[str, str]) -> tuple[int, int]:
        """Send one UPDATE in that dialog; its status, and how many reached the carrier."""
        parts = {**GOOD, **change}
        phone = self.telephony.alpha
        to = parts["to"] + ";tag=" + answer.to.tag.decode()
        routes = "".join(f"Route: {value.decode()}\r\n" for value in reversed(answer.get_all(b"Record-Route")))
        text = (
            f"UPDATE sip:127.0.0.9:5060 SIP/2.0\r\nVia: SIP/2.0/UDP {phone.address};branch=z9hG4bKup{number}\r\n"
            f"{routes}Max-Forwards: 70\r\n{parts['from'].removesuffix(';tag=t')};tag=t\r\n{to}\r\n"
            f"Call-ID: {answer.call_id.decode()}\r\nCSeq: {number} UPDATE\r\n"
            f"{parts['contact'].replace('CALLER', str(phone.address))}\r\n{parts['extra']}"
            f"Content-Length: {len(parts['body'].encode())}\r\n\r\n{parts['body']}"
        )
        self.seen.clear()
        phone.send(text.replace("GATEWAY", f"127.0.0.1:{self.port}").encode(), self.telephony.gateway)
        while True:
            message, _, _ = await asyncio.wait_for(phone.inbox.get(), 1)
            if isinstance(message, Response) and message.cseq == number and message.cseq_method == b"UPDATE":
                return message.status, sum(data.startswith(b"UPDATE ") for data in self.seen)

    async def _answer(self) -> bytes:
        message, _, _ = await self.telephony.alpha.inbox.get()
        self.last = message
        return b"SIP/2.0 %d x" % message.status if not isinstance(message, Request) else b"SIP/2.0 0 x"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[GatewayProcess]:
    with GatewayProcess(tmp_path_factory.mktemp("bypass") / "state") as gateway:
        yield gateway  # type: ignore[misc]


async def test_nothing_gets_around(running: GatewayProcess) -> None:
    async with phones(running.sip_port) as telephony:
        far = Far(telephony, running.sip_port)
        passed = []
        for name, change in REFUSED.items():
            try:
                status, invites = await far.try_call(name, change)
            except TimeoutError:  # a 400 whose headers were doubled cannot be read by our own strict parser
                status, invites = 400, [data for data in far.seen if data.startswith(b"INVITE ")]
            if status < 400 or invites:
                passed.append((name, status, invites))
        assert not passed


async def test_controls_pass_with_the_gated_numbers(running: GatewayProcess) -> None:
    async with phones(running.sip_port) as telephony:
        far = Far(telephony, running.sip_port)
        for name, change in CONTROLS.items():
            status, invites = await far.try_call(f"control {name}", change)
            assert (status, len(invites)) == (200, 1), (name, status)
            received = readable(invites[0])
            assert CONSENTED.encode() in received.uri
            asserted = received.get_all(b"P-Asserted-Identity")
            assert len(asserted) == 1 and ALPHA.encode() in asserted[0], name
            digits = re.sub(rb"[^0-9]", b"", received.from_.uri.partition(b"@")[0])
            assert digits in (b"8657112340001", b"057112340001"), name
            assert BETA.encode() not in invites[0], name


async def test_an_emergency_call_leaves_with_the_gated_digits(running: GatewayProcess) -> None:
    """Nothing of an unproven caller but what he is replaced by, and no other callee for the next hop to read."""
    async with phones(running.sip_port) as telephony:
        far = Far(telephony, running.sip_port)
        change = {
            "uri": "sip:110@GATEWAY",
            "to": f"To: <sip:{UNKNOWN}@GATEWAY;rn=1>",
            "from": f"From: <sip:{BETA}@127.0.0.2>;tag=t;verstat=x",
            "contact": f"Contact: <sip:{BETA}@CALLER>",
            "extra": f"Privacy: id\r\nP-Asserted-Identity: <sip:{BETA}@127.0.0.2>\r\n",
        }
        status, invites = await far.try_call("emergency", change)
        assert (status, len(invites)) == (200, 1)
        received = readable(invites[0])
        assert received.to.uri.startswith(b"sip:110@")
        assert not received.has(b"Privacy") and not received.has(b"P-Asserted-Identity")
        for number in (BETA, UNKNOWN):
            assert number.encode() not in invites[0]


async def test_nobody_becomes_another_inside_a_dialog(running: GatewayProcess) -> None:
    async with phones(running.sip_port) as telephony:
        far = Far(telephony, running.sip_port)
        answer = await far.open_dialog()
        number = 1
        for name, change in UNCHANGED.items():
            number += 1
            assert await far.try_in_dialog(number, answer, change) == (200, 1), name
        for name, change in CHANGED.items():
            number += 1
            status, reached = await far.try_in_dialog(number, answer, change)
            assert status >= 400 and not reached, (name, status)


def readable(data: bytes) -> Request:
    """What leaves must be plain SIP."""
    try:
        message = parse(data)
    except RemoteProtocolError as error:
        raise AssertionError(f"{error}: {data!r}") from error
    assert isinstance(message, Request)
    return message
