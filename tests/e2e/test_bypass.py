"""Ways around a gate that real systems fell for, one table a class (`tests/support/bypass.py`), judged at the carrier's
leg: what it received, not what the caller was told."""

from __future__ import annotations

import itertools
import re

import pytest

from gateway.sip.framing import StreamFramer
from tests.support.attack import Attacker, Seen
from tests.support.bypass import CONTROLS, NORMALISED, REFUSED, Case, Table, text
from tests.support.carrier_leg import names_only_the_gated, readable
from tests.support.gateway_process import GatewayProcess
from tests.support.telephony import ALPHA, BETA, CONSENTED, UNKNOWN

OTHERS = (BETA, UNKNOWN)
SILENT = {"LF only", "CR only", "LF before the start-line", "INVITE in the CSeq of an ACK"}
"""Cases that may go without an answer: what cannot be told from noise."""

_numbers = itertools.count(1)


async def try_case(attacker: Attacker, running: GatewayProcess, name: str, case: Case) -> Seen:
    """Send one case; what came of it."""
    mark = f"{re.sub('[^a-z0-9]', '-', name.lower())}-{next(_numbers)}"
    gateway = f"127.0.0.1:{running.sip_port}"
    data = text(case, mark, attacker.via, attacker.wire.address, gateway)
    if not attacker.wire.stream:
        return await attacker.send(data, wait=name not in SILENT)
    framer = StreamFramer()
    whole = framer.feed(data)
    # What has no end, or cannot be framed, ends the stream: the good call comes by a new one.
    closes = framer.error is not None or framer.waiting
    return await attacker.send(data, wait=name not in SILENT and bool(whole or framer.error), closes=closes)


@pytest.mark.parametrize("kind", REFUSED)
async def test_nothing_gets_around(attacker: Attacker, running: GatewayProcess, kind: str) -> None:
    wrong = []
    for name, case in REFUSED[kind].items():
        seen = await try_case(attacker, running, name, case)
        answered = seen.statuses or seen.closed or name in SILENT
        if seen.reached or any(status < 400 for status in seen.statuses) or not answered:
            wrong.append((name, seen.statuses, seen.reached))
    assert not wrong


@pytest.mark.parametrize("name", NORMALISED)
async def test_what_passes_names_nobody_else(attacker: Attacker, running: GatewayProcess, name: str) -> None:
    seen = await try_case(attacker, running, name, NORMALISED[name])
    invites = [data for data in seen.reached if data.startswith(b"INVITE ")]
    assert (seen.status, len(invites)) == (200, 1) or (seen.status >= 400 and not seen.reached), seen.answers
    for data in invites:
        received = names_only_the_gated(data, ALPHA, CONSENTED, OTHERS)
        assert b"127.0.0.66" not in data or received.has(b"Record-Route")
        assert received.get_all(b"Record-Route")[0].startswith(b"<sip:127.0.0.1:%d" % running.sip_port)


@pytest.mark.parametrize("name", CONTROLS)
async def test_controls_pass_with_the_gated_numbers(attacker: Attacker, running: GatewayProcess, name: str) -> None:
    seen = await try_case(attacker, running, name, CONTROLS[name])
    invites = [data for data in seen.reached if data.startswith(b"INVITE ")]
    assert (seen.status, len(invites)) == (200, 1), seen.answers
    names_only_the_gated(invites[0], ALPHA, CONSENTED, OTHERS)


async def test_what_comes_back_unchanged_is_a_loop(attacker: Attacker, running: GatewayProcess) -> None:
    """RFC 5393 §4.2.2; the lawful spiral is in `tests/protocol/test_proxy_requests.py`."""
    call_id = {"call-id": f"Call-ID: loop{next(_numbers)}"}
    seen = await try_case(attacker, running, "there", call_id)
    (sent,) = [data for data in seen.reached if data.startswith(b"INVITE ")]
    ours = readable(sent).get_all(b"Via")[0].decode()
    back = await try_case(attacker, running, "and back", call_id | {"extra": f"Via: {ours}\r\n"})
    assert (back.statuses, back.reached) == ((482,), [])


async def test_an_emergency_call_leaves_with_the_gated_digits(attacker: Attacker, running: GatewayProcess) -> None:
    """Nothing of an unproven caller but what he is replaced by, and no other callee for the next hop to read."""
    case = {
        "uri": "sip:110@GATEWAY",
        "to": f"To: <sip:{UNKNOWN}@GATEWAY;rn=1>",
        "from": f"From: <sip:{BETA}@127.0.0.2>;tag=t;verstat=x",
        "contact": f"Contact: <sip:{BETA}@CALLER>",
        "extra": f"Privacy: id\r\nP-Asserted-Identity: <sip:{BETA}@127.0.0.2>\r\n",
    }
    seen = await try_case(attacker, running, "emergency", case)
    invites = [data for data in seen.reached if data.startswith(b"INVITE ")]
    assert (seen.status, len(invites)) == (200, 1)
    received = readable(invites[0])
    assert received.to.uri.startswith(b"sip:110@")
    assert not received.has(b"Privacy") and not received.has(b"P-Asserted-Identity")
    for number in OTHERS:
        assert number.encode() not in invites[0]


def test_every_class_has_cases() -> None:
    tables: list[Table] = [*REFUSED.values(), NORMALISED, CONTROLS]
    assert all(tables)
    assert sum(map(len, tables)) > 200
