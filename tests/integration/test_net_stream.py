"""TCP listeners on real sockets: messages, reuse, ways to answer, drain."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

import pytest

from gateway.net.path import Path
from gateway.net.stream import StreamListener
from tests.support.redis_fixtures import until
from tests.support.streams import Phone, Site, Sites, each_loop
from tests.unit.sip.samples import request

GOOD = request(b"Content-Length: 4", body=b"body")


# -- messages ----------------------------------------------------------------------------------------------------------


@each_loop
async def test_messages_come_whole_and_are_answered_on_their_connection(site: Site) -> None:
    site.answer = lambda data, connection: connection.write(b"answer %d;" % len(data))
    phone = await Phone.call(site.address)
    await phone.send(GOOD + GOOD[:30])
    assert await phone.read() == b"answer %d;" % len(GOOD)
    await phone.send(GOOD[30:])
    assert await phone.read() == b"answer %d;" % len(GOOD)
    (first, connection), (second, same) = site.messages
    assert (first, second, same) == (GOOD, GOOD, connection)
    assert (connection.host, connection.made) == ("127.0.0.2", False)
    assert connection.port == phone.sock.getsockname()[1]
    assert (site.listener.received, site.turns) == (2, 2)
    phone.close()
    await until(lambda: site.ended)
    assert site.listener.closed["peer"] == 1
    assert site.failed == []


@each_loop
async def test_one_octet_at_a_time(site: Site) -> None:
    phone = await Phone.call(site.address)
    phone.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for octet in GOOD:
        await phone.send(bytes((octet,)))
        await asyncio.sleep(0)
    await until(lambda: site.messages)
    assert site.messages[0][0] == GOOD
    phone.close()


@each_loop
async def test_pings_are_answered_and_our_own_are_too(site: Site) -> None:
    phone = await Phone.call(site.address)
    await phone.send(b"\r\n\r\n")
    assert await phone.read() == b"\r\n"
    connection = await site.connection()
    connection.ping()
    assert await phone.read() == b"\r\n\r\n"
    await phone.send(b"\r\n")
    connection.ping()
    await phone.read()
    await phone.send(b"\r\n" + GOOD)
    await until(lambda: site.messages)
    assert connection._framer.pongs == 2
    await phone.send(b"\r\n\r\n" * 1000)
    answer = await phone.read()
    assert answer.strip(b"\r\n") == b""
    assert len(answer) < 2000, "many pings at once are worth few pongs"
    phone.close()


@each_loop
async def test_a_stream_that_cannot_be_read_is_answered_and_closed(site: Site) -> None:
    phone = await Phone.call(site.address)
    await phone.send(GOOD + request() + GOOD)
    assert await phone.read() == b"SIP/2.0 400 x\r\n\r\n"
    assert await phone.read() == b""
    assert [data for data, _ in site.messages] == [GOOD]
    assert [str(error) for error in site.malformed] == ["400 Missing Content-Length"]
    await until(lambda: site.listener.closed["malformed"])
    phone.close()
    again = await Phone.call(site.address)
    await again.send(GOOD)
    await until(lambda: len(site.messages) == 2)
    again.close()


@each_loop
async def test_many_messages_at_once_are_handed_over_in_turns(site: Site) -> None:
    phone, other = await Phone.call(site.address), await Phone.call(site.address, "127.0.0.3")
    await until(lambda: len(site.listener.connections) == 2)
    sent = [request(b"Content-Length: 0", call_id=b"c%d" % number) for number in range(1000)]
    in_turn: Counter[int] = Counter()
    site.answer = lambda data, connection: in_turn.update((site.turns,))
    await phone.send(b"".join(sent))
    await other.send(GOOD)
    await until(lambda: len(site.messages) == 1001)
    assert [data for data, connection in site.messages if connection.host == "127.0.0.2"] == sent
    assert max(in_turn.values()) <= 64
    await phone.send(b"".join(sent) + request())
    await until(lambda: site.malformed)
    assert len(site.messages) == 2001, "what came before the error is handed over first"
    assert await phone.read() == b"SIP/2.0 400 x\r\n\r\n"
    phone.close()
    other.close()


# -- connections we make -----------------------------------------------------------------------------------------------


@each_loop
async def test_a_connection_is_made_once_and_used_again(site: Site, sites: Sites) -> None:
    far = sites()
    destination = site.listener.destination(*far.address)
    assert destination is site.listener.destination(*far.address)
    assert destination.reliable
    assert destination.via == b"SIP/2.0/TCP gate.example:5060;branch="
    path = destination.listener
    assert isinstance(path, Path)
    assert path.send(GOOD, destination.address)
    assert path.send(GOOD, destination.address)
    await until(lambda: len(far.messages) == 2)
    assert path.send(GOOD, destination.address)
    await until(lambda: len(far.messages) == 3)
    assert far.listener.accepted == 1
    assert path.size == 0
    connection = far.messages[0][1]
    connection.write(GOOD)
    await until(lambda: site.messages)
    assert site.messages[0][1].path is path
    assert site.messages[0][1].made
    connection.close()
    await until(lambda: site.ended and not path.connection)
    assert path.send(GOOD, destination.address), "the next message makes a new one"
    await until(lambda: len(far.messages) == 4)
    assert far.listener.accepted == 2
    assert site.failed == []


@each_loop
async def test_a_connection_that_cannot_be_made_is_reported(site: Site) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        destination = site.listener.destination(*closed.getsockname())
        path = destination.listener
        assert isinstance(path, Path)
        path.send(GOOD, destination.address)
        await until(lambda: site.failed)
    assert site.failed == [destination]
    assert site.listener.failed["refused"] == 1
    assert (path.queued, path.size, path.connecting) == ([], 0, False)


@each_loop
async def test_connecting_has_a_time_and_what_waits_a_bound(sites: Sites) -> None:
    site = sites(connect_s=0.3, max_output=1000)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:  # its queue is full: the kernel drops our SYN
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        destination = site.listener.destination(*full.getsockname())
        path = destination.listener
        assert isinstance(path, Path)
        path.send(b"x" * 600, destination.address)
        with pytest.raises(OSError, match="too much waits"):
            path.send(b"x" * 600, destination.address)
        await until(lambda: site.failed)
        for filler in fillers:
            filler.close()
    assert site.failed == [destination]
    assert site.listener.failed["timeout"] == 1


@each_loop
async def test_a_closed_connection_is_an_error_and_a_reply_finds_another_way(site: Site, sites: Sites) -> None:
    far = sites()
    phone = await Phone.call(site.address, "127.0.0.1")
    connection = await site.connection()
    reply = connection.reply_destination(far.address[1])
    assert reply is connection.reply_destination(far.address[1])
    for port in range(1, 40):
        connection.reply_destination(port)
    assert len(connection._replies) <= 16
    assert reply.via == connection.destination.via
    path, own = reply.listener, connection.destination.listener
    assert isinstance(path, Path)
    assert isinstance(own, Path)
    path.send(b"by its connection", reply.address)
    assert await phone.read() == b"by its connection"
    phone.close()
    await until(lambda: site.ended)
    with pytest.raises(ConnectionResetError):
        connection.write(GOOD)
    with pytest.raises(ConnectionResetError):
        own.send(GOOD, own.address)
    path.send(GOOD, reply.address)
    await until(lambda: far.messages)
    assert far.messages[0][0] == GOOD


@each_loop
async def test_an_alias_uses_a_connection_that_was_taken(site: Site) -> None:
    phone = await Phone.call(site.address)
    connection = await site.connection()
    site.listener.alias(connection, 5060)
    destination = site.listener.destination("127.0.0.2", 5060)
    path = destination.listener
    assert isinstance(path, Path)
    path.send(b"request", destination.address)
    assert await phone.read() == b"request"
    phone.close()
    await until(lambda: site.ended)
    assert path.connection is None


@each_loop
async def test_drain_takes_no_new_connections_and_keeps_the_old(site: Site) -> None:
    phone = await Phone.call(site.address)
    await site.connection()
    address = site.address
    site.listener.stop_accepting()
    with pytest.raises(OSError):
        await Phone.call(address)
    await phone.send(GOOD)
    await until(lambda: site.messages)
    phone.close()


@each_loop
async def test_an_address_that_is_taken_names_the_listener(site: Site) -> None:
    host, port = site.address
    with pytest.raises(OSError, match=f"listener second: cannot bind tcp {host}:{port}: Address already in use"):
        StreamListener("second", host, port, b"x", site, lambda name, error: None)


@each_loop
async def test_paths_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.net.path.MAX_PATHS", 3)
    for port in range(1, 20):
        site.listener.destination("127.0.0.9", port)
    assert len(site.listener.paths._paths) <= 3


@each_loop
async def test_ipv6(site: Site) -> None:
    six = StreamListener("six", "::1", 0, b"[::1]:5060", site, lambda name, error: site.errors.append(error))
    six.start(asyncio.get_running_loop())
    port = six.socket.getsockname()[1]
    destination = six.destination("::1", port)
    assert six.ipv6
    assert destination.name == f"[::1]:{port}/tcp"
    path = destination.listener
    assert isinstance(path, Path)
    path.send(GOOD, destination.address)
    await until(lambda: site.messages)
    assert site.messages[0][1].host == "::1"
    six.close()
    await until(lambda: not six.connections)


@each_loop
async def test_two_workers_share_an_address(site: Site) -> None:
    def worker(port: int) -> StreamListener:
        return StreamListener("main", "127.0.0.1", port, b"x", site, lambda name, error: None, reuse_port=True)

    first = worker(0)
    port = first.socket.getsockname()[1]
    listeners = [first, worker(port)]
    for listener in listeners:
        listener.start(asyncio.get_running_loop())
    phones = [await Phone.call(("127.0.0.1", port)) for _ in range(40)]
    await until(lambda: sum(len(listener.connections) for listener in listeners) == 40)
    assert all(listener.connections for listener in listeners)
    for phone in phones:
        phone.close()
    await until(lambda: not any(listener.connections for listener in listeners))
    for listener in listeners:
        listener.close()
