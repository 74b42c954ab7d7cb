"""Calls between transports and families through a real gateway: they complete, each side may ask and end, every call has
one record, and each side meets the gateway where it can reach it (RFC 5658)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.support.evidence import wait_for
from tests.support.sides import Call, Side, ask, place
from tests.support.sip_text import Extra
from tests.support.transport_site import CALLEE, TransportSite, caller_for

PAIRS = [(near, far) for near in ("udp", "tcp", "tls") for far in ("udp", "tcp", "tls")]
ROUTE = re.compile(rb"<sip:(\S+?):(\d+)(?:;transport=(tcp|tls))?;lr;cg=[^;>]+>")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransportSite]:
    """One gateway for all; at its end every call has one decision and one end, and nothing was at fault."""
    made = TransportSite(tmp_path_factory.mktemp("transports"))
    with made.gateway as gateway:
        yield made
        metrics = gateway.get("/metrics")[1]
        assert "callgate_errors_total{" not in metrics, gateway.output()
        assert "Traceback" not in gateway.output()
        placed = len(_placed)
        records = wait_for(gateway, placed, placed)
        assert len(records.decisions) == placed and set(records.decisions.values()) == {1}
        assert records.answered() == set(records.decisions) == set(records.ends)
        assert set(records.ends.values()) == {1}


_placed: list[Call] = []


async def a_call(caller: Side, callee: Side, number: str, extra: Extra = ()) -> Call:
    call = await place(caller, callee, number, CALLEE, extra)
    _placed.append(call)
    return call


def routes(values: list[bytes]) -> list[tuple[bytes, int, bytes]]:
    """Host, port and transport of each."""
    found = [ROUTE.fullmatch(value) for value in values]
    assert all(found), values
    return [(match[1], int(match[2]), match[3] or b"udp") for match in found if match]


def of(site: TransportSite, transport: str) -> tuple[bytes, int, bytes]:
    return (b"127.0.0.1", site.address(transport)[1], transport.encode())


@pytest.mark.parametrize(("near", "far"), PAIRS, ids=[f"{near}-{far}" for near, far in PAIRS])
async def test_a_call_from_transport_to_transport(site: TransportSite, near: str, far: str) -> None:
    caller, callee = await site.access(near), await site.core(far)
    try:
        for ends in (caller, callee):
            call = await a_call(caller, callee, caller_for(far))
            there = [of(site, far)] if near == far else [of(site, far), of(site, near)]
            assert routes(call.received.get_all(b"Record-Route")) == there
            assert routes(call.answered.get_all(b"Record-Route")) == there
            via = call.received.get(b"Via") or b""
            assert via.startswith(b"SIP/2.0/%b 127.0.0.1:%d;branch=" % (far.upper().encode(), of(site, far)[1])), via
            reinvite = await ask(caller, call.caller, b"INVITE", callee)
            assert reinvite.max_forwards == 69
            await caller.send(call.caller.request(b"ACK", b"z9hG4bKagain", cseq=call.caller.cseq, contact=b""))
            assert (await callee.request(b"ACK"))[0].cseq == reinvite.cseq
            if ends is caller:
                await ask(caller, call.caller, b"BYE", callee)
            else:
                await ask(callee, call.callee, b"BYE", caller)
    finally:
        await caller.close()
        await callee.close()
