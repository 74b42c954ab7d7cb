"""Several workers behind one address: each message goes to the worker that its Call-ID names.

Every worker binds the configured address and port (SO_REUSEPORT), so carriers see one. Which of them the kernel gives a
datagram to depends on the peer's address alone, and a carrier is often a single one; so the worker that received a
message looks at its Call-ID and hands it on to the owner, over a unix socket, all of one turn in one write. All
messages of a call thus meet in one worker, in order, and answers leave from there directly.

An owner that died is back within a second or so and reads its journal back, so its messages are held for `HOLD_S`: no
other worker decides its calls, and no decision is recorded twice. One that stays away longer, or that left on purpose,
is stood in for by the next. The stand-in keeps the calls it took (`Sibling.kept`) and tells the owner when that is
back, which then hands their messages on (`_elsewhere`): a call never moves once it is in a worker that lives. What a
busy owner cannot take is dropped, as UDP may: passing it elsewhere would split a call over two workers.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

from gateway.net.parcels import MAX_BATCH, Parcel, batches, mark_of, pack, share_of, unpack
from gateway.net.sibling import Sibling, socket_path

MAX_LINKS = 256
"""Connections accepted from other workers: each restart of one makes a new one, and closes the old."""

MAX_ELSEWHERE = 1 << 18
"""Calls of this worker's share known to be in others; beyond it the oldest are forgotten: 25 MB."""

MESSAGES = b"M"
KEPT = b"K"
"""First byte of a hand-over: messages, or the sender's index and the marks of calls that it keeps."""

_KEPT_HEAD = struct.Struct("!B")


class Handover:
    """One worker's end. `index` of `count` workers; the sockets are in `directory`."""

    def __init__(self, directory: Path, index: int, count: int) -> None:
        self.index = index
        self.count = count
        self._path = socket_path(directory, index)
        self._siblings = {n: Sibling(n, directory) for n in range(count) if n != index}
        self._due: set[Sibling] = set()
        self._elsewhere: dict[int, int] = {}
        self.on_stand_in: Callable[[int], None] = lambda share: None
        """Told before the first message of a worker that is away is handled here."""
        self.accepted: list[socket.socket] = []
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
        """True while messages are held for a worker that is away: `flush` must come again in `RETRY_S`."""
        return bool(self._due)

    def open(self, now: float) -> bool:
        """Begin to accept, and call on the others: they then connect, tell what they keep and hand over what they
        held. True: there are others."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.server.setblocking(False)
        self.server.bind(str(self._path))
        os.chmod(self._path, 0o600)
        self.server.listen(MAX_LINKS)
        found = [sibling.reach(now) for sibling in self._siblings.values()]
        return any(found)

    # -- out -------------------------------------------------------------------------------------------------------

    def give(self, data: bytes, listener: int, host: str, port: int, now: float) -> bool:
        """Queue a message for its owner, or for the worker that has its call. False: it is to be handled here."""
        mark = mark_of(data)
        if mark < 0:  # keep-alives and what no parser takes: whoever has it answers or drops it
            return False
        share = share_of(mark, self.count)
        if share == self.index:
            keeper = self._elsewhere.get(mark) if self._elsewhere else None
            target = self._siblings[keeper] if keeper is not None else None
            if target is None or not (target.reach(now) or target.awaited(now)):
                return False
        else:
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
            if sibling.reach(now) or sibling.awaited(now):
                return sibling
        return None

    def _keep(self, share: int, mark: int) -> None:
        self.taken_over += 1
        sibling = self._siblings[share]
        if mark not in sibling.kept and not sibling.replaced:
            sibling.replaced = True  # also where another found it away, and the link from here is not known to be dead
            self.on_stand_in(share)
        sibling.keep(mark)
        if sibling.untold:
            self._due.add(sibling)

    def flush(self, now: float) -> list[Parcel]:
        """End of a turn: everything queued leaves. Returns what was held for a worker that did not come back and is
        now to be handled here."""
        if not self._due:
            return []
        back: list[Parcel] = []
        for sibling in tuple(self._due):
            if not sibling.held or sibling.reach(now) or sibling.awaited(now):
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
        if not sibling.reach(now):
            sibling.hold(parcels)
            return
        if sibling.untold:
            for at in range(0, len(sibling.untold), MAX_BATCH // 4):
                marks = sibling.untold[at : at + MAX_BATCH // 4]
                sibling.send(KEPT + _KEPT_HEAD.pack(self.index) + struct.pack(f"!{len(marks)}I", *marks), now)
            sibling.untold = []
        if sibling.held:
            parcels = sibling.take_held() + parcels
        left = list(batches(parcels))
        for number, batch in enumerate(left):
            if not sibling.send(MESSAGES + b"".join(batch), now, len(batch)):
                # It died: held in their order, for when it is back.
                sibling.hold([parcel for rest in left[number:] for parcel in rest])
                return

    # -- in --------------------------------------------------------------------------------------------------------

    def accept(self, now: float) -> socket.socket | None:
        """Another worker connects; the socket to read its hand-overs from. It may have been away: it is called back
        at once."""
        if self.server is None:
            return None
        try:
            link, _ = self.server.accept()
        except OSError:
            return None
        if len(self.accepted) >= MAX_LINKS:
            link.close()
            return None
        link.setblocking(False)
        self.accepted.append(link)
        for sibling in self._siblings.values():
            if sibling.link is None:
                sibling.retry_at = now
                if sibling.reach(now) and (sibling.untold or sibling.held):
                    self._due.add(sibling)
        return link

    def receive(self, link: socket.socket, now: float) -> list[Parcel] | None:
        """One hand-over: the messages to be handled here, empty when there is none now, None when the other side is
        gone (the link is then to be closed with `leave`)."""
        try:
            batch = link.recv(MAX_BATCH + 1024)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if batch[:1] == KEPT:
            self._note_kept(batch)
            return []
        if batch[:1] != MESSAGES:
            return None
        try:
            parcels = unpack(batch, 1)
        except ValueError:
            self._dropped += 1
            return None
        return [parcel for parcel in parcels if not self._goes_on(parcel, now)]

    def _goes_on(self, parcel: Parcel, now: float) -> bool:
        """Handed over here, although another worker has the call (True), or its owner is away (counted)."""
        listener, host, port, data = parcel
        mark = mark_of(data)
        share = share_of(mark, self.count)
        if share == self.index:
            return mark in self._elsewhere and self.give(data, listener, host, port, now)
        self._keep(share, mark)
        return False

    def _note_kept(self, batch: bytes) -> None:
        """A stand-in tells which calls of this share it has."""
        keeper = batch[1] if len(batch) > 1 else self.index
        if keeper not in self._siblings:
            return
        count = (len(batch) - 2) // 4
        for mark in struct.unpack_from(f"!{count}I", batch, 2):
            if len(self._elsewhere) >= MAX_ELSEWHERE:
                del self._elsewhere[next(iter(self._elsewhere))]
            self._elsewhere[mark] = keeper

    def leave(self, link: socket.socket) -> None:
        """Close a link that was accepted."""
        if link in self.accepted:
            self.accepted.remove(link)
        link.close()

    def close(self) -> None:
        """Close everything; the socket file goes too, which tells the others that this worker left on purpose."""
        if self.server is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)
            self.server.close()
            self.server = None
        for link in self.accepted:
            link.close()
        self.accepted.clear()
        for sibling in self._siblings.values():
            sibling.close()
