"""Two and three workers' hand-overs over real sockets: owners, death, return, stand-ins, overflow."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from gateway.net.handover import MAX_LINKS, Handover
from gateway.net.parcels import Parcel
from gateway.net.share import call_id_of, share_of
from gateway.net.sibling import HOLD_S, RETRY_S, socket_path
from tests.support.net import Net
from tests.support.redis_fixtures import until


class Crew:
    """Handovers of one node, each with what came out of it. `now` is the test's."""

    def __init__(self, directory: Path, count: int) -> None:
        self.directory = directory
        self.count = count
        self.now = 100.0
        self.workers: dict[int, Handover] = {}
        self.got: dict[int, list[bytes]] = {index: [] for index in range(count)}
        for index in range(count):
            self.begin(index)

    def begin(self, index: int) -> bool:
        self.workers[index] = Handover(self.directory, index, self.count)
        found = self.workers[index].open(self.now)
        self.turn()
        return found

    def kill(self, index: int) -> None:
        """As SIGKILL does: every descriptor closed, the socket file left."""
        worker = self.workers.pop(index)
        assert worker.server is not None
        for end in (*worker.links, worker.server):
            end.close()
            self.turn()  # a process that ends closes one after the other

    def give(self, at: int, data: bytes) -> None:
        """A datagram that the kernel gave to worker `at`."""
        if not self.workers[at].give(data, 1, "127.0.0.2", 5060, self.now):
            self.got[at].append(data)

    def turn(self) -> None:
        """Everybody's loop runs until nothing moves."""
        for _ in range(6):
            for index, worker in self.workers.items():
                while worker.accept() is not None:
                    pass
                self._note(index, worker.flush(self.now))
                for link in tuple(worker.links):
                    while parcels := worker.receive(link, self.now):
                        self._note(index, parcels)
                    if parcels is None:
                        worker.leave(link, self.now)
                worker.tell(self.now)

    def _note(self, index: int, parcels: list[Parcel]) -> None:
        for listener, host, port, data in parcels:
            assert (listener, host, port) == (1, "127.0.0.2", 5060)
            self.got[index].append(data)

    def of(self, share: int, number: int = 0, word: str = "INVITE") -> bytes:
        """A message of a call in a worker's share; the same `number` is the same call."""
        found = -1
        for n in range(100_000):
            data = f"{word} sip:x SIP/2.0\r\ni: {n}\r\n\r\n".encode()
            found += share_of(call_id_of(data), self.count) == share
            if found == number:
                return data
        raise AssertionError

    def close(self) -> None:
        for worker in self.workers.values():
            worker.close()


@pytest.fixture(params=[2, 3])
def crew(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Crew]:
    made = Crew(tmp_path, request.param)
    yield made
    made.close()


def test_every_message_comes_to_its_owner_in_order(crew: Crew) -> None:
    sent: dict[int, list[bytes]] = {index: [] for index in range(crew.count)}
    for word in ("INVITE", "ACK", "BYE"):
        for share in range(crew.count):
            for number in range(5):
                data = crew.of(share, number, word)
                sent[share].append(data)
                crew.give(0, data)
        crew.turn()
    assert crew.got == sent
    assert crew.workers[0].passed_on == 15 * (crew.count - 1)
    assert sum(worker.taken_over + worker.dropped for worker in crew.workers.values()) == 0


def test_a_turn_longer_than_one_hand_over_arrives_whole(crew: Crew) -> None:
    many = [crew.of(1) + b"x" * 60_000 + b"%d" % n for n in range(5)] + [crew.of(1) + b"%d" % n for n in range(3_000)]
    for data in many:
        crew.give(0, data)
    crew.turn()
    assert crew.got[1] == many


def test_what_comes_while_a_worker_restarts_waits_for_it_in_order(crew: Crew) -> None:
    crew.give(0, crew.of(1, 0))
    crew.turn()
    crew.kill(1)
    first, later = [crew.of(1, n) for n in range(1, 4)], [crew.of(1, n) for n in range(4, 7)]
    for data in first:
        crew.give(0, data)
    crew.turn()
    assert crew.workers[0].waiting
    crew.now += HOLD_S / 2
    for data in later:
        crew.give(0, data)
    crew.turn()
    assert not any(crew.got[index] for index in crew.workers)
    assert crew.begin(1), "it finds the others"
    assert crew.got[1] == [crew.of(1, 0), *first, *later]
    assert not crew.workers[0].waiting
    assert sum(worker.taken_over + worker.dropped for worker in crew.workers.values()) == 0


