"""Another worker of this node, as one worker sees it: reached, awaited, or given up for now."""

from __future__ import annotations

import errno
import socket
from collections import deque
from pathlib import Path
from typing import Final

RETRY_S: Final = 0.1
"""Seconds between two looks at who is still away."""

HOLD_S = 2.0
"""Seconds a worker that died is waited for: it is back within one when the journal is short. A peer's INVITE comes
again after 0.5, 1.5 and 3.5 s (RFC 3261 §17.1.1.2), so nothing is lost by waiting."""

MAX_HELD = 8 * 1024 * 1024
"""Bytes held for a worker that is away: 2 s of 4,000 messages/s."""

MAX_KEPT = 1 << 16
"""Calls of another share that are kept; the oldest are forgotten. 65,536: a minute of 1,000 calls/s."""

BUFFER: Final = 4 * 1024 * 1024
"""Bytes a link may hold: about 4,000 messages, as the UDP sockets."""

_SO_SNDBUFFORCE: Final = 32
"""socket(7): above net.core.wmem_max, for who may (CAP_NET_ADMIN)."""


_NO_ROOM: Final = frozenset((errno.EAGAIN, errno.EINTR, errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM))
"""Errors of a write that do not say that the other end is gone."""


def socket_path(directory: Path, index: int) -> Path:
    """Where worker `index` accepts hand-overs."""
    return directory / f"handover-{index}.sock"


def connect(path: Path) -> socket.socket | None:
    """A link to the worker that accepts at `path`; None where none does."""
    link = new_link()
    try:
        link.connect(str(path))
    except OSError:
        link.close()
        return None
    return link


def new_link(accepted: socket.socket | None = None) -> socket.socket:
    """One end of a link, with room for what a turn may bring."""
    link = accepted or socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    link.setblocking(False)
    try:
        link.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, BUFFER)
    except PermissionError:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
    return link


class Sibling:
    """The way to one other worker, what is on it, and what is held for it."""

    __slots__ = (
        "_held_bytes", "_path", "away_since", "boot", "dropped", "greeted", "held", "index", "kept", "link", "out",
        "replaced", "untold",
    )  # fmt: skip

    def __init__(self, index: int, directory: Path) -> None:
        self.index = index
        self._path = socket_path(directory, index)
        self.link: socket.socket | None = None
        """To the process that is there: it has told its name on it, so it runs."""
        self.out: list[bytes] = []
        """Packed messages of this turn."""
        self.held: deque[bytes] = deque()
        self._held_bytes = 0
        self.away_since = 0.0
        """When it was found away, where there is no link. -inf: it left on purpose."""
        self.replaced = False
        """True once another stands in for it, until it is back."""
        self.kept: dict[int, None] = {}
        """Marks of calls of its share that are here, because it was away when they came."""
        self.untold: list[int] = []
        """Those of `kept` that it must be told of."""
        self.boot = b""
        """Of the process that is there."""
        self.greeted = False
        """True once it was told of all calls of its share that are here, since the link was made."""
        self.dropped = 0

    def arrived(self, link: socket.socket, boot: bytes) -> bool:
        """It has told its name on this link. False: nothing new, the link before is to the same process."""
        if self.link is not None and self.boot == boot:
            return False
        self.link = link
        self.boot = boot
        self.replaced = False
        self.greeted = False
        self.untold = list(self.kept)
        return True

    def awaited(self, now: float) -> bool:
        """True while it is there, or expected back soon."""
        return self.link is not None or now - self.away_since < HOLD_S

    def keep(self, mark: int) -> None:
        """A call of its share is handled here."""
        if mark in self.kept:
            return
        if len(self.kept) >= MAX_KEPT:
            del self.kept[next(iter(self.kept))]
        self.kept[mark] = None
        if self.link is not None:
            self.untold.append(mark)

    def hold(self, parcels: list[bytes]) -> None:
        """Keep messages until it is back; what is too much is dropped."""
        for parcel in parcels:
            if self._held_bytes + len(parcel) > MAX_HELD:
                self.dropped += 1
            else:
                self.held.append(parcel)
                self._held_bytes += len(parcel)

    def take_held(self) -> list[bytes]:
        """What was held, in its order."""
        held = list(self.held)
        self.held.clear()
        self._held_bytes = 0
        return held

    def send(self, batch: bytes, now: float, messages: int) -> bool:
        """Messages, in one write; where there is no room they are dropped. False: the worker is gone, and took none."""
        if not self.say(batch, now):
            if self.link is None:
                return False
            self.dropped += messages
        return True

    def say(self, word: bytes, now: float) -> bool:
        """One write. False: it was not taken, and where there is no link any more, the worker is gone."""
        if self.link is None:
            return False
        try:
            self.link.send(word)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                self.lost(now)
            return False
        return True

    def lost(self, now: float) -> None:
        """It died, or left: then its socket's file is gone. Who reads the link closes it."""
        self.link = None
        self.boot = b""
        self.away_since = now if self._path.exists() else float("-inf")
