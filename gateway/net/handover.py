"""Several workers behind one address: each message goes to the worker that its Call-ID names.

Every worker binds the configured address and port (SO_REUSEPORT), so carriers see one. Which of them the kernel gives a
datagram to depends on the peer's address alone, and a carrier is often a single one; so the worker that received a
message looks at its Call-ID and hands it on to the owner, over a unix socket, all of one turn in one write. All
messages of a call thus meet in one worker, in order, and answers leave from there directly.

A worker that does not answer is left out: its share goes to the next one until it is back. What a busy owner cannot
take is dropped, as UDP may: passing it elsewhere would split a call over two workers.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

Parcel = tuple[int, str, int, bytes]
"""(listener index, source host, source port, datagram)"""

RETRY_S = 0.2
"""Seconds between two attempts to reach a worker that was away."""

BUFFER = 4 * 1024 * 1024
"""Bytes a socket between two workers may hold: about 4,000 messages."""

MAX_BATCH = 64 * 1024
"""Bytes of one hand-over: what one turn gathers beyond it goes out in a second one."""

MAX_LINKS = 256
"""Connections accepted from other workers: each restart of one makes a new one, and closes the old."""

_HEAD = struct.Struct("!BHBI")


def call_id_of(data: bytes) -> bytes:
    """The Call-ID value of a raw message, b"" where none is found. Not a parser: it only has to give the same bytes for
    all messages of a call; what it misreads is refused by the parser of whichever worker gets it."""
    start = data.find(b"\nCall-ID:")
    if start < 0:
        head = data[: data.find(b"\r\n\r\n") + 2].lower()
        for name in (b"\ncall-id", b"\ni"):
            start = head.find(name)
            while start >= 0 and head[start + len(name) :].lstrip(b" \t")[:1] != b":":
                start = head.find(name, start + 1)
            if start >= 0:
                break
        else:
            return b""
    value = data.find(b":", start) + 1
    return data[value : data.find(b"\r", value)].strip(b" \t")


class Handover:
    """One worker's end. `index` of `count` workers; the sockets are in `directory`."""

    def __init__(self, directory: Path, index: int, count: int) -> None:
        self.index = index
        self.count = count
        self._directory = directory
        self._out: dict[int, list[bytes]] = {}
        self._links: dict[int, socket.socket] = {}
        self._retry_at: dict[int, float] = {}
        self.accepted: list[socket.socket] = []
        self.passed_on = 0
        self.taken_over = 0
        """Messages of another worker's share handled here because it did not answer."""
        self.dropped = 0
        path = self._path(index)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.setblocking(False)
        self.server.bind(str(path))
        os.chmod(path, 0o600)
        self.server.listen(MAX_LINKS)

    def _path(self, index: int) -> Path:
        return self._directory / f"handover-{index}.sock"

    def owner(self, data: bytes) -> int:
        """The worker whose share a message is in."""
        return crc32(call_id_of(data)) % self.count

    def give(self, data: bytes, listener: int, host: str, port: int, now: float) -> bool:
        """Queue a message for its owner. False: it is to be handled here, as its owner is this worker or is away."""
        share = self.owner(data)
        for step in range(self.count):
            target = (share + step) % self.count
            if target == self.index:
                self.taken_over += step > 0
                return False
            if self._reach(target, now) is not None:
                name = host.encode()
                self._out.setdefault(target, []).append(_HEAD.pack(listener, port, len(name), len(data)) + name + data)
                self.passed_on += 1
                return True
        return False

    def _reach(self, target: int, now: float) -> socket.socket | None:
        link = self._links.get(target)
        if link is not None or now < self._retry_at.get(target, 0.0):
            return link
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        try:
            link.connect(str(self._path(target)))
        except OSError:
            link.close()
            self._retry_at[target] = now + RETRY_S
            return None
        self._links[target] = link
        return link

    def flush(self, now: float) -> list[Parcel]:
        """End of a turn: everything queued leaves. What an owner that just died did not take comes back, to be handled
        here."""
        if not self._out:
            return []
        back: list[Parcel] = []
        for target, parcels in self._out.items():
            for batch in _batches(parcels):
                link = self._links.get(target)
                try:
                    if link is None:
                        raise ConnectionError
                    link.send(batch)
                except BlockingIOError:
                    self.dropped += 1
                except OSError:
                    self._lose(target, now)
                    back.extend(unpack(batch))
        self._out.clear()
        self.taken_over += len(back)
        return back

    def _lose(self, target: int, now: float) -> None:
        link = self._links.pop(target, None)
        if link is not None:
            link.close()
        self._retry_at[target] = now + RETRY_S

    def accept(self) -> socket.socket | None:
        """Another worker connects; the socket to read its hand-overs from."""
        try:
            link, _ = self.server.accept()
        except OSError:
            return None
        if len(self.accepted) >= MAX_LINKS:
            link.close()
            return None
        link.setblocking(False)
        self.accepted.append(link)
        return link

    def receive(self, link: socket.socket) -> list[Parcel] | None:
        """One hand-over; empty when there is none now, None when the other side is gone (the link is closed)."""
        try:
            batch = link.recv(2 * MAX_BATCH + 65_536)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            batch = b""
        if not batch:
            self.accepted.remove(link)
            link.close()
            return None
        return list(unpack(batch))

    def close(self) -> None:
        """Close everything; the socket file goes too."""
        for link in (*self._links.values(), *self.accepted, self.server):
            link.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(self.index))


def _batches(parcels: list[bytes]) -> Iterator[bytes]:
    size = 0
    batch: list[bytes] = []
    for parcel in parcels:
        if batch and size + len(parcel) > MAX_BATCH:
            yield b"".join(batch)
            batch, size = [], 0
        batch.append(parcel)
        size += len(parcel)
    yield b"".join(batch)


def unpack(batch: bytes) -> Iterator[Parcel]:
    """The messages of one hand-over."""
    at = 0
    while at < len(batch):
        listener, port, name, size = _HEAD.unpack_from(batch, at)
        at += _HEAD.size
        host = batch[at : at + name].decode()
        at += name
        yield listener, host, port, batch[at : at + size]
        at += size
