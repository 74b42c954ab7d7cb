"""Client transactions in virtual time (RFC 3261 §17.1, RFC 6026 §7.2)."""

from __future__ import annotations

import pytest

from gateway.sip.errors import LocalProtocolError
from gateway.transaction import machines as m
from gateway.transaction.timers import TimerValues
from tests.support.transactions import TCP, Bench

REQUEST = b"the request"


def test_an_invite_is_repeated_by_timer_a_and_given_up_by_timer_b() -> None:
    bench = Bench()
    client = bench.client(b"INVITE")
    bench.advance(31.75)
    assert client.state == m.CALLING
    bench.advance(0.25)
    assert bench.times(REQUEST) == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert bench.heard.log == ["timeout"]
    assert not bench.layer.clients
    assert not bench.receive(200)  # a stray response now


def test_an_invite_over_a_reliable_transport_is_sent_once() -> None:
    bench = Bench()
    bench.client(b"INVITE", TCP)
    bench.advance(32.0)
    assert bench.times(REQUEST) == [0.0]
    assert bench.heard.log == ["timeout"]


def test_a_provisional_ends_the_retransmissions_for_good() -> None:
    bench = Bench()
    client = bench.client(b"INVITE")
    bench.advance(1.0)
    bench.receive(100)
    bench.advance(500.0)
    assert bench.times(REQUEST) == [0.0, 0.5]
    assert client.state == m.PROCEEDING  # timer B is over with the first response; the proxy's timer C rules
    bench.receive(180)
    assert bench.heard.log == ["100", "180"]


@pytest.mark.parametrize("first", [None, 180])
def test_a_failure_is_acknowledged_each_time_until_timer_d(first: int | None) -> None:
    bench = Bench()
    client = bench.client(b"INVITE")
    if first:
        bench.receive(first)
    bench.receive(486)
    assert client.state == m.COMPLETED
    bench.receive(180)  # late: neither passed, nor does it take the kept ACK away
    bench.advance(31.75)
    bench.receive(486)
    bench.receive(500)  # whatever final response is repeated gets the same ACK
    assert bench.times(b"ACK for 486") == [0.0, 31.75, 31.75]
    assert bench.heard.log == ([str(first)] if first else []) + ["486"]
    bench.advance(0.25)
    assert client.state == m.TERMINATED
    assert not bench.receive(486)


def test_timer_d_is_zero_on_a_reliable_transport() -> None:
    bench = Bench()
    client = bench.client(b"INVITE", TCP)
    bench.receive(486)
    bench.advance(0.0)
    assert client.state == m.TERMINATED


@pytest.mark.parametrize("first", [None, 180])
def test_every_2xx_is_passed_on_for_64_t1(first: int | None) -> None:
    bench = Bench()
    client = bench.client(b"INVITE")
    if first:
        bench.receive(first)
    bench.receive(200)
    assert client.state == m.ACCEPTED
    bench.advance(31.75)
    bench.receive(200)
    bench.receive(180)  # late: passed to nobody
    bench.receive(486)  # and neither acknowledged nor passed
    assert bench.heard.log[-2:] == ["200", "200"]
    assert [data for _, data in bench.sent if data != REQUEST] == []
    bench.advance(0.25)
    assert client.state == m.TERMINATED  # M
    assert bench.times(REQUEST) == [0.0]


def test_a_2xx_after_a_failure_is_still_passed_on() -> None:
    bench = Bench()
    bench.client(b"INVITE")
    bench.receive(486)
    bench.receive(200)
    assert bench.heard.log == ["486", "200"]


def test_a_cancelled_invite_ends_64_t1_after_its_cancel() -> None:
    bench = Bench()
    client = bench.client(b"INVITE")
    bench.receive(180)
    bench.advance(8.0)
    client.cancelled(bench.now)
    bench.advance(31.75)
    assert client.state == m.PROCEEDING
    bench.advance(0.25)
    assert bench.heard.log == ["180", "timeout"]
    assert not bench.layer.clients


