"""Several workers behind one address: each message goes to the worker that its Call-ID names.

Every worker has a socket on the configured address and port (SO_REUSEPORT), so carriers see one. The kernel gives most
datagrams to the owner of their call at once (`net.steering`). What it could not read comes to any worker, which looks
at the Call-ID and hands it on to the owner, over a unix socket, all of one turn in one write. All messages of a call
thus meet in one worker, in order, and answers leave from there directly.

An owner that died is back within a second or so and reads its journal back. What comes for it meanwhile waits, in its
socket, which the supervisor holds too, and here, for `HOLD_S`: no other worker decides its calls, and no decision is
recorded twice. One that stays away longer, or that left on purpose, is stood in for by the next, which then reads its
sockets. When it is back it says so (`HELLO`); the stand-in stops, tells which calls it has (`Sibling.kept`), and the
owner hands their messages on (`_elsewhere`): a call never moves once it is in a worker that lives. Until everyone has
told (`TOLD`), the owner takes nothing. What a busy owner cannot take is dropped, as UDP may: passing it elsewhere would
split a call over two workers.

Two workers share one link. The one that comes later makes it, once, when it starts; both read it, so both see at once
that the other died. Nobody connects to a worker that was lost: while a process dies its listening socket may be open
still, and a link to it looks like one to a worker that lives. A worker is there when it has said HELLO.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway.net.parcels import MAX_BATCH, Parcel, batches, pack, unpack
from gateway.net.share import call_id_of, mark_of, share_of
from gateway.net.sibling import Sibling, connect, new_link, socket_path

MAX_LINKS: Final = 256
"""Connections accepted from other workers: each restart of one makes a new one, and closes the old."""

MAX_ELSEWHERE = 1 << 18
"""Calls of this worker's share known to be in others; beyond it the oldest are forgotten: 25 MB."""

MESSAGES: Final = b"M"
KEPT: Final = b"K"
PENDING: Final = b"P"
HELLO: Final = b"H"
TOLD: Final = b"T"
"""First byte of a hand-over: messages; or, each with the sender's index behind it: the marks of calls that it keeps;
decision ids of calls that it sets up; its process, first on each link; and that all has been told."""

_ID: Final = 16
"""Octets of a decision id."""

BOOT: Final = 8
"""Octets that name a process."""


