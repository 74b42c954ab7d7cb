"""The line of INVITEs: what stands in it, in which order it is served, and what it may hold."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import cast

import pytest

from gateway.net import new_calls as module
from gateway.net.new_calls import CALLS_PER_TURN, LATE_PER_TURN, STALE_S, NewCalls
from gateway.proxy.core import ProxyCore
from gateway.proxy.overload import Overload, OverloadSettings
from gateway.proxy.peer import Destination, Peer, Source
from gateway.proxy.ports import Counters
from tests.support.sip_text import invite, request

SETTINGS = OverloadSettings()
PEER = Peer("cc-alpha", b"code", True, (), lambda host, port, transport: None, None)
SOURCE = Source(PEER, b"127.0.0.2", 5060, Destination(None, ("127.0.0.2", 5060), b"UDP", b"h", False))


class Core:
    """As much of a proxy core as the line knows."""

    def __init__(self) -> None:
        self.overload = Overload(SETTINGS, 0.0)
        self.counters = Counters()
        self.received: list[bytes] = []
        self.waited: list[float] = []
        self.act: Callable[[], None] = lambda: None

    def receive(self, data: bytes, source: Source, now: float) -> None:
        self.received.append(data)
        self.waited.append(self.overload.waited)
        self.act()


class Line:
    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.made = Core()
        self.core = cast(ProxyCore, self.made)
        self.calls = NewCalls(self.errors.append)

    def put(self, *names: bytes, ago: float = 0.0) -> None:
        for name in names:
            assert self.calls.put(b"INVITE " + name, SOURCE, monotonic() - ago, self.core)

    def take(self, busy: bool = False) -> bytes:
        """The names in the order in which they were handled."""
        self.made.received.clear()
        self.calls.take(self.core, monotonic(), busy)
        return b"".join(data[7:] for data in self.made.received)


@pytest.fixture
def line() -> Line:
    return Line()


def test_only_invites_stand_in_it(line: Line) -> None:
    for data in (b"ACK sip:", b"SIP/2.0 200 OK", b"BYE sip:", b"invite sip:", b"INVITE", b"", b"CANCEL sip:"):
        assert not line.calls.put(data, SOURCE, 0.0, line.core)
    assert len(line.calls) == 0 and line.calls.waited(1.0) == 0.0


def test_they_are_served_as_they_came(line: Line) -> None:
    line.put(b"a", b"b", b"c")
    assert line.take() == b"abc"
    assert line.take() == b""


def test_while_calls_are_shed_who_is_late_is_told_so_and_the_newest_comes_first(line: Line) -> None:
    line.made.overload.shedding = True
    line.put(b"a", b"b", ago=SETTINGS.max_delay_s + 0.1)
    line.put(b"c", b"d", b"e")
    assert line.take() == b"abedc"
    assert line.made.waited[0] > SETTINGS.max_delay_s > line.made.waited[2] >= 0
    assert line.made.overload.waited == 0.0, "what comes by itself has not stood in line"


def test_behind_other_messages_one_is_served(line: Line) -> None:
    line.put(b"a", b"b")
    assert line.take(busy=True) == b"a"
    line.made.overload.shedding = True
    line.put(b"c", b"d")
    assert line.take(busy=True) == b"d"


def test_refusals_do_not_keep_the_others_waiting(line: Line) -> None:
    line.made.overload.shedding = True
    line.put(*[b"l"] * (LATE_PER_TURN + 1), ago=SETTINGS.max_delay_s + 0.1)
    line.put(b"x", b"y")
    assert line.take(busy=True) == b"l" * LATE_PER_TURN + b"y"


def test_what_its_sender_has_repeated_is_dropped_where_it_can_be(line: Line) -> None:
    line.made.overload.shedding = True
    line.put(b"a", ago=STALE_S + 0.1)
    by_tcp = Source(PEER, b"127.0.0.2", 5060, Destination(None, ("127.0.0.2", 5060), b"TCP", b"h", True))
    assert line.calls.put(b"INVITE b", by_tcp, monotonic() - STALE_S - 0.1, line.core)
    assert line.take() == b"b"
    assert line.made.counters.dropped == {"stale-invite": 1}


def test_a_turn_has_an_end(line: Line) -> None:
    line.put(*[b"a"] * (CALLS_PER_TURN + 1))
    assert line.take() == b"a" * CALLS_PER_TURN
    assert line.take() == b"a"


def test_how_long_the_oldest_has_waited(line: Line) -> None:
    line.put(b"a", ago=5.0)
    line.put(b"b")
    assert 5.0 <= line.calls.waited(monotonic()) < 6.0


def test_a_cancel_does_not_overtake_its_invite(line: Line) -> None:
    mine = invite(call_id=b"mine@a")
    for text in (invite(call_id=b"other@a"), mine, invite(call_id=b"third@a")):
        assert line.calls.put(text, SOURCE, monotonic(), line.core)
    assert not line.calls.put(request(b"CANCEL", b"sip:x@y", call_id=b"mine@a"), SOURCE, 0.0, line.core)
    assert line.made.received == [mine]
    assert not line.calls.put(b"CANCEL nonsense", SOURCE, 0.0, line.core)
    assert len(line.calls) == 2


def test_a_full_line_hands_on_its_oldest(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 30)
    line.put(b"a" * 10, b"b" * 10)
    assert line.made.received == [b"INVITE " + b"a" * 10]
    line.put(b"c" * 100)
    assert len(line.calls) == 1 and len(line.made.received) == 2


def test_one_that_fails_does_not_stop_the_others(line: Line) -> None:
    def fail() -> None:
        raise ValueError

    line.made.act = fail
    line.put(b"a", b"b")
    assert line.take() == b"ab"
    assert len(line.errors) == 2
