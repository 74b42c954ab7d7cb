"""The gate: a call attempt goes in, a recorded verdict comes out (DESIGN §1).

Emergency first, then the rules on memory, then one question to the store and the rules on its answer. The verdict is
delivered at the end of the turn it was reached in, after its record was written; with `journal.sync = always` after
the record is on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from gateway.gate.attempt import CallAttempt, read_attempt
from gateway.gate.counting import counted_facts, waits_for_judgement
from gateway.gate.engine import Engine, Ruling
from gateway.gate.following import Following
from gateway.gate.in_force import InForce
from gateway.gate.ladder import LiveRestrictions
from gateway.gate.ledger import Ledger
from gateway.gate.lines import Lines
from gateway.gate.pack_bind import share_of
from gateway.gate.patterns import Patterns
from gateway.gate.recorder import Recorder
from gateway.gate.recovered import Known, Recovered, verdict_again
from gateway.gate.settling import Settling
from gateway.gate.stored import read_subscriber
from gateway.gate.waiting import Counts, Deliver, Waiting
from gateway.registry.model import Trunk
from gateway.registry.registry import Registry
from gateway.sip.message import Request
from gateway.sip.seen import Seen
from gateway.store.ports import (
    CallChannels,
    CallCounters,
    Counting,
    Rekeyed,
    SubscriberFacts,
    SubscriberLookup,
    Unavailable,
)
from policies.base import PATTERNS, Answer
from policies.facts import OUTBOUND
from policies.refusal import CalleeRefused

MAX_PARKED = 10_000
"""Attempts that may wait for the store at once: one deadline (50 ms) of 200,000 calls/s; more is overload."""

MAX_REFUSED = 10_000
"""Decision ids of refusals made without a transaction, remembered so that a retransmission is not a second record."""


class Gate:
    """One worker's gate. `now` is monotonic seconds, `at` epoch seconds."""

    def __init__(
        self,
        lookup: SubscriberLookup,
        recorder: Recorder,
        counts: Counts,
        own_hosts: frozenset[bytes],
        clock: Callable[[], float],
        wake: Callable[[], None],
        evidence_required: bool = True,
        counters: CallCounters | None = None,
        restrictions: LiveRestrictions | None = None,
        channels: CallChannels | None = None,
    ) -> None:
        """`clock`: monotonic seconds; the store's answers come without a time of their own. `wake`: called when a
        verdict was reached, so that the turn is ended soon. `counters`: the store's; None: what is counted
        there is only read (`explain`). `restrictions`: what the ladder closed, as `counters` keeps it.
        `channels`: of trunks with limits; None: they are not looked at."""
        self._recorder = recorder
        self.evidence = recorder.evidence
        self._lookup = lookup
        self._counts = counts
        self._own_hosts = own_hosts
        self._clock = clock
        self._dry = counters is None
        self._lines = None if channels is None else Lines(channels)
        self.following = None if counters is None else Following(counters)
        self.restrictions = restrictions or LiveRestrictions()
        """Made by the ladder, by whichever worker."""
        self.patterns = Patterns()
        """How trunks call, where a pack looks at it."""
        self._in_force = InForce()
        self._ledger = Ledger(recorder, counts, evidence_required, self._lines, self.following)
        self._settling = Settling(
            self._ledger, self._in_force, counters, self._lines, self.following, clock, wake
        )
        self._recovered = Recovered()
        self._refused = Seen(MAX_REFUSED)
        self.counted_since_ms = 0
        """Since when the store counts (epoch ms), as it last said: later than before, and it was emptied."""
        self.draining = False

    @property
    def parked(self) -> int:
        """Attempts that wait for the store."""
        return self._settling.parked

    def switch(self, registry: Registry, engine: Engine, by_trunk: dict[str, Engine] | None = None) -> None:
        """Put a new registry and its packs in force for the attempts that arrive from now on. `engine`: the default
        pack's; `by_trunk`: of trunks whose calls another pack judges."""
        self._in_force.switch(registry, engine, by_trunk or {})

    def recover(self, decisions: dict[str, Known], now: float) -> None:
        """Decisions that are in the journal already: their retransmitted INVITEs are the same calls."""
        self._recovered.add(decisions, now)

    # -- deciding --------------------------------------------------------------------------------------------------

    def decide(
        self,
        request: Request,
        trunk: Trunk,
        decision: str,
        source: str,
        received_at: float,
        at: float,
        deliver: Deliver,
    ) -> None:
        """Decide one initial INVITE; `deliver` is called once, after a later `commit`. `decision`: its id, 32 hex
        digits. `source`: `address:port/transport`."""
        registry, engine = self._in_force.of(trunk)
        attempt = read_attempt(request, trunk, registry, at, self._own_hosts)
        waiting = Waiting(engine, registry, received_at, source, self._recorder.party(attempt), deliver)
        known = self._recovered.take(decision, received_at)
        if known is not None:
            waiting.verdict = verdict_again(attempt, decision, known, engine.pack)
            waiting.repeated = True
            self._settling.deliver_soon(waiting)
            return
        facts = attempt.facts
        if engine.shared:
            facts.share = share_of(decision)
        blocked = self._blocked(attempt)
        if blocked or attempt.emergency:
            ruling = Ruling(blocked, facts.forced_route, engine.pack.answers[blocked]) if blocked else None
            self._settling.settle(waiting, attempt, decision, ruling)
            return
        if facts.direction == OUTBOUND:
            waiting.restricted = self.restrictions.changes
            facts.restrictions += self.restrictions.of(facts)
            if PATTERNS in engine.wants:
                facts.patterns = self.patterns.attempt(attempt, decision, source)
        ruling = engine.judge_memory(facts, waiting.shadow)
        if ruling is None and self._lines is not None:
            self._lines.take(waiting, attempt, decision)
        if ruling is not None or not engine.needs_store(facts):
            self._settling.ruled(waiting, attempt, decision, ruling)
            return
        operator = registry.operator(facts.range_operator)
        if operator is None or not waiting.party:
            # Nothing to ask with, and no memory rule in force that refuses it: fail closed.
            self._settling.settle(waiting, attempt, decision, engine.unavailable(facts))
            return
        waiting.asked_at = self._clock()
        waiting.on_memory = len(waiting.shadow)
        purpose = registry.purpose_number(facts.purpose)
        reply = partial(self._answered, waiting, attempt, decision)
        spec = engine.counted.spec(facts)
        if spec is None:
            self._lookup.ask(waiting.party, operator.number, purpose, at, reply)
        else:
            waiting.operator = operator.number
            waiting.counting = Counting(spec, bytes.fromhex(decision), purpose != 0, self._dry)
            self._lookup.ask(waiting.party, operator.number, purpose, at, reply, waiting.counting)
        self._settling.parked += 1  # not before: an ask that raises is answered by nobody

    def _blocked(self, attempt: CallAttempt) -> str:
        """What stops an attempt before the rules are asked: a rule id, or empty. Emergency calls stop only at a
        Route."""
        if attempt.emergency:
            return "route-forced" if attempt.facts.forced_route else ""
        if self.draining:
            return "draining"
        return "overload" if self.parked >= MAX_PARKED else ""

    def _answered(
        self, waiting: Waiting, attempt: CallAttempt, decision: str, answer: SubscriberFacts | Unavailable
    ) -> None:
        self._settling.parked -= 1
        elapsed = self._clock() - waiting.asked_at
        waiting.lookup_us = int(elapsed * 1e6)
        facts = attempt.facts
        if isinstance(answer, Unavailable):
            if isinstance(answer, Rekeyed):
                waiting.party = self._recorder.party(attempt)
                self._settling.parked += 1
                answer.again(waiting.party)
                return
            waiting.counted = answer.reason == "timeout"  # else it was never sent, or what it met was no data set
            ruling = waiting.engine.unavailable(facts)
            if ruling is not None:
                ruling.reason = f"{ruling.reason}: {answer.reason}"
            self._settling.settle(waiting, attempt, decision, ruling)
            return
        self._counts.lookup.observe(elapsed)
        read_subscriber(facts, answer, waiting.engine)
        tally = answer.tally
        if tally is not None:
            facts.counted = counted_facts(tally)
            waiting.counted = tally.counted
            self.counted_since_ms = tally.since_ms or self.counted_since_ms
        ruling = None
        if waiting.restricted != self.restrictions.changes:
            facts.restrictions += self.restrictions.of(facts)
            ruling = waiting.engine.judge_memory(facts, [])
        if ruling is None:
            del waiting.shadow[waiting.on_memory :]
            ruling = waiting.engine.judge_store(facts, waiting.shadow)
        feed = waiting.registry.stale_feed(facts.at)
        if ruling is None and feed:
            # Who declined lately may not be in it: to the rule that asks, the store did not answer.
            ruling = waiting.engine.unavailable(facts, CalleeRefused.id, f"decline feed {feed} is too old")
        if ruling is None and answer.scoped and waits_for_judgement(waiting.counting, tally):
            self._count_judged(waiting, attempt, decision)
            return
        self._settling.ruled(waiting, attempt, decision, ruling)

    def _count_judged(self, waiting: Waiting, attempt: CallAttempt, decision: str) -> None:
        """The script leaves scoped refusals to us. None meets this call: it is counted now, if it still may be."""
        if waiting.counting is None:
            return
        waiting.counting = replace(waiting.counting, judged=True)
        waiting.party = self._recorder.party(attempt)  # keys may have changed since the first question
        purpose = waiting.registry.purpose_number(attempt.facts.purpose)
        reply = partial(self._answered, waiting, attempt, decision)
        self._lookup.ask(waiting.party, waiting.operator, purpose, attempt.facts.at, reply, waiting.counting)
        self._settling.parked += 1

    # -- refusals the proxy makes ----------------------------------------------------------------------------------

    def refuse(
        self, rule: str, detail: str, request: Request, trunk: Trunk, decision: str, source: str, at: float
    ) -> Answer:
        """Record a refusal that needs no decision (`method`, `dialog-forged`, `route-forced` …); its answer. A
        repeated request (same decision id) makes no second record, and one without id (OPTIONS while draining) none."""
        registry, engine = self._in_force.of(trunk)
        answer = engine.pack.answer(rule, trunk.answers)
        if decision and self._refused.add(decision.encode("ascii")):
            status = answer.status
            self._ledger.refusal(
                rule, detail, status, request, trunk, decision, engine.pack, registry, source, at
            )
        return answer

    # -- the end of a turn -----------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Has this turn brought neither a verdict nor a record? Then there is nothing to `commit`."""
        return not self._settling.ready and self.evidence.idle

    def commit(self, at: float) -> list[Waiting]:
        """Write the records of this turn; the verdicts reached in it, for `waiting.deliver` once they are safe."""
        settling = self._settling
        ready, settling.ready = settling.ready, []
        self._ledger.commit(ready, at)
        return ready

    def unsynced(self, ready: list[Waiting], at: float) -> None:
        """`journal.sync = always`, and the disk did not take what `commit` wrote: the calls of this turn have no
        evidence that lasts. They are refused as if it had not been written, with an outcome that says so."""
        self._ledger.unsynced(ready, at)

    def gather(self) -> None:
        """The load has gone down: what is kept from turn to turn is made anew (`worker.ebb`)."""
        if not self._settling.ready:
            self._settling.ready = []
