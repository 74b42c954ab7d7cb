"""What a restarted worker learns from its journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.store.journal import recovery as module
from gateway.store.journal.recovery import Decided
from tests.support.journals import NOW, decision, end, open_at, outcome, segments, write


def test_a_new_journal_knows_nothing(tmp_path: Path) -> None:
    writer, recovery = open_at(tmp_path / "new" / "n-0")
    writer.close()
    assert not recovery.decided and not recovery.open_calls and not recovery.ended
    assert (recovery.records, recovery.torn_bytes) == (0, 0)
    assert (tmp_path / "new" / "n-0").stat().st_mode & 0o077 == 0


def test_verdicts_open_calls_and_ends_come_back(tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    write(writer, decision(1), decision(2), decision(3, "refuse"), decision(4))
    write(writer, outcome(1), outcome(4, "failed"), end(1))
    head = writer.head
    writer.close()
    writer, recovery = open_at(tmp_path / "n-0")
    writer.close()
    ids = [f"{number:032x}" for number in range(5)]
    assert recovery.decided[ids[1]] == Decided("allow", "allow", 0, int(NOW * 1e6))
    assert recovery.decided[ids[3]].verdict == "refuse"
    assert recovery.open_calls == {ids[2]}
    assert recovery.ended == {ids[1]}
    assert (recovery.records, recovery.head) == (7, head)


def test_only_the_last_seconds_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROBE_BYTES", 512)
    writer, _ = open_at(tmp_path / "n-0", segment_bytes=20_000)
    for second in range(1_000):
        write(writer, decision(second, at=NOW + second))
    writer.close()
    assert len(segments(tmp_path / "n-0")) > 5
    seen: list[int] = []
    real = module._note
    monkeypatch.setattr(module, "_note", lambda line, *rest: (seen.append(line.at), real(line, *rest)))
    writer, recovery = open_at(tmp_path / "n-0", keep_seconds=30, now=NOW + 999)
    writer.close()
    assert sorted(recovery.decided) == [f"{second:032x}" for second in range(969, 1_000)]
    assert len(seen) < 60  # the file was bisected, not read


def test_lines_that_are_no_records_are_passed_over(tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    writer.append(b"not json")
    writer.append(b'{"kind":"flood","at":%d}' % int(NOW * 1e6))
    writer.append(b'{"kind":"decision","id":5}')
    write(writer, decision(1))
    writer.close()
    writer, recovery = open_at(tmp_path / "n-0")
    writer.close()
    assert list(recovery.decided) == [f"{1:032x}"]
