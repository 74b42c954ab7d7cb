"""The two messages, as values.

Headers keep the order and the bytes they came in, except for framing: names in one spelling, folds become one
SP, outer white space is gone, and every Via, Route and Record-Route element is an entry of its own.
Content-Length is not among the headers: `len(body)` says it, and the writer writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.sip.nameaddr import NameAddr
from gateway.sip.names import canonical_name
from gateway.sip.uri import Uri
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


@dataclass(slots=True)
class Request:
    """A request that passed the parser (RFC 3261 §7.1)."""

    method: bytes
    uri: bytes
    """Request-URI, raw."""
    target: Uri
    """Request-URI, parsed."""
    headers: Headers
    body: bytes
    via: Via
    """The top Via."""
    from_: NameAddr
    to: NameAddr
    call_id: bytes
    cseq: int
    max_forwards: int = -1
    """-1 where there is none (RFC 2543 clients)."""
    lines: list[bytes] = field(default_factory=list, compare=False, repr=False)
    """`headers` as lines, where they came in our own framing: to be written as they are. Else empty."""

    def get(self, name: bytes) -> bytes | None:
        """The first value of a header, or None."""
        return first_value(self.headers, name)

    def get_all(self, name: bytes) -> list[bytes]:
        """All values of a header, in order."""
        return header_values(self.headers, name)

    def has(self, name: bytes) -> bool:
        """Is there such a header?"""
        return first_value(self.headers, name) is not None


@dataclass(slots=True)
class Response:
    """A response that passed the parser (RFC 3261 §7.2)."""

    status: int
    """100 to 699."""
    reason: bytes
    """Reason phrase, UTF-8, may be empty."""
    headers: Headers
    body: bytes
    via: Via
    """The top Via: ours, if the response is for us."""
    from_: NameAddr
    to: NameAddr
    call_id: bytes
    cseq: int
    cseq_method: bytes
    lines: list[bytes] = field(default_factory=list, compare=False, repr=False)
    """`headers` as lines, where they came in our own framing: to be written as they are. Else empty."""

    def get(self, name: bytes) -> bytes | None:
        """The first value of a header, or None."""
        return first_value(self.headers, name)

    def get_all(self, name: bytes) -> list[bytes]:
        """All values of a header, in order."""
        return header_values(self.headers, name)

    def has(self, name: bytes) -> bool:
        """Is there such a header?"""
        return first_value(self.headers, name) is not None
