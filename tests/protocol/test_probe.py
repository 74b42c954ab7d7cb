"""Probing one next hop in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.proxy.peer import Destination
from gateway.proxy.probe import Probe, ProbeSettings, write_options
from gateway.sip import Request, parse

SETTINGS = ProbeSettings()


class Hop:
    """A far end with a delay and a state, and the loop that probes it."""

    def __init__(self, settings: ProbeSettings = SETTINGS) -> None:
        self.now = 0.0
        self.probe = Probe(settings, 0.0, 0.0)
        self.sent: list[float] = []
        self.status = 200
        self.delay = 0.05
        self.silent = False
        self.log: list[tuple[float, bool]] = []
        self._answers: list[tuple[float, int, int]] = []

    def run(self, until: float, jitter: Callable[[], float] = lambda: 0.5) -> None:
        while True:
            due = min([self.probe.next_at, *[at for at, _, _ in self._answers]])
            if due > until:
                self.now = until
                return
            self.now = due
            was = self.probe.up
            for answer in [a for a in self._answers if a[0] <= due]:
                self._answers.remove(answer)
                self.probe.answered(answer[1], answer[2], due, jitter())
            if self.probe.tick(due, jitter()):
                self.sent.append(due)
                if not self.silent:
                    self._answers.append((due + self.delay, self.probe.sequence, self.status))
            if self.probe.up != was:
                self.log.append((round(due, 3), self.probe.up))


def test_a_hop_that_answers_is_probed_every_interval() -> None:
    hop = Hop()
    hop.run(10.0)
    assert hop.sent == pytest.approx([0, 2, 4, 6, 8, 10])
    assert (hop.probe.up, hop.probe.changes) == (True, 0)


def test_a_hop_that_goes_silent_is_down_after_two_missed_probes_and_returns_by_itself() -> None:
    hop = Hop()
    hop.run(10.5)
    hop.silent = True
    hop.run(30.0)
    assert hop.log == [(15.4, False)], "probes of 12 and 14 s, and 1.4 s for the second"
    assert hop.sent[-1] == pytest.approx(30.0), "it is asked on"
    hop.silent = False
    hop.run(60.0)
    assert hop.log[1] == (36.05, True), "the third answer in a row, to the probe of 36 s"
    assert hop.probe.changes == 2


def test_one_lost_probe_says_nothing() -> None:
    hop = Hop()
    for second in range(1, 100):
        hop.silent = second % 4 in (2, 3)  # every other probe is lost
        hop.run(float(second))
    assert hop.log == []


def test_a_hop_that_answers_now_and_then_stays_down() -> None:
    hop = Hop()
    hop.silent = True
    hop.run(10.0)
    assert not hop.probe.up
    for probes in range(30):
        hop.silent = probes % 3 == 2
        hop.run(10.0 + 2 * (probes + 1))
    assert len(hop.log) == 1


@pytest.mark.parametrize(
    ("status", "up"), [(200, True), (404, True), (405, True), (483, True), (503, False), (408, False)]
)
def test_which_answers_count(status: int, up: bool) -> None:
    hop = Hop()
    hop.status = status
    hop.run(20.0)
    assert hop.probe.up is up


def test_a_late_answer_changes_nothing() -> None:
    hop = Hop()
    hop.delay = 1.7
    hop.run(20.0)
    assert not hop.probe.up
    probe = Probe(SETTINGS, 0.0, 0.0)
    assert probe.tick(0.0, 0.5)
    assert not probe.answered(0, 200, 0.1, 0.5)
    assert not probe.answered(2, 200, 0.1, 0.5)
    assert probe.sent_at == 0.0
    assert not probe.answered(1, 200, 0.1, 0.5)
    assert not probe.answered(1, 503, 0.2, 0.5), "an answer counts once"
    assert probe._misses == 0


def test_what_cannot_be_sent_is_a_miss() -> None:
    probe = Probe(SETTINGS, 0.0, 0.0)
    changed = []
    for _ in range(2):
        assert probe.tick(probe.next_at, 0.5)
        changed.append(probe.failed(probe.sequence, probe.next_at, 0.5))
    assert changed == [False, True]
    assert not probe.up


def test_jitter_spreads_the_first_probe_and_every_other() -> None:
    assert [Probe(SETTINGS, 100.0, draw).next_at for draw in (0.0, 0.5, 0.999)] == pytest.approx([100, 101, 101.998])
    for draw, interval in ((0.0, 1.8), (0.999999, 2.2)):
        hop = Hop()
        hop.run(50.0, lambda draw=draw: draw)
        steps = [after - before for before, after in zip(hop.sent, hop.sent[1:], strict=False)]
        assert steps == pytest.approx([interval] * len(steps), abs=0.001)


def test_a_tick_that_comes_late_sends_one_probe() -> None:
    probe = Probe(SETTINGS, 0.0, 0.0)
    assert not Probe(SETTINGS, 0.0, 0.9).tick(0.0, 0.5)
    assert probe.tick(100.0, 0.5)
    assert not probe.tick(100.0, 0.5)
    assert probe.next_at == 101.4


@pytest.mark.parametrize(
    ("transport", "address", "uri"),
    [
        (b"UDP", ("127.0.0.9", 5060), b"sip:127.0.0.9:5060"),
        (b"TLS", ("::1", 5061), b"sip:[::1]:5061;transport=tls"),
    ],
)
def test_the_options_is_a_request_that_our_own_parser_takes(
    transport: bytes, address: tuple[str, int], uri: bytes
) -> None:
    destination = Destination(None, address, transport, b"gate.example:5060", transport != b"UDP")
    message = parse(write_options(destination, b"z9hG4bKp1", b"probe@gate", b"t1", 7))
    assert isinstance(message, Request)
    assert (message.method, message.uri, message.cseq, message.max_forwards) == (b"OPTIONS", uri, 7, 70)
    assert (message.via.branch, message.from_.tag, message.to.tag) == (b"z9hG4bKp1", b"t1", b"")
    assert message.get(b"Via") == b"SIP/2.0/" + transport + b" gate.example:5060;branch=z9hG4bKp1;rport"
    assert message.target.user is None
    assert message.get(b"Contact") == b"<sip:gate.example:5060" + (b";transport=tls>" if b"tls" in uri else b">")
