"""A gate on a table: the example's registry and pack, a journal in memory, a store that answers when the test says so.

house.place(invite())
house.lookup.answer(CONSENT)
house.turn()
house.verdict.rule
"""

from __future__ import annotations

import errno
import itertools
from typing import Any

import msgspec

from gateway.gate.decision import Verdict
from gateway.gate.engine import Engine
from gateway.gate.evidence import Evidence
from gateway.gate.gate import Gate
from gateway.gate.pack import Pack
from gateway.gate.pseudonym import PseudonymRing
from gateway.gate.recorder import Recorder
from gateway.gate.records import DecisionRecord, Record
from gateway.gate.seal import Sealer
from gateway.gate.waiting import deliver
from gateway.registry.model import Trunk
from gateway.registry.registry import Registry
from gateway.sip.message import Request
from gateway.store.ports import Counting, LookupReply, SubscriberFacts, Unavailable
from policies.facts import CONSENT_LIVE
from tests.unit.gate.calls import ALPHA, AT, OWN_HOSTS, invite, registry
from tests.unit.gate.test_engine import example

CONSENT = SubscriberFacts(CONSENT_LIVE)
PSEUDONYM_KEY = b"p" * 32
NEXT_PSEUDONYM_KEY = b"q" * 32
SEAL_KEY = b"s" * 32
SOURCE = "127.0.0.2:5060/udp"
HIDDEN = b'"Anonymous" <sip:anonymous@anonymous.invalid>;tag=a1'


def emergency(*lines: bytes, from_: bytes = b"<sip:+8657112340001@127.0.0.2>;tag=a1") -> Request:
    """A call to 110."""
    return invite(*lines, uri=b"sip:110@127.0.0.1", to=b"<sip:110@127.0.0.1>", from_=from_)


def decode(payload: bytes) -> Record:
    record: Record = msgspec.json.decode(payload, type=Record)
    return record


class MemoryJournal:
    """`store.ports.Journal`. `full`: the disk takes nothing, and nothing of a batch is kept."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.commits = 0
        self.full = False
        self._batch: list[bytes] = []

    def append(self, payload: bytes) -> None:
        assert b"\n" not in payload
        self._batch.append(payload)

    def commit(self) -> None:
        batch, self._batch = self._batch, []
        self.commits += 1
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.lines += batch

    def records(self) -> list[Record]:
        return [decode(line) for line in self.lines]

    def decisions(self) -> list[DecisionRecord]:
        return [record for record in self.records() if isinstance(record, DecisionRecord)]


class Lookup:
    """`store.ports.SubscriberLookup`. What was asked waits for `answer`."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, int, int, float]] = []
        self.counting: list[Counting | None] = []
        self.broken = False
        self._replies: list[LookupReply] = []

    def ask(
        self,
        callee_hash: bytes,
        operator: int,
        purpose: int,
        now: float,
        reply: LookupReply,
        counting: Counting | None = None,
    ) -> None:
        if self.broken:
            raise ValueError("no room in the layout")
        self.asked.append((callee_hash, operator, purpose, now))
        self.counting.append(counting)
        self._replies.append(reply)

    def answer(self, answer: SubscriberFacts | Unavailable) -> None:
        """Answer everything that waits."""
        replies, self._replies = self._replies, []
        for reply in replies:
            reply(answer)


class Observed:
    """A histogram."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def observe(self, seconds: float) -> None:
        self.values.append(seconds)


class Counted:
    """`waiting.Counts`."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str, str, str], int] = {}
        self.shadow: dict[str, int] = {}
        self.journal_errors = 0
        self.decision = Observed()
        self.lookup = Observed()


class House:
    """One gate, its surroundings, and a clock moved by hand."""

    def __init__(
        self, pack: Pack | None = None, over: Registry | None = None, required: bool = True, counters: Any = None
    ) -> None:
        """`counters`: counts, and gives channels as well."""
        self.journal = MemoryJournal()
        self.lookup = Lookup()
        self.counts = Counted()
        self.wakes = 0
        self.now = 1_000.0
        self.rule_errors: list[str] = []
        self.pseudonymizer = PseudonymRing([PSEUDONYM_KEY, NEXT_PSEUDONYM_KEY])
        self.sealer = Sealer(1, SEAL_KEY)
        self.evidence = Evidence(self.journal)
        recorder = Recorder("node-7", self.evidence, self.pseudonymizer, self.sealer)
        self.gate = Gate(
            self.lookup, recorder, self.counts, OWN_HOSTS, lambda: self.now, self._wake, required, counters, None,
            counters,
        )  # fmt: skip
        self.switch(pack or example(), over or registry())
        self.verdicts: list[Verdict] = []
        self._ids = itertools.count(1)

    def switch(self, pack: Pack, over: Registry) -> None:
        self.gate.switch(over, Engine(pack, lambda rule, error: self.rule_errors.append(rule)))

    def place(
        self, request: Request, trunk: Trunk = ALPHA, decision: str = "", at: float = AT, source: str = SOURCE
    ) -> str:
        """An INVITE arrives; its decision id."""
        decision = decision or f"{next(self._ids):032x}"
        self.gate.decide(request, trunk, decision, source, self.now, at, self.verdicts.append)
        return decision

    def turn(self, at: float = AT) -> None:
        """The end of a turn."""
        deliver(self.gate.commit(at))

    def decide(self, request: Request, trunk: Trunk = ALPHA, decision: str = "") -> Verdict:
        """Place, answer with a live consent, end the turn; the verdict."""
        self.place(request, trunk, decision)
        self.lookup.answer(CONSENT)
        self.turn()
        return self.verdict

    @property
    def verdict(self) -> Verdict:
        """The verdict delivered last."""
        return self.verdicts[-1]

    @property
    def record(self) -> DecisionRecord:
        """The decision record written last."""
        return self.journal.decisions()[-1]

    def _wake(self) -> None:
        self.wakes += 1
