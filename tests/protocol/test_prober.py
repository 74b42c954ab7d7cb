"""All probes together, over real client transactions, in virtual time."""

from __future__ import annotations

from functools import partial

import pytest

from gateway.net.share import share_of
from gateway.proxy import prober as module
from gateway.proxy.peer import Destination, Hop
from gateway.proxy.probe import ProbeSettings
from gateway.proxy.prober import Prober
from gateway.sip import Request, Response, parse
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import NEVER, TimerValues


def destination(port: int) -> Destination:
    return Destination(None, ("127.0.0.9", port), b"UDP", b"127.0.0.1:5060", False)


class World:
    """A transaction layer, a prober, and far ends that answer at once unless they are told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sent: list[tuple[float, Destination, Request]] = []
        self.changes: list[tuple[float, int, bool]] = []
        self.silent: set[int] = set()
        self.layer = TransactionLayer(self._send, TimerValues())
        self.prober = Prober(self.layer, ProbeSettings(), b"secret", lambda: 0.5, self._changed)
        self._answers: list[bytes] = []

    def _send(self, where: object, data: bytes) -> None:
        assert isinstance(where, Destination)
        message = parse(data)
        assert isinstance(message, Request)
        self.sent.append((self.now, where, message))
        if where.address[1] not in self.silent:
            self._answers.append(self.answer(message))

    def _changed(self, where: Destination, up: bool) -> None:
        self.changes.append((self.now, where.address[1], up))

    @staticmethod
    def answer(asked: Request, status: int = 200) -> bytes:
        kept = [b"%b: %b" % h for h in asked.headers if h[0] in (b"Via", b"From", b"Call-ID", b"CSeq")]
        kept.append(b"To: " + (asked.get(b"To") or b"") + b";tag=far")
        return b"SIP/2.0 %d x\r\n" % status + b"\r\n".join(kept) + b"\r\n\r\n"

    def hear(self, data: bytes) -> None:
        response = parse(data)
        assert isinstance(response, Response)
        client = self.layer.client_of(response)
        if client is not None:
            client.receive(response, self.now)

    def run(self, until: float) -> None:
        while True:
            answers, self._answers = self._answers, []
            for data in answers:
                self.hear(data)
            due = min(self.prober.next_at, self.layer.timers.earliest)
            if due > until:
                self.now = until
                return
            self.now = max(self.now, due)
            self.layer.timers.expire(self.now)
            self.prober.tick(self.now)


@pytest.fixture
def world() -> World:
    return World()


def test_one_of_two_goes_silent_and_comes_back(world: World) -> None:
    hops = [Hop(destination(5060)), Hop(destination(5070))]
    world.prober.follow(hops, 0.0)
    world.run(20.0)
    assert world.changes == []
    world.silent.add(5060)
    world.run(40.0)
    ((at, port, up),) = world.changes
    assert (port, up) == (5060, False)
    assert 20.0 < at < 25.0
    assert [hop.up for hop in hops] == [False, True]
    assert world.prober.down() == ["127.0.0.9:5060/udp"]
    world.silent.clear()
    world.run(60.0)
    assert world.changes[1][1:] == (5060, True)
    assert hops[0].up
    requests = [message for _, where, message in world.sent if where.address[1] == 5060]
    assert len({message.call_id for message in requests}) == 1
    probes = {message.via.branch: message.cseq for message in requests}
    assert list(probes.values()) == list(range(1, len(probes) + 1)), "each probe has a branch and a number of its own"


def test_a_missed_probe_is_not_sent_again_and_its_late_answer_does_not_count(world: World) -> None:
    world.prober.follow([Hop(destination(5060))], 0.0)
    world.silent.add(5060)
    world.run(30.0)
    first = world.sent[0][2]
    assert len([1 for at, _, message in world.sent if message.via.branch == first.via.branch]) == 2, "0 and 0.5 s"
    before = len(world.changes)
    for _, _, message in list(world.sent):
        world.hear(world.answer(message))
    assert len(world.changes) == before == 1
    assert world.prober.down() == ["127.0.0.9:5060/udp"]
    world.silent.clear()
    world.run(200.0)
    assert len(world.layer.clients) < 10, "ended transactions are forgotten"


def test_a_transport_error_is_a_missed_probe_at_once(world: World) -> None:
    hop = Hop(destination(5060))
    world.prober.follow([hop], 0.0)
    world.silent.add(5060)
    for _ in range(2):
        world.run(world.prober.next_at)
        world.layer.destination_failed(hop.destination, world.now)
    assert not hop.up
    assert world.now < 4.0


def test_provisional_answers_say_nothing(world: World) -> None:
    hop = Hop(destination(5060))
    world.silent.add(5060)
    world.prober.follow([hop], 0.0)
    while world.now < 10.0:
        world.run(world.now + 0.25)
        for _, _, message in world.sent:
            world.hear(world.answer(message, 100))
    assert not hop.up


def test_a_new_registry_version_keeps_the_state_and_shares_probes(world: World) -> None:
    hop = Hop(destination(5060))
    world.prober.follow([hop], 0.0)
    world.silent.add(5060)
    world.run(10.0)
    assert not hop.up
    same, twin, other = Hop(destination(5060)), Hop(destination(5060)), Hop(destination(5070))
    world.prober.follow([same, twin, other], 10.0)
    assert [h.up for h in (same, twin, other)] == [False, False, True]
    world.silent.clear()
    world.run(30.0)
    assert [h.up for h in (same, twin, other)] == [True, True, True]
    assert {id(where) for at, where, _ in world.sent if at > 12 and where.address[1] == 5060} == {id(same.destination)}
    world.prober.follow([], 30.0)
    assert world.prober.next_at == NEVER
    assert world.prober.down() == []


def test_a_hop_known_to_be_down_starts_down(world: World) -> None:
    hop = Hop(destination(5060))
    hop.up = False
    world.prober.follow([hop], 0.0)
    assert not hop.up
    world.run(6.5)
    assert hop.up


def test_stopping_leaves_no_transaction(world: World) -> None:
    world.prober.follow([Hop(destination(5060))], 0.0)
    world.silent.add(5060)
    world.run(1.5)
    assert len(world.layer.clients) == 1
    world.prober.stop()
    assert not world.layer.clients
    assert world.layer.kept == 0
    assert world.prober.next_at == NEVER


def test_a_hop_that_is_followed_no_more_leaves_no_transaction(world: World) -> None:
    world.prober.follow([Hop(destination(5060))], 0.0)
    world.silent.add(5060)
    world.run(1.5)
    world.prober.follow([Hop(destination(5070))], 1.5)
    assert not world.layer.clients
    world.run(60.0)
    assert [where.address[1] for at, where, _ in world.sent if at > 1.5] == [5070] * 29


def test_the_answers_come_to_the_worker_that_asks(world: World) -> None:
    for count in (2, 5, 64):
        owns = partial(lambda call_id, count: share_of(call_id, count) == 0, count=count)
        prober = Prober(world.layer, ProbeSettings(), b"secret", lambda: 0.5, world._changed, owns)
        prober.follow([Hop(destination(5060 + number)) for number in range(8)], 0.0)
        prober.tick(2.0)
    found = {message.call_id for _, _, message in world.sent}
    assert len(world.sent) == 24
    assert all(share_of(call_id, 2) == 0 for call_id in found if call_id in {m.call_id for _, _, m in world.sent[:8]})
    assert all(share_of(message.call_id, 64) == 0 for _, _, message in world.sent[16:])


def test_hops_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HOPS", 3)
    hops = [Hop(destination(5060 + number)) for number in range(5)]
    world.prober.follow(hops, 0.0)
    world.run(10.0)
    assert len({where.address for _, where, _ in world.sent}) == 3
    assert all(hop.up for hop in hops)
