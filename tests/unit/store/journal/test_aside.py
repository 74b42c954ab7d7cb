"""Damage that nobody can mend: set aside, on record, and reading goes on after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from gateway.store.journal.aside import ASIDE_NAME, set_aside
from gateway.store.journal.gaps import GAPS_NAME, gap_follows, read_gap, read_gaps
from gateway.store.journal.head import HEAD_NAME
from gateway.store.journal.lines import GENESIS, chain_next
from gateway.store.journal.reader import JournalBroken, JournalReader, JournalRow, Position
from gateway.store.journal.verify import verify
from tests.support.journals import NOW, decision, fill, open_at, segments, write


def read_all(directory: Path, position: Position | None = None, step: int = 100) -> list[JournalRow]:
    """To the end; every row follows on the one before it, as the database demands."""
    reader = JournalReader(directory)
    rows: list[JournalRow] = []
    position = position or Position()
    seq, chain = position.seq, position.chain
    while True:
        reader.check(position)
        fresh, after = reader.read(position, step)
        for row in fresh:
            if seq or row.seq == 1:
                plain = row.seq == seq + 1 and row.chain == chain_next(chain, row.payload)
                assert plain or gap_follows(seq, chain, row.seq, row.payload, row.chain)
            seq, chain = row.seq, row.chain
        rows += fresh
        if not fresh and after == position:
            return rows
        position = after


def records(rows: list[JournalRow]) -> list[int]:
    return [row.seq for row in rows if read_gap(row.payload) is None]


def gaps(rows: list[JournalRow]) -> list[tuple[int, int]]:
    return [(gap.first, gap.last) for row in rows if (gap := read_gap(row.payload)) is not None]


def altered_line(paths: list[Path]) -> None:
    paths[1].write_bytes(paths[1].read_bytes().replace(b"call-8", b"call-X"))


def altered_digits(paths: list[Path]) -> None:
    lines = paths[1].read_bytes().split(b"\n")
    lines[3] = lines[3][:-32] + b"0" * 32
    paths[1].write_bytes(b"\n".join(lines))


def dropped_line(paths: list[Path]) -> None:
    lines = paths[1].read_bytes().split(b"\n")
    paths[1].write_bytes(b"\n".join(lines[:2] + lines[3:]))


def lost_newline(paths: list[Path]) -> None:
    content = paths[1].read_bytes()
    at = content.index(b"\n", content.index(b"call-8"))
    paths[1].write_bytes(content[:at] + b"?" + content[at + 1 :])


def zeroed(paths: list[Path]) -> None:
    content = paths[1].read_bytes()
    paths[1].write_bytes(content[:400] + b"\0" * 700 + content[1_100:])


def lost_header(paths: list[Path]) -> None:
    paths[1].write_bytes(b"#" + paths[1].read_bytes()[1:])


def half_a_record(paths: list[Path]) -> None:
    paths[1].write_bytes(paths[1].read_bytes()[:-20])


def cut_short(paths: list[Path]) -> None:
    paths[1].write_bytes(paths[1].read_bytes()[:50])


def deleted(paths: list[Path]) -> None:
    paths[1].unlink()


def ruin(paths: list[Path]) -> None:
    for path in paths[1:3]:
        path.write_bytes(b"ruin\n" * 500)


def foreign_line(paths: list[Path]) -> None:
    with open(paths[1], "ab") as file:
        file.write(b"hello\n")


@pytest.mark.parametrize("step", [1, 100])
@pytest.mark.parametrize(
    ("harm", "lost"),
    [
        (altered_line, [8]), (altered_digits, [8, 9]), (dropped_line, [7, 8]), (lost_newline, [8, 9]),
        (zeroed, None), (lost_header, []), (half_a_record, [10]), (cut_short, [6, 7, 8, 9, 10]),
        (deleted, [6, 7, 8, 9, 10]), (ruin, list(range(6, 15))), (foreign_line, []),
    ],
)  # fmt: skip
def test_everything_else_is_read(
    tmp_path: Path, harm: Callable[[list[Path]], None], lost: list[int] | None, step: int
) -> None:
    journal = tmp_path / "n-0"
    fill(journal, 30, segment_bytes=1_300)
    whole = {row.seq: row for row in read_all(journal)}
    paths = segments(journal)
    harm(paths)
    contents = [path.read_bytes() for path in segments(journal)]
    with pytest.raises(JournalBroken, match="callgate evidence set-aside n-0"):
        read_all(journal)
    found = set_aside(journal, now=NOW)
    assert found and found == read_gaps(journal)
    rows = read_all(journal, step=step)
    kept = [row for row in rows if read_gap(row.payload) is None]
    assert all(whole[row.seq] == row for row in kept)
    missing = sorted(set(whole) - {row.seq for row in kept})
    if lost is not None and harm is not dropped_line:
        assert missing == lost
    assert 0 < len(missing) < 12 or lost == []
    told = [number for gap in found for number in range(gap.first, gap.last + 1)]
    assert sorted(told) == missing
    assert [path.read_bytes() for path in segments(journal)] == contents  # evidence is not touched
    if harm is not deleted:
        assert all((journal / name).stat().st_size for gap in found for name in gap.files)
        assert any(gap.files and gap.files[0].startswith(f"{ASIDE_NAME}/0000000") for gap in found)
    assert set_aside(journal, now=NOW) == []
    report = verify(journal)
    for gap in found:
        if gap.records > 0:
            words = f"records {gap.first} to {gap.last} are missing, and were set aside"
            assert any(words in problem for problem in report.problems)
    writer, recovery = open_at(journal, segment_bytes=1_300)
    write(writer, decision(31))
    writer.close()
    assert recovery.records == 30 and records(read_all(journal))[-1] == 31


def test_from_the_shippers_position(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 10)
    rows, position = JournalReader(tmp_path / "n-0").read(Position(), 4)
    path = segments(tmp_path / "n-0")[0]
    path.write_bytes(path.read_bytes().replace(b"call-2", b"call-X").replace(b"call-6", b"call-Y"))
    assert [(gap.first, gap.last) for gap in set_aside(tmp_path / "n-0", position, now=NOW)] == [(6, 6)]
    rows = read_all(tmp_path / "n-0", position)
    assert records(rows) == [5, 7, 8, 9, 10] and gaps(rows) == [(6, 6)]
    gap = read_gaps(tmp_path / "n-0")[0]
    assert b"call-Y" in (tmp_path / "n-0" / gap.files[0]).read_bytes()
    assert "record 6 was altered" in gap.reason and str(tmp_path) not in gap.reason and "line 7" in gap.reason


def test_a_segment_deleted_under_the_writer(tmp_path: Path) -> None:
    """What the writer's own check begins anew is read on once the gap is on record."""
    writer, _ = open_at(tmp_path / "n-0")
    for number in range(1, 6):
        write(writer, decision(number))
    _, shipped = JournalReader(tmp_path / "n-0").read(Position(), 2)
    segments(tmp_path / "n-0")[0].unlink()
    assert writer.check()
    write(writer, decision(6))
    for act in (JournalReader(tmp_path / "n-0").check, lambda where: JournalReader(tmp_path / "n-0").read(where, 9)):
        with pytest.raises(JournalBroken, match=r"begins with record 6, but record 3 is next; .* set-aside n-0"):
            act(shipped)
    assert [(gap.first, gap.last, gap.files) for gap in set_aside(tmp_path / "n-0", shipped, now=NOW)] == [(3, 5, ())]
    rows = read_all(tmp_path / "n-0", shipped)
    assert gaps(rows) == [(3, 5)] and records(rows) == [6]
    writer.close()


