"""How long datagrams wait: the kernel's stamps on real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from time import monotonic, sleep

import pytest

from gateway.net import lag as module
from gateway.net.lag import SAMPLE_S, VALID_S, Lag, stamp_arrivals

Pair = tuple[socket.socket, socket.socket]


def bound() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    stamp_arrivals(made)
    return made


@pytest.fixture
def pair() -> Iterator[Pair]:
    first, second = bound(), bound()
    yield first, second
    first.close()
    second.close()


def waited(lag: Lag, sock: socket.socket, now: float, seconds: float) -> float:
    """A datagram is read so many seconds after it came, at `now` by the clock of the test."""
    sock.sendto(b"x", sock.getsockname())
    began = monotonic()
    while monotonic() - began < seconds:
        sleep(0.001)  # the kernel's clock is what is tried here
    assert lag.due(sock, now)
    assert lag.receive(sock, 100, now) == (b"x", sock.getsockname())
    return monotonic() - began


def test_the_stamp_says_how_long_it_stood(pair: Pair) -> None:
    lag = Lag()
    assert lag.at(10.0) == 0.0
    longest = waited(lag, pair[0], 10.0, 0.03)
    assert 0.03 <= lag.at(10.0) <= longest + 0.001
    assert lag.at(10.0 + VALID_S) == 0.0, "what was seen long ago says nothing"


def test_the_worst_of_several_sockets_counts_until_it_is_read_empty(pair: Pair) -> None:
    lag = Lag()
    waited(lag, pair[0], 10.0, 0.03)
    waited(lag, pair[1], 10.02, 0.003)
    assert lag.at(10.02) >= 0.03
    lag.emptied(pair[0], 10.03)
    assert 0.003 <= lag.at(10.03) < 0.03
    lag.emptied(pair[1], 10.03)
    assert lag.at(10.03) == 0.0


def test_a_socket_is_looked_at_now_and_then(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    lag = Lag()
    assert [lag.due(pair[0], 10.0 + n * SAMPLE_S / 4) for n in range(6)] == [True, False, False, False, True, False]
    assert lag.due(pair[1], 10.0)
    monkeypatch.setattr(module, "MAX_SOCKETS", 2)
    assert lag.due(pair[1], 11.0)
    assert len(lag._due) == 1


def test_a_late_timer_counts_where_it_is_the_worse_sign(pair: Pair) -> None:
    lag = Lag()
    lag.timer(0.05, 10.0)
    assert lag.at(10.0) == 0.05
    lag.timer(0.01, 10.01)
    assert lag.at(10.01) == 0.05
    lag.timer(0.01, 10.2)
    assert lag.at(10.2) == 0.01
