"""Is a next hop there? OPTIONS probes of one hop as a state machine, and the OPTIONS itself (RFC 3261 §11).

Pure: the caller sends when `next_at` is reached, tells what came of it, and injects the jitter. A hop is *down* after
`down_after` probes in a row were missed, and *up* again after `up_after` were answered in a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.proxy.peer import Destination
from gateway.sip.message import Headers
from gateway.sip.writer import write_request

MISSES: Final = frozenset((408, 503))
"""Answers that say that the hop takes no calls: draining, overloaded, or a proxy in front of it that does not reach it.
Every other answer, 404, 405 and 483 too, comes from a SIP element that works."""


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """Times in seconds, counts in probes."""

    interval_s: float = 2.0
    """Between two probes. With `timeout_s` and `down_after`: a hop that dies is down after 2 to 5 s."""
    timeout_s: float = 1.4
    """For the answer: one retransmission, at 0.5 s (timer E), lies within it. Shorter than `interval_s`, so that one
    probe is under way at a time."""
    down_after: int = 2
    up_after: int = 3
    """More than `down_after`, so that a hop that answers now and then stays down."""
    jitter: float = 0.1
    """Part of the interval by which each probe comes earlier or later: hops of many gateways are not asked in step."""


class Probe:
    """One next hop's probing. `jitter` arguments: a random number, 0 ≤ jitter < 1."""

    __slots__ = ("_answers", "_misses", "_settings", "changes", "next_at", "sent_at", "sequence", "up")

    def __init__(self, settings: ProbeSettings, now: float, jitter: float) -> None:
        """The first probes of many hops are spread over one interval."""
        self._settings = settings
        self._misses = 0
        self._answers = 0
        self.up = True
        """A hop is taken for up until probes say otherwise: a restart must not stop calls."""
        self.changes = 0
        """How often `up` changed."""
        self.sequence = 0
        """Number of the last probe: it goes into the CSeq, and an answer to an earlier one is late."""
        self.sent_at = -1.0
        """When the probe under way was sent; -1 when none is."""
        self.next_at = now + settings.interval_s * jitter
        """When `tick` has something to do."""

    def tick(self, now: float, jitter: float) -> bool:
        """Call at `next_at` or later. True: send a probe with number `sequence` now. False: a probe went unanswered, or
        nothing is due yet."""
        if now < self.next_at:
            return False
        settings = self._settings
        if self.sent_at >= 0.0:
            interval = settings.interval_s * (1.0 + settings.jitter * (2.0 * jitter - 1.0))
            self.next_at = max(now, self.sent_at + interval)
            self._missed()
            return False
        self.sequence += 1
        self.sent_at = now
        self.next_at = now + settings.timeout_s
        return True

    def answered(self, sequence: int, status: int, now: float, jitter: float) -> bool:
        """A final answer to the probe with this number; True when `up` changed. A late one changes nothing: its probe
        was counted as missed."""
        if self.sent_at < 0.0 or sequence != self.sequence:
            return False
        settings = self._settings
        interval = settings.interval_s * (1.0 + settings.jitter * (2.0 * jitter - 1.0))
        self.next_at = max(now, self.sent_at + interval)
        return self._missed() if status in MISSES else self._answered()

    def failed(self, sequence: int, now: float, jitter: float) -> bool:
        """The probe could not be sent, or its connection failed; True when `up` changed."""
        return self.answered(sequence, 503, now, jitter)

    def _missed(self) -> bool:
        self.sent_at = -1.0
        self._answers = 0
        self._misses += 1
        if self.up and self._misses >= self._settings.down_after:
            self.up = False
            self.changes += 1
            return True
        return False

    def _answered(self) -> bool:
        self.sent_at = -1.0
        self._misses = 0
        self._answers += 1
        if not self.up and self._answers >= self._settings.up_after:
            self.up = True
            self.changes += 1
            return True
        return False


def write_options(destination: Destination, branch: bytes, call_id: bytes, tag: bytes, sequence: int) -> bytes:
    """The OPTIONS of a probe. It is addressed to the hop itself, without a user (§11.1), and comes from this gateway by
    the listener that calls use. `branch` begins with the magic cookie; `tag` and `call_id` stay the same for a hop."""
    transport = destination.via[len(b"SIP/2.0/") :].partition(b" ")[0].lower()
    param = b"" if transport == b"udp" else b";transport=" + transport
    target = b"sip:%b%b" % (destination.host_port, param)
    own = b"<sip:%b%b>" % (destination.sent_by, param)
    headers: Headers = [
        (b"Via", b"%b%b;rport" % (destination.via, branch)),
        (b"Max-Forwards", b"70"),
        (b"From", b"%b;tag=%b" % (own, tag)),
        (b"To", b"<%b>" % target),
        (b"Call-ID", call_id),
        (b"CSeq", b"%d OPTIONS" % sequence),
        (b"Contact", own),
        (b"Accept", b"application/sdp"),
    ]
    return write_request(b"OPTIONS", target, headers, b"")
