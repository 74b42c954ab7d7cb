"""Range lookups and number reading: microseconds of processor time per call, megabytes of the table.

    python -m tests.bench.micro_registry            # 10, 100,000 and 1,000,000 ranges

`cold`: every lookup hits another range (a value is made each time). `warm`: a few ranges, as calls have it.
Memory is what the process grew by for the table; the ranges it is built from are made one by one, and gone.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from gateway.registry.model import NumberRange
from gateway.registry.numbering import NumberingPlan, emergency_codes, load_plan_csv
from gateway.registry.ranges import RangeTable
from tests.bench.usage import resident_kb

SIZES = (10, 100_000, 1_000_000)
LOOKUPS = 200_000
BLOCK = 1_000
"""Numbers per range."""


def ranges(count: int) -> Iterator[NumberRange]:
    """`count` blocks of a thousand numbers of 11 digits, each with id, certificate and filing of its own."""
    for index in range(count):
        first = 20_000_000_000 + index * BLOCK
        yield NumberRange(
            f"range-{index}",
            f"+86{first}",
            f"+86{first + BLOCK - 1}",
            f"operator-{index % 50}",
            (f"cc-{index % 50}",),
            outbound=True,
            purposes=("consultation",),
            certificate=f"C2020-{index // 10}",
            filing=f"F-{index}",
            valid_from=1_600_000_000.0 + index % 1_000,
        )


def per_call(call: Callable[[str, float], object], numbers: list[str]) -> float:
    """Microseconds per call, best of three rounds."""
    best = float("inf")
    for _ in range(3):
        begin = time.process_time()
        for number in numbers:
            call(number, 1_700_000_000.0)
        best = min(best, time.process_time() - begin)
    return best / len(numbers) * 1e6


def measure(count: int) -> str:
    """One line for one size."""
    dice = random.Random(1)
    gc.collect()
    before = resident_kb([os.getpid()])[0]
    begin = time.process_time()
    table = RangeTable(ranges(count))
    built = time.process_time() - begin
    gc.collect()
    size = (resident_kb([os.getpid()])[0] - before) * 1024 / 1e6
    cold = [f"+86{20_000_000_000 + dice.randrange(count * BLOCK)}" for _ in range(LOOKUPS)]
    warm = [dice.choice(cold[:50]) for _ in range(LOOKUPS)]
    misses = [f"+86{60_000_000_000 + dice.randrange(10**9)}" for _ in range(LOOKUPS)]
    near = per_call(lambda number, _: table.near(number), misses[:20_000])
    return (
        f"{count:>9,} ranges: cold {per_call(table.find, cold):.2f} us, warm {per_call(table.find, warm):.2f} us, "
        f"miss {per_call(table.find, misses):.2f} us, near (miss) {near:.1f} us, "
        f"{size:.1f} MB, built in {built:.1f} s"
    )


def reading() -> str:
    """Reading numbers of the plan."""
    entries = load_plan_csv(Path("config/plans/cn.csv").read_text(encoding="utf-8"))
    plan = NumberingPlan(entries, emergency_codes(entries))
    words = []
    for text in ("+8657156780000", "+8613800138000", "13800138000", "02161234567", "95588"):
        digits, plus = text.removeprefix("+").encode(), text[0] == "+"
        begin = time.process_time()
        for _ in range(LOOKUPS):
            plan.read(digits, plus, "86", "571")
        words.append(f"{text} {(time.process_time() - begin) / LOOKUPS * 1e6:.2f} us")
    return "read: " + ", ".join(words)


def main() -> None:
    """Print every figure."""
    print(f"Python {sys.version.split()[0]}")
    print(reading())
    for count in SIZES:
        print(measure(count))


if __name__ == "__main__":
    main()
