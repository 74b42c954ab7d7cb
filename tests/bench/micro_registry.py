"""Range lookups and number reading: microseconds of processor time per call, megabytes of the table.

    python -m tests.bench.micro_registry            # 10, 100,000 and 1,000,000 ranges

`cold`: every lookup hits another range (a value is made each time). `warm`: a few ranges, as calls have it.
Memory is what the process grew by for the table, read from pages as a worker reads it; another process made them.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from gateway.registry.model import NumberRange
from gateway.registry.numbering import NumberingPlan, emergency_codes, load_plan_csv
from gateway.registry.pages import PAGE_ROWS, Shared, page_of
from gateway.registry.ranges import RangeTable
from gateway.registry.standing import Bar
from gateway.store.redis.publication import decode_page, encode_page
from tests.bench.usage import resident_kb

SIZES = (10, 100_000, 1_000_000)
LOOKUPS = 200_000
BLOCK = 1_000
"""Numbers per range."""


def ranges(count: int) -> Iterator[NumberRange]:
    """`count` blocks of a thousand numbers of 11 digits, each with id, certificate and filing of its own."""
    for index in range(count):
        first = 20_000_000_000 + index * BLOCK
        bar = Bar("A12", f"certificate C2020-{index // 10} is not on record (A24)")
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
            bars=(bar,) if index % 10 == 0 else (),
        )


def blobs(count: int) -> list[bytes]:
    """The pages of `count` ranges, as they lie in Redis."""
    rows = ranges(count)
    return [encode_page(page_of(part)) for part in iter(lambda: list(islice(rows, PAGE_ROWS)), [])]


def table(pages: list[bytes]) -> tuple[RangeTable, float]:
    """What a worker makes of them; the longest a page took, milliseconds of processor time."""
    longest, known, found = 0.0, dict[Shared, Shared](), []
    while pages:
        begin = time.process_time()
        found.append(decode_page(pages.pop(0), known))
        longest = max(longest, time.process_time() - begin)
    return RangeTable((), "86", found), longest * 1e3


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
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pages = pool.submit(blobs, count).result()
    stored = sum(map(len, pages)) / 1e6
    gc.collect()
    gc.freeze()
    before = resident_kb([os.getpid()])[0] - sum(map(len, pages)) / 1024
    begin = time.process_time()
    found, longest = table(pages)
    built = time.process_time() - begin
    gc.collect()
    gc.freeze()  # as in a worker
    size = (resident_kb([os.getpid()])[0] - before) * 1024 / 1e6
    cold = [f"+86{20_000_000_000 + dice.randrange(count * BLOCK)}" for _ in range(LOOKUPS)]
    warm = [dice.choice(cold[:50]) for _ in range(LOOKUPS)]
    misses = [f"+86{60_000_000_000 + dice.randrange(10**9)}" for _ in range(LOOKUPS)]
    near = per_call(lambda number, _: found.near(number), misses[:20_000])
    return (
        f"{count:>9,} ranges: cold {per_call(found.find, cold):.2f} us, warm {per_call(found.find, warm):.2f} us, "
        f"miss {per_call(found.find, misses):.2f} us, near (miss) {near:.1f} us, "
        f"{size:.1f} MB ({stored:.1f} MB in Redis), read in {built:.1f} s, a page in {longest:.1f} ms at most"
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
