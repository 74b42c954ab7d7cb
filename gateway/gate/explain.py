"""Why a call would pass or not: a made-up INVITE through the live gate, or a recorded call's facts, and every rule's
word on it.

The INVITE is written as a call centre's exchange would write it, parsed by the SIP parser, and decided by `gate.Gate`
with the registry, the pack and the store that live calls use. Only the journal is another: nothing is recorded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.gate.counting import counted_facts
from gateway.gate.decision import Verdict
from gateway.gate.engine import Engine, Word
from gateway.gate.evidence import Evidence
from gateway.gate.gate import Gate
from gateway.gate.localtime import local_time
from gateway.gate.pseudonym import Pseudonymizer
from gateway.gate.recorder import Recorder
from gateway.gate.records import DecisionRecord
from gateway.gate.replay import ALLOW, CannotTell, judge_again, recorded_facts
from gateway.gate.seal import Sealer
from gateway.gate.stored import read_subscriber
from gateway.gate.waiting import deliver
from gateway.registry.model import Trunk
from gateway.registry.registry import Registry
from gateway.sip.errors import RemoteProtocolError
from gateway.sip.message import Request
from gateway.sip.parser import parse
from gateway.store.ports import Counting, Rekeyed, SubscriberFacts, SubscriberLookup, Unavailable
from policies.facts import CONSENT_UNREAD, Facts

HOST = b"callgate.example"
"""Host of the made-up INVITE, which is nobody's."""


class ExplainError(ValueError):
    """The question cannot be asked; the text names what is wrong and the fix."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict, every rule's word in the pack's order, and the facts they saw."""

    allowed: bool
    rule: str
    reason: str
    status: int
    """SIP status a caller would get; 0 where the call passes."""
    phrase: str
    words: list[Word]
    facts: Facts
    pack: str
    registry: int
    route: str
    identified: str = "source"
    """How calls of this trunk are recognised: `source`, `tls`, `digest`."""


class _Nowhere:
    """A journal that keeps nothing (`store.ports.Journal`)."""

    def append(self, payload: bytes) -> None:
        """Nothing is recorded."""

    def commit(self) -> None:
        """Nothing is written."""


class _Uncounted:
    """Counters nobody reads."""

    def __init__(self) -> None:
        self.calls: dict[tuple[str, str, str, str], int] = {}
        self.shadow: dict[str, int] = {}
        self.journal_errors = 0
        self.decision = self
        self.lookup = self

    def observe(self, seconds: float) -> None:
        """Not counted."""


async def explain(
    registry: Registry,
    engine: Engine,
    lookup: SubscriberLookup,
    pseudonymizer: Pseudonymizer,
    sealer: Sealer,
    trunk_id: str,
    caller: str,
    callee: str,
    at: float,
    clock: Callable[[], float],
) -> Explanation:
    """What would happen to a call on this trunk at `at` (epoch seconds). Raises ExplainError."""
    trunk = registry.trunk(trunk_id)
    if trunk is None:
        if not registry.trunks:
            raise ExplainError(f"trunk: {trunk_id!r}: no registry imported: callgate import registry FILE")
        known = ", ".join(one.id for one in registry.trunks)
        raise ExplainError(f"trunk: {trunk_id!r}: no such trunk: use one of {known}")
    request = made_up_invite(trunk, caller, callee)
    recorder = Recorder("explain", Evidence(_Nowhere()), pseudonymizer, sealer)
    gate = Gate(lookup, recorder, _Uncounted(), frozenset((HOST,)), clock, lambda: None)
    gate.switch(registry, engine)
    decided: list[Verdict] = []
    gate.decide(request, trunk, "0" * 32, "explain", clock(), at, decided.append)
    while not decided:
        deliver(gate.commit(at))
        if not decided:
            await asyncio.sleep(0.001)  # the store answers from the loop
    verdict = decided[0]
    facts = verdict.attempt.facts
    if facts.consent == CONSENT_UNREAD and engine.needs_store(facts) and verdict.attempt.subscriber:
        await _read_store(verdict, registry, engine, lookup, pseudonymizer, at)
    answer = verdict.answer
    return Explanation(
        verdict.allowed,
        verdict.rule,
        verdict.reason,
        answer.status if answer is not None else 0,
        answer.phrase if answer is not None else "",
        engine.trace(facts),
        facts,
        engine.pack.label,
        registry.version,
        facts.route,
        trunk.identified_by,
    )


