"""Server transactions in virtual time (RFC 3261 §17.2, RFC 6026 §7.1)."""

from __future__ import annotations

import pytest

from gateway.sip.errors import LocalProtocolError
from gateway.transaction import machines as m
from gateway.transaction.timers import TimerValues
from tests.support.transactions import TCP, Bench

G = [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
"""A final response and its retransmissions: T1, doubled up to T2, until timer H at 64*T1."""


def test_a_failure_is_sent_again_until_nobody_acknowledges_it() -> None:
    bench = Bench()
    server = bench.server(invite=True)
    server.respond(486, b"486", 0.0)
    bench.advance(31.75)
    assert server.state == m.COMPLETED
    bench.advance(0.25)
    assert bench.times(b"486") == G
    assert server.state == m.TERMINATED
    assert bench.heard.log == ["failed"]
    assert not bench.layer.servers


def test_timer_values_scale_with_t1_and_t2() -> None:
    bench = Bench(TimerValues(t1=0.25, t2=0.5))
    bench.server(invite=True).respond(486, b"486", 0.0)
    bench.advance(16.0)
    assert bench.times(b"486")[:4] == [0.0, 0.25, 0.75, 1.25]
    assert not bench.layer.servers  # H: 64 * 0.25


def test_an_ack_ends_the_retransmissions_and_timer_i_absorbs_its_copies() -> None:
    bench = Bench()
    server = bench.server(invite=True)
    server.respond(486, b"486", 0.0)
    bench.advance(2.0)
    assert bench.again(b"ACK")
    assert server.state == m.CONFIRMED
    bench.advance(4.75)
    assert bench.again(b"ACK")
    assert bench.again(b"INVITE")
    assert bench.layer.absorbed == 2
    bench.advance(0.25)
    assert server.state == m.TERMINATED  # I: T4
    assert bench.times(b"486") == [0.0, 0.5, 1.5]
    bench.advance(60.0)
    assert bench.heard.log == []  # H ran out in Terminated, and was ignored


def test_on_a_reliable_transport_nothing_is_repeated_and_i_is_zero() -> None:
    bench = Bench()
    server = bench.server(invite=True, destination=TCP)
    server.respond(486, b"486", 0.0)
    bench.advance(31.0)
    assert bench.times(b"486") == [0.0]
    bench.again(b"ACK")
    bench.advance(0.0)
    assert server.state == m.TERMINATED


def test_timer_h_runs_on_a_reliable_transport_too() -> None:
    bench = Bench()
    bench.server(invite=True, destination=TCP).respond(486, b"486", 0.0)
    bench.advance(32.0)
    assert bench.heard.log == ["failed"]


def test_a_repeated_invite_gets_the_last_provisional_again() -> None:
    bench = Bench()
    server = bench.server(invite=True)
    bench.again(b"INVITE")
    assert bench.sent == []  # nothing was answered yet
    server.respond(100, b"100", 0.0)
    server.respond(180, b"180", 0.0)
    bench.now = 1.0
    bench.again(b"INVITE")
    assert bench.sent == [(0.0, b"100"), (0.0, b"180"), (1.0, b"180")]
    assert bench.layer.retransmitted == 1


def test_a_repeated_invite_gets_the_failure_again() -> None:
    bench = Bench()
    bench.server(invite=True).respond(486, b"486", 0.0)
    bench.now = 0.25
    bench.again(b"INVITE")
    assert bench.times(b"486") == [0.0, 0.25]


@pytest.mark.parametrize("destination", [None, TCP])
def test_accepted_lasts_64_t1_and_repeats_nothing(destination: object) -> None:
    bench = Bench()
    server = bench.server(True, TCP) if destination else bench.server(True)
    server.respond(200, b"200", 0.0)
    assert server.state == m.ACCEPTED
    bench.advance(1.0)
    bench.again(b"INVITE")
    assert bench.times(b"200") == [0.0]  # RFC 6026 §7.1: absorbed, the UAS repeats its 2xx itself
    server.respond(200, b"200 again", 1.0)
    server.respond(200, b"200 of another fork", 1.0)
    assert bench.sent[1:] == [(1.0, b"200 again"), (1.0, b"200 of another fork")]
    bench.again(b"ACK")
    bench.again(b"ACK")
    assert bench.heard.log == ["ACK", "ACK"]
    bench.advance(30.75)
    assert server.state == m.ACCEPTED
    bench.advance(0.25)
    assert server.state == m.TERMINATED  # L
    assert not bench.again(b"INVITE")


def test_after_a_2xx_no_other_final_response_goes_out() -> None:
    bench = Bench()
    server = bench.server(invite=True)
    server.respond(200, b"200", 0.0)
    server.respond(486, b"486", 0.0)
    server.respond(180, b"180", 0.0)
    assert bench.sent == [(0.0, b"200")]


def test_a_transport_error_never_ends_an_invite_server_transaction() -> None:
    bench = Bench()
    for order, state in [((100, b"100"), m.PROCEEDING), ((486, b"486"), m.COMPLETED)]:
        server = bench.server(invite=True)
        server.respond(*order, 0.0)
        server.fire(m.TRANSPORT_ERROR, 0.0)
        assert server.state == state
    assert bench.heard.log == ["failed", "failed"]


def test_a_non_invite_request_is_answered_once_and_again_on_demand() -> None:
    bench = Bench()
    server = bench.server(invite=False)
    bench.again(b"BYE")
    assert bench.sent == []
    assert bench.layer.absorbed == 1
    server.respond(200, b"200", 0.0)
    bench.now = 2.0
    bench.again(b"BYE")
    server.respond(500, b"500", 2.0)  # the first final response stands
    assert bench.sent == [(0.0, b"200"), (2.0, b"200")]
    bench.advance(29.75)
    assert server.state == m.COMPLETED
    bench.advance(0.25)
    assert server.state == m.TERMINATED  # J: 64*T1 after the response
    assert not bench.layer.servers


def test_provisionals_of_a_non_invite_request_are_repeated_too() -> None:
    bench = Bench()
    server = bench.server(invite=False)
    server.respond(183, b"183", 0.0)
    bench.again(b"INFO")
    assert bench.times(b"183") == [0.0, 0.0]
    server.respond(200, b"200", 0.0)
    assert server.state == m.COMPLETED


def test_timer_j_is_zero_on_a_reliable_transport() -> None:
    bench = Bench()
    server = bench.server(invite=False, destination=TCP)
    server.respond(200, b"200", 0.0)
    bench.advance(0.0)
    assert server.state == m.TERMINATED


def test_a_request_that_will_never_be_answered_is_forgotten() -> None:
    bench = Bench()
    server = bench.server(invite=False)
    server.give_up(0.0)
    assert server.state == m.TERMINATED
    assert not bench.layer.servers
    assert bench.sent == []


def test_an_ack_before_any_final_response_means_nothing() -> None:
    bench = Bench()
    server = bench.server(invite=True)
    bench.again(b"ACK")
    assert server.state == m.PROCEEDING
    assert bench.heard.log == []


def test_an_impossible_event_is_our_own_error_and_moves_nothing() -> None:
    bench = Bench()
    server = bench.server(invite=False)
    with pytest.raises(LocalProtocolError, match="Trying"):
        server.fire(m.ACK, 0.0)
    assert server.state == m.TRYING
