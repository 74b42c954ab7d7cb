"""UDP listeners on real sockets, and the tasks of the network edge."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from gateway.net import tasks
from gateway.net.udp import MAX_BACKLOG, UdpListener
from tests.support.net import Blocked


def test_the_backlog_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_BACKLOG == 10_000
    monkeypatch.setattr("gateway.net.udp.MAX_BACKLOG", 5)
    listener = UdpListener("main", "127.0.0.1", 0, b"x")
    blocked = Blocked(listener, tmp_path)
    while listener.send(b"fill", blocked.address):
        pass
    for number in range(7):
        assert listener.send(b"%d" % number, blocked.address) is False
    assert listener.dropped == 3
    assert not listener.drain()
    blocked.read()
    assert listener.send(b"late", blocked.address) is False, "there is room again, but others were first"
    assert listener.dropped == 4
    assert listener.drain()
    assert blocked.read()[-4:] == [b"0", b"1", b"2", b"3"]
    assert listener.send(b"now", blocked.address) is True
    listener.close()
    blocked.far.close()


def test_what_waits_for_a_receiver_that_went_away_is_dropped(tmp_path: Path) -> None:
    listener = UdpListener("main", "127.0.0.1", 0, b"x")
    blocked = Blocked(listener, tmp_path)
    while listener.send(b"fill", blocked.address):
        pass
    blocked.far.close()
    assert listener.drain(), "an error is no reason to keep the rest waiting"
    assert listener.dropped == 1
    listener.close()


# -- listeners -----------------------------------------------------------------------------------------------------


def test_an_address_that_is_taken_names_the_listener() -> None:
    first = UdpListener("main", "127.0.0.1", 0, b"x")
    port = first.socket.getsockname()[1]
    with pytest.raises(OSError, match=f"listener second: cannot bind udp 127.0.0.1:{port}: Address already in use"):
        UdpListener("second", "127.0.0.1", port, b"x")
    first.close()


def test_destinations_are_the_same_object_each_time_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = UdpListener("main", "127.0.0.1", 0, b"gate.example:5060")
    found = listener.destination("127.0.0.9", 5060)
    assert listener.destination("127.0.0.9", 5060) is found
    assert listener.destination("127.0.0.9", 5061) is not found
    assert (found.name, found.via) == ("127.0.0.9:5060/udp", b"SIP/2.0/UDP gate.example:5060;branch=")
    assert not listener.ipv6
    monkeypatch.setattr("gateway.net.udp.MAX_BACKLOG", 3)
    for port in range(1, 20):
        listener.destination("127.0.0.9", port)
    assert len(listener._destinations) <= 4
    listener.close()


async def test_ipv6() -> None:
    listener = UdpListener("six", "::1", 0, b"[::1]:5060")
    assert listener.ipv6
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as phone:
        phone.bind(("::1", 0))
        phone.settimeout(5)
        destination = listener.destination("::1", phone.getsockname()[1])
        assert listener.send(b"six", destination.address)
        assert phone.recv(10) == b"six"
    listener.close()


# -- tasks ---------------------------------------------------------------------------------------------------------


async def test_a_task_that_dies_is_reported_by_name() -> None:
    reports: list[tuple[str, str]] = []

    async def fails() -> None:
        raise RuntimeError("why")

    async def ends() -> None:
        return

    report = lambda name, error: reports.append((name, str(error)))  # noqa: E731
    bad, good = tasks.spawn(fails(), "bad", report), tasks.spawn(ends(), "good", report)
    assert {bad, good} <= tasks._running, "the loop's own reference is weak"
    assert bad.get_name() == "bad"
    await asyncio.wait([bad, good])
    await asyncio.sleep(0)
    assert reports == [("bad", "why")]
    assert not {bad, good} & tasks._running


async def test_a_cancelled_task_is_quiet() -> None:
    reports: list[str] = []
    task = tasks.spawn(asyncio.sleep(60), "long", lambda name, error: reports.append(name))
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert (reports, task in tasks._running) == ([], False)