class Handover:
    """One worker's end. `index` of `count` workers; the sockets are in `directory`."""

    def __init__(self, directory: Path, index: int, count: int) -> None:
        self.index = index
        self.count = count
        self._directory = directory
        self._path = socket_path(directory, index)
        self._name = bytes((index,))
        self._hello = HELLO + self._name + os.urandom(BOOT)
        self._siblings = {n: Sibling(n, directory) for n in range(count) if n != index}
        self._untold: set[Sibling] = set()
        self._asked: set[int] = set()
        self._from: dict[socket.socket, int] = {}
        self._due: set[Sibling] = set()
        self._elsewhere: dict[int, int] = {}
        self.on_stand_in: Callable[[int], None] = lambda share: None
        """Told before the first message of a worker that is away is handled here."""
        self.in_setup: Callable[[], list[bytes]] = list
        """Decision ids of the calls that are being set up here."""
        self.pending: set[bytes] = set()
        """Those that the others had when this worker came."""
        self.links: list[socket.socket] = []
        """Made and accepted, to be read."""
        self.server: socket.socket | None = None
        self.passed_on = 0
        self.taken_over = 0
        """Messages of other workers' calls that were handled here."""
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Messages that found no room."""
        return self._dropped + sum(sibling.dropped for sibling in self._siblings.values())

    @property
    def waiting(self) -> bool:
        """True while something is held for a worker: `flush` and `tell` must come again in `RETRY_S`."""
        return bool(self._due or self._untold)

    def open(self, now: float) -> bool:
        """Begin to accept, and call on the others: they then tell what they keep and hand over what they held. Those
        who are not there call on this one when they come. True: there are others."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.setblocking(False)
        self.server.bind(str(self._path))
        os.chmod(self._path, 0o600)
        self.server.listen(MAX_LINKS)
        for index, sibling in self._siblings.items():
            sibling.away_since = now
            link = connect(socket_path(self._directory, index))
            if link is not None and self._begin(link):
                self._from[link] = index
                self._asked.add(index)
        return bool(self._asked)

    def _begin(self, link: socket.socket) -> bool:
        """The first word on each link, from both ends. False: nobody is there."""
        try:
            link.send(self._hello)
        except OSError:
            link.close()
            return False
        self.links.append(link)
        return True

    @property
    def greeted(self) -> bool:
        """True once all who were there at the start have told what they keep."""
        return not self._asked

    @property
    def alone(self) -> bool:
        """True while some other worker is not there: who stands in for it is to be looked at every `RETRY_S`."""
        return any(sibling.link is None for sibling in self._siblings.values())

    def shares(self, now: float) -> set[int]:
        """Shares of workers that this one stands in for."""
        if not self.alone:
            return set()
        return {share for share, sibling in self._siblings.items() if self._stand_in(share, now) is None}

    # -- out -------------------------------------------------------------------------------------------------------

    def give(self, data: bytes, listener: int, host: str, port: int, now: float) -> bool:
        """Queue a message for its owner, or for the worker that has its call. False: it is to be handled here."""
        call_id = call_id_of(data)
        if not call_id:  # keep-alives and what no parser takes: whoever has it answers or drops it
            return False
        share = share_of(call_id, self.count)
        if share == self.index:
            if not self._elsewhere:
                return False
            keeper = self._elsewhere.get(mark_of(call_id))
            if keeper is None:
                return False
            target = self._siblings[keeper]
            if not target.awaited(now):
                self._replace(target)  # what it decided was a call of this share
                return False
        else:
            mark = mark_of(call_id)
            found = None if mark in self._siblings[share].kept else self._stand_in(share, now)
            if found is None:
                self._keep(share, mark)
                return False
            target = found
        target.out.append(pack(listener, host, port, data))
        self._due.add(target)
        self.passed_on += 1
        return True

    def _stand_in(self, share: int, now: float) -> Sibling | None:
        """The owner of a share, or who is next after it; None: this worker."""
        for step in range(self.count):
            sibling = self._siblings.get((share + step) % self.count)
            if sibling is None:
                return None
            if sibling.awaited(now):
                return sibling
        return None

    def _keep(self, share: int, mark: int) -> None:
        self.taken_over += 1
        sibling = self._siblings[share]
        if mark not in sibling.kept:
            self._replace(sibling)  # also where another found it away, and the link from here is not known to be dead
        sibling.keep(mark)
        if sibling.untold:
            self._untold.add(sibling)

    def _replace(self, sibling: Sibling) -> None:
        if not sibling.replaced:
            sibling.replaced = True
            self.on_stand_in(sibling.index)

    def flush(self, now: float) -> list[Parcel]:
        """End of a turn: everything queued leaves. Returns what was held for a worker that did not come back and is
        now to be handled here."""
        if not self._due:
            return []
        back: list[Parcel] = []
        for sibling in tuple(self._due):
            if not sibling.held or sibling.awaited(now):
                continue
            parcels, sibling.out = unpack(b"".join((*sibling.take_held(), *sibling.out))), []
            for parcel in parcels:
                self.passed_on -= 1
                listener, host, port, data = parcel
                if not self.give(data, listener, host, port, now):
                    back.append(parcel)
        for sibling in tuple(self._due):
            self._send(sibling, now)
            if not sibling.held:
                self._due.discard(sibling)
        return back

    def _send(self, sibling: Sibling, now: float) -> None:
        parcels, sibling.out = sibling.out, []
        if sibling.link is None:
            sibling.hold(parcels)
            return
        if sibling.held:
            parcels = sibling.take_held() + parcels
        left = list(batches(parcels))
        for number, batch in enumerate(left):
            if not sibling.send(MESSAGES + b"".join(batch), now, len(batch)):
                # It died: held in their order, for when it is back.
                sibling.hold([parcel for rest in left[number:] for parcel in rest])
                return

    def tell(self, now: float) -> None:
        """After everything of this turn was recorded: workers that are back hear which of their calls are here."""
        if not self._untold:
            return
        for sibling in tuple(self._untold):
            if sibling.link is None or self._tell(sibling, now):
                self._untold.discard(sibling)

    def _tell(self, sibling: Sibling, now: float) -> bool:
        """False: there is no room for all of it now. What is said twice does no harm."""
        while sibling.untold:
            marks = sibling.untold[: MAX_BATCH // 4]
            if not sibling.say(KEPT + self._name + struct.pack(f"!{len(marks)}I", *marks), now):
                return False
            del sibling.untold[: len(marks)]
        if not sibling.greeted:
            pending = b"".join(self.in_setup())
            for at in range(0, len(pending), _ID * 4_096):
                if not sibling.say(PENDING + self._name + pending[at : at + _ID * 4_096], now):
                    return False
            sibling.greeted = sibling.say(TOLD + self._name, now)
        return sibling.greeted

    # -- in --------------------------------------------------------------------------------------------------------

    def accept(self) -> socket.socket | None:
        """Another worker connects; the socket to read its hand-overs from."""
        if self.server is None:
            return None
        try:
            link, _ = self.server.accept()
        except OSError:
            return None
        if len(self.links) >= MAX_LINKS:
            link.close()
            return None
        return link if self._begin(new_link(link)) else None

    def receive(self, link: socket.socket, now: float) -> list[Parcel] | None:
        """One hand-over: the messages to be handled here, empty when there is none now, None when the other side is
        gone (the link is then to be closed with `leave`)."""
        try:
            batch = link.recv(MAX_BATCH + 1024)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if batch[:1] != MESSAGES:
            return [] if self._told(link, batch, now) else None
        try:
            parcels = unpack(batch, 1)
        except ValueError:
            self._dropped += 1
            return None
        return [parcel for parcel in parcels if not self.passes(parcel, now)]

    def passes(self, parcel: Parcel, now: float) -> bool:
        """Handed over here, although another worker has the call (True), or its owner is away (counted)."""
        listener, host, port, data = parcel
        call_id = call_id_of(data)
        share = share_of(call_id, self.count)
        if share == self.index:
            return bool(self._elsewhere) and self.give(data, listener, host, port, now)
        self._keep(share, mark_of(call_id))
        return False

    def _told(self, link: socket.socket, batch: bytes, now: float) -> bool:
        """Another worker says something of itself. False: it is nothing that one says."""
        index = batch[1] if len(batch) > 1 else self.index
        sibling = self._siblings.get(index)
        if sibling is None:
            return False
        word = batch[:1]
        if word == HELLO and len(batch) == 2 + BOOT:
            self._from[link] = index
            if sibling.arrived(link, batch[2:]):  # it hears at once what is here of its share, and gets what was held
                self._untold.add(sibling)
                if sibling.held:
                    self._due.add(sibling)
        elif word == TOLD:
            self._asked.discard(index)
        elif word == PENDING and len(batch) % _ID == 2:
            if self._asked:
                self.pending.update(batch[at : at + _ID] for at in range(2, len(batch), _ID))
        elif word == KEPT and len(batch) % 4 == 2:
            for mark in struct.unpack_from(f"!{(len(batch) - 2) // 4}I", batch, 2):
                if len(self._elsewhere) >= MAX_ELSEWHERE:
                    del self._elsewhere[next(iter(self._elsewhere))]
                self._elsewhere[mark] = index
        else:
            return False
        return True

    def leave(self, link: socket.socket, now: float) -> None:
        """Close a link: its worker died, or left."""
        if link in self.links:
            self.links.remove(link)
        link.close()
        index = self._from.pop(link, None)
        if index is None:
            return
        sibling = self._siblings[index]
        if sibling.link is link:
            sibling.lost(now)
        if index not in self._from.values():
            self._asked.discard(index)

    def close(self) -> None:
        """Close everything; the socket file goes too, which tells the others that this worker left on purpose."""
        if self.server is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            self.server.close()
            self.server = None
        for link in self.links:
            link.close()
        self.links.clear()
        self._from.clear()
        for sibling in self._siblings.values():
            sibling.link = None
