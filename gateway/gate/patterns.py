"""How each trunk has called lately: what gives harassing calls, and trunks let to others, away (RULES A37, A42).

Measured by each worker for itself, in memory, and lost with it: a sign that makes people look, not evidence. Facts get
the figures (`Facts.patterns`), a pack says which of them count (`policies.behaviour`).
"""

from __future__ import annotations

from collections import deque
from typing import Final

from gateway.gate.attempt import CallAttempt

CALLS: Final = 100
"""Calls of a trunk that are looked at together."""
AGE_S: Final = 900.0
"""Seconds after which a call is not looked at any more: a trunk that was refused for its ways starts anew."""
SHORT_S: Final = 6.0
"""An answered call that ends within these seconds is short. Our default."""
PARTY_S: Final = 86_400.0
"""Seconds that a source network, a User-Agent or a tenant of a trunk is remembered."""
MAX_PARTIES: Final = 64
"""Of each kind, per trunk: more are all counted as that many."""
MAX_TRUNKS: Final = 10_000
MAX_OPEN: Final = 50_000
"""Calls whose outcome is waited for; the oldest are forgotten."""
MAX_AGENT: Final = 64
"""Bytes of a User-Agent that are told apart."""

Figures = tuple[tuple[str, int], ...]


class Trunk:
    """The last calls of one trunk."""

    __slots__ = ("_agents", "_callees", "_short", "_sources", "_tenants", "_unanswered")

    def __init__(self) -> None:
        self._callees: deque[tuple[float, int]] = deque(maxlen=CALLS)
        self._unanswered: deque[tuple[float, bool]] = deque(maxlen=CALLS)
        self._short: deque[tuple[float, bool]] = deque(maxlen=CALLS)
        self._sources: dict[str, float] = {}
        self._agents: dict[str, float] = {}
        self._tenants: dict[str, float] = {}

    def dial(self, callee: str, network: str, agent: str, tenant: str, at: float) -> None:
        """A call arrives. `callee`: canonical number."""
        digits = callee.removeprefix("+")
        if digits:
            self._callees.append((at, int(digits)))
        _meet(self._sources, network, at)
        _meet(self._agents, agent, at)
        _meet(self._tenants, tenant, at)

    def set_up(self, answered: bool, at: float) -> None:
        """A call that was let through was answered or not."""
        self._unanswered.append((at, not answered))

    def end(self, short: bool, at: float) -> None:
        """An answered call ended."""
        self._short.append((at, short))

    def figures(self, at: float) -> Figures:
        """What there is to say of it now; nothing where a figure is 0, or 1 for parties, which is what everyone has."""
        while self._callees and self._callees[0][0] < at - AGE_S:
            self._callees.popleft()
        numbers = {number for _, number in self._callees}
        # A dialler goes up or down by one; several at once interleave, so neighbours anywhere among the last count.
        sequential = sum(1 for number in numbers if number - 1 in numbers or number + 1 in numbers)
        found = (
            ("sequential", sequential),
            ("unanswered", _count(self._unanswered, at)),
            ("short", _count(self._short, at)),
            ("sources", _known(self._sources, at)),
            ("agents", _known(self._agents, at)),
            ("tenants", _known(self._tenants, at)),
        )
        return tuple(one for one in found if one[1])


class Patterns:
    """All trunks of one worker. `at` is epoch seconds everywhere."""

    __slots__ = ("_max_open", "_max_trunks", "_open", "_trunks")

    def __init__(self, trunks: int = MAX_TRUNKS, calls: int = MAX_OPEN) -> None:
        """`trunks`, `calls`: how many are kept."""
        self._max_trunks = trunks
        self._max_open = calls
        self._trunks: dict[str, Trunk] = {}
        self._open: dict[str, tuple[str, float]] = {}
        """Decision id to trunk and answer time, 0 while unanswered."""

    def attempt(self, attempt: CallAttempt, decision: str, source: str) -> Figures:
        """Note a call attempt; how its trunk calls, this call included. `source`: `address:port/transport`."""
        trunk_id = attempt.trunk.id
        trunk = self._trunks.get(trunk_id)
        if trunk is None:
            if len(self._trunks) >= self._max_trunks:
                del self._trunks[next(iter(self._trunks))]
            trunk = self._trunks[trunk_id] = Trunk()
        agent = attempt.request.get(b"User-Agent") or b""
        tenant = attempt.range.tenant if attempt.range is not None else ""
        at = attempt.facts.at
        callee = attempt.subscriber
        trunk.dial(callee, network(source), agent[:MAX_AGENT].decode("utf-8", "replace"), tenant, at)
        if len(self._open) >= self._max_open:
            del self._open[next(iter(self._open))]
        self._open[decision] = (trunk_id, 0.0)
        return trunk.figures(at)

    def outcome(self, decision: str, answered: bool, at: float) -> None:
        """The set-up of a call ended."""
        found = self._open.pop(decision, None)
        if found is None:
            return
        trunk = self._trunks.get(found[0])
        if trunk is not None:
            trunk.set_up(answered, at)
            if answered:
                self._open[decision] = (found[0], at)

    def ended(self, decision: str, at: float) -> None:
        """An answered call ended."""
        found = self._open.pop(decision, None)
        if found is not None and found[1]:
            trunk = self._trunks.get(found[0])
            if trunk is not None:
                trunk.end(at - found[1] < SHORT_S, at)


def network(source: str) -> str:
    """The network a source is told apart by: the first three parts of an IPv4 address, four groups of IPv6."""
    address = source.rpartition(":")[0].strip("[]")
    if ":" in address:
        return ":".join(address.split(":")[:4])
    return address.rpartition(".")[0]


def _meet(parties: dict[str, float], name: str, at: float) -> None:
    if name and (name in parties or len(parties) < MAX_PARTIES):
        parties[name] = at


def _known(parties: dict[str, float], at: float) -> int:
    for name in [name for name, seen in parties.items() if seen < at - PARTY_S]:
        del parties[name]
    return len(parties) if len(parties) > 1 else 0


def _count(calls: deque[tuple[float, bool]], at: float) -> int:
    while calls and calls[0][0] < at - AGE_S:
        calls.popleft()
    return sum(1 for _, marked in calls if marked)