@pytest.mark.parametrize(("status", "state"), [(487, m.COMPLETED), (200, m.ACCEPTED)])
def test_a_cancelled_invite_that_is_answered_goes_its_usual_way(status: int, state: int) -> None:
    bench = Bench()
    client = bench.client(b"INVITE")
    bench.receive(180)
    client.cancelled(0.0)
    bench.advance(16.0)
    bench.receive(status)
    bench.advance(16.0)
    assert client.state == state
    assert bench.heard.log == ["180", str(status)]


def test_a_request_that_was_given_up_is_not_repeated_but_still_matched() -> None:
    bench = Bench()
    client = bench.client(b"INVITE")
    bench.advance(1.0)
    client.stop_resending()
    bench.advance(7.0)
    assert bench.times(REQUEST) == [0.0, 0.5]
    bench.receive(486)
    assert bench.times(b"ACK for 486") == [8.0]


def test_a_non_invite_request_is_repeated_by_timer_e_and_given_up_by_timer_f() -> None:
    bench = Bench()
    bench.client(b"BYE")
    bench.advance(32.0)
    assert bench.times(REQUEST) == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert bench.heard.log == ["timeout"]
    assert not bench.layer.clients


def test_a_provisional_slows_timer_e_down_to_t2() -> None:
    bench = Bench()
    bench.client(b"BYE")
    bench.advance(1.0)
    bench.receive(100, b"BYE")
    bench.advance(31.0)
    # E was running for 1.5; from then on it is T2. F still ends it.
    assert bench.times(REQUEST) == [0.0, 0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert bench.heard.log == ["100", "timeout"]


@pytest.mark.parametrize("first", [None, 100])
def test_timer_k_absorbs_repeated_responses(first: int | None) -> None:
    bench = Bench()
    client = bench.client(b"BYE")
    if first:
        bench.receive(first, b"BYE")
    bench.receive(200, b"BYE")
    bench.receive(200, b"BYE")
    bench.receive(183, b"BYE")
    assert bench.heard.log[-1] == "200"
    assert bench.layer.absorbed == 2
    bench.advance(4.75)
    assert client.state == m.COMPLETED
    bench.advance(0.25)
    assert client.state == m.TERMINATED
    bench.advance(60.0)
    assert bench.times(REQUEST) == [0.0]


def test_timer_k_is_zero_on_a_reliable_transport() -> None:
    bench = Bench()
    client = bench.client(b"BYE", TCP)
    bench.receive(200, b"BYE")
    bench.advance(0.0)
    assert client.state == m.TERMINATED


def test_timers_follow_t1_t2_and_t4() -> None:
    bench = Bench(TimerValues(t1=0.125, t2=0.25, t4=1.0))
    client = bench.client(b"BYE")
    bench.advance(0.5)
    assert bench.times(REQUEST) == [0.0, 0.125, 0.375]
    bench.receive(200, b"BYE")
    bench.advance(1.0)
    assert client.state == m.TERMINATED


@pytest.mark.parametrize("method", [b"INVITE", b"BYE"])
def test_a_transport_error_is_reported_once(method: bytes) -> None:
    bench = Bench()
    client = bench.client(method)
    bench.layer.destination_failed(client.destination, 0.0)
    bench.layer.destination_failed(client.destination, 0.0)
    assert bench.heard.log == ["error"]
    assert not bench.layer.clients


def test_a_transport_error_elsewhere_or_after_a_response_changes_nothing() -> None:
    bench = Bench()
    client = bench.client(b"INVITE")
    bench.layer.destination_failed(TCP, 0.0)
    bench.receive(100)
    bench.layer.destination_failed(client.destination, 0.0)
    assert client.state == m.PROCEEDING
    assert bench.heard.log == ["100"]


def test_an_ack_that_cannot_be_sent_ends_the_transaction() -> None:
    bench = Bench()
    client = bench.client(b"INVITE")
    bench.receive(486)
    bench.layer.destination_failed(client.destination, 0.0)
    assert client.state == m.TERMINATED
    assert bench.heard.log == ["486", "error"]


def test_an_impossible_event_is_our_own_error_and_moves_nothing() -> None:
    bench = Bench()
    client = bench.client(b"BYE")
    with pytest.raises(LocalProtocolError, match="Trying"):
        client.fire(m.RECEIVE_2XX, 0.0)
    assert client.state == m.TRYING
