"""A segment that is deleted, exchanged or cut while it is written is noticed, and the journal goes on."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.store.journal.reader import JournalReader, Position
from gateway.store.journal.verify import verify
from tests.support.journals import decision, open_at, segments, write


def exchanged(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def cut(path: Path) -> None:
    content = path.read_bytes()
    os.truncate(path, content.index(b"call-3"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (Path.unlink, "segment 00000001.jnl was deleted; records 1 to 4 are gone"),
        (exchanged, "segment 00000001.jnl was exchanged for another file; records 1 to 4 are gone"),
        (cut, r"segment 00000001.jnl was cut to \d+ bytes; records 3 to 4 are gone"),
    ],
)
def test_the_journal_goes_on(tmp_path: Path, harm: Callable[[Path], None], words: str) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    write(writer, decision(1), decision(2), decision(3), decision(4))
    assert writer.check() == ""
    _, shipped = JournalReader(tmp_path / "n-0").read(Position(), 10)
    harm(segments(tmp_path / "n-0")[0])
    said = writer.check()
    assert re.search(words, said), said
    assert said.endswith("segment 2 goes on with record 5")
    assert writer.check() == ""
    write(writer, decision(5))
    writer.close()
    if harm is not exchanged:
        assert any("are missing" in problem for problem in verify(tmp_path / "n-0").problems)
    if harm is not cut:
        reader = JournalReader(tmp_path / "n-0")
        assert [row.seq for row in reader.read(shipped, 10)[0]] == [5]
    assert open_at(tmp_path / "n-0")[1].records == 5


def test_the_whole_directory_deleted(tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0", segment_bytes=600)
    for number in range(1, 10):
        write(writer, decision(number))
    assert writer.segment > 2 and writer.check() == ""
    shutil.rmtree(tmp_path / "n-0")
    said = writer.check()
    assert "records 1 to 9 are gone" in said and "goes on with record 10" in said
    write(writer, decision(10))
    with pytest.raises(BlockingIOError):  # the lock is there again
        open_at(tmp_path / "n-0")
    writer.close()
    assert any("records 1 to 9 are missing" in problem for problem in verify(tmp_path / "n-0").problems)


def test_while_no_new_segment_can_be_begun_nothing_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    write(writer, decision(1))
    segments(tmp_path / "n-0")[0].unlink()
    real = os.open

    def full(path: object, *arguments: int) -> int:
        if str(path).endswith(".jnl"):
            raise OSError(28, "full")
        return real(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", full)
    assert "nothing is recorded until it can" in writer.check()
    with pytest.raises(OSError, match="full"):
        write(writer, decision(2))
    assert "nothing is recorded until it can" in writer.check()
    monkeypatch.undo()
    write(writer, decision(2))
    assert writer.check() == "" and (writer.records, writer.segment) == (2, 2)
    writer.close()


def test_an_empty_segment_deleted_loses_nothing(tmp_path: Path) -> None:
    writer, _ = open_at(tmp_path / "n-0")
    segments(tmp_path / "n-0")[0].unlink()
    said = writer.check()
    assert "was deleted; segment 2 goes on with record 1" in said
    write(writer, decision(1))
    writer.close()
    assert verify(tmp_path / "n-0").ok
