"""What a change of the registry would lose: numbers that are in no range any more, and holes in the middle of one.

A file that was cut off, or a slip while a range is split, shows as that; a change that loses more than is usual has to
be asked for (`--allow-shrink`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.registry.model import NumberRange, Snapshot, Trunk
from gateway.registry.number_key import key_number, number_key

DEFAULT_SHARE = 0.2
"""Share of numbers, ranges or trunks that a change may take away unasked. Ours: no text names one."""
MAX_NAMED = 8

Block = tuple[int, int]
"""First and last number, as `ranges.number_key` has them."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What a change takes away."""

    numbers: int
    before: int
    """Numbers there were."""
    holes: tuple[str, ...]
    """Blocks that are lost from within a range, `first-last`; at most MAX_NAMED."""


def loss(before: Snapshot, after: Snapshot) -> Loss:
    """Compare numbers; validity and states are not looked at."""
    kept = {row.id: row for row in after.ranges}
    changed = [row for row in before.ranges if row.id not in kept or not _same_block(kept[row.id], row)]
    total = sum(_size(row) for row in before.ranges)
    if not changed:
        return Loss(0, total, ())
    covered = _merged(after.ranges)
    numbers = 0
    holes: list[str] = []
    for row in changed:
        first, last = number_key(row.first), number_key(row.last)
        for low, high in _uncovered((first, last), covered):
            numbers += high - low + 1
            if low > first and high < last and len(holes) < MAX_NAMED:
                holes.append(f"{key_number(low)}-{key_number(high)}")
    return Loss(numbers, total, tuple(holes))


def suspicious(before: Snapshot, after: Snapshot, share: float = DEFAULT_SHARE) -> list[str]:
    """Why a change should be asked for twice, in words; empty where nothing is suspicious."""
    found = []
    lost = loss(before, after)
    if lost.holes:
        found.append(f"leaves holes in a range: {', '.join(lost.holes)} would be in no range")
    for what, gone, there in (
        ("numbers", lost.numbers, lost.before),
        ("ranges", _gone(before.ranges, after.ranges), len(before.ranges)),
        ("trunks", _gone(before.trunks, after.trunks), len(before.trunks)),
    ):
        if there and gone > there * share:
            found.append(f"takes away {gone:,} of {there:,} {what}, more than {share:.0%}")
    return found


def _gone(before: Sequence[NumberRange | Trunk], after: Sequence[NumberRange | Trunk]) -> int:
    left = {row.id for row in after}
    return sum(row.id not in left for row in before)


def _same_block(one: NumberRange, other: NumberRange) -> bool:
    return (one.first, one.last) == (other.first, other.last)


def _size(row: NumberRange) -> int:
    return max(0, number_key(row.last) - number_key(row.first) + 1)


def _merged(ranges: Iterable[NumberRange]) -> list[Block]:
    """All numbers as blocks that neither touch nor overlap, in order."""
    blocks: list[Block] = []
    for first, last in sorted((number_key(row.first), number_key(row.last)) for row in ranges):
        if blocks and first <= blocks[-1][1] + 1:
            blocks[-1] = (blocks[-1][0], max(blocks[-1][1], last))
        else:
            blocks.append((first, last))
    return blocks


def _uncovered(block: Block, covered: Sequence[Block]) -> Iterable[Block]:
    """The parts of a block that no covered one holds."""
    low, last = block
    left, right = 0, len(covered)
    while left < right:  # the first one that ends at or behind `low`
        middle = (left + right) // 2
        if covered[middle][1] < low:
            left = middle + 1
        else:
            right = middle
    for first, end in covered[left:]:
        if first > last:
            break
        if first > low:
            yield low, first - 1
        low = max(low, end + 1)
        if low > last:
            return
    if low <= last:
        yield low, last
