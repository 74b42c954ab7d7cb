"""Limits of connections on real sockets: strangers, too many, slow, idle and silent far ends."""

from __future__ import annotations

import asyncio

import pytest

from gateway.net.connection import Connection
from tests.support.redis_fixtures import until
from tests.support.streams import Phone, Sites, each_loop
from tests.unit.sip.samples import request

GOOD = request(b"Content-Length: 4", body=b"body")


@each_loop
async def test_strangers_and_too_many_are_reset(sites: Sites) -> None:
    site = sites(per_source=2, connections=3)
    site.strangers.add("127.0.0.9")
    first = await Phone.call(site.address)
    phones = [first, *[await Phone.call(site.address, source) for source in ("127.0.0.2", "127.0.0.3")]]
    await until(lambda: len(site.listener.connections) == 3)
    for source in ("127.0.0.9", "127.0.0.2", "127.0.0.4"):
        try:
            phone = await Phone.call(site.address, source)
        except ConnectionResetError:
            continue
        assert await phone.read() == b""
        phone.close()
    refused = site.listener.refused
    assert (refused["stranger"], refused["limit-source"], refused["limit-all"]) == (1, 1, 1)
    with pytest.raises(OSError, match="too many connections"):
        site.listener.destination("127.0.0.1", 1).listener.send(GOOD, ("127.0.0.1", 1))  # type: ignore[attr-defined]
    first.close()
    await until(lambda: len(site.listener.connections) == 2)
    again = await Phone.call(site.address)
    await again.send(GOOD)
    await until(lambda: site.messages)
    for phone in (*phones, again):
        phone.close()
    await until(lambda: not site.listener.connections)
    assert site.listener._per_source == {}


@pytest.fixture
def fast_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.net.stream.SWEEP_S", 0.02)


@pytest.mark.usefixtures("fast_sweep")
@each_loop
async def test_a_slow_sender_is_cut_off_however_often_it_sends(sites: Sites) -> None:
    site = sites(message_s=0.3)
    phone = await Phone.call(site.address)
    await phone.send(GOOD)

    async def drip() -> None:
        for octet in GOOD * 20:
            await phone.send(bytes((octet,)))
            await asyncio.sleep(0.01)

    with pytest.raises(ConnectionError):
        await drip()
    assert site.listener.closed["slow"] == 1
    assert len(site.messages) == 1
    phone.close()


@pytest.mark.usefixtures("fast_sweep")
@each_loop
async def test_an_idle_connection_is_closed_and_one_that_pings_is_not(sites: Sites) -> None:
    site = sites(idle_s=0.4)
    idle, alive = await Phone.call(site.address), await Phone.call(site.address)
    async with asyncio.timeout(10):
        while not site.ended:
            await alive.send(b"\r\n\r\n")
            await asyncio.sleep(0.02)
    assert await idle.read() == b""
    assert site.ended[0].port == idle.sock.getsockname()[1]
    assert (site.listener.closed["idle"], len(site.listener.connections)) == (1, 1)
    idle.close()
    alive.close()


@each_loop
async def test_a_far_end_that_never_reads_loses_its_connection(sites: Sites) -> None:
    site = sites(max_output=200_000)
    phone = await Phone.call(site.address)
    connection = await site.connection()
    site.listener.alias(connection, 5060)
    written = 0
    while not connection.closing:
        connection.write(b"x" * 10_000)
        written += 10_000
        await asyncio.sleep(0)
    await until(lambda: site.ended)
    assert site.listener.closed["output"] == 1
    assert written < 20_000_000
    lost = [connection.destination, site.listener.destination("127.0.0.2", 5060)]
    assert site.failed == lost, "what waited is reported, by both ways to that connection"
    phone.close()


@pytest.mark.usefixtures("fast_sweep")
@each_loop
async def test_a_far_end_that_stopped_reading_is_given_up(sites: Sites) -> None:
    site = sites(stall_s=0.2, max_output=50_000_000)
    phone = await Phone.call(site.address)
    connection = await site.connection()
    connection.write(b"x" * 20_000_000)
    await until(lambda: site.ended)
    assert site.listener.closed["stalled"] == 1
    phone.close()


@pytest.mark.usefixtures("fast_sweep")
@each_loop
async def test_closing_waits_for_what_was_written_but_not_for_ever(
    sites: Sites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.net.connection.LINGER_S", 0.2)
    site = sites(max_output=50_000_000)
    phone = await Phone.call(site.address)
    connection: Connection = await site.connection()
    connection.write(b"x" * 20_000_000)
    connection.close()
    await phone.send(GOOD)
    await until(lambda: site.ended)
    assert site.listener.closed["closed"] == 1
    assert site.messages == [], "nothing is read after the close"
    phone.close()
