"""The gate: a call attempt goes in, a recorded verdict comes out (DESIGN §1).

Emergency first, then the rules on memory, then one question to the store and the rules on its answer. The verdict is
delivered at the end of the turn it was reached in, after its record was written; with `journal.sync = always` after
the record is on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from gateway.gate.attempt import CallAttempt, read_attempt
from gateway.gate.counting import COUNT, counted_facts
from gateway.gate.decision import ALLOW, EMERGENCY, REFUSE, Verdict
from gateway.gate.engine import Engine, Ruling
from gateway.gate.following import Following
from gateway.gate.ladder import LiveRestrictions
from gateway.gate.lines import Lines
from gateway.gate.localtime import local_time
from gateway.gate.pack import trunk_answer
from gateway.gate.pack_bind import share_of
from gateway.gate.patterns import Patterns
from gateway.gate.recorder import Recorder
from gateway.gate.waiting import NOT_ASKED, Counts, Deliver, Waiting
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
    Tally,
    Unavailable,
)
from policies.base import LOCAL_TIME, PATTERNS, Answer
from policies.facts import INBOUND, OUTBOUND, Facts
from policies.refusal import CalleeRefused
from policies.trigger import ReturnVisit

MAX_PARKED = 10_000
"""Attempts that may wait for the store at once: one deadline (50 ms) of 200,000 calls/s; more is overload."""

MAX_REFUSED = 10_000
"""Decision ids of refusals made without a transaction, remembered so that a retransmission is not a second record."""

RECOVERY_SECONDS: Final = 64.0
"""How long decisions of a worker that died are remembered: twice the time a caller retransmits an INVITE (64*T1)."""

Recovered = dict[str, tuple[str, str, int]]
"""Decision id to (verdict, rule, status), read back from the journal at start."""


class NoRegistry(Exception):
    """The gate was asked before there was a registry: a fault of ours, nothing is received until there is one."""


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
        self._counters = counters
        self._lines = None if channels is None else Lines(channels)
        self.following = None if counters is None else Following(counters)
        self.restrictions = restrictions or LiveRestrictions()
        """Made by the ladder, by whichever worker."""
        self.counted_since_ms = 0
        """Since when the store counts (epoch ms), as it last said: later than before, and it was emptied."""
        self._lookup = lookup
        self._recorder = recorder
        self.evidence = recorder.evidence
        self._counts = counts
        self._own_hosts = own_hosts
        self._clock = clock
        self._wake = wake
        self._required = evidence_required
        self._ready: list[Waiting] = []
        self._recovered: Recovered = {}
        self._recovered_until = 0.0
        self._refused = Seen(MAX_REFUSED)
        self.patterns = Patterns()
        """How trunks call, where a pack looks at it."""
        self.parked = 0
        """Attempts that wait for the store."""
        self.draining = False
        self._registry: Registry | None = None
        self._engine: Engine | None = None
        self._by_trunk: dict[str, Engine] = {}

    def switch(self, registry: Registry, engine: Engine, by_trunk: dict[str, Engine] | None = None) -> None:
        """Put a new registry and its packs in force for the attempts that arrive from now on. `engine`: the default
        pack's; `by_trunk`: of trunks whose calls another pack judges."""
        self._registry = registry
        self._engine = engine
        self._by_trunk = by_trunk or {}

    def recover(self, decisions: Recovered, now: float) -> None:
        """Decisions that are in the journal already: their retransmitted INVITEs are the same calls."""
        self._recovered = {**self._recovered, **decisions}
        self._recovered_until = now + RECOVERY_SECONDS

    def _in_force(self, trunk: Trunk) -> tuple[Registry, Engine]:
        if self._registry is None or self._engine is None:
            raise NoRegistry
        return self._registry, self._by_trunk.get(trunk.id, self._engine)

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
        registry, engine = self._in_force(trunk)
        attempt = read_attempt(request, trunk, registry, at, self._own_hosts)
        waiting = Waiting(engine, registry, received_at, source, self._recorder.party(attempt), deliver)
        if self._recovered:
            known = self._known(decision, received_at)
            if known is not None:
                self._repeat(waiting, attempt, decision, known)
                return
        facts = attempt.facts
        if engine.shared:
            facts.share = share_of(decision)
        blocked = self._blocked(attempt)
        if blocked or attempt.emergency:
            ruling = Ruling(blocked, facts.forced_route, engine.pack.answers[blocked]) if blocked else None
            self._settle(waiting, attempt, decision, ruling)
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
            self._count_violation(waiting, attempt, decision, ruling)
            return
        operator = registry.operator(facts.range_operator)
        if operator is None or not waiting.party:
            # Nothing to ask with, and no memory rule in force that refuses it: fail closed.
            self._settle(waiting, attempt, decision, engine.unavailable(facts))
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
            waiting.counting = Counting(spec, bytes.fromhex(decision), purpose != 0, self._counters is None)
            self._lookup.ask(waiting.party, operator.number, purpose, at, reply, waiting.counting)
        self.parked += 1  # not before: an ask that raises is answered by nobody

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
        self.parked -= 1
        elapsed = self._clock() - waiting.asked_at
        waiting.lookup_us = int(elapsed * 1e6)
        facts = attempt.facts
        if isinstance(answer, Unavailable):
            if isinstance(answer, Rekeyed):
                waiting.party = self._recorder.party(attempt)
                self.parked += 1
                answer.again(waiting.party)
                return
            waiting.counted = answer.reason == "timeout"  # else it was never sent, or what it met was no data set
            ruling = waiting.engine.unavailable(facts)
            if ruling is not None:
                ruling.reason = f"{ruling.reason}: {answer.reason}"
            self._settle(waiting, attempt, decision, ruling)
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
        if ruling is None and answer.scoped and _waits_for_judgement(waiting.counting, tally):
            self._count_judged(waiting, attempt, decision)
            return
        self._count_violation(waiting, attempt, decision, ruling)

    def _count_judged(self, waiting: Waiting, attempt: CallAttempt, decision: str) -> None:
        """The script leaves scoped refusals to us. None meets this call: it is counted now, if it still may be."""
        if waiting.counting is None:
            return
        waiting.counting = replace(waiting.counting, judged=True)
        purpose = waiting.registry.purpose_number(attempt.facts.purpose)
        reply = partial(self._answered, waiting, attempt, decision)
        self._lookup.ask(waiting.party, waiting.operator, purpose, attempt.facts.at, reply, waiting.counting)
        self.parked += 1

    def _count_violation(
        self, waiting: Waiting, attempt: CallAttempt, decision: str, ruling: Ruling | None
    ) -> None:
        """A refusal that counts against its number, trunk and operator is counted before it is told (RULES A32)."""
        ladder = waiting.engine.ladder
        if ruling is not None and ladder is not None and attempt.direction == OUTBOUND and self._counters is not None:
            violation = ladder.violation(ruling.rule, decision, attempt.facts)
            if violation is not None:
                self.parked += 1
                self._counters.violated(violation, partial(self._counted, waiting, attempt, decision, ruling))
                return
        self._settle(waiting, attempt, decision, ruling)

    def _counted(self, waiting: Waiting, attempt: CallAttempt, decision: str, ruling: Ruling) -> None:
        self.parked -= 1
        self._settle(waiting, attempt, decision, ruling)

    def _channels_known(self, waiting: Waiting, attempt: CallAttempt, decision: str) -> None:
        self.parked -= 1
        self._settle(waiting, attempt, decision, None)

    def _settle(self, waiting: Waiting, attempt: CallAttempt, decision: str, ruling: Ruling | None) -> None:
        if ruling is None and waiting.channels is None:
            self.parked += 1
            waiting.unsettled = partial(self._channels_known, waiting, attempt, decision)
            return
        if ruling is None and waiting.channels not in ("", NOT_ASKED):
            why = waiting.channels or ""
            ruling = Ruling("trunk-capacity", why, waiting.engine.pack.answers["trunk-capacity"])
        if ruling is None and not attempt.routes:
            # Every trunk it could leave by is suspended. Q.850 34, no circuit: the caller's number is not at fault.
            ruling = Ruling("trunk-capacity", "no active trunk", waiting.engine.pack.answers["trunk-capacity"])
        if ruling is None:
            rule = EMERGENCY if attempt.emergency else ALLOW
            verdict = Verdict(attempt, decision, rule, "", None, tuple(waiting.shadow))
        else:
            answer = trunk_answer(ruling.rule, ruling.answer, attempt.trunk.answers)
            verdict = Verdict(attempt, decision, ruling.rule, ruling.reason, answer, tuple(waiting.shadow))
        waiting.verdict = verdict
        if self._lines is not None and not verdict.allowed:
            self._lines.give_back(waiting, decision)
        if self.following is not None:
            visit = self._visit_of(attempt) if attempt.direction == INBOUND else None
            self.following.verdict(waiting, verdict, visit)
        counts = self._counts
        for rule in verdict.shadow:
            counts.shadow[rule] = counts.shadow.get(rule, 0) + 1
        elapsed = self._clock() - waiting.received_at
        counts.decision.observe(elapsed)
        if verdict.answer is None or not self._flooded(
            waiting.source, attempt.trunk.id, verdict.rule, verdict.answer.status, attempt.facts.at
        ):
            self.evidence.decision(self._record(waiting, verdict, elapsed))
        self._ready.append(waiting)  # after the record: a verdict that could not be recorded is not delivered
        self._wake()

    def _visit_of(self, attempt: CallAttempt) -> ReturnVisit | None:
        """The rule on return visits of the operator that an inbound call goes to: of the pack its own calls are judged
        by."""
        if not attempt.routes or self._engine is None:
            return None
        return self._by_trunk.get(attempt.routes[0].id, self._engine).counted.visit

    def _record(self, waiting: Waiting, verdict: Verdict, elapsed: float) -> bytes:
        record = self._recorder.verdict(
            verdict,
            waiting.engine.pack,
            waiting.registry,
            waiting.source,
            waiting.party,
            int(elapsed * 1e6),
            waiting.lookup_us,
        )
        return self.evidence.encode(record)

    def _count(self, trunk: str, direction: str, allowed: bool, rule: str) -> None:
        key = (trunk, direction, ALLOW if allowed else REFUSE, rule)
        self._counts.calls[key] = self._counts.calls.get(key, 0) + 1

    def _flooded(self, source: str, trunk: str, rule: str, status: int, at: float) -> bool:
        return self.evidence.flooded(source.rpartition(":")[0], trunk, rule, status, at)

    # -- refusals the proxy makes ----------------------------------------------------------------------------------

    def refuse(
        self, rule: str, detail: str, request: Request, trunk: Trunk, decision: str, source: str, at: float
    ) -> Answer:
        """Record a refusal that needs no decision (`method`, `dialog-forged`, `route-forced` …); its answer. A
        repeated request (same decision id) makes no second record, and one without id (OPTIONS while draining) none."""
        registry, engine = self._in_force(trunk)
        answer = engine.pack.answer(rule, trunk.answers)
        if not decision or not self._refused.add(decision.encode("ascii")):
            return answer
        direction = OUTBOUND if trunk.side == "access" else INBOUND
        self._count(trunk.id, direction, False, rule)
        if not self._flooded(source, trunk.id, rule, answer.status, at):
            record = self._recorder.refusal(
                rule, detail, answer.status, request, trunk, direction, decision, engine.pack, registry, source, at
            )
            self.evidence.keep(self.evidence.encode(record))
        return answer

    # -- a worker that came back -----------------------------------------------------------------------------------

    def _known(self, decision: str, now: float) -> tuple[str, str, int] | None:
        if now > self._recovered_until:
            self._recovered = {}
            return None
        return self._recovered.pop(decision, None)

    def _repeat(self, waiting: Waiting, attempt: CallAttempt, decision: str, known: tuple[str, str, int]) -> None:
        """Deliver a recorded verdict again, without a second record."""
        word, rule, status = known
        answer = None
        if word != ALLOW:
            answers = waiting.engine.pack.answers
            answer = trunk_answer(rule, answers.get(rule, answers["overload"]), attempt.trunk.answers)
            answer = replace(answer, status=status)
        waiting.verdict = Verdict(attempt, decision, rule, "", answer, ())
        waiting.repeated = True
        self._ready.append(waiting)
        self._wake()

    def gather(self) -> None:
        """The load has gone down: what is kept from turn to turn is made anew (`worker.ebb`)."""
        if not self._ready:
            self._ready = []

    # -- the end of a turn -----------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Has this turn brought neither a verdict nor a record? Then there is nothing to `commit`."""
        return not self._ready and self.evidence.idle

    def commit(self, at: float) -> list[Waiting]:
        """Write the records of this turn; the verdicts reached in it, for `waiting.deliver` once they are safe."""
        ready, self._ready = self._ready, []
        if not self.evidence.commit(at):
            self._counts.journal_errors += 1
            self._without_evidence(ready)
        for waiting in ready:
            verdict = waiting.verdict
            if verdict is not None and not waiting.repeated:
                attempt = verdict.attempt
                self._count(attempt.trunk.id, attempt.direction, verdict.allowed, verdict.rule)
        return ready

    def unsynced(self, ready: list[Waiting], at: float) -> None:
        """`journal.sync = always`, and the disk did not take what `commit` wrote: the calls of this turn have no
        evidence that lasts. They are refused as if it had not been written, with an outcome that says so."""
        for waiting in ready:
            verdict = waiting.verdict
            if verdict is None or not verdict.allowed or waiting.repeated:
                continue
            if self._required and not verdict.attempt.emergency:
                status = self._withdraw(waiting, verdict).status
                self.evidence.outcome(verdict.decision, at, "failed", status, "")

    def _without_evidence(self, ready: list[Waiting]) -> None:
        """DESIGN §7, disk full: a call without evidence is not placed; an emergency call is, its record kept in
        memory. Refusals are counted, and recorded together when the disk takes records again."""
        for waiting in ready:
            verdict = waiting.verdict
            if verdict is None or waiting.repeated:
                continue
            answer = verdict.answer
            if answer is None and (verdict.attempt.emergency or not self._required):
                self.evidence.keep(self._record(waiting, verdict, 0.0))
                continue
            rule = verdict.rule
            if answer is None:
                answer, rule = self._withdraw(waiting, verdict), "overload"
            source = waiting.source.rpartition(":")[0]
            self.evidence.unrecorded(source, verdict.attempt.trunk.id, rule, answer.status)

    def _withdraw(self, waiting: Waiting, verdict: Verdict) -> Answer:
        answer = waiting.engine.pack.answer("overload", verdict.attempt.trunk.answers)
        waiting.verdict = Verdict(
            verdict.attempt, verdict.decision, "overload", "evidence cannot be written", answer, verdict.shadow
        )
        if self._lines is not None:
            self._lines.give_back(waiting, verdict.decision)
        if self.following is not None:
            self.following.withdrawn(waiting, verdict.decision)
        return answer


