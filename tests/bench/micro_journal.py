"""Cost of evidence in the worker: us per record for append + commit, at 1, 10 and 50 records per commit.

`python -m tests.bench.micro_journal [directory]`. The records are real decision records; encoding them is shown apart.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import msgspec

from gateway.gate.records import DecisionRecord
from gateway.store.journal.recovery import open_journal
from gateway.store.journal.verify import verify
from policies.facts import Facts

RECORDS = 50_000
ROUNDS = 10
"""The best round is shown: the others were disturbed."""


def sample() -> DecisionRecord:
    facts = Facts(
        "outbound", 1.7e9, "cc-alpha", "alpha", "+8657112340001", "geo", subscriber_kind="mobile",
        subscriber_region="Beijing", subscriber_zone="Asia/Shanghai", number_status="ok", range_id="alpha-1",
        range_operator="alpha", range_trunks=("cc-alpha",), range_state="enabled", range_outbound=True,
        range_purposes=("consultation",), purpose="consultation", route="carrier", consent="live",
    )  # fmt: skip
    return DecisionRecord(
        "a" * 32, 1_700_000_000_000_000, "node-1", "cc-alpha", "outbound", "allow", "allow", 0, "",
        "127.0.0.2:5060/udp", "1-2345@127.0.0.2", "8f3a", operator="alpha", number="+8657112340001", party="0" * 16,
        party_mask="+86138****8000", route="carrier", pack="example@1", registry=7, decide_us=120, lookup_us=90,
        facts=facts, sealed=b"x" * 300,
    )  # fmt: skip


def main() -> None:
    record = sample()
    encode = msgspec.json.Encoder().encode
    started = time.perf_counter()
    for _ in range(RECORDS):
        payload = encode(record)
    print(f"encode: {(time.perf_counter() - started) / RECORDS * 1e6:.2f} us, {len(payload)} bytes")
    for batch in (1, 10, 50):
        with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as directory:
            path = Path(directory) / "bench-0"
            writer, _ = open_journal(path, keep_seconds=1, now=time.time(), post=lambda run: run())
            best_cpu = best_wall = 1e9
            for _ in range(ROUNDS):
                started, cpu = time.perf_counter(), time.thread_time()
                for _ in range(RECORDS // ROUNDS // batch):
                    for _ in range(batch):
                        writer.append(payload)
                    writer.commit()
                per = 1e6 * ROUNDS / RECORDS
                best_cpu = min(best_cpu, (time.thread_time() - cpu) * per)
                best_wall = min(best_wall, (time.perf_counter() - started) * per)
            writer.close()
            print(f"append + commit, {batch:2d} per commit: {best_cpu:.2f} us CPU, {best_wall:.2f} us per record")
            if batch == 50:
                started = time.perf_counter()
                report = verify(path)
                print(f"verify: {report.records / (time.perf_counter() - started):,.0f} records/s, ok: {report.ok}")
                started = time.perf_counter()
                reopened, _ = open_journal(path, keep_seconds=1e9, now=time.time(), post=lambda run: run())
                print(f"open, reading all {report.records} back: {time.perf_counter() - started:.3f} s")
                reopened.close()


if __name__ == "__main__":
    main()
