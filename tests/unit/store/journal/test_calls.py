"""Calls that are up come back after a restart, at whatever moment the worker died."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.store.journal import calls as module
from gateway.store.journal.calls import CALLS_NAME
from tests.support.journals import NOW, decision, end, open_at, outcome, segments, write


def ids(*numbers: int) -> list[str]:
    return [f"{number:032x}" for number in numbers]


def hours(directory: Path) -> None:
    """Ten calls, answered over three hours; 2, 5 and 9 have ended, 7 was not answered."""
    writer, _ = open_at(directory, segment_bytes=1_500)
    for number in range(1, 11):
        at = NOW - 10_800 + number * 1_000
        write(writer, decision(number, at=at), outcome(number, "failed" if number == 7 else "answered", at=at + 5))
    write(writer, end(2, at=NOW - 700), end(5, at=NOW - 600), end(9, at=NOW - 500))
    writer.close()


def test_answered_and_not_ended(tmp_path: Path) -> None:
    hours(tmp_path / "n-0")
    writer, recovery = open_at(tmp_path / "n-0", keep_seconds=240)
    writer.close()
    assert list(recovery.answered) == ids(1, 3, 4, 6, 8, 10)
    assert recovery.answered[ids(3)[0]] == NOW - 10_800 + 3_005
    assert recovery.answered_known and not recovery.decided


@pytest.mark.parametrize("content", [None, b"", b"calls 1 2 3\n", b"calls 1 0 1\nx\nend\n", b"\0" * 100])
def test_without_a_whole_file_it_is_read_back(tmp_path: Path, content: bytes | None) -> None:
    hours(tmp_path / "n-0")
    path = tmp_path / "n-0" / CALLS_NAME
    path.unlink() if content is None else path.write_bytes(content)
    writer, recovery = open_at(tmp_path / "n-0", keep_seconds=240)
    writer.close()
    assert list(recovery.answered) == ids(1, 3, 4, 6, 8, 10) and recovery.answered_known


def test_what_was_written_after_the_file_counts(tmp_path: Path) -> None:
    """The file is written once a second; a worker that is killed leaves an old one, and its journal."""
    hours(tmp_path / "n-0")
    old = (tmp_path / "n-0" / CALLS_NAME).read_bytes()
    writer, _ = open_at(tmp_path / "n-0", segment_bytes=1_500)
    write(writer, end(3), decision(11), outcome(11))
    for number in range(20, 40):
        write(writer, decision(number), outcome(number), end(number))
    writer.close()
    (tmp_path / "n-0" / CALLS_NAME).write_bytes(old)
    writer, recovery = open_at(tmp_path / "n-0")
    writer.close()
    assert list(recovery.answered) == ids(1, 4, 6, 8, 10, 11)


def test_they_outlive_the_segments(tmp_path: Path) -> None:
    """Shipped segments are dropped after a quarter of an hour; a call lasts longer."""
    hours(tmp_path / "n-0")
    for path in segments(tmp_path / "n-0"):
        path.unlink()
    writer, recovery = open_at(tmp_path / "n-0", keep_seconds=240)
    write(writer, end(10))
    writer.close()
    assert list(recovery.answered) == ids(1, 3, 4, 6, 8, 10)
    assert list(open_at(tmp_path / "n-0")[1].answered) == ids(1, 3, 4, 6, 8)


def test_reading_back_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hours(tmp_path / "n-0")
    (tmp_path / "n-0" / CALLS_NAME).unlink()
    monkeypatch.setattr(module, "MAX_READ_BACK", 2_200)
    writer, recovery = open_at(tmp_path / "n-0", keep_seconds=240)
    writer.close()
    assert recovery.answered and set(recovery.answered) < set(ids(1, 3, 4, 6, 8, 10))
    assert not recovery.answered_known


def test_no_more_than_the_bound_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CALLS", 4)
    hours(tmp_path / "n-0")
    assert list(open_at(tmp_path / "n-0")[1].answered) == ids(4, 6, 8, 10)


def test_a_failed_batch_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a batch that is taken back again is not read, and does not shift what is read after it."""
    import os

    writer, _ = open_at(tmp_path / "n-0")
    write(writer, decision(1), outcome(1))
    real = os.write

    def short(fd: int, data: bytes) -> int:
        return real(fd, data[: len(data) * 2 // 3])

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(OSError, match="bytes written"):
        write(writer, outcome(2), outcome(3), outcome(4))
    monkeypatch.undo()
    write(writer, decision(5), outcome(5))
    write(writer, end(1))
    writer.close()
    assert list(open_at(tmp_path / "n-0")[1].answered) == ids(5)
