"""Calls of one node that went on, or ended, by another: the one that set them up lets go of them.

A dialog may pass by any node (its cookie carries all that is needed), so the node that counts a call as up may never
see its BYE. Whoever sees a word of a call that it does not count says so in a short stream, `cg:calls`, and the others
read it once a second. Soft state (DESIGN §6, Channels): a word that is lost, with Redis or while the link is down,
leaves the count too high until the lease of the call runs out, and changes nothing else.

A worker that comes back takes up the calls of its journal. Which of them went on by others is not in it: so the stream
is read from its beginning first, and the last word about a call says whose it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gateway.store.redis.address import command
from gateway.store.redis.client import Asked
from gateway.store.redis.connection import Replies

STREAM: Final = b"cg:calls"
MAX_KEPT: Final = b"20000"
"""Entries the stream is cut to, about: a second of more calls than a node can end, in 2 MB."""

READ_AT_ONCE: Final = b"5000"
ID_LENGTH: Final = 32
"""Hex digits of a decision id; all else is not ours."""


class Elsewhere:
    """One worker's words to the others, and theirs to it."""

    __slots__ = ("_asking", "_gone", "_link", "_me", "_on_taken", "_past", "_seen", "_stream")

    def __init__(self, link: Asked, me: str, on_taken: Callable[[str], None], stream: bytes = STREAM) -> None:
        """`me`: this worker's name, unlike any other's. `on_taken`: told the decision id of each call that another
        worker has seen a word of. `stream`: its key where `link` leads."""
        self._stream = stream
        self._link = link
        self._me = me.encode()
        self._on_taken = on_taken
        self._asking = False
        self._seen = b"0"
        """Id of the last entry read."""
        self._past = True
        """What was said before our time is not read to its end yet."""
        self._gone: dict[str, None] = {}
        """Calls of which another worker had the last word in it."""

    def tell(self, decision: str) -> None:
        """A word of this call came by here, and others may count it."""
        entry = (b"w", self._me, b"d", decision.encode())
        self._link.send(command(b"XADD", self._stream, b"MAXLEN", b"~", MAX_KEPT, b"*", *entry), 1, _ignore)

    def read(self) -> None:
        """Ask what others told; once a second."""
        if self._asking:
            return
        ask = command(b"XREAD", b"COUNT", READ_AT_ONCE, b"STREAMS", self._stream, self._seen)
        self._asking = self._link.send(ask, 1, self._on_entries)

    def _on_entries(self, replies: Replies | None) -> None:
        self._asking = False
        if replies is None:
            return
        reply = replies[0]
        if reply is None:  # nothing new
            self._end_past()
            return
        if not isinstance(reply, list):  # an error (loading)
            return
        for entry, fields in reply[0][1]:
            self._seen = entry
            decision = _decision(fields)
            if not decision:
                continue
            own = fields[1] == self._me
            if not self._past:
                if not own:
                    self._on_taken(decision)
            elif own:
                self._gone.pop(decision, None)
            else:
                self._gone[decision] = None
        if self._past and len(reply[0][1]) < int(READ_AT_ONCE):  # where there is always something new, too
            self._end_past()

    def _end_past(self) -> None:
        self._past = False
        gone, self._gone = self._gone, {}
        for decision in gone:
            self._on_taken(decision)


def _decision(fields: Any) -> str:
    """The call an entry is about; "" where it is not one of ours to read."""
    if not isinstance(fields, list) or len(fields) != 4 or fields[0] != b"w":
        return ""
    text: bytes = fields[3]
    return text.decode() if len(text) == ID_LENGTH and text.isalnum() else ""


def _ignore(replies: Replies | None) -> None:
    """Whether it was kept is no matter of ours."""
