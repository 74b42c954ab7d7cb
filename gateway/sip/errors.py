"""What can go wrong with a message, told apart by whose fault it is.

Only two kinds are needed (the habit is h11's): *remote*, the peer broke the protocol and a status says how to
answer; *local*, we were about to break it, which is a bug of ours. Always raise a new instance: a shared
exception object keeps every traceback it was ever raised with.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Salvage:
    """What an answer to a broken request can copy (RFC 3261 §8.2.6.2).

    Values are raw but clean: unfolded, free of control characters. A value that is missing or given twice is
    None.
    """

    method: bytes
    vias: list[bytes] = field(default_factory=list)
    """Via values, top first, one element each; the first one names a host to answer to."""
    from_: bytes | None = None
    to: bytes | None = None
    call_id: bytes | None = None
    cseq: bytes | None = None


class ProtocolError(Exception):
    """A message that is not SIP as RFC 3261 defines it."""


class RemoteProtocolError(ProtocolError):
    """The peer's fault.

    `status` is the answer it deserves (400, 416, 501, 505, 513), `phrase` its reason phrase, which says what
    is wrong. `salvage` is what the answer can copy; None where there must be no answer: a response, or no
    usable Via.
    """

    def __init__(self, status: int, phrase: bytes, salvage: Salvage | None = None) -> None:
        super().__init__(status, phrase)
        self.status = status
        self.phrase = phrase
        self.salvage = salvage

    def __str__(self) -> str:
        return f"{self.status} {self.phrase.decode('ascii', 'replace')}"


class LocalProtocolError(ProtocolError):
    """Our own fault: somebody asked the writer for a message that would not be SIP."""


def bad(phrase: bytes) -> RemoteProtocolError:
    """A new 400 with this phrase."""
    return RemoteProtocolError(400, phrase)
