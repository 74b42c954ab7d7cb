"""`verify` sees every altered byte, every dropped line, every dropped segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.store.journal.verify import MAX_PROBLEMS, verify
from tests.support.journals import fill, segments


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """14 records in several segments."""
    fill(tmp_path / "n-0", 14, segment_bytes=1_200)
    return tmp_path / "n-0"


def test_a_whole_journal(journal: Path) -> None:
    report = verify(journal)
    assert report.ok and report.records == 14 and report.segments == len(segments(journal)) > 2
    assert verify(journal, (14, report.head)).ok


def test_every_altered_byte_is_seen(journal: Path) -> None:
    for path in segments(journal):
        content = path.read_bytes()
        for at in range(len(content)):
            altered = bytearray(content)
            altered[at] ^= 0x01
            path.write_bytes(altered)
            assert not verify(journal).ok, (path.name, at)
        path.write_bytes(content)
    assert verify(journal).ok


def test_every_dropped_line_is_seen(journal: Path) -> None:
    head = verify(journal).head
    for path in segments(journal):
        content = path.read_bytes()
        lines = content.splitlines(keepends=True)
        for at in range(len(lines)):
            path.write_bytes(b"".join(lines[:at] + lines[at + 1 :]))
            # The newest record can be missed only by somebody who knows that it was there.
            anchor = (14, head) if path == segments(journal)[-1] and at == len(lines) - 1 else None
            assert not verify(journal, anchor).ok, (path.name, at)
        path.write_bytes(content)


def test_every_dropped_segment_is_seen(journal: Path) -> None:
    head = verify(journal).head
    first, *middle, last = segments(journal)
    for path in middle:
        content = path.read_bytes()
        path.unlink()
        assert "are missing" in verify(journal).problems[0]
        path.write_bytes(content)
    content = last.read_bytes()
    last.unlink()
    assert "was here once" in verify(journal, (14, head)).problems[0]
    last.write_bytes(content)
    first.unlink()  # lawful: shipped segments are dropped from the front
    report = verify(journal, (14, head))
    assert report.ok and report.first > 1


def test_exchanged_segments_are_seen(journal: Path) -> None:
    one, two = segments(journal)[1:3]
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    assert not verify(journal).ok


def test_a_journal_written_anew_is_seen_by_its_anchor(journal: Path, tmp_path: Path) -> None:
    head = verify(journal).head
    fill(tmp_path / "other" / "n-0", 15)
    assert verify(tmp_path / "other" / "n-0").ok
    assert "not the one known" in verify(tmp_path / "other" / "n-0", (14, head[::-1])).problems[0]


def test_a_ruin_does_not_fill_the_memory(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 1)
    path = segments(tmp_path / "n-0")[0]
    path.write_bytes(path.read_bytes() + b"ruin\n" * 1_000)
    report = verify(tmp_path / "n-0")
    assert len(report.problems) == MAX_PROBLEMS and report.more_problems == 1_000 - MAX_PROBLEMS


def test_an_empty_directory(tmp_path: Path) -> None:
    assert verify(tmp_path).ok
    assert not verify(tmp_path, (3, "0" * 32)).ok
