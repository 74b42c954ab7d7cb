"""Ways around a gate that real systems fell for (CVE-2020-28361, CVE-2016-9938, CVE-2018-14767 and kin), judged at the
carrier's leg: what it received, not what the caller was told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.parser import parse
from tests.support.gateway_process import GatewayProcess
from tests.support.telephony import ALPHA, BETA, CONSENTED, UNKNOWN, Telephony, phones

GOOD = {
    "uri": f"sip:{CONSENTED}@GATEWAY",
    "from": f"From: <sip:{ALPHA}@127.0.0.2>;tag=t",
    "to": f"To: <sip:{CONSENTED}@GATEWAY>",
    "extra": "",
    "max": "Max-Forwards: 70",
}

REFUSED = {
    "second From": {"extra": f"From: <sip:{BETA}@127.0.0.2>;tag=u\r\n"},
    "second From, compact": {"extra": f"f: <sip:{BETA}@127.0.0.2>;tag=u\r\n"},
    "second To, compact": {"extra": f"t: <sip:{UNKNOWN}@127.0.0.1>\r\n"},
    "second Max-Forwards": {"extra": "Max-Forwards: 3\r\n"},
    "NUL before the colon": {"extra": f"P-Asserted-Identity\0: <sip:{BETA}@127.0.0.2>\r\n"},
    "no-break space before the colon": {"extra": f"P-Asserted-Identity\u00a0: <sip:{BETA}@127.0.0.2>\r\n"},
    "vertical tab before the colon": {"extra": f"P-Asserted-Identity\x0b: <sip:{BETA}@127.0.0.2>\r\n"},
    "bare LF smuggles a header": {"extra": f"Subject: a\nP-Asserted-Identity: <sip:{BETA}@127.0.0.2>\r\n"},
    "bare CR smuggles a header": {"extra": f"Subject: a\rP-Asserted-Identity: <sip:{BETA}@127.0.0.2>\r\n"},
    "another PAI": {"extra": f"P-Asserted-Identity: <sip:{BETA}@127.0.0.2>\r\n"},
    "another PAI, SP before the colon": {"extra": f"P-Asserted-Identity : <sip:{BETA}@127.0.0.2>\r\n"},
    "another PAI, folded": {"extra": f"P-Asserted-Identity:\r\n <sip:{BETA}@127.0.0.2>\r\n"},
    "another PAI, second in the list": {
        "extra": f'P-Asserted-Identity: "a, b" <sip:{ALPHA}@127.0.0.2>, <tel:{BETA}>\r\n'
    },
    "another PPI": {"extra": f"P-Preferred-Identity: <tel:{BETA}>\r\n"},
    "Remote-Party-ID": {"extra": f"Remote-Party-ID: <sip:{BETA}@127.0.0.2>;party=calling\r\n"},
    "Diversion": {"extra": f"Diversion: <sip:{BETA}@127.0.0.2>;reason=unconditional\r\n"},
    "Privacy": {"extra": "Privacy: id\r\n"},
    "Privacy, case and list": {"extra": "pRiVaCy: none; USER\r\n"},
    "Replaces": {"extra": "Replaces: 1@a;from-tag=1;to-tag=2\r\n"},
    "preloaded Route": {"extra": "Route: <sip:127.0.0.66:5060;lr>\r\n"},
    "maddr": {"uri": f"sip:{CONSENTED}@GATEWAY;maddr=127.0.0.66"},
    "another host": {"uri": f"sip:{CONSENTED}@127.0.0.66"},
    "URI headers": {"uri": f"sip:{CONSENTED}@GATEWAY?Route=%3Csip:127.0.0.66%3E"},
    "To names another": {"to": f"To: <sip:{UNKNOWN}@GATEWAY>"},
    "rn": {"uri": f"sip:{CONSENTED};rn={UNKNOWN}@GATEWAY"},
    "ext": {"uri": f"tel:{CONSENTED};ext=12"},
    "tgrp before the @": {"from": f"From: <sip:{ALPHA};tgrp=x;trunk-context=y@127.0.0.2>;tag=t"},
    "password": {"from": f"From: <sip:{ALPHA}:secret@127.0.0.2>;tag=t"},
    "number in the display-name only": {"from": f'From: "{ALPHA}" <sip:sales@127.0.0.2>;tag=t'},
    "no user": {"from": "From: <sip:127.0.0.2>;tag=t"},
    "anonymous": {"from": "From: <sip:anonymous@anonymous.invalid>;tag=t"},
    "*67 in front": {"from": "From: <sip:*678657112340001@127.0.0.2>;tag=t"},
    "#31# in front": {"uri": f"sip:%2331%23{CONSENTED}@GATEWAY"},
    "carrier prefix in front": {"uri": "sip:1795113800138000@GATEWAY"},
    "full-width digits": {"from": "From: <sip:+86571１2340001@127.0.0.2>;tag=t"},
    "NUL escaped in the user": {"from": f"From: <sip:{ALPHA}%00@127.0.0.2>;tag=t"},
    "CRLF escaped in the user": {"from": f"From: <sip:{ALPHA}%0d%0aX:%20y@127.0.0.2>;tag=t"},
    "two @": {"from": f"From: <sip:{ALPHA}@127.0.0.2@127.0.0.3>;tag=t"},
    "trunk 0 after +86": {"from": "From: <sip:+86057112340001@127.0.0.2>;tag=t"},
}

CONTROLS = {
    "plain": {},
    "compact forms": {"from": f"f: <sip:{ALPHA}@127.0.0.2>;tag=t", "to": f"t: <sip:{CONSENTED}@GATEWAY>"},
    "folds": {"from": f"From:\r\n <sip:{ALPHA}@127.0.0.2>\r\n ;tag=t"},
    "SP and HTAB before the colon": {"from": f"From \t: <sip:{ALPHA}@127.0.0.2>;tag=t"},
    "sip and tel PAI": {"extra": f"P-Asserted-Identity: <sip:{ALPHA}@127.0.0.2>, <tel:{ALPHA}>\r\n"},
    "tel with separators": {"from": "From: <tel:+86-571-1234-0001>;tag=t"},
    "national form": {"from": "From: <sip:057112340001@127.0.0.2>;tag=t"},
    "no plus": {"from": "From: <sip:8657112340001@127.0.0.2>;tag=t"},
    "display-name of another number": {"from": f'From: "{BETA}" <sip:{ALPHA}@127.0.0.2>;tag=t'},
}


class Far:
    """The carrier's leg: every datagram that reached it."""

    def __init__(self, telephony: Telephony, port: int) -> None:
        self.telephony = telephony
        self.port = port
        self.seen: list[bytes] = []
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
            f"Contact: <sip:{ALPHA}@{phone.address}>\r\n{parts['extra']}Content-Length: 0\r\n\r\n"
        )
        self.seen.clear()
        phone.send(text.replace("GATEWAY", f"127.0.0.1:{self.port}").encode(), self.telephony.gateway)
        status = 0
        while status < 200:
            data = await asyncio.wait_for(self._answer(), 0.7)
            status = int(data.split(b" ", 2)[1])
        await asyncio.sleep(0.05)
        return status, [data for data in self.seen if data.startswith(b"INVITE ")]

    async def _answer(self) -> bytes:
        message, _, _ = await self.telephony.alpha.inbox.get()
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


def readable(data: bytes) -> Request:
    """What leaves must be plain SIP."""
    try:
        message = parse(data)
    except RemoteProtocolError as error:
        raise AssertionError(f"{error}: {data!r}") from error
    assert isinstance(message, Request)
    return message
