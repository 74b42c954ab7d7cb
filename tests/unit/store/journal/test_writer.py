"""The writer: one write per batch, all or nothing, new segments, what a full disk does."""

from __future__ import annotations

import errno
import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.store.journal import writer as module
from gateway.store.journal.lines import GENESIS, MAX_PAYLOAD, chain_next, read_header, split_line
from gateway.store.journal.verify import verify
from tests.support.journals import decision, fill, open_at, segments, write


def test_a_batch_is_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    writes: list[int] = []
    real = os.write

    def counting(fd: int, data: bytes) -> int:
        writes.append(len(data))
        return real(fd, data)

    monkeypatch.setattr(os, "write", counting)
    for number in range(5):
        writer.append(b"{%d}" % number)
    writer.commit()
    writer.commit()  # nothing queued: nothing written
    monkeypatch.undo()
    writer.close()
    assert len(writes) == 1
    assert writer.records == 5


def test_a_line_is_payload_tab_chain(tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    for payload in (b'{"a":1}', b"with\ttab", b""):
        writer.append(payload)
    writer.commit()
    writer.close()
    header, *lines = segments(tmp_path / "n-0")[0].read_bytes().split(b"\n")
    parsed = read_header(header)
    assert parsed is not None and parsed.journal == "n-0" and parsed.first == 1 and parsed.segment == 1
    chain = GENESIS
    for line, payload in zip(lines, (b'{"a":1}', b"with\ttab", b""), strict=False):
        chain = chain_next(chain, payload)
        assert split_line(line) == (payload, chain)
    assert writer.head == chain.decode()


@pytest.mark.parametrize("payload", [b"a\nb", b"x" * (MAX_PAYLOAD + 1)])
def test_what_is_no_record_is_refused(tmp_path: Path, payload: bytes) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    with pytest.raises(ValueError, match="too long or has a newline"):
        writer.append(payload)
    writer.close()
    assert verify(tmp_path / "n-0").records == 0


def test_segments_follow_each_other(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 40, segment_bytes=2_000)
    assert len(segments(tmp_path / "n-0")) > 4
    report = verify(tmp_path / "n-0")
    assert report.ok, report.problems
    assert (report.records, report.first, report.last) == (40, 1, 40)


def test_two_processes_do_not_write_one_journal(tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    with pytest.raises(BlockingIOError, match="written by another process"):
        open_at(tmp_path / "n-0")
    writer.close()
    open_at(tmp_path / "n-0")[0].close()


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Past `size` bytes a write is cut short, then fails (EFBIG): what a full disk does (ENOSPC), without root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 1, 100, 300, 400])
def test_a_full_disk_leaves_whole_records_only(tmp_path: Path, room: int) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    write(writer, decision(1))
    path = segments(tmp_path / "n-0")[0]
    good, head = path.read_bytes(), writer.head
    with file_size_limit(len(good) + room), pytest.raises(OSError, match=r"written|too large") as caught:
        write(writer, decision(2), decision(3))  # two records of about 230 bytes
    assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
    assert path.read_bytes() == good
    assert (writer.records, writer.head, writer.failures) == (1, head, 1)
    write(writer, decision(4))  # there is room again
    writer.close()
    report = verify(tmp_path / "n-0")
    assert report.ok, report.problems
    assert report.records == 2


def test_a_cut_that_fails_is_made_before_the_next_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    write(writer, decision(1))
    size = segments(tmp_path / "n-0")[0].stat().st_size

    def broken(fd: int, length: int) -> None:
        raise OSError(errno.EIO, "cannot")

    monkeypatch.setattr(os, "ftruncate", broken)
    for _ in range(2):
        with file_size_limit(size + 50), pytest.raises(OSError):
            write(writer, decision(2))
    monkeypatch.undo()
    write(writer, decision(3))
    writer.close()
    report = verify(tmp_path / "n-0")
    assert report.ok, report.problems
    assert report.records == 2


def test_no_room_for_a_new_segment_stays_in_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, _ = open_at(tmp_path / "n-0", segment_bytes=300)
    write(writer, decision(1))
    real = os.open

    def full(path: object, *arguments: int) -> int:
        if str(path).endswith("00000002.jnl"):
            raise OSError(errno.ENOSPC, "full")
        return real(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", full)
    write(writer, decision(2))
    monkeypatch.undo()
    assert writer.segment == 1
    write(writer, decision(3))
    assert writer.segment == 2
    writer.close()
    assert verify(tmp_path / "n-0").records == 3


def test_after_a_failed_sync_a_new_segment_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel reports lost pages once; a later sync of the same file would seem to succeed."""
    writer, _ = open_at(tmp_path / "n-0")
    results: list[OSError | None] = []
    real = os.fdatasync

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr(os, "fdatasync", broken)
    write(writer, decision(1))
    _synced(writer, results)
    assert isinstance(results[0], OSError)
    assert writer.sync_errors
    monkeypatch.setattr(os, "fdatasync", real)
    write(writer, decision(2))
    _synced(writer, results)
    assert writer.segment == 2
    writer.close()
    assert verify(tmp_path / "n-0").ok


def test_a_disk_that_stays_broken_is_not_filled_with_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One new segment at once (it may be the file), then one a second; whoever waits hears of the error meanwhile."""
    writer, _ = open_at(tmp_path / "n-0")
    results: list[OSError | None] = []
    real = os.fdatasync

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "disk")

    monkeypatch.setattr(os, "fdatasync", broken)
    for number in range(1, 30):
        write(writer, decision(number))
        _synced(writer, results)
    assert writer.segment == 2
    monkeypatch.setattr(os, "fdatasync", real)
    write(writer, decision(30))
    _synced(writer, results)  # this file's sync failed before: the kernel says so only once
    assert [type(error) for error in results] == [OSError] * 30
    monkeypatch.setattr(module, "SEGMENT_PAUSE_S", 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: 1e12)
    write(writer, decision(31))
    _synced(writer, results)
    monkeypatch.undo()
    assert results[-1] is None and writer.segment == 3
    writer.close()
    assert verify(tmp_path / "n-0").ok


def _synced(writer: object, results: list[OSError | None]) -> None:
    import threading

    done = threading.Event()

    def note(error: OSError | None) -> None:
        results.append(error)
        done.set()

    writer.on_synced(note)  # type: ignore[attr-defined]
    assert done.wait(5)
