"""Which parts of a change let more calls out than before: what takes two persons, by whatever way it comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gateway.registry.model import NumberRange, Snapshot


@dataclass(frozen=True, slots=True)
class Opening:
    """One thing that is opened. `field`: of the row of this kind. `at`: from when (epoch seconds, 0: at once)."""

    kind: str
    subject: str
    field: str
    words: str
    at: float = 0.0


def openings(before: Snapshot, after: Snapshot) -> list[Opening]:
    """Activations, outbound flags of trunks and ranges, numbers that become enabled, and outbound ranges that get
    more numbers, more time or another operator."""
    found: list[Opening] = []
    for kind, old, new in (
        ("operator", before.operators, after.operators),
        ("tenant", before.tenants, after.tenants),
        ("trunk", before.trunks, after.trunks),
    ):
        states = {row.id: row.state for row in old}
        for row in new:
            if row.state == "active" and states.get(row.id) != "active":
                found.append(Opening(kind, row.id, "state", f"{kind} {row.id} becomes active"))
    closed = {row.id for row in before.trunks if not row.outbound}
    found += [
        Opening("trunk", one.id, "outbound", f"trunk {one.id} is opened for outbound calls")
        for one in after.trunks
        if one.outbound and one.id in closed
    ]
    ranges = {row.id: row for row in before.ranges}
    for item in after.ranges:
        known = ranges.get(item.id)
        if item.outbound and known != item:
            found += _range(known, item)
    return found


def opens_first(before: Snapshot) -> bool:
    """Whether nothing is there yet: the very first load lets nobody call who could not, since there is nobody."""
    return not (before.operators or before.trunks or before.ranges)


def _range(before: NumberRange | None, after: NumberRange) -> Iterator[Opening]:
    if before is None or not before.outbound:
        yield Opening("range", after.id, "outbound", f"range {after.id} is opened for outbound calls")
        return
    if before.operator != after.operator:
        yield Opening("range", after.id, "operator", f"range {after.id} goes to {after.operator} for outbound calls")
    if not (before.first <= after.first and after.last <= before.last and len(before.first) == len(after.first)):
        yield Opening("range", after.id, "first", f"range {after.id} gets more numbers for outbound calls")
    if after.valid_from < before.valid_from or (before.valid_to and not 0 < after.valid_to <= before.valid_to):
        yield Opening("range", after.id, "valid_to", f"range {after.id} is valid longer for outbound calls")
    for since in (0.0, *(at for at, _ in (*before.steps, *after.steps))):  # the times at which either changes
        if after.state_at(since) == "enabled" and before.state_at(since) != "enabled":
            yield Opening("range", after.id, "state", f"range {after.id} becomes enabled", since)
            return
