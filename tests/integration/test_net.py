"""Real sockets, a real event loop, real transactions: what one turn of the edge does, and in what order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

from gateway.net import edge as edge_module
from gateway.net import new_calls as new_calls_module
from gateway.net.edge import BURST
from gateway.proxy.peer import Destination, Peer, Source
from gateway.transaction.layer import TransactionLayer
from gateway.transaction.timers import NEVER
from gateway.transaction.transactions import ClientTransaction
from tests.support.net import KNOWN, NOWHERE, Blocked, Net, User
from tests.support.redis_fixtures import until


@pytest.fixture
async def net() -> AsyncIterator[Net]:
    made = Net()
    yield made
    made.close()


def echo(net: Net) -> Callable[[bytes, Source, float], None]:
    def handler(data: bytes, source: Source, now: float) -> None:
        net.edge.send(source.reply, b"re:" + data)

    return handler


# -- in ------------------------------------------------------------------------------------------------------------


async def test_a_burst_is_drained_in_turns(net: Net) -> None:
    phone = net.phone()
    for number in range(BURST + 3):
        phone.send(b"%d" % number)
    net.start()
    await until(lambda: len(net.core.received) == BURST + 3)
    assert net.core.received == [b"%d" % number for number in range(BURST + 3)]
    assert net.edge.received == BURST + 3
    assert net.log == ["before"] * 2, "a turn takes a burst, and no more"
    assert net.identified == 1, "a source is identified once"
    assert len({id(source) for source in net.core.sources}) == 1
    source = net.core.sources[0]
    assert (source.host, source.port) == (KNOWN.encode(), phone.getsockname()[1])
    assert source.reply is net.listener.destination(*phone.getsockname())


async def test_while_messages_wait_a_turn_takes_what_there_is(net: Net) -> None:
    phone = net.phone()
    net.start()
    net.listener.lone = 0  # of late each turn brought one
    for number in range(5):
        phone.send(b"%d" % number)
    sleep(0.005)  # noqa: ASYNC251 - the loop is held up; the kernel stamped the first
    await net.received(5)
    assert net.log == ["before"]


async def test_strangers_get_no_answer_and_are_counted(net: Net) -> None:
    net.core.handler = echo(net)
    stranger, known = net.phone("127.0.0.77"), net.phone()
    net.start()
    for _ in range(3):
        stranger.send(b"INVITE")
    known.send(b"x")
    await until(lambda: net.core.received)
    assert (net.core.received, net.edge.strangers, net.edge.received) == ([b"x"], 3, 4)
    stranger.setblocking(False)
    with pytest.raises(BlockingIOError):
        stranger.recv(100)


async def test_one_bad_message_does_not_stop_the_others(net: Net) -> None:
    def handler(data: bytes, source: Source, now: float) -> None:
        if data == b"bad":
            raise RuntimeError("a fault of ours")
        net.edge.send(source.reply, b"re:" + data)

    net.core.handler = handler
    phone = net.phone()
    for data in (b"1", b"bad", b"2"):
        phone.send(data)
    net.start()
    await until(lambda: len(net.core.received) == 3)
    assert [phone.recv(100), phone.recv(100)] == [b"re:1", b"re:2"]
    assert [str(error) for error in net.errors] == ["a fault of ours"]


async def test_invites_wait_for_everything_else(net: Net) -> None:
    phone = net.phone()
    for data in (b"INVITE 1", b"BYE 1", b"INVITE 2", b"ACK 1", b"CANCEL 3", b"SIP/2.0 200 OK"):
        phone.send(data)
    net.start()
    await net.received(6)
    assert net.core.received == [b"BYE 1", b"ACK 1", b"CANCEL 3", b"SIP/2.0 200 OK", b"INVITE 1", b"INVITE 2"]


async def test_of_more_invites_than_fit_into_a_turn_the_others_come_later(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(new_calls_module, "CALLS_PER_TURN", 1)
    phone = net.phone()

    def handler(data: bytes, source: Source, now: float) -> None:
        if data == b"INVITE 0":
            phone.send(b"BYE")

    net.core.handler = handler
    for number in range(5):
        phone.send(b"INVITE %d" % number)
    net.start()
    await net.received(6)
    assert net.core.received.index(b"BYE") < 5, "what comes meanwhile is not kept waiting"
    assert [data for data in net.core.received if data != b"BYE"] == [b"INVITE %d" % number for number in range(5)]
    assert net.log.count("before") >= 5
    assert len(net.edge.calls) == 0


async def test_a_socket_with_more_than_a_turn_takes_goes_first(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_module, "BURST", 2)
    phone = net.phone()
    for data in (b"INVITE 1", b"INVITE 2", b"1", b"2", b"3", b"4", b"5"):
        phone.send(data)
    net.start()
    await net.received(7)
    assert net.core.received == [b"1", b"2", b"INVITE 1", b"3", b"4", b"INVITE 2", b"5"]


async def test_an_identity_check_that_fails_does_not_stop_the_others(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    def identify(listener: str, ip: str, *rest: object) -> Peer | None:
        if ip != KNOWN:
            raise ValueError(ip)
        return net.peer

    monkeypatch.setattr(net.edge, "_identify", identify)
    net.core.handler = echo(net)
    odd, phone = net.phone("127.0.0.66"), net.phone()
    odd.send(b"0")
    phone.send(b"1")
    net.start()
    await until(lambda: net.core.received)
    assert (phone.recv(100), len(net.errors)) == (b"re:1", 1)


async def test_a_new_registry_identifies_everyone_anew(net: Net) -> None:
    phone = net.phone()
    net.start()
    for count in (1, 2):
        phone.send(b"x")
        await net.received(count)
        net.edge.forget_sources()
    assert net.identified == 2


async def test_remembered_sources_are_bounded(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_module, "MAX_SOURCES", 2)
    net.start()
    for count in range(1, 6):
        net.phone().send(b"x")
        await net.received(count)
        assert len(net.listener.sources) <= 2


# -- out -----------------------------------------------------------------------------------------------------------


async def test_nothing_leaves_before_the_evidence_is_written(net: Net) -> None:
    phone = net.phone()
    phone.setblocking(False)
    left: list[bool] = []

    def before(now: float) -> None:
        try:
            left.append(bool(phone.recv(100)))
        except BlockingIOError:
            left.append(False)
        if len(left) == 1:
            net.edge.send(net.core.sources[0].reply, b"verdict")  # reached by what was just written

    net.core.handler = echo(net)
    net.before = before
    phone.send(b"x")
    net.start()
    await until(lambda: left)
    assert left == [False]
    phone.settimeout(5)
    assert [phone.recv(100), phone.recv(100)] == [b"re:x", b"verdict"]


async def test_a_commit_that_fails_stops_neither_the_turn_nor_the_next(net: Net) -> None:
    def before(now: float) -> None:
        raise RuntimeError("not the disk's fault")

    net.core.handler = echo(net)
    net.before = before
    phone = net.phone()
    phone.send(b"1")
    net.start()
    await until(lambda: net.errors)
    assert phone.recv(100) == b"re:1"
    net.before = lambda now: None
    net.edge.send(net.core.sources[0].reply, b"woken")
    net.edge.wake()  # which a turn that never ended would ignore
    await until(lambda: len(net.log) == 2)
    assert phone.recv(100) == b"woken"


async def test_wake_ends_one_turn_however_often_it_is_called(net: Net) -> None:
    net.start()
    phone = net.phone()
    net.edge.send(net.listener.destination(*phone.getsockname()), b"hello")
    net.edge.wake()
    net.edge.wake()
    assert net.log == []
    await until(lambda: net.log)
    await asyncio.sleep(0)
    assert (phone.recv(100), net.log) == (b"hello", ["before"])


async def test_wake_inside_a_turn_needs_no_other(net: Net) -> None:
    net.core.handler = lambda data, source, now: net.edge.wake()
    net.phone().send(b"x")
    net.start()
    await until(lambda: net.log)
    for _ in range(3):
        await asyncio.sleep(0)
    assert net.log == ["before"]


async def test_after_stop_nothing_is_sent_and_nothing_armed(net: Net) -> None:
    net.start()
    phone = net.phone()
    net.edge.stop()
    net.edge.send(net.listener.destination(*phone.getsockname()), b"late")
    net.core.layer.timers.start(0.0, monotonic(), Fired([], "x"), 0)
    net.edge.end_turn(monotonic())
    assert (net.edge.send_errors, net.edge._out, net.edge._timer) == (0, [], None)


# -- the timer -----------------------------------------------------------------------------------------------------


class Fired:
    """`timers.Expiring`."""

    def __init__(self, log: list[str], name: str, then: Callable[[float], None] | None = None) -> None:
        self._log = log
        self._name = name
        self._then = then

    def timer_fired(self, timer: int, now: float) -> None:
        self._log.append(self._name)
        if self._then is not None:
            self._then(now)


async def test_timers_fire_in_order_and_are_armed_anew(net: Net) -> None:
    net.start()
    timers = net.core.layer.timers
    began = now = monotonic()
    at: dict[str, float] = {}

    def note(name: str) -> Callable[[float], None]:
        return lambda now: at.update({name: now})

    def again(now: float) -> None:
        at["first"] = now
        timers.start(0.03, now, Fired(net.log, "third", note("third")), 0)

    timers.start(0.08, now, Fired(net.log, "fourth", note("fourth")), 0)
    net.edge.end_turn(now)
    timers.start(0.02, now, Fired(net.log, "first", again), 0)
    net.edge.end_turn(now)  # earlier than what is armed: armed anew
    assert net.log == ["before", "before"]
    await until(lambda: "fourth" in net.log)
    assert [entry for entry in net.log if entry != "before"] == ["first", "third", "fourth"]
    assert at["first"] >= began + 0.02
    assert at["third"] >= at["first"] + 0.03
    assert at["fourth"] >= began + 0.08
    await until(lambda: net.log[-1] == "before")
    assert net.edge._armed == NEVER
    assert net.core.epoch_offset > 1_000_000_000


async def test_a_timer_that_fails_does_not_stop_the_others(net: Net) -> None:
    def fail(now: float) -> None:
        raise RuntimeError("timer")

    net.start()
    now = monotonic()
    net.core.layer.timers.start(0.0, now, Fired(net.log, "bad", fail), 0)
    net.core.layer.timers.start(0.0, now, Fired(net.log, "good"), 0)
    net.edge.end_turn(now)
    await until(lambda: "good" in net.log)
    assert [str(error) for error in net.errors] == ["timer"]


# -- what cannot be sent -------------------------------------------------------------------------------------------


async def test_an_unreachable_destination_is_a_transport_error_of_its_transactions(net: Net) -> None:
    net.start()
    phone = net.phone()
    there, nowhere = net.listener.destination(*phone.getsockname()), net.listener.destination(NOWHERE, 5060)
    users = [User(), User(), User()]
    now = monotonic()
    layer = net.core.layer
    told: list[Destination] = []
    failed = layer.destination_failed

    def watched(destination: Destination, now: float) -> None:
        told.append(destination)
        failed(destination, now)

    net.core.layer = Spy(layer, watched)  # type: ignore[assignment]
    for user, destination in zip(users, (nowhere, nowhere, there), strict=True):
        layer.new_client(b"z9hG4bK%d" % id(user), b"INVITE", destination, b"message", user, now)
    net.edge.end_turn(now)
    assert [user.errors for user in users] == [0, 0, 0], "not inside the turn"
    await until(lambda: users[0].errors)
    assert [user.errors for user in users] == [1, 1, 0]
    assert phone.recv(100) == b"message"
    assert (net.edge.send_errors, told) == (2, [nowhere]), "the transactions are gone through once per turn"
    assert list(layer.clients) == [b"z9hG4bK%d" % id(users[2])]


class Spy:
    """A transaction layer whose `destination_failed` is watched."""

    def __init__(self, layer: TransactionLayer, failed: Callable[[Destination, float], None]) -> None:
        self.timers = layer.timers
        self.destination_failed = failed


async def test_a_message_too_long_for_a_datagram_fails_nobody_else(net: Net) -> None:
    net.start()
    phone = net.phone()
    there = net.listener.destination(*phone.getsockname())
    waiting = User()
    now = monotonic()
    net.core.layer.new_client(b"z9hG4bK1", b"INVITE", there, b"waits for its answer", waiting, now)
    net.edge.send(there, b"x" * 65_536)
    net.edge.end_turn(now)
    for _ in range(3):
        await asyncio.sleep(0)
    assert (net.edge.send_errors, waiting.errors) == (1, 0)
    assert phone.recv(100) == b"waits for its answer"


async def test_a_fault_in_a_transport_error_is_reported(net: Net) -> None:
    class Bad(User):
        def client_error(self, client: ClientTransaction, now: float) -> None:
            raise RuntimeError("user")

    net.start()
    now = monotonic()
    net.core.layer.new_client(b"z9hG4bK1", b"INVITE", net.listener.destination(NOWHERE, 5060), b"m", Bad(), now)
    net.edge.end_turn(now)
    await until(lambda: net.errors)
    assert net.log[-1] == "before"


# -- a socket that cannot take more --------------------------------------------------------------------------------


async def test_what_the_socket_does_not_take_waits_in_order(net: Net, tmp_path: Path) -> None:
    blocked = Blocked(net.listener, tmp_path)
    net.start()
    destination = Destination(net.listener, blocked.address, b"UDP", b"x", False)
    for number in range(3_000):
        net.edge.send(destination, b"%d" % number)
    net.edge.end_turn(monotonic())
    assert net.listener.writing
    assert net.listener.send(b"3000", blocked.address) is False, "behind what waits, not past it"
    got: list[bytes] = []

    def read() -> bool:
        got.extend(blocked.read())
        return len(got) == 3_001

    await until(read)
    assert got == [b"%d" % number for number in range(3_001)]
    await until(lambda: not net.listener.writing)
    assert (net.listener.dropped, net.edge.send_errors) == (0, 0)
    blocked.far.close()
