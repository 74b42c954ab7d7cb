"""The torn tail: wherever a crash cut the file, the whole records before stay and nothing else does."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.store.journal import tail
from gateway.store.journal.head import HEAD_NAME
from gateway.store.journal.tail import find_end
from gateway.store.journal.verify import verify
from tests.support.journals import decision, fill, open_at, segments, write


def offsets_after_lines(content: bytes) -> list[int]:
    return [at + 1 for at, byte in enumerate(content) if byte == 0x0A]


def test_cut_at_every_byte(tmp_path: Path) -> None:
    whole = tmp_path / "n-0"
    fill(whole, 3)
    content = segments(whole)[0].read_bytes()
    ends = offsets_after_lines(content)
    for size in range(len(content) + 1):
        torn = tmp_path / "torn" / "n-0"
        shutil.rmtree(torn, ignore_errors=True)
        torn.mkdir(parents=True)
        (torn / "00000001.jnl").write_bytes(content[:size])
        writer, recovery = open_at(torn)
        kept = max([end for end in ends if end <= size], default=0)
        assert recovery.torn_bytes == size - kept
        assert recovery.records == max(0, content[:kept].count(b"\n") - 1)
        write(writer, decision(9))
        writer.close()
        report = verify(torn)
        assert report.ok, (size, report.problems)
        assert report.records == recovery.records + 1


@pytest.mark.parametrize("garbage", [b"\0" * 5_000, b"\xff" * 40 + b"\n", b"{}\t" + b"0" * 32 + b"\n", b"\n\n\n"])
def test_what_a_power_cut_leaves_after_the_last_record_is_cut(tmp_path: Path, garbage: bytes) -> None:
    fill(tmp_path / "n-0", 3)
    path = segments(tmp_path / "n-0")[0]
    content = path.read_bytes()
    path.write_bytes(content + garbage)
    writer, recovery = open_at(tmp_path / "n-0")
    writer.close()
    assert recovery.torn_bytes == len(garbage)
    assert path.read_bytes() == content


def test_a_segment_torn_in_its_header_is_removed(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 12, segment_bytes=2_000)
    *earlier, last = segments(tmp_path / "n-0")
    before = sum(path.read_bytes().count(b"\n") - 1 for path in earlier)
    last.write_bytes(last.read_bytes()[:20])
    (tmp_path / "n-0" / HEAD_NAME).unlink()  # it is written after the segment: here the crash came before
    writer, recovery = open_at(tmp_path / "n-0")
    assert (recovery.records, recovery.torn_bytes) == (before, 20)
    write(writer, decision(99))
    writer.close()
    assert verify(tmp_path / "n-0").ok


def test_damage_in_the_middle_is_not_cut(tmp_path: Path) -> None:
    """An altered record with good ones after it is for `verify` to report, not for a start to hide."""
    fill(tmp_path / "n-0", 5)
    path = segments(tmp_path / "n-0")[0]
    content = path.read_bytes().replace(b"call-3", b"call-X")
    path.write_bytes(content)
    writer, recovery = open_at(tmp_path / "n-0")
    assert (recovery.torn_bytes, recovery.records) == (0, 5)
    write(writer, decision(6))
    writer.close()
    assert path.read_bytes().startswith(content)
    assert [problem for problem in verify(tmp_path / "n-0").problems if "record 3 was altered" in problem]


def test_after_a_lost_header_a_new_segment_is_begun(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 12, segment_bytes=2_000)
    last = segments(tmp_path / "n-0")[-1]
    content = b"#" + last.read_bytes()[1:]
    last.write_bytes(content)
    writer, recovery = open_at(tmp_path / "n-0")
    assert recovery.records == 12
    write(writer, decision(13))
    writer.close()
    assert last.read_bytes() == content
    assert verify(tmp_path / "n-0").problems == [f"{last.name}: the header was altered"]


def test_a_tail_longer_than_a_block_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "_BLOCK", 64)
    fill(tmp_path / "n-0", 4)
    path = segments(tmp_path / "n-0")[0]
    size = path.stat().st_size
    path.write_bytes(path.read_bytes() + b"x" * 1_000)
    end, torn = find_end(tmp_path / "n-0")
    assert (end.size, end.records, torn) == (size, 4, 1_000)
