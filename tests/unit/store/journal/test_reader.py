"""The shipper's view: every record once, in order, across segments and while it is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.journal.reader import JournalBroken, JournalReader, JournalRow, Position
from tests.support.journals import decision, fill, open_at, segments, write


def read_all(reader: JournalReader, position: Position, step: int) -> tuple[list[JournalRow], Position]:
    rows: list[JournalRow] = []
    while True:
        fresh, position = reader.read(position, step)
        if not fresh:
            return rows, position
        assert len(fresh) <= step
        rows += fresh


@pytest.mark.parametrize("step", [1, 3, 1_000])
def test_every_record_once_in_order(tmp_path: Path, step: int) -> None:
    fill(tmp_path / "n-0", 30, segment_bytes=1_500)
    rows, position = read_all(JournalReader(tmp_path / "n-0"), Position(), step)
    assert [row.seq for row in rows] == list(range(1, 31))
    chain = GENESIS
    for row in rows:
        chain = chain_next(chain, row.payload)
        assert row.chain == chain
    assert (position.seq, position.chain) == (30, chain)
    assert JournalReader(tmp_path / "n-0").read(position, 10) == ([], position)


def test_follows_a_writer(tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0", segment_bytes=1_000)
    reader = JournalReader(tmp_path / "n-0")
    position, seen = Position(), 0
    for number in range(1, 40):
        write(writer, decision(number))
        assert reader.last_record() == number
        rows, position = reader.read(position, 100)
        seen += len(rows)
        assert seen == position.seq == number
    writer.close()


def test_half_a_line_waits(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 3)
    path = segments(tmp_path / "n-0")[0]
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    reader = JournalReader(tmp_path / "n-0")
    rows, position = reader.read(Position(), 10)
    assert len(rows) == 2 and reader.last_record() == 2
    path.write_bytes(content)
    rows, position = reader.read(position, 10)
    assert [row.seq for row in rows] == [3] and reader.last_record() == 3


def test_only_what_is_on_disk_is_handed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "n-0", 3)
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    rows, _ = JournalReader(tmp_path / "n-0").read(Position(), 10)
    assert rows and synced


def test_a_batch_taken_back_meanwhile_is_not_handed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "n-0", 3)
    path = segments(tmp_path / "n-0")[0]
    monkeypatch.setattr(os, "fdatasync", lambda fd: os.truncate(path, path.stat().st_size - 50))
    rows, position = JournalReader(tmp_path / "n-0").read(Position(), 10)
    assert rows == [] and position.seq == 0


def test_what_is_good_before_a_break_comes_first(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 12, segment_bytes=1_200)
    path = segments(tmp_path / "n-0")[1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    reader = JournalReader(tmp_path / "n-0")
    rows, position = reader.read(Position(), 100)
    assert rows[-1].seq == len(rows) < 12
    with pytest.raises(JournalBroken, match=f"record {len(rows) + 1} was altered, or the one before"):
        reader.read(position, 100)


def test_breaks_are_named(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 24, segment_bytes=1_200)
    first, second, third, *_ = segments(tmp_path / "n-0")
    reader = JournalReader(tmp_path / "n-0")
    _, position = reader.read(Position(), 1)
    content = first.read_bytes()
    os.truncate(first, 10)
    with pytest.raises(JournalBroken, match="is shorter than"):
        reader.read(position, 10)
    first.write_bytes(content[:-5])
    rows, position = reader.read(Position(), 10)
    with pytest.raises(JournalBroken, match="ends in half a record"):
        reader.read(position, 10)
    first.write_bytes(content)
    rows, position = reader.read(Position(), len(rows) + 1)
    second.unlink()
    with pytest.raises(JournalBroken, match="begins with record"):
        reader.read(position, 10)
    third.write_bytes(b"")
    with pytest.raises(JournalBroken, match="ends in half a record"):
        reader.read(position, 10)
    third.write_bytes(b"no header\n")
    with pytest.raises(JournalBroken, match="header was altered"):
        reader.read(position, 10)


def test_older_segments_may_be_gone(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 12, segment_bytes=1_200)
    segments(tmp_path / "n-0")[0].unlink()
    rows, _ = JournalReader(tmp_path / "n-0").read(Position(), 100)
    assert rows[0].seq > 1 and rows[-1].seq == 12


def test_shipped_segments_are_dropped_from_the_front(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 24, segment_bytes=1_200)
    paths = segments(tmp_path / "n-0")
    reader = JournalReader(tmp_path / "n-0")
    os.utime(paths[0], (10, 10))
    os.utime(paths[2], (10, 10))
    assert reader.drop_before(3, 100.0) == [1]  # the second is too young, so the third stays as well
    assert reader.drop_before(1, 1e12) == []
    os.utime(paths[1], (10, 10))
    assert reader.drop_before(len(paths), 100.0) == [2, 3]


def test_no_journal_yet(tmp_path: Path) -> None:
    reader = JournalReader(tmp_path)
    assert reader.read(Position(), 10) == ([], Position())
    assert reader.last_record() == 0