def test_a_worker_that_stays_away_is_stood_in_for_and_its_new_calls_stay_where_they_are(crew: Crew) -> None:
    crew.kill(1)
    stand_in = 2 % crew.count
    held = crew.of(1, 0)
    crew.give(0, held)
    crew.turn()
    crew.now += HOLD_S + RETRY_S
    crew.turn()
    assert crew.got[stand_in] == [held], "what was held goes to the next"
    crew.give(0, crew.of(1, 1))
    crew.turn()
    assert crew.got[stand_in] == [held, crew.of(1, 1)]
    assert crew.workers[stand_in].taken_over == 2
    crew.begin(1)
    crew.turn()
    for at in (0, 1):  # wherever the kernel brings it
        crew.give(at, crew.of(1, 0, f"BYE{at}"))
        crew.give(at, crew.of(1, 7, f"INVITE{at}"))
        crew.turn()
    assert crew.got[stand_in][2:] == [crew.of(1, 0, "BYE0"), crew.of(1, 0, "BYE1")], "a call never moves"
    assert crew.got[1] == [crew.of(1, 7, "INVITE0"), crew.of(1, 7, "INVITE1")], "new calls are its own again"


def test_a_stand_in_that_dies_too_leaves_its_calls_to_their_owner(crew: Crew) -> None:
    crew.kill(1)
    crew.give(0, crew.of(1))
    crew.turn()
    crew.now += HOLD_S + RETRY_S
    crew.turn()
    stand_in = 2 % crew.count
    assert crew.got[stand_in] == [crew.of(1)]
    crew.begin(1)
    crew.turn()
    crew.kill(stand_in)
    crew.give(1, crew.of(1, 0, "BYE"))
    crew.turn()
    crew.now += HOLD_S + RETRY_S
    crew.turn()
    assert crew.got[1] == [crew.of(1, 0, "BYE")]


def test_a_worker_that_dies_is_seen_to_be_away_and_is_told_at_once_when_it_is_back(crew: Crew) -> None:
    for _ in range(3):  # its listening socket, which it closes last, must not be taken for it
        crew.kill(1)
        stand_in = crew.workers[2 % crew.count]
        assert stand_in.alone
        crew.now += HOLD_S
        assert stand_in.shares(crew.now) == {1}
        assert crew.begin(1) and crew.workers[1].greeted
        assert not stand_in.alone and not crew.workers[1].alone


def test_what_must_be_told_is_told_when_there_is_room_again(tmp_path: Path) -> None:
    crew = Crew(tmp_path, 2)
    crew.kill(1)
    first, back = crew.workers[0], Handover(tmp_path, 1, 2)
    crew.workers[1] = back
    assert back.open(crew.now)
    link = first.accept()
    assert link is not None and first.receive(link, crew.now) == []
    for _ in range(400):
        crew.give(0, crew.of(1) + b"x" * 50_000)
        first.flush(crew.now)
    first.tell(crew.now)
    assert first.dropped and first.waiting and not back.greeted, "the link is full of messages"
    crew.turn()
    assert back.greeted and not first.waiting
    crew.close()


def test_the_stand_in_is_told_before_the_first_message_and_once(crew: Crew) -> None:
    stand_in = 2 % crew.count
    told: list[tuple[int, int]] = []
    crew.workers[stand_in].on_stand_in = lambda share: told.append((share, len(crew.got[stand_in])))
    crew.kill(1)
    for n in range(3):
        crew.give(0, crew.of(1, n))
        crew.turn()
        crew.now += HOLD_S
    crew.turn()
    assert (told, len(crew.got[stand_in])) == ([(1, 0)], 3)
    crew.begin(1)
    crew.turn()
    crew.give(0, crew.of(1, 8))
    crew.turn()
    assert told == [(1, 0)]


def test_a_worker_that_left_on_purpose_is_not_waited_for(crew: Crew) -> None:
    crew.workers.pop(1).close()
    assert not socket_path(crew.directory, 1).exists()
    crew.give(0, crew.of(1))
    crew.turn()
    crew.give(0, crew.of(1, 1))
    crew.turn()
    taken = [data for index in crew.workers for data in crew.got[index]]
    crew.now += RETRY_S
    crew.turn()
    taken = taken or [data for index in crew.workers for data in crew.got[index]]
    assert taken == [crew.of(1), crew.of(1, 1)]


