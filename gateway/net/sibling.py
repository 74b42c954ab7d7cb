"""Another worker of this node, as one worker sees it: reached, awaited, or given up for now."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections import deque
from pathlib import Path

RETRY_S = 0.1
"""Seconds between two attempts to reach a worker that was away."""

HOLD_S = 2.0
"""Seconds a worker that died is waited for: it is back within one when the journal is short. A peer's INVITE comes
again after 0.5, 1.5 and 3.5 s (RFC 3261 §17.1.1.2), so nothing is lost by waiting."""

MAX_HELD = 8 * 1024 * 1024
"""Bytes held for a worker that is away: 2 s of 4,000 messages/s."""

MAX_KEPT = 1 << 16
"""Calls of another share that are kept; the oldest are forgotten. 65,536: a minute of 1,000 calls/s."""

BUFFER = 4 * 1024 * 1024
"""Bytes a link may hold: about 4,000 messages, as the UDP sockets."""

_SO_SNDBUFFORCE = 32
"""socket(7): above net.core.wmem_max, for who may (CAP_NET_ADMIN)."""


def socket_path(directory: Path, index: int) -> Path:
    """Where worker `index` accepts hand-overs."""
    return directory / f"handover-{index}.sock"


class Sibling:
    """The way to one other worker, what is on it, and what is held for it."""

    __slots__ = (
        "_held_bytes", "_hello", "_path", "away_since", "boot", "dropped", "greeted", "held", "index", "kept", "link",
        "out", "replaced", "retry_at", "untold",
    )  # fmt: skip

    def __init__(self, index: int, directory: Path, hello: bytes) -> None:
        """`hello`: what is sent first on a new link."""
        self.index = index
        self._hello = hello
        self._path = str(socket_path(directory, index))
        self.link: socket.socket | None = None
        self.out: list[bytes] = []
        """Packed messages of this turn."""
        self.held: deque[bytes] = deque()
        self._held_bytes = 0
        self.retry_at = 0.0
        self.away_since: float | None = None
        """When it was found away; None: it is not known to be. -inf: it left on purpose."""
        self.replaced = False
        """True once another stands in for it, until it is back."""
        self.kept: dict[int, None] = {}
        """Marks of calls of its share that are here, because it was away when they came."""
        self.untold: list[int] = []
        """Those of `kept` that it must be told of."""
        self.boot = b""
        """Of the process that is there, as it told; empty: it has not told yet."""
        self.greeted = False
        """True once it was told of all calls of its share that are here, since the link was made."""
        self.dropped = 0

    def reach(self, now: float) -> bool:
        """True when there is a link, if need be a new one."""
        if self.link is not None:
            return True
        if now < self.retry_at:
            return False
        link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        link.setblocking(False)
        try:
            link.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, BUFFER)
        except PermissionError:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        try:
            link.connect(self._path)
            link.send(self._hello)
        except OSError as error:
            link.close()
            self.retry_at = now + RETRY_S
            if error.errno == errno.ENOENT:
                self.away_since = float("-inf")
            elif self.away_since is None:
                self.away_since = now
            return False
        self.link = link
        self.away_since = None
        self.replaced = False
        self.greeted = False
        self.untold = list(self.kept)
        return True

    def awaited(self, now: float) -> bool:
        """True while a worker that is away is expected back."""
        return self.away_since is None or now - self.away_since < HOLD_S

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

    def send(self, batch: bytes, now: float, messages: int = 0) -> bool:
        """One write. False: the worker is gone, and took nothing of it."""
        if self.link is None:
            return False
        try:
            self.link.send(batch)
        except (BlockingIOError, InterruptedError):
            self.dropped += messages
        except OSError as error:
            if error.errno in (errno.EMSGSIZE, errno.ENOBUFS, errno.ENOMEM):
                self.dropped += messages
                return True
            self.lost(now)
            return False
        return True

    def lost(self, now: float) -> None:
        """It died."""
        self.close()
        self.boot = b""
        self.away_since = now
        self.retry_at = now

    def close(self) -> None:
        """Let the link go."""
        if self.link is not None:
            with contextlib.suppress(OSError):
                self.link.close()
            self.link = None
