"""How a trunk calls: patterns of harassing calls and of trunks let to others (RULES A37, A42).

The worker measures (`gateway.gate.patterns`), the pack says from which figure on a call is marked or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from policies.base import MEMORY, PATTERNS, Answer
from policies.facts import OUTBOUND, Facts
from policies.params import only, whole

MEASURED: Final = {
    "sequential": "neighbouring numbers dialled",
    "unanswered": "calls nobody answered",
    "short": "calls that ended at once",
    "sources": "source networks",
    "agents": "kinds of User-Agent",
    "tenants": "tenants",
}
"""What is measured, in words."""
MOST: Final = 10_000


class Behaviour:
    """Calls of a trunk that calls in a suspicious way.

    Parameters: `warn` and `refuse`: tables of figures by the names in `MEASURED`, each the first one that counts; a
    name left out does not. A call at `warn` passes with its record marked, one at `refuse` is refused."""

    id: ClassVar[str] = "behaviour"
    binds: ClassVar[tuple[str, ...]] = (OUTBOUND,)
    needs: ClassVar[str] = MEMORY
    wants: ClassVar[tuple[str, ...]] = (PATTERNS,)
    answer: ClassVar[Answer] = Answer(403, "Forbidden", 21)

    def __init__(self, params: Mapping[str, object]) -> None:
        only(params, "refuse", "warn")
        self._refuse = _figures(params, "refuse")
        self._warn = _figures(params, "warn")

    def judge(self, facts: Facts) -> str | None:
        """Everything that has reached a figure."""
        found = [
            f"{count} {MEASURED[name]}"
            for name, count in facts.patterns
            if name in MEASURED and count >= min(self._refuse.get(name, MOST + 1), self._warn.get(name, MOST + 1))
        ]
        return f"pattern of trunk {facts.trunk}: {', '.join(found)}" if found else None

    def softens(self, facts: Facts) -> bool:
        """Nothing has reached the figure at which calls are refused."""
        return all(count < self._refuse.get(name, MOST + 1) for name, count in facts.patterns)


def _figures(params: Mapping[str, object], key: str) -> dict[str, int]:
    table = params.get(key, {})
    if not isinstance(table, dict):
        raise ValueError(f"{key}: {table!r:.80}: write a table of name = figure")
    try:
        only(table, *MEASURED)
        return {name: whole(table, name, 1, 1, MOST) for name in table}
    except ValueError as error:
        raise ValueError(f"{key}.{error}") from None
