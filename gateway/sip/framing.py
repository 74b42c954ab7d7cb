"""Octets of a stream to whole messages (RFC 3261 §18.3), and the keep-alives between them (RFC 5626 §3.5.1).

A stream has no message ends but those Content-Length gives, so two elements that read that header differently see
different messages behind it: it must stand exactly once, with a plain number, or the connection is given up. It
is read as `parser` reads it: folds, compact form and SP or HTAB before the colon count, and nothing else does.

`StreamFramer.feed` keeps what is incomplete and goes on where it stopped, so any cutting of a stream gives the same
messages, at a price linear in its octets.
"""

from __future__ import annotations

from typing import Final

from gateway.sip.chars import TOKEN, TOKEN_OCTETS
from gateway.sip.errors import RemoteProtocolError, bad
from gateway.sip.headers import unfold
from gateway.sip.limits import MAX_DIGITS, MAX_HEADERS, MAX_STREAM_BODY, MAX_STREAM_HEAD
from gateway.sip.names import CONTENT_LENGTH
from gateway.sip.salvage import salvage_request

PING: Final = b"\r\n\r\n"
"""Sent between messages to ask whether the far end is there (RFC 5626 §3.5.1)."""

PONG: Final = b"\r\n"
"""The answer to it."""

_LENGTH: Final = b"content-length"
_END: Final = b"\r\n\r\n"


class StreamFramer:
    """One direction of one connection."""

    __slots__ = ("_buffer", "_crlfs", "_scanned", "_size", "error", "pings", "pongs", "pongs_due")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        """Octets of the buffer in which no end of the header part begins."""
        self._size = 0
        """Octets of the message in the buffer; 0 until its header part is whole."""
        self._crlfs = 0
        """1 after one CRLF of what may become a ping."""
        self.error: RemoteProtocolError | None = None
        """Why this stream cannot be read on. Its `salvage` tells whether there is somebody to answer."""
        self.pings = 0
        """Pings that came since the caller last set this to 0; each is to be answered with `PONG`."""
        self.pongs = 0
        """Pongs that came for pings of ours."""
        self.pongs_due = 0
        """Pings of ours that were not answered: the sender of a ping adds one. Without it two pongs would read as a
        ping."""

    @property
    def waiting(self) -> bool:
        """True when a message has begun and is not whole."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now, each as `parse` takes it. Never raises: after an `error` everything that
        comes is ignored."""
        messages: list[bytes] = []
        if self.error is not None:
            return messages
        try:
            if self._buffer:
                self._buffer += data
                used = self._cut(self._buffer, messages)
                if used:
                    del self._buffer[:used]
            else:
                used = self._cut(data, messages)
                if used < len(data):
                    self._buffer += data[used:] if used else data
        except RemoteProtocolError as error:
            self.error = error
            self._buffer = bytearray()
        return messages

    def _cut(self, data: bytes | bytearray, messages: list[bytes]) -> int:
        """Append the whole messages at the start of `data`; returns how many octets are done with."""
        start = 0
        while True:
            if not self._size:
                start = self._between(data, start)
                if start == len(data) or data[start] == 0x0D:  # nothing, or the first half of a CRLF
                    return start
                end = data.find(_END, max(start, self._scanned - 3))
                if end < 0 or end + 4 - start > MAX_STREAM_HEAD:
                    if len(data) - start > MAX_STREAM_HEAD:
                        raise _too_large(data, start)
                    self._scanned = len(data) - start
                    return start
                self._scanned = 0
                head = bytes(data[start:end])
                self._size = end + 4 - start + _body_length(head)
            if len(data) - start < self._size:
                return start
            messages.append(bytes(data[start : start + self._size]))
            start += self._size
            self._size = 0

    def _between(self, data: bytes | bytearray, start: int) -> int:
        """Skip and count the CRLFs before a message; returns where it begins. Raises RemoteProtocolError for what
        begins none."""
        while data.startswith(b"\r\n", start):
            start += 2
            if self.pongs_due:
                self.pongs_due -= 1
                self.pongs += 1
            elif self._crlfs:
                self._crlfs = 0
                self.pings += 1
            else:
                self._crlfs = 1
        if start < len(data) and data[start] not in TOKEN_OCTETS:
            if data[start] == 0x0D and start + 1 == len(data):
                return start
            raise bad(b"Not SIP")  # a TLS hello, another protocol, the rest of a message that lied about its length
        if start < len(data):
            self._crlfs = 0
        return start


def _too_large(data: bytes | bytearray, start: int) -> RemoteProtocolError:
    """A header part without an end: what is salvaged comes from its whole lines alone."""
    head = bytes(data[start : start + MAX_STREAM_HEAD])
    return RemoteProtocolError(513, b"Message Too Large", salvage_request(head[: head.rfind(b"\r\n")]))


def _body_length(head: bytes) -> int:
    """The Content-Length of a header part. Raises RemoteProtocolError where it is not known beyond doubt."""
    try:
        value = _length_value(head)
        if not value.isdigit() or len(value) > MAX_DIGITS:
            raise bad(b"Bad Content-Length")
        length = int(value)
        if length > MAX_STREAM_BODY:
            raise RemoteProtocolError(513, b"Message Too Large")
    except RemoteProtocolError as error:
        error.salvage = salvage_request(head)
        raise
    return length


def _length_value(head: bytes) -> bytes:
    ends = head.count(b"\r\n")
    if head.count(b"\r") != ends or head.count(b"\n") != ends:  # others may see the header part end at such a place
        raise bad(b"Bad Line End")
    if ends > MAX_HEADERS:
        raise bad(b"Too Many Headers")
    lower = head.lower()
    # The everyday message: the name once, right after a line end and right before a colon, no compact form, no fold.
    at = lower.find(b"\r\n" + _LENGTH + b":")
    if at >= 0 and lower.count(_LENGTH) == 1 and b"\nl" not in lower:
        at += 2 + len(_LENGTH) + 1
        end = head.find(b"\r\n", at)
        if end < 0:
            return head[at:].strip(b" \t")
        if head[end + 2] not in b" \t":
            return head[at:end].strip(b" \t")
    return _searched(head)


def _searched(head: bytes) -> bytes:
    found: list[bytes] = []
    for line in unfold(head.split(b"\r\n")[1:]):
        raw, colon, value = line.partition(b":")
        name = raw.rstrip(b" \t").lower()
        if name == _LENGTH or name == b"l":
            if colon:
                found.append(value.strip(b" \t"))
        elif _LENGTH in name and name.translate(TOKEN) != name:  # an odd octet in it: others may skip that
            raise bad(b"Bad Header Name")
    if not found:
        raise bad(b"Missing " + CONTENT_LENGTH)
    if len(found) > 1:
        raise bad(b"Several " + CONTENT_LENGTH)
    return found[0]
