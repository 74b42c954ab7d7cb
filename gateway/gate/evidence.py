"""The evidence of one worker: records made, held to the journal, floods folded.

Everything noted in a turn of the loop is written by one `commit` at its end. What the disk refuses is told to the
caller for decisions (a call without evidence is not placed) and kept in memory, bounded, for outcomes, ends and
emergency calls.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from gateway.gate.records import EndRecord, FloodRecord, OutcomeRecord, Record
from gateway.sip.seen import Seen
from gateway.store.ports import Journal

FLOOD_LIMIT = 1_000
"""Refusals of one source by one rule in one second that are recorded one by one; the rest become one record."""

SHED_LIMIT = 20
"""The same for `overload`: a record of its own costs as much as all the rest of such a refusal."""

MAX_FLOOD_KEYS = 2_000
"""(source, rule) pairs counted per second; peers are few, so more than this is an attack and shares one record."""

MAX_KEPT = 50_000
"""Records kept in memory while the disk takes none: about 30 MB. The oldest are given up, and counted."""

RETRY_S: Final = 1.0
"""Seconds between two attempts to write what is kept while the disk takes nothing: the queue may be long."""

MAX_ENDED = 100_000
"""Decision ids whose end was seen lately, so that crossed or repeated BYEs give one end record."""


class Evidence:
    """Makes and writes records. `at` is epoch seconds everywhere."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._encode = msgspec.json.Encoder().encode
        self._decisions: list[bytes] = []
        self._others: deque[bytes] = deque()
        self._second = 0
        self._counts: dict[tuple[str, str], int] = {}
        self._flooded: dict[tuple[str, str], tuple[str, int]] = {}
        self._ended = Seen(MAX_ENDED)
        self._retry_at = 0.0
        self._unrecorded: dict[tuple[str, str, str, int], int] = {}
        self.given_up = 0
        """Records lost because the disk took none for too long."""
        self.failed_commits = 0

    @property
    def kept(self) -> int:
        """Records waiting in memory."""
        return len(self._others)

    @property
    def idle(self) -> bool:
        """Is there nothing for `commit` to do? Most turns bring no record."""
        return not (self._decisions or self._others or self._flooded or self._unrecorded)

    def encode(self, record: Record) -> bytes:
        """A record as it stands in the journal."""
        return self._encode(record)

    def decision(self, payload: bytes) -> None:
        """A decision of this turn: `commit` says whether it is written."""
        self._decisions.append(payload)

    def keep(self, payload: bytes) -> None:
        """A record that is written when it can be."""
        if len(self._others) >= MAX_KEPT:
            self._others.popleft()
            self.given_up += 1
        self._others.append(payload)

    def outcome(self, decision: str, at: float, result: str, status: int, hop: str) -> None:
        """How the set-up of an allowed call ended."""
        self.keep(self.encode(OutcomeRecord(decision, int(at * 1e6), result, status, hop)))

    def note_ended(self, decision: str) -> None:
        """A call whose end record is in the journal already."""
        self._ended.add(decision.encode())

    def ended(self, decision: str, at: float, by: str, cause: str) -> bool:
        """A BYE passed. False for the second of two (crossed, repeated, or of a dialog that ended)."""
        if not self._ended.add(decision.encode()):
            return False
        self.keep(self.encode(EndRecord(decision, int(at * 1e6), by, cause)))
        return True

    def is_ended(self, decision: str) -> bool:
        """True for a call whose end record was made, or read back at start, and not forgotten since."""
        return decision.encode() in self._ended

    def flooded(self, source: str, trunk: str, rule: str, status: int, at: float) -> bool:
        """Count one refusal. True: it is one too many for a record of its own, and was folded."""
        second = int(at)
        if second != self._second:
            self._fold(second)
        key = (source, rule)
        if len(self._counts) >= MAX_FLOOD_KEYS and key not in self._counts:
            key = ("", rule)
        count = self._counts.get(key, 0) + 1
        self._counts[key] = count
        if count <= flood_limit(rule):
            return False
        self._flooded[key] = (trunk, status)
        return True

    def unrecorded(self, source: str, trunk: str, rule: str, status: int) -> None:
        """Count a refusal that the disk took no record of; one record for each source and rule follows when it can."""
        key = (source, trunk, rule, status)
        if len(self._unrecorded) >= MAX_FLOOD_KEYS and key not in self._unrecorded:
            key = ("", trunk, rule, status)
        self._unrecorded[key] = self._unrecorded.get(key, 0) + 1

    def _tell_unrecorded(self, at: float) -> None:
        for (source, trunk, rule, status), count in self._unrecorded.items():
            self.keep(self.encode(FloodRecord(int(at * 1e6), source, trunk, rule, status, count)))
        self._unrecorded.clear()

    def _fold(self, second: int) -> None:
        for key, (trunk, status) in self._flooded.items():
            count = self._counts[key] - flood_limit(key[1])
            record = FloodRecord(self._second * 1_000_000, key[0], trunk, key[1], status, count)
            self.keep(self.encode(record))
        self._flooded.clear()
        self._counts.clear()
        self._second = second

    def commit(self, at: float) -> bool:
        """Write everything noted since the last commit with one write(2). False: nothing was written, the decisions of
        this turn have no evidence and are forgotten here, the rest stays queued."""
        if self._flooded and int(at) != self._second:
            self._fold(int(at))
        # A clock that was set back must not turn the second into an hour.
        others = () if self._retry_at - RETRY_S <= at < self._retry_at else self._others
        if not self._decisions and not others:
            return True
        journal = self._journal
        for payload in self._decisions:
            journal.append(payload)
        for payload in others:
            journal.append(payload)
        self._decisions.clear()
        try:
            journal.commit()
        except OSError:
            self.failed_commits += 1
            self._retry_at = at + RETRY_S
            return False
        if others:
            self._others.clear()
        if self._unrecorded:
            self._tell_unrecorded(at)
        return True

    def flush(self, at: float) -> bool:
        """`commit` for the last time: what is folded or kept does not wait for its second."""
        self._fold(int(at))
        self._retry_at = 0.0
        return self.commit(at)


def flood_limit(rule: str) -> int:
    """Refusals by this rule in one second that get a record each."""
    return SHED_LIMIT if rule == "overload" else FLOOD_LIMIT