def test_nothing_to_go_on_with_yet(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 3)
    path = segments(tmp_path / "n-0")[0]
    path.write_bytes(path.read_bytes().replace(b"call-3", b"call-X"))
    with pytest.raises(JournalBroken, match="nothing that can be read follows it yet"):
        set_aside(tmp_path / "n-0", now=NOW)
    assert not (tmp_path / "n-0" / GAPS_NAME).exists()


def test_without_the_head_lines_are_counted(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 6)
    (tmp_path / "n-0" / HEAD_NAME).unlink()
    path = segments(tmp_path / "n-0")[0]
    path.write_bytes(path.read_bytes().replace(b"call-3", b"call-X"))
    assert [(gap.first, gap.last) for gap in set_aside(tmp_path / "n-0", now=NOW)] == [(3, 3)]
    assert records(read_all(tmp_path / "n-0")) == [1, 2, 4, 5, 6]


def test_a_gap_that_does_not_fit_is_not_believed() -> None:
    chain = b"a" * 32
    payload = msgspec.json.encode({"kind": "gap", "at": 1, "journal": "n", "first": 3, "last": 4,
        "previous": GENESIS.decode(), "chain": chain.decode(), "segment": 1, "offset": 2, "to_segment": 1,
        "to_offset": 9, "files": [], "reason": ""})  # fmt: skip
    assert gap_follows(2, GENESIS, 4, payload, chain)
    assert not gap_follows(1, GENESIS, 4, payload, chain)
    assert not gap_follows(2, chain, 4, payload, chain)
    assert not gap_follows(2, GENESIS, 5, payload, chain)
    assert not gap_follows(2, GENESIS, 4, payload, GENESIS)
    assert not gap_follows(2, GENESIS, 4, b'{"kind":"gap"}', chain)
    assert not gap_follows(2, GENESIS, 4, b"{}", chain)


def test_a_gaps_file_that_leads_in_a_circle_is_not_followed(tmp_path: Path) -> None:
    fill(tmp_path / "n-0", 6)
    path = segments(tmp_path / "n-0")[0]
    path.write_bytes(path.read_bytes().replace(b"call-3", b"call-X"))
    (gap,) = set_aside(tmp_path / "n-0", now=NOW)
    back = msgspec.structs.replace(gap, to_offset=1, last=gap.first - 1, chain=gap.previous)
    (tmp_path / "n-0" / GAPS_NAME).write_bytes(b"nonsense\n" + msgspec.json.encode(back) + b"\n")
    with pytest.raises(JournalBroken):
        read_all(tmp_path / "n-0")
