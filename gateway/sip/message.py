"""The two messages, as values.

Headers keep the order and the bytes they came in, except for framing: names in one spelling, folds become one
SP, outer white space is gone, and every Via, Route and Record-Route element is an entry of its own.
Content-Length is not among the headers: `len(body)` says it, and the writer writes it.
"""

from __future__ import annotations

from typing import final

from gateway.sip.nameaddr import NameAddr
from gateway.sip.names import canonical_name
from gateway.sip.uri import Uri
from gateway.sip.value import Value
from gateway.sip.via import Via

Headers = list[tuple[bytes, bytes]]
"""(name, value) in order of the message."""


def header_values(headers: Headers, name: bytes) -> list[bytes]:
    """All values of the header, in order; any spelling of the name finds it."""
    known = canonical_name(name)
    found = [value for key, value in headers if key == known]
    if found:
        return found
    lower = known.lower()  # an unknown header stands as received (RFC 3261 §7.3.1: in any case)
    return [value for key, value in headers if len(key) == len(lower) and key.lower() == lower]


def first_value(headers: Headers, name: bytes) -> bytes | None:
    """The first value of the header, or None; any spelling of the name finds it."""
    for key, value in headers:
        if key == name:
            return value
    found = header_values(headers, name)
    return found[0] if found else None


class Message(Value):
    """What a request and a response have alike."""

    __slots__ = ("headers",)

    headers: Headers

    def get(self, name: bytes) -> bytes | None:
        """The first value of a header, or None."""
        return first_value(self.headers, name)

    def get_all(self, name: bytes) -> list[bytes]:
        """All values of a header, in order."""
        return header_values(self.headers, name)

    def has(self, name: bytes) -> bool:
        """Is there such a header?"""
        return first_value(self.headers, name) is not None


@final
class Request(Message):
    """A request that passed the parser (RFC 3261 §7.1). Via, From, To and target may be shared with other messages:
    nobody changes them."""

    __slots__ = (
        "body",
        "call_id",
        "cseq",
        "from_",
        "lines",
        "max_forwards",
        "method",
        "target",
        "to",
        "uri",
        "via",
    )

    def __init__(
        self,
        method: bytes,
        uri: bytes,
        target: Uri,
        headers: Headers,
        body: bytes,
        via: Via,
        from_: NameAddr,
        to: NameAddr,
        call_id: bytes,
        cseq: int,
        max_forwards: int = -1,
        lines: list[bytes] | None = None,
    ) -> None:
        self.method = method
        self.uri = uri
        """Request-URI, raw."""
        self.target = target
        """Request-URI, parsed."""
        self.headers = headers
        self.body = body
        self.via = via
        """The top Via."""
        self.from_ = from_
        self.to = to
        self.call_id = call_id
        self.cseq = cseq
        self.max_forwards = max_forwards
        """-1 where there is none (RFC 2543 clients)."""
        self.lines: list[bytes] = [] if lines is None else lines
        """`headers` as lines, where they came in our own framing: to be written as they are. Else empty. No part of
        what the request says."""

    def _held(self) -> tuple[object, ...]:
        return (
            *(self.method, self.uri, self.target, self.headers, self.body, self.via),
            *(self.from_, self.to, self.call_id, self.cseq, self.max_forwards),
        )


@final
class Response(Message):
    """A response that passed the parser (RFC 3261 §7.2). Via, From and To may be shared, as in a request."""

    __slots__ = (
        "body",
        "call_id",
        "cseq",
        "cseq_method",
        "from_",
        "lines",
        "reason",
        "status",
        "to",
        "via",
    )

    def __init__(
        self,
        status: int,
        reason: bytes,
        headers: Headers,
        body: bytes,
        via: Via,
        from_: NameAddr,
        to: NameAddr,
        call_id: bytes,
        cseq: int,
        cseq_method: bytes,
        lines: list[bytes] | None = None,
    ) -> None:
        self.status = status
        """100 to 699."""
        self.reason = reason
        """Reason phrase, UTF-8, may be empty."""
        self.headers = headers
        self.body = body
        self.via = via
        """The top Via: ours, if the response is for us."""
        self.from_ = from_
        self.to = to
        self.call_id = call_id
        self.cseq = cseq
        self.cseq_method = cseq_method
        self.lines: list[bytes] = [] if lines is None else lines
        """As of a request."""

    def _held(self) -> tuple[object, ...]:
        return (
            *(self.status, self.reason, self.headers, self.body, self.via),
            *(self.from_, self.to, self.call_id, self.cseq, self.cseq_method),
        )