def test_held_messages_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.net.sibling.MAX_HELD", 1_000)
    crew = Crew(tmp_path, 2)
    crew.kill(1)
    for n in range(100):
        crew.give(0, crew.of(1) + b"%d" % n)
        crew.turn()
    dropped = crew.workers[0].dropped
    assert 60 < dropped < 99
    crew.begin(1)
    assert crew.got[1] == [crew.of(1) + b"%d" % n for n in range(100 - dropped)], "the newest are dropped"
    crew.close()


def test_what_a_busy_owner_cannot_take_is_dropped_and_counted(tmp_path: Path) -> None:
    crew = Crew(tmp_path, 2)
    sender = crew.workers[0]
    data = crew.of(1) + b"x" * 50_000
    for _ in range(400):
        crew.give(0, data)
        assert sender.flush(crew.now) == []
    assert 0 < sender.dropped < 400 and not sender.waiting
    crew.turn()
    assert len(crew.got[1]) == 400 - sender.dropped
    crew.give(0, crew.of(1))
    crew.turn()
    assert crew.got[1][-1] == crew.of(1), "it goes on when there is room"
    crew.close()


def test_connections_are_bounded_and_nonsense_on_one_closes_it(tmp_path: Path) -> None:
    crew = Crew(tmp_path, 2)
    worker = crew.workers[1]
    ends = []
    for _ in range(MAX_LINKS + 10):
        end = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        end.connect(str(socket_path(tmp_path, 1)))
        ends.append(end)
        worker.accept()
    assert len(worker.links) == MAX_LINKS
    ends[0].send(b"GET / HTTP/1.0\r\n\r\n")
    ends[1].send(b"M\0\0\0")
    for link in tuple(worker.links):
        if worker.receive(link, crew.now) is None:
            worker.leave(link, crew.now)
    assert len(worker.links) == MAX_LINKS - 2
    for end in ends:
        end.close()
    crew.turn()
    assert len(worker.links) == 1, "the other worker's"
    crew.close()


# -- with sockets, loops and turns ---------------------------------------------------------------------------------


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[list[Net]]:
    """Two edges on one address and port, as two workers are."""
    first = Net(0, Handover(tmp_path, 0, 2))
    nets = [first, Net(first.address[1], Handover(tmp_path, 1, 2))]
    yield nets
    for net in nets:
        net.close()


def call(share: int, number: int) -> bytes:
    return next(
        data
        for n in count(number * 1_000)
        if share_of(call_id_of(data := f"INVITE sip:x SIP/2.0\r\ni: {n}\r\n\r\n".encode()), 2) == share
    )


async def test_edges_share_the_datagrams_of_one_peer_and_both_answer_from_the_one_port(pair: list[Net]) -> None:
    for net in pair:
        net.core.handler = lambda data, source, now, net=net: net.edge.send(source.reply, data)  # type: ignore[misc]
        net.start()
    phone, stranger = pair[0].phone(), pair[0].phone("127.0.0.77")
    sent = [call(share, number) for number in range(20) for share in range(2)]
    await until(lambda: all(net.edge.reading for net in pair))
    for data in sent:
        stranger.send(data)
        phone.send(data)
    await until(lambda: sum(len(net.core.received) for net in pair) == len(sent))
    for share, net in enumerate(pair):
        assert net.core.received == [data for data in sent if share_of(call_id_of(data), 2) == share]
        assert not net.errors and "before" in net.log
        assert {source.port for source in net.core.sources} == {phone.getsockname()[1]}
    assert sum(net.edge.strangers for net in pair) == len(sent), "strangers are nobody's, and are not handed over"
    assert sum(net.edge.received for net in pair) == 2 * len(sent)
    assert sorted(phone.recv(100) for _ in sent) == sorted(sent)


async def test_calls_of_a_worker_that_stopped_go_to_the_other(pair: list[Net]) -> None:
    for net in pair:
        net.start()
    await until(lambda: all(net.edge.reading for net in pair))
    pair[1].edge.stop()
    phone = pair[0].phone()
    phone.send(call(0, 1))
    phone.send(call(1, 1))
    await until(lambda: len(pair[0].core.received) == 2)
    assert sorted(pair[0].core.received) == sorted([call(0, 1), call(1, 1)])


async def test_an_idle_worker_gives_up_on_one_that_died_in_time(pair: list[Net], tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(socket_path(tmp_path, 1)))
    pair[1].edge.stop()
    phone = pair[0].phone()
    phone.send(call(1, 1))
    began = monotonic()
    pair[0].start()
    await until(lambda: len(pair[0].core.received) == 1, HOLD_S + 2)
    assert pair[0].core.received == [call(1, 1)], "no other datagram was needed"
    assert monotonic() - began >= HOLD_S