def explain_recorded(engine: Engine, record: DecisionRecord, at: float | None = None) -> Explanation:
    """What a pack says of a recorded call, on the facts it was decided on; `at` (epoch seconds): had it come then.
    Raises ExplainError."""
    facts = record.facts
    if facts is None:
        raise ExplainError(f"decision: {record.id!r}: its record holds no facts ({record.rule}): name another call")
    if at is not None:
        facts.at = at
        facts.subscriber_minute, facts.subscriber_day = local_time(at, facts.subscriber_zone)
    allowed, rule, reason, status, phrase = record.verdict == ALLOW, record.rule, record.reason, record.status, ""
    try:
        ruling = judge_again(engine, recorded_facts(record))
        allowed, rule, reason, status = ruling is None, ALLOW, "", 0
        if ruling is not None:
            rule, reason, status, phrase = ruling.rule, ruling.reason, ruling.answer.status, ruling.answer.phrase
    except CannotTell as why:
        reason = f"{reason}; as it was decided then: {why}" if reason else f"as it was decided then: {why}"
    return Explanation(
        allowed, rule, reason, status, phrase, engine.trace(facts), facts, engine.pack.label, record.registry,
        record.route, record.identified,
    )  # fmt: skip


async def _read_store(
    verdict: Verdict,
    registry: Registry,
    engine: Engine,
    lookup: SubscriberLookup,
    pseudonymizer: Pseudonymizer,
    at: float,
) -> None:
    """A call refused on memory asks no store; to explain every rule, it is asked here."""
    facts = verdict.attempt.facts
    operator = registry.operator(facts.range_operator)
    if operator is None:
        return
    answered: asyncio.Future[SubscriberFacts | Unavailable] = asyncio.get_running_loop().create_future()
    number = verdict.attempt.subscriber

    def told(answer: SubscriberFacts | Unavailable) -> None:
        if isinstance(answer, Rekeyed):
            answer.again(pseudonymizer.hash(number))
        else:
            answered.set_result(answer)

    spec = engine.counted.spec(facts)
    counting = None if spec is None else Counting(spec, bytes(16), dry=True)
    purpose = registry.purpose_number(facts.purpose)
    lookup.ask(pseudonymizer.hash(number), operator.number, purpose, at, told, counting)
    answer = await answered
    if not isinstance(answer, Unavailable):
        read_subscriber(facts, answer, engine)
        if answer.tally is not None:
            facts.counted = counted_facts(answer.tally)


def made_up_invite(trunk: Trunk, caller: str, callee: str) -> Request:
    """The INVITE of a call from `caller` to `callee`, numbers or user parts. Raises ExplainError if they are none."""
    text = (
        f"INVITE sip:{callee}@{HOST.decode()} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {HOST.decode()};branch=z9hG4bKexplain\r\n"
        f"From: <sip:{caller}@{HOST.decode()}>;tag=explain\r\n"
        f"To: <sip:{callee}@{HOST.decode()}>\r\n"
        f"Call-ID: explain-{trunk.id}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n"
    )
    try:
        message = parse(text.encode())
    except RemoteProtocolError as error:
        raise ExplainError(f"from or to: {caller!r}, {callee!r}: {error}: write +E.164 or a short code") from error
    if not isinstance(message, Request):
        raise ExplainError(f"from or to: {caller!r}, {callee!r}: write +E.164 or a short code")
    return message
