"""Calls between transports and families through a real gateway: they complete, each side may ask and end, every call
has one record, and each side meets the gateway where it can reach it (RFC 5658)."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from tests.support.evidence import wait_for
from tests.support.sides import Call, Side, ask, place
from tests.support.sip_text import Extra, request
from tests.support.sipp import answering, calling
from tests.support.transport_site import CALLEE, CORES, TransportSite, caller_for

SIPP_CALLS = 200
PAIRS = [(near, far) for near in ("udp", "tcp", "tls") for far in ("udp", "tcp", "tls")]
ROUTE = re.compile(rb"<sip:(\S+?):(\d+)(?:;transport=(tcp|tls))?;lr;cg=[^;>]+>")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TransportSite]:
    """One gateway for all; at its end every call has one decision and one end, and nothing was at fault."""
    bounds = {"CALLGATE_STREAMS__MESSAGE_S": "2", "CALLGATE_STREAMS__PER_SOURCE": "12"}
    made = TransportSite(tmp_path_factory.mktemp("transports"), bounds)
    with made.gateway as gateway:
        yield made
        metrics = gateway.get("/metrics")[1]
        assert "callgate_errors_total{" not in metrics, gateway.output()
        assert "Traceback" not in gateway.output()
        placed = len(_placed) + SIPP_CALLS * sum(_by_sipp)
        records = wait_for(gateway, placed, placed)
        assert len(records.decisions) == placed and set(records.decisions.values()) == {1}
        assert records.answered() == set(records.decisions) == set(records.ends)
        assert set(records.ends.values()) == {1}


_placed: list[Call] = []
_by_sipp: list[bool] = []


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


@pytest.mark.parametrize("near", ["udp", "tcp"])
async def test_ipv6(site: TransportSite, near: str) -> None:
    caller, callee = await site.access(near, six=True), await site.core("six")
    try:
        call = await a_call(caller, callee, caller_for("six"))
        found = routes(call.received.get_all(b"Record-Route"))
        assert found == [(b"[::1]", site.six[2], b"udp"), (b"[::1]", site.six[near == "tcp"], near.encode())]
        await ask(callee, call.callee, b"BYE", caller)
    finally:
        await caller.close()
        await callee.close()


async def test_from_ipv4_to_ipv6(site: TransportSite) -> None:
    caller, callee = await site.access("tls"), await site.core("six")
    try:
        call = await a_call(caller, callee, caller_for("six"))
        assert [host for host, _, _ in routes(call.received.get_all(b"Record-Route"))] == [b"[::1]", b"127.0.0.1"]
        await ask(caller, call.caller, b"BYE", callee)
        call = await a_call(caller, callee, caller_for("six"))
        await ask(callee, call.callee, b"BYE", caller)
    finally:
        await caller.close()
        await callee.close()


async def test_from_ipv6_to_ipv4(site: TransportSite) -> None:
    caller, callee = await site.access("tcp", six=True), await site.core("tls")
    try:
        call = await a_call(caller, callee, caller_for("tls"))
        assert [host for host, _, _ in routes(call.received.get_all(b"Record-Route"))] == [b"127.0.0.1", b"[::1]"]
        await ask(callee, call.callee, b"BYE", caller)
        call = await a_call(caller, callee, caller_for("tls"))
        await ask(caller, call.caller, b"BYE", callee)
    finally:
        await caller.close()
        await callee.close()


async def test_a_large_request_goes_by_tcp_and_by_udp_where_that_fails(site: TransportSite) -> None:
    """RFC 3261 §18.1.1."""
    caller, datagrams = await site.access("udp"), await site.core("large", "udp")
    stream = await site.core("large", "tcp")
    large = ((b"X-Large", b"x" * 1_300),)
    try:
        call = await a_call(caller, datagrams, caller_for("large"))
        await ask(caller, call.caller, b"BYE", datagrams)
        call = await a_call(caller, stream, caller_for("large"), large)
        assert (call.received.get(b"Via") or b"").startswith(b"SIP/2.0/TCP ")
        assert len(call.received.get_all(b"Record-Route")) == 2
        await ask(stream, call.callee, b"BYE", caller)
        await stream.close()
        call = await a_call(caller, datagrams, caller_for("large"), large)
        assert (call.received.get(b"Via") or b"").startswith(b"SIP/2.0/UDP ")
        await ask(caller, call.caller, b"BYE", datagrams)
    finally:
        await caller.close()
        await datagrams.close()
        await stream.close()


async def test_a_call_outlives_the_connection_it_was_set_up_by(site: TransportSite) -> None:
    caller, callee = await site.access("tcp"), await site.core("tcp")
    try:
        call = await a_call(caller, callee, caller_for("tcp"))
        caller.drop()
        await ask(callee, call.callee, b"BYE", caller)
        assert caller.connections == 1, "by a new connection to its Contact"
    finally:
        await caller.close()
        await callee.close()


async def test_a_connection_that_may_be_used_for_requests_is(site: TransportSite) -> None:
    """RFC 5923."""
    caller, callee = await site.access("tcp"), await site.core("udp")
    caller.alias = b";alias"
    try:
        call = await a_call(caller, callee, caller_for("udp"))
        await ask(callee, call.callee, b"BYE", caller)
        assert caller.connections == 0
    finally:
        await caller.close()
        await callee.close()


async def test_a_new_certificate_serves_new_connections_and_calls_go_on(site: TransportSite) -> None:
    caller, callee = await site.access("tls"), await site.core("tls")
    try:
        call = await a_call(caller, callee, caller_for("tls"))
        before = await certificate(site)
        site.authority.files("gateway", "127.0.0.1")
        async with asyncio.timeout(10):
            while await certificate(site) == before:  # noqa: ASYNC110 - files have no event
                await asyncio.sleep(0.1)
        await ask(caller, call.caller, b"BYE", callee)
        assert counted(site, "callgate_tls_reloads_total", listener="tls", result="done") >= 1
    finally:
        await caller.close()
        await callee.close()


async def certificate(site: TransportSite) -> bytes:
    """What a new TLS connection is shown."""
    _, writer = await asyncio.open_connection(
        *site.address("tls"), ssl=site.tls("127.0.0.2").client, local_addr=("127.0.0.2", 0)
    )
    shown: ssl.SSLObject = writer.get_extra_info("ssl_object")
    found = shown.getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    assert found
    return found


async def connected(site: TransportSite, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*site.address("tcp"), local_addr=(host, 0))


async def ended(reader: asyncio.StreamReader) -> bool:
    """The gateway closed or reset it."""
    try:
        async with asyncio.timeout(10):
            return await reader.read() == b""
    except ConnectionError:
        return True


async def is_reset(site: TransportSite, host: str) -> bool:
    """A connection is not taken, which may be known before `connect` returns."""
    try:
        reader, writer = await connected(site, host)
    except ConnectionError:
        return True
    found = await ended(reader)
    writer.close()
    return found


def counted(site: TransportSite, name: str, **labels: str) -> float:
    """One sample of the metrics."""
    text = ",".join(f'{key}="{value}"' for key, value in labels.items())
    found = re.search(rf"^{name}{{{re.escape(text)}}} (\S+)$", site.gateway.get("/metrics")[1], re.M)
    return float(found[1]) if found else 0.0


async def test_a_stranger_and_one_too_many_are_reset(site: TransportSite) -> None:
    assert await is_reset(site, "127.0.0.77")
    writers = [(await connected(site, "127.0.0.9"))[1] for _ in range(12)]
    assert await is_reset(site, "127.0.0.9")
    for writer in writers:
        writer.close()
    name = "callgate_connections_refused_total"
    assert counted(site, name, listener="tcp", reason="stranger") == 1
    assert counted(site, name, listener="tcp", reason="limit-source") == 1


async def test_octet_by_octet_and_one_that_never_ends(site: TransportSite) -> None:
    reader, writer = await connected(site, "127.0.0.2")
    text = request(b"OPTIONS", b"sip:127.0.0.1", via=b"SIP/2.0/TCP 127.0.0.2")
    for octet in text:
        writer.write(bytes((octet,)))
        await writer.drain()
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"SIP/2.0 200 ")
    writer.write(text[:20])
    began = monotonic()
    trickle = asyncio.ensure_future(dripping(writer, text[20:]))
    assert await ended(reader)
    assert 1.5 < monotonic() - began < 8
    trickle.cancel()
    writer.close()
    assert counted(site, "callgate_connections_closed_total", listener="tcp", reason="slow") == 1


async def dripping(writer: asyncio.StreamWriter, text: bytes) -> None:
    """One octet a second."""
    with contextlib.suppress(ConnectionError):
        for octet in text:
            await asyncio.sleep(1)
            writer.write(bytes((octet,)))
            await writer.drain()


async def test_a_keep_alive_is_answered(site: TransportSite) -> None:
    reader, writer = await connected(site, "127.0.0.2")
    writer.write(b"\r\n\r\n")
    async with asyncio.timeout(5):
        assert await reader.readexactly(2) == b"\r\n"
    writer.close()


@pytest.mark.parametrize(("near", "far"), [("udp", "tcp"), ("tcp", "udp"), ("tcp", "tcp")])
def test_sipp(site: TransportSite, tmp_path: Path, near: str, far: str) -> None:
    host, port, _ = CORES[far]
    modes = {"udp": ("-t", "u1"), "tcp": ("-t", "t1")}
    numbers = [(caller_for(far), CALLEE)]
    with answering(tmp_path, host, port, more=modes[far]) as carrier:
        caller = calling(
            tmp_path, site.address(near), calls=SIPP_CALLS, rate=50, pause_ms=200, numbers=numbers, more=modes[near]
        )
        result = caller.wait(60)
        _by_sipp.append(True)
        assert (result.successful, result.failed) == (SIPP_CALLS, 0), caller.errors()
        assert carrier.result().failed == 0
