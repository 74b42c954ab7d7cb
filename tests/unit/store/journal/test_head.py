"""The head beside the segments: what was on disk once is not forgotten with the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.store.journal.head import HEAD_NAME, Head, read_head, write_head
from gateway.store.journal.reader import JournalBroken, JournalReader, Position
from gateway.store.journal.verify import verify
from tests.support.journals import decision, fill, open_at, segments, write


def test_the_head_is_what_was_synced_last(tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    write(writer, decision(1), decision(2))
    writer.close()
    assert read_head(tmp_path / "n-0") == Head(2, writer.head, 1, 1)


@pytest.mark.parametrize("content", [b"", b"{", b'{"seq":1,"chain":"0","segment":1}', b"\0" * 90])
def test_half_a_head_is_none(tmp_path: Path, content: bytes) -> None:
    fill(tmp_path / "n-0", 3)
    (tmp_path / "n-0" / HEAD_NAME).write_bytes(content)
    assert read_head(tmp_path / "n-0") is None
    writer, recovery = open_at(tmp_path / "n-0")
    writer.close()
    assert (recovery.records, recovery.missing_records) == (3, 0)


def test_a_head_met_half_written_is_none(tmp_path: Path) -> None:
    write_head(tmp_path, Head(9, "a" * 32, 1))
    path = tmp_path / HEAD_NAME
    path.write_bytes(path.read_bytes().replace(b'"seq":9', b'"seq":8'))
    assert read_head(tmp_path) is None
    write_head(tmp_path, Head(10, "b" * 32, 2, 3))
    assert read_head(tmp_path) == Head(10, "b" * 32, 2, 3)


def test_a_head_of_an_older_version_is_read(tmp_path: Path) -> None:
    (tmp_path / HEAD_NAME).write_bytes(b'{"seq":7,"chain":"' + b"c" * 32 + b'","segment":2,"first":4}\n')
    assert read_head(tmp_path) == Head(7, "c" * 32, 2, 4)
    write_head(tmp_path, Head(8, "d" * 32, 2, 4))
    assert read_head(tmp_path) == Head(8, "d" * 32, 2, 4)


def test_an_emptied_directory_goes_on(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 30, segment_bytes=1_500)
    rows, shipped = JournalReader(tmp_path / "n-0").read(Position(), 100)
    last = segments(tmp_path / "n-0")[-1]
    for path in segments(tmp_path / "n-0"):
        path.unlink()
    assert "record 30 was here once, the last one now is 0" in verify(tmp_path / "n-0").problems
    writer, recovery = open_at(tmp_path / "n-0")
    assert (recovery.records, recovery.missing_from, recovery.missing_records) == (30, 1, 30)
    assert recovery.head == rows[-1].chain.decode()
    write(writer, decision(31))
    writer.close()
    assert segments(tmp_path / "n-0")[0].name > last.name
    assert any("records 1 to 30 are missing" in problem for problem in verify(tmp_path / "n-0").problems)
    # What was shipped before is followed on.
    reader = JournalReader(tmp_path / "n-0")
    reader.check(shipped)
    assert [row.seq for row in reader.read(shipped, 100)[0]] == [31]
    open_at(tmp_path / "n-0")[0].close()
    assert open_at(tmp_path / "n-0")[1].missing_records == 0  # told once


def test_a_shortened_directory_goes_on(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 30, segment_bytes=1_500)
    *kept, last = segments(tmp_path / "n-0")
    before = verify(tmp_path / "n-0").head
    last.unlink()
    records = sum(path.read_bytes().count(b"\n") - 1 for path in kept)
    writer, recovery = open_at(tmp_path / "n-0", segment_bytes=1_500)
    assert (recovery.records, recovery.head) == (30, before)
    assert (recovery.missing_from, recovery.missing_records) == (records + 1, 30 - records)
    write(writer, decision(31))
    writer.close()
    assert any(f"records {records + 1} to 30 are missing" in problem for problem in verify(tmp_path / "n-0").problems)


def test_a_cut_segment_goes_on_in_a_new_one(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 5)
    path = segments(tmp_path / "n-0")[0]
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"call-3")])
    writer, recovery = open_at(tmp_path / "n-0")
    assert (recovery.records, recovery.missing_from, recovery.missing_records) == (5, 3, 3)
    write(writer, decision(6))
    writer.close()
    assert [path.name for path in segments(tmp_path / "n-0")] == ["00000001.jnl", "00000002.jnl"]
    assert any("records 3 to 5 are missing" in problem for problem in verify(tmp_path / "n-0").problems)
    with pytest.raises(JournalBroken, match="callgate evidence set-aside n-0"):
        reader = JournalReader(tmp_path / "n-0")
        reader.read(reader.read(Position(), 100)[1], 100)


def test_shipped_segments_that_were_dropped_are_not_missed(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 30, segment_bytes=1_500)
    first = segments(tmp_path / "n-0")[2].read_bytes().split(b'"first":')[1].split(b",")[0]
    for path in segments(tmp_path / "n-0")[:2]:
        path.unlink()
    writer, recovery = open_at(tmp_path / "n-0", segment_bytes=1_500)
    assert recovery.missing_records == 0
    writer.close()
    for path in segments(tmp_path / "n-0"):
        path.unlink()
    writer, recovery = open_at(tmp_path / "n-0", segment_bytes=1_500)
    writer.close()
    assert (recovery.missing_from, recovery.missing_records) == (int(first), 31 - int(first))


def test_a_directory_that_is_new_altogether_begins_at_one(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 5)
    shutil.rmtree(tmp_path / "n-0")
    writer, recovery = open_at(tmp_path / "n-0")
    writer.close()
    assert (recovery.records, recovery.missing_records) == (0, 0)
