"""What stream connections ask of the edge, their bounds, and the words of their counters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gateway.proxy.peer import Destination
from gateway.sip.errors import RemoteProtocolError

if TYPE_CHECKING:
    from gateway.net.connection import Connection

CLOSE_REASONS = (
    "peer",  # the far end closed it
    "error",  # reset, or broken TLS
    "idle",  # nothing came for `idle_s`
    "slow",  # a message took longer than `message_s`
    "stalled",  # what we wrote was not read for `stall_s`
    "output",  # more than `max_output` octets wait to be read
    "malformed",  # the stream cannot be read on: framing
    "stranger",  # the far end is in no trunk, or no longer in one
    "certificate",  # the far end's certificate is another's
    "closed",  # by us
)
"""Why connections end: a fixed set, so that it can label a metric."""

REFUSALS = ("stranger", "limit-source", "limit-all", "handshake")
"""Why a connection was not taken: a fixed set."""

FAILURES = ("refused", "timeout", "certificate", "limit-all", "error")
"""Why a connection could not be made: a fixed set."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of one listener's connections; all can be configured."""

    connections: int = 10_000
    """In all, those that shake hands included: each costs up to 65 kB of an unfinished message and `max_output`."""
    per_source: int = 100
    """From one address; a carrier's SBC holds one to a few."""
    connect_s: float = 3.0
    """For a connection to come up, TLS included: below the 4 s after which a next hop is given up (DESIGN §5)."""
    handshake_s: float = 5.0
    """For a peer's TLS handshake."""
    message_s: float = 32.0
    """From the first octet of a message to its last: after 64*T1 its sender has given the request up (RFC 3261
    §17.1.1.2)."""
    idle_s: float = 600.0
    """Without an octet: a few times the 120 s in which clients with RFC 5626 ping."""
    stall_s: float = 32.0
    """With something written that the far end does not read."""
    max_output: int = 1 << 20
    """Octets that wait to be read by the far end, or for a connection to come up."""


class StreamUser(Protocol):
    """What the network edge does with connections. Nothing of it may raise."""

    def admits(self, listener: str, host: str) -> bool:
        """May this address connect at all? Asked before a TLS handshake; a stranger's connection is reset."""
        ...

    def on_message(self, data: bytes, connection: Connection, now: float) -> None:
        """One whole message, to be parsed."""
        ...

    def on_malformed(self, error: RemoteProtocolError, connection: Connection, now: float) -> None:
        """The stream cannot be read on. What is written now still leaves, then the connection is closed."""
        ...

    def on_turn(self, now: float) -> None:
        """All messages of one piece of input were handed over: the end of a turn."""
        ...

    def on_failed(self, destination: Destination, now: float) -> None:
        """What was sent there since the last success may be lost: not connected, or closed before it was read."""
        ...

    def on_closed(self, connection: Connection, now: float) -> None:
        """A connection has ended; `connection.reason` says why."""
        ...
