"""Small journals for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from gateway.gate.records import DecisionRecord, EndRecord, OutcomeRecord, Record
from gateway.store.journal.lines import list_segments, segment_path
from gateway.store.journal.recovery import Recovery, open_journal
from gateway.store.journal.writer import JournalWriter

NOW = 1_700_000_000.0


def at_once(run: Callable[[], object]) -> object:
    """`post` for tests without a loop: in the syncer's thread."""
    return run()


def open_at(
    directory: Path, *, segment_bytes: int = 1 << 20, keep_seconds: float = 300.0, now: float = NOW
) -> tuple[JournalWriter, Recovery]:
    return open_journal(
        directory, keep_seconds=keep_seconds, now=now, post=at_once, interval_ms=1, segment_bytes=segment_bytes
    )


def decision(number: int, verdict: str = "allow", at: float = NOW) -> DecisionRecord:
    return DecisionRecord(
        f"{number:032x}", int(at * 1e6), "n", "cc-alpha", "outbound", verdict, "allow", 0, "", "127.0.0.2:5060/udp",
        f"call-{number}", "tag",
    )  # fmt: skip


def outcome(number: int, result: str = "answered", at: float = NOW) -> OutcomeRecord:
    return OutcomeRecord(f"{number:032x}", int(at * 1e6), result, 200)


def end(number: int, at: float = NOW) -> EndRecord:
    return EndRecord(f"{number:032x}", int(at * 1e6), "access")


def write(writer: JournalWriter, *records: Record) -> None:
    """One batch."""
    for record in records:
        writer.append(msgspec.json.encode(record))
    writer.commit()


def fill(directory: Path, records: int, segment_bytes: int = 1 << 20) -> None:
    """A journal of `records` decisions, one per commit, closed."""
    writer, _ = open_at(directory, segment_bytes=segment_bytes)
    for number in range(1, records + 1):
        write(writer, decision(number))
    writer.close()


def segments(directory: Path) -> list[Path]:
    return [segment_path(directory, number) for number in list_segments(directory)]