def _waits_for_judgement(counting: Counting | None, tally: Tally | None) -> bool:
    if counting is None or counting.judged or counting.dry or not counting.spec.flags & COUNT:
        return False
    return tally is not None and not tally.counted


def read_subscriber(facts: Facts, answer: SubscriberFacts, engine: Engine) -> None:
    """Put what the store holds about the callee into the facts, and what time it is there if anything goes by it."""
    facts.consent = answer.consent
    facts.refusals = applying_refusals(answer, facts.number, facts.range_operator, facts.purpose)
    if facts.refusals or LOCAL_TIME in engine.wants:
        facts.subscriber_minute, facts.subscriber_day = local_time(facts.at, facts.subscriber_zone)


def applying_refusals(answer: SubscriberFacts, number: str, operator: str, purpose: str) -> tuple[str, ...]:
    """The callee's refusals that meet this call, as `Facts.refusals` has them."""
    found: list[str] = []
    if answer.refuses_all:
        found.append("all")
    if answer.refuses_category:
        found.append(f"category:{purpose}")
    for refusal in answer.scoped:
        scope, value = refusal.scope, refusal.value
        if (
            scope == "all"
            or (scope == "category" and value == purpose)
            or (scope == "operator" and value == operator)
            or (scope == "caller" and value == number)
            or (scope == "caller_prefix" and number.startswith(value))
        ):
            name = f"{scope}:{value}" if value else scope
            found.append(f"{name} @{refusal.band}" if refusal.band else name)
    return tuple(found)
