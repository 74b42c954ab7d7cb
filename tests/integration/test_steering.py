"""The kernel's filter, held against what the workers compute themselves."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.net import steering
from gateway.net.group import bind_groups, close_groups, inherited
from gateway.net.share import call_id_of, share_of
from gateway.net.udp import bind_udp

COUNT = 5


class Members:
    """A group of sockets on one port, and somebody who sends."""

    def __init__(self, count: int = COUNT) -> None:
        self.sockets = [bind_udp("127.0.0.1", 0, True)]
        self.address = self.sockets[0].getsockname()
        self.sockets += [bind_udp("127.0.0.1", self.address[1], True) for _ in range(count - 1)]
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sender.bind(("127.0.0.2", 0))

    def place(self, data: bytes) -> int:
        """Which member gets it."""
        self.sender.sendto(data, self.address)  # on the loopback it is there when this returns
        found = [number for number, member in enumerate(self.sockets) if self._has(member, data)]
        assert len(found) == 1, found
        return found[0]

    def _has(self, member: socket.socket, data: bytes) -> bool:
        try:
            return member.recv(65_535) == data
        except BlockingIOError:
            return False

    def close(self) -> None:
        for member in (*self.sockets, self.sender):
            member.close()


@pytest.fixture(scope="module")
def members() -> Iterator[Members]:
    made = Members()
    assert steering.attach(made.sockets[0], COUNT) in steering.REACHES
    yield made
    made.close()


VIA = b"Via: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1"


def message(call_id: bytes, before: bytes = VIA, name: bytes = b"Call-ID: ") -> bytes:
    return b"BYE sip:bob@127.0.0.9 SIP/2.0\r\n%b\r\n%b%b\r\nCSeq: 2 BYE\r\n\r\n" % (before, name, call_id)


CALL_IDS = st.one_of(
    st.from_regex(rb"[ -~]{1,60}", fullmatch=True).map(lambda value: value.strip(b" ") or b"x"),
    st.integers(0, 10**9).map(lambda n: b"%d-4711@127.0.0.2" % n),
    st.uuids().map(lambda value: str(value).encode()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(CALL_IDS, st.integers(1, 1_300))
def test_the_kernel_gives_a_message_to_its_owner(members: Members, call_id: bytes, pad: int) -> None:
    data = message(call_id, b"v" * pad)
    assert members.place(data) == share_of(call_id_of(data), COUNT)


def test_the_name_is_found_wherever_it_begins(members: Members) -> None:
    for pad in range(1_340):
        data = message(b"call%d" % pad, b"v" * pad)
        assert members.place(data) == share_of(b"call%d" % pad, COUNT), pad


@pytest.mark.parametrize(
    "before",
    [
        b"Call-Info: <sip:x>\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK-77",
        b"Session-ID: ab30317f1a784dc48ff824d0d3715d86\r\nVia: SIP/2.0/UDP 127.0.0.2:5060",
        b"User-Agent: Call-ID maker\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK",
        b"Subject: all-ll-Il-ID-ID:ID: Call-ID: other\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z",
    ],
)
def test_words_that_look_like_the_name_do_not_end_the_search(members: Members, before: bytes) -> None:
    for pad in range(8):
        data = message(b"a84b4c76e66710", before + b"v" * pad)
        assert members.place(data) == share_of(b"a84b4c76e66710", COUNT)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        b"\0",
        message(b"x", name=b"i: "),
        message(b"x", name=b"Call-ID:\r\n "),
        message(b"x", b"v" * 3_000),
        b"\r\nCall-ID: ",
        b"v" * 30 + b"\r\nCall-ID: ",
        b"v" * 30 + b"\r\nCall-ID: abc",
        b"v" * 30 + b"\r\nCall",
        b"Call-ID" * 9_000,
        b"\r\nCall-ID: \r\nCall-ID: " * 2_000,
    ],
)
def test_whatever_the_filter_cannot_read_comes_to_one_worker_all_the_same(members: Members, data: bytes) -> None:
    assert 0 <= members.place(data) < COUNT


def test_a_kernel_with_less_room_gets_a_shorter_search(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Members(2)
    monkeypatch.setattr(steering, "REACHES", (9_000, 640))  # longer than any program may be (BPF_MAXINSNS)
    assert steering.attach(made.sockets[0], 2) == 640
    for number in range(20):
        assert made.place(message(b"%d" % number)) == share_of(b"%d" % number, 2)
    monkeypatch.setattr(steering, "REACHES", (9_000,))
    assert steering.attach(made.sockets[0], 2) == 0
    made.close()


def test_places_in_the_group_stay_while_one_process_holds_the_sockets() -> None:
    with bind_udp("127.0.0.1", 0, True) as probe:
        port = probe.getsockname()[1]
    groups, reach = bind_groups([("127.0.0.1", port), ("::1", port)], 3)
    assert reach in steering.REACHES
    text = ";".join(",".join(str(member.dup().detach()) for member in group) for group in groups)
    worker = inherited(text)
    assert [member.family for group in worker for member in group] == [socket.AF_INET] * 3 + [socket.AF_INET6] * 3
    close_groups(worker)  # it dies, and what comes meanwhile waits
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for number in range(30):
            sender.sendto(message(b"%d" % number), ("127.0.0.1", port))
    for share, member in enumerate(groups[0]):
        waiting = [message(b"%d" % number) for number in range(30) if share_of(b"%d" % number, 3) == share]
        assert [member.recv(1_000) for _ in waiting] == waiting
    close_groups(groups)
    assert inherited("") == []


def test_an_address_that_cannot_be_had_leaves_no_socket_open() -> None:
    with bind_udp("127.0.0.1", 0, False) as holder, pytest.raises(OSError):
        bind_groups([("127.0.0.1", 0), ("127.0.0.1", holder.getsockname()[1])], 2)
